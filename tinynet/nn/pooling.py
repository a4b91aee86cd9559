"""Pooling layers (E11): the largest element, the mean or a norm over windows, and the inverse of the first."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..ops import adaptive_pool, pool, unpool
from ..ops.checks import ints
from .module import Module


class _MaxPoolNd(Module):
    n: int

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        """(N, C, *size) → (N, C, *size'), with the indices if asked for."""
        return pool.max_pool_nd(
            self.n,
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """Max pooling over (N, C, L)."""

    n = 1


class MaxPool2d(_MaxPoolNd):
    """Max pooling over (N, C, H, W)."""

    n = 2


class MaxPool3d(_MaxPoolNd):
    """Max pooling over (N, C, D, H, W)."""

    n = 3


class _AvgPoolNd(Module):
    n: int

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, *size) → (N, C, *size')."""
        return pool.avg_pool_nd(
            self.n,
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        """The options."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPoolNd):
    """Average pooling over (N, C, L)."""

    n = 1

    def extra_repr(self) -> str:
        """The geometry, each of one number."""
        sizes = (v if isinstance(v, tuple) else (v,) for v in (self.kernel_size, self.stride, self.padding))
        return "kernel_size={}, stride={}, padding={}".format(*sizes)


class AvgPool2d(_AvgPoolNd):
    """Average pooling over (N, C, H, W)."""

    n = 2


class AvgPool3d(_AvgPoolNd):
    """Average pooling over (N, C, D, H, W)."""

    n = 3


class _AdaptiveAvgPoolNd(Module):
    n: int

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, *size) → (N, C, *output_size)."""
        return adaptive_pool._adaptive_avg_nd(self.n, input, self.output_size)

    def extra_repr(self) -> str:
        """The size."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """The mean over windows that divide (N, C, L) into a given number."""

    n = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """The mean over windows that divide (N, C, H, W) into given numbers."""

    n = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """The mean over windows that divide (N, C, D, H, W) into given numbers."""

    n = 3


class _AdaptiveMaxPoolNd(Module):
    n: int

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        """(N, C, *size) → (N, C, *output_size), with the indices if asked for."""
        return adaptive_pool._adaptive_max_nd(self.n, input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        """The size."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The largest element of windows that divide (N, C, L) into a given number."""

    n = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The largest element of windows that divide (N, C, H, W) into given numbers."""

    n = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The largest element of windows that divide (N, C, D, H, W) into given numbers."""

    n = 3


class _LPPoolNd(Module):
    n: int

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, *size) → (N, C, *size')."""
        return unpool.lp_pool_nd(self.n, input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """(Σ xᵖ)^(1/p) over windows of (N, C, L)."""

    n = 1


class LPPool2d(_LPPoolNd):
    """(Σ xᵖ)^(1/p) over windows of (N, C, H, W)."""

    n = 2


class LPPool3d(_LPPoolNd):
    """(Σ xᵖ)^(1/p) over windows of (N, C, D, H, W)."""

    n = 3


class _MaxUnpoolNd(Module):
    n: int

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        where = type(self).__name__
        self.kernel_size = ints(where, "kernel_size", kernel_size, self.n, 1)
        self.stride = self.kernel_size if stride is None else ints(where, "stride", stride, self.n, 1)
        self.padding = ints(where, "padding", padding, self.n)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """(N, C, *size) and the indices of a max pooling → (N, C, *size before it)."""
        return unpool.max_unpool_nd(self.n, input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        """The options."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """The inverse of MaxPool1d, with zeros where no maximum was."""

    n = 1


class MaxUnpool2d(_MaxUnpoolNd):
    """The inverse of MaxPool2d, with zeros where no maximum was."""

    n = 2


class MaxUnpool3d(_MaxUnpoolNd):
    """The inverse of MaxPool3d, with zeros where no maximum was."""

    n = 3
