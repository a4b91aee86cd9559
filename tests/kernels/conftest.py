import numpy as np
import pytest

import tinynet_kernels


@pytest.fixture(scope="session")
def cpu():
    if not tinynet_kernels.available(np.float32):
        pytest.skip("the JIT is off")
    return tinynet_kernels.kernels_for(np.zeros(1))


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def close(dtype):
    """Compare with a float64 reference, within the rounding of the dtype under test."""

    def check(actual, expected, factor=1.0):
        tolerance = factor * (2e-5 if dtype == np.float32 else 1e-11)
        assert actual.shape == np.shape(expected)
        assert actual.dtype == dtype
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)

    return check


@pytest.fixture
def normal(dtype):
    rng = np.random.default_rng(0)
    return lambda *shape: rng.standard_normal(shape).astype(dtype)
