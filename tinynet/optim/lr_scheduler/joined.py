"""Schedules made of schedules: one after another, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from ...errors import DtypeError, OptionError
from ..optimizer import Optimizer
from .base import LRScheduler
from .plateau import ReduceLROnPlateau


class _Joined(LRScheduler):
    _not_saved = ("optimizer", "_schedulers")
    _schedulers: list[Any]

    def _take(self, optimizer: Optimizer, schedulers: Sequence[Any]) -> None:
        where = type(self).__name__
        for i, s in enumerate(schedulers):
            if isinstance(s, ReduceLROnPlateau):
                raise OptionError(f"{where}: schedule {i} is a ReduceLROnPlateau, whose step needs a metric")
            if not isinstance(s, LRScheduler):
                raise DtypeError(f"{where}: schedule {i} must be an LRScheduler, got {type(s).__name__}")
            if s.optimizer is not optimizer:
                raise OptionError(f"{where}: schedule {i} belongs to another optimizer")
        self.optimizer, self._schedulers = optimizer, list(schedulers)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, with the states of the schedules."""
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state_dict."""
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "_schedulers"})
        for s, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            s.load_state_dict(state)


class SequentialLR(_Joined):
    """One schedule after another: the next begins, at its epoch 0, at each of the milestones.

    milestones  one fewer than there are schedules
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[Any], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        if not schedulers or len(milestones) != len(schedulers) - 1:
            raise OptionError(
                f"SequentialLR: expected schedules, and milestones one fewer; got {len(schedulers)} and {len(milestones)}"
            )
        self._take(optimizer, schedulers)
        self._milestones, self.last_epoch = list(milestones), last_epoch + 1
        for group in optimizer.param_groups:  # as if none of the schedules had begun
            group["lr"] = group["initial_lr"]
        for s in self._schedulers:
            _undo(s)
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self, epoch: int | None = None) -> None:
        """Go on by one epoch."""
        if epoch is not None:
            raise OptionError(f"SequentialLR.step: expected no epoch, got {epoch}")
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        current = self._schedulers[i]
        if i and self._milestones[i - 1] == self.last_epoch:
            current._update_lr(0)
        else:
            current.step()
        self._last_lr = current.get_last_lr()


def _undo(schedule: Any) -> None:
    """Take back the step that making a schedule does, of those inside it too."""
    if isinstance(schedule, _Joined):
        for s in schedule._schedulers:
            _undo(s)
    else:
        schedule.last_epoch -= 1


class ChainedScheduler(_Joined):
    """All schedules step together, each on the rate that the one before leaves."""

    def __init__(self, schedulers: Sequence[Any], optimizer: Optimizer | None = None) -> None:
        if not schedulers:
            raise OptionError("ChainedScheduler: expected at least one schedule")
        self._take(getattr(schedulers[0], "optimizer", None) if optimizer is None else optimizer, schedulers)  # type: ignore[arg-type]
        self._last_lr = self._rates()

    def _initial_step(self) -> None:
        self.step()  # as PyTorch: inside SequentialLR its schedules take an ordinary step at first

    def _update_lr(self, epoch: int | None = None) -> None:
        for s in self._schedulers:
            s._update_lr(epoch)
        self._last_lr = self._rates()

    def step(self, epoch: int | None = None) -> None:
        """Go on by one epoch."""
        if epoch is not None:
            raise OptionError(f"ChainedScheduler.step: expected no epoch, got {epoch}")
        for s in self._schedulers:
            s.step()
        self._last_lr = self._rates()
