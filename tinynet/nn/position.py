"""Where in a sequence: encodings that are added, rotations of queries and keys, and biases of the scores.

PyTorch has no such layers. All count positions from `start` on, so that a sequence can be continued.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor
from ..dtypes import as_dtype, get_default_dtype
from ..errors import OptionError, ShapeError
from ..ops import creation
from ..ops import primitives as P
from ..ops.checks import floating
from . import init
from .module import Module
from .normalization import Dropout
from .parameter import Parameter

Array = np.ndarray[Any, Any]


class _Added(Module):
    """x + table[start … start + L − 1], then dropout."""

    def __init__(self, d_model: int, max_len: int, dropout: float, batch_first: bool) -> None:
        super().__init__()
        if d_model < 1 or max_len < 1:
            raise OptionError(f"{type(self).__name__}: sizes must be ≥ 1, got d_model {d_model} and max_len {max_len}")
        self.d_model, self.max_len, self.batch_first = d_model, max_len, batch_first
        self.dropout = Dropout(dropout)

    def _table(self) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """(L, N, E), with batch_first (N, L, E), or (L, E) → the same shape; the first element is at `start`."""
        name = type(self).__name__
        if floating(name, "x", x).ndim not in (2, 3) or x.shape[-1] != self.d_model:
            raise ShapeError(f"{name}: x must be (L, N, {self.d_model}) or (L, {self.d_model}), got {tuple(x.shape)}")
        last = x.ndim == 2 or self.batch_first
        length = x.shape[-2] if last else x.shape[0]
        if start < 0 or start + length > self.max_len:
            raise ShapeError(f"{name}: positions {start} … {start + length - 1} are outside the table's {self.max_len}")
        part = self._table()[start : start + length].to(x.dtype)
        return self.dropout(x + (part if last else part.unsqueeze(1)))

    def extra_repr(self) -> str:
        """The sizes."""
        return f"d_model={self.d_model}, max_len={self.max_len}, batch_first={self.batch_first}"


class SinusoidalPositionalEncoding(_Added):
    """x + PE, PE[t, 2i] = sin(t/10000^(2i/E)), PE[t, 2i + 1] = cos(t/10000^(2i/E)); no parameters, nothing saved.

    d_model      E
    max_len      how many positions there are
    dropout      of the sum, in training
    batch_first  whether the batch is the first dimension, not the second

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5.
    """

    def __init__(
        self,
        d_model: int,
        max_len: int = 5000,
        dropout: float = 0.0,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(d_model, max_len, dropout, batch_first)
        angles = _angles(np.arange(max_len), d_model, 10000.0)
        table = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(max_len, -1)[:, :d_model]
        self.register_buffer("table", _made(table, dtype, device), persistent=False)

    def _table(self) -> Tensor:
        return self.table


class LearnedPositionalEncoding(_Added):
    """x + W[t]: a vector for each position, learned; W from N(0, 0.02²). Options as of SinusoidalPositionalEncoding.

    Source: Gehring et al., "Convolutional sequence to sequence learning", ICML 2017.
    """

    def __init__(
        self,
        d_model: int,
        max_len: int,
        dropout: float = 0.0,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(d_model, max_len, dropout, batch_first)
        self.weight = Parameter(creation.empty(max_len, d_model, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        init.normal_(self.weight, std=0.02)

    def _table(self) -> Tensor:
        return self.weight


def apply_rotary(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool = True) -> Tensor:
    """Rotate pairs of features: (a, b) → (a·cos − b·sin, a·sin + b·cos).

    x            (…, L, E), of which the first 2R features turn and the others stay
    cos, sin     of the angles, broadcastable to (…, L, R)
    interleaved  whether a pair is (2i, 2i + 1), as in the paper, or (i, i + R)

    Source: Su et al., "RoFormer: enhanced Transformer with rotary position embedding", arXiv:2104.09864, 2021.
    """
    r = cos.shape[-1] if cos.ndim else 0
    if floating("apply_rotary", "x", x).ndim < 1 or cos.shape != sin.shape or 2 * r > x.shape[-1]:
        raise ShapeError(
            f"apply_rotary: cos {tuple(cos.shape)} and sin {tuple(sin.shape)} do not fit x of shape {tuple(x.shape)}"
        )
    turned = x[..., : 2 * r]
    if interleaved:
        a, b = turned[..., 0::2], turned[..., 1::2]
    else:
        a, b = turned[..., :r], turned[..., r:]
    y = (a * cos - b * sin, a * sin + b * cos)
    axis = y[0].ndim if interleaved else y[0].ndim - 1
    shape = (*y[0].shape, 1) if interleaved else tuple(y[0].shape)
    parts = [P.reshape(v, shape=shape) for v in y]
    joined = P.cat(*parts, axis=axis, sizes=(shape[axis],) * 2)
    joined = P.reshape(joined, shape=(*y[0].shape[:-1], 2 * r))
    if 2 * r == x.shape[-1]:
        return joined
    rest = x[..., 2 * r :]
    return P.cat(joined, rest, axis=x.ndim - 1, sizes=(2 * r, rest.shape[-1]))


class RotaryEmbedding(Module):
    """Turns the pair i of the features of position t by the angle t·base^(−2i/dim): q·k then depends on distances alone.

    dim          how many features turn (even); further ones stay
    interleaved  whether a pair is (2i, 2i + 1), as in the paper, or (i, i + dim/2)

    Apply it to queries and keys, by head, before attention. Source: Su et al., arXiv:2104.09864, 2021.
    """

    def __init__(self, dim: int, base: float = 10000.0, interleaved: bool = True) -> None:
        super().__init__()
        if dim < 2 or dim % 2:
            raise OptionError(f"RotaryEmbedding: dim must be even and ≥ 2, got {dim}")
        self.dim, self.base, self.interleaved = dim, base, interleaved

    def forward(self, x: Tensor, start: int = 0, positions: Tensor | None = None) -> Tensor:
        """(…, L, E) → the same shape; positions start, start + 1, …, or those given, broadcastable to (…, L)."""
        if floating("RotaryEmbedding", "x", x).ndim < 2 or x.shape[-1] < self.dim:
            raise ShapeError(f"RotaryEmbedding: x must be (…, L, at least {self.dim}), got {tuple(x.shape)}")
        t = np.arange(start, start + x.shape[-2]) if positions is None else positions.detach().numpy()
        angles = _angles(t, self.dim, self.base)
        cos, sin = (_made(f(angles), x.dtype, None) for f in (np.cos, np.sin))
        return apply_rotary(x, cos, sin, self.interleaved)

    def extra_repr(self) -> str:
        """The options."""
        return f"{self.dim}, base={self.base}, interleaved={self.interleaved}"


def alibi_bias(
    num_heads: int,
    length: int,
    keys: int | None = None,
    start: int = 0,
    causal: bool = True,
    device: Any = None,
    dtype: Any = None,
) -> Tensor:
    """Bᵢⱼ = −mₕ·|start + i − j| (heads, L, S), to be added to the scores as attn_mask; −∞ for later keys if `causal`.

    num_heads  n; head h has the slope mₕ = 2^(−8h/n), h from 1 on, for powers of two; for other n the slopes of the next
               lower power p, and of 2p every second one
    length     L, queries, the first at position `start`
    keys       S, at positions 0 … S − 1; start + L by default

    Source: Press, Smith, Lewis, "Train short, test long", ICLR 2022.
    """
    if num_heads < 1 or length < 0 or start < 0:
        raise OptionError(
            f"alibi_bias: num_heads must be ≥ 1, length and start ≥ 0, got {num_heads}, {length}, {start}"
        )
    keys = start + length if keys is None else keys
    power = 2 ** int(math.log2(num_heads))
    slopes = [2.0 ** (-8.0 * h / power) for h in range(1, power + 1)]
    slopes += [2.0 ** (-4.0 * h / power) for h in range(1, 2 * (num_heads - power), 2)]
    distance = np.arange(start, start + length)[:, None] - np.arange(keys)
    bias = -np.array(slopes)[:, None, None] * np.abs(distance)
    return _made(np.where(distance < 0, -np.inf, bias) if causal else bias, dtype, device)


def _angles(t: Array, dim: int, base: float) -> Array:
    """t·base^(−2i/dim) (…, ⌈dim/2⌉), in float64."""
    return np.asarray(t, np.float64)[..., None] * base ** (-np.arange(0, dim, 2) / dim)


def _made(x: Array, dtype: Any, device: Any) -> Tensor:
    kind = get_default_dtype() if dtype is None else as_dtype(dtype, "position: dtype")
    return creation.asarray(new_tensor(x.astype(kind.numpy)), device=device)
