"""The buffer pool: reuse, limits, statistics; and never a buffer that somebody still looks at."""

import os
import re
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynet
import tinynet_kernels

if not tinynet_kernels.available(np.float32):
    pytest.skip("the JIT is off", allow_module_level=True)

KIB = 1024


@pytest.fixture
def pool():
    from tinynet_kernels.cpu.memory import Pool

    return Pool(1 << 24)


def address(x):
    return x.__array_interface__["data"][0]


def test_a_buffer_is_given_again_when_its_array_is_gone(pool):
    a = pool.empty((128, 256), np.float32)
    assert a.flags.c_contiguous
    assert a.flags.aligned
    assert a.flags.writeable
    assert address(a) % 64 == 0
    where = address(a)
    b = pool.empty((128, 256), np.float32)
    assert address(b) != where
    del a
    assert address(pool.empty((256, 128), np.float32)) == where  # the bytes count, not the shape


def test_a_free_buffer_a_little_larger_serves(pool):
    large = pool.empty((1_000_000,), np.uint8)
    place = large.ctypes.data
    del large
    assert pool.empty((900_000,), np.uint8).ctypes.data == place
    held = pool.statistics()["held_bytes"]
    assert pool.empty((400_000,), np.uint8).ctypes.data != place  # too small for it
    for size in range(700_000, 1_000_000, 10_000):  # lengths that change all the time
        array = pool.empty((size,), np.uint8)
        del array
    assert pool.statistics()["held_bytes"] < held + 1_500_000


@pytest.mark.parametrize(
    "look",
    [
        lambda a: a[3:],
        lambda a: a.T[::2],
        lambda a: a.reshape(-1)[5:6],
        lambda a: a.view(np.int32),
        lambda a: memoryview(a),
        lambda a: np.asarray(memoryview(a)[1:]),
        lambda a: a.view(type("Sub", (np.ndarray,), {}))[1:],
        lambda a: np.lib.stride_tricks.as_strided(a, (2, 2), (4, 4)),
        lambda a: iter(a),
        lambda a: a.__dlpack__(),
        lambda a: np.from_dlpack(a),
        lambda a: a.flat,
        lambda a: np.broadcast_to(a, (2, *a.shape)),
    ],
)
def test_whatever_looks_at_an_array_keeps_its_buffer(pool, look):
    a = pool.empty((128, 256), np.float32)
    where = address(a)
    view = look(a)
    del a
    assert address(pool.empty((128, 256), np.float32)) != where
    del view
    assert address(pool.empty((128, 256), np.float32)) == where


def test_small_arrays_are_numpys(pool):
    a = pool.empty((10,), np.float32)
    assert a.base is None
    assert pool.statistics()["held_bytes"] == 0
    assert pool.empty((0, 5), np.float64).shape == (0, 5)
    assert pool.empty((), np.float64).shape == ()


def test_statistics_and_clear(pool):
    a, b = pool.empty((100 * KIB,), np.uint8), pool.empty((100 * KIB,), np.uint8)
    s = pool.statistics()
    assert s["made"] == 2
    assert s["held_bytes"] == s["used_bytes"] >= 200 * KIB
    assert s["free_bytes"] == 0
    half = s["held_bytes"] // 2
    del b
    s = pool.statistics()
    assert (s["used_bytes"], s["free_bytes"]) == (half, half)
    assert pool.clear() == half
    assert pool.statistics()["held_bytes"] == half
    assert address(a)
    pool.empty((100 * KIB,), np.uint8)
    assert pool.statistics()["made"] == 3


def test_limit(pool):
    pool.limit = 1 << 20
    keep = [pool.empty((300 * KIB,), np.uint8) for _ in range(5)]
    s = pool.statistics()
    assert s["held_bytes"] <= pool.limit
    assert s["unpooled"] == 2
    assert len({address(a) for a in keep}) == 5
    del keep
    big = pool.empty((900 * KIB,), np.uint8)  # the free buffers make room
    s = pool.statistics()
    assert s["unpooled"] == 2
    assert 900 * KIB <= s["held_bytes"] <= pool.limit
    assert big.size == 900 * KIB


def test_a_lower_limit_drops_free_buffers(pool):
    a, b = pool.empty((1 << 20,), np.uint8), pool.empty((1 << 20,), np.uint8)
    del b
    pool.set_limit(1 << 20)
    assert pool.statistics()["held_bytes"] == pool.statistics()["used_bytes"] >= a.size


def test_the_public_names():
    before = tinynet.memory_stats()["limit_bytes"]
    try:
        tinynet.set_memory_limit(1 << 30)
        x = tinynet.nn.functional.linear(tinynet.ones(300, 200), tinynet.ones(400, 200))
        stats = tinynet.memory_stats()
        assert stats["limit_bytes"] == 1 << 30
        assert stats["used_bytes"] >= x.numel() * 4
        del x
        assert tinynet.release_memory() >= 300 * 400 * 4
        for bad in (True, False, 1.0, 1.5, "1", None, np.float64(1), np.True_):
            with pytest.raises(
                TypeError, match=re.escape(f"set_memory_limit: bytes must be an integer ≥ 0, got {bad!r}")
            ):
                tinynet.set_memory_limit(bad)
        for bad in (-1, np.int64(-1)):
            with pytest.raises(ValueError, match=r"set_memory_limit: bytes must be an integer ≥ 0, got .*-1"):
                tinynet.set_memory_limit(bad)
        assert tinynet.memory_stats()["limit_bytes"] == 1 << 30
        tinynet.set_memory_limit(np.int64(1 << 29))
        assert tinynet.memory_stats()["limit_bytes"] == 1 << 29
    finally:
        tinynet.set_memory_limit(before)


def test_a_pool_without_room_allocates(pool):
    pool.limit = 0
    a = pool.empty((1 << 20,), np.uint8)
    assert a.base is None


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 400 * KIB), st.integers(0, 9)), max_size=60))
def test_live_arrays_never_share_memory(steps):
    from tinynet_kernels.cpu.memory import Pool

    pool, alive = Pool(2 << 20), {}
    for size, slot in steps:
        alive.pop(slot, None)
        a = alive[slot] = pool.empty((size,), np.uint8)
        a[:] = slot
        for other, b in alive.items():
            assert (b == other).all()
        held = pool.statistics()
        assert held["used_bytes"] + held["free_bytes"] == held["held_bytes"] <= pool.limit


def test_threads(pool):
    failures = []

    def work(number):
        for _ in range(300):
            a = pool.empty((20_000,), np.float32)
            a[:] = number
            b = pool.empty((20_000,), np.float32)
            b[:] = -number
            if not ((a == number).all() and (b == -number).all()):
                failures.append(number)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_arrays_die_with_their_last_reference(pool):
    a = pool.empty((1 << 20,), np.uint8)
    gone = weakref.ref(a)
    del a
    assert gone() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_a_pool_of_its_own():
    from tinynet_kernels.cpu.memory import pool

    keep = pool.empty((1 << 20,), np.uint8)
    keep[:] = 3
    with pool._lock:
        child = os.fork()
        if child == 0:
            other = pool.empty((1 << 20,), np.uint8)
            other[:] = 5
            os._exit(0 if (keep == 3).all() and address(other) != address(keep) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_an_array_is_told_from_a_view(pool):
    from tinynet_kernels.cpu.memory import Buffer

    x = pool.empty((300, 300), np.float32)
    assert isinstance(x.base, Buffer)
    assert type(x) is np.ndarray
    assert x.reshape(-1).base is x
    assert x[1:].T.base is x
