"""Multi-head attention: projections, attention of each head, and a projection of all heads together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor
from ..errors import OptionError, ShapeError
from . import primitives as P
from .attention import additive, attention_weights, scaled_dot_product_attention
from .checks import same_dtype, tensor_of
from .dropout import dropout
from .linear import linear
from .reduction import mean
from .shape import cat, pad

_NAME = "multi_head_attention_forward"


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
    _batch_first: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """MultiHead(Q, K, V) = Concat(head₁, …, headₕ) Wᴼ + b, headᵢ = attention(Q Wᵢ^Q, K Wᵢ^K, V Wᵢ^V).

    query             (L, N, E), or (L, E) without a batch
    key, value        (S, N, Ek), (S, N, Ev); E unless use_separate_proj_weight
    in_proj_weight    (3E, E): the projections of query, key and value below each other; or q_, k_ and v_proj_weight
    bias_k, bias_v    (1, 1, E): one more key and value for all
    add_zero_attn     one more key and value, of zeros
    key_padding_mask  (N, S): True is ignored, or added to the scores
    attn_mask         (L, S) or (N·heads, L, S): True is ignored, or added to the scores
    static_k, v       (N·heads, S, E/heads) in place of the projected keys and values
    is_causal         says that attn_mask is the causal one, which then need not be read
    result            (L, N, E), and the weights (N, L, S) of the heads' average, or (N, heads, L, S); None unless needed

    Weights are returned as they are used: after dropout. A query that may look at no key has weights of 0. Raises
    ShapeError, DtypeError or OptionError where the arguments do not fit. Source: Vaswani et al., NeurIPS 2017.
    """
    same_dtype(
        _NAME, query=query, key=key, value=value, in_proj_weight=in_proj_weight, in_proj_bias=in_proj_bias,
        bias_k=bias_k, bias_v=bias_v, out_proj_weight=out_proj_weight, out_proj_bias=out_proj_bias,
        q_proj_weight=q_proj_weight, k_proj_weight=k_proj_weight, v_proj_weight=v_proj_weight, static_k=static_k,
        static_v=static_v,
    )  # fmt: skip
    single = query.ndim == 2
    _check_ranks(query, key, value, key_padding_mask, attn_mask)
    if is_causal and attn_mask is None:
        raise OptionError(f"{_NAME}: is_causal=True is a hint about attn_mask, which is None")
    axis = 0 if _batch_first or single else 1
    if single:
        query, key, value = (P.reshape(x, shape=(1, *x.array.shape)) for x in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    n, length, width = query.array.shape[axis], query.array.shape[1 - axis], query.array.shape[2]
    if width != embed_dim_to_check or num_heads < 1 or width % num_heads:
        raise ShapeError(f"{_NAME}: query has {width} features, expected {embed_dim_to_check} for {num_heads} heads")
    if key.array.shape[:2] != value.array.shape[:2] or key.array.shape[axis] != n:
        raise ShapeError(
            f"{_NAME}: query {tuple(query.shape)}, key {tuple(key.shape)} and value {tuple(value.shape)} do not agree"
        )
    weights = (
        (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else _thirds(in_proj_weight, width)
    )
    biases = _thirds(in_proj_bias, width) if in_proj_bias is not None else (None, None, None)
    projected = []
    for name, x, w, b in zip("qkv", (query, key, value), weights, biases, strict=True):
        if w is None:
            raise OptionError(f"{_NAME}: the weight of the projection {name} is None")
        projected.append(linear(x, w, b))
    q, k, v = projected
    masks = [attn_mask, key_padding_mask]
    if bias_k is not None or bias_v is not None:
        if bias_k is None or bias_v is None or static_k is not None or static_v is not None:
            raise OptionError(f"{_NAME}: bias_k and bias_v come together, and not with static keys or values")
        k, v = (_appended(x, b, axis) for x, b in ((k, bias_k), (v, bias_v)))
    heads = (n, num_heads, width // num_heads)
    q = _by_head(q, axis, heads)
    k = _by_head(k, axis, heads) if static_k is None else _static("static_k", static_k, heads)
    v = _by_head(v, axis, heads) if static_v is None else _static("static_v", static_v, heads)
    if add_zero_attn:
        zeros = new_tensor(np.zeros((n, num_heads, 1, heads[2]), q.array.dtype))
        k, v = cat([k, zeros], 2), cat([v, zeros], 2)
    added = k.array.shape[2] - (key.array.shape[1 - axis] if static_k is None else static_k.array.shape[1])
    p = dropout_p if training else 0.0
    if is_causal and key_padding_mask is None and not need_weights and not added:
        return _joined(
            scaled_dot_product_attention(q, k, v, None, p, True), axis, single, out_proj_weight, out_proj_bias
        ), None
    mask = _merged(query, masks, (n, num_heads, length, k.array.shape[2]), added)
    if not need_weights:
        y = scaled_dot_product_attention(q, k, v, mask, p)
        return _joined(y, axis, single, out_proj_weight, out_proj_bias), None
    a = attention_weights(q, k, mask, scale=1.0 / math.sqrt(heads[2]), causal=False)
    a = dropout(a, p)
    y = _joined(P.matmul(a, v), axis, single, out_proj_weight, out_proj_bias)
    shown = mean(a, 1) if average_attn_weights else a
    return y, P.reshape(shown, shape=shown.array.shape[1:]) if single else shown


def _check_ranks(query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None) -> None:
    rank = query.ndim
    if rank not in (2, 3) or key.ndim != rank or value.ndim != rank:
        shapes = ", ".join(str(tuple(x.shape)) for x in (query, key, value))
        raise ShapeError(
            f"{_NAME}: query, key and value must all have 3 dimensions, or 2 without a batch; got {shapes}"
        )
    if padding is not None and tensor_of(_NAME, "key_padding_mask", padding).ndim != rank - 1:
        raise ShapeError(f"{_NAME}: key_padding_mask must have {rank - 1} dimensions, got {tuple(padding.shape)}")
    if mask is not None and tensor_of(_NAME, "attn_mask", mask).ndim not in (2, 3):
        raise ShapeError(f"{_NAME}: attn_mask must have 2 or 3 dimensions, got {tuple(mask.shape)}")


def _thirds(w: Tensor | None, width: int) -> tuple[Tensor | None, ...]:
    if w is None:
        return None, None, None
    if w.array.shape[0] != 3 * width:
        raise ShapeError(f"{_NAME}: the packed projections must have {3 * width} rows, got shape {tuple(w.shape)}")
    return tuple(w[i * width : (i + 1) * width] for i in range(3))


def _appended(x: Tensor, b: Tensor, axis: int) -> Tensor:
    """x with b (1, 1, E) at the end of the sequence."""
    shape = list(x.array.shape)
    shape[1 - axis] = 1
    return cat([x, P.expand(b, shape=tuple(shape))], 1 - axis)


def _by_head(x: Tensor, axis: int, heads: tuple[int, int, int]) -> Tensor:
    """(N, S, E) or (S, N, E) as (N, heads, S, E/heads)."""
    x = P.reshape(x, shape=(*x.array.shape[:2], *heads[1:]))
    return P.permute(x, axes=(0, 2, 1, 3) if axis == 0 else (1, 2, 0, 3))


def _static(name: str, x: Tensor, heads: tuple[int, int, int]) -> Tensor:
    n, h, size = heads
    if x.ndim != 3 or x.array.shape[0] != n * h or x.array.shape[2] != size:
        raise ShapeError(f"{_NAME}: {name} must have shape ({n * h}, S, {size}), got {tuple(x.shape)}")
    return P.reshape(x, shape=(n, h, x.array.shape[1], size))


def _merged(query: Tensor, masks: list[Tensor | None], shape: tuple[int, int, int, int], added: int) -> Tensor | None:
    """Both masks as one that is added to the scores (N, heads, L, S); all may look at the `added` keys at the end."""
    n, h, length, keys = shape
    own = keys - added
    total: Tensor | None = None
    for name, mask in zip(("attn_mask", "key_padding_mask"), masks, strict=True):
        if mask is None:
            continue
        expected: list[tuple[int, ...]] = (
            [(n, own)] if name == "key_padding_mask" else [(length, own), (n * h, length, own)]
        )
        if mask.array.shape not in expected:
            shapes = " or ".join(map(str, expected))
            raise ShapeError(f"{_NAME}: {name} must have shape {shapes}, got {tuple(mask.shape)}")
        mask = additive(_NAME, name, ~mask if mask.array.dtype == np.bool_ else mask, query)
        if added:
            mask = pad(mask, (0, added))
        lead = (n, 1, 1) if name == "key_padding_mask" else (1, 1, length) if mask.ndim == 2 else (n, h, length)
        mask = P.reshape(mask, shape=(*lead, keys))
        total = mask if total is None else P.add(total, mask)
    return total


def _joined(y: Tensor, axis: int, single: bool, w: Tensor, b: Any) -> Tensor:
    """The heads (N, heads, L, E/heads) side by side, projected."""
    _, h, length, size = y.array.shape
    y = P.permute(y, axes=(0, 2, 1, 3) if axis == 0 else (2, 0, 1, 3))
    y = P.reshape(y, shape=(length, h * size) if single else (*y.array.shape[:2], h * size))
    return linear(y, w, b)
