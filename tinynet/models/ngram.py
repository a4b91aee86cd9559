"""The counted n-gram language model with interpolated Kneser–Ney smoothing.

The chain rule of probability (E8), P(w₁ … w_T) = ∏_t P(w_t ∣ w₁ … w_{t−1}), with the last n − 1 tokens in place of all earlier
ones. Of a context h of k − 1 tokens, with h′ the same without its first token,

    P_k(w ∣ h) = max(c(h w) − D(c(h w)), 0) / Σ_v c(h v)  +  γ(h) · P_{k−1}(w ∣ h′)
    γ(h)       = Σ_v min(D(c(h v)), c(h v)) / Σ_v c(h v)
    P_0(w)     = 1/V

and P_k(w ∣ h) = P_{k−1}(w ∣ h′) where h never came. For k = n, c counts; below, c(h w) is the number of different tokens
that stand before h w: in how many contexts it is new, not how often it comes. D is one number for c = 1, for c = 2 and
for all c ≥ 3 each, estimated for each k from the numbers n₁ … n₄ of k-grams with c = 1 … 4:

    Y = n₁/(n₁ + 2 n₂)      D(c) = c − (c + 1) Y n_{c+1}/n_c  for c = 1, 2, 3

Sources: Kneser and Ney, "Improved backing-off for m-gram language modeling", ICASSP 1995; Chen and Goodman, "An empirical
study of smoothing techniques for language modeling", Harvard TR-10-98, 1998, equations 26 and 27.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from .._tensor import Tensor, new_tensor
from ..data.text.batches import ids_of
from ..errors import DataError, RangeError, ShapeError, whole_number
from ..serialization import load, save

Array = np.ndarray[Any, Any]


class NGram:
    """An n-gram model of ids: `NGram(5, vocab_size).fit(ids)`.

    order       n: how long the longest counted runs of tokens are; 1 knows no context
    vocab_size  V: the ids are 0 … V − 1; each has a probability above 0, whether it was seen or not

    The counts are a trie in arrays: a k-gram's node number is its place among the sorted distinct k-grams; its key is
    (its first k − 1 tokens' node) · V + its last token. So a node's children stand together, and are found by bisection.
    """

    def __init__(self, order: int, vocab_size: int) -> None:
        self.order = whole_number("NGram", "order", order, 1)
        self.vocab_size = whole_number("NGram", "vocab_size", vocab_size, 1)
        self._set([np.zeros(0, np.int64)] * self.order, [np.zeros(0, np.int64)] * self.order)

    @property
    def context(self) -> None:
        """None: a prompt may be of any length. Its last `order` − 1 tokens matter."""
        return None

    def fit(self, ids: Any) -> Self:
        """Count a sequence of ids (list, array or tensor of one dimension) anew; returns the model.

        Sequences of their own are put one after the other, with a token between them that ends each.

        Raises RangeError for ids outside 0 … V − 1.
        """
        tokens = self._ids("NGram.fit", ids)
        keys: list[Array] = []
        counts: list[Array] = []
        nodes = np.zeros(len(tokens) + 1, np.int64)  # of the (k − 1)-gram that starts at each place
        for k in range(1, self.order + 1):
            windows = max(len(tokens) - k + 1, 0)
            found, first, inverse, count = np.unique(
                nodes[:windows] * self.vocab_size + tokens[k - 1 :],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            if k > 1:  # each distinct k-gram is one token more before its last k − 1
                counts[-1] = np.bincount(nodes[first + 1], minlength=len(keys[-1]))
            keys.append(found)
            counts.append(count)
            nodes = inverse
        self._set(keys, counts)
        return self

    def _set(self, keys: list[Array], counts: list[Array]) -> None:
        """Take over the trie, and compute discounts, totals and weights from it."""
        self._keys, self._counts = keys, counts
        self._shares: list[Array] = []  # max(c − D, 0) / total, of each k-gram
        self._weights: list[Array] = []  # γ of each context of k − 1 tokens; 1 where it has no counts
        for k in range(self.order):
            contexts = 1 if k == 0 else len(keys[k - 1])
            parents = keys[k] // self.vocab_size
            discounts = np.minimum(_discounts(counts[k])[np.minimum(counts[k], 3)], counts[k])
            totals = np.bincount(parents, counts[k], contexts)
            taken = np.bincount(parents, discounts, contexts)
            self._shares.append((counts[k] - discounts) / np.maximum(totals[parents], 1))
            self._weights.append(np.where(totals > 0, taken / np.maximum(totals, 1), 1.0))

    # probabilities

    def log_probabilities(self, context: Any = ()) -> Tensor:
        """ln P(w ∣ context) for all V tokens w: float64 (V,), whose exponentials sum to 1.

        context  ids, any number of them; the last `order` − 1 are used
        """
        h = self._ids("NGram.log_probabilities", context)
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        for k in range(min(self.order, len(h) + 1)):
            node = self._node(h[len(h) - k :])
            if node < 0:
                break  # nor did any longer context come
            low, high = np.searchsorted(self._keys[k], [node * self.vocab_size, (node + 1) * self.vocab_size])
            p *= self._weights[k][node]
            p[self._keys[k][low:high] - node * self.vocab_size] += self._shares[k][low:high]
        return new_tensor(np.log(p))

    def _node(self, h: Array) -> int:
        node = np.zeros(1, np.int64)
        for k, token in enumerate(h):
            node = self._child(k, node, token)
        return int(node[0])

    def _child(self, k: int, nodes: Array, tokens: Any) -> Array:
        """The nodes of k-grams with one more token; −1 where they are −1, or never came."""
        keys, wanted = self._keys[k], nodes * self.vocab_size + tokens
        if not len(keys):
            return np.full_like(nodes, -1)
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where((nodes >= 0) & (keys[place] == wanted), place, -1)

    def score(self, ids: Any) -> float:
        """−Σ_t ln P(w_t ∣ w₁ … w_{t−1}): the total in nats, over all ids, the first one without context."""
        w = self._ids("NGram.score", ids)
        p = np.full(len(w), 1 / self.vocab_size)
        nodes = np.zeros(len(w), np.int64)  # of the k-gram that starts at each place
        for k in range(min(self.order, len(w))):
            targets = slice(k, None)
            children = self._child(k, nodes, w[targets])
            seen = nodes >= 0
            share = np.where(children >= 0, np.append(self._shares[k], 0.0)[children], 0.0)
            weight = np.where(seen, np.append(self._weights[k], 1.0)[nodes], 1.0)
            p[targets] = share + weight * p[targets]
            nodes = children[:-1]
        return float(-np.log(p).sum())

    # generation

    def step(self, ids: Any, state: Array | None = None) -> tuple[Tensor, Array]:
        """ids (N, t) after those of `state` → ln P of the next token, float64 (N, V), and the new state.

        state  the last `order` − 1 ids of each row, or fewer at the beginning; None: nothing came before. t may be 0
        """
        array = np.asarray(ids.array if isinstance(ids, Tensor) else ids)
        if array.ndim != 2:
            raise ShapeError(f"NGram.step: ids must be (N, t), got shape {array.shape}")
        if state is not None:
            if state.ndim != 2 or len(state) != len(array):
                raise ShapeError(f"NGram.step: state has shape {state.shape}, and there are {len(array)} rows of ids")
            array = np.concatenate([state, array], axis=1)
        array = array[:, max(array.shape[1] - (self.order - 1), 0) :].astype(np.int64)
        rows = [self.log_probabilities(row).array for row in array]
        return new_tensor(np.stack(rows) if rows else np.zeros((0, self.vocab_size))), array

    def reorder(self, state: Array, index: Any) -> Array:
        """The state with row index[i] in place i: for beam search."""
        return state[np.asarray(index.array if isinstance(index, Tensor) else index, np.int64)]

    # files

    def state_dict(self) -> dict[str, Tensor]:
        """The counts as tensors: "keys.k" and "counts.k" of the k-grams."""
        both = {"keys": self._keys, "counts": self._counts}
        return {f"{name}.{k}": new_tensor(a) for name, arrays in both.items() for k, a in enumerate(arrays, 1)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over counts that `state_dict` of a model of the same order and vocabulary gave. Raises DataError."""
        wanted = {f"{name}.{k}" for name in ("keys", "counts") for k in range(1, self.order + 1)}
        if set(state) != wanted:
            raise DataError(f"NGram.load_state_dict: expected {sorted(wanted)}, got {sorted(state)}")
        keys, counts = (
            [ids_of("NGram.load_state_dict", f"{name}.{k}", state[f"{name}.{k}"]) for k in range(1, self.order + 1)]
            for name in ("keys", "counts")
        )
        contexts = 1
        for k in range(self.order):
            good = len(keys[k]) == len(counts[k]) and (np.diff(keys[k]) > 0).all() and (counts[k] >= 0).all()
            if not good or (len(keys[k]) and not 0 <= keys[k][0] <= keys[k][-1] < contexts * self.vocab_size):
                raise DataError(f"NGram.load_state_dict: the {k + 1}-grams are damaged, or of another vocabulary")
            contexts = len(keys[k])
        self._set(keys, counts)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model as a safetensors file."""
        save({"model": "NGram", "order": self.order, "vocab_size": self.vocab_size, "state": self.state_dict()}, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The model in a file that `save` wrote. Raises DataError naming the file if it is another one."""
        content = load(path)
        if not isinstance(content, dict) or content.get("model") != "NGram":
            raise DataError(f"NGram.load: {path} holds no n-gram model")
        model = cls(content["order"], content["vocab_size"])
        model.load_state_dict(content["state"])
        return model

    def _ids(self, where: str, ids: Any) -> Array:
        found = ids_of(where, "ids", ids)
        if found.size and (found.min() < 0 or found.max() >= self.vocab_size):
            bad = int(np.flatnonzero((found < 0) | (found >= self.vocab_size))[0])
            raise RangeError(
                f"{where}: id {found[bad]} at place {bad} is out of range for vocab_size {self.vocab_size}"
            )
        return found

    def __repr__(self) -> str:
        return f"NGram(order={self.order}, vocab_size={self.vocab_size}, ngrams={[len(k) for k in self._keys]})"


def _discounts(counts: Array) -> Array:
    """D(0 … 3) of n-grams with these counts; where there are too few to estimate one, ½. Always within (0, c]."""
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(float)
    y = n[1] / (n[1] + 2 * n[2]) if n[1] else 0.0
    out = np.array([0.0, 0.5, 0.5, 0.5])
    for c in (1, 2, 3):
        d = c - (c + 1) * y * n[c + 1] / n[c] if n[c] and y else 0.0
        if 0 < d < c:
            out[c] = d
    return out
