"""The parameters of a group as one kernel launch: arrays are looked up once, and again only when one was replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet_kernels import available, kernels_for

from .._tensor import Tensor, new_tensor
from ..errors import ShapeError

Array = np.ndarray[Any, Any]
State = dict[str, Any]
SCALARS = ("step", "mu_product")  # slots that are one float32


@dataclass
class Launch:
    """Parameters of one dtype, as a kernel takes them.

    numbers  their places in the batch
    fresh    which of them have a state that was just made (bool)
    """

    kernels: Any
    table: Any
    numbers: list[int]
    fresh: Array

    def done(self) -> None:
        """After the first step nothing is fresh."""
        self.fresh[...] = False


@dataclass
class Batch:
    """What a group's step needs, as of the arrays that it was made from.

    kinds   shape and dtype of each parameter
    others  numbers and freshness of those that run one by one, by definition
    """

    by_definition: bool
    params: list[Tensor]
    slots: tuple[str, ...]
    arrays: list[Array]
    kinds: list[tuple[Any, Any]]
    launches: list[Launch]
    others: dict[int, bool]


def arrays_of(params: list[Tensor], state: Any, slots: tuple[str, ...]) -> list[Array] | None:
    """The parameters' arrays, then those in each slot; None where a slot is empty."""
    found = [p.array for p in params]
    if slots:
        values = [state[p] for p in params]
        try:
            for name in slots:
                found += [v[name].array for v in values]
        except (KeyError, AttributeError):  # none there, or None there: cheaper than to look before every step
            return None
    return found


def make_batch(where: str, params: list[Tensor], state: Any, slots: tuple[str, ...], by_definition: bool) -> Batch:
    """Fill empty slots with zeros, check every shape, and make a table for each dtype that has kernels."""
    fresh = [_fill(state[p], p.array, slots) for p in params]
    for p in params:
        check_shapes(where, p, state[p])
    arrays = arrays_of(params, state, slots)
    assert arrays is not None
    by_dtype: dict[Any, list[int]] = {}
    others: dict[int, bool] = {}
    for i, p in enumerate(params):
        own = arrays[i :: len(params)]  # the parameter, and what is in its slots
        if not by_definition and available(p.array.dtype) and all(a.flags.carray for a in own):
            by_dtype.setdefault(p.array.dtype, []).append(i)
        else:
            others[i] = fresh[i]
    launches = []
    for numbers in by_dtype.values():
        chosen = [params[i].array for i in numbers]
        k = kernels_for(*chosen)
        table = _table(k, chosen, [state[params[i]] for i in numbers], slots)
        launches.append(Launch(k, table, numbers, np.array([fresh[i] for i in numbers], np.bool_)))
    kinds = [(p.array.shape, p.array.dtype) for p in params]
    return Batch(by_definition, params, slots, arrays, kinds, launches, others)


def _fill(values: State, p: Array, slots: tuple[str, ...]) -> bool:
    """Whether there was something to fill."""
    empty = [name for name in slots if values.get(name) is None]
    for name in empty:
        values[name] = new_tensor(np.zeros((), np.float32) if name in SCALARS else np.zeros(p.shape, p.dtype))
    if "step" in slots and values["step"].array.dtype != np.float32:  # a loaded one
        values["step"] = new_tensor(values["step"].array.astype(np.float32))
    return bool(empty)


def _table(k: Any, params: list[Array], states: list[State], slots: tuple[str, ...]) -> Any:
    rows = [params, *([s[name].array for s in states] for name in slots if name != "step")]
    return k.Table(rows, [s["step"].array for s in states] if "step" in slots else [])


def check_shapes(where: str, p: Tensor, values: State) -> None:
    """Raise ShapeError where the gradient or a state tensor has not the parameter's shape."""
    for name, v in {"grad": p.grad, **values}.items():
        if isinstance(v, Tensor) and v.array.shape != p.array.shape and (v.ndim or name == "grad"):
            raise ShapeError(f"{where}.step: {name} has shape {v.array.shape}, its parameter has shape {p.array.shape}")
