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


@pytest.mark.parametrize("shape", [(3, 7), (1, 100_003), (5, 16_385), (2, 3, 5, 4099), (70, 1), (4,)])
@pytest.mark.parametrize("offset", [0.0, 3000.0])
def test_moments_and_deviations(cpu, dtype, shape, offset):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(shape) + offset).astype(dtype)
    wide = x.astype(np.longdouble)
    for axes in range(1, x.ndim + 1):
        over = tuple(range(x.ndim - axes, x.ndim))
        mean, var = cpu.moments_last(x, axes=axes)
        assert mean.dtype == var.dtype == np.float64
        assert mean.shape == var.shape == shape[: x.ndim - axes]
        np.testing.assert_allclose(mean, wide.mean(axis=over).astype(np.float64), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(var, wide.var(axis=over).astype(np.float64), rtol=2e-5, atol=1e-12)
        scale = rng.standard_normal(mean.shape)
        y = cpu.deviations_last(x, np.asarray(mean), np.asarray(scale), axes=axes)
        expected = (wide - mean.reshape(*mean.shape, *(1,) * axes)) * scale.reshape(*mean.shape, *(1,) * axes)
        assert y.dtype == dtype
        np.testing.assert_allclose(y, expected.astype(np.float64), rtol=1e-4, atol=1e-5)


def test_moments_of_nan_and_infinity(cpu, dtype):
    x = np.ones((4, 40_000), dtype)
    x[0, 7], x[1, 9], x[2, 3], x[2, 30_000] = np.nan, np.inf, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        _, var = cpu.moments_last(x, axes=1)
    np.testing.assert_array_equal(var, [np.nan, np.nan, np.nan, 0.0])


@pytest.mark.parametrize("dim", [None, 1, (0, 1)])
@pytest.mark.parametrize("correction", [0, 1, 2.5])
def test_large_variances_are_those_of_the_definition(dtype, dim, correction):
    rng = np.random.default_rng(0)
    array = (rng.standard_normal((3, 20_001)) + 5).astype(dtype)
    results = []
    for definitions in (False, True):
        x = tn.from_numpy(array.copy()).requires_grad_()
        if definitions:
            with tn.use_definitions():
                y = x.var(dim=dim, correction=correction)
                y.sum().backward()
        else:
            y = x.var(dim=dim, correction=correction)
            y.sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy()))
    tolerance = 1e-4 if dtype == np.float32 else 1e-10
    for kernel, defined in zip(*results, strict=True):
        np.testing.assert_allclose(kernel, defined, rtol=tolerance, atol=tolerance * np.abs(defined).max())
