"""What language models have in common: one step at a time, with a state that holds what they need of the past.

    scores, state = model.step(ids)               # ids (N, t): the scores (N, V) of the token after them
    scores, state = model.step(next_ids, state)   # next_ids (N, 1), after the ids before

The scores are logits or log probabilities. A state is never changed: a step returns a new one, and an older one can be
continued again, in another way. `model.reorder(state, index)` takes rows of the batch, as beam search needs them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np

from .._tensor import Tensor, new_tensor
from ..autograd.modes import no_grad
from ..errors import DtypeError, RangeError, ShapeError
from ..nn import Module
from ..nn import functional as F

Array = np.ndarray[Any, Any]
Method = TypeVar("Method", bound=Callable[..., Any])


class LanguageModel(Protocol):
    """What `generate` and `beam_search` need of a model: steps, and an order of their rows."""

    @property
    def context(self) -> int | None:
        """How many tokens it can look at, or None where there is no limit."""

    def step(self, ids: Tensor, state: Any = None) -> tuple[Any, Any]:
        """Token ids (N, t), after those that `state` holds → scores of the next token (N, V), and the state after them."""

    def reorder(self, state: Any, index: Any) -> Any:
        """The state of the rows `index` of the batch."""


def inference(method: Method) -> Method:
    """A method of a Module that records no graph, and drops nothing out whatever mode the module is in."""

    @functools.wraps(method)
    def run(self: Any, *args: Any, **options: Any) -> Any:
        training = _training(self)
        for m in training:
            m.__dict__["training"] = False
        try:
            with no_grad():
                return method(self, *args, **options)
        finally:
            for m in training:
                m.__dict__["training"] = True

    return run  # type: ignore[return-value]


def _training(module: Module) -> list[Module]:
    """The modules in `module` that are in training mode. A step asks for them, so it matters that this takes µs."""
    found, todo = [], [module]
    for m in todo:
        if m.training:
            found.append(m)
        todo += [child for child in m._modules.values() if child is not None]
    return found


def token_ids(where: str, name: str, ids: Any, vocab: int | None = None) -> Tensor:
    """`ids` if it is an integer Tensor (N, T); with `vocab`, if all lie in 0 … vocab − 1, too."""
    if not isinstance(ids, Tensor) or ids.dtype.category != 1:
        kind = ids.dtype if isinstance(ids, Tensor) else type(ids).__name__
        raise DtypeError(f"{where}: {name} must be a Tensor of integers, got {kind}")
    if ids.ndim != 2:
        raise ShapeError(f"{where}: {name} must have shape (N, T), got {tuple(ids.shape)}")
    a = ids.array
    if vocab is not None and a.size and not 0 <= a.min() <= a.max() < vocab:
        raise RangeError(f"{where}: {name} must lie in 0 … {vocab - 1}, got {a.min() if a.min() < 0 else a.max()}")
    return ids


def step_ids(where: str, ids: Any) -> Tensor:
    """`ids` if it is an integer Tensor (N, t) of at least one step."""
    if token_ids(where, "ids", ids).array.shape[1] == 0:
        raise ShapeError(f"{where}: ids must have at least one step, got shape {tuple(ids.shape)}")
    return ids


def attend(q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    """softmax(q kᵀ/√E + mask) v (E21) for q (N, H, t, E), k and v (N, H, S, E), a boolean mask (True takes part).

    For one query in float32 or float64, three NumPy calls cost a quarter of the kernel, which is made for many.
    """
    if q.shape[2] != 1 or q.dtype.char not in "fd":
        keep = None if mask is None else new_tensor(mask)
        return F.scaled_dot_product_attention(new_tensor(q), new_tensor(k), new_tensor(v), keep).array
    scores = np.matmul(q * q.dtype.type(1 / math.sqrt(q.shape[3])), k.swapaxes(-1, -2))
    if mask is not None:
        scores[np.broadcast_to(~mask, scores.shape)] = -np.inf
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return np.matmul(scores, v)


def by_head(x: Array, parts: int, heads: int) -> Array:
    """(N, T, parts·E) → (parts, N, heads, T, E/heads)."""
    n, t, width = x.shape
    return x.reshape(n, t, parts, heads, width // parts // heads).transpose(2, 0, 3, 1, 4)


def joined(y: Array) -> Tensor:
    """(N, heads, T, E/heads) → a tensor (N, T, E)."""
    n, heads, t, size = y.shape
    return new_tensor(y.transpose(0, 2, 1, 3).reshape(n, t, heads * size))


class KeyValues:
    """The keys and values (N, H, S, E) of one attention layer for the S positions so far.

    They lie in a buffer with room at its end. Appending writes there, unless another state has written there before:
    then the buffer is copied first, so no state that somebody holds ever changes.
    """

    __slots__ = ("buffer", "length")

    def __init__(self, buffer: _Buffer | None = None, length: int = 0) -> None:
        self.buffer, self.length = buffer, length

    def attend(self, q: Array, k: Array, v: Array) -> tuple[Array, KeyValues]:
        """Causal attention of t new positions, q, k and v (N, H, t, E), to the past and each other; the state with them."""
        buffer = self._append(k, v)
        t, total, after = q.shape[2], buffer.used, KeyValues(buffer, buffer.used)
        if t == total:
            y = F.scaled_dot_product_attention(new_tensor(q), new_tensor(k), new_tensor(v), is_causal=True)
            return y.array, after
        mask = np.tri(t, total, total - t, dtype=np.bool_) if t > 1 else None
        return attend(q, buffer.keys[:, :, :total], buffer.values[:, :, :total], mask), after

    def _append(self, k: Array, v: Array) -> _Buffer:
        buffer, start, end = self.buffer, self.length, self.length + k.shape[2]
        if buffer is None:
            keys, values = (np.empty((*x.shape[:2], end + 16, x.shape[3]), x.dtype) for x in (k, v))
            buffer = _Buffer(keys, values, 0)
        elif buffer.used != start or end > buffer.keys.shape[2]:
            buffer = buffer.copy(start, max(2 * start, end), range(len(buffer.keys)))
        buffer.keys[:, :, start:end] = k
        buffer.values[:, :, start:end] = v
        buffer.used = end
        return buffer

    def reorder(self, index: Array) -> KeyValues:
        """The rows `index` of the batch."""
        if self.buffer is None or np.array_equal(index, np.arange(len(self.buffer.keys))):
            return self
        return KeyValues(self.buffer.copy(self.length, self.buffer.keys.shape[2], index), self.length)


class _Buffer:
    """Room for keys and values, and how many positions of it are used."""

    __slots__ = ("keys", "used", "values")

    def __init__(self, keys: Array, values: Array, used: int) -> None:
        self.keys, self.values, self.used = keys, values, used

    def copy(self, used: int, room: int, rows: Any) -> _Buffer:
        """Another buffer, with the given rows of the batch."""
        return _Buffer(_copied(self.keys, used, room, rows), _copied(self.values, used, room, rows), used)


def _copied(x: Array, used: int, room: int, rows: Any) -> Array:
    new = np.empty((len(rows), x.shape[1], room, x.shape[3]), x.dtype)
    for i, row in enumerate(rows):
        new[i, :, :used] = x[row, :, :used]
    return new
