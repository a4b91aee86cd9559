"""Batch normalisation: y = (x − mean)/√(var + ε)·γ + β, over every dimension but the channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor
from ..autograd.fused import Fused
from ..errors import OptionError, ShapeError
from . import primitives as P
from .checks import floating

Array = np.ndarray[Any, Any]


def _channels(v: Tensor, ndim: int) -> Tensor:
    """(C,) as (1, C, 1, …)."""
    return P.reshape(v, shape=(1, v.array.size, *(1,) * (ndim - 2)))


def batch_norm_definition(x: Tensor, w: Tensor | None, b: Tensor | None, *, eps: float) -> Tensor:
    """y = (x − mean)/√(var + ε)·γ + β with the batch's own mean and (biased) variance."""
    axes = (0, *range(2, x.ndim))
    n = float(x.array.size // x.array.shape[1])
    centred = P.sub(x, P.div(P.sum_(x, axes=axes, keepdims=True), n))
    var = P.div(P.sum_(P.mul(centred, centred), axes=axes, keepdims=True), n)
    y = P.div(centred, P.sqrt(P.add(var, eps)))
    y = y if w is None else P.mul(y, _channels(w, x.ndim))
    return y if b is None else P.add(y, _channels(b, x.ndim))


def _forward(x: Array, w: Array | None, b: Array | None, *, eps: float) -> tuple[Array, tuple[Array, Array]]:
    y, mean, rstd = kernels_for(x).batch_norm_forward(x, w, b, eps=eps)
    return y, (mean, rstd)


def _backward(
    dy: Array, inputs: list[Any], cache: tuple[Array, Array], needs: list[bool], *, eps: float
) -> list[Array | None]:
    x, w, _ = inputs
    return list(kernels_for(dy).batch_norm_backward(dy, x, w, *cache))


_batch_norm = Fused("batch_norm", batch_norm_definition, _forward, _backward)


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
              running ← (1 − momentum)·running + momentum·batch; otherwise use the running ones

    Raises ShapeError if training has a single value a channel. Source: Ioffe and Szegedy, ICML 2015.
    """
    x = floating("batch_norm", "input", input)
    if x.ndim < 2:
        raise ShapeError(f"batch_norm: input must be (N, C, …), got shape {tuple(x.array.shape)}")
    c = x.array.shape[1]
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, v in given.items():
        if v is not None and floating("batch_norm", name, v).array.shape != (c,):
            raise ShapeError(f"batch_norm: {name} must have shape ({c},), got {tuple(v.array.shape)}")
    if not training:
        if running_mean is None or running_var is None:
            raise OptionError("batch_norm: running_mean and running_var are needed outside training")
        rstd = P.div(1.0, P.sqrt(P.add(running_var, float(eps))))
        y = P.mul(P.sub(x, _channels(running_mean, x.ndim)), _channels(rstd, x.ndim))
        y = y if weight is None else P.mul(y, _channels(weight, x.ndim))
        y = y if bias is None else P.add(y, _channels(bias, x.ndim))
        return y if y.array.dtype == x.array.dtype else P.cast(y, dtype=x.array.dtype)
    n = x.array.size // c if c else 0
    if n == 1:
        raise ShapeError(
            f"batch_norm: expected more than 1 value a channel when training, got input of shape {tuple(x.array.shape)}"
        )
    y, cache = _batch_norm.run(x, weight, bias, eps=float(eps))
    if n and (running_mean is not None or running_var is not None):
        _update(x.array, cache, running_mean, running_var, momentum, eps, n)
    return y


def _update(
    x: Array, cache: Any, running_mean: Tensor | None, running_var: Tensor | None, momentum: float, eps: float, n: int
) -> None:
    """running ← (1 − momentum)·running + momentum·batch, with the unbiased variance."""
    if cache is not None:
        mean, var = cache[0], 1.0 / np.square(cache[1].astype(np.float64)) - eps
    else:
        axes = (0, *range(2, x.ndim))
        wide = x.astype(np.float64) if x.dtype == np.float64 else x.astype(np.float32)
        mean, var = wide.mean(axis=axes), wide.var(axis=axes)
    from .._tensor import changed

    for running, value in ((running_mean, mean), (running_var, np.maximum(var, 0.0) * (n / (n - 1)))):
        if running is not None:
            running.array[...] = (1.0 - momentum) * running.array + momentum * value
            changed(running)
