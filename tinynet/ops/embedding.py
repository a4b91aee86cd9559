"""Embedding: rows of a table by number."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor
from ..autograd.fused import Fused
from ..errors import RangeError, ShapeError
from . import primitives as P
from .checks import floating, integer

Array = np.ndarray[Any, Any]


def embedding_definition(w: Tensor, index: Tensor, *, padding_idx: int | None, scale_grad_by_freq: bool) -> Tensor:
    """y = w[index]; the row `padding_idx` gets no gradient; by frequency, each use of a row counts 1/uses."""
    k = index.array.astype(np.int64)
    y = P.index(w, index=(k,))
    if scale_grad_by_freq:
        uses = np.bincount(k.reshape(-1), minlength=w.array.shape[0])[k][..., None]
        y = _weighted(y, 1.0 / np.maximum(uses, 1))
    if padding_idx is not None:
        y = P.where((k == padding_idx)[..., None], y.detach(), y)
    return y


def _weighted(y: Tensor, weight: Array) -> Tensor:
    """y, whose gradient is multiplied by `weight`."""
    scaled = P.mul(y, weight.astype(y.array.dtype))
    return P.add(scaled, P.sub(y, scaled).detach())


def _forward(w: Array, index: Array, **options: Any) -> tuple[Array, None]:
    return kernels_for(w).embedding_forward(w, index), None


def _backward(
    dy: Array, inputs: list[Any], cache: None, needs: list[bool], *, padding_idx: int | None, scale_grad_by_freq: bool
) -> list[Array | None]:
    w, index = inputs
    dw = kernels_for(dy).embedding_backward(
        dy, index, num_embeddings=w.shape[0], padding_idx=padding_idx, scale_grad_by_freq=scale_grad_by_freq
    )
    return [dw, None]


_embedding = Fused("embedding", embedding_definition, _forward, _backward)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of `weight` (V, E) by the integers in `input` (…): result (…, E). Raises RangeError outside 0 … V−1."""
    index, w = integer("embedding", "input", input), floating("embedding", "weight", weight)
    if max_norm is not None:
        raise NotImplementedError("embedding: max_norm is not supported; renormalise the weight under no_grad")
    if sparse:
        raise NotImplementedError("embedding: sparse=True is not supported; gradients are dense")
    if w.ndim != 2:
        raise ShapeError(f"embedding: weight must be (num_embeddings, embedding_dim), got shape {tuple(w.array.shape)}")
    n, k = w.array.shape[0], index.array
    if k.size and (k.min() < 0 or k.max() >= n):
        raise RangeError(f"embedding: index {k.min() if k.min() < 0 else k.max()} is outside 0 … {n - 1}")
    if padding_idx is not None:
        if not -n <= padding_idx < n:
            raise RangeError(f"embedding: padding_idx {padding_idx} is outside the {n} rows of weight")
        padding_idx %= n
    return _embedding(w, index, padding_idx=padding_idx, scale_grad_by_freq=scale_grad_by_freq)
