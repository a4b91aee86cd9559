"""Embedding: rows of a table by number."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor, new_tensor
from ..autograd.fused import Fused
from ..errors import OptionError, RangeError, ShapeError
from . import primitives as P
from .checks import floating, integer, one_of, same_dtype

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


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or largest elements of the rows of `weight` (V, E) that each bag of integers names: (B, E).

    input                (B, N): a row a bag; or (N,) with `offsets` (B,), at which the bags begin
    mode                 "sum", "mean" or "max"; a bag of nothing gives zeros
    per_sample_weights   of the input's shape: factors of the rows, for "sum" alone
    include_last_offset  the last of `offsets` is the end of the last bag
    padding_idx          a number that counts for nothing

    Raises ShapeError, OptionError, RangeError.
    """
    where = "embedding_bag"
    if all(isinstance(t, Tensor) for t in (input, weight)) and input.is_floating_point() > weight.is_floating_point():
        input, weight = weight, input  # an old order of the two, which PyTorch takes too
    index, w = integer(where, "input", input), floating(where, "weight", weight)
    one_of(where, "mode", mode, "sum", "mean", "max")
    if w.ndim != 2:
        raise ShapeError(f"{where}: weight must be (num_embeddings, embedding_dim), got shape {tuple(w.array.shape)}")
    if mode == "max" and scale_grad_by_freq:
        raise OptionError(f"{where}: scale_grad_by_freq is not for mode 'max'")
    if max_norm is not None:
        raise NotImplementedError(f"{where}: max_norm is not supported; renormalise the weight under no_grad")
    if sparse:
        raise NotImplementedError(f"{where}: sparse=True is not supported; gradients are dense")
    if per_sample_weights is not None:
        same_dtype(where, weight=w, per_sample_weights=per_sample_weights)
        if mode != "sum":
            raise NotImplementedError(f"{where}: per_sample_weights needs mode 'sum', got {mode!r}")
        if per_sample_weights.array.shape != index.array.shape:
            raise ShapeError(
                f"{where}: per_sample_weights has shape {tuple(per_sample_weights.array.shape)}, input "
                f"{tuple(index.array.shape)}"
            )
    bags, bag = _bags(where, index.array, offsets, include_last_offset)
    k, rows = index.array.reshape(-1), w.array.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise RangeError(f"{where}: padding_idx {padding_idx} is outside the {rows} rows of weight")
        padding_idx %= rows
    if k.size and (k.min() < 0 or k.max() >= rows):
        raise RangeError(f"{where}: index {k.min() if k.min() < 0 else k.max()} is outside 0 … {rows - 1}")
    used = np.flatnonzero((bag < bags) & (k != (-1 if padding_idx is None else padding_idx)))
    if used.size < k.size:
        k, bag = k[used], bag[used]
    if mode == "max":
        return _largest(w, k, bag, bags)
    y = embedding(new_tensor(k), w, scale_grad_by_freq=scale_grad_by_freq)
    if per_sample_weights is not None:
        factors = P.index(P.reshape(per_sample_weights, shape=(-1,)), index=(used,))
        y = P.mul(y, P.reshape(factors, shape=(used.size, 1)))
    width = w.array.shape[1]
    if index.ndim == 2 and used.size == index.array.size:  # bags of one size, all of them used
        y = P.sum_(P.reshape(y, shape=(*index.array.shape, width)), axes=(1,))
    else:
        y = P.unindex(y, index=(bag,), source=(bags, width))
    counts = np.maximum(np.bincount(bag, minlength=bags), 1)[:, None]
    return P.div(y, counts.astype(y.array.dtype)) if mode == "mean" else y


def _bags(where: str, index: Array, offsets: Tensor | None, include_last: bool) -> tuple[int, Array]:
    """How many bags there are, and the bag of each number; what lies behind the last bag has a bag too many."""
    if index.ndim not in (1, 2):
        raise ShapeError(f"{where}: input must have 1 or 2 dimensions, got shape {tuple(index.shape)}")
    if index.ndim == 2:
        if offsets is not None:
            raise ShapeError(
                f"{where}: offsets must be None for input of shape {tuple(index.shape)}: its rows are bags"
            )
        return index.shape[0], np.repeat(np.arange(index.shape[0]), index.shape[1])
    if offsets is None:
        raise ShapeError(f"{where}: offsets must be given for input of shape {tuple(index.shape)}")
    starts = integer(where, "offsets", offsets).array
    if starts.ndim != 1:
        raise ShapeError(f"{where}: offsets must have 1 dimension, got shape {tuple(starts.shape)}")
    if include_last and not starts.size:
        raise ShapeError(f"{where}: include_last_offset needs at least one of offsets")
    if starts.size and (starts[0] != 0 or starts[-1] > index.size or (np.diff(starts) < 0).any()):
        raise OptionError(f"{where}: offsets must rise from 0 to at most {index.size}, got {starts.tolist()}")
    return starts.size - bool(include_last), np.searchsorted(starts, np.arange(index.size), side="right") - 1


def _largest(w: Tensor, k: Array, bag: Array, bags: int) -> Tensor:
    """The largest elements of each bag's rows, of equal ones the first; NaN wins."""
    counts, width = np.bincount(bag, minlength=bags), w.array.shape[1]
    place = np.arange(k.size) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((bags, int(counts.max(initial=0)) + 1), -1)
    table[bag, place] = k
    if not k.size:
        return P.unindex(P.index(w, index=(k,)), index=(bag,), source=(bags, width))
    seen = np.where((table >= 0)[..., None], w.array[np.maximum(table, 0)], w.array.dtype.type(-np.inf))
    best = np.take_along_axis(table, np.argmax(seen, axis=1), axis=1)
    y = P.index(w, index=(np.maximum(best, 0), np.arange(width)))
    return P.where((counts == 0)[:, None], w.array.dtype.type(0), y)
