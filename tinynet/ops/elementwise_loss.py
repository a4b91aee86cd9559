"""Losses that compare input and target element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor
from ..errors import OptionError, ShapeError
from . import primitives as P
from .activation import log_sigmoid
from .checks import floating, tensor_of
from .distance import at_least
from .loss import _common, _matched, _reduce, _reduction, weighted
from .piecewise import pieces


def compared(where: str, input: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Input and target in their common dtype and shape."""
    x, y = _common(where, input, target)
    return _matched(where, x, y)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|input − target|, then its mean or sum; subgradient 0 at 0."""
    reduction = _reduction("l1_loss", reduction, size_average, reduce)
    x, y = compared("l1_loss", input, target)
    return weighted("l1_loss", P.absolute(P.sub(x, y)), weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d²/(2·beta) for |d| < beta, else |d| − beta/2, d = input − target. Source: Girshick, ICCV 2015."""
    reduction = _reduction("smooth_l1_loss", reduction, size_average, reduce)
    x, y = compared("smooth_l1_loss", input, target)
    if beta < 0:
        raise OptionError(f"smooth_l1_loss: beta must be ≥ 0, got {beta!r}")
    return _reduce(_rounded(P.sub(x, y), float(beta), 1.0), reduction)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d²/2 for |d| ≤ delta, else delta·(|d| − delta/2), d = input − target. Source: Huber, Ann. Math. Statist. 35, 1964."""
    reduction = _reduction("huber_loss", reduction, None, None)
    x, y = compared("huber_loss", input, target)
    if delta <= 0:
        raise OptionError(f"huber_loss: delta must be > 0, got {delta!r}")
    each = _rounded(P.sub(x, y), float(delta), float(delta))
    if weight is not None:  # whose mean, unlike that of l1_loss, is over the elements
        each = weighted("huber_loss", each, weight, "none")
    return _reduce(each, reduction)


def _rounded(d: Tensor, width: float, slope: float) -> Tensor:
    """slope·d²/(2·width) for |d| < width, else slope·(|d| − width/2)."""
    if width == 0:
        return P.mul(P.absolute(d), slope)
    side = -slope * width / 2
    return pieces(-width, width, (side, -slope), (0.0, 0.0, slope / (2 * width)), (side, slope))(d)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """t·(log t − x), x log-probabilities and t probabilities (log_target: their logarithms).

    reduction  "batchmean": the sum over the size of the first dimension, which is the divergence; "mean" is over all
               elements
    """
    batch = reduction == "batchmean"
    reduction = _reduction("kl_div", "sum" if batch else reduction, size_average, reduce)
    x, t = compared("kl_div", input, target)
    if log_target:
        each = P.mul(P.exp(t), P.sub(t, x))
    else:
        zero, number = P.eq(t, 0.0), t.array.dtype.type
        each = P.sub(P.where(zero, number(0), P.mul(t, P.log(P.where(zero, number(1), t)))), P.mul(t, x))
    y = _reduce(each, reduction)
    return P.div(y, float(x.array.shape[0])) if batch and x.ndim else y


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: Any = None,
    eps: float = 1e-8,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """e^x − t·x for the logarithm x of a rate (log_input=False: x − t·log(x + eps) for the rate x).

    full  for t > 1 add Stirling's t·log t − t + ½·log(2πt) of log t!
    """
    reduction = _reduction("poisson_nll_loss", reduction, size_average, reduce)
    x, t = compared("poisson_nll_loss", input, target)
    each = P.sub(P.exp(x), P.mul(t, x)) if log_input else P.sub(x, P.mul(t, P.log(P.add(x, eps))))
    if full:
        large, number = P.gt(t, 1.0), t.array.dtype.type
        s = P.where(large, t, number(1))
        stirling = P.add(P.sub(P.mul(s, P.log(s)), s), P.mul(P.log(P.mul(s, 2.0 * math.pi)), 0.5))
        each = P.add(each, P.where(large, stirling, number(0)))
    return _reduce(each, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """½(log v + (x − t)²/v), v = max(var, eps), whose gradient is as if nothing were cut off.

    var   of input's shape, or with one dimension of size 1 instead, or without the last; or a number
    full  add ½·log 2π

    Source: Nix and Weigend, ICNN 1994.
    """
    where = "gaussian_nll_loss"
    reduction = _reduction(where, reduction, None, None)
    x, t = compared(where, input, target)
    number = isinstance(var, int | float)
    v = floating(where, "var", new_tensor(np.full(x.array.shape, var, x.array.dtype)) if number else var)
    if (v.array < 0).any():
        raise OptionError(f"{where}: var must be ≥ 0")
    shape = x.array.shape
    if v.array.shape != shape:
        if v.array.shape == shape[:-1]:
            v = P.reshape(v, shape=(*shape[:-1], 1))
        elif v.ndim != len(shape) or [m for n, m in zip(shape, v.array.shape, strict=True) if n != m] != [1]:
            raise ShapeError(f"{where}: var of shape {tuple(v.array.shape)} does not fit input of shape {tuple(shape)}")
    v = P.add(v, np.maximum(v.array, v.array.dtype.type(eps)) - v.array)
    d = P.sub(x, t)
    each = P.mul(P.add(P.log(v), P.div(P.mul(d, d), v)), 0.5)
    return _reduce(P.add(each, 0.5 * math.log(2 * math.pi)) if full else each, reduction)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """−w·(t·log x + (1 − t)·log(1 − x)) for probabilities x, the logarithms at least −100.

    weight  broadcast to input; scales each element

    At x = 0 and x = 1 the gradient is (x − t)·10¹², as PyTorch's. Raises OptionError for x outside [0, 1].
    """
    where = "binary_cross_entropy"
    reduction = _reduction(where, reduction, size_average, reduce)
    x, t = _common(where, input, target)
    if x.array.shape != t.array.shape:
        raise ShapeError(f"{where}: target has shape {tuple(t.array.shape)}, input {tuple(x.array.shape)}")
    if ((x.array < 0) | (x.array > 1)).any():
        raise OptionError(f"{where}: input must lie in [0, 1]")
    number, ends = x.array.dtype.type, (x.array == 0) | (x.array == 1)
    inner = P.where(ends, number(0.5), x)
    positive, negative = (
        P.where(x.array == end, number(-100), P.where(ends, number(0), logarithm))
        for end, logarithm in ((0, P.log(inner)), (1, P.log1p(P.neg(inner))))
    )
    each = P.neg(P.add(P.mul(t, positive), P.mul(P.sub(1.0, t), negative)))
    if ends.any():
        slope = P.div(P.sub(x, t).detach(), number(1e-12) if x.array.itemsize > 2 else number(1))
        each = P.add(each, P.mul(P.sub(x, x.detach()), P.where(ends, slope, number(0))))
    if weight is not None:
        try:
            w = P.expand(floating(where, "weight", weight), shape=x.array.shape)
        except ValueError:
            shapes = f"{tuple(weight.array.shape)} cannot be broadcast to {tuple(x.array.shape)}"
            raise ShapeError(f"{where}: weight of shape {shapes}") from None
        each = P.mul(each, w)
    return _reduce(each, reduction)


def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """log(1 + e^(−t·x)), t = ±1."""
    reduction = _reduction("soft_margin_loss", reduction, size_average, reduce)
    x, t = compared("soft_margin_loss", input, target)
    return _reduce(P.neg(log_sigmoid(P.mul(t, x))), reduction)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """x where t = 1, max(0, margin − x) where t = −1."""
    reduction = _reduction("hinge_embedding_loss", reduction, size_average, reduce)
    x, t = compared("hinge_embedding_loss", input, target)
    zero = x.array.dtype.type(0)
    far = P.where(P.ne(t, 1.0), at_least(P.sub(float(margin), x), 0.0), zero)
    return _reduce(P.add(far, P.where(P.ne(t, -1.0), x, zero)), reduction)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """−(t·log σ(x) + (1 − t)·log σ(−x)), times the classes' weights, and its mean over the classes (the last dimension)."""
    where = "multilabel_soft_margin_loss"
    reduction = _reduction(where, reduction, size_average, reduce)
    x, t = compared(where, input, target)
    if not x.ndim:
        raise ShapeError(f"{where}: input must be (…, C), got a 0-d tensor")
    each = P.neg(P.add(P.mul(t, log_sigmoid(x)), P.mul(P.sub(1.0, t), log_sigmoid(P.neg(x)))))
    if weight is not None:
        each = P.mul(each, tensor_of(where, "weight", weight))
    return _reduce(P.div(P.sum_(each, axes=(x.ndim - 1,)), float(x.array.shape[-1])), reduction)
