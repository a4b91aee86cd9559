"""The Transformer that translates: an encoder reads the source, a decoder writes the target.

Source: Vaswani et al., "Attention is all you need", NeurIPS 2017. Deviations: dropout and norms are those of
`nn.Transformer`, the source, target and output tables are three, and the length penalty counts as in `Hypothesis`.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from .. import nn
from .._tensor import Tensor, new_tensor
from ..errors import OptionError, ShapeError, whole_number
from ..nn import functional as F
from .generation import Hypothesis, check_beams, search_beams
from .state import KeyValues, attend, by_head, inference, joined, step_ids, token_ids

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True)
class DecoderState:
    """What the decoder keeps of the words before: of each layer the keys and values of the target and of the source.

    target  by layer, what self-attention looks at
    source  by layer, keys and values (2, N, H, S, E) of the memory
    mask    (N, 1, 1, S), True for words, or None where no source is padded
    rows    which source each row of the batch belongs to
    """

    target: tuple[KeyValues, ...]
    source: tuple[Array, ...]
    mask: Array | None
    rows: Array


class TranslationTransformer(nn.Module):
    """Embeddings times √E plus sinusoidal positions (E22), `nn.Transformer` (E21), logits.

    source_vocab, target_vocab      tokens of the two languages
    width, heads, encoder_layers, decoder_layers, feedforward, dropout  as of `nn.Transformer`
    pad_id      the token that fills up shorter sources and targets, at their ends; the source's are not looked at
    max_length  positions that there are, of source and of target
    norm_first  whether norms stand before the blocks, not after them

    Matrices start from Xavier's uniform distribution, embeddings from N(0, 1/E).
    """

    def __init__(
        self,
        source_vocab: int,
        target_vocab: int,
        width: int = 512,
        heads: int = 8,
        encoder_layers: int = 6,
        decoder_layers: int = 6,
        feedforward: int = 2048,
        dropout: float = 0.1,
        pad_id: int = 0,
        max_length: int = 1024,
        norm_first: bool = False,
    ) -> None:
        super().__init__()
        for name, vocab in (("source_vocab", source_vocab), ("target_vocab", target_vocab)):
            whole_number("TranslationTransformer", name, vocab, 1)
            if not 0 <= pad_id < vocab:
                raise OptionError(f"TranslationTransformer: pad_id must lie in 0 … {vocab - 1} ({name}), got {pad_id}")
        self.width, self.heads, self.pad_id, self.context = width, heads, pad_id, max_length
        self.source_tokens = nn.Embedding(source_vocab, width, padding_idx=pad_id)
        self.target_tokens = nn.Embedding(target_vocab, width, padding_idx=pad_id)
        self.positions = nn.SinusoidalPositionalEncoding(width, max_length, dropout, batch_first=True)
        self.transformer = nn.Transformer(
            width, heads, encoder_layers, decoder_layers, feedforward, dropout, batch_first=True, norm_first=norm_first
        )
        self.head = nn.Linear(width, target_vocab)
        nn.init.xavier_uniform_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        for table in (self.source_tokens.weight, self.target_tokens.weight):
            nn.init.normal_(table, std=width**-0.5)
            table.data[pad_id] = 0.0

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Source (N, S) and target (N, T), padded at their ends → logits (N, T, V): at t, of the target's token t + 1.

        What stands at padded places of the target has logits, too: the loss ignores them (`ignore_index`).
        """
        return self.decode(target, self.encode(source), self.padding(source))

    def padding(self, source: Tensor) -> Tensor | None:
        """(N, S), True where a source is padded; None where none is. Raises ShapeError for a source without tokens."""
        padded = source.array == self.pad_id
        if padded.all(axis=1).any():
            raise ShapeError(f"TranslationTransformer: source {padded.all(axis=1).argmax()} has no tokens")
        return new_tensor(padded) if padded.any() else None

    def encode(self, source: Tensor) -> Tensor:
        """Source ids (N, S) → the memory (N, S, E)."""
        name = "TranslationTransformer.encode"
        x = self._embed(self.source_tokens, token_ids(name, "source", source), 0)
        return self.transformer.encoder(x, src_key_padding_mask=self.padding(source))

    def decode(self, target: Tensor, memory: Tensor, padding: Tensor | None = None) -> Tensor:
        """Target ids (N, T), memory (N, S, E) and where its source is padded (N, S) → logits (N, T, V)."""
        x = self._embed(self.target_tokens, token_ids("TranslationTransformer.decode", "target", target), 0)
        later = new_tensor(~np.tri(x.shape[1], dtype=np.bool_))
        y = self.transformer.decoder(x, memory, tgt_mask=later, tgt_is_causal=True, memory_key_padding_mask=padding)
        return self.head(y)

    # step by step

    @inference
    def start(self, source: Tensor) -> DecoderState:
        """The state before the first target token, for sources (N, S)."""
        memory, padding = self.encode(source), self.padding(source)
        kept = []
        for layer in self.transformer.decoder.layers:
            w, b = layer.multihead_attn.in_proj_weight, layer.multihead_attn.in_proj_bias
            kept.append(by_head(F.linear(memory, w[self.width :], b[self.width :]).array, 2, self.heads))
        mask = None if padding is None else ~padding.array[:, None, None]
        return DecoderState(tuple(KeyValues() for _ in kept), tuple(kept), mask, np.arange(len(source)))

    @inference
    def step(self, ids: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Target ids (N, t) after those in `state` → logits (N, V) of the next token, and the state after them."""
        decoder, start = self.transformer.decoder, state.target[0].length
        x = self._embed(self.target_tokens, step_ids("TranslationTransformer.step", ids), start)
        target = []
        for layer, past, (k, v) in zip(decoder.layers, state.target, state.source, strict=True):
            x, past = self._layer_step(layer, x, past, k, v, state.mask)
            target.append(past)
        y = self.head(decoder.norm(x[:, -1]))
        return y, dataclasses.replace(state, target=tuple(target))

    def _layer_step(
        self, layer: Any, x: Tensor, past: KeyValues, k: Array, v: Array, mask: Array | None
    ) -> tuple[Tensor, KeyValues]:
        """One TransformerDecoderLayer on new positions (N, t, E): what its forward computes of all."""

        def residual(norm: Any, x: Tensor, y: Any) -> Tensor:
            return x + y(norm(x)) if layer.norm_first else norm(x + y(x))

        own, cross = layer.self_attn, layer.multihead_attn

        def to_target(x: Tensor) -> Tensor:
            nonlocal past
            y, past = past.attend(*by_head(F.linear(x, own.in_proj_weight, own.in_proj_bias).array, 3, self.heads))
            return own.out_proj(joined(y))

        def to_source(x: Tensor) -> Tensor:
            w, b = cross.in_proj_weight[: self.width], cross.in_proj_bias[: self.width]
            (q,) = by_head(F.linear(x, w, b).array, 1, self.heads)
            return cross.out_proj(joined(attend(q, k, v, mask)))

        x = residual(layer.norm1, x, to_target)
        x = residual(layer.norm2, x, to_source)
        return residual(layer.norm3, x, lambda x: layer.linear2(layer.activation(layer.linear1(x)))), past

    def reorder(self, state: DecoderState, index: Any) -> DecoderState:
        """The state of the rows `index` of the batch."""
        index = np.asarray(index, np.int64)
        target = tuple(layer.reorder(index) for layer in state.target)
        rows = state.rows[index]
        if np.array_equal(rows, state.rows):  # beams of one source changed places: the source stays where it is
            return dataclasses.replace(state, target=target)
        source = tuple(layer[:, index] for layer in state.source)
        return DecoderState(target, source, None if state.mask is None else state.mask[index], rows)

    def _embed(self, table: nn.Embedding, ids: Tensor, start: int) -> Tensor:
        end = start + ids.shape[1]
        if end > self.context:
            raise ShapeError(
                f"TranslationTransformer: {end} positions do not fit into the {self.context} that there are"
            )
        return self.positions(table(ids) * math.sqrt(self.width), start)


def greedy_translate(
    model: TranslationTransformer, source: Tensor, max_new_tokens: int, *, bos_id: int, eos_id: int
) -> list[list[int]]:
    """The likeliest token after each, for sources (N, S), padded: N texts without <bos> and <eos>.

    max_new_tokens  the longest text, its <eos> included

    Rows that have ended leave the batch. Raises OptionError where the text would not fit into the model's positions.
    """
    check_beams("greedy_translate", max_new_tokens, 1, 0.0)
    _check_room("greedy_translate", model, max_new_tokens)
    state = model.start(source)
    texts: list[list[int]] = [[] for _ in range(len(source))]
    live = np.arange(len(source))
    ids = np.full((len(source), 1), bos_id, np.int64)
    for _ in range(max_new_tokens):
        scores, state = model.step(new_tensor(ids), state)
        best = scores.array.argmax(axis=1)
        going = np.flatnonzero(best != eos_id)
        for row in going:
            texts[live[row]].append(int(best[row]))
        if not going.size:
            break
        if going.size < live.size:
            state, live = model.reorder(state, going), live[going]
        ids = best[going, None]
    return texts


def beam_translate(
    model: TranslationTransformer,
    source: Tensor,
    max_new_tokens: int,
    *,
    bos_id: int,
    eos_id: int,
    beams: int = 4,
    length_penalty: float = 0.6,
) -> list[list[Hypothesis]]:
    """Beam search for sources (N, S), padded, in one batch: for each its best texts, best first (see `beam_search`).

    max_new_tokens  the longest text, its <eos> included

    Raises OptionError where the text would not fit into the model's positions. Source of penalty and its default: Wu et
    al., arXiv:1609.08144, 2016, and Vaswani et al., 2017.
    """
    check_beams("beam_translate", max_new_tokens, beams, length_penalty)
    _check_room("beam_translate", model, max_new_tokens)
    if not len(source):
        return []
    first = new_tensor(np.full((len(source), 1), bos_id, np.int64))
    scores, state = model.step(first, model.start(source))
    return search_beams(model, scores, state, max_new_tokens, beams, length_penalty, frozenset([eos_id]))


def _check_room(where: str, model: TranslationTransformer, count: int) -> None:
    if count > model.context:
        raise OptionError(f"{where}: max_new_tokens {count} does not fit into the model's {model.context} positions")
