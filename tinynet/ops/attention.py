"""Scaled dot-product attention: each query's average of the values, weighted by how well their keys fit it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .. import dtypes
from .._tensor import Tensor, new_tensor
from ..autograd.fused import Fused
from ..errors import DtypeError, OptionError, ShapeError
from ..random import current_generator, philox
from . import primitives as P
from .checks import same_dtype, tensor_of

Array = np.ndarray[Any, Any]
Ints = tuple[int, ...]
Bits = tuple[int, int, int]  # the key and the first counter of random words, and the least word that is kept


def attention_definition(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, *, scale: float, causal: bool, p: float, bits: Bits | None
) -> Tensor:
    """Y = dropout(softmax(scale·Q Kᵀ + mask)) V, over the keys; a query that may look at no key gets 0.

    q (…, L, E), k (…, S, E), v (…, S, Ev), mask broadcastable to (…, L, S) and added; leading axes are broadcast. Causal:
    query i looks at the keys 0 … i alone.
    """
    a = attention_weights(q, k, mask, scale=scale, causal=causal)
    if bits is not None:
        batch = np.broadcast_shapes(a.array.shape[:-2], v.array.shape[:-2])
        a = P.expand(a, shape=(*batch, *a.array.shape[-2:]))
        a = P.mul(P.where(dropout_mask(a.array.shape, bits), a, 0), 0.0 if p == 1.0 else 1.0 / (1.0 - p))
    return P.matmul(a, v)


def attention_weights(q: Tensor, k: Tensor, mask: Tensor | None, *, scale: float, causal: bool) -> Tensor:
    """A = softmax(scale·Q Kᵀ + mask) over the keys; a row without a key that counts is 0, and so is its gradient."""
    s = P.matmul(P.mul(q, scale), P.swap(k))
    if mask is not None:
        s = P.add(s, mask)
    rows, columns = s.array.shape[-2:]
    if causal:
        s = P.where(np.tri(rows, columns, dtype=np.bool_), s, -np.inf)
    return masked_softmax(s)


def masked_softmax(s: Tensor) -> Tensor:
    """softmax over the last axis; a row of −∞ alone is 0, and so is its gradient."""
    dead = np.all(s.array == -np.inf, axis=-1, keepdims=True)
    if not dead.any():
        return P.softmax(s, axis=s.ndim - 1)
    return P.where(dead, 0, P.softmax(P.where(dead, 0, s), axis=s.ndim - 1))


def dropout_mask(shape: tuple[int, ...], bits: Bits) -> Array:
    """Which elements are kept, by their random words. Each row begins a new block of four words."""
    key, counter, least = bits
    columns = shape[-1]
    wide = -(-columns // 4) * 4
    words = philox(key, counter, math.prod(shape[:-1]) * wide).reshape(*shape[:-1], wide)
    return words[..., :columns] >= least


def _forward(
    q: Array, k: Array, v: Array, mask: Array | None, *, scale: float, causal: bool, p: float, bits: Bits | None
) -> tuple[Array, tuple[Array, Array]]:
    drop = None if bits is None else (*bits, p)
    y, lse = kernels_for(q, k, v).attention_forward(q, k, v, mask, scale=scale, causal=causal, dropout=drop)
    return y, (y, lse)


def _backward(
    dy: Array,
    inputs: list[Any],
    cache: tuple[Array, Array],
    needs: list[bool],
    *,
    scale: float,
    causal: bool,
    p: float,
    bits: Bits | None,
) -> list[Array | None]:
    drop = None if bits is None else (*bits, p)
    options: dict[str, Any] = {"scale": scale, "causal": causal, "dropout": drop, "grad_mask": needs[3]}
    return list(kernels_for(dy).attention_backward(dy, *inputs, *cache, **options))


_NAME = "scaled_dot_product_attention"
_attention = Fused(_NAME, attention_definition, _forward, _backward, holds_output=True)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Y = dropout(softmax(scale·Q Kᵀ + mask)) V, the softmax over the keys.

    query       (…, L, E)
    key         (…, S, E)
    value       (…, S, Ev); the leading axes of all three are broadcast
    attn_mask   broadcastable to (…, L, S): boolean (True takes part), or added to the scores; not with `is_causal`
    dropout_p   probability of dropping a weight; always applied: pass 0.0 outside training
    is_causal   query i looks at the keys 0 … i alone, whatever L and S
    scale       1/√E by default
    enable_gqa  key and value may have fewer heads (axis −3) than query: each serves a group of consecutive ones
    result      (…, L, Ev)

    A query that may look at no key gets zeros, and gives none but zero gradients. The kernel keeps no L × S array; a
    gradient of attn_mask needs one. Raises ShapeError, DtypeError or OptionError where the arguments do not fit.
    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017; grouped queries: Ainslie et al., EMNLP 2023.
    """
    same_dtype(_NAME, query=query, key=key, value=value)
    for name, x in (("query", query), ("key", key), ("value", value)):
        if x.ndim < 2:
            raise ShapeError(f"{_NAME}: {name} must have at least 2 dimensions, got shape {tuple(x.shape)}")
    if query.shape[-1] != key.shape[-1]:
        raise ShapeError(f"{_NAME}: query {tuple(query.shape)} and key {tuple(key.shape)} differ in their features")
    if key.shape[-2] != value.shape[-2]:
        raise ShapeError(f"{_NAME}: key {tuple(key.shape)} and value {tuple(value.shape)} differ in their length")
    if not 0.0 <= dropout_p <= 1.0:
        raise OptionError(f"{_NAME}: dropout_p must lie in [0, 1], got {dropout_p!r}")
    if attn_mask is not None and is_causal:
        raise OptionError(f"{_NAME}: attn_mask must be None where is_causal=True; put the causal part into the mask")
    lead = [x.array.shape[:-2] for x in (query, key, value)]
    if enable_gqa:
        lead[1:] = [(*n[:-1], lead[0][-1]) for n in _heads(*lead)[1:]]
    batch = _broadcast(query, key, value, lead)
    shape = (*batch, query.array.shape[-2], key.array.shape[-2])
    mask = None if attn_mask is None else additive(_NAME, "attn_mask", attn_mask, query)
    if mask is not None and not _fits(mask.array.shape, shape):
        raise ShapeError(f"{_NAME}: attn_mask of shape {tuple(mask.shape)} cannot be broadcast to {shape}")
    bits = None
    if dropout_p > 0.0:
        least = math.ceil(float(np.float32(dropout_p)) * 2**24) << 8  # the numbers w·2⁻²⁴ ≥ p, w a word's upper 24 bits
        bits = (*current_generator().reserve(math.prod(shape[:-1]) * -(-shape[-1] // 4) * 4), least)
    if scale is None:
        scale = 1.0 / math.sqrt(query.array.shape[-1] or 1)
    if enable_gqa:
        query, key, value, mask = _grouped(query, key, value, mask)
    y = _attention(query, key, value, mask, scale=float(scale), causal=bool(is_causal), p=float(dropout_p), bits=bits)
    return P.reshape(y, shape=(*shape[:-1], value.array.shape[-1])) if enable_gqa else y


def _heads(q: Ints, k: Ints, v: Ints) -> list[Ints]:
    """The leading axes of query, key and value, of which the last are heads that divide the query's."""
    for name, lead in (("query", q), ("key", k), ("value", v)):
        if not lead:
            raise ShapeError(f"{_NAME}: enable_gqa=True needs an axis of heads, {name} has 2 dimensions")
        if lead[-1] == 0 or q[-1] % lead[-1]:
            raise ShapeError(f"{_NAME}: the {lead[-1]} heads of {name} do not divide the {q[-1]} of query")
    return [q, k, v]


def _broadcast(query: Tensor, key: Tensor, value: Tensor, lead: list[Ints]) -> Ints:
    try:
        return np.broadcast_shapes(*lead)
    except ValueError:
        shapes = ", ".join(str(tuple(x.shape)) for x in (query, key, value))
        raise ShapeError(f"{_NAME}: the leading axes of query, key and value, {shapes}, do not fit together") from None


def additive(where: str, name: str, mask: Any, query: Tensor) -> Tensor:
    """The mask as what is added to the scores: 0 where a boolean one is True, −∞ elsewhere."""
    dtype = query.array.dtype
    if tensor_of(where, name, mask).array.dtype == np.bool_:
        return new_tensor(np.where(mask.array, dtype.type(0), dtype.type(-np.inf)))
    if mask.array.dtype == dtype:
        return mask
    if mask.array.dtype != np.float32:
        raise DtypeError(f"{where}: {name} must be boolean, float32 or of query's {query.dtype}, got {mask.dtype}")
    return mask if dtype in dtypes.HALVES else P.cast(mask, dtype=dtype)


def _fits(shape: Ints, target: Ints) -> bool:
    """Whether an array of `shape` can be broadcast to `target`."""
    tail = target[len(target) - len(shape) :]
    return len(shape) <= len(target) and all(n in (1, m) for n, m in zip(shape, tail, strict=True))


def _grouped(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Heads as (heads of key, queries' heads for each): then groups are broadcast like any other axis."""
    all_heads, heads = q.array.shape[-3], k.array.shape[-3]
    if heads != v.array.shape[-3]:
        k, v, heads = _repeated(k, all_heads), _repeated(v, all_heads), all_heads

    def split(x: Tensor) -> Tensor:
        n = x.array.shape[-3]
        pair = (1, 1) if n == 1 else (heads, n // heads)
        return P.reshape(x, shape=(*x.array.shape[:-3], *pair, *x.array.shape[-2:]))

    return split(q), split(k), split(v), split(mask) if mask is not None and mask.ndim > 2 else mask


def _repeated(x: Tensor, heads: int) -> Tensor:
    """Each head several times in a row, until there are `heads`."""
    lead, n, tail = x.array.shape[:-3], x.array.shape[-3], x.array.shape[-2:]
    x = P.expand(P.reshape(x, shape=(*lead, n, 1, *tail)), shape=(*lead, n, heads // n, *tail))
    return P.reshape(x, shape=(*lead, heads, *tail))
