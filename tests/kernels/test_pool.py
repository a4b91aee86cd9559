import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import naive

SMALL = settings(
    deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def pools(draw, dilated):
    rank = draw(st.integers(1, 3))
    kernel_size = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    stride = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel_size)
    dilation = tuple(draw(st.integers(1, 2 if dilated else 1)) for _ in range(rank))
    size = tuple(
        draw(st.integers(max(1, d * (k - 1) + 1 - 2 * p), 8))
        for k, p, d in zip(kernel_size, padding, dilation, strict=True)
    )
    output = []
    for n, k, s, p, d in zip(size, kernel_size, stride, padding, dilation, strict=True):
        span = n + 2 * p - d * (k - 1) - 1
        out = span // s + 1
        if draw(st.booleans()):  # ceil_mode: a last window more, if it begins within input or left padding
            out = -(-span // s) + 1
            out -= (out - 1) * s >= n + p
        output.append(out)
    shape = (draw(st.integers(0, 2)), draw(st.integers(1, 2)), *size)
    return shape, kernel_size, stride, padding, dilation, tuple(output)


@SMALL
@given(case=pools(dilated=True), seed=st.integers(0, 99), special=st.booleans())
def test_max_pool(cpu, dtype, case, seed, special):
    shape, kernel_size, stride, padding, dilation, output_size = case
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 3, shape).astype(dtype)  # few values: many ties
    if special:
        x[rng.random(shape) < 0.2] = np.nan
        x[rng.random(shape) < 0.4] = -np.inf
    options = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    y, taps = cpu.max_pool_forward(x, output_size=output_size, **options)
    indices = cpu.max_pool_indices(taps, input_size=shape[2:], **options)
    expected, where = naive.max_pool(x, output_size=output_size, **options)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(indices, where)
    assert (y.dtype, taps.dtype, indices.dtype) == (dtype, np.uint8, np.int64)
    check_max_backward(
        lambda dy: cpu.max_pool_backward(dy, taps, input_size=shape[2:], **options), rng, indices, shape, dtype
    )


@pytest.mark.parametrize("size", [(16, 16), (15, 17), (256,), (300,)])
def test_a_window_of_more_taps_than_a_byte_holds(cpu, dtype, size):
    x = np.random.default_rng(0).permutation(2 * int(np.prod(size))).astype(dtype).reshape(1, 2, *size)
    options = {"kernel_size": size, "stride": size, "padding": (0,) * len(size), "dilation": (1,) * len(size)}
    y, taps = cpu.max_pool_forward(x, output_size=(1,) * len(size), **options)
    indices = cpu.max_pool_indices(taps, input_size=size, **options)
    assert taps.dtype == (np.uint8 if np.prod(size) <= 255 else np.int32)
    np.testing.assert_array_equal(indices.ravel(), x.reshape(2, -1).argmax(axis=1))
    np.testing.assert_array_equal(y.ravel(), x.reshape(2, -1).max(axis=1))
    dx = cpu.max_pool_backward(np.ones_like(y), taps, input_size=size, **options)
    np.testing.assert_array_equal(dx, x == y)


def test_a_window_that_steps_over_the_input_has_no_index(cpu, dtype):
    x = np.arange(2.0, dtype=dtype).reshape(1, 1, 2)
    options = {"kernel_size": (2,), "stride": (1,), "padding": (1,), "dilation": (3,)}
    y, taps = cpu.max_pool_forward(x, output_size=(1,), **options)
    assert (y.item(), cpu.max_pool_indices(taps, input_size=(2,), **options).item()) == (-np.inf, -1)
    assert not cpu.max_pool_backward(np.ones_like(y), taps, input_size=(2,), **options).any()


def check_max_backward(backward, rng, indices, shape, dtype):
    dy = rng.integers(-8, 8, indices.shape).astype(dtype)
    dx = np.zeros((*shape[:2], int(np.prod(shape[2:]))))
    for n, c in naive.index_space(*shape[:2]):
        np.add.at(dx[n, c], indices[n, c].ravel(), dy[n, c].ravel())
    np.testing.assert_array_equal(backward(dy), dx.reshape(shape))


@SMALL
@given(case=pools(dilated=False), include=st.booleans(), divisor=st.sampled_from([None, None, 3]))
def test_avg_pool(cpu, close, normal, case, include, divisor):
    shape, kernel_size, stride, padding, _, output_size = case
    x, dy = normal(*shape), normal(*shape[:2], *output_size)
    options = {"kernel_size": kernel_size, "stride": stride, "padding": padding}
    options |= {"count_include_pad": include, "divisor_override": divisor}
    y = cpu.avg_pool_forward(x, output_size=output_size, **options)
    close(y, naive.avg_pool(x.astype(np.float64), output_size=output_size, **options))
    dx = cpu.avg_pool_backward(dy, input_size=shape[2:], **options)
    check_adjoint(y, dy, x, dx)


def check_adjoint(y, dy, x, dx):
    assert (dx.shape, dx.dtype) == (x.shape, x.dtype)
    left, right = (y.astype(np.float64) * dy).sum(), (x.astype(np.float64) * dx).sum()
    assert left == pytest.approx(right, abs=(1e-4 if x.dtype == np.float32 else 1e-11))


@SMALL
@given(sizes=st.lists(st.tuples(st.integers(1, 7), st.integers(1, 9)), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_adaptive_pools(cpu, close, normal, dtype, sizes, seed):
    size, output_size = tuple(i for i, _ in sizes), tuple(o for _, o in sizes)
    x, dy = normal(2, 3, *size), normal(2, 3, *output_size)
    average, largest = np.zeros(dy.shape), np.zeros(dy.shape)
    for p, taps in naive.adaptive_windows(size, output_size):
        values = np.stack([x[(slice(None), slice(None), *i)].astype(np.float64) for i in taps])
        average[(slice(None), slice(None), *p)] = values.mean(0)
        largest[(slice(None), slice(None), *p)] = values.max(0)
    y = cpu.adaptive_avg_pool_forward(x, output_size=output_size)
    close(y, average)
    check_adjoint(y, dy, x, cpu.adaptive_avg_pool_backward(dy, input_size=size))
    y, taps = cpu.adaptive_max_pool_forward(x, output_size=output_size)
    indices = cpu.adaptive_max_pool_indices(taps, input_size=size)
    np.testing.assert_array_equal(y, largest.astype(dtype))
    planes = x.reshape(2, 3, -1)
    np.testing.assert_array_equal(np.take_along_axis(planes, indices.reshape(2, 3, -1), 2), y.reshape(2, 3, -1))
    backward = lambda dy: cpu.adaptive_max_pool_backward(dy, taps, input_size=size)  # noqa: E731
    check_max_backward(backward, np.random.default_rng(seed), indices, x.shape, dtype)


def test_pools_in_parallel_agree_with_the_definition(cpu, close, normal):
    x = normal(8, 16, 40, 40)
    shape = {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0), "output_size": (20, 20)}
    y, _ = cpu.max_pool_forward(x, dilation=(1, 1), **shape)
    blocks = x.reshape(8, 16, 20, 2, 20, 2)
    np.testing.assert_array_equal(y, blocks.max(axis=(3, 5)))
    y = cpu.avg_pool_forward(x, count_include_pad=True, divisor_override=None, **shape)
    close(y, blocks.astype(np.float64).mean(axis=(3, 5)))
