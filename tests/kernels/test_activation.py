"""Activation functions and softmax against SciPy in float64: values, gradients, special values, layouts."""

import numpy as np
import pytest
from scipy import special

INF, NAN = np.inf, np.nan
CUBIC = 0.044715


def phi(x):
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def tanh_gate(x):
    return special.expit(np.sqrt(8 / np.pi) * (x + CUBIC * x**3))


def tanh_gelu_slope(x):
    s = tanh_gate(x)
    return s + x * s * (1 - s) * np.sqrt(8 / np.pi) * (1 + 3 * CUBIC * x**2)


# name: (function, derivative, options, whether the backward reads the result)
ACTIVATIONS = {
    "relu": ("relu", lambda x: np.where(x < 0, 0, x), lambda x: np.where(x <= 0, 0, 1.0), {}, True),
    "sigmoid": ("sigmoid", special.expit, lambda x: special.expit(x) * special.expit(-x), {}, True),
    "tanh": ("tanh", np.tanh, lambda x: 1 - np.tanh(x) ** 2, {}, True),
    "silu": (
        "silu",
        lambda x: x * special.expit(x),
        lambda x: special.expit(x) * (1 + x * special.expit(-x)),
        {},
        False,
    ),
    "gelu": (
        "gelu",
        lambda x: x * special.ndtr(x),
        lambda x: special.ndtr(x) + x * phi(x),
        {"approximate": "none"},
        False,
    ),
    "gelu, tanh": ("gelu", lambda x: x * tanh_gate(x), tanh_gelu_slope, {"approximate": "tanh"}, False),
}
every = pytest.mark.parametrize("name", ACTIVATIONS)


def run(cpu, name, x, dy):
    kernel, _, _, options, of_result = ACTIVATIONS[name]
    y = getattr(cpu, f"{kernel}_forward")(x, **options)
    return y, getattr(cpu, f"{kernel}_backward")(dy, y if of_result else x, **options)


@every
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (3, 5), (200, 201)])
def test_values_and_gradients(cpu, close, normal, dtype, name, shape):
    x, dy = np.asarray(3 * normal(*shape), dtype), np.asarray(normal(*shape), dtype)
    y, dx = run(cpu, name, x, dy)
    _, function, slope, _, _ = ACTIVATIONS[name]
    wide = x.astype(np.float64)
    close(y, function(wide))
    close(dx, dy * slope(wide))


@every
def test_layouts(cpu, normal, name):
    x, dy = normal(6, 8), normal(6, 8)
    expected = run(cpu, name, x, dy)
    backwards = np.ascontiguousarray(x[::-1])[::-1]
    frozen = x.copy()
    frozen.flags.writeable = False
    for other, d in ((np.asfortranarray(x), np.asfortranarray(dy)), (backwards, dy), (frozen, dy)):
        for got, want in zip(run(cpu, name, other, d), expected, strict=True):
            np.testing.assert_array_equal(got, want)


AT_THE_ENDS = {  # of 0, -0, inf, -inf, NaN
    "relu": [0.0, -0.0, INF, 0.0, NAN],
    "sigmoid": [0.5, 0.5, 1, 0, NAN],
    "tanh": [0.0, -0.0, 1, -1, NAN],
    "silu": [0.0, -0.0, INF, NAN, NAN],  # −∞·0
    "gelu": [0.0, -0.0, INF, NAN, NAN],
    "gelu, tanh": [0.0, -0.0, INF, NAN, NAN],
}


@every
def test_special_values(cpu, dtype, name):
    x = np.array([0.0, -0.0, INF, -INF, NAN], dtype)
    y, dx = run(cpu, name, x, np.ones(5, dtype))
    expected = np.array(AT_THE_ENDS[name], dtype)
    np.testing.assert_array_equal(y, expected)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(y[known]), np.signbit(expected[known]))
    if name == "relu":  # the subgradient at 0 is 0; NaN passes the gradient on
        np.testing.assert_array_equal(dx, [0, 0, 1, 0, 1])


def test_negative_tails_keep_their_digits(cpu, dtype):
    """Φ(x) and σ(x) far below 0, where 1 + erf and 1 + tanh would cancel to nothing."""
    x = np.array([-12.0, -8.0, -5.5], dtype)
    wide = x.astype(np.float64)
    rtol = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(cpu.gelu_forward(x, approximate="none"), wide * special.ndtr(wide), rtol=rtol)
    np.testing.assert_allclose(cpu.silu_forward(x), wide * special.expit(wide), rtol=rtol)


SHAPES = [((3, 5), 1), ((3, 5), 0), ((7,), 0), ((2, 4, 3), 1), ((0, 4), 1), ((4, 0), 1), ((2, 0, 3), 1), ((1, 1), 1)]
SHAPES += [((300, 200), 1), ((3, 5000), 1), ((3, 40, 300), 1), ((2, 3000, 17), 1)]


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_softmax(cpu, close, normal, shape, axis):
    x, dy = 4 * normal(*shape), normal(*shape)
    wide = x.astype(np.float64)
    p = special.softmax(wide, axis=axis) if x.size else wide
    logp = special.log_softmax(wide, axis=axis) if x.size else wide
    y = cpu.softmax_forward(x, axis=axis)
    close(y, p)
    close(cpu.softmax_backward(dy, y, axis=axis), p * (dy - (p * dy).sum(axis=axis, keepdims=True)))
    z = cpu.log_softmax_forward(x, axis=axis)
    close(z, logp)
    total = dy.astype(np.float64).sum(axis=axis, keepdims=True)
    close(cpu.log_softmax_backward(dy, z, axis=axis), dy - p * total, 10)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("n", [3, 40])  # with and without whole vectors
def test_softmax_of_special_rows(cpu, dtype, n, axis):
    """−∞ has probability 0; a row of −∞ alone, with +∞ or with NaN is NaN, its neighbours are not."""
    rows = np.zeros((6, n), dtype)
    rows[0, 0] = -INF
    rows[1] = -INF
    rows[2, 1] = INF
    rows[3, 1] = NAN
    rows[4, 1] = np.copysign(dtype(NAN), dtype(-1))
    x = rows if axis else np.ascontiguousarray(rows.T)
    y, z = cpu.softmax_forward(x, axis=axis), cpu.log_softmax_forward(x, axis=axis)
    y, z = (y, z) if axis else (y.T, z.T)
    assert y[0, 0] == 0
    assert z[0, 0] == -INF
    np.testing.assert_allclose(y[0, 1:], 1 / (n - 1), rtol=1e-6)
    assert np.isnan(y[1]).all()
    assert np.isnan(y[2, 1])
    assert np.isnan(y[3:5]).all()
    assert np.isnan(z[3:5]).all()
    np.testing.assert_allclose(y[5], 1 / n, rtol=1e-6)


def test_softmax_of_large_logits(cpu, dtype):
    x = np.array([[1e4, 1e4 - 1, -1e4]], dtype)
    expected = special.softmax(x.astype(np.float64), axis=1)
    np.testing.assert_allclose(cpu.softmax_forward(x, axis=1), expected, rtol=1e-6)
    np.testing.assert_allclose(cpu.log_softmax_forward(x, axis=1)[0, :2], np.log(expected[0, :2]), rtol=1e-6)
