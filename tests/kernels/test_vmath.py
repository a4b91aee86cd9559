"""The vectorising functions against extended precision (and SciPy, where NumPy has no such function in it)."""

import re

import numba
import numpy as np
import pytest
from scipy import special

import tinynet_kernels

BOUNDS = {"exp": 1.5, "expm1_negative": 1.5, "log": 1.0, "softplus": 3.0, "tanh": 3.0, "sigmoid": 3.0, "erf": 3.5}
TAILED = ("normal_pdf", "normal_cdf")
NAMES = (*BOUNDS, *TAILED)
wide = np.longdouble

needs_extended = pytest.mark.skipif(np.finfo(wide).nmant < 60, reason="no precision above float64 here")


def narrow(function):
    """A function that exists in float64 only: good for what float32 gives, and within a unit for float64."""
    return lambda x: function(x.astype(np.float64)).astype(wide)


REFERENCES = {
    "exp": np.exp,
    "expm1_negative": np.expm1,
    "log": np.log,
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "tanh": np.tanh,
    "sigmoid": lambda x: np.where(x < 0, np.exp(np.minimum(x, 0)), 1) / (1 + np.exp(-np.abs(x))),
    "erf": narrow(special.erf),
    "normal_pdf": lambda x: np.exp(-x * x / 2) / np.sqrt(2 * wide(np.pi)),
    "normal_cdf": narrow(special.ndtr),
}


@pytest.fixture(scope="module")
def loops():
    if not tinynet_kernels.available(np.float32):
        pytest.skip("the JIT is off")
    from tinynet_kernels.cpu import vmath

    return {name: loop_over(getattr(vmath, name)) for name in NAMES}


def loop_over(function):
    @numba.njit(error_model="numpy")
    def loop(x, y):
        for i in range(x.size):
            y[i] = function(x[i])

    return loop


def applied(loop, x):
    y = np.empty_like(x)
    loop(x, y)
    return y


def arguments(dtype, n=100_000):
    """Every exponent and sign; the range where the functions live; and around their ends and branches."""
    rng = np.random.default_rng(0)
    integer = np.int32 if dtype == np.float32 else np.int64
    ends = np.iinfo(integer)
    any_bits = rng.integers(ends.min, ends.max, n, dtype=integer, endpoint=True).view(dtype)
    most = np.log(np.finfo(dtype).max) * 1.1
    spans = [rng.uniform(-a, a, n) for a in (1.25, 20.0, most)] + [rng.uniform(0.5, 2, n)]
    near = np.concatenate([v * (1 + np.linspace(-1e-3, 1e-3, 2001)) for v in (0.34657, 0.70711, 1, 1.4142, most / 1.1)])
    with np.errstate(invalid="ignore"):  # signalling NaNs are among the bits
        x = np.concatenate([any_bits, *spans, near, -near]).astype(dtype)
    return x[np.isfinite(x)]


def units(actual, expected, dtype):
    """The distance in units in the last place of the expected value."""
    info = np.finfo(dtype)
    _, exponent = np.frexp(np.abs(expected))
    unit = np.ldexp(wide(1), np.maximum(exponent - 1 - info.nmant, info.minexp - info.nmant))
    return np.abs(actual.astype(wide) - expected) / unit


def errors(loops, name, dtype):
    """(arguments, errors), where the result can be represented; that it is infinite elsewhere is checked."""
    x = arguments(dtype)
    if name == "log":
        x = np.abs(x[x != 0])
    if name == "expm1_negative":
        x = -np.abs(x)
    y = applied(loops[name], x)
    with np.errstate(all="ignore"):
        expected = REFERENCES[name](x.astype(wide))
        overflows = np.abs(expected) >= np.finfo(dtype).max * (1 + wide(np.finfo(dtype).eps) / 4)
    assert np.isinf(y[overflows]).all()
    assert np.isfinite(y[~overflows]).all()
    return x[~overflows], units(y[~overflows], expected[~overflows], dtype)


@needs_extended
@pytest.mark.parametrize("name", BOUNDS)
def test_error_is_bounded(loops, dtype, name):
    x, error = errors(loops, name, dtype)
    worst = np.argmax(error)
    assert error[worst] <= BOUNDS[name], f"{error[worst]} units at {x[worst]!r}"


@needs_extended
@pytest.mark.parametrize("name", TAILED)
def test_error_of_the_normal_distribution(loops, dtype, name):
    x, error = errors(loops, name, dtype)
    bound = 6 + np.minimum(x.astype(wide) ** 2, 1e6)
    if name == "normal_cdf" and dtype == np.float64:  # SciPy's own error grows in the tail
        bound *= 2
    assert (error <= bound).all()


INF, NAN = np.inf, np.nan
ENDS = [0.0, -0.0, INF, -INF, NAN]
AT_THE_ENDS = {
    "exp": [1, 1, INF, 0, NAN],
    "expm1_negative": [0.0, -0.0, INF, -1, NAN],
    "log": [-INF, -INF, INF, NAN, NAN],
    "softplus": [np.log(2), np.log(2), INF, 0, NAN],
    "tanh": [0.0, -0.0, 1, -1, NAN],
    "sigmoid": [0.5, 0.5, 1, 0, NAN],
    "erf": [0.0, -0.0, 1, -1, NAN],
    "normal_pdf": [1 / np.sqrt(2 * np.pi)] * 2 + [0, 0, NAN],
    "normal_cdf": [0.5, 0.5, 1, 0, NAN],
}


@pytest.mark.parametrize("name", NAMES)
def test_special_values(loops, dtype, name):
    y = applied(loops[name], np.array(ENDS, dtype))
    expected = np.array(AT_THE_ENDS[name], dtype)
    np.testing.assert_array_equal(y, expected)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(y[known]), np.signbit(expected[known]))


@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_the_smallest_arguments(loops, dtype, name):
    """tanh x is x there, erf x is 2x/√π, which is x in the first few subnormal numbers' units."""
    smallest = np.finfo(dtype).smallest_subnormal
    x = np.array([smallest, -smallest, 3 * smallest], dtype)
    scale = 1 if name == "tanh" else 2 / np.sqrt(np.pi)
    np.testing.assert_array_equal(applied(loops[name], x), (np.rint(x / smallest * scale) * smallest).astype(dtype))


def test_thresholds_of_exp(loops, dtype):
    info = np.finfo(dtype)
    last = dtype(np.log(wide(info.max)))
    last = last if wide(last) <= np.log(wide(info.max)) else np.nextafter(last, dtype(0))
    beyond = np.nextafter(last, dtype(INF))
    least = np.log(wide(info.smallest_subnormal) / 2)  # e^x rounds to 0 below it
    x = np.array([last, beyond, dtype(least) * dtype(1.0001), dtype(least) * dtype(0.999)], dtype)
    y = applied(loops["exp"], x)
    assert np.isfinite(y[0])
    assert y[1] == INF
    assert y[2] == 0
    assert y[3] == info.smallest_subnormal


def test_subnormal_results_and_arguments(loops, dtype):
    info = np.finfo(dtype)
    x = np.linspace(np.log(info.smallest_normal) - 3, np.log(info.smallest_normal) + 1, 100).astype(dtype)
    for name in ("exp", "sigmoid"):
        y = applied(loops[name], x)
        assert (units(y, np.exp(x.astype(wide)), dtype) <= BOUNDS[name]).all()
    x = np.array([1, 2, 3, 1000], dtype) * info.smallest_subnormal
    y = applied(loops["log"], x)
    assert (units(y, np.log(x.astype(wide)), dtype) <= BOUNDS["log"]).all()


def test_negative_arguments_of_log(loops, dtype):
    x = np.array([-1, -np.finfo(dtype).smallest_subnormal, -np.finfo(dtype).max], dtype)
    assert np.isnan(applied(loops["log"], x)).all()


@pytest.mark.skipif(bool(numba.config.BOUNDSCHECK), reason="a loop with checks does not vectorise")
@pytest.mark.parametrize("name", NAMES)
def test_loops_vectorise(loops, dtype, name):
    """The polynomials of a plain loop are evaluated on vectors, and nothing is called for an element."""
    applied(loops[name], np.ones(3, dtype))
    code = "".join(loops[name].inspect_llvm().values())
    width = np.finfo(dtype).bits
    assert re.search(rf"call [^\n]*<\d+ x (float|double)> @llvm\.fmuladd\.v\d+f{width}", code)
    assert not re.search(r"call [^\n]*@(expf?|logf?|tanhf?|erff?)\(", code)
