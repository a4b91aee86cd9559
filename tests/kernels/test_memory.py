"""The buffer pool: what is in use is not given out, and an array from it is told from a view."""

import numpy as np
import pytest


@pytest.fixture
def memory(cpu):
    from tinynet_kernels.cpu import memory

    return memory


def test_a_buffer_is_given_out_again_when_nobody_sees_it(memory):
    pool = memory.Pool(1 << 24)
    x = pool.empty((300, 300), np.float32)
    address = x.ctypes.data
    assert address % 64 == 0
    view = x.reshape(-1)[5:]
    del x
    assert pool.empty((300, 300), np.float32).ctypes.data != address  # the view still sees the first
    del view
    assert {pool.empty((300, 300), np.float32).ctypes.data, pool.empty((300, 300), np.float32).ctypes.data} >= {address}
    assert pool.made == 2


def test_arrays_in_use_do_not_share(memory):
    pool = memory.Pool(1 << 24)
    arrays = [pool.empty((20_000,), np.float64) for _ in range(5)]
    for i, x in enumerate(arrays):
        x.fill(i)
    assert [float(x[0]) for x in arrays] == [0, 1, 2, 3, 4]


def test_an_array_is_told_from_a_view(memory):
    x = memory.Pool(1 << 24).empty((300, 300), np.float32)
    assert isinstance(x.base, memory.Buffer)
    assert type(x) is np.ndarray
    assert x.reshape(-1).base is x
    assert x[1:].T.base is x
