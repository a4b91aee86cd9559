"""Adagrad."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._tensor import new_tensor
from .batch import Array
from .optimizer import Optimizer, Params, check, descent, options


class Adagrad(Optimizer):
    """s ← s + g², W ← W − lr/(1 + (t − 1)·lr_decay) · g/(√s + ε), s = initial_accumulator_value at first.

    Source: Duchi, Hazan, Singer, JMLR 12, 2011.
    """

    has_kernel = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check("Adagrad", "lr_decay", lr_decay >= 0, lr_decay, "≥ 0")
        initial = initial_accumulator_value
        check("Adagrad", "initial_accumulator_value", initial >= 0, initial, "≥ 0")
        defaults = options(
            "Adagrad",
            lr=lr,
            lr_decay=lr_decay,
            eps=eps,
            weight_decay=weight_decay,
            initial_accumulator_value=initial,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            fused=fused,
        )
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                start = np.full(p.array.shape, group["initial_accumulator_value"], p.array.dtype)
                self.state[p] = {"step": new_tensor(np.zeros((), np.float32)), "sum": new_tensor(start)}

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The sum of squares."""
        return ("step", "sum")

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any], fresh: bool) -> None:
        """One step of one parameter."""
        steps, total = state["step"].array, state["sum"].array
        if fresh:  # a parameter of a group that was added later
            total += group["initial_accumulator_value"]
        steps[...] += 1
        rate = float(group["lr"]) / (1.0 + (float(steps) - 1.0) * group["lr_decay"])
        d = descent(p, g, group)
        total += d * d
        p -= (d / (np.sqrt(total) + group["eps"]) * rate).astype(p.dtype)
