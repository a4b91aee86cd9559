"""Layers that pad the last dimensions, and dropout of channels."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..errors import ShapeError
from ..ops import dropout, shape
from ..ops.checks import ints
from .module import Module
from .normalization import Dropout


class _PadNd(Module):
    """(N, C, *size) or (C, *size), padded by (before, after) of each dimension from the last one on."""

    n: int
    mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding: tuple[int, ...] = ints(type(self).__name__, "padding", padding, 2 * self.n, -(2**31))

    def forward(self, input: Tensor) -> Tensor:
        """The sizes grow by the padding."""
        if input.ndim not in (self.n + 1, self.n + 2):
            name = type(self).__name__
            raise ShapeError(
                f"{name}: expected {self.n + 1} or {self.n + 2} dimensions, got shape {tuple(input.shape)}"
            )
        return shape.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        """The widths."""
        return f"{self.padding}"


class _ConstantPadNd(_PadNd):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """The sizes grow by the padding; any number of dimensions may come before."""
        return shape.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """The widths and the value."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPadNd(_ConstantPadNd):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """The widths."""
        return f"{self.padding}"


class ConstantPad1d(_ConstantPadNd):
    """One dimension padded with a constant."""

    n = 1


class ConstantPad2d(_ConstantPadNd):
    """Two dimensions padded with a constant."""

    n = 2


class ConstantPad3d(_ConstantPadNd):
    """Three dimensions padded with a constant."""

    n = 3


class ZeroPad1d(_ZeroPadNd):
    """One dimension padded with zeros."""

    n = 1


class ZeroPad2d(_ZeroPadNd):
    """Two dimensions padded with zeros."""

    n = 2


class ZeroPad3d(_ZeroPadNd):
    """Three dimensions padded with zeros."""

    n = 3


class ReflectionPad1d(_PadNd):
    """One dimension padded with the reflection at the edge, which is not repeated."""

    n = 1
    mode = "reflect"


class ReflectionPad2d(_PadNd):
    """Two dimensions padded with the reflection at the edge, which is not repeated."""

    n = 2
    mode = "reflect"


class ReflectionPad3d(_PadNd):
    """Three dimensions padded with the reflection at the edge, which is not repeated."""

    n = 3
    mode = "reflect"


class ReplicationPad1d(_PadNd):
    """One dimension padded with the elements at the edge."""

    n = 1
    mode = "replicate"


class ReplicationPad2d(_PadNd):
    """Two dimensions padded with the elements at the edge."""

    n = 2
    mode = "replicate"


class ReplicationPad3d(_PadNd):
    """Three dimensions padded with the elements at the edge."""

    n = 3
    mode = "replicate"


class CircularPad1d(_PadNd):
    """One dimension padded with the elements of the other end."""

    n = 1
    mode = "circular"


class CircularPad2d(_PadNd):
    """Two dimensions padded with the elements of the other end."""

    n = 2
    mode = "circular"


class CircularPad3d(_PadNd):
    """Three dimensions padded with the elements of the other end."""

    n = 3
    mode = "circular"


class Dropout1d(Dropout):
    """Dropout of whole channels of (N, C, L); see functional.dropout1d."""

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        return dropout.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(Dropout):
    """Dropout of whole channels of (N, C, H, W); see functional.dropout2d."""

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        return dropout.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(Dropout):
    """Dropout of whole channels of (N, C, D, H, W); see functional.dropout3d."""

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        return dropout.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(Dropout):
    """Dropout for SELU, which keeps mean and variance; see functional.alpha_dropout."""

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        return dropout.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(Dropout):
    """Dropout for SELU, of whole channels; see functional.feature_alpha_dropout."""

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        return dropout.feature_alpha_dropout(input, self.p, self.training, self.inplace)
