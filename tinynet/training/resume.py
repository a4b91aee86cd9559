"""Checkpoints from which training goes on to the same bits, and a Ctrl-C that saves first."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from ..errors import DataError
from ..nn import Module
from ..optim import Optimizer
from ..random import default_generator
from ..serialization import load, save


class Interrupted(Exception):
    """Training was stopped by Ctrl-C; the state is saved."""


class Resumable:
    """What training loops have in common. A loop adds `progress()`, its place in the data, and `go_to(...)`, back to it.

    folder      where checkpoints go (`last.safetensors`, `best.safetensors`); None keeps nothing
    settings    kept in the checkpoints; a checkpoint with other settings is refused
    """

    def __init__(
        self, model: Module, optimizer: Optimizer, scheduler: Any, folder: Path | None, settings: dict[str, Any] | None
    ) -> None:
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.folder, self.settings = folder, settings or {}
        self.history: list[dict[str, Any]] = []
        self._stop = False

    def progress(self) -> dict[str, Any]:
        """The place in the data, as a checkpoint keeps it."""
        raise NotImplementedError

    def go_to(self, state: dict[str, Any]) -> None:
        """Back to the place that `progress` gave."""
        raise NotImplementedError

    def save_checkpoint(self, name: str) -> None:
        """Write `<name>.safetensors` in the run's folder, atomically."""
        if self.folder is None:
            return
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "random": default_generator.get_state(),
            **self.progress(),
            "history": self.history,
            "settings": self.settings,
        }
        save(state, self.folder / f"{name}.safetensors")

    def load_checkpoint(self, name: str = "last") -> None:
        """Go on from `<name>.safetensors`. Raises DataError if the file lacks a part."""
        if self.folder is None:
            raise ValueError("load_checkpoint: this trainer has no folder")
        path = self.folder / f"{name}.safetensors"
        state = load(path)
        try:
            if state["settings"] != self.settings:
                other = {k: v for k, v in state["settings"].items() if self.settings.get(k) != v}
                raise DataError(f"{path} belongs to a run with other settings: {other}")
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            if self.scheduler is not None and state["scheduler"] is not None:
                self.scheduler.load_state_dict(state["scheduler"])
            default_generator.set_state(state["random"])
            self.go_to(state)
            self.history = list(state["history"])
        except (KeyError, TypeError) as error:
            raise DataError(f"{path} is not a training checkpoint: {error!r}") from None

    def interruptible(self) -> _Interruptible:
        """Within it the first Ctrl-C sets `_stop`; in other threads than the main one nothing changes."""
        self._stop = False
        return _Interruptible(self)


class _Interruptible:
    def __init__(self, loop: Resumable) -> None:
        self.loop = loop
        self.before: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGINT, self._handle)

    def __exit__(self, *error: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.loop._stop:
            raise KeyboardInterrupt
        self.loop._stop = True
