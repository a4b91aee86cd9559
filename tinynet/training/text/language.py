"""Language models: predict the next token of a text, in windows of it.

A window's first token is predicted from nothing, so windows overlap by one: each token but the text's first is predicted
once. No window knows of the one before (a counted model knows all of the text before).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._tensor import Tensor, new_tensor
from ...data.text import BPETokenizer, CharTokenizer, Tokenizer, WordTokenizer, default_text, read_text, split
from ...errors import DataError
from ...models import GPT, NNLM, NGram, RecurrentLM
from ...nn import Module
from ...nn import functional as F
from ..text_metrics import bits_per_character, perplexity
from .config import TextConfig

_TOGETHER = 16384  # tokens of a batch of the validation text


def text_of(config: TextConfig) -> str:
    """The text that the configuration names."""
    if config.data == "topics":
        return default_text()
    assert config.file is not None
    return read_text(config.file)


def train_tokenizer(config: TextConfig, text: str) -> Tokenizer:
    """The tokenizer of a text. Characters are taken from all of it, words and pairs of bytes from the training part."""
    if config.tokenizer == "char":
        return CharTokenizer.train(text)
    part, _ = split(text, 0.9)
    if config.tokenizer == "bpe":
        return BPETokenizer.train(part, config.vocabulary or 1024)
    return WordTokenizer.train(
        part, lower=bool(config.lower), minimum=config.minimum or 1, maximum=config.vocabulary, specials=("<unk>",)
    )


def build(config: TextConfig, vocab: int) -> Module:
    """The model, its weights drawn from the default random stream."""
    c: Any = config
    if config.model == "gpt":
        return GPT(vocab, c.context, c.layers, c.hidden, c.heads, c.dropout, c.tied)
    if config.model == "nnlm":
        return NNLM(vocab, c.order, c.embedding, c.hidden, c.direct)
    kind = config.model.removeprefix("char-")
    return RecurrentLM(vocab, c.embedding, c.hidden, c.layers, kind, c.dropout, c.tied)


class Language:
    """A text as ids: the first 90 % of its characters to learn from, the others to validate on.

    `loss(model, step)` is the mean cross-entropy of `batch_size` windows of `context` tokens, at places drawn from the seed
    and the step; `evaluate(model)` that of the whole validation part, as loss (nats a token), perplexity (of a token) and
    bits per character.
    """

    def __init__(self, config: TextConfig, text: str, tokenizer: Tokenizer) -> None:
        parts = split(text, 0.9)
        self.config = config
        self.train, self.validation = (np.array(tokenizer.encode(part), np.int64) for part in parts)
        self.characters = len(parts[1]) - len(tokenizer.decode(self.validation[:1]))  # of what is predicted
        least = (config.context or 1) + 1
        if len(self.train) < least or len(self.validation) < 2:
            raise DataError(
                f"the text has {len(self.train)} tokens to learn from and {len(self.validation)} to validate on, expected "
                f"at least {least} and 2; take a longer text or a smaller context"
            )

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets (N, T) of a step."""
        c: Any = self.config
        rng = np.random.default_rng([c.seed % 2**64, step])
        starts = rng.integers(0, len(self.train) - c.context, c.batch_size)
        return _windows(self.train, starts, c.context)

    def loss(self, model: Any, step: int) -> Tensor:
        """The mean cross-entropy (nats a token) of the batch of a step."""
        inputs, targets = self.batch(step)
        return F.cross_entropy(_logits(model, inputs).flatten(0, 1), targets.flatten())

    def evaluate(self, model: Any) -> dict[str, float]:
        """loss, perplexity and bits_per_character of the validation part."""
        counted = isinstance(model, NGram)
        total = model.score(self.validation) - model.score(self.validation[:1]) if counted else self.score(model)
        count = len(self.validation) - 1
        return {
            "loss": total / count,
            "perplexity": perplexity(total / count),
            "bits_per_character": bits_per_character(total, self.characters),
        }

    def score(self, model: Any) -> float:
        """−log P of the validation part, in nats."""
        length, total = self.config.context or 1, 0.0
        last = len(self.validation) - 1
        whole = np.arange(0, last - length + 1, length)
        rows = max(1, _TOGETHER // length)
        pieces = [(whole[i : i + rows], length) for i in range(0, len(whole), rows)]
        rest = last - len(whole) * length
        for starts, size in [*pieces, *([(np.array([last - rest]), rest)] if rest else [])]:
            inputs, targets = _windows(self.validation, starts, size)
            logits = _logits(model, inputs).flatten(0, 1)
            total += float(F.cross_entropy(logits, targets.flatten(), reduction="sum").item())
        return total


def _logits(model: Any, inputs: Tensor) -> Tensor:
    found = model(inputs)
    return found[0] if isinstance(found, tuple) else found


def _windows(ids: np.ndarray[Any, Any], starts: np.ndarray[Any, Any], length: int) -> tuple[Tensor, Tensor]:
    places = starts[:, None] + np.arange(length)
    return new_tensor(ids[places]), new_tensor(ids[places + 1])
