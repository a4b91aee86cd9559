"""The training loop: epochs over a loader, with checkpoints from which a run goes on to the same bits.

A checkpoint holds model, optimizer, schedule, the random state, and the loader's position: the random state at the
start of the epoch (from which its order is drawn again) and the number of batches done. Each batch draws its own random
numbers from the epoch's seed, so those that are done are skipped, not repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..data import DataLoader
from ..nn import Module
from ..optim import Optimizer
from ..random import default_generator
from .metrics import correct, evaluate
from .progress import Progress
from .resume import Interrupted, Resumable


class Trainer(Resumable):
    """Trains a classifier: `Trainer(model, optimizer, loss_fn).fit(train_loader, test_loader, epochs)`.

    scheduler   stepped after each epoch
    folder      where checkpoints go (`last.safetensors`, `best.safetensors`); None keeps nothing
    on_epoch    called with the history after each epoch
    settings    kept in the checkpoints; a checkpoint with other settings is refused
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        loss_fn: Callable[..., Any],
        scheduler: Any = None,
        folder: Path | None = None,
        on_epoch: Callable[[list[dict[str, Any]]], None] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(model, optimizer, scheduler, folder, settings)
        self.loss_fn, self.on_epoch = loss_fn, on_epoch
        self.epoch, self.batch = 0, 0  # finished epochs, and finished batches of the one under way
        self.sums: dict[str, Any] = {"loss": 0.0, "correct": 0, "count": 0, "seconds": 0.0}
        self.epoch_random: Any = None

    def fit(
        self, train: DataLoader, test: DataLoader, epochs: int, progress: bool | None = None
    ) -> list[dict[str, Any]]:
        """Train up to `epochs` epochs in all, and return one row of metrics for each.

        Ctrl-C finishes the batch under way, saves, and raises Interrupted; a second one stops at once.
        """
        size = len(train.dataset)
        bar = Progress(epochs * size, self.epoch * size + self.sums["count"], shown=progress)
        try:
            with self.interruptible():
                if self.epoch == self.batch == 0:
                    self.save_checkpoint("last")  # from now on the run can be gone on with
                while self.epoch < epochs:
                    self._train_epoch(train, epochs, bar)
                    self._finish_epoch(test, bar)
        finally:
            bar.close()
        return self.history

    def _train_epoch(self, train: DataLoader, epochs: int, bar: Progress) -> None:
        if self.batch == 0:
            self.epoch_random = default_generator.get_state()
            batches = train.iterate()
        else:  # draw the epoch's order again, then go on from the present random state
            now = default_generator.get_state()
            default_generator.set_state(self.epoch_random)
            batches = train.iterate(self.batch)
            default_generator.set_state(now)
        self.model.train()
        start = time.perf_counter()
        for inputs, labels in batches:
            logits = self.model(inputs)
            loss = self.loss_fn(logits, labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            n, sums = len(labels), self.sums
            sums["loss"] += float(loss.item()) * n
            sums["correct"] += correct(logits, labels)
            sums["count"] += n
            self.batch += 1
            count = sums["count"]
            figures = f"loss {sums['loss'] / count:.4f}, accuracy {sums['correct'] / count:.2%}"
            bar.advance(n, f"epoch {self.epoch + 1}/{epochs}", figures)
            if self._stop:
                sums["seconds"] += time.perf_counter() - start
                self.save_checkpoint("last")
                raise Interrupted
        self.sums["seconds"] += time.perf_counter() - start

    def _finish_epoch(self, test: DataLoader, bar: Progress) -> None:
        result, sums = evaluate(self.model, test, self.loss_fn), self.sums
        count = max(sums["count"], 1)
        self.epoch, self.batch = self.epoch + 1, 0
        row = {
            "epoch": self.epoch,
            "train_loss": sums["loss"] / count,
            "train_accuracy": sums["correct"] / count,
            "test_loss": result.loss,
            "test_accuracy": result.accuracy,
            "lr": self.optimizer.param_groups[0]["lr"],
            "seconds": sums["seconds"],
            "samples_per_second": sums["count"] / max(sums["seconds"], 1e-9),
        }
        best = all(row["test_accuracy"] > earlier["test_accuracy"] for earlier in self.history)
        self.history.append(row)
        self.sums = {"loss": 0.0, "correct": 0, "count": 0, "seconds": 0.0}
        if self.scheduler is not None:
            self.scheduler.step()
        if best:
            self.save_checkpoint("best")
        self.save_checkpoint("last")
        bar.line(f"epoch {self.epoch}: test loss {result.loss:.4f}, test accuracy {result.accuracy:.2%}")
        if self.on_epoch is not None:
            self.on_epoch(self.history)

    def progress(self) -> dict[str, Any]:
        """Epochs and batches done, and what the epoch under way has counted."""
        return {"epoch_random": self.epoch_random, "epoch": self.epoch, "batch": self.batch, "sums": self.sums}

    def go_to(self, state: dict[str, Any]) -> None:
        """Back to that batch."""
        self.epoch_random, self.epoch, self.batch = state["epoch_random"], state["epoch"], state["batch"]
        self.sums = dict(state["sums"])
