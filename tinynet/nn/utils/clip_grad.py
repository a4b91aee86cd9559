"""Gradient clipping."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..._tensor import Tensor, changed, new_tensor
from ...autograd.views import check_memory
from ...dtypes import promote_types
from ...errors import DtypeError, GraphError, OptionError
from ...ops.foreach import Foreach


def _with_grad(where: str, parameters: Any) -> dict[int, Tensor]:
    """The gradients that there are, by the number of their parameter."""
    items = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for p in items:
        if not isinstance(p, Tensor):
            raise DtypeError(f"{where}: expected Tensors, got {type(p).__name__}")
    return {i: p.grad for i, p in enumerate(items) if p.grad is not None}


def _check_memory(where: str, grads: dict[int, Tensor]) -> None:
    for i, g in grads.items():
        if not g.array.flags.carray:
            check_memory(g, f"{where}: the gradient of parameter {i}, of shape {tuple(g.array.shape)}")


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
    numbered = _with_grad("clip_grad_norm_", parameters)
    try:
        bound, p = float(max_norm), float(norm_type)
    except (TypeError, ValueError):
        raise OptionError(
            f"clip_grad_norm_: max_norm and norm_type must be numbers, got {max_norm!r} and {norm_type!r}"
        ) from None
    if not numbered:
        return new_tensor(np.zeros((), np.float32))
    arrays = Foreach([g.array for g in numbered.values()])
    total = _total("clip_grad_norm_", arrays, list(numbered.values()), p, error_if_nonfinite)
    _scale("clip_grad_norm_", arrays, numbered, bound, total)
    return new_tensor(total)


def _total(where: str, arrays: Foreach, grads: list[Tensor], p: float, finite: bool) -> Any:
    with np.errstate(all="ignore"):
        total = np.asarray(arrays.norm(p)).astype(functools.reduce(promote_types, [g.dtype for g in grads]).numpy)
    if finite and not np.isfinite(total):
        raise GraphError(f"{where}: the norm of the gradients is {total}")
    return total


def _scale(where: str, arrays: Foreach, numbered: dict[int, Tensor], bound: float, total: Any) -> None:
    """The gradients times min(1, bound/(total + 1e-6))."""
    with np.errstate(all="ignore"):
        scale = bound / (total + total.dtype.type(1e-6))
        if not scale >= 1.0:  # 1 would change nothing; NaN has to spread
            _check_memory(where, numbered)
            arrays.scale_(scale)
    for g in numbered.values():
        changed(g)


def get_total_norm(
    tensors: Iterable[Tensor] | Tensor,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of several tensors together. Raises GraphError under error_if_nonfinite."""
    items = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for t in items:
        if not isinstance(t, Tensor):
            raise DtypeError(f"get_total_norm: expected Tensors, got {type(t).__name__}")
    if not items:
        return new_tensor(np.zeros((), np.float32))
    arrays = Foreach([t.array for t in items])
    return new_tensor(_total("get_total_norm", arrays, items, float(norm_type), error_if_nonfinite))


def clip_grads_with_norm_(
    parameters: Iterable[Tensor] | Tensor, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale all gradients by min(1, max_norm/(total_norm + 1e-6)), their norm given."""
    numbered = _with_grad("clip_grads_with_norm_", parameters)
    if numbered:
        arrays = Foreach([g.array for g in numbered.values()])
        _scale("clip_grads_with_norm_", arrays, numbered, float(max_norm), total_norm.array)


def clip_grad_norm(
    parameters: Iterable[Tensor] | Tensor,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """`clip_grad_norm_` by its older name, which warns."""
    warnings.warn("clip_grad_norm: deprecated; use clip_grad_norm_", FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float, foreach: bool | None = None) -> None:
    """Clamp each element of each gradient to [−clip_value, clip_value]."""
    grads = _with_grad("clip_grad_value_", parameters)
    _check_memory("clip_grad_value_", grads)
    for g in grads.values():
        np.clip(g.array, -clip_value, clip_value, out=g.array)
        changed(g)
