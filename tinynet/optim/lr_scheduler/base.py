"""LRScheduler: a learning rate for each parameter group at every step."""

from __future__ import annotations

import types
import warnings
from typing import Any

from ...errors import DtypeError, OptionError
from ..optimizer import Optimizer


class LRScheduler:
    """Sets each group's `lr` at every `step()`, from the group's first one; a subclass defines `get_lr`.

    A subclass that knows the rate at any epoch without those before defines `_get_closed_form_lr` for `step(epoch)`.
    """

    _is_initial = False
    _not_saved: tuple[str, ...] = ("optimizer",)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(type(self).__name__, optimizer)
        for group in optimizer.param_groups:
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])  # the first of several schedules keeps its own
            elif "initial_lr" not in group:
                raise OptionError(f"{type(self).__name__}: last_epoch {last_epoch} needs 'initial_lr' in every group")
        self.optimizer = optimizer
        self.base_lrs = [g["initial_lr"] for g in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count, self._is_initial = 0, True
        self.step()
        self._is_initial = False

    def get_lr(self) -> list[float]:
        """The learning rates at `last_epoch`."""
        raise NotImplementedError(f"{type(self).__name__}.get_lr must be overridden")

    def get_last_lr(self) -> list[float]:
        """The learning rates now in force."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go on by one epoch (or to `epoch`)."""
        self._step_count += 1
        if epoch is not None:
            warn_epoch(self)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        closed = getattr(self, "_get_closed_form_lr", None)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._set(self.get_lr() if epoch is None or closed is None else closed())

    def _set(self, rates: list[float]) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = lr
        self._last_lr = list(rates)

    def _rates(self, factor: float = 1.0) -> list[float]:
        """The learning rates in force, times a factor."""
        return [g["lr"] * factor if factor != 1.0 else g["lr"] for g in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and functions."""
        return {k: v for k, v in self.__dict__.items() if k not in self._not_saved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state_dict."""
        self.__dict__.update(state_dict)


def check_optimizer(where: str, optimizer: Any) -> None:
    """Raise DtypeError unless it is one."""
    if not isinstance(optimizer, Optimizer):
        raise DtypeError(f"{where}: expected an Optimizer, got {type(optimizer).__name__}")


def warn_epoch(schedule: LRScheduler) -> None:
    """PyTorch deprecates `step(epoch)`."""
    warnings.warn(f"{type(schedule).__name__}.step: passing epoch is deprecated", stacklevel=3)


def each_group(where: str, name: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """A value for each group: the one given, or those listed."""
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, list | tuple) else [value] * groups
    if len(values) != groups:
        raise OptionError(f"{where}: {name} has {len(values)} values for {groups} groups")
    return values


def state_of(function: Any) -> dict[str, Any] | None:
    """What of a function given by the user is saved: of a callable object its attributes, of a plain function nothing."""
    return None if isinstance(function, types.FunctionType) else dict(function.__dict__)


def has_momentum(where: str, optimizer: Optimizer) -> None:
    """Raise OptionError where there is no momentum to cycle."""
    if not {"momentum", "betas"} & optimizer.defaults.keys():
        raise OptionError(f"{where}: cycle_momentum=True: {type(optimizer).__name__} has no momentum or betas")


def set_momentum(optimizer: Optimizer, momenta: list[float]) -> None:
    """Give each group its momentum (of Adam: β₁)."""
    for group, momentum in zip(optimizer.param_groups, momenta, strict=True):
        if "betas" in optimizer.defaults:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum
