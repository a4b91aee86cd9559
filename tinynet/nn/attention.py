"""Attention layers: of several heads (Vaswani et al.), and additive (Bahdanau et al.)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._tensor import Tensor
from ..errors import OptionError, ShapeError
from ..ops import creation
from ..ops import primitives as P
from ..ops.attention import masked_softmax
from ..ops.checks import floating
from ..ops.multi_head_attention import multi_head_attention_forward
from . import init
from .linear import Linear
from .module import Module
from .parameter import Parameter


class NonDynamicallyQuantizableLinear(Linear):
    """A Linear, under the name that PyTorch gives this one."""


class MultiheadAttention(Module):
    """MultiHead(Q, K, V) = Concat(head₁, …, headₕ) Wᴼ + b, headᵢ = attention(Q Wᵢ^Q, K Wᵢ^K, V Wᵢ^V).

    embed_dim      features of the queries and of the result; each head has embed_dim/num_heads of them
    dropout        probability of dropping a weight, in training
    add_bias_kv    one more key and value for all, which are learned
    add_zero_attn  one more key and value, of zeros
    kdim, vdim     features of keys and values; embed_dim by default
    batch_first    whether the batch is the first dimension, not the second

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0 or embed_dim % num_heads:
            raise OptionError(
                f"MultiheadAttention: embed_dim must be a positive multiple of num_heads, got {embed_dim} and {num_heads}"
            )
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn

        def parameter(made: bool, *shape: int) -> Parameter | None:
            return Parameter(creation.empty(*shape, device=device, dtype=dtype)) if made else None

        packed = self._qkv_same_embed_dim
        if packed:
            self.register_parameter("in_proj_weight", parameter(True, 3 * embed_dim, embed_dim))
        for name, size in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            self.register_parameter(f"{name}_proj_weight", parameter(not packed, embed_dim, size))
        if not packed:
            self.register_parameter("in_proj_weight", None)
        self.register_parameter("in_proj_bias", parameter(bias, 3 * embed_dim))
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self.register_parameter("bias_k", parameter(add_bias_kv, 1, 1, embed_dim))
        self.register_parameter("bias_v", parameter(add_bias_kv, 1, 1, embed_dim))
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for w in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if w is not None:
                init.xavier_uniform_(w)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for b in (self.bias_k, self.bias_v):
            if b is not None:
                init.xavier_normal_(b)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(L, N, E), (S, N, kdim), (S, N, vdim) → (L, N, E) and the weights (N, L, S), or None unless needed.

        With batch_first (N, L, E) and so on; without a batch (L, E) and so on. Masks as in
        `functional.multi_head_attention_forward`: True is ignored. The weights cost an L × S array; without them the
        kernel runs, which needs none.
        """
        return multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias, self.bias_k,
            self.bias_v, self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias, self.training,
            key_padding_mask, need_weights, attn_mask, not self._qkv_same_embed_dim, self.q_proj_weight,
            self.k_proj_weight, self.v_proj_weight, average_attn_weights=average_attn_weights, is_causal=is_causal,
            _batch_first=self.batch_first,
        )  # fmt: skip


class AdditiveAttention(Module):
    """Y = softmax(S) V, Sᵢⱼ = vᵀ tanh(W_q qᵢ + W_k kⱼ): scores by a network of one hidden layer.

    query_dim, key_dim  features of the queries and of the keys
    hidden_dim          units of the hidden layer
    bias                whether the hidden layer has one

    Source: Bahdanau, Cho, Bengio, "Neural machine translation by jointly learning to align and translate", ICLR 2015.
    """

    def __init__(
        self, query_dim: int, key_dim: int, hidden_dim: int, bias: bool = False, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.query_dim, self.key_dim, self.hidden_dim = query_dim, key_dim, hidden_dim
        self.q_proj = Linear(query_dim, hidden_dim, bias=bias, device=device, dtype=dtype)
        self.k_proj = Linear(key_dim, hidden_dim, bias=False, device=device, dtype=dtype)
        self.score = Linear(hidden_dim, 1, bias=False, device=device, dtype=dtype)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(…, L, query_dim), (…, S, key_dim), (…, S, Ev) → (…, L, Ev) and the weights (…, L, S).

        value  the keys themselves by default
        mask   boolean, broadcastable to (…, L, S): True takes part; a query that may look at no key gets zeros
        """
        value = key if value is None else value
        for name, x in (("query", query), ("key", key), ("value", value)):
            if floating("AdditiveAttention", name, x).ndim < 2:
                raise ShapeError(f"AdditiveAttention: {name} must have at least 2 dimensions, got {tuple(x.shape)}")
        if key.shape[-2] != value.shape[-2]:
            raise ShapeError(
                f"AdditiveAttention: key {tuple(key.shape)} and value {tuple(value.shape)} differ in their length"
            )
        hidden = (self.q_proj(query).unsqueeze(-2) + self.k_proj(key).unsqueeze(-3)).tanh()
        scores = self.score(hidden).squeeze(-1)
        if mask is not None:
            if mask.array.dtype != np.bool_:
                raise OptionError(f"AdditiveAttention: mask must be boolean, got {mask.dtype}")
            scores = P.where(mask, scores, -np.inf)
        weights = masked_softmax(scores)
        return weights @ value, weights

    def extra_repr(self) -> str:
        """The sizes."""
        return f"query_dim={self.query_dim}, key_dim={self.key_dim}, hidden_dim={self.hidden_dim}"
