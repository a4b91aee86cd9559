"""Rprop."""

from __future__ import annotations

from typing import Any

import numpy as np

from .batch import Array
from .optimizer import Optimizer, Params, check, options


class Rprop(Optimizer):
    """Each element steps by its own Δ against the sign of its gradient: Δ grows while the sign stays, else shrinks.

    With the gradient g and the last one h: g·h > 0: Δ ← min(Δ·η₊, Δmax); g·h < 0: Δ ← max(Δ·η₋, Δmin), and g counts as
    0 here and as h in the next step. W ← W − sign(g)·Δ. At first Δ = lr.

    etas        (η₋, η₊)
    step_sizes  (Δmin, Δmax)

    Source: Riedmiller and Braun, ICNN 1993.
    """

    has_kernel = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check("Rprop", "etas", 0 < etas[0] < 1 < etas[1], etas, "two numbers, 0 < η₋ < 1 < η₊")
        defaults = options(
            "Rprop",
            lr=lr,
            etas=etas,
            step_sizes=step_sizes,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            capturable=capturable,
        )
        super().__init__(params, defaults)

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The last gradient, and the sizes of the steps."""
        return ("step", "prev", "step_size")

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any], fresh: bool) -> None:
        """One step of one parameter."""
        before, size = state["prev"].array, state["step_size"].array
        if fresh:
            size[...] = group["lr"]
        state["step"].array[...] += 1
        (shrink, grow), (least, most) = group["etas"], group["step_sizes"]
        d = -g if group["maximize"] else g
        turned = np.sign(d * before)
        factor = np.where(turned > 0, grow, np.where(turned < 0, shrink, 1.0)).astype(p.dtype)
        size[...] = np.clip(size * factor, least, most)
        d = np.where(turned < 0, p.dtype.type(0), d)
        p -= (np.sign(d) * size).astype(p.dtype)
        before[...] = d
