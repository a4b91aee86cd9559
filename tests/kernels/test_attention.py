"""Attention's kernels against a definition in float64: every mask, layout and block; memory; what lies behind arrays."""

import numpy as np
import pytest

from .guard import ends_at_guard


def define(q, k, v, mask, dy, *, scale, causal):
    """The result and the gradients of q, k, v and the mask, in float64."""
    q, k, v, dy = (x.astype(np.float64) for x in (q, k, v, dy))
    s = scale * q @ k.swapaxes(-1, -2) + (0.0 if mask is None else mask)
    if causal:
        s = np.where(np.tri(*s.shape[-2:], dtype=bool), s, -np.inf)
    top = s.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(s - np.where(top == -np.inf, 0, top))
    total = e.sum(axis=-1, keepdims=True)
    a = np.divide(e, total, out=np.zeros_like(e), where=total > 0)
    y = a @ v
    da = dy @ v.swapaxes(-1, -2)
    ds = a * (da - (dy * y).sum(axis=-1, keepdims=True))
    return y, scale * ds @ k, scale * ds.swapaxes(-1, -2) @ q, a.swapaxes(-1, -2) @ dy, ds


def check(cpu, close, q, k, v, mask, dy, *, scale=0.3, causal=False):
    expected = define(q, k, v, mask, dy, scale=scale, causal=causal)
    y, lse = cpu.attention_forward(q, k, v, mask, scale=scale, causal=causal)
    close(y, expected[0], 10)
    options = {"scale": scale, "causal": causal, "grad_mask": mask is not None}
    found = cpu.attention_backward(dy, q, k, v, mask, y, lse, **options)
    for a, b in zip(found, expected[1:], strict=True):
        if a is not None:
            close(a, b, 20)
    assert (found[3] is None) == (mask is None)


LENGTHS = [(1, 1), (3, 200), (64, 128), (65, 129), (130, 7), (200, 300)]


@pytest.mark.slow
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("length", "keys"), LENGTHS)
@pytest.mark.parametrize(("size", "width"), [(32, 32), (5, 17), (48, 80), (64, 16)])
def test_every_block(cpu, close, normal, length, keys, size, width, causal):
    arrays = normal(2, length, size), normal(2, keys, size), normal(2, keys, width)
    check(cpu, close, *arrays, None, normal(2, length, width), causal=causal)


@pytest.mark.parametrize("shape", [(3, 2, 70, 140), (1, 1, 70, 140), (3, 1, 1, 140), (2, 70, 1), (70, 140), (140,), ()])
def test_masks(cpu, close, normal, dtype, shape):
    mask = np.asarray(normal(*shape), dtype)
    mask[np.random.default_rng(2).random(shape) < 0.3] = -np.inf
    wide = np.broadcast_to(mask, (3, 2, 70, 140))
    q, k, v, dy = normal(3, 2, 70, 16), normal(3, 2, 140, 16), normal(3, 2, 140, 16), normal(3, 2, 70, 16)
    expected = define(q, k, v, wide, dy, scale=0.3, causal=False)
    y, lse = cpu.attention_forward(q, k, v, mask, scale=0.3, causal=False)
    close(y, expected[0], 10)
    found = cpu.attention_backward(dy, q, k, v, mask, y, lse, scale=0.3, causal=False, grad_mask=True)
    for a, b in zip(found, expected[1:], strict=True):
        close(a, b, 20)


def test_rows_without_a_key_are_zero_and_others_are_not_touched(cpu, normal, dtype):
    q, k, v, dy = (normal(1, 70, 16) for _ in range(4))
    mask = np.zeros((70, 70), dtype)
    mask[[0, 13, 69]] = -np.inf
    y, lse = cpu.attention_forward(q, k, v, mask, scale=1.0, causal=False)
    assert (lse[0, [0, 13, 69]] == np.inf).all()
    dq, dk, dv, dmask = cpu.attention_backward(dy, q, k, v, mask, y, lse, scale=1.0, causal=False, grad_mask=True)
    for x in (y, dq, dmask):
        assert (x[0, [0, 13, 69]] == 0).all()
        assert np.isfinite(x).all()
        assert (np.abs(x[0, [1, 2, 14, 68]]).max(axis=-1) > 0).all()
    assert np.isfinite(dk).all()
    assert np.isfinite(dv).all()


def test_large_scores_and_nan(cpu, normal, dtype):
    """The largest score comes late: what was summed before shrinks. NaN stays in its row."""
    q, k, v = normal(1, 3, 16), normal(1, 400, 16), normal(1, 400, 16)
    k[0, 300] = 40 * q[0, 0]
    q[0, 2, 5] = np.nan
    y, lse = cpu.attention_forward(q, k, v, None, scale=2.0, causal=False)
    np.testing.assert_allclose(y[0, 0], v[0, 300], rtol=1e-5)
    np.testing.assert_allclose(lse[0, 0], 2.0 * q[0, 0] @ k[0, 300], rtol=1e-5)
    assert np.isfinite(y[0, 1]).all()
    assert np.isnan(y[0, 2]).all()


def layouts(x):
    yield np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)  # (N, L, heads, E) in memory
    yield np.ascontiguousarray(x.transpose(2, 0, 1, 3)).transpose(1, 2, 0, 3)  # (L, N, heads, E)
    yield np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    yield x[:, ::-1].copy()[:, ::-1]
    wide = np.zeros((*x.shape[:-1], x.shape[-1] + 3), x.dtype)
    wide[..., 1:-2] = x
    yield wide[..., 1:-2]
    locked = x.copy()
    locked.flags.writeable = False
    yield locked


@pytest.mark.parametrize("size", [16, 5])
def test_layouts_give_the_same_bits(cpu, normal, size):
    arrays = [normal(2, 3, 33, size) for _ in range(4)]
    y, lse = cpu.attention_forward(*arrays[:3], None, scale=0.5, causal=True)
    gradients = cpu.attention_backward(arrays[3], *arrays[:3], None, y, lse, scale=0.5, causal=True)
    for q, k, v, dy in zip(*map(layouts, arrays), strict=True):
        z, other = cpu.attention_forward(q, k, v, None, scale=0.5, causal=True)
        np.testing.assert_array_equal(z, y)
        found = cpu.attention_backward(dy, q, k, v, None, z, other, scale=0.5, causal=True)
        for a, b in zip(found[:3], gradients[:3], strict=True):
            np.testing.assert_array_equal(a, b)


def test_leading_axes_are_broadcast(cpu, close, normal):
    q, k, v, dy = normal(3, 1, 20, 16), normal(2, 30, 16), normal(1, 1, 30, 16), normal(3, 2, 20, 16)
    check(cpu, close, *(np.broadcast_to(x, (3, 2, *x.shape[-2:])) for x in (q, k, v)), None, dy)
    y, _ = cpu.attention_forward(q, k, v, None, scale=0.3, causal=False)
    close(y, define(q, k, v, None, dy, scale=0.3, causal=False)[0], 10)


def test_nothing_is_read_behind_the_arrays(cpu, normal, dtype):
    for length, keys in ((1, 1), (7, 13), (65, 130)):
        q, k, v, dy = (ends_at_guard(normal(1, n, 16)) for n in (length, keys, keys, length))
        y, lse = cpu.attention_forward(q, k, v, None, scale=1.0, causal=False)
        dq, dk, _, _ = cpu.attention_backward(dy, q, k, v, None, ends_at_guard(y), lse, scale=1.0, causal=False)
        assert np.isfinite(dq).all()
        assert np.isfinite(dk).all()


def test_dropout_is_a_function_of_the_counter(cpu, normal, dtype):
    """Kept words of the stream, whatever the block: the same as weights that are dropped one by one."""
    length, keys, words = 70, 301, 304
    q, k, dy = normal(2, length, 16), normal(2, keys, 16), normal(2, length, 16)
    v = normal(2, keys, 16)
    counter = 2**64 - 3  # the lower half wraps
    drop = (2**63 + 12345, counter, 2**30, 0.25)
    stream = cpu.philox_u32(drop[0], counter, 2 * length * words).reshape(2, length, words)[..., :keys]
    factor = (stream >= 2**30) / 0.75
    s = 0.2 * q.astype(np.float64) @ k.swapaxes(-1, -2)
    a = np.exp(s - s.max(axis=-1, keepdims=True))
    a /= a.sum(axis=-1, keepdims=True)
    y, lse = cpu.attention_forward(q, k, v, None, scale=0.2, causal=False, dropout=drop)
    np.testing.assert_allclose(y, (a * factor) @ v, rtol=1e-4, atol=1e-5)
    dq, _, dv, _ = cpu.attention_backward(dy, q, k, v, None, y, lse, scale=0.2, causal=False, dropout=drop)
    np.testing.assert_allclose(dv, (a * factor).swapaxes(-1, -2) @ dy, rtol=1e-4, atol=1e-4)
    da = factor * (dy @ v.swapaxes(-1, -2))
    ds = a * (da - (a * da).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(dq, 0.2 * ds @ k, rtol=1e-3, atol=1e-4)
