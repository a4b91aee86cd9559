"""Stochastic gradient descent (E6, E7)."""

from __future__ import annotations

from typing import Any

from .batch import Array, Launch
from .optimizer import Optimizer, Params, check

_USED = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")


class SGD(Optimizer):
    """W ← W − α·v, v ← momentum·v + (1 − dampening)·(∂L/∂W + weight_decay·W) (E6, E7).

    nesterov  step along g + momentum·v
    maximize  ascend

    Source: Sutskever, Martens, Dahl, Hinton, ICML 2013, with PyTorch's placing of the learning rate.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check("SGD", "lr", lr >= 0, lr, "≥ 0")
        check("SGD", "momentum", momentum >= 0, momentum, "≥ 0")
        check("SGD", "weight_decay", weight_decay >= 0, weight_decay, "≥ 0")
        check("SGD", "nesterov", not nesterov or (momentum > 0 and dampening == 0), nesterov, "used with momentum only")
        if differentiable:
            raise NotImplementedError("SGD: differentiable=True is not supported")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": False,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The velocity, if there is momentum."""
        return ("momentum_buffer",) if group["momentum"] else ()

    def launch(self, launch: Launch, grads: list[Array], group: dict[str, Any]) -> None:
        """One step of all parameters of a launch."""
        launch.kernels.sgd_step_(launch.table, grads, launch.fresh, **{k: group[k] for k in _USED})

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any], fresh: bool) -> None:
        """One step of one parameter."""
        buf = state["momentum_buffer"].array if group["momentum"] else None
        sgd_definition(p, g, buf, first=fresh, **{k: group[k] for k in _USED})


def sgd_definition(
    p: Array,
    g: Array,
    buf: Array | None,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """The step in NumPy: the oracle of the kernel, and what runs where there is none."""
    d = -g if maximize else g
    if weight_decay:
        d = d + p * weight_decay
    if buf is not None:
        buf[...] = d if first else buf * momentum + d * (1.0 - dampening)
        d = d + buf * momentum if nesterov else buf
    p -= (d * lr).astype(p.dtype)
