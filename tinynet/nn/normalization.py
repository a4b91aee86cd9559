"""Normalisation layers, and dropout."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor
from ..errors import OptionError, ShapeError
from ..ops import creation, dropout, layer_norm, norm, unpool
from . import init
from .module import Module
from .parameter import Parameter


class _Channels(Module):
    """A scale, a shift and running statistics for each channel.

    momentum             running ← (1 − momentum)·running + momentum·batch; None: the mean of all batches so far
    affine               learn a scale (weight) and, unless bias=False, a shift (bias) for each channel
    track_running_stats  keep running statistics; without them the input's own are always used
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats

        def make(function: Any) -> Tensor:
            return function(num_features, device=device, dtype=dtype)

        self.register_parameter("weight", Parameter(make(creation.ones)) if affine else None)
        self.register_parameter("bias", Parameter(make(creation.zeros)) if affine and bias else None)
        kept = track_running_stats
        self.register_buffer("running_mean", make(creation.zeros) if kept else None)
        self.register_buffer("running_var", make(creation.ones) if kept else None)
        self.register_buffer("num_batches_tracked", new_tensor(np.zeros((), np.int64)) if kept else None)

    def reset_running_stats(self) -> None:
        """Forget the running statistics."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """Scale 1, shift 0, no statistics."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_Channels):
    """Statistics over the batch in training, which also move the running ones; the running ones in evaluation."""

    ranks: tuple[int, ...]

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …) → the same shape."""
        if input.ndim not in self.ranks:
            expected = " or ".join(f"{r}-d" for r in self.ranks)
            raise ShapeError(f"{type(self).__name__}: expected a {expected} input, got shape {tuple(input.shape)}")
        if input.shape[1] != self.num_features:
            raise ShapeError(
                f"{type(self).__name__}: expected {self.num_features} channels, got input of shape {tuple(input.shape)}"
            )
        training = self.training or self.running_mean is None
        momentum = self.momentum
        if self.training and self.running_mean is not None:
            self.num_batches_tracked.array[...] += 1
            if momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked.array)
        running = (
            (self.running_mean, self.running_var) if not self.training or self.track_running_stats else (None, None)
        )
        return norm.batch_norm(
            input,
            running[0],
            running[1],
            self.weight,
            self.bias,
            training,
            0.0 if momentum is None else momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L)."""

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W)."""

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (N, C, D, H, W)."""

    ranks = (5,)


class _InstanceNorm(_Channels):
    """Statistics of each channel of each image; of the running ones in evaluation, where they are kept."""

    rank: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …) or (C, …) → the same shape."""
        name, shape = type(self).__name__, tuple(input.shape)
        if input.ndim not in (self.rank, self.rank - 1):
            raise ShapeError(f"{name}: expected a {self.rank}-d or {self.rank - 1}-d input, got shape {shape}")
        channels = shape[input.ndim - self.rank + 1]
        if channels != self.num_features:
            if self.affine:
                raise ShapeError(f"{name}: expected {self.num_features} channels, got input of shape {shape}")
            warnings.warn(
                f"{name}: num_features is {self.num_features}, but the input has {channels} channels; without affine "
                "it is not used",
                stacklevel=2,
            )
        single = input.ndim == self.rank - 1
        y = norm.instance_norm(
            input.unsqueeze(0) if single else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return y.squeeze(0) if single else y


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (N, C, L) or (C, L)."""

    rank = 3


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of (N, C, H, W) or (C, H, W)."""

    rank = 4


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of (N, C, D, H, W) or (C, D, H, W)."""

    rank = 5


class GroupNorm(Module):
    """Normalisation of groups of channels of each image, then (with `affine`) a scale and a shift for each channel."""

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise OptionError(f"GroupNorm: num_channels {num_channels} must be a multiple of num_groups {num_groups}")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        options = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(creation.ones(num_channels, **options)) if affine else None)
        self.register_parameter("bias", Parameter(creation.zeros(num_channels, **options)) if affine and bias else None)

    def reset_parameters(self) -> None:
        """Scale 1, shift 0."""
        _reset(self)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …) → the same shape."""
        return norm.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


def _reset(layer: Any) -> None:
    if layer.weight is not None:
        init.ones_(layer.weight)
    if layer.bias is not None:
        init.zeros_(layer.bias)


def _sizes(normalized_shape: Any) -> tuple[int, ...]:
    return (int(normalized_shape),) if hasattr(normalized_shape, "__index__") else tuple(normalized_shape)


class LayerNorm(Module):
    """Normalisation over the last dimensions, then (with `elementwise_affine`) a scale and a shift for each element."""

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape, self.eps = _sizes(normalized_shape), eps
        self.elementwise_affine = elementwise_affine
        shape, options = self.normalized_shape, {"device": device, "dtype": dtype}
        affine = elementwise_affine
        self.register_parameter("weight", Parameter(creation.ones(shape, **options)) if affine else None)
        self.register_parameter("bias", Parameter(creation.zeros(shape, **options)) if affine and bias else None)

    def reset_parameters(self) -> None:
        """Scale 1, shift 0."""
        _reset(self)

    def forward(self, input: Tensor) -> Tensor:
        """(…, *normalized_shape) → the same shape."""
        return layer_norm.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Division by the root mean square over the last dimensions, then (with `elementwise_affine`) a scale for each element."""

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape, self.eps = _sizes(normalized_shape), eps
        self.elementwise_affine = elementwise_affine
        weight = (
            Parameter(creation.ones(self.normalized_shape, device=device, dtype=dtype)) if elementwise_affine else None
        )
        self.register_parameter("weight", weight)

    def reset_parameters(self) -> None:
        """Scale 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(…, *normalized_shape) → the same shape."""
        return layer_norm.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """The options."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class Dropout(Module):
    """In training, zero each element with probability p and scale the rest by 1/(1 − p)."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise OptionError(f"{type(self).__name__}: p must lie in [0, 1], got {p!r}")
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        return dropout.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """The options."""
        return f"p={self.p}, inplace={self.inplace}"


class LocalResponseNorm(Module):
    """x divided by a power of the mean square of neighbouring channels; see functional.local_response_norm."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …), the same shape."""
        return unpool.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """The options."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
