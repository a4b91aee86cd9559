"""Gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..._tensor import Tensor, changed, new_tensor
from ...errors import DtypeError, GraphError, OptionError


def _with_grad(parameters: Any) -> list[Tensor]:
    items = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for p in items:
        if not isinstance(p, Tensor):
            raise DtypeError(f"clip_grad: expected Tensors, got {type(p).__name__}")
    return [p.grad for p in items if p.grad is not None]


def clip_grad_norm_(
    parameters: Iterable[Tensor] | Tensor,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients by min(1, max_norm/(norm + 1e-6)), their norm taken together; returns that norm.

    Raises GraphError under error_if_nonfinite if the norm is NaN or inf. Source: Pascanu, Mikolov, Bengio, ICML 2013.
    """
    grads = _with_grad(parameters)
    if not isinstance(max_norm, int | float) or math.isnan(max_norm):
        raise OptionError(f"clip_grad_norm_: max_norm must be a number, got {max_norm!r}")
    p = float(norm_type)
    if not grads:
        return new_tensor(np.zeros((), np.float32))
    with np.errstate(all="ignore"):
        sizes = np.array([_norm(g.array, p) for g in grads])
        total = np.asarray(_norm(sizes, p)).astype(grads[0].array.dtype)
        if error_if_nonfinite and not np.isfinite(total):
            raise GraphError(f"clip_grad_norm_: the norm of the gradients is {total}")
        scale = np.minimum(float(max_norm) / (total + total.dtype.type(1e-6)), 1.0)
        for g in grads:
            g.array[...] *= scale.astype(g.array.dtype)
            changed(g)
    return new_tensor(total)


def _norm(a: Any, p: float) -> Any:
    a = np.abs(a.astype(np.float64) if a.dtype.itemsize == 2 else a).reshape(-1)
    if a.size == 0:
        return 0.0
    if p == math.inf:
        return a.max()
    if p == 2.0:
        return np.sqrt(np.sum(np.square(a, dtype=np.float64)))
    return np.sum(a**p, dtype=np.float64) ** (1.0 / p)


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float, foreach: bool | None = None) -> None:
    """Clamp each element of each gradient to [−clip_value, clip_value]."""
    for g in _with_grad(parameters):
        np.clip(g.array, -clip_value, clip_value, out=g.array)
        changed(g)
