"""Strategies of convolution and pooling geometries: the window is drawn first, then an input that it fits."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class ConvGeometry:
    """A convolution that is valid and has an output.

    Attributes
    ----------
    input_shape : (N, C, *spatial)
    weight_shape : (K, C / groups, *kernel)
    stride, dilation : one size per spatial dimension
    padding : one size per spatial dimension, or "same" or "valid"
    groups : divides C and K
    output_shape : (N, K, *output), each output ⌊(size + 2 padding - dilation (kernel - 1) - 1) / stride⌋ + 1 ≥ 1
    """

    input_shape: Sizes
    weight_shape: Sizes
    stride: Sizes
    padding: Sizes | str
    dilation: Sizes
    groups: int
    output_shape: Sizes


@dataclass(frozen=True)
class ConvTransposeGeometry:
    """A transposed convolution that is valid and has an output.

    Attributes
    ----------
    input_shape : (N, C, *spatial)
    weight_shape : (C, K / groups, *kernel)
    stride, padding, dilation : one size per spatial dimension
    output_padding : less than the stride or the dilation
    groups : divides C and K
    output_shape : (N, K, *output), each output (size - 1) stride - 2 padding + dilation (kernel - 1) + 1
        + output_padding ≥ 1
    """

    input_shape: Sizes
    weight_shape: Sizes
    stride: Sizes
    padding: Sizes
    output_padding: Sizes
    dilation: Sizes
    groups: int
    output_shape: Sizes


@dataclass(frozen=True)
class PoolGeometry:
    """A pooling that is valid and has an output.

    Attributes
    ----------
    input_shape : (N, C, *spatial)
    kernel, stride, padding, dilation : one size per spatial dimension; padding at most half the kernel
    ceil_mode : whether a last window may hang over the end (if it begins inside the input or its left padding)
    output_shape : (N, C, *output)
    """

    input_shape: Sizes
    kernel: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes
    ceil_mode: bool
    output_shape: Sizes


@st.composite
def conv_geometries(
    draw: st.DrawFn,
    ndim: int = 2,
    *,
    max_kernel: int = 3,
    max_stride: int = 3,
    max_padding: int = 2,
    max_dilation: int = 2,
    max_groups: int = 2,
    max_channels: int = 2,
    max_output: int = 3,
    min_batch: int = 0,
    named_padding: bool = False,
) -> ConvGeometry:
    """Convolutions of `ndim` spatial dimensions; each size solved so that the output has 1 to `max_output` places.

    `max_channels` is per group. With `named_padding` the padding may be "valid", or "same" (then the stride is 1).
    """
    form = draw(st.sampled_from(["sizes", "valid", "same"])) if named_padding else "sizes"
    n = draw(st.integers(min_batch, max(2, min_batch)))
    groups = draw(st.integers(1, max_groups))
    c, k = (draw(st.integers(1, max_channels)) for _ in range(2))
    kernel: list[int] = []
    stride: list[int] = []
    padding: list[int] = []
    dilation: list[int] = []
    sizes: list[int] = []
    outputs: list[int] = []
    for _ in range(ndim):
        kernel.append(draw(st.integers(1, max_kernel)))
        stride.append(draw(st.integers(1, max_stride)) if form != "same" else 1)
        dilation.append(draw(st.integers(1, max_dilation)))
        reach = dilation[-1] * (kernel[-1] - 1) + 1
        padding.append(draw(st.integers(0, max_padding)) if form == "sizes" else 0)
        if form == "same":
            sizes.append(draw(st.integers(1, max_output)))
            outputs.append(sizes[-1])
            continue
        size, output = _solve(draw, reach, stride[-1], padding[-1], max_output)
        sizes.append(size)
        outputs.append(output)
    return ConvGeometry(
        (n, groups * c, *sizes),
        (groups * k, c, *kernel),
        tuple(stride),
        tuple(padding) if form == "sizes" else form,
        tuple(dilation),
        groups,
        (n, groups * k, *outputs),
    )


@st.composite
def conv_transpose_geometries(
    draw: st.DrawFn,
    ndim: int = 2,
    *,
    max_kernel: int = 3,
    max_stride: int = 3,
    max_padding: int = 2,
    max_dilation: int = 2,
    max_groups: int = 2,
    max_channels: int = 2,
    max_input: int = 3,
    min_batch: int = 0,
) -> ConvTransposeGeometry:
    """Transposed convolutions of `ndim` spatial dimensions; the padding is no more than leaves an output.

    `max_channels` is per group.
    """
    n = draw(st.integers(min_batch, max(2, min_batch)))
    groups = draw(st.integers(1, max_groups))
    c, k = (draw(st.integers(1, max_channels)) for _ in range(2))
    columns: list[tuple[int, ...]] = []
    for _ in range(ndim):
        kernel, stride = draw(st.integers(1, max_kernel)), draw(st.integers(1, max_stride))
        dilation, size = draw(st.integers(1, max_dilation)), draw(st.integers(1, max_input))
        extra = draw(st.integers(0, max(stride, dilation) - 1))
        full = (size - 1) * stride + dilation * (kernel - 1) + 1 + extra
        padding = draw(st.integers(0, min(max_padding, (full - 1) // 2)))
        columns.append((kernel, stride, dilation, size, extra, padding, full - 2 * padding))
    kernels, strides, dilations, sizes, extras, paddings, outputs = zip(*columns, strict=True)
    return ConvTransposeGeometry(
        (n, groups * c, *sizes),
        (groups * c, k, *kernels),
        strides,
        paddings,
        extras,
        dilations,
        groups,
        (n, groups * k, *outputs),
    )


@st.composite
def pool_geometries(
    draw: st.DrawFn,
    ndim: int = 2,
    *,
    max_kernel: int = 3,
    max_stride: int = 3,
    max_dilation: int = 1,
    max_output: int = 3,
    ceil_mode: bool | None = None,
    min_batch: int = 0,
) -> PoolGeometry:
    """Poolings of `ndim` spatial dimensions; with `ceil_mode` None, both roundings of the output size."""
    n, c = draw(st.integers(min_batch, max(2, min_batch))), draw(st.integers(1, 2))
    ceil = draw(st.booleans()) if ceil_mode is None else ceil_mode
    kernel: list[int] = []
    stride: list[int] = []
    padding: list[int] = []
    dilation: list[int] = []
    sizes: list[int] = []
    outputs: list[int] = []
    for _ in range(ndim):
        kernel.append(draw(st.integers(1, max_kernel)))
        stride.append(draw(st.integers(1, max_stride)))
        dilation.append(draw(st.integers(1, max_dilation)))
        padding.append(draw(st.integers(0, kernel[-1] // 2)))
        reach = dilation[-1] * (kernel[-1] - 1) + 1
        size, output = _solve(draw, reach, stride[-1], padding[-1], max_output)
        if ceil:
            rest = size + 2 * padding[-1] - reach
            output = -(-rest // stride[-1]) + 1
            if (output - 1) * stride[-1] >= size + padding[-1]:  # the last window would begin in the right padding
                output -= 1
        sizes.append(size)
        outputs.append(output)
    return PoolGeometry(
        (n, c, *sizes), tuple(kernel), tuple(stride), tuple(padding), tuple(dilation), ceil, (n, c, *outputs)
    )


def _solve(draw: st.DrawFn, reach: int, stride: int, padding: int, max_output: int) -> tuple[int, int]:
    """An input size ≥ 1 with at least one output, and that output: size + 2 padding = reach + stride (o - 1) + rest."""
    output, rest = draw(st.integers(1, max_output)), draw(st.integers(0, stride - 1))
    size = max(1, reach + stride * (output - 1) + rest - 2 * padding)
    return size, (size + 2 * padding - reach) // stride + 1
