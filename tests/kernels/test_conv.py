import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import naive


@st.composite
def convolutions(draw):
    rank, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    axes = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(rank))  # noqa: E731
    kernel_size, stride, padding, dilation = axes(1, 3), axes(1, 3), axes(0, 4), axes(1, 2)
    size = tuple(
        draw(st.integers(max(1, d * (k - 1) + 1 - 2 * p), 6))
        for k, p, d in zip(kernel_size, padding, dilation, strict=True)
    )
    shape = (draw(st.integers(0, 3)), groups * draw(st.integers(1, 3)), *size)
    weights = (groups * draw(st.integers(1, 2)), shape[1] // groups, *kernel_size)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return shape, weights, options


def check(cpu, close, normal, shape, weights, options):
    x, w, b = normal(*shape), normal(*weights), normal(weights[0])
    wide = [v.astype(np.float64) for v in (x, w, b)]
    expected = naive.conv(*wide, **options)
    close(cpu.conv_forward(x, w, b, **options), expected, 10)
    close(cpu.conv_forward(x, w, None, **options), naive.conv(wide[0], wide[1], None, **options), 10)
    # The convolution is bilinear: its gradients are its transposes, so these inner products are all one number.
    dy = normal(*expected.shape)
    product = (expected - wide[2].reshape(-1, *(1,) * (len(shape) - 2))) * dy
    scale = 1 + np.abs(product).sum()
    tolerance = scale * (1e-5 if dy.dtype == np.float32 else 1e-12)
    dx = cpu.conv_grad_input(dy, w, input_size=shape[2:], **options)
    dw = cpu.conv_grad_weight(dy, x, kernel_size=weights[2:], **options)
    assert (dx.shape, dw.shape, dx.dtype, dw.dtype) == (shape, weights, dy.dtype, dy.dtype)
    assert abs((dx * wide[0]).sum() - product.sum()) <= tolerance
    assert abs((dw * wide[1]).sum() - product.sum()) <= tolerance
    db = dy.astype(np.float64).sum(axis=tuple(i for i in range(dy.ndim) if i != 1))
    close(cpu.conv_grad_bias(dy), db, 10)


@settings(deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=convolutions())
def test_conv_small(cpu, close, normal, case):
    check(cpu, close, normal, *case)


LARGE = {
    "many tiles": ((2, 20, 40, 40), (30, 20, 3, 3), 1, 1, 1, 1),
    "stride 2": ((3, 8, 33, 31), (40, 8, 5, 3), 2, 2, 1, 1),
    "matrix product": ((2, 30, 24, 24), (40, 30, 1, 1), 1, 0, 1, 1),
    "groups": ((2, 24, 20, 20), (48, 8, 3, 3), 1, 2, 2, 3),
    "depthwise": ((2, 16, 30, 30), (32, 1, 3, 3), 1, 1, 1, 16),
    "depthwise, stride 2": ((2, 32, 30, 30), (32, 1, 5, 5), 2, 7, 1, 32),
    "long": ((1, 16, 4000), (32, 16, 7), 1, 3, 1, 1),
    "volume": ((1, 8, 9, 10, 11), (16, 8, 3, 3, 3), 1, 1, 1, 1),
    "one image": ((1, 64, 20, 20), (40, 64, 3, 3), 1, 1, 1, 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_conv_large(cpu, close, normal, name):
    shape, weights, stride, padding, dilation, groups = LARGE[name]
    rank = len(shape) - 2
    options = {"stride": (stride,) * rank, "padding": (padding,) * rank, "dilation": (dilation,) * rank}
    check(cpu, close, normal, shape, weights, {**options, "groups": groups})


def test_grad_input_of_each_size_that_gives_the_output(cpu, close, normal):
    # stride 3: inputs of 7, 8 and 9 all give 3 outputs; what no window reads has gradient zero
    dy, w = normal(2, 3, 3), normal(3, 2, 2)
    options = {"stride": (3,), "padding": (0,), "dilation": (1,), "groups": 1}
    full = cpu.conv_grad_input(dy, w, input_size=(10,), **options)
    for size in (8, 9, 10):
        close(cpu.conv_grad_input(dy, w, input_size=(size,), **options), full[..., :size])


def test_gradients_one_element_at_a_time(cpu, close, normal):
    x, w, dy = normal(1, 2, 4, 3), normal(2, 1, 2, 2), normal(1, 2, 3, 2)
    options = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 1), "groups": 2}
    wide = [v.astype(np.float64) for v in (x, w, dy)]
    dx = naive.numeric_gradient(lambda v: naive.conv(v, wide[1], None, **options), wide[0], wide[2])
    dw = naive.numeric_gradient(lambda v: naive.conv(wide[0], v, None, **options), wide[1], wide[2])
    close_enough = 1e-4 if dy.dtype == np.float32 else 1e-7
    np.testing.assert_allclose(cpu.conv_grad_input(dy, w, input_size=(4, 3), **options), dx, atol=close_enough)
    np.testing.assert_allclose(cpu.conv_grad_weight(dy, x, kernel_size=(2, 2), **options), dw, atol=close_enough)


def test_nan_stays_where_it_was_read(cpu, normal):
    x, w = normal(1, 2, 6, 6), normal(3, 2, 3, 3)
    x[0, 1, 0, 0] = np.nan
    y = cpu.conv_forward(x, w, None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1)
    assert np.isnan(y[0, :, 0, 0]).all()
    assert np.isfinite(y[0, :, 1:, :]).all()


def test_weight_gradient_where_the_output_leaves_some_of_the_input_out(cpu, close, normal):
    """A kernel of one tap, and fewer outputs than inputs, as a transposed convolution with an output padding asks for."""
    options = {"stride": (1, 1), "padding": (0, 0), "dilation": (2, 2), "groups": 1}
    x, dy = normal(2, 3, 5, 6), normal(2, 4, 4, 5)
    dw = cpu.conv_grad_weight(dy, x, kernel_size=(1, 1), **options)
    close(dw[..., 0, 0], np.einsum("nohw,nchw->oc", dy, x[:, :, :4, :5]), 10)
    dx = cpu.conv_grad_input(dy, dw, input_size=(5, 6), **options)
    close(dx[:, :, :4, :5], np.einsum("nohw,oc->nchw", dy, dw[..., 0, 0]), 10)
    assert not dx[:, :, 4:].any()
    assert not dx[..., 5:].any()
