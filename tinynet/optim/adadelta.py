"""Adadelta."""

from __future__ import annotations

from typing import Any

import numpy as np

from .batch import Array
from .optimizer import Optimizer, Params, check, descent, options


class Adadelta(Optimizer):
    """v ← ρv + (1 − ρ)g², Δ = √(u + ε)/√(v + ε)·g, u ← ρu + (1 − ρ)Δ², W ← W − lr·Δ.

    Source: Zeiler, arXiv:1212.5701, 2012.
    """

    has_kernel = False

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check("Adadelta", "rho", 0 <= rho <= 1, rho, "in [0, 1]")
        defaults = options(
            "Adadelta",
            lr=lr,
            rho=rho,
            eps=eps,
            weight_decay=weight_decay,
            maximize=maximize,
            capturable=capturable,
            foreach=foreach,
            differentiable=differentiable,
        )
        super().__init__(params, defaults)

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The mean squares of gradients and of steps."""
        return ("step", "square_avg", "acc_delta")

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any], fresh: bool) -> None:
        """One step of one parameter."""
        state["step"].array[...] += 1
        d, rho, eps = descent(p, g, group), group["rho"], group["eps"]
        v, u = state["square_avg"].array, state["acc_delta"].array
        v[...] = v * rho + d * d * (1.0 - rho)
        delta = np.sqrt(u + eps) / np.sqrt(v + eps) * d
        u[...] = u * rho + delta * delta * (1.0 - rho)
        p -= (delta * group["lr"]).astype(p.dtype)
