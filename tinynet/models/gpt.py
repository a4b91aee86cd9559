"""GPT: a decoder-only Transformer that predicts the next token.

Source: Radford et al., "Improving language understanding by generative pre-training", 2018, with the changes of Radford
et al., "Language models are unsupervised multitask learners" (GPT-2), 2019: the norms come first, one more stands at the
end, and what is added to the residual stream starts smaller.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import nn
from .._tensor import Tensor
from ..errors import OptionError, ShapeError, whole_number
from ..nn import functional as F
from .state import KeyValues, by_head, inference, joined, step_ids, token_ids


class CausalSelfAttention(nn.Module):
    """Attention (E21) of each position to itself and those before it: concat(head₁, …) Wᴼ + b, by heads of E/H features.

    qkv      the projections of queries, keys and values in one affine layer
    project  Wᴼ

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, E) → the same shape."""
        n, t, width = x.shape
        q, k, v = (
            part.reshape(n, t, self.heads, width // self.heads).transpose(1, 2) for part in self.qkv(x).chunk(3, -1)
        )
        y = F.scaled_dot_product_attention(q, k, v, None, self.dropout if self.training else 0.0, is_causal=True)
        return self.project(y.transpose(1, 2).reshape(n, t, width))

    def step(self, x: Tensor, past: KeyValues) -> tuple[Tensor, KeyValues]:
        """The same for positions (N, t, E) after those whose keys and values are kept; and those with theirs."""
        y, past = past.attend(*by_head(self.qkv(x).array, 3, self.heads))
        return self.project(joined(y)), past


class Block(nn.Module):
    """x ← x + attention(norm(x)), x ← x + W₂ gelu(W₁ norm(x)); dropout on both terms that are added."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = CausalSelfAttention(width, heads, dropout)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, E) → the same shape."""
        return self._network(x + self.dropout(self.attention(self.norm1(x))))

    def step(self, x: Tensor, past: KeyValues) -> tuple[Tensor, KeyValues]:
        """The same for positions after those whose keys and values are kept; and those with theirs."""
        y, past = self.attention.step(self.norm1(x), past)
        return self._network(x + y), past

    def _network(self, x: Tensor) -> Tensor:
        y = self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))
        return x + self.dropout(y)


class GPT(nn.Module):
    """Token and position vectors (E22), blocks of attention (E21) and a network for each position, a norm, logits.

    vocab    tokens that there are (V)
    context  positions that there are: the longest sequence
    layers   blocks
    width    features (E) of a position, a multiple of `heads`
    dropout  in training: of the sum of the vectors, of attention weights, and of what blocks add
    tied     whether the logits are products with the token vectors, not with a matrix of their own (Press and Wolf, 2017)

    Weights start from N(0, 0.02²), those that end in the residual stream from N(0, 0.02²/(2·layers)), biases from 0.
    """

    def __init__(
        self, vocab: int, context: int, layers: int, width: int, heads: int, dropout: float = 0.0, tied: bool = True
    ) -> None:
        super().__init__()
        sizes = {"vocab": vocab, "context": context, "layers": layers, "width": width, "heads": heads}
        for name, size in sizes.items():
            whole_number("GPT", name, size, 1)
        if width % heads:
            raise OptionError(f"GPT: width must be a multiple of heads, got {width} and {heads}")
        self.vocab, self.context, self.layers, self.width, self.heads = vocab, context, layers, width, heads
        self.tied = tied
        self.tokens = nn.Embedding(vocab, width)
        self.positions = nn.Embedding(context, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList([Block(width, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = None if tied else nn.Linear(width, vocab, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        for name, p in self.named_parameters():
            if p.ndim == 2:
                added = name.endswith(("project.weight", "down.weight"))
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * self.layers) if added else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)
            else:
                nn.init.ones_(p)

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids (N, T), T ≤ context → logits (N, T, V): at t, of the token at t + 1."""
        x = self._embed(token_ids("GPT", "ids", ids), 0)
        for block in self.blocks:
            x = block(x)
        return self._logits(x)

    @inference
    def step(self, ids: Tensor, state: tuple[KeyValues, ...] | None = None) -> tuple[Tensor, tuple[KeyValues, ...]]:
        """Ids (N, t) after those in `state` → logits (N, V) of the next token, and the state: keys and values by layer.

        One step looks at the past through the keys and values that are kept, so it costs O(S) and not O(S²). Raises
        ShapeError where the positions would not fit into the context.
        """
        past = state or (KeyValues(),) * self.layers
        x = self._embed(step_ids("GPT.step", ids), past[0].length)
        after = []
        for block, before in zip(self.blocks, past, strict=True):
            x, kept = block.step(x, before)
            after.append(kept)
        return self._logits(x[:, -1]), tuple(after)

    def reorder(self, state: tuple[KeyValues, ...], index: Any) -> tuple[KeyValues, ...]:
        """The state of the rows `index` of the batch."""
        return tuple(layer.reorder(np.asarray(index)) for layer in state)

    def _embed(self, ids: Tensor, start: int) -> Tensor:
        end = start + ids.shape[1]
        if end > self.context:
            raise ShapeError(f"GPT: {end} positions do not fit into the context of {self.context}")
        return self.dropout(self.tokens(ids) + self.positions.weight[start:end])

    def _logits(self, x: Tensor) -> Tensor:
        return F.linear(self.norm(x), self.tokens.weight if self.head is None else self.head.weight)
