"""Losses (E23): cross-entropy, negative log-likelihood, mean squared error, binary cross-entropy with logits."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor, new_tensor
from ..autograd.fused import Fused
from ..errors import DtypeError, OptionError, RangeError, ShapeError
from ..strict import is_strict
from . import primitives as P
from .checks import floating, one_of, same_dtype, tensor_of

Array = np.ndarray[Any, Any]
REDUCTIONS = ("mean", "sum", "none")


def _reduction(where: str, reduction: str, size_average: Any, reduce: Any) -> str:
    """The reduction; PyTorch's two older options are translated as it does."""
    if size_average is not None or reduce is not None:
        warnings.warn(f"{where}: size_average and reduce are deprecated; use reduction", stacklevel=3)
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
    return one_of(where, "reduction", reduction, *REDUCTIONS)


def _reduce(y: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return y
    total = P.sum_(y, axes=tuple(range(y.ndim)))
    return total if reduction == "sum" else P.div(total, float(y.array.size))


# classes: negative log-likelihood and cross-entropy over logits (N, C, M) and targets (N, M)


def _planes(x: Tensor, target: Tensor) -> Tensor:
    """x as (N, C, M) for targets (N, M)."""
    n, rest = target.array.shape
    return P.reshape(x, shape=(n, x.array.shape[0 if x.ndim == 1 else 1], rest))


def _class_weights(target: Array, weight: Tensor | None, ignore_index: int, dtype: Any) -> Any:
    """w[target], and 0 where the target is ignored."""
    kept = target != ignore_index
    safe = np.where(kept, target, 0)
    if weight is None:
        return kept.astype(dtype), safe
    return np.where(kept, weight.array[safe], weight.array.dtype.type(0)), safe


def nll_definition(logp: Tensor, target: Tensor, weight: Tensor | None, *, ignore_index: int, reduction: str) -> Tensor:
    """lₙ = −w[tₙ]·logp[n, tₙ]; the mean is Σ lₙ / Σ w[tₙ]. The gradient requires one, as PyTorch's does: zeros."""
    return _picked(P.anchor(logp, logp), target, weight, ignore_index=ignore_index, reduction=reduction)


def _picked(logp: Tensor, target: Tensor, weight: Tensor | None, *, ignore_index: int, reduction: str) -> Tensor:
    logp = _planes(logp, target)
    w, safe = _class_weights(target.array, weight, ignore_index, logp.array.dtype)
    picked = P.take_along(logp, safe[:, None], axis=1)
    picked = P.reshape(picked, shape=target.array.shape)
    # where, before the product: an ignored −inf must not become NaN
    each = P.mul(P.neg(P.where(w != 0, picked, 0)), w)
    if reduction == "none":
        return each
    total = P.sum_(each, axes=(0, 1))
    return total if reduction == "sum" else P.div(total, np.asarray(w.sum(dtype=np.float64), logp.array.dtype))


def cross_entropy_definition(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None,
    *,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> Tensor:
    """lₙ = −(1 − ε)·w[tₙ]·log softmax(xₙ)[tₙ] − ε/C · Σ_c w[c]·log softmax(xₙ)[c] (E23); mean over Σ w[tₙ]."""
    logp = P.log_softmax(_planes(x, target), axis=1)
    main = _picked(logp, target, weight, ignore_index=ignore_index, reduction=reduction)
    if label_smoothing == 0.0:
        return main
    w, _ = _class_weights(target.array, weight, ignore_index, x.array.dtype)
    classes = logp.array.shape[1]
    weighted = logp if weight is None else P.mul(logp, weight.array.reshape(1, -1, 1))
    smooth = P.neg(P.sum_(weighted, axes=(1,)))
    smooth = P.where(target.array != ignore_index, smooth, 0)
    if reduction != "none":
        smooth = P.sum_(smooth, axes=(0, 1))
    if reduction == "mean":
        smooth = P.div(smooth, np.asarray(w.sum(dtype=np.float64), x.array.dtype))
    return P.add(P.mul(main, 1.0 - label_smoothing), P.mul(smooth, label_smoothing / classes))


def _cross_entropy_forward(x: Array, target: Array, weight: Array | None, **options: Any) -> tuple[Array, Any]:
    return kernels_for(x).cross_entropy_forward(x, target, weight, **options)


def _cross_entropy_backward(
    dy: Array, inputs: list[Any], cache: Any, needs: list[bool], **options: Any
) -> list[Array | None]:
    x, target, weight = inputs
    return [kernels_for(dy).cross_entropy_backward(dy, x, cache, target, weight, **options), None, None]


def _nll_forward(logp: Array, target: Array, weight: Array | None, **options: Any) -> tuple[Array, float]:
    return kernels_for(logp).nll_forward(logp, target, weight, **options)


def _nll_backward(dy: Array, inputs: list[Any], cache: float, needs: list[bool], **options: Any) -> list[Array | None]:
    logp, target, weight = inputs
    return [kernels_for(dy).nll_backward(dy, cache, target, weight, shape=logp.shape, **options), None, None]


_cross_entropy = Fused("cross_entropy", cross_entropy_definition, _cross_entropy_forward, _cross_entropy_backward)
_nll = Fused("nll_loss", nll_definition, _nll_forward, _nll_backward)


def _checked(
    where: str, input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int
) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Input, target as (N, M) in int64, and the shape of the unreduced loss; everything checked."""
    x = floating(where, "input", input)
    shape, labels = x.array.shape, target.array
    if not shape:
        raise ShapeError(f"{where}: input must be (C,) or (N, C, …), got a 0-d tensor")
    classes = shape[0] if len(shape) == 1 else shape[1]
    expected = () if len(shape) == 1 else (shape[0], *shape[2:])
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"{where}: class-index targets must be of an integer dtype, got {target.dtype}")
    if labels.shape != expected:
        raise ShapeError(
            f"{where}: target must have shape {expected} for input of shape {tuple(shape)}, got {tuple(labels.shape)}"
        )
    if weight is not None:
        same_dtype(where, input=x, weight=weight)
        if weight.array.shape != (classes,):
            raise ShapeError(f"{where}: weight must have shape ({classes},), got {tuple(weight.array.shape)}")
    if labels.dtype != np.int64:
        labels = labels.astype(np.int64)
    if labels.size and labels.view(np.uint64).max() >= classes:  # as unsigned numbers negative ones are large
        wrong = ((labels < 0) | (labels >= classes)) & (labels != ignore_index)
        if wrong.any():
            raise RangeError(f"{where}: target {labels[wrong].flat[0]} is outside 0 … {classes - 1}")
    flat = new_tensor(labels.reshape(1 if len(shape) == 1 else shape[0], math.prod(shape[2:])))
    flat.memory = target.memory  # a later change in place is seen by the backward
    return x, flat, expected


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """−Σ_c p_c·w_c·log softmax(x)_c (E23), p the target's distribution.

    input            logits (C,), (N, C) or (N, C, …)
    target           class numbers (), (N,) or (N, …), or probabilities of input's shape ("one-hot")
    weight           (C,) a weight for each class
    ignore_index     a class number whose elements count for nothing
    label_smoothing  ε in [0, 1]: the target becomes (1 − ε)·p + ε/C
    reduction        "mean" (over the sum of the targets' weights), "sum" or "none"

    Raises RangeError for a class number outside 0 … C−1. Source: Szegedy et al., CVPR 2016 (smoothing).
    """
    x, t = floating("cross_entropy", "input", input), tensor_of("cross_entropy", "target", target)
    reduction = _reduction("cross_entropy", reduction, size_average, reduce)
    if not 0.0 <= label_smoothing <= 1.0:
        raise OptionError(f"cross_entropy: label_smoothing must lie in [0, 1], got {label_smoothing}")
    if t.is_floating_point():
        if ignore_index >= 0:
            raise OptionError(f"cross_entropy: ignore_index={ignore_index} needs a target of class numbers")
        return _cross_entropy_probabilities(x, t, weight, reduction, label_smoothing)
    logits, labels, shape = _checked("cross_entropy", x, t, weight, ignore_index)
    y: Tensor = _cross_entropy(
        logits,
        labels,
        weight,
        ignore_index=int(ignore_index),
        label_smoothing=float(label_smoothing),
        reduction=reduction,
    )
    return P.reshape(y, shape=shape) if reduction == "none" else y


def _cross_entropy_probabilities(x: Tensor, t: Tensor, weight: Tensor | None, reduction: str, eps: float) -> Tensor:
    if t.array.shape != x.array.shape:
        raise ShapeError(
            f"cross_entropy: target of probabilities must have input's shape {tuple(x.array.shape)}, "
            f"got {tuple(t.array.shape)}"
        )
    axis = 0 if x.ndim == 1 else 1
    classes = x.array.shape[axis]
    if weight is not None and weight.array.shape != (classes,):
        raise ShapeError(f"cross_entropy: weight must have shape ({classes},), got {tuple(weight.array.shape)}")
    if eps:
        t = P.add(P.mul(t, 1.0 - eps), eps / classes)
    each = P.mul(P.log_softmax(x, axis=axis), t)
    if weight is not None:
        each = P.mul(each, P.reshape(weight, shape=(-1, *(1,) * (x.ndim - 1 - axis))))
    each = P.neg(P.sum_(each, axes=(axis,)))
    return _reduce(each, reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """−w[t]·x[t] for log-probabilities x: the second half of cross_entropy, with its shapes and options."""
    reduction = _reduction("nll_loss", reduction, size_average, reduce)
    logp, labels, shape = _checked("nll_loss", input, tensor_of("nll_loss", "target", target), weight, ignore_index)
    y: Tensor = _nll(logp, labels, weight, ignore_index=int(ignore_index), reduction=reduction)
    return P.reshape(y, shape=shape) if reduction == "none" else y


# elementwise losses


def _matched(where: str, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both in their common shape; a mismatch warns, and under `set_strict` raises."""
    if x.array.shape == y.array.shape:
        return x, y
    text = (
        f"{where}: target has shape {tuple(y.array.shape)}, input {tuple(x.array.shape)}; broadcasting them is most "
        "likely a mistake"
    )
    if is_strict():
        raise ShapeError(text)
    try:
        shape = np.broadcast_shapes(x.array.shape, y.array.shape)
    except ValueError:
        raise ShapeError(text.split(";")[0] + ", which cannot be broadcast together") from None
    warnings.warn(text, stacklevel=3)
    return P.expand(x, shape=shape), P.expand(y, shape=shape)


def weighted(where: str, each: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """The loss of elements with weights; the mean divides by the sum of the weights."""
    if weight is None:
        return _reduce(each, reduction)
    w = floating(where, "weight", weight)
    if w.array.shape != each.array.shape:
        raise ShapeError(
            f"{where}: weight must have input's shape {tuple(each.array.shape)}, got {tuple(w.array.shape)}"
        )
    total = _reduce(P.mul(each, w), "none" if reduction == "none" else "sum")
    return P.div(total, _reduce(w, "sum")) if reduction == "mean" else total


def mse_definition(x: Tensor, y: Tensor, *, reduction: str) -> Tensor:
    """(x − y)², then its mean or sum (E23)."""
    difference = P.sub(x, y)
    return _reduce(P.mul(difference, difference), reduction)


def _mse_forward(x: Array, y: Array, *, reduction: str) -> tuple[Array, None]:
    return kernels_for(x).mse_forward(x, y, reduction=reduction), None


def _mse_backward(dy: Array, inputs: list[Any], cache: None, needs: list[bool], *, reduction: str) -> list[Any]:
    dx = kernels_for(dy).mse_backward(dy, *inputs, reduction=reduction)
    return [dx, -dx if needs[1] else None]


_mse = Fused("mse_loss", mse_definition, _mse_forward, _mse_backward)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Mean squared error (E23): the mean (or "sum", or "none") of (input − target)².

    weight  of input's shape; the mean divides by its sum
    """
    reduction = _reduction("mse_loss", reduction, size_average, reduce)
    x, y = _common("mse_loss", input, target)
    x, y = _matched("mse_loss", x, y)
    if weight is not None:
        return weighted("mse_loss", mse_definition(x, y, reduction="none"), weight, reduction)
    return _mse(x, y, reduction=reduction)


def _common(where: str, input: Any, target: Any) -> tuple[Tensor, Tensor]:
    from .checks import promoted

    x, y = promoted(where, tensor_of(where, "input", input), tensor_of(where, "target", target))
    return floating(where, "input", x), y


def bce_definition(x: Tensor, y: Tensor, weight: Tensor | None, pos_weight: Tensor | None, *, reduction: str) -> Tensor:
    """(1 − y)·x + (1 + (p − 1)·y)·log(1 + e⁻ˣ), the log by its stable form max(−x, 0) + log(1 + e^(−|x|))."""
    negative = P.lt(x, 0.0)
    size = P.where(negative, x, P.neg(x))  # −|x|, whose slope at 0 this writes as −1 where |·| would give 0
    softplus = P.add(P.where(negative, P.neg(x), 0), P.log1p(P.exp(size)))
    scale = softplus
    if pos_weight is not None:
        scale = P.mul(softplus, P.add(P.mul(P.sub(pos_weight, 1.0), y), 1.0))
    each = P.add(P.mul(P.sub(1.0, y), x), scale)
    return _reduce(each if weight is None else P.mul(each, weight), reduction)


def _bce_forward(
    x: Array, y: Array, weight: Array | None, pos_weight: Array | None, *, reduction: str
) -> tuple[Array, None]:
    return kernels_for(x).bce_with_logits_forward(x, y, weight, pos_weight, reduction=reduction), None


def _bce_backward(dy: Array, inputs: list[Any], cache: None, needs: list[bool], *, reduction: str) -> list[Any]:
    kernels, (x, y, *factors) = kernels_for(dy), inputs
    dx = kernels.bce_with_logits_backward(dy, x, y, *factors, reduction=reduction) if needs[0] else None
    dtarget = kernels.bce_with_logits_grad_target(dy, x, *factors, reduction=reduction) if needs[1] else None
    return [dx, dtarget, None, None]


_bce = Fused("bce_with_logits", bce_definition, _bce_forward, _bce_backward)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """−w·(p·y·log σ(x) + (1 − y)·log(1 − σ(x))), computed from the logit x so that nothing overflows.

    weight      broadcast to input; scales each element
    pos_weight  broadcast to input; p, scales the positive part
    """
    where = "binary_cross_entropy_with_logits"
    reduction = _reduction(where, reduction, size_average, reduce)
    x, y = _common(where, input, target)
    if x.array.shape != y.array.shape:
        raise ShapeError(f"{where}: target has shape {tuple(y.array.shape)}, input {tuple(x.array.shape)}")
    factors = []
    for name, v in (("weight", weight), ("pos_weight", pos_weight)):
        if v is not None:
            try:
                v = P.expand(floating(where, name, v), shape=x.array.shape)
            except ValueError:
                raise ShapeError(
                    f"{where}: {name} of shape {tuple(v.array.shape)} cannot be broadcast to {tuple(x.array.shape)}"
                ) from None
            if v.requires_grad:
                raise NotImplementedError(f"{where}: a gradient with respect to {name} is not supported; detach() it")
        factors.append(v)
    return _bce(x, y, *factors, reduction=reduction)
