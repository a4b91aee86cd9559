"""Convolutions: the shapes of the documents' networks, of known ones, and the odd ones."""

from __future__ import annotations

import math
from typing import Any

from .cases import Case, operation

_LAYOUTS = {1: ("NCH", "OIH", "NCH"), 2: ("NCHW", "OIHW", "NCHW"), 3: ("NCDHW", "OIDHW", "NCDHW")}


def conv(
    batch: int,
    inputs: int,
    outputs: int,
    kernel: int,
    *size: int,
    stride: int = 1,
    padding: int | None = None,
    dilation: int = 1,
    groups: int = 1,
    dims: int = 2,
    quick: bool = False,
) -> Case:
    """A convolution with bias, all three gradients; one size stands for a square (or a cube); padding keeps the size."""
    sizes = size * dims if len(size) == 1 else size
    pad = dilation * (kernel - 1) // 2 if padding is None else padding
    out = [(s + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for s in sizes]
    options = {"stride": stride, "padding": pad, "dilation": dilation, "groups": groups}

    def make(m: Any) -> list[Any]:
        fan = inputs // groups * kernel**dims
        weight = m.leaf(outputs, inputs // groups, *[kernel] * dims, scale=fan**-0.5)
        return [m.leaf(batch, inputs, *sizes), weight, m.leaf(outputs)]

    def jax(jax: Any, jnp: Any) -> Any:
        def f(x: Any, w: Any, b: Any) -> Any:
            y = jax.lax.conv_general_dilated(
                x, w, (stride,) * dims, [(pad, pad)] * dims, rhs_dilation=(dilation,) * dims,
                feature_group_count=groups, dimension_numbers=_LAYOUTS[dims],
            )  # fmt: skip
            return y + b.reshape(1, -1, *[1] * dims)

        return f

    pixels, taps = math.prod(out), inputs // groups * kernel**dims
    name = f"conv{dims}d b{batch} {inputs}→{outputs} k{kernel} {'×'.join(map(str, sizes))}"
    name += "".join(f" {k}{v}" for k, v in (("s", stride), ("d", dilation), ("g", groups)) if v != 1)
    if padding is not None:
        name += f" p{padding}"
    moved = 8.0 * (batch * (inputs * math.prod(sizes) + outputs * pixels) + outputs * taps)
    return operation(
        name, make, lambda t, x, w, b: getattr(t.nn.functional, f"conv{dims}d")(x, w, b, **options),
        jax=jax, flops=6.0 * batch * outputs * pixels * taps, bytes=moved, quick=quick,
    )  # fmt: skip


def transposed(batch: int, inputs: int, outputs: int, kernel: int, size: int, *, stride: int, padding: int) -> Case:
    """A transposed convolution with bias, all three gradients."""

    def make(m: Any) -> list[Any]:
        weight = m.leaf(inputs, outputs, kernel, kernel, scale=(inputs * kernel * kernel / stride**2) ** -0.5)
        return [m.leaf(batch, inputs, size, size), weight, m.leaf(outputs)]

    out = (size - 1) * stride - 2 * padding + kernel
    return operation(
        f"transposed b{batch} {inputs}→{outputs} k{kernel} {size}×{size} s{stride}", make,
        lambda t, x, w, b: t.nn.functional.conv_transpose2d(x, w, b, stride=stride, padding=padding),
        flops=6.0 * batch * inputs * size * size * outputs * kernel * kernel,
        bytes=8.0 * batch * (inputs * size * size + outputs * out * out),
    )  # fmt: skip


CASES = [
    # from the networks of the documents
    conv(64, 1, 10, 5, 28, padding=0),
    conv(64, 10, 20, 5, 12, padding=0, quick=True),
    conv(64, 3, 32, 3, 32),
    conv(64, 3, 32, 3, 24),
    conv(64, 32, 64, 3, 12),
    conv(64, 32, 64, 3, 16),
    conv(32, 1, 32, 3, 28, padding=0),
    conv(32, 32, 64, 3, 13, padding=0),
    conv(32, 64, 128, 3, 31, padding=0),
    # of known networks
    conv(16, 64, 64, 3, 56),
    conv(8, 128, 256, 3, 28, stride=2),
    conv(8, 128, 256, 3, 28),
    conv(8, 256, 256, 3, 14),
    conv(4, 512, 512, 3, 7),
    conv(4, 3, 64, 7, 224, stride=2),
    conv(8, 64, 256, 1, 56),
    conv(8, 256, 64, 1, 56),
    conv(8, 256, 512, 1, 28, stride=2),
    conv(16, 32, 32, 5, 28),
    conv(16, 16, 16, 7, 28),
    # groups, depthwise, dilation
    conv(64, 32, 32, 3, 56, groups=32),
    conv(16, 64, 64, 3, 56, groups=64),
    conv(16, 64, 64, 3, 56, groups=64, stride=2),
    conv(16, 128, 128, 7, 14, groups=128),
    conv(16, 128, 128, 3, 28, groups=32),
    conv(16, 64, 64, 3, 28, groups=4),
    conv(16, 64, 64, 3, 28, dilation=2),
    conv(1, 64, 64, 3, 32),
    conv(1, 3, 16, 3, 32, quick=True),
    # 1-D: audio, and causal ones of WaveNet's kind
    conv(32, 1, 64, 3, 16000, dims=1, padding=0),
    conv(32, 64, 128, 3, 1000, dims=1),
    conv(16, 64, 64, 2, 2048, dims=1, padding=0, dilation=64),
    conv(16, 64, 64, 1, 2048, dims=1),
    # 3-D: video
    conv(4, 3, 64, 3, 16, 32, 32, dims=3),
    conv(4, 64, 128, 3, 8, 16, 16, dims=3),
    conv(4, 32, 32, 1, 8, 28, 28, dims=3),
    transposed(16, 64, 32, 4, 16, stride=2, padding=1),
    transposed(16, 32, 3, 3, 32, stride=1, padding=1),
    transposed(16, 64, 32, 2, 14, stride=2, padding=0),
]
