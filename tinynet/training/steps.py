"""Training by steps: a task gives the loss of step k, so that a run that is resumed at step k needs no other memory.

A step is ``zero_grad; loss(k).backward(); clip; optimizer.step(); scheduler.step()``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from .._tensor import Tensor
from ..autograd.modes import no_grad
from ..nn import Module
from ..nn.utils import clip_grad_norm_
from ..optim import Optimizer
from .progress import Progress
from .resume import Interrupted, Resumable


class Task(Protocol):
    """What is learnt: the loss of a step, and how good a model is."""

    def loss(self, model: Module, step: int) -> Tensor:
        """The mean loss of the batch of this step (the same batch, whenever it is asked for)."""
        ...

    def evaluate(self, model: Module) -> dict[str, float]:
        """Figures of the validation part; "loss" is among them, and the lowest is the best."""
        ...


class StepTrainer(Resumable):
    """Trains by steps: `StepTrainer(model, optimizer, task).fit(2000)`.

    scheduler    stepped after each step
    clip         the greatest norm of all gradients together; None leaves them as they are
    every        evaluations are so many steps apart, and one is at the end
    on_evaluate  called with the history after each evaluation
    folder, settings   as in Resumable
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        task: Task,
        scheduler: Any = None,
        *,
        clip: float | None = None,
        every: int = 500,
        folder: Path | None = None,
        on_evaluate: Callable[[list[dict[str, Any]]], None] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(model, optimizer, scheduler, folder, settings)
        self.task, self.clip, self.every, self.on_evaluate = task, clip, every, on_evaluate
        self.step = 0
        self.sums: dict[str, Any] = {"loss": 0.0, "count": 0, "seconds": 0.0}

    def fit(self, steps: int, progress: bool | None = None) -> list[dict[str, Any]]:
        """Train up to `steps` steps in all, and return one row of figures for each evaluation.

        Ctrl-C finishes the step under way, saves, and raises Interrupted; a second one stops at once.
        """
        bar = Progress(steps, self.step, shown=progress, unit="steps")
        try:
            with self.interruptible():
                if self.step == 0:
                    self.save_checkpoint("last")  # from now on the run can be gone on with
                self.model.train()
                while self.step < steps:
                    self._step(bar, steps)
                    if self.step % self.every == 0 or self.step == steps:
                        self._evaluate(bar)
                    if self._stop and self.step < steps:
                        self.save_checkpoint("last")
                        raise Interrupted
        finally:
            bar.close()
        return self.history

    def _step(self, bar: Progress, steps: int) -> None:
        start = time.perf_counter()
        loss = self.task.loss(self.model, self.step)
        self.optimizer.zero_grad()
        loss.backward()
        if self.clip is not None:
            clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()
        self.step += 1
        sums = self.sums
        sums["loss"] += float(loss.item())
        sums["count"] += 1
        sums["seconds"] += time.perf_counter() - start
        bar.advance(1, f"step {self.step}/{steps}", f"loss {sums['loss'] / sums['count']:.4f}")

    def _evaluate(self, bar: Progress) -> None:
        figures, sums = judged(self.model, self.task), self.sums
        row = {
            "step": self.step,
            "train_loss": sums["loss"] / max(sums["count"], 1),
            **{f"validation_{name}": value for name, value in figures.items()},
            "lr": self.optimizer.param_groups[0]["lr"],
            "seconds": sums["seconds"],
            "steps_per_second": sums["count"] / max(sums["seconds"], 1e-9),
        }
        earlier = [r["validation_loss"] for r in self.history]
        best = not math.isnan(figures["loss"]) and all(not figures["loss"] >= value for value in earlier)
        self.history.append(row)
        self.sums = {"loss": 0.0, "count": 0, "seconds": 0.0}
        if best or not earlier:
            self.save_checkpoint("best")
        self.save_checkpoint("last")
        bar.line(f"step {self.step}: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
        if self.on_evaluate is not None:
            self.on_evaluate(self.history)

    def progress(self) -> dict[str, Any]:
        """Steps done, and what has been counted since the last evaluation."""
        return {"step": self.step, "sums": self.sums}

    def go_to(self, state: dict[str, Any]) -> None:
        """Back to that step."""
        self.step, self.sums = state["step"], dict(state["sums"])


def judged(model: Module, task: Task) -> dict[str, float]:
    """`task.evaluate` in evaluation mode, without a graph; the mode is restored."""
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            return task.evaluate(model)
    finally:
        model.train(was_training)
