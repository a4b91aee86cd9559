"""Embedding, dropout, random bits, optimizer steps, and the package's front door."""

import os
import subprocess
import sys

import numpy as np
import pytest

import tinynet_kernels


@pytest.mark.parametrize("shape", [(), (0,), (3, 4), (700,)])
@pytest.mark.parametrize("padding_idx", [None, 2])
@pytest.mark.parametrize("by_frequency", [False, True])
def test_embedding(cpu, close, normal, shape, padding_idx, by_frequency):
    idx = np.asarray(np.random.default_rng(0).integers(0, 7, shape))
    w, dy = normal(7, 400), normal(*shape, 400)
    np.testing.assert_array_equal(cpu.embedding_forward(w, idx), w[idx])
    expected = np.zeros(w.shape)
    np.add.at(expected, idx.ravel(), dy.reshape(-1, 400).astype(np.float64))
    if by_frequency:
        expected /= np.maximum(np.bincount(idx.ravel(), minlength=7), 1)[:, None]
    if padding_idx is not None:
        expected[padding_idx] = 0
    options = {"padding_idx": padding_idx, "scale_grad_by_freq": by_frequency}
    close(cpu.embedding_backward(dy, idx, num_embeddings=7, **options), expected, 10)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("shape", [(), (0, 3), (4, 5), (300, 1000)])
def test_dropout(cpu, close, normal, dtype, p, shape):
    x = np.asarray(normal(*shape), dtype)
    keep = np.asarray(np.random.default_rng(0).random(shape) >= p)
    expected = x * keep / (1 - p) if p < 1 else np.zeros(shape)
    close(cpu.dropout_forward(x, keep, p=p), expected)
    close(cpu.dropout_backward(x, keep, p=p), expected)


KNOWN_ANSWERS = [  # kat_vectors of Random123: counter, key (words from the lowest), output
    ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


def joined(words):
    return sum(word << (32 * i) for i, word in enumerate(words))


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_philox_known_answers(cpu, counter, key, words):
    assert cpu.philox_u32(joined(key), joined(counter), 4).tolist() == words


def test_philox_is_a_function_of_the_counter(cpu):
    key, start = 12345, 2**64 - 3  # the low half wraps within the run
    words = cpu.philox_u32(key, start, 4 * 20_000 + 3)
    assert words.dtype == np.uint32
    assert words.shape == (80_003,)
    for block in (0, 2, 3, 4, 4095, 4096, 19_999):
        np.testing.assert_array_equal(words[4 * block : 4 * block + 4], cpu.philox_u32(key, start + block, 4))
    np.testing.assert_array_equal(cpu.philox_u32(key, 2**128 - 1, 8)[4:], cpu.philox_u32(key, 0, 4))
    assert cpu.philox_u32(key, 0, 0).shape == (0,)
    assert abs(words.mean() / 2**32 - 0.5) < 0.01


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("size", [0, 7, 300_000])
def test_sgd(cpu, close, normal, momentum, nesterov, maximize, size):
    p, buf = normal(size), np.full_like(normal(size), np.nan) if momentum else None
    wide, state = p.astype(np.float64), None
    options = {"lr": 0.1, "momentum": momentum, "dampening": 0.0 if nesterov else 0.2, "weight_decay": 0.01}
    for step in range(3):
        g = normal(size) + step
        before = g.copy()
        first = np.array([step == 0])
        cpu.sgd_step_(
            cpu.Table([[p], [buf]] if momentum else [[p]]), [g], first, nesterov=nesterov, maximize=maximize, **options
        )
        np.testing.assert_array_equal(g, before)
        d = (-g if maximize else g).astype(np.float64) + 0.01 * wide
        if momentum:
            state = d if state is None else momentum * state + (1 - options["dampening"]) * d
            d = d + momentum * state if nesterov else state
        wide -= 0.1 * d
    close(p, wide)


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("size", [0, 7, 100_000])
def test_adam(cpu, close, normal, decoupled, amsgrad, maximize, size):
    p = normal(size)
    m, v, vmax = (np.zeros_like(p) for _ in range(3))
    wide, first, second, largest = p.astype(np.float64), np.zeros(size), np.zeros(size), np.zeros(size)
    options = {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1}
    count = np.zeros((), np.float32)
    table = cpu.Table([[p], [m], [v], *([[vmax]] if amsgrad else [])], [count])
    for step in range(1, 4):
        g = normal(size) / step
        flags = {"decoupled": decoupled, "maximize": maximize}
        cpu.adam_step_(table, [g], **flags, **options)
        d = (-g if maximize else g).astype(np.float64)
        if decoupled:
            wide *= 1 - 0.01 * 0.1
        else:
            d += 0.1 * wide
        first = 0.9 * first + 0.1 * d
        second = 0.99 * second + 0.01 * d * d
        largest = np.maximum(largest, second)
        root = np.sqrt(largest if amsgrad else second) / np.sqrt(1 - 0.99**step)
        wide -= 0.01 / (1 - 0.9**step) * first / (root + 1e-8)
    close(p, wide, 5)
    assert count == 3


def test_an_update_in_place_never_goes_to_a_copy(cpu):
    good, readonly = np.zeros((4, 3)), np.zeros((4, 3))
    readonly.flags.writeable = False
    for wrong in (np.zeros((4, 6))[:, ::2], readonly, np.zeros((4, 2)), np.zeros((4, 3), np.float32)):
        with pytest.raises(ValueError, match="contiguous"):
            cpu.Table([[good], [wrong]])
    for count in (np.zeros(1, np.float32), np.zeros(()), np.zeros((), np.int64)):
        with pytest.raises(ValueError, match="step counter"):
            cpu.Table([[good]], [count])


@pytest.mark.parametrize("sizes", [(), (0,), (1, 0, 3), (16384, 16385, 5, 100_000, 1)])
def test_a_table_is_all_of_its_arrays(cpu, normal, sizes):
    ps, gs, bufs = ([normal(size) for size in sizes] for _ in range(3))
    wide = [p - 0.1 * (0.9 * b + g) for p, g, b in zip(ps, gs, bufs, strict=True)]
    gs = [np.repeat(g, 2)[::2] for g in gs]  # not contiguous: read through a copy
    options = {"dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False}
    cpu.sgd_step_(cpu.Table([ps, bufs]), gs, np.zeros(len(sizes), np.bool_), lr=0.1, momentum=0.9, **options)
    for p, expected in zip(ps, wide, strict=True):
        np.testing.assert_allclose(p, expected, rtol=1e-4, atol=1e-6)


def test_infinite_parameters_do_not_become_nan_without_decay(cpu):
    flags = {"weight_decay": 0.0, "maximize": False}
    for nesterov in (False, True):
        p, buf, g = np.array([np.inf, 1.0, -np.inf]), np.zeros(3), np.array([1.0, np.inf, 0.0])
        options = {"momentum": 0.9, "dampening": 0.0, "nesterov": nesterov, **flags}
        cpu.sgd_step_(cpu.Table([[p], [buf]]), [g], np.ones(1, np.bool_), lr=0.1, **options)
        np.testing.assert_array_equal(p, [np.inf, -np.inf, -np.inf])
    p = np.array([np.inf, 1.0])
    table = cpu.Table([[p], [np.zeros(2)], [np.zeros(2)]], [np.zeros((), np.float32)])
    cpu.adam_step_(table, [np.ones(2)], lr=0.1, beta1=0.9, beta2=0.99, eps=1e-8, decoupled=False, **flags)
    assert p[0] == np.inf
    assert np.isfinite(p[1])


def test_front_door(cpu):
    assert tinynet_kernels.kernels_for() is cpu
    assert tinynet_kernels.kernels_for(np.zeros(1), np.zeros(2)) is cpu
    with pytest.raises(TypeError, match=r"builtins\.list"):
        tinynet_kernels.kernels_for(np.zeros(1), [1.0])
    assert tinynet_kernels.available("float64")
    assert not tinynet_kernels.available(np.float16)
    assert not tinynet_kernels.available(np.int64)


def test_import_is_lazy_and_the_jit_switch_is_seen():
    program = (
        "import os, sys, numpy, tinynet_kernels as k; assert k.available('float32'); "
        "os.environ['NUMBA_DISABLE_JIT'] = '1'; assert not k.available('float32'); "
        "assert 'numba' not in sys.modules and 'scipy' not in sys.modules"
    )
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_DISABLE_JIT"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


@pytest.mark.parametrize("order", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("sizes", [(), (0,), (5, 0, 1), (3, 70_000, 16384)])
def test_norm_and_scale_of_many_arrays(cpu, normal, order, sizes):
    arrays = [normal(size) for size in sizes]
    whole = np.concatenate([x.astype(np.float64) for x in arrays]) if arrays else np.zeros(0)
    table = cpu.Table([arrays])
    expected = np.linalg.norm(whole, order) if whole.size else 0.0
    np.testing.assert_allclose(cpu.table_norm(table, order=order), expected, rtol=1e-9)
    factor = normal(1)[0]
    scaled = [x * factor for x in arrays]
    cpu.table_scale_(table, factor=factor)
    for x, y in zip(arrays, scaled, strict=True):
        np.testing.assert_array_equal(x, y)
    if whole.size > 10:
        for bad in (np.inf, np.nan):
            arrays[1][-7] = bad
            np.testing.assert_equal(cpu.table_norm(table, order=order), abs(bad))


def test_the_norm_refuses_other_orders(cpu):
    with pytest.raises(ValueError, match="order must be 1, 2 or inf"):
        cpu.table_norm(cpu.Table([[np.zeros(2)]]), order=3.0)
