"""Learning-rate schedules: StepLR and CosineAnnealingLR."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..errors import DtypeError, OptionError
from .optimizer import Optimizer


class LRScheduler:
    """Sets each group's `lr` at every `step()`, from the group's first one; a subclass defines `get_lr`."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise DtypeError(f"{type(self).__name__}: expected an Optimizer, got {type(optimizer).__name__}")
        for group in optimizer.param_groups:
            if last_epoch == -1:
                group["initial_lr"] = group["lr"]
            elif "initial_lr" not in group:
                raise OptionError(f"{type(self).__name__}: last_epoch {last_epoch} needs 'initial_lr' in every group")
        self.optimizer = optimizer
        self.base_lrs = [g["initial_lr"] for g in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    def get_lr(self) -> list[float]:
        """The learning rates at `last_epoch`."""
        raise NotImplementedError(f"{type(self).__name__}.get_lr must be overridden")

    def get_last_lr(self) -> list[float]:
        """The learning rates now in force."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go on by one epoch (or to `epoch`)."""
        if epoch is not None:
            warnings.warn(f"{type(self).__name__}.step: passing epoch is deprecated", stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = lr
        self._last_lr = [g["lr"] for g in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {k: v for k, v in self.__dict__.items() if k != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state_dict."""
        self.__dict__.update(state_dict)


class StepLR(LRScheduler):
    """lr = lr₀·gamma^⌊epoch/step_size⌋, by multiplying what is in force."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if step_size < 1:
            raise OptionError(f"StepLR: step_size must be ≥ 1, got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Multiply by gamma every step_size epochs."""
        rates = [g["lr"] for g in self.optimizer.param_groups]
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return rates
        return [lr * self.gamma for lr in rates]


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (lr₀ − eta_min)·(1 + cos(π·epoch/T_max))/2, by the recurrence that chains with other schedules.

    Source: Loshchilov and Hutter, "SGDR", ICLR 2017 (without restarts).
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        if T_max < 1:
            raise OptionError(f"CosineAnnealingLR: T_max must be ≥ 1, got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """One step of the recurrence."""
        groups, e, t = self.optimizer.param_groups, self.last_epoch, self.T_max
        if e == 0:
            return [g["lr"] for g in groups]
        if (e - 1 - t) % (2 * t) == 0:
            return [
                g["lr"] + (base - self.eta_min) * (1 - math.cos(math.pi / t)) / 2
                for base, g in zip(self.base_lrs, groups, strict=True)
            ]
        ratio = (1 + math.cos(math.pi * e / t)) / (1 + math.cos(math.pi * (e - 1) / t))
        return [ratio * (g["lr"] - self.eta_min) + self.eta_min for g in groups]
