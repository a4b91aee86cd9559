"""Adam and AdamW (E24)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .batch import Array, Launch
from .optimizer import Optimizer, Params, check


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

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The moments, the largest second one under amsgrad, and the count of steps."""
        return ("step", "exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if group["amsgrad"] else ()))

    def launch(self, launch: Launch, grads: list[Array], group: dict[str, Any]) -> None:
        """One step of all parameters of a launch."""
        launch.kernels.adam_step_(launch.table, grads, **_options(group))

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any], fresh: bool) -> None:
        """One step of one parameter."""
        state["step"].array[...] += 1
        vmax = state["max_exp_avg_sq"].array if group["amsgrad"] else None
        moments = state["exp_avg"].array, state["exp_avg_sq"].array
        adam_definition(p, g, *moments, vmax, step=int(state["step"].array), **_options(group))


def _options(group: dict[str, Any]) -> dict[str, Any]:
    """What the kernel and the definition take."""
    beta1, beta2 = group["betas"]
    return {
        "lr": group["lr"],
        "beta1": beta1,
        "beta2": beta2,
        "eps": group["eps"],
        "weight_decay": group["weight_decay"],
        "decoupled": group["decoupled_weight_decay"],
        "maximize": group["maximize"],
    }


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
    maximize: bool,
    step: int,
) -> None:
    """The step in NumPy (amsgrad: where vmax is given): the oracle of the kernel, and what runs where there is none."""
    d = -g if maximize else g
    if decoupled:
        p *= 1.0 - lr * weight_decay
    elif weight_decay:
        d = d + p * weight_decay
    m += (d - m) * (1.0 - beta1)
    v[...] = v * beta2 + d * d * (1.0 - beta2)
    second = v
    if vmax is not None:
        np.maximum(vmax, v, out=vmax)
        second = vmax
    denominator = np.sqrt(second) / math.sqrt(1.0 - beta2**step) + eps
    p -= (m / denominator * (lr / (1.0 - beta1**step))).astype(p.dtype)
