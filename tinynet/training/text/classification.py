"""Classes of texts, one a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..._tensor import Tensor, new_tensor
from ...data.text import BPETokenizer, CharTokenizer, Tokenizer, WordTokenizer, pad_batch, read_labelled
from ...errors import DataError
from ...models import SequenceClassifier
from ...nn import functional as F
from ..classification_metrics import accuracy, precision_recall_f1
from .config import TextConfig
from .lines import Epochs, parts, short_enough

_ROWS = 256
_SPECIALS = ("<pad>", "<unk>")

Line = tuple[str, str]


def labelled_lines(config: TextConfig) -> tuple[list[Line], list[Line]]:
    """(label, text) to learn from, and to validate on."""
    assert config.file is not None
    given = None if config.val_file is None else read_labelled(config.val_file)
    lines = read_labelled(config.file)
    if given is None:  # files are often sorted by label
        order = np.random.default_rng(0).permutation(len(lines))
        lines = [lines[i] for i in order]
    return parts(lines, given, config.file)


def train_tokenizer(config: TextConfig, lines: list[Line]) -> Tokenizer:
    """The tokens of the texts to learn from."""
    texts = [text for _, text in lines]
    if config.tokenizer == "char":
        return CharTokenizer.train(texts, specials=_SPECIALS)
    if config.tokenizer == "bpe":
        return BPETokenizer.train(texts, config.vocabulary or 1024, specials=("<pad>",))
    return WordTokenizer.train(
        texts, lower=bool(config.lower), minimum=config.minimum or 1, maximum=config.vocabulary, specials=_SPECIALS
    )


def build(config: TextConfig, tokenizer: Tokenizer, classes: int) -> SequenceClassifier:
    """The model, its weights drawn from the default random stream."""
    c: Any = config
    return SequenceClassifier(
        len(tokenizer), classes, c.embedding, c.hidden, c.cell, c.pool, pad_id=tokenizer.pad_id or 0, dropout=c.dropout
    )


class Classification:
    """Texts as ids with the numbers of their labels.

    `loss(model, step)` is the mean cross-entropy of a batch; `evaluate(model)` gives loss, accuracy and macro-averaged F1 of
    the validation part.
    """

    def __init__(
        self,
        config: TextConfig,
        train: list[Line],
        validation: list[Line],
        tokenizer: Tokenizer,
        labels: list[str],
        note: Callable[[str], None],
    ) -> None:
        c: Any = config
        self.tokenizer, self.labels = tokenizer, labels
        numbers = {label: i for i, label in enumerate(labels)}
        self.train = short_enough(
            [(numbers[label], tokenizer.encode(text)) for label, text in train],
            lambda line: len(line[1]), c.longest, "training part", note,
        )  # fmt: skip
        for label, _ in validation:
            if label not in numbers:
                raise DataError(
                    f"label {label!r} of the validation part is not among those to learn: {', '.join(labels)}"
                )
        self.validation = [(numbers[label], tokenizer.encode(text)) for label, text in validation]
        self.epochs = Epochs([len(ids) for _, ids in self.train], c.batch_size, c.seed)

    def _batch(self, lines: list[tuple[int, list[int]]]) -> tuple[Tensor, Tensor, Tensor]:
        ids, lengths = pad_batch([ids for _, ids in lines], self.tokenizer.pad_id or 0)
        return ids, lengths, new_tensor(np.array([label for label, _ in lines], np.int64))

    def loss(self, model: Any, step: int) -> Tensor:
        """The mean cross-entropy of the batch of a step."""
        ids, lengths, labels = self._batch([self.train[i] for i in self.epochs[step]])
        return F.cross_entropy(model(ids, lengths), labels)

    def evaluate(self, model: Any) -> dict[str, float]:
        """loss, accuracy and f1 of the validation part."""
        total, true, found = 0.0, [], []
        order = np.argsort([len(ids) for _, ids in self.validation], kind="stable")
        for i in range(0, len(order), _ROWS):
            ids, lengths, labels = self._batch([self.validation[k] for k in order[i : i + _ROWS]])
            logits = model(ids, lengths)
            total += float(F.cross_entropy(logits, labels, reduction="sum").item())
            true += labels.tolist()
            found += logits.argmax(1).tolist()
        f1 = precision_recall_f1(true, found, average="macro")
        return {"loss": total / len(true), "accuracy": accuracy(true, found), "f1": float(f1[2])}


def classify(model: SequenceClassifier, tokenizer: Tokenizer, labels: list[str], text: str) -> list[tuple[str, float]]:
    """(label, probability) of a text, the likeliest first."""
    ids, lengths = pad_batch([tokenizer.encode(text)], tokenizer.pad_id or 0)
    p = F.softmax(model(ids, lengths), dim=1).array[0]
    return [(labels[i], float(p[i])) for i in np.argsort(-p, kind="stable")]
