"""Sums over the last axes."""

import numpy as np
import pytest

import tinynet as tn


@pytest.mark.parametrize("shape", [(3, 7), (1, 100_003), (5, 16_384), (2, 3, 5, 4099), (0, 4), (4, 0)])
def test_sum_last(cpu, dtype, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    for axes in range(1, x.ndim + 1):
        z = cpu.sum_last(x, axes=axes)
        expected = x.astype(np.float64).sum(axis=tuple(range(x.ndim - axes, x.ndim)))
        assert z.dtype == np.float64
        np.testing.assert_allclose(z, expected, rtol=1e-5, atol=1e-4 if dtype == np.float32 else 1e-10)


def test_nan_and_infinity(cpu, dtype):
    x = np.ones((4, 40_000), dtype)
    x[0, 7], x[1, 9], x[2, 3], x[2, 30_000] = np.nan, np.inf, np.inf, -np.inf
    np.testing.assert_array_equal(cpu.sum_last(x, axes=1), [np.nan, np.inf, np.nan, 40_000])


@pytest.mark.parametrize("dim", [None, 0, 1, 2, (0, 2), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_large_sums_are_as_close_as_numpys(dtype, dim, keepdim):
    x = (np.random.default_rng(0).standard_normal((70, 33, 129)) + 100).astype(dtype)
    exact = x.astype(np.longdouble).sum(axis=dim, keepdims=keepdim)
    found = tn.from_numpy(x).sum(dim=dim, keepdim=keepdim)
    with tn.use_definitions():
        defined = tn.from_numpy(x).sum(dim=dim, keepdim=keepdim)
    assert tuple(found.shape) == exact.shape
    error = np.abs(found.numpy() - exact).max()
    assert error <= max(np.abs(defined.numpy() - exact).max(), 2 * np.finfo(dtype).eps * np.abs(exact).max())
