"""Translation: predict each token of the target from the source and the tokens before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..._tensor import Tensor
from ...data.text import WordTokenizer, pad_batch, read_pairs
from ...errors import DataError
from ...models import Hypothesis, TranslationTransformer, beam_translate, greedy_translate
from ...nn import functional as F
from ..text_metrics import corpus_bleu
from .config import TextConfig
from .lines import Epochs, parts, short_enough

_ROWS = 128  # sentences of a batch of the validation part

Pair = tuple[list[int], list[int]]


def sentence_pairs(config: TextConfig) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(source, target) sentences to learn from, and to validate on."""
    assert config.source is not None
    assert config.target is not None
    pairs = read_pairs(config.source, config.target)
    given = None
    if config.val_source is not None and config.val_target is not None:
        given = read_pairs(config.val_source, config.val_target)
    return parts(pairs, given, f"{config.source} and {config.target}")


def train_tokenizers(config: TextConfig, pairs: list[tuple[str, str]]) -> tuple[WordTokenizer, WordTokenizer]:
    """The words of both languages."""
    lower, minimum = bool(config.lower), config.minimum or 1
    source, target = (WordTokenizer.train([pair[k] for pair in pairs], lower=lower, minimum=minimum) for k in range(2))
    return source, target


def build(config: TextConfig, source: WordTokenizer, target: WordTokenizer) -> TranslationTransformer:
    """The model, its weights drawn from the default random stream."""
    c: Any = config
    return TranslationTransformer(
        len(source), len(target), c.hidden, c.heads, c.layers, c.layers, c.feedforward, c.dropout,
        pad_id=_id(target.pad_id), max_length=c.longest + 2,
    )  # fmt: skip


class Translation:
    """Sentence pairs as ids, <bos> and <eos> around them.

    `loss(model, step)` is the cross-entropy with label smoothing, the mean over the target's tokens; `evaluate(model)` the
    same without smoothing on the validation part; `bleu(model)` compares its translations with the references there.
    """

    def __init__(
        self,
        config: TextConfig,
        train: list[tuple[str, str]],
        validation: list[tuple[str, str]],
        tokenizers: tuple[WordTokenizer, WordTokenizer],
        note: Callable[[str], None],
    ) -> None:
        c: Any = config
        self.config, self.tokenizers, self.sentences = config, tokenizers, validation
        self.pad_id, self.bos_id, self.eos_id = (
            _id(getattr(tokenizers[1], f"{name}_id")) for name in ("pad", "bos", "eos")
        )
        self.train = short_enough(
            [self._encoded(p) for p in train], lambda p: max(map(len, p)) - 2, c.longest, "training part", note
        )
        self.validation = [self._encoded(p) for p in validation]
        for number, pair in enumerate(self.validation, 1):
            if max(map(len, pair)) - 2 > c.longest:
                raise DataError(
                    f"validation pair {number} has {max(map(len, pair)) - 2} tokens, more than longest {c.longest}"
                )
        self.epochs = Epochs([[len(s), len(t)] for s, t in self.train], c.batch_size, c.seed)

    def _encoded(self, pair: tuple[str, str]) -> Pair:
        source, target = (t.encode(text) for t, text in zip(self.tokenizers, pair, strict=True))
        return [self.bos_id, *source, self.eos_id], [self.bos_id, *target, self.eos_id]

    def _tensors(self, pairs: list[Pair]) -> tuple[Tensor, Tensor]:
        source, target = (pad_batch([pair[k] for pair in pairs], self.pad_id)[0] for k in range(2))
        return source, target

    def _loss(self, model: Any, pairs: list[Pair], **options: Any) -> Tensor:
        source, target = self._tensors(pairs)
        logits = model(source, target[:, :-1]).flatten(0, 1)
        return F.cross_entropy(logits, target[:, 1:].flatten(), ignore_index=self.pad_id, **options)

    def loss(self, model: Any, step: int) -> Tensor:
        """The mean loss of the batch of a step."""
        pairs = [self.train[i] for i in self.epochs[step]]
        return self._loss(model, pairs, label_smoothing=self.config.label_smoothing or 0.0)

    def evaluate(self, model: Any) -> dict[str, float]:
        """loss (nats a token) of the validation part."""
        order = np.argsort([len(t) for _, t in self.validation], kind="stable")
        total = 0.0
        for i in range(0, len(order), _ROWS):
            pairs = [self.validation[k] for k in order[i : i + _ROWS]]
            total += float(self._loss(model, pairs, reduction="sum").item())
        return {"loss": total / sum(len(t) - 1 for _, t in self.validation)}

    def bleu(self, model: Any, beams: int = 1) -> float:
        """BLEU of the validation part's translations, both sides as lower-cased words with a space between."""
        target = self.tokenizers[1]
        references = [" ".join(target.words(text)) for _, text in self.sentences]
        found = translate(
            model, self.tokenizers, [text for text, _ in self.sentences], beams, self.config.longest or 100
        )
        hypotheses = [" ".join(target.vocabulary.token(i) for i in ids) for ids in found]
        return float(corpus_bleu(hypotheses, references, tokenize="none"))


def translate(
    model: TranslationTransformer,
    tokenizers: tuple[WordTokenizer, WordTokenizer],
    sentences: list[str],
    beams: int,
    longest: int,
) -> list[list[int]]:
    """The ids of the translations of sentences; greedy for one beam.

    Raises DataError for a sentence without words, or with more than the model has room for.
    """
    source, target = tokenizers
    bos, eos = _id(source.bos_id), _id(source.eos_id)
    rows = [[bos, *source.encode(text), eos] for text in sentences]
    for number, row in enumerate(rows, 1):
        if not 0 < len(row) - 2 <= longest:
            raise DataError(
                f"sentence {number} has {len(row) - 2} words, expected 1 … {longest}: {sentences[number - 1]!r}"
            )
    options = {"bos_id": _id(target.bos_id), "eos_id": _id(target.eos_id)}
    found: list[list[int]] = [[] for _ in rows]
    order = np.argsort([len(row) for row in rows], kind="stable").tolist()
    for i in range(0, len(order), _ROWS):
        places = order[i : i + _ROWS]
        batch, _ = pad_batch([rows[k] for k in places], _id(source.pad_id))
        room = min(longest + 1, 2 * batch.shape[1] + 10)
        if beams == 1:
            texts = greedy_translate(model, batch, room, **options)
        else:
            best: list[list[Hypothesis]] = beam_translate(model, batch, room, beams=beams, **options)
            texts = [hypotheses[0].ids for hypotheses in best]
        for k, text in zip(places, texts, strict=True):
            found[k] = text
    return found


def _id(value: int | None) -> int:
    if value is None:
        raise DataError("the tokenizer lacks one of <pad>, <bos>, <eos>")
    return value
