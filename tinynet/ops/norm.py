"""Batch, group and instance normalisation: y = (x − mean)/√(var + ε)·γ + β, over all but the channels of a group."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor, changed
from ..autograd.fused import Fused
from ..autograd.views import check_memory
from ..errors import DtypeError, OptionError, ShapeError
from . import primitives as P
from .checks import floating

Array = np.ndarray[Any, Any]


def _channels(v: Tensor, ndim: int) -> Tensor:
    """(C,) as (1, C, 1, …)."""
    return P.reshape(v, shape=(1, v.array.size, *(1,) * (ndim - 2)))


def _affine(y: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
    """y·γ + β for each channel."""
    y = y if w is None else P.mul(y, _channels(w, y.ndim))
    return y if b is None else P.add(y, _channels(b, y.ndim))


def standardised(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """(x − mean)/√(var + ε), mean and biased variance over `axes`.

    Neither changes the result if a constant is first taken from x: the mean as rounded, so that a large one costs no
    digits.
    """
    n = float(math.prod(x.array.shape[a] for a in axes))

    def mean(v: Tensor) -> Tensor:
        return P.div(P.sum_(v, axes=axes, keepdims=True), n)

    shifted = P.sub(x, mean(x.detach()))
    centred = P.sub(shifted, mean(shifted))
    return P.div(centred, P.sqrt(P.add(mean(P.mul(centred, centred)), eps)))


# batch normalisation


def batch_norm_definition(x: Tensor, w: Tensor | None, b: Tensor | None, *, eps: float) -> Tensor:
    """y = (x − mean)/√(var + ε)·γ + β with the batch's own mean and (biased) variance."""
    return _affine(standardised(x, (0, *range(2, x.ndim)), eps), w, b)


def _forward(x: Array, w: Array | None, b: Array | None, *, eps: float) -> tuple[Array, tuple[Array, Array]]:
    y, mean, rstd = kernels_for(x).batch_norm_forward(x, w, b, eps=eps)
    return y, (mean, rstd)


def _backward(
    dy: Array, inputs: list[Any], cache: tuple[Array, Array], needs: list[bool], *, eps: float
) -> list[Array | None]:
    x, w, _ = inputs
    return list(kernels_for(dy).batch_norm_backward(dy, x, w, *cache))


_batch_norm = Fused("batch_norm", batch_norm_definition, _forward, _backward)


def running_norm_definition(
    x: Tensor, w: Tensor | None, b: Tensor | None, mean: Tensor, var: Tensor, *, eps: float
) -> Tensor:
    """y = (x − mean)/√(var + ε)·γ + β with given statistics, which are constants."""
    scale = P.sqrt(P.add(var.detach(), eps))
    y = _affine(P.div(P.sub(x, _channels(mean.detach(), x.ndim)), _channels(scale, x.ndim)), w, b)
    return y if y.array.dtype == x.array.dtype else P.cast(y, dtype=x.array.dtype)


def _running_forward(
    x: Array, w: Array | None, b: Array | None, mean: Array, var: Array, *, eps: float
) -> tuple[Array, tuple[Array, Array]]:
    mean, rstd = mean.astype(np.float64), 1.0 / np.sqrt(var.astype(np.float64) + eps)
    return kernels_for(x).batch_norm_apply(x, w, b, mean, rstd), (mean, rstd)


def _running_backward(
    dy: Array, inputs: list[Any], cache: tuple[Array, Array], needs: list[bool], *, eps: float
) -> list[Array | None]:
    x, w, *_ = inputs
    return [*kernels_for(dy).batch_norm_backward(dy, x, w, *cache, training=False), None, None]


_running_norm = Fused("running_norm", running_norm_definition, _running_forward, _running_backward)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """y = (x − mean)/√(var + ε)·γ + β for each channel.

    input     (N, C) or (N, C, …)
    training  use the batch's statistics (biased variance), and move the running ones towards them (unbiased variance):
              running ← (1 − momentum)·running + momentum·batch; otherwise use the running ones, as constants

    Raises ShapeError if training has a single value a channel. Source: Ioffe and Szegedy, ICML 2015.
    """
    x = floating("batch_norm", "input", input)
    if x.ndim < 2:
        raise ShapeError(f"batch_norm: input must be (N, C, …), got shape {tuple(x.array.shape)}")
    if eps <= 0:
        raise OptionError(f"batch_norm: eps must be > 0, got {eps}")
    c = x.array.shape[1]
    _check("batch_norm", c, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if not training:
        return _given("batch_norm", x, running_mean, running_var, weight, bias, eps)
    n = x.array.size // c if c else 0
    if n == 1:
        raise ShapeError(
            f"batch_norm: expected more than 1 value a channel when training, got input of shape {tuple(x.array.shape)}"
        )
    y, cache = _batch_norm.run(x, weight, bias, eps=float(eps))
    if n and (running_mean is not None or running_var is not None):
        mean, var = _statistics(x.array, cache, (0, *range(2, x.ndim)), eps)
        _update("batch_norm", running_mean, running_var, mean, var * (n / (n - 1)), momentum)
    return y


def _check(where: str, c: int, **tensors: Tensor | None) -> None:
    for name, v in tensors.items():
        if v is not None and floating(where, name, v).array.shape != (c,):
            raise ShapeError(f"{where}: {name} must have shape ({c},), got {tuple(v.array.shape)}")


def _given(
    where: str, x: Tensor, mean: Tensor | None, var: Tensor | None, w: Tensor | None, b: Tensor | None, eps: float
) -> Tensor:
    if mean is None or var is None:
        raise OptionError(f"{where}: running_mean and running_var are needed where the input's statistics are not used")
    return _running_norm(x, w, b, mean.detach(), var.detach(), eps=float(eps))


def _statistics(x: Array, cache: Any, axes: tuple[int, ...], eps: float) -> tuple[Array, Array]:
    """Mean and biased variance over `axes`, from the kernel's cache where there is one."""
    if cache is not None:
        return cache[0], np.maximum(1.0 / np.square(cache[1]) - eps, 0.0)
    wide = x.astype(np.float64)
    with np.errstate(invalid="ignore"):  # of infinities
        return wide.mean(axis=axes), wide.var(axis=axes)


def _update(
    where: str, running_mean: Tensor | None, running_var: Tensor | None, mean: Array, var: Array, momentum: float
) -> None:
    """running ← (1 − momentum)·running + momentum·value."""
    for name, running, value in (("running_mean", running_mean, mean), ("running_var", running_var, var)):
        if running is not None:
            check_memory(running, f"{where}: {name}")
            with np.errstate(invalid="ignore", over="ignore"):
                running.array[...] = (1.0 - momentum) * running.array + momentum * value
            changed(running)


# group and instance normalisation


def group_norm_definition(x: Tensor, w: Tensor | None, b: Tensor | None, *, groups: int, eps: float) -> Tensor:
    """y = (x − mean)/√(var + ε)·γ + β, mean and variance of each group of channels of each image."""
    n, c = x.array.shape[:2]
    grouped = P.reshape(x, shape=(n, groups, c // groups * math.prod(x.array.shape[2:])))
    return _affine(P.reshape(standardised(grouped, (2,), eps), shape=x.array.shape), w, b)


def _group_forward(
    x: Array, w: Array | None, b: Array | None, *, groups: int, eps: float
) -> tuple[Array, tuple[Array, Array]]:
    y, mean, rstd = kernels_for(x).group_norm_forward(x, w, b, groups=groups, eps=eps)
    return y, (mean, rstd)


def _group_backward(
    dy: Array, inputs: list[Any], cache: tuple[Array, Array], needs: list[bool], *, groups: int, eps: float
) -> list[Array | None]:
    x, w, _ = inputs
    return list(kernels_for(dy).group_norm_backward(dy, x, w, *cache, groups=groups))


_group_norm = Fused("group_norm", group_norm_definition, _group_forward, _group_backward)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """y = (x − mean)/√(var + ε)·γ + β, mean and (biased) variance over a group of channels of each element of the batch.

    input         (N, C, …), C a multiple of `num_groups`
    weight, bias  (C,) or None

    Raises ShapeError if there is a single value to normalise. Source: Wu and He, ECCV 2018.
    """
    x = floating("group_norm", "input", input)
    shape = tuple(x.array.shape)
    if x.ndim < 2:
        raise ShapeError(f"group_norm: input must be (N, C, …), got shape {shape}")
    if not hasattr(num_groups, "__index__"):
        raise DtypeError(f"group_norm: num_groups must be an integer, got {num_groups!r}")
    groups = int(num_groups)
    if groups < 1 or shape[1] % groups:
        raise OptionError(f"group_norm: num_groups must divide the {shape[1]} channels of the input, got {groups}")
    _check("group_norm", shape[1], weight=weight, bias=bias)
    same_or_wide("group_norm", x, weight=weight, bias=bias)
    if shape[0] * shape[1] // groups * math.prod(shape[2:]) == 1:
        raise ShapeError(f"group_norm: expected more than 1 value a group, got input of shape {shape}")
    return _group_norm(x, weight, bias, groups=groups, eps=float(eps))


def same_or_wide(where: str, x: Tensor, **tensors: Tensor | None) -> None:
    """Raise DtypeError unless parameters have the input's dtype, or float32 for a half."""
    for name, v in tensors.items():
        if v is not None and v.array.dtype != x.array.dtype:
            floating(where, name, v)
            if not (x.array.dtype.itemsize == 2 and v.array.dtype == np.float32):
                raise DtypeError(f"{where}: {name} must be of the input's dtype {x.dtype}, got {v.dtype}")


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """y = (x − mean)/√(var + ε)·γ + β for each channel of each element of the batch.

    input            (N, C, …)
    use_input_stats  use mean and (biased) variance of each channel's plane, and move the running statistics towards
                     their mean over the batch (unbiased variance): running ← (1 − momentum)·running + momentum·mean;
                     otherwise use the running ones, as constants

    Raises ShapeError if a plane has a single value. Source: Ulyanov, Vedaldi, Lempitsky, arXiv:1607.08022, 2016.
    """
    x = floating("instance_norm", "input", input)
    shape = tuple(x.array.shape)
    n = math.prod(shape[2:])
    if use_input_stats and n == 1:
        raise ShapeError(f"instance_norm: expected more than 1 value a plane when training, got input of shape {shape}")
    if x.ndim < 2:
        raise ShapeError(f"instance_norm: input must be (N, C, …), got shape {shape}")
    if (running_mean is None) != (running_var is None):
        raise OptionError("instance_norm: running_mean and running_var must either both be None or neither")
    _check("instance_norm", shape[1], running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    same_or_wide("instance_norm", x, weight=weight, bias=bias)
    if not use_input_stats:
        return _given("instance_norm", x, running_mean, running_var, weight, bias, eps)
    if not shape[1]:
        return P.clone(x)
    y, cache = _group_norm.run(x, weight, bias, groups=shape[1], eps=float(eps))
    if running_mean is not None and x.array.size:
        mean, var = _statistics(x.array, cache, tuple(range(2, x.ndim)), eps)
        mean, var = (v.reshape(shape[:2]).mean(axis=0) for v in (mean, var))
        _update("instance_norm", running_mean, running_var, mean, var * (n / (n - 1)), momentum)
    return y
