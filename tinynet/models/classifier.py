"""Classes of texts: a recurrent network reads, its outputs become one vector, an affine layer decides.

Source of the pooling by attention: Yang et al., "Hierarchical attention networks for document classification", NAACL 2016.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn
from .._tensor import Tensor, new_tensor
from ..errors import OptionError, ShapeError, whole_number
from ..nn import functional as F
from ..nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from ..ops.shape import cat
from .recurrent_lm import recurrent_layers
from .state import token_ids

POOLS = ("last", "mean", "attention")


class SequenceClassifier(nn.Module):
    """logits = W pool(h₁ … h_L) + b, the h of an RNN, LSTM or GRU (E14, E20) over the vectors of L words.

    vocab, classes  words and classes that there are
    embedding       features of a word's vector
    hidden          units of a layer
    kind            "rnn" (tanh), "lstm" or "gru"
    pool            "last": the last state, of both directions; "mean": Σ h/L; "attention": Σ αₜ hₜ, α = softmax(uᵀ
                    tanh(W_a hₜ + b_a)) over the words (E21)
    pad_id          the word that fills up shorter texts, at their ends: whatever comes after a text's last other word is
                    not read
    layers, bidirectional  of the network
    dropout         in training: of the vectors, between layers, and of what is pooled
    """

    def __init__(
        self,
        vocab: int,
        classes: int,
        embedding: int,
        hidden: int,
        kind: str = "lstm",
        pool: str = "last",
        pad_id: int = 0,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        for name, size in (("vocab", vocab), ("classes", classes)):
            whole_number("SequenceClassifier", name, size, 1)
        if pool not in POOLS:
            raise OptionError(f"SequenceClassifier: pool must be one of {', '.join(POOLS)}, got {pool!r}")
        if not 0 <= pad_id < vocab:
            raise OptionError(f"SequenceClassifier: pad_id must lie in 0 … {vocab - 1}, got {pad_id}")
        self.pool, self.pad_id = pool, pad_id
        self.embedding = nn.Embedding(vocab, embedding, padding_idx=pad_id)
        self.recurrent = recurrent_layers(
            "SequenceClassifier", kind, embedding, hidden, layers, dropout, bidirectional=bidirectional
        )
        features = hidden * (2 if bidirectional else 1)
        self.hidden = nn.Linear(features, features) if pool == "attention" else None
        self.score = nn.Linear(features, 1, bias=False) if pool == "attention" else None
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, classes)

    def forward(self, ids: Tensor, lengths: Any = None) -> Tensor:
        """Ids (N, T) → logits (N, classes).

        lengths  (N,), how many words each text has; by default up to its last word that is not `pad_id`

        Raises ShapeError for a text without words, and lengths that do not fit.
        """
        length = self._lengths(token_ids("SequenceClassifier", "ids", ids), lengths)
        packed = pack_padded_sequence(self.dropout(self.embedding(ids)), new_tensor(length), True, False)
        y, state = self.recurrent(packed)
        if self.pool == "last":
            h = state[0] if isinstance(state, tuple) else state
            pooled = cat([h[-2], h[-1]], -1) if self.recurrent.bidirectional else h[-1]
        else:
            y, _ = pad_packed_sequence(y, True, total_length=ids.shape[1])
            weights = self.weights(y, new_tensor(np.arange(ids.shape[1]) < length[:, None]))
            pooled = (weights.unsqueeze(1) @ y).squeeze(1)
        return self.head(self.dropout(pooled))

    def weights(self, y: Tensor, mask: Tensor) -> Tensor:
        """How much each output of y (N, T, features) counts: (N, T), 0 where `mask` (N, T) is False, of sum 1."""
        if self.hidden is None or self.score is None:
            return mask.to(y.dtype) / mask.sum(1, keepdim=True).to(y.dtype)
        scores = self.score(F.tanh(self.hidden(y))).squeeze(-1)
        return F.softmax(scores.masked_fill(~mask, -np.inf), dim=1)

    def _lengths(self, ids: Tensor, lengths: Any) -> np.ndarray[Any, Any]:
        n, t = ids.shape
        if lengths is None:
            words = ids.array != self.pad_id
            found = np.where(words.any(axis=1), t - words[:, ::-1].argmax(axis=1), 0) if t else np.zeros(n, np.int64)
        else:
            found = np.asarray(lengths.array if isinstance(lengths, Tensor) else lengths, np.int64)
            if found.shape != (n,):
                raise ShapeError(f"SequenceClassifier: lengths must have shape ({n},), got {found.shape}")
        wrong = np.flatnonzero((found < 1) | (found > t))
        if wrong.size:
            k = wrong[0]
            raise ShapeError(f"SequenceClassifier: text {k} has {found[k]} words, expected 1 … {t}")
        return found
