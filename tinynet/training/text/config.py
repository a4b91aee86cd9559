"""What to train on text: a model, its data, its sizes; everything that was not asked for takes the model's usual value."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ...errors import OptionError

_TEXT: dict[str, Any] = {
    "data": "topics",
    "file": None,
    "tokenizer": "char",
    "vocabulary": None,
    "minimum": 1,
    "lower": False,
}
_STEPS: dict[str, Any] = {"batch_size": 32, "lr": 2e-3, "weight_decay": 0.01, "clip": 1.0, "dropout": 0.0, "every": 500}
_WINDOWS: dict[str, Any] = {**_TEXT, **_STEPS, "steps": 2000, "context": 64, "embedding": 64, "hidden": 256}
_RECURRENT: dict[str, Any] = {**_WINDOWS, "layers": 1, "tied": False}
_PAIRS: dict[str, Any] = dict.fromkeys(("source", "target", "val_source", "val_target"))
USUAL: dict[str, dict[str, Any]] = {
    "char-rnn": _RECURRENT,
    "char-lstm": _RECURRENT,
    "char-gru": _RECURRENT,
    "gpt": {
        **_TEXT, **_STEPS, "steps": 2000, "batch_size": 16, "lr": 1e-3, "context": 128, "layers": 4, "hidden": 128,
        "heads": 4, "tied": True,
    },
    "nnlm": {**{k: v for k, v in _WINDOWS.items() if k != "dropout"}, "order": 6, "embedding": 32, "direct": False},
    "ngram": {**_TEXT, "order": 6},
    "translate": {
        **_STEPS, **_PAIRS, "data": "pairs", "epochs": 6, "batch_size": 64, "lr": 1e-3, "weight_decay": 0.0, "dropout": 0.1,
        "every": None, "minimum": 2, "lower": True, "layers": 2, "hidden": 256, "heads": 4, "feedforward": 512,
        "label_smoothing": 0.1, "longest": 100, "clip": None,
    },
    "classify": {
        **_STEPS, "data": "labelled", "file": None, "val_file": None, "epochs": 4, "tokenizer": "word", "vocabulary": None,
        "minimum": 2, "lower": True, "embedding": 64, "hidden": 64, "every": None, "cell": "lstm", "pool": "attention",
        "longest": 400,
    },
}  # fmt: skip
"""By model, the settings that it has, with their usual values."""

CHOICES: dict[str, tuple[str, ...]] = {
    "tokenizer": ("char", "word", "bpe"),
    "cell": ("rnn", "lstm", "gru"),
    "pool": ("last", "attention", "mean"),
}
_DATA = {"ngram": ("topics", "text"), "translate": ("pairs",), "classify": ("labelled",)}
_FILES = {"topics": (), "text": ("file",), "labelled": ("file",), "pairs": ("source", "target")}
_FLOATS = {"lr": 0.0, "weight_decay": 0.0, "clip": 0.0, "dropout": 0.0, "label_smoothing": 0.0}


@dataclass
class TextConfig:
    """What to train. None takes the usual value of the model (`USUAL`); a setting that the model has not is refused.

    data        "topics" (the help texts in Python's standard library), "text" (`file`), "labelled" (`file`: label, tab,
                text), "pairs" (`source` and `target`: a sentence a line)
    val_source, val_target, val_file   validate on these; else on the last 5 % of the lines (of a text: the last 10 %)
    tokenizer   "char", "word" or "bpe", with at most `vocabulary` tokens that come `minimum` times or more
    lower       turn the text into lower case (words only)
    steps, epochs   how long to train: steps of random windows, or passes over the lines
    every       steps between evaluations (None: once an epoch)
    context     tokens of a window
    hidden      units of a layer; of Transformers the features of a position
    order       of the n-gram model and the NNLM: a token depends on the order − 1 before it
    longest     leave out lines of more tokens, and say how many they were
    """

    model: str
    data: str | None = None
    file: str | None = None
    source: str | None = None
    target: str | None = None
    val_source: str | None = None
    val_target: str | None = None
    val_file: str | None = None
    tokenizer: str | None = None
    vocabulary: int | None = None
    minimum: int | None = None
    lower: bool | None = None
    steps: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    weight_decay: float | None = None
    clip: float | None = None
    dropout: float | None = None
    label_smoothing: float | None = None
    every: int | None = None
    context: int | None = None
    order: int | None = None
    embedding: int | None = None
    hidden: int | None = None
    layers: int | None = None
    heads: int | None = None
    feedforward: int | None = None
    tied: bool | None = None
    direct: bool | None = None
    cell: str | None = None
    pool: str | None = None
    longest: int | None = None
    seed: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.model not in USUAL:
            raise OptionError(f"model must be one of {', '.join(USUAL)}, got {self.model!r}")
        usual = USUAL[self.model]
        if self.data is None and self.file is not None and "topics" in _DATA.get(self.model, ("topics",)):
            self.data = "text"
        for field in dataclasses.fields(self):
            name, value = field.name, getattr(self, field.name)
            if name in ("model", "seed", "threads"):
                continue
            if name not in usual:
                if value is not None:
                    raise OptionError(f"{name}: {self.model} has no such setting (it has {', '.join(usual)})")
            elif value is None:
                setattr(self, name, usual[name])
        self._check_numbers()
        for name, choices in {**CHOICES, "data": _DATA.get(self.model, ("topics", "text"))}.items():
            value = getattr(self, name)
            if value is not None and value not in choices:
                raise OptionError(f"{name} must be one of {', '.join(choices)} for {self.model}, got {value!r}")
        self._check_files()
        if self.lower and self.tokenizer not in (None, "word"):
            raise OptionError(f"lower goes with tokenizer 'word', not {self.tokenizer!r}")

    def _check_numbers(self) -> None:
        for field in dataclasses.fields(self):
            name, value = field.name, getattr(self, field.name)
            if value is None or isinstance(value, str):
                continue
            if "bool" in str(field.type):
                if not isinstance(value, bool):
                    raise OptionError(f"{name} must be True or False, got {value!r}")
                continue
            whole = "int" in str(field.type)
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                raise OptionError(f"{name} must be a {'whole ' if whole else ''}number, got {value!r}")
            if name == "seed":
                if not -(2**63) <= value < 2**64:
                    raise OptionError(f"seed must fit into 64 bits, got {value}")
            elif name in _FLOATS:
                if not value >= _FLOATS[name] or (name in ("lr", "clip") and value == 0):
                    raise OptionError(f"{name} must be positive, got {value}")
                if name in ("dropout", "label_smoothing") and value >= 1:
                    raise OptionError(f"{name} must be below 1, got {value}")
            elif value < 1:
                raise OptionError(f"{name} must be at least 1, got {value}")

    def _check_files(self) -> None:
        assert self.data is not None
        needed = _FILES[self.data]
        for name in needed:
            if getattr(self, name) is None:
                raise OptionError(f"data {self.data!r} needs {' and '.join(needed)}: {name} is missing")
        if self.data == "topics" and self.file is not None:
            raise OptionError("file goes with data 'text', not 'topics'")
        if (self.val_source is None) != (self.val_target is None):
            raise OptionError("val_source and val_target go together, got one of them")
