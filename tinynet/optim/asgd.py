"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._tensor import new_tensor
from .batch import Array
from .optimizer import Optimizer, Params, check, descent, options


class ASGD(Optimizer):
    """W ← (1 − λη)W − ηg, a ← a + μ(W − a), η = lr/(1 + λ·lr·t)^α, μ = 1/max(1, t − t0): `ax` is the average of W.

    Source: Polyak and Juditsky, SIAM J. Control and Optimization 30, 1992; the schedule: Bottou, COMPSTAT 2010.
    """

    has_kernel = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check("ASGD", "lambd", lambd >= 0, lambd, "≥ 0")
        defaults = options(
            "ASGD",
            lr=lr,
            lambd=lambd,
            alpha=alpha,
            t0=t0,
            weight_decay=weight_decay,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            capturable=capturable,
        )
        super().__init__(params, defaults)

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The average of the parameter."""
        return ("step", "ax")

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any], fresh: bool) -> None:
        """One step of one parameter."""
        lr, lambd = float(group["lr"]), group["lambd"]
        if "eta" not in state:
            state["eta"], state["mu"] = (new_tensor(np.asarray(v, np.float32)) for v in (lr, 1.0))
        eta, mu, steps, ax = (state[name].array for name in ("eta", "mu", "step", "ax"))
        steps[...] += 1
        d = descent(p, g, group)
        p *= 1.0 - lambd * float(eta)
        p -= (d * float(eta)).astype(p.dtype)
        ax += ((p - ax) * float(mu)).astype(p.dtype)
        eta[...] = lr / (1.0 + lambd * lr * float(steps)) ** group["alpha"]
        mu[...] = 1.0 / max(1.0, float(steps) - group["t0"])
