"""Adam and AdamW (E24)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._tensor import new_tensor
from .optimizer import Array, Optimizer, Params, check, kernels, zeros


class Adam(Optimizer):
    """m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², W ← W − α·m̂/(√v̂ + ε), m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ) (E24).

    weight_decay  added to the gradient (L2); see AdamW for the decoupled form
    amsgrad       divide by the largest v so far

    Source: Kingma and Ba, ICLR 2015; amsgrad: Reddi, Kale, Kumar, ICLR 2018.
    """

    decoupled = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        where = type(self).__name__
        check(where, "lr", lr >= 0, lr, "≥ 0")
        check(where, "eps", eps >= 0, eps, "≥ 0")
        check(where, "betas", len(betas) == 2 and all(0 <= b < 1 for b in betas), betas, "two numbers in [0, 1)")
        check(where, "weight_decay", weight_decay >= 0, weight_decay, "≥ 0")
        if differentiable or capturable:
            raise NotImplementedError(f"{where}: differentiable=True and capturable=True are not supported")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": False,
            "differentiable": False,
            "fused": fused,
            "decoupled_weight_decay": self.decoupled or decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """One step of one parameter."""
        if not state:
            state["step"] = new_tensor(np.zeros((), np.float32))
            state["exp_avg"], state["exp_avg_sq"] = zeros(p), zeros(p)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = zeros(p)
        state["step"].array[...] += 1
        vmax = state["max_exp_avg_sq"].array if group["amsgrad"] else None
        options = {
            "lr": group["lr"],
            "beta1": group["betas"][0],
            "beta2": group["betas"][1],
            "eps": group["eps"],
            "weight_decay": group["weight_decay"],
            "decoupled": group["decoupled_weight_decay"],
            "amsgrad": group["amsgrad"],
            "maximize": group["maximize"],
            "step": int(state["step"].array),
        }
        k = kernels(p, g)
        step = adam_definition if k is None else k.adam_step_
        step(p, g, state["exp_avg"].array, state["exp_avg_sq"].array, vmax, **options)


class AdamW(Adam):
    """Adam with decoupled weight decay (E24): W ← (1 − α·weight_decay)·W before each step.

    Source: Loshchilov and Hutter, ICLR 2019.
    """

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
        )


def adam_definition(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    vmax: Array | None,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    amsgrad: bool,
    maximize: bool,
    step: int,
) -> None:
    """The step in NumPy: the oracle of the kernel, and what runs where there is none."""
    d = -g if maximize else g
    if decoupled:
        p *= 1.0 - lr * weight_decay
    elif weight_decay:
        d = d + p * weight_decay
    m += (d - m) * (1.0 - beta1)
    v[...] = v * beta2 + d * d * (1.0 - beta2)
    second = v
    if amsgrad and vmax is not None:
        np.maximum(vmax, v, out=vmax)
        second = vmax
    denominator = np.sqrt(second) / math.sqrt(1.0 - beta2**step) + eps
    p -= (m / denominator * (lr / (1.0 - beta1**step))).astype(p.dtype)
