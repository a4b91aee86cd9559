"""RAdam."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .batch import Array
from .optimizer import Optimizer, Params, descent, options


class RAdam(Optimizer):
    """Adam whose adaptive step is scaled by r while the variance of 1/√v̂ is large, and left out at first.

    ρ∞ = 2/(1 − β₂) − 1, ρ = ρ∞ − 2tβ₂ᵗ/(1 − β₂ᵗ). For ρ > 5: W ← W − lr·m̂·r·√(1 − β₂ᵗ)/(√v + ε),
    r = √((ρ − 4)(ρ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρ)); else W ← W − lr·m̂. Moments as in Adam.

    decoupled_weight_decay  decay as AdamW does

    Source: Liu et al., ICLR 2020.
    """

    has_kernel = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = options(
            "RAdam",
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            decoupled_weight_decay=decoupled_weight_decay,
            differentiable=differentiable,
        )
        super().__init__(params, defaults)

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The moments."""
        return ("step", "exp_avg", "exp_avg_sq")

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any], fresh: bool) -> None:
        """One step of one parameter."""
        state["step"].array[...] += 1
        t, (beta1, beta2) = int(state["step"].array), group["betas"]
        d, m, v = descent(p, g, group), state["exp_avg"].array, state["exp_avg_sq"].array
        m += (d - m) * (1.0 - beta1)
        v[...] = v * beta2 + d * d * (1.0 - beta2)
        correction = 1.0 - beta2**t
        limit = 2.0 / (1.0 - beta2) - 1.0
        rho = limit - 2.0 * t * beta2**t / correction
        move = m * (group["lr"] / (1.0 - beta1**t))
        if rho > 5.0:
            r = math.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
            move = move * (r * math.sqrt(correction)) / (np.sqrt(v) + group["eps"])
        p -= move.astype(p.dtype)
