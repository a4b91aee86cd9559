"""Learning-rate schedules: StepLR, CosineAnnealingLR, OneCycleLR."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..errors import DtypeError, OptionError, whole_number
from .optimizer import Optimizer


class LRScheduler:
    """Sets each group's `lr` at every `step()`, from the group's first one; a subclass defines `get_lr`."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise DtypeError(f"{type(self).__name__}: expected an Optimizer, got {type(optimizer).__name__}")
        for group in optimizer.param_groups:
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])  # the first of several schedules keeps its own
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


class OneCycleLR(LRScheduler):
    """One cycle over a whole training: lr from max_lr/div_factor up to max_lr, and down to the first /final_div_factor.

    Between two values a and b a phase from step s₀ to s₁ has, with x = (s − s₀)/(s₁ − s₀), "cos": b + (a − b)·(1 + cos
    πx)/2, "linear": a + (b − a)·x. Of T steps, the way up ends at step pct_start·T − 1, the way down at T − 1;
    three_phase: down to the first lr at 2·pct_start·T − 2, and from there to the last.

    max_lr          the highest, a number or one for each group
    total_steps     T; or epochs and steps_per_epoch, whose product it is
    pct_start       the share of the way up, in [0, 1]
    cycle_momentum  momentum (of Adam: β₁) goes the other way, from max_momentum to base_momentum and back

    `step()` belongs after every batch. Raises OptionError at a step after T. Source: Smith and Topin, "Super-convergence",
    arXiv:1708.07120, 2018, whose schedule has three phases.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise DtypeError(f"OneCycleLR: expected an Optimizer, got {type(optimizer).__name__}")
        if not 0.0 <= pct_start <= 1.0:
            raise OptionError(f"OneCycleLR: pct_start must lie in [0, 1], got {pct_start!r}")
        if anneal_strategy not in ("cos", "linear"):
            raise OptionError(f"OneCycleLR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        self.total_steps = _total("OneCycleLR", total_steps, epochs, steps_per_epoch)
        self.anneal_strategy, self.cycle_momentum = anneal_strategy, cycle_momentum
        up = pct_start * self.total_steps - 1.0
        ends = [up, 2.0 * up, self.total_steps - 1.0] if three_phase else [up, self.total_steps - 1.0]
        rates = ["initial_lr", "max_lr", "initial_lr", "min_lr"] if three_phase else ["initial_lr", "max_lr", "min_lr"]
        momenta = ["max_momentum", "base_momentum", "max_momentum", "max_momentum"][: len(rates)]
        self.phases: list[list[Any]] = [
            [start, end, rates[k], rates[k + 1], momenta[k], momenta[k + 1]]
            for k, (start, end) in enumerate(zip([0.0, *ends], ends, strict=False))
        ]
        values = {"max_lr": max_lr}
        if cycle_momentum:
            if not {"momentum", "betas"} & optimizer.defaults.keys():
                raise OptionError(
                    f"OneCycleLR: cycle_momentum=True: {type(optimizer).__name__} has no momentum or betas"
                )
            values |= {"base_momentum": base_momentum, "max_momentum": max_momentum}
        if last_epoch == -1:
            for name, value in values.items():
                for group, v in zip(optimizer.param_groups, _each_group(name, value, optimizer), strict=True):
                    group[name] = v
            for group in optimizer.param_groups:
                group["initial_lr"] = group["max_lr"] / div_factor
                group["min_lr"] = group["initial_lr"] / final_div_factor
        elif missing := [name for name in (*values, "min_lr") if any(name not in g for g in optimizer.param_groups)]:
            raise OptionError(f"OneCycleLR: last_epoch {last_epoch} needs {', '.join(missing)} in every group")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rates at `last_epoch`."""
        if self.last_epoch > self.total_steps:
            raise OptionError(f"OneCycleLR: step {self.last_epoch} of {self.total_steps}; the cycle is over")
        return [self._between(group, 2) for group in self.optimizer.param_groups]

    def step(self, epoch: int | None = None) -> None:
        """Go on by one step (or to `epoch`): learning rates and momenta."""
        super().step(epoch)
        for group in self.optimizer.param_groups if self.cycle_momentum else ():
            momentum = self._between(group, 4)
            if "betas" in self.optimizer.defaults:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def _between(self, group: dict[str, Any], column: int) -> float:
        """Of the phase that `last_epoch` lies in, the value between the two that its columns name."""
        phase = next((p for p in self.phases if self.last_epoch <= p[1]), self.phases[-1])
        start, end = phase[:2]
        a, b = group[phase[column]], group[phase[column + 1]]
        x = (self.last_epoch - start) / (end - start) if end != start else 1.0
        if self.anneal_strategy == "linear":
            return a + (b - a) * x
        return b + (a - b) / 2.0 * (1.0 + math.cos(math.pi * x))


def _total(where: str, total: int | None, epochs: int | None, steps: int | None) -> int:
    if total is not None:
        return whole_number(where, "total_steps", total, 1)
    if epochs is None or steps is None:
        raise OptionError(f"{where}: give total_steps, or epochs and steps_per_epoch")
    return whole_number(where, "epochs", epochs, 1) * whole_number(where, "steps_per_epoch", steps, 1)


def _each_group(name: str, value: Any, optimizer: Optimizer) -> list[float]:
    """A number for each group: the one given, or those listed."""
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, list | tuple) else [value] * groups
    if len(values) != groups:
        raise OptionError(f"OneCycleLR: {name} has {len(values)} values for {groups} groups")
    return values
