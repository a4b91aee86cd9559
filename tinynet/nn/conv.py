"""Convolution layers and their transposes, in 1, 2 and 3 dimensions (E10, E16, E19)."""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor
from ..errors import OptionError, ShapeError
from ..ops import conv, creation, shape
from ..ops.checks import ints
from . import init
from .module import Module
from .parameter import Parameter

_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """Weight (O, C/groups, *kernel), transposed (C, O/groups, *kernel); both parameters from U(−b, b), b = 1/√fan_in."""

    n: int
    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        output_padding: Any,
        dilation: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        where, n = type(self).__name__, self.n
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise OptionError(
                f"{where}: in_channels {in_channels} and out_channels {out_channels} must be divisible by groups {groups}"
            )
        if padding_mode not in _MODES or (self.transposed and padding_mode != "zeros"):
            allowed = "'zeros'" if self.transposed else ", ".join(map(repr, _MODES))
            raise OptionError(f"{where}: padding_mode must be {allowed}, got {padding_mode!r}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = ints(where, "kernel_size", kernel_size, n, 1)
        self.stride, self.dilation = ints(where, "stride", stride, n, 1), ints(where, "dilation", dilation, n, 1)
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise OptionError(f"{where}: padding must be a number, numbers, 'same' or 'valid', got {padding!r}")
            if padding == "same" and any(s != 1 for s in self.stride):
                raise OptionError(f"{where}: padding='same' needs stride 1, got {stride!r}")
            self.padding: Any = padding
        else:
            self.padding = ints(where, "padding", padding, n)
        self.output_padding = ints(where, "output_padding", output_padding, n)
        self.padding_mode = padding_mode
        channels = (in_channels, out_channels // groups) if self.transposed else (out_channels, in_channels // groups)
        self.weight = Parameter(creation.empty(*channels, *self.kernel_size, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(creation.empty(out_channels, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        fan_in = self.weight.shape[1] * math.prod(self.kernel_size)
        bound = 1.0 / math.sqrt(fan_in) if fan_in else 0.0
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def _widths(self) -> list[int]:
        """The padding on both sides, from the last dimension on, as `pad` takes it."""
        if self.padding == "valid":
            return [0, 0] * self.n
        if self.padding == "same":
            total = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            return [w for t in reversed(total) for w in (t // 2, t - t // 2)]
        return [p for p in reversed(self.padding) for _ in range(2)]

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, *size) or (C, *size) → (N, O, *size') or (O, *size')."""
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = shape.pad(input, self._widths(), self.padding_mode), 0
        return conv.conv_nd(self.n, input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        """The options that are not the defaults."""
        parts = [f"{self.in_channels}, {self.out_channels}"]
        parts += [f"kernel_size={self.kernel_size}, stride={self.stride}"]
        if self.padding != (0,) * self.n:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * self.n:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * self.n:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Conv(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            0,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )


class Conv1d(_Conv):
    """Convolution (E10) over (N, C, L)."""

    n = 1


class Conv2d(_Conv):
    """Convolution (E10, E19) over (N, C, H, W)."""

    n = 2


class Conv3d(_Conv):
    """Convolution (E10, E16) over (N, C, D, H, W)."""

    n = 3


class _ConvTranspose(_ConvNd):
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if isinstance(padding, str):
            raise OptionError(f"{type(self).__name__}: padding must be a number or numbers, got {padding!r}")
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """(N, C, *size) → (N, O, *size'); `output_size` chooses among the sizes that the stride leaves open."""
        extra = self.output_padding if output_size is None else self._extra(input, tuple(output_size))
        return conv.conv_transpose_nd(
            self.n, input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _extra(self, input: Tensor, output_size: tuple[int, ...]) -> tuple[int, ...]:
        sizes = output_size[-self.n :]
        if len(output_size) not in (self.n, input.ndim) or len(sizes) != self.n:
            raise ShapeError(f"{type(self).__name__}: output_size must have {self.n} numbers, got {output_size}")
        extra = []
        for m, size, s, p, d, k in zip(
            input.shape[-self.n :], sizes, self.stride, self.padding, self.dilation, self.kernel_size, strict=True
        ):
            least = (m - 1) * s - 2 * p + d * (k - 1) + 1
            if not least <= size < least + max(s, d):
                raise ShapeError(
                    f"{type(self).__name__}: output_size {output_size} is out of reach; size {m} gives {least} to "
                    f"{least + max(s, d) - 1}"
                )
            extra.append(size - least)
        return tuple(extra)


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution over (N, C, L)."""

    n = 1


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution over (N, C, H, W)."""

    n = 2


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution over (N, C, D, H, W)."""

    n = 3
