"""A run: a configuration, and a folder with everything that came of it.

config.json           what was asked for, and the versions that ran
metrics.jsonl         one JSON object an epoch
curves.png            loss and accuracy by epoch
confusion.png, .json  the confusion matrix of the best checkpoint
best.safetensors      the checkpoint with the highest test accuracy
last.safetensors      the newest checkpoint; training goes on from it
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data import MNIST, DataLoader, Digits, FashionMNIST, Mapped
from ..errors import DataError, OptionError
from ..files import write_text
from ..models import CNN, MLP, LeNet
from ..nn import CrossEntropyLoss, Module
from ..optim import SGD, Adam, AdamW, Optimizer
from ..optim.lr_scheduler import CosineAnnealingLR
from ..random import manual_seed
from ..serialization import load
from ..threads import set_num_threads
from .metrics import Evaluation, evaluate
from .plots import save_confusion, save_curves
from .resume import Interrupted
from .run_folder import describe, make_folder, read_settings
from .trainer import Trainer

MODELS: dict[str, Callable[..., Module]] = {"mlp": MLP, "lenet": LeNet, "cnn": CNN}
OPTIMIZERS = ("sgd", "adam", "adamw")
DATASETS = ("digits", "mnist", "fashion-mnist")
_DRAW_EVERY = 20.0  # seconds; a picture costs as much as a short epoch
RATES = {"sgd": 0.05, "adam": 2e-3, "adamw": 2e-3}


@dataclass
class Config:
    """What to train. `lr` None takes the optimizer's usual one; `epochs` None takes the data's."""

    model: str = "lenet"
    data: str = "digits"
    data_dir: str | None = None
    epochs: int | None = None
    batch_size: int = 32
    lr: float | None = None
    optimizer: str = "sgd"
    seed: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("model", self.model, tuple(MODELS)),
            ("data", self.data, DATASETS),
            ("optimizer", self.optimizer, OPTIMIZERS),
        ):
            if value not in choices:
                raise OptionError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
        for name, kind in (("epochs", int), ("batch_size", int), ("seed", int), ("threads", int), ("lr", (int, float))):
            value = getattr(self, name)
            if value is None and name not in ("batch_size", "seed"):
                continue
            if not isinstance(value, kind) or isinstance(value, bool):
                raise OptionError(f"{name} must be a number, got {value!r}")
        if not -(2**63) <= self.seed < 2**64:
            raise OptionError(f"seed must fit into 64 bits, got {self.seed}")
        if self.epochs is None:
            self.epochs = 40 if self.data == "digits" else 12
        if self.lr is None:
            self.lr = RATES[self.optimizer]
        for name, ok in (("epochs", self.epochs >= 1), ("batch_size", self.batch_size >= 1), ("lr", self.lr > 0)):
            if not ok:
                raise OptionError(f"{name} must be positive, got {getattr(self, name)}")
        if self.threads is not None and self.threads < 1:
            raise OptionError(f"threads must be positive, got {self.threads}")


@dataclass
class Result:
    """What a run reached."""

    folder: Path
    history: list[dict[str, Any]]
    best_epoch: int
    best: Evaluation
    trained: int = 0  # epochs that this call did


def datasets(config: Config) -> tuple[Mapped, Mapped]:
    """The training and the test part."""
    if config.data == "digits":
        if config.data_dir is not None:
            raise OptionError(
                "data_dir: the digits are part of the package; data_dir goes with mnist and fashion-mnist"
            )
        return Digits(train=True), Digits(train=False)
    kind = MNIST if config.data == "mnist" else FashionMNIST
    download = config.data_dir is None
    return kind(config.data_dir, True, download=download), kind(config.data_dir, False, download=download)


def build(config: Config, train: Mapped) -> tuple[Module, Optimizer, Any]:
    """The model, its optimizer and its schedule, from the seed."""
    manual_seed(config.seed)
    model = MODELS[config.model](tuple(train.images.shape[1:]), train.classes)  # type: ignore[attr-defined]
    assert config.lr is not None
    assert config.epochs is not None
    if config.optimizer == "sgd":
        optimizer: Optimizer = SGD(model.parameters(), config.lr, momentum=0.9, weight_decay=5e-4)
    elif config.optimizer == "adam":
        optimizer = Adam(model.parameters(), config.lr)
    else:
        optimizer = AdamW(model.parameters(), config.lr)
    return model, optimizer, CosineAnnealingLR(optimizer, config.epochs)


def train(config: Config, folder: str | Path, *, resume: bool = False, progress: bool | None = None) -> Result:
    """Train by `config` in `folder`; with `resume`, go on from its last checkpoint.

    Raises OptionError if the folder holds a run already and `resume` is False, Interrupted after Ctrl-C.
    """
    folder = Path(folder)
    if not resume and (folder / "config.json").exists():
        raise OptionError(f"{folder} holds a run already; resume it, or choose another folder")
    if config.threads is not None:
        set_num_threads(config.threads)
    train_set, test_set = datasets(config)
    model, optimizer, scheduler = build(config, train_set)
    make_folder(folder)
    loss_fn = CrossEntropyLoss()

    drawn = time.monotonic()

    def record(history: list[dict[str, Any]]) -> None:
        nonlocal drawn
        write_text(folder / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in history))
        if time.monotonic() - drawn > _DRAW_EVERY:
            save_curves(history, folder / "curves.png")
            drawn = time.monotonic()

    settings = {k: v for k, v in dataclasses.asdict(config).items() if k not in ("threads", "data_dir")}
    trainer = Trainer(model, optimizer, loss_fn, scheduler, folder, record, settings)
    if resume:
        trainer.load_checkpoint("last")
    else:
        write_text(folder / "config.json", json.dumps(describe(config), indent=2) + "\n")
    assert config.epochs is not None
    loader = DataLoader(train_set, config.batch_size, shuffle=True)
    test_loader = DataLoader(test_set, 256)
    done = trainer.epoch
    history = trainer.fit(loader, test_loader, config.epochs, progress)
    save_curves(history, folder / "curves.png")
    best_epoch, result = judge(folder, model, test_loader)
    return Result(folder, history, best_epoch, result, trainer.epoch - done)


def judge(folder: Path, model: Module, loader: DataLoader) -> tuple[int, Evaluation]:
    """Evaluate the best checkpoint, and write its confusion matrix: (its epoch, evaluation)."""
    path = folder / "best.safetensors"
    state = load(path)
    if not isinstance(state, dict) or not {"model", "epoch"} <= set(state):
        raise DataError(f"{path} is not a training checkpoint")
    model.load_state_dict(state["model"])
    result = evaluate(model, loader, CrossEntropyLoss())
    write_text(folder / "confusion.json", json.dumps(result.confusion.tolist()) + "\n")
    save_confusion(result.confusion, folder / "confusion.png")
    return int(state["epoch"]), result


def read_config(folder: str | Path) -> Config:
    """The configuration of a run's folder. Raises DataError if there is none or it is damaged."""
    return read_settings(folder, Config)


def evaluate_run(folder: str | Path) -> tuple[Config, int, Evaluation]:
    """Evaluate the best checkpoint of a run on the test part of its data: (configuration, epoch, evaluation)."""
    config = read_config(folder)
    if config.threads is not None:
        set_num_threads(config.threads)
    train_set, test_set = datasets(config)
    model, _, _ = build(config, train_set)
    epoch, result = judge(Path(folder), model, DataLoader(test_set, 256))
    return config, epoch, result


__all__ = ["Config", "Interrupted", "Result", "evaluate_run", "read_config", "train"]
