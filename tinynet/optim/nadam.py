"""NAdam."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .batch import Array
from .optimizer import Optimizer, Params, check, descent, options


class NAdam(Optimizer):
    """Adam with Nesterov's momentum: W ← W − lr·(μ₊·m/(1 − Π·μ₊) + (1 − μ)·g/(1 − Π))/(√v̂ + ε).

    μ = β₁(1 − ½·0.96^(t·momentum_decay)), μ₊ the same for t + 1, Π the product of all μ so far; m, v as in Adam,
    v̂ = v/(1 − β₂ᵗ).

    decoupled_weight_decay  decay as AdamW does

    Source: Dozat, ICLR 2016 workshop.
    """

    has_kernel = False

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check("NAdam", "momentum_decay", momentum_decay >= 0, momentum_decay, "≥ 0")
        defaults = options(
            "NAdam",
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
        )
        super().__init__(params, defaults)

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The moments, and the product of the momenta."""
        return ("step", "mu_product", "exp_avg", "exp_avg_sq")

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any], fresh: bool) -> None:
        """One step of one parameter."""
        product, m, v = (state[name].array for name in ("mu_product", "exp_avg", "exp_avg_sq"))
        if fresh:
            product[...] = 1
        state["step"].array[...] += 1
        step, (beta1, beta2), lr = int(state["step"].array), group["betas"], group["lr"]
        mu, following = (beta1 * (1.0 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        product *= mu
        d = descent(p, g, group)
        m += (d - m) * (1.0 - beta1)
        v[...] = v * beta2 + d * d * (1.0 - beta2)
        denominator = np.sqrt(v) / math.sqrt(1.0 - beta2**step) + group["eps"]
        of_gradient = lr * (1.0 - mu) / (1.0 - float(product))
        of_mean = lr * following / (1.0 - float(product) * following)
        p -= ((d * of_gradient + m * of_mean) / denominator).astype(p.dtype)
