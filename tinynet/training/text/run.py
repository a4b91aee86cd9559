"""A run on text: a configuration, and a folder with everything that came of it.

config.json             what was asked for, and the versions that ran
tokenizer.json          text ↔ ids (of a translation source.json and target.json; of a classifier labels.json, too)
metrics.jsonl           one JSON object an evaluation
curves.png              loss by step
best.safetensors        the checkpoint with the lowest validation loss
last.safetensors        the newest checkpoint; training goes on from it
counts.safetensors      of an n-gram model, in place of checkpoints, metrics and curves
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data.text import Tokenizer, WordTokenizer, load_tokenizer
from ...errors import DataError, OptionError
from ...files import write_text
from ...models import NGram
from ...optim import Adam, AdamW
from ...optim.lr_scheduler import CosineAnnealingLR, OneCycleLR
from ...random import manual_seed
from ...serialization import load
from ...threads import set_num_threads
from ..plots import save_losses
from ..run_folder import describe, make_folder, read_settings
from ..steps import StepTrainer, Task, judged
from . import classification, language, translation
from .config import TextConfig

Note = Callable[[str], None]


@dataclass
class TextResult:
    """What a run reached: the figures of the best checkpoint on the validation part."""

    folder: Path
    history: list[dict[str, Any]]
    best: dict[str, float]
    best_step: int
    trained: int = 0  # steps that this call did


@dataclass
class TextRun:
    """A trained model with its tokenizers: one, or those of source and target; of a classifier the labels."""

    config: TextConfig
    model: Any
    tokenizers: tuple[Tokenizer, ...]
    labels: list[str]
    step: int


def train_text(
    config: TextConfig,
    folder: str | Path,
    *,
    resume: bool = False,
    progress: bool | None = None,
    note: Note = lambda line: None,
) -> TextResult:
    """Train by `config` in `folder`; with `resume`, go on from its last checkpoint.

    note  is called with lines that a reader should see: what was left out

    Raises OptionError if the folder holds a run already and `resume` is False, DataError if data and configuration do not
    fit each other, Interrupted after Ctrl-C.
    """
    folder = Path(folder)
    if not resume and (folder / "config.json").exists():
        raise OptionError(f"{folder} holds a run already; resume it, or choose another folder")
    if resume and config.model == "ngram":
        raise OptionError("an n-gram model is counted in one pass; there is nothing to resume")
    if config.threads is not None:
        set_num_threads(config.threads)
    task, tokenizers, labels = _prepare(config, folder if resume else None, note)
    manual_seed(config.seed)
    model: Any = _build(config, tokenizers, labels)
    if not resume:
        make_folder(folder)
        for name, tokenizer in zip(_names(config), tokenizers, strict=True):
            tokenizer.save(folder / name)
        if labels:
            write_text(folder / "labels.json", json.dumps(labels, ensure_ascii=False) + "\n")
        write_text(folder / "config.json", json.dumps(describe(config), indent=2) + "\n")
    if config.model == "ngram":
        model.fit(task.train)
        model.save(folder / "counts.safetensors")
        return TextResult(folder, [], task.evaluate(model), 0)
    trainer, steps = _trainer(config, model, task, folder)
    if resume:
        trainer.load_checkpoint("last")
    done = trainer.step
    history = trainer.fit(steps, progress)
    save_losses(history, folder / "curves.png")
    best = _load_best(folder, model)
    return TextResult(folder, history, judged(model, task), best, trainer.step - done)


def _trainer(config: TextConfig, model: Any, task: Any, folder: Path) -> tuple[StepTrainer, int]:
    c: Any = config
    steps = c.steps if c.steps is not None else c.epochs * task.epochs.steps
    if config.model == "translate":
        optimizer: Any = Adam(model.parameters(), c.lr, betas=(0.9, 0.98), eps=1e-9, weight_decay=c.weight_decay)
        scheduler: Any = OneCycleLR(optimizer, c.lr, total_steps=steps)
    else:
        optimizer = AdamW(model.parameters(), c.lr, weight_decay=c.weight_decay)
        scheduler = CosineAnnealingLR(optimizer, steps)

    def record(history: list[dict[str, Any]]) -> None:
        write_text(folder / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in history))

    every = c.every or task.epochs.steps
    settings = {k: v for k, v in dataclasses.asdict(config).items() if k != "threads" and v is not None}
    return StepTrainer(
        model, optimizer, task, scheduler, clip=c.clip, every=every, folder=folder, on_evaluate=record, settings=settings
    ), steps  # fmt: skip


def _names(config: TextConfig) -> tuple[str, ...]:
    return ("source.json", "target.json") if config.model == "translate" else ("tokenizer.json",)


def _prepare(config: TextConfig, folder: Path | None, note: Note) -> tuple[Any, tuple[Any, ...], list[str]]:
    """Task, tokenizers and labels: those of a folder, or new ones."""
    kept = None if folder is None else _tokenizers(config, folder)
    if config.model == "translate":
        train, validation = translation.sentence_pairs(config)
        pair: Any = kept or translation.train_tokenizers(config, train)
        return translation.Translation(config, train, validation, pair, note), pair, []
    if config.model == "classify":
        train, validation = classification.labelled_lines(config)
        labels = sorted({label for label, _ in train}) if folder is None else _labels(folder)
        (tokenizer,) = kept or (classification.train_tokenizer(config, train),)
        task: Task = classification.Classification(config, train, validation, tokenizer, labels, note)
        return task, (tokenizer,), labels
    text = language.text_of(config)
    (tokenizer,) = kept or (language.train_tokenizer(config, text),)
    return language.Language(config, text, tokenizer), (tokenizer,), []


def _build(config: TextConfig, tokenizers: tuple[Any, ...], labels: list[str]) -> Any:
    if config.model == "translate":
        return translation.build(config, *tokenizers)
    if config.model == "classify":
        return classification.build(config, tokenizers[0], len(labels))
    if config.model == "ngram":
        return NGram(config.order or 1, len(tokenizers[0]))
    return language.build(config, len(tokenizers[0]))


def _tokenizers(config: TextConfig, folder: Path) -> tuple[Tokenizer, ...]:
    found = tuple(load_tokenizer(folder / name) for name in _names(config))
    if config.model == "translate" and not all(isinstance(t, WordTokenizer) for t in found):
        raise DataError(f"{folder}: a translation needs two tokenizers of words")
    return found


def _labels(folder: Path) -> list[str]:
    path = folder / "labels.json"
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}") from None
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise DataError(f"{path} is damaged: expected a list of labels")
    return labels


def _load_best(folder: Path, model: Any) -> int:
    path = folder / "best.safetensors"
    state = load(path)
    if not isinstance(state, dict) or not {"model", "step"} <= set(state):
        raise DataError(f"{path} is not a checkpoint of a run on text")
    model.load_state_dict(state["model"])
    return int(state["step"])


def read_text_config(folder: str | Path) -> TextConfig:
    """The configuration of a run's folder. Raises DataError if there is none or it is damaged."""
    return read_settings(folder, TextConfig)


def load_text_run(folder: str | Path) -> TextRun:
    """The best model of a run, with its tokenizers, in evaluation mode."""
    folder = Path(folder)
    config = read_text_config(folder)
    if config.threads is not None:
        set_num_threads(config.threads)
    tokenizers = _tokenizers(config, folder)
    labels = _labels(folder) if config.model == "classify" else []
    if config.model == "ngram":
        return TextRun(config, NGram.load(folder / "counts.safetensors"), tokenizers, [], 0)
    model = _build(config, tokenizers, labels)
    step = _load_best(folder, model)
    return TextRun(config, model.eval(), tokenizers, labels, step)


def evaluate_text_run(
    folder: str | Path, *, beams: int = 1, note: Note = lambda line: None
) -> tuple[TextRun, dict[str, float]]:
    """The best model of a run, and its figures on the validation part of its data; of a translation with BLEU."""
    run = load_text_run(folder)
    task, _, _ = _prepare(run.config, Path(folder), note)
    if run.config.model == "ngram":
        return run, task.evaluate(run.model)
    figures = judged(run.model, task)
    if isinstance(task, translation.Translation):
        figures["bleu"] = task.bleu(run.model, beams)
    return run, figures


__all__ = [
    "TextConfig",
    "TextResult",
    "TextRun",
    "evaluate_text_run",
    "load_text_run",
    "read_text_config",
    "train_text",
]
