"""The recurrent language model: the state of an RNN, LSTM or GRU stands for all words before.

Source: Mikolov et al., "Recurrent neural network based language model", Interspeech 2010; with LSTM and dropout between
the layers alone: Zaremba, Sutskever, Vinyals, arXiv:1409.2329, 2014.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn
from .._tensor import Tensor, new_tensor
from ..errors import OptionError, whole_number
from .state import inference, step_ids, token_ids

KINDS: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def recurrent_layers(where: str, kind: str, inputs: int, hidden: int, layers: int, dropout: float, **more: Any) -> Any:
    """Layers of a kind, over (N, T, …); dropout acts between them."""
    if kind not in KINDS:
        raise OptionError(f"{where}: kind must be one of {', '.join(KINDS)}, got {kind!r}")
    return KINDS[kind](inputs, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0, **more)


class RecurrentLM(nn.Module):
    """hₜ = layers(x_{wₜ}, hₜ₋₁), P(wₜ₊₁ | w₁ … wₜ) = softmax(b + W hₜ): E14 and E15, or with gates E20.

    vocab      words that there are (V)
    embedding  features of a word's vector x
    hidden     units of a layer
    layers     how many layers, each over the outputs of the one before
    kind       "rnn" (tanh), "lstm" or "gru"
    dropout    in training: of the vectors, between layers, and of the last outputs
    tied       W is the table of word vectors; embedding and hidden must be equal (Press and Wolf, EACL 2017)

    Parameters start as those of `nn.Embedding`, the recurrent layer and `nn.Linear`; a tied table from N(0, 1/hidden).
    """

    context: int | None = None

    def __init__(
        self,
        vocab: int,
        embedding: int,
        hidden: int,
        layers: int = 1,
        kind: str = "lstm",
        dropout: float = 0.0,
        tied: bool = False,
    ) -> None:
        super().__init__()
        whole_number("RecurrentLM", "vocab", vocab, 1)
        if tied and embedding != hidden:
            raise OptionError(f"RecurrentLM: tied=True needs embedding = hidden, got {embedding} and {hidden}")
        self.vocab, self.kind, self.tied = vocab, kind, tied
        self.embedding = nn.Embedding(vocab, embedding)
        self.recurrent = recurrent_layers("RecurrentLM", kind, embedding, hidden, layers, dropout)
        self.head = nn.Linear(hidden, vocab)
        self.dropout = nn.Dropout(dropout)
        if tied:  # a table of N(0, 1) would make the first logits as large as the features are many
            nn.init.normal_(self.embedding.weight, std=hidden**-0.5)
            self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Ids (N, T) after those in `state` → logits (N, T, V), at t of the word at t + 1; and the state after them.

        The state is that of the layers, (layers, N, hidden), for LSTM a pair; None is zeros. Detach it to continue a
        text over several batches.
        """
        y, state = self._outputs(token_ids("RecurrentLM", "ids", ids), state)
        return self.head(y), state

    @inference
    def step(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Ids (N, t) after those in `state` → logits (N, V) of the next word, and the state after them."""
        y, state = self._outputs(step_ids("RecurrentLM.step", ids), state)
        return self.head(y[:, -1]), state

    def reorder(self, state: Any, index: Any) -> Any:
        """The state of the rows `index` of the batch."""
        if isinstance(state, tuple):
            return tuple(self.reorder(part, index) for part in state)
        return new_tensor(state.array[:, np.asarray(index, np.int64)])

    def _outputs(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        y, state = self.recurrent(self.dropout(self.embedding(ids)), state)
        return self.dropout(y), state
