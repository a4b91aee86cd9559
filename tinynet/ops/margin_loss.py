"""Losses that ask for a margin: between classes, and between the distances of vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..errors import OptionError, RangeError, ShapeError
from . import primitives as P
from .checks import check_broadcast, floating, integer, promoted, same_dtype, tensor_of
from .distance import at_least, pairwise_distance, two
from .loss import _reduce, _reduction


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, −t·(x₁ − x₂) + margin): t = 1 wants x₁ larger, t = −1 wants x₂ larger."""
    where = "margin_ranking_loss"
    reduction = _reduction(where, reduction, size_average, reduce)
    a, b, t = promoted(
        where, *(tensor_of(where, n, v) for n, v in (("input1", input1), ("input2", input2), ("target", target)))
    )
    if not a.ndim == b.ndim == t.ndim:
        shapes = ", ".join(str(tuple(v.array.shape)) for v in (a, b, t))
        raise ShapeError(f"{where}: input1, input2 and target must have as many dimensions, got shapes {shapes}")
    check_broadcast(where, floating(where, "input1", a), b, t)
    return _reduce(at_least(P.add(P.mul(P.neg(t), P.sub(a, b)), float(margin)), 0.0), reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """1 − cos(x₁, x₂) where t = 1, max(0, cos(x₁, x₂) − margin) where t = −1; inputs (N, D) or (D,), target (N,) or ()."""
    where = "cosine_embedding_loss"
    reduction = _reduction(where, reduction, size_average, reduce)
    a, b = two(where, input1, input2, ("input1", "input2"))
    t = tensor_of(where, "target", target)
    if a.ndim != b.ndim or a.ndim != t.ndim + 1 or t.ndim > 1:
        raise ShapeError(
            f"{where}: inputs (N, D) need a target (N,), inputs (D,) one of shape (); got inputs "
            f"{tuple(a.array.shape)} and {tuple(b.array.shape)}, target {tuple(t.array.shape)}"
        )
    last, tiny = (t.ndim,), 1e-12
    dot = P.sum_(P.mul(a, b), axes=last)
    squares = P.mul(P.add(P.sum_(P.mul(a, a), axes=last), tiny), P.add(P.sum_(P.mul(b, b), axes=last), tiny))
    cos, zero = P.div(dot, P.sqrt(squares)), a.array.dtype.type(0)
    near = P.where(P.eq(t, 1), P.sub(1.0, cos), zero)
    far = P.where(P.eq(t, -1), at_least(P.sub(cos, float(margin)), 0.0), zero)
    return _reduce(P.add(near, far), reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(a, p) − d(a, n) + margin), d the distance ‖x − y + eps‖_p of vectors (…, D).

    swap  take d(p, n) in place of d(a, n) where it is smaller

    Source: Balntas, Riba, Ponsa, Mikolajczyk, BMVC 2016.
    """
    where = "triplet_margin_loss"
    reduction = _reduction(where, reduction, size_average, reduce)
    return _triplet(
        where, anchor, positive, negative, lambda x, y: pairwise_distance(x, y, p, eps), margin, swap, reduction
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """`triplet_margin_loss` with a distance of one's own; by default ‖x − y + 10⁻⁶‖₂."""
    where = "triplet_margin_with_distance_loss"
    reduction = _reduction(where, reduction, None, None)
    return _triplet(where, anchor, positive, negative, distance_function or pairwise_distance, margin, swap, reduction)


def _triplet(
    where: str,
    a: Any,
    p: Any,
    n: Any,
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    for name, v in (("anchor", a), ("positive", p), ("negative", n)):
        floating(where, name, v)
    if not a.ndim == p.ndim == n.ndim:
        shapes = ", ".join(str(tuple(v.array.shape)) for v in (a, p, n))
        raise ShapeError(f"{where}: anchor, positive and negative must have as many dimensions, got shapes {shapes}")
    if margin <= 0:
        raise OptionError(f"{where}: margin must be > 0, got {margin!r}")
    check_broadcast(where, a, p, n)
    near, far = distance(a, p), distance(a, n)
    if swap:
        far = P.minimum(far, distance(p, n))
    return _reduce(at_least(P.add(P.sub(near, far), float(margin)), 0.0), reduction)


# classes


def _rows(where: str, input: Any, target: Any) -> tuple[Tensor, np.ndarray[Any, Any], bool]:
    """Input as (N, C), the target's array, and whether there was one row alone."""
    x, t = floating(where, "input", input), integer(where, "target", target)
    if x.ndim not in (1, 2) or x.array.shape[-1] == 0:
        raise ShapeError(f"{where}: input must be (N, C) or (C,), C > 0, got shape {tuple(x.array.shape)}")
    return (P.reshape(x, shape=(1, -1)), t.array, True) if x.ndim == 1 else (x, t.array, False)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ_{c ≠ t} (w[t]·max(0, margin − x[t] + x[c])^p)/C, p = 1 or 2; input (N, C) or (C,), target (N,) or ()."""
    where = "multi_margin_loss"
    reduction = _reduction(where, reduction, size_average, reduce)
    x, t, single = _rows(where, input, target)
    n, classes = x.array.shape
    if p not in (1, 2):
        raise OptionError(f"{where}: p must be 1 or 2, got {p!r}")
    if t.shape not in ((n,), () if single else (n,)):
        raise ShapeError(f"{where}: target must have shape {() if single else (n,)}, got {t.shape}")
    shape, t = t.shape, t.reshape(n)
    if ((t < 0) | (t >= classes)).any():
        raise RangeError(f"{where}: target {t[(t < 0) | (t >= classes)][0]} is outside 0 … {classes - 1}")
    own = P.take_along(x, t[:, None], axis=1)
    hinge = at_least(P.add(P.sub(x, own), float(margin)), 0.0)
    each = P.where(np.arange(classes) == t[:, None], x.array.dtype.type(0), hinge if p == 1 else P.mul(hinge, hinge))
    if weight is not None:
        same_dtype(where, input=x, weight=weight)
        if weight.array.shape != (classes,):
            raise ShapeError(f"{where}: weight must have shape ({classes},), got {tuple(weight.array.shape)}")
        each = P.mul(each, P.index(weight, index=(t[:, None],)))
    y = P.div(P.sum_(each, axes=(1,)), float(classes))
    return P.reshape(y, shape=shape if reduction == "none" else ()) if single else _reduce(y, reduction)


def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """Σ_{j, i} max(0, 1 − x[tⱼ] + x[i])/C, tⱼ the labels before the first −1, i the classes that are no label.

    Input and target are (N, C) or (C,).
    """
    where = "multilabel_margin_loss"
    reduction = _reduction(where, reduction, size_average, reduce)
    x, t, single = _rows(where, input, target)
    if t.shape != tuple(input.array.shape):
        raise ShapeError(f"{where}: target must have input's shape {tuple(input.array.shape)}, got {t.shape}")
    t = t.reshape(x.array.shape)
    n, classes = x.array.shape
    if ((t < -1) | (t >= classes)).any():
        raise RangeError(f"{where}: target {t[(t < -1) | (t >= classes)][0]} is outside -1 … {classes - 1}")
    used = np.logical_and.accumulate(t >= 0, axis=1)
    safe = np.where(used, t, 0)
    labelled = np.zeros((n, classes), bool)
    np.logical_or.at(labelled, (np.arange(n)[:, None], safe), used)
    own = P.reshape(P.take_along(x, safe, axis=1), shape=(n, classes, 1))
    hinge = at_least(P.add(P.sub(P.reshape(x, shape=(n, 1, classes)), own), 1.0), 0.0)
    each = P.where(used[:, :, None] & ~labelled[:, None, :], hinge, x.array.dtype.type(0))
    y = P.div(P.sum_(each, axes=(1, 2)), float(classes))
    return P.reshape(y, shape=()) if single else _reduce(y, reduction)
