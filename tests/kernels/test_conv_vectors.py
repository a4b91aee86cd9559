"""The vector code of convolutions: sizes that make every kind of tile, and memory that ends at a protected page."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import naive
from .guard import ends_at_guard, guarded
from .test_conv import check

QUIET = [HealthCheck.function_scoped_fixture]


@st.composite
def wide(draw):
    """Rows of pixels longer than a vector, channels for every height of tile."""
    rank = draw(st.integers(1, 3))
    axes = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(rank))  # noqa: E731
    kernel_size, stride, padding, dilation = axes(1, 5), axes(1, 3), axes(0, 3), axes(1, 3)
    most = {1: 150, 2: 40, 3: 12}[rank]
    size = tuple(
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, most))
        for k, p, d in zip(kernel_size, padding, dilation, strict=True)
    )
    groups = draw(st.sampled_from([1, 1, 2]))
    shape = (draw(st.integers(1, 3)), groups * draw(st.integers(1, 6)), *size)
    weights = (groups * draw(st.integers(1, 19)), shape[1] // groups, *kernel_size)
    return shape, weights, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


@st.composite
def winograd(draw):
    groups = draw(st.sampled_from([1, 1, 2]))
    padding = (draw(st.integers(0, 3)), draw(st.integers(0, 3)))
    size = tuple(max(1, 3 - 2 * p) + draw(st.integers(0, 20)) for p in padding)
    shape = (draw(st.integers(1, 9)), groups * draw(st.integers(16, 35)), *size)
    weights = (groups * draw(st.integers(16, 35)), shape[1] // groups, 3, 3)
    return shape, weights, {"stride": (1, 1), "padding": padding, "dilation": (1, 1), "groups": groups}


@st.composite
def one_tap(draw):
    """One tap and no padding: a product for each image, over enough pixels, or, over few, tiles."""
    rank = draw(st.integers(1, 3))
    size = tuple(draw(st.integers(1, {1: 200, 2: 20, 3: 8}[rank])) for _ in range(rank))
    groups, one = draw(st.sampled_from([1, 1, 3])), (1,) * rank
    shape = (draw(st.integers(1, 10)), groups * draw(st.integers(1, 20)), *size)
    weights = (groups * draw(st.sampled_from([1, 2, 7, 16, 300])), shape[1] // groups, *one)
    stride = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    return shape, weights, {"stride": stride, "padding": (0,) * rank, "dilation": one, "groups": groups}


@st.composite
def few(draw):
    """Few filters of few taps over many pixels, and outputs much smaller than the input: columns."""
    kernel_size = (draw(st.integers(2, 5)), draw(st.integers(2, 5)))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    padding = tuple(draw(st.integers(0, (k - 1) * d)) for k, d in zip(kernel_size, dilation, strict=True))
    low, most = draw(st.sampled_from([(1, 12), (20, 24)]))
    out = (draw(st.integers(low, most)), draw(st.integers(low, most)))
    axes = zip(out, kernel_size, padding, dilation, strict=True)
    size = tuple(max(1, n + (k - 1) * d - 2 * p) for n, k, p, d in axes)
    groups = draw(st.sampled_from([1, 1, 2]))
    shape = (draw(st.integers(1, 3)), groups * draw(st.integers(1, 2)), *size)
    weights = (groups * draw(st.integers(1, 12)), shape[1] // groups, *kernel_size)
    return shape, weights, {"stride": (1, 1), "padding": padding, "dilation": dilation, "groups": groups}


@settings(deadline=None, max_examples=15, derandomize=True, suppress_health_check=QUIET)
@given(case=one_tap())
def test_one_tap(cpu, close, normal, case):
    check(cpu, close, normal, *case)


@st.composite
def one_channel(draw):
    """One input channel a group, one filter or a few of it."""
    shape, weights, options = draw(wide())
    groups = draw(st.integers(2, 5))
    filters = groups * draw(st.integers(1, 3))
    return (shape[0], groups, *shape[2:]), (filters, 1, *weights[2:]), {**options, "groups": groups}


@settings(deadline=None, max_examples=25, derandomize=True, suppress_health_check=QUIET)
@given(case=one_channel())
def test_one_channel(cpu, close, normal, case):
    check(cpu, close, normal, *case)


@settings(deadline=None, max_examples=25, derandomize=True, suppress_health_check=QUIET)
@given(case=few())
def test_columns(cpu, close, normal, case):
    check(cpu, close, normal, *case)


@settings(deadline=None, max_examples=25, derandomize=True, suppress_health_check=QUIET)
@given(case=wide())
def test_direct(cpu, close, normal, case):
    check(cpu, close, normal, *case)


@settings(deadline=None, max_examples=15, derandomize=True, suppress_health_check=QUIET)
@given(case=winograd(), seed=st.integers(0, 99))
def test_winograd(cpu, case, seed):
    shape, weights, options = case
    rng = np.random.default_rng(seed)
    x, w, b = (rng.standard_normal(s).astype(np.float32) for s in (shape, weights, weights[:1]))
    y = naive.conv(*(v.astype(np.float64) for v in (x, w, b)), **options)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    k = cpu
    for actual, expected in (
        (k.conv_forward(x, w, b, **options), y),
        (k.conv_grad_input(dy, w, input_size=shape[2:], **options), wide_gradients(k, dy, x, w, options)[0]),
        (k.conv_grad_weight(dy, x, kernel_size=(3, 3), **options), wide_gradients(k, dy, x, w, options)[1]),
    ):
        assert actual.shape == expected.shape
        assert abs(actual - expected).max() <= 3e-6 * abs(expected).max()


def wide_gradients(k, dy, x, w, options):
    """In float64, where no Winograd kernel is used."""
    dy, x, w = (v.astype(np.float64) for v in (dy, x, w))
    return (
        k.conv_grad_input(dy, w, input_size=x.shape[2:], **options),
        k.conv_grad_weight(dy, x, kernel_size=w.shape[2:], **options),
    )


def test_winograd_rounds_little_more_than_the_direct_sum(cpu):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 64, 16, 16)), rng.standard_normal((64, 64, 3, 3))
    options = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    x, w = x.astype(np.float32), w.astype(np.float32)
    exact = cpu.conv_forward(x.astype(np.float64), w.astype(np.float64), None, **options)
    error = abs(cpu.conv_forward(x, w, None, **options) - exact)
    assert error.max() < 2e-5 * abs(exact).max()
    assert np.sqrt((error**2).mean()) < 1e-6 * np.sqrt((exact**2).mean())


@pytest.mark.parametrize(
    ("shape", "weights", "stride", "padding"),
    [
        ((2, 3, 9, 17), (10, 3, 3, 3), 1, 1),
        ((2, 3, 16, 32), (9, 3, 5, 5), 2, 2),
        ((1, 1, 1, 100), (5, 1, 1, 7), 1, 0),
        ((2, 17, 7, 7), (19, 17, 3, 3), 1, 1),
        ((3, 16, 4, 33), (16, 16, 3, 3), 1, 2),
        ((2, 4, 8, 8), (8, 4, 1, 1), 1, 0),
        ((2, 4, 9, 8), (8, 4, 1, 1), 2, 0),
        ((2, 4, 2, 3), (8, 4, 1, 1), 1, 0),
        ((2, 3, 12, 12), (20, 3, 5, 5), 1, 0),
        ((2, 1, 28, 28), (6, 1, 5, 5), 1, 2),
        ((2, 1, 40, 40), (6, 1, 3, 3), 2, 1),
        ((2, 4, 9, 9), (8, 4, 3, 3), 3, 1),
        ((2, 3, 9, 9), (3, 1, 3, 3), 1, 1),
        ((2, 3, 9, 37), (6, 1, 3, 5), 2, 1),
    ],
)
def test_nothing_is_touched_behind_any_array(cpu, monkeypatch, close, normal, shape, weights, stride, padding):
    from tinynet_kernels.cpu import conv, conv_columns, conv_depthwise, conv_pointwise, conv_winograd

    def filled(shape, dtype):
        array = guarded(shape, dtype)
        array[...] = np.nan  # what a kernel does not write must not count
        return array

    def zeros(shape, dtype):
        array = guarded(shape, dtype)
        array[...] = 0
        return array

    for module in (conv, conv_columns, conv_depthwise, conv_pointwise, conv_winograd):
        monkeypatch.setattr(module, "empty", filled)
        monkeypatch.setattr(module, "contiguous", ends_at_guard)
        if module not in (conv_depthwise, conv_pointwise):
            monkeypatch.setattr(module, "zeros", zeros)
    groups = shape[1] // weights[1]
    options = {"stride": (stride, stride), "padding": (padding, padding), "dilation": (1, 1), "groups": groups}
    check(cpu, close, normal, shape, weights, options)


def test_infinities_and_nans_stay_in_their_windows(cpu, normal, dtype):
    x, w = normal(1, 3, 12, 20), normal(4, 3, 3, 3)
    x[0, 1, 5, 7] = np.nan
    options = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    y = cpu.conv_forward(x, w, None, **options)
    reached = np.isnan(y).any(axis=(0, 1))
    expected = np.zeros((12, 20), bool)
    expected[4:7, 6:9] = True
    np.testing.assert_array_equal(reached, expected)
