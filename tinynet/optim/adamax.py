"""Adamax."""

from __future__ import annotations

from typing import Any

import numpy as np

from .batch import Array
from .optimizer import Optimizer, Params, descent, options


class Adamax(Optimizer):
    """m ← β₁m + (1 − β₁)g, u ← max(β₂u, |g| + ε), W ← W − lr/(1 − β₁ᵗ) · m/u: Adam in the infinity norm.

    Source: Kingma and Ba, ICLR 2015, section 7.1.
    """

    has_kernel = False

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = options(
            "Adamax",
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            capturable=capturable,
        )
        super().__init__(params, defaults)

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The mean and the weighted largest gradient."""
        return ("step", "exp_avg", "exp_inf")

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any], fresh: bool) -> None:
        """One step of one parameter."""
        state["step"].array[...] += 1
        beta1, beta2 = group["betas"]
        d, m, u = descent(p, g, group), state["exp_avg"].array, state["exp_inf"].array
        m += (d - m) * (1.0 - beta1)
        u[...] = np.maximum(u * beta2, np.abs(d) + group["eps"])
        p -= (m / u * (group["lr"] / (1.0 - beta1 ** int(state["step"].array)))).astype(p.dtype)
