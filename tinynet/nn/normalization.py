"""Batch normalisation layers, and dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor
from ..errors import OptionError, ShapeError
from ..ops import creation, dropout, norm
from . import init
from .module import Module
from .parameter import Parameter


class _BatchNorm(Module):
    """Statistics over the batch in training, which also move the running ones; the running ones in evaluation.

    momentum             running ← (1 − momentum)·running + momentum·batch; None: the mean of all batches so far
    affine               learn a scale (weight) and, unless bias=False, a shift (bias) for each channel
    track_running_stats  keep running statistics; without them the batch's own are always used
    """

    ranks: tuple[int, ...]

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

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
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


class Dropout(Module):
    """In training, zero each element with probability p and scale the rest by 1/(1 − p)."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise OptionError(f"Dropout: p must lie in [0, 1], got {p!r}")
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        """The same shape."""
        return dropout.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """The options."""
        return f"p={self.p}, inplace={self.inplace}"
