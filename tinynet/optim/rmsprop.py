"""RMSprop."""

from __future__ import annotations

from typing import Any

import numpy as np

from .batch import Array
from .optimizer import Optimizer, Params, check, descent, options


class RMSprop(Optimizer):
    """v ← α·v + (1 − α)·g², W ← W − lr·g/(√v + ε).

    centered  divide by √(v − ḡ²), ḡ the mean of the gradients by the same recurrence
    momentum  step along b ← momentum·b + g/(√v + ε)

    Source: Tieleman and Hinton, Coursera lecture 6.5, 2012; centered: Graves, arXiv:1308.0850.
    """

    has_kernel = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check("RMSprop", "momentum", momentum >= 0, momentum, "≥ 0")
        check("RMSprop", "alpha", alpha >= 0, alpha, "≥ 0")
        defaults = options(
            "RMSprop",
            lr=lr,
            momentum=momentum,
            alpha=alpha,
            eps=eps,
            centered=centered,
            weight_decay=weight_decay,
            capturable=capturable,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
        )
        super().__init__(params, defaults)

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The mean square, and what the options need."""
        momentum = ("momentum_buffer",) if group["momentum"] > 0 else ()
        return ("step", "square_avg", *momentum, *(("grad_avg",) if group["centered"] else ()))

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any], fresh: bool) -> None:
        """One step of one parameter."""
        state["step"].array[...] += 1
        d, v, alpha = descent(p, g, group), state["square_avg"].array, group["alpha"]
        v[...] = v * alpha + d * d * (1.0 - alpha)
        variance = v
        if group["centered"]:
            mean = state["grad_avg"].array
            mean += (d - mean) * (1.0 - alpha)
            variance = v - mean * mean
        d = d / (np.sqrt(variance) + group["eps"])
        if group["momentum"] > 0:
            buffer = state["momentum_buffer"].array
            buffer[...] = buffer * group["momentum"] + d
            d = buffer
        p -= (d * group["lr"]).astype(p.dtype)
