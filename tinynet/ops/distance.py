"""Distances and similarities of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._tensor import Tensor, wrap_dim, wrap_dims
from ..errors import OptionError, ShapeError
from . import primitives as P
from .checks import check_broadcast, floating, promoted, tensor_of
from .reduction import norm


def two(where: str, x: Any, y: Any, names: tuple[str, str] = ("x1", "x2")) -> tuple[Tensor, Tensor]:
    """Two floating-point tensors of one dtype whose shapes fit together."""
    a, b = promoted(where, tensor_of(where, names[0], x), tensor_of(where, names[1], y))
    check_broadcast(where, floating(where, names[0], a), b)
    return a, b


def at_least(x: Tensor, least: float) -> Tensor:
    """x, or `least` where it is smaller; the slope at `least` is 1, as of PyTorch's clamp."""
    return P.where(P.lt(x, least), x.array.dtype.type(least), x)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x₁·x₂ / (max(‖x₁‖, eps)·max(‖x₂‖, eps)) along `dim`; the shapes are broadcast."""
    a, b = two("cosine_similarity", x1, x2)
    shape = np.broadcast_shapes(a.array.shape, b.array.shape)
    d = wrap_dim(dim, len(shape), "cosine_similarity")
    if not shape:
        return P.mul(P.div(a, at_least(P.absolute(a), eps)), P.div(b, at_least(P.absolute(b), eps)))
    a, b = (P.expand(v, shape=shape) for v in (a, b))
    a, b = (P.div(v, at_least(norm(v, 2, d, True), eps)) for v in (a, b))
    return P.sum_(P.mul(a, b), axes=(d,))


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """‖x₁ − x₂ + eps‖_p along the last dimension; the shapes are broadcast."""
    a, b = two("pairwise_distance", x1, x2)
    if not a.ndim and not b.ndim:
        raise ShapeError("pairwise_distance: expected vectors, got two 0-d tensors")
    return norm(P.add(P.sub(a, b), eps), p, -1, keepdim)


def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: None = None) -> Tensor:
    """x / max(‖x‖_p, eps) along `dim`."""
    x = floating("normalize", "input", input)
    if out is not None:
        raise NotImplementedError("normalize: out is not supported")
    wrap_dims(dim, x.ndim, "normalize")
    return P.div(x, at_least(norm(x, p, dim, True), eps))


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """‖xᵢ − xⱼ‖_p of all pairs i < j of the rows of (N, M): (N(N − 1)/2,)."""
    x = floating("pdist", "input", input)
    if x.ndim != 2:
        raise ShapeError(f"pdist: expected a matrix, got shape {tuple(x.array.shape)}")
    if not p >= 0:
        raise OptionError(f"pdist: p must be ≥ 0, got {p}")
    i, j = np.triu_indices(x.array.shape[0], 1)
    gap = P.sub(P.index(x, index=(i,)), P.index(x, index=(j,)))
    return norm(gap, p, -1) if gap.array.size else P.sum_(gap, axes=(1,))
