"""The neural probabilistic language model.

Source: Bengio, Ducharme, Vincent, Jauvin, "A neural probabilistic language model", JMLR 3, 2003.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn
from .._tensor import Tensor, new_tensor
from ..errors import whole_number
from ..nn import functional as F
from ..ops.shape import cat
from .state import inference, step_ids, token_ids


class NNLM(nn.Module):
    """P(wₜ | the n − 1 words before) = softmax(b + W x + U tanh(d + H x)) (E9), x their vectors one after another.

    vocab      words that there are (V)
    order      n ≥ 2: a word depends on the n − 1 before it
    embedding  features of a word's vector
    hidden     units of the hidden layer
    direct     whether there is the term W x, from the vectors to the logits directly

    A text begins with n − 2 words "before the beginning", which have a vector of their own, so that the second word is
    predicted as well; the paper leaves open what stands there.
    """

    context: int | None = None  # of any length: what it does not look at, it need not keep

    def __init__(self, vocab: int, order: int, embedding: int, hidden: int, direct: bool = False) -> None:
        super().__init__()
        sizes = {"vocab": (vocab, 1), "order": (order, 2), "embedding": (embedding, 1), "hidden": (hidden, 1)}
        for name, (size, least) in sizes.items():
            whole_number("NNLM", name, size, least)
        self.vocab, self.order = vocab, order
        self.embedding = nn.Embedding(vocab + 1, embedding)  # the last row: before the beginning
        self.hidden = nn.Linear((order - 1) * embedding, hidden)  # H, d
        self.output = nn.Linear(hidden, vocab)  # U, b
        self.direct = nn.Linear((order - 1) * embedding, vocab, bias=False) if direct else None  # W

    def forward(self, ids: Tensor) -> Tensor:
        """Ids (N, T) → logits (N, T, V): at t, of the word at t + 1, from the words t − n + 2 … t."""
        n, t = token_ids("NNLM", "ids", ids, self.vocab).shape
        start = np.full((n, self.order - 2), self.vocab, np.int64)
        vectors = self.embedding(new_tensor(np.concatenate([start, ids.array], axis=1)))
        x = cat([vectors[:, k : k + t] for k in range(self.order - 1)], -1)
        y = self.output(F.tanh(self.hidden(x)))
        return y if self.direct is None else y + self.direct(x)

    @inference
    def step(self, ids: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Ids (N, t) after those in `state` → logits (N, V) of the next word; the state is the last n − 1 ids."""
        step_ids("NNLM.step", ids)
        text = (ids if state is None else cat([state, ids], 1))[:, 1 - self.order :]
        return self(text)[:, -1], text

    def reorder(self, state: Tensor, index: Any) -> Tensor:
        """The state of the rows `index` of the batch."""
        return new_tensor(state.array[np.asarray(index, np.int64)])
