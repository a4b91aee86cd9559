"""Schedules that go up and down: many cycles, or one over a whole training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...errors import OptionError, whole_number
from ..optimizer import Optimizer
from .base import LRScheduler, check_optimizer, each_group, has_momentum, set_momentum, state_of

Numbers = float | list[float]


class CyclicLR(LRScheduler):
    """lr = base + (max − base)·h·s: h a triangle wave from 0 to 1 and back, s the scale.

    step_size_up, step_size_down  steps of the way up, and of the way down (by default as many)
    mode            "triangular": s = 1; "triangular2": s = 2^(1 − cycle), cycles from 1; "exp_range": s = gamma^step
    scale_fn        s as a function of one's own, in place of mode: of the cycle or the step, as scale_mode says
                    ("cycle", "iterations")
    cycle_momentum  momentum (of Adam: β₁) goes the other way, from max_momentum to base_momentum and back

    `step()` belongs after every batch. Source: Smith, WACV 2017.
    """

    _not_saved = ("optimizer", "_scale_fn_custom")

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Numbers,
        max_lr: Numbers,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Numbers = 0.8,
        max_momentum: Numbers = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer("CyclicLR", optimizer)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise OptionError(f"CyclicLR: mode must be 'triangular', 'triangular2' or 'exp_range', got {mode!r}")
        bases = each_group("CyclicLR", "base_lr", base_lr, optimizer)
        self.max_lrs = each_group("CyclicLR", "max_lr", max_lr, optimizer)
        self.total_size = float(step_size_up + (step_size_up if step_size_down is None else step_size_down))
        self.step_ratio = step_size_up / self.total_size
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            has_momentum("CyclicLR", optimizer)
            self.base_momentums = each_group("CyclicLR", "base_momentum", base_momentum, optimizer)
            self.max_momentums = each_group("CyclicLR", "max_momentum", max_momentum, optimizer)
        if last_epoch == -1:
            for i, group in enumerate(optimizer.param_groups):
                group["lr"] = bases[i]
                if cycle_momentum:
                    group["base_momentum"], group["max_momentum"] = self.base_momentums[i], self.max_momentums[i]
        self.base_lrs = bases
        super().__init__(optimizer, last_epoch)
        self.base_lrs = bases

    def scale_fn(self, x: float) -> float:
        """The scale at cycle or step x."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return {"triangular": 1.0, "triangular2": 2.0 ** (1 - x)}.get(self.mode) or self.gamma**x

    def get_lr(self) -> list[float]:
        """The learning rates at `last_epoch`."""
        height = self._height()
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def _height(self) -> float:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        return height * self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        """Learning rates and momenta."""
        super()._update_lr(epoch)
        if self.cycle_momentum:
            height, pairs = self._height(), zip(self.base_momentums, self.max_momentums, strict=True)
            set_momentum(self.optimizer, [high - (high - low) * height for low, high in pairs])

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; of scale_fn, what a callable object holds."""
        f = self._scale_fn_custom
        return {**super().state_dict(), "_scale_fn_custom": None if f is None else state_of(f)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state_dict."""
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "_scale_fn_custom"})
        if state_dict["_scale_fn_custom"] is not None and self._scale_fn_custom is not None:
            self._scale_fn_custom.__dict__.update(state_dict["_scale_fn_custom"])


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
        check_optimizer("OneCycleLR", optimizer)
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
            has_momentum("OneCycleLR", optimizer)
            values |= {"base_momentum": base_momentum, "max_momentum": max_momentum}
        if last_epoch == -1:
            for name, value in values.items():
                for group, v in zip(
                    optimizer.param_groups, each_group("OneCycleLR", name, value, optimizer), strict=True
                ):
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

    def _update_lr(self, epoch: int | None = None) -> None:
        """Learning rates and momenta."""
        super()._update_lr(epoch)
        if self.cycle_momentum:
            set_momentum(self.optimizer, [self._between(group, 4) for group in self.optimizer.param_groups])

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
