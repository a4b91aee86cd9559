"""Schedules along a cosine, once or with restarts."""

from __future__ import annotations

import math

from ...errors import OptionError, whole_number
from ..optimizer import Optimizer
from .base import LRScheduler


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
        e, t = self.last_epoch, self.T_max
        if e == 0 or self._is_initial:
            return self._rates()
        if self._step_count == 1:
            return self._get_closed_form_lr()
        if (e - 1 - t) % (2 * t) == 0:
            return [
                lr + (base - self.eta_min) * (1 - math.cos(math.pi / t)) / 2
                for base, lr in zip(self.base_lrs, self._rates(), strict=True)
            ]
        ratio = (1 + math.cos(math.pi * e / t)) / (1 + math.cos(math.pi * (e - 1) / t))
        return [ratio * (lr - self.eta_min) + self.eta_min for lr in self._rates()]

    def _get_closed_form_lr(self) -> list[float]:
        share = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (lr - self.eta_min) * share for lr in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr = eta_min + (lr₀ − eta_min)·(1 + cos(π·T_cur/T_i))/2, T_cur epochs after the last restart, T_i before the next.

    T_0     epochs to the first restart
    T_mult  by which T_i grows at each

    `step(epoch)` takes fractions of an epoch. Source: Loshchilov and Hutter, "SGDR", ICLR 2017.
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        where = type(self).__name__
        self.T_0, self.T_mult = whole_number(where, "T_0", T_0, 1), whole_number(where, "T_mult", T_mult, 1)
        self.T_i: float = self.T_0
        self.T_cur: float = last_epoch
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates at T_cur."""
        share = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (lr - self.eta_min) * share for lr in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on by one epoch, or to `epoch`, which may be a fraction."""
        self._update_lr(0 if epoch is None and self.last_epoch < 0 else epoch)

    def _update_lr(self, epoch: float | None = None) -> None:
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
        elif epoch < 0:
            raise OptionError(f"CosineAnnealingWarmRestarts: epoch must be ≥ 0, got {epoch}")
        elif epoch < self.T_0 or self.T_mult == 1:
            self.T_cur, self.T_i = epoch % self.T_0, self.T_0
        else:
            n = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**n - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**n
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())
