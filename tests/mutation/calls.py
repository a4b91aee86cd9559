"""The calls on which rules are checked: drawn once from each record, and chosen so that they differ."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

import tinynet as tn
from tests.mutation.targets import operations
from tests.op_records import RECORDS, Call, OpRecord
from tests.op_records.running import cotangents, outputs_of, tensors, wanted
from tests.op_records.uses import USES
from tinynet.autograd.fused import Fused

TABLE = [*RECORDS, *USES]
DRAWN, KEPT = 60, 10
FEW = 20  # draws where not everything is asked for
LARGEST, ENOUGH = 200, 24  # elements of a call: at most, and from where on more say no more


@dataclass(frozen=True, eq=False)
class Case:
    """A call of a record, and the operations that its gradient and its second derivative go through."""

    record: OpRecord
    call: Call
    first: frozenset[str]
    second: frozenset[str]

    def __repr__(self) -> str:
        return f"{self.record}: {self.call}"


def operations_of(outputs: Iterable[Any]) -> frozenset[str]:
    """The names of the operations in the graphs of these tensors."""
    found: set[str] = set()
    seen: set[int] = set()
    stack = [y.node for y in outputs if isinstance(y, tn.Tensor)]
    while stack:
        node = stack.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if hasattr(node, "op"):
            found.add(node.op.name)
        stack.extend(getattr(node, "edges", ()))
    return frozenset(found)


def case(record: OpRecord, c: Call) -> Case | None:
    """The call with what it goes through; None if nothing in it has a gradient."""
    wrt = wanted(record, c)
    if not wrt:
        return None
    args = tensors(c, wrt)
    outputs = outputs_of(record(*args, **c.options))
    pairs = [
        (y, tn.from_numpy(u).requires_grad_())
        for y, u in zip(outputs, cotangents(outputs), strict=True)
        if u is not None and y.requires_grad
    ]
    if not pairs:
        return None
    ys, us = zip(*pairs, strict=True)
    gradients = tn.autograd.grad(list(ys), [args[i] for i in wrt], list(us), create_graph=True, allow_unused=True)
    return Case(record, c, operations_of(ys), operations_of(ys) | operations_of(g for g in gradients if g is not None))


def features(c: Case) -> set[Any]:
    """What a call has that another may lack: options, forms of arguments, operations."""
    found: set[Any] = {(k, repr(v)) for k, v in c.call.options.items()}
    for i, a in enumerate(c.call.args):
        if isinstance(a, np.ndarray):
            found |= {
                (i, "dimensions", a.ndim),
                (i, "empty", a.size == 0),
                (i, "several", bool(a.ndim and min(a.shape) > 1)),
                (i, "square", a.ndim > 1 and 1 < a.shape[0] == a.shape[1]),
            }
        else:
            found.add((i, type(a).__name__ if isinstance(a, float) else repr(a)))
    kernels = [n for n in c.first if isinstance(operations()[n], Fused)]
    return found | {(n, f) for n in kernels for f in found} | set(c.second)


def drawn(record: OpRecord, count: int) -> list[Call]:
    """The first calls that the record's strategy gives, the same in every run."""
    calls: list[Call] = []

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(record.points)
    def collect(c: Call) -> None:
        calls.append(c)

    collect()
    return calls


@functools.cache
def cases_of(name: str, count: int = DRAWN) -> tuple[Case, ...]:
    """Calls of the record of that name; the most telling first: each next one has most that those before it lack."""
    record = next(r for r in TABLE if r.names[0] == name)
    smooth = record.edges if record.smooth is None else record.edges[-1:]  # the others may be kinks
    pool = [
        c
        for call in [*drawn(record, count), *smooth]
        if (c := case(record, call)) is not None and _size(call) <= LARGEST
    ]
    solid = [c for c in pool if all(a.size > 1 for a in _floats(c.call))]
    chosen = _spread(solid, KEPT - 2)
    return (*chosen, *_spread([c for c in pool if c not in chosen], KEPT - len(chosen)))


def _spread(pool: list[Case], count: int) -> list[Case]:
    """Each next one has most that those before it lack; once everything has come, once more."""
    pool, chosen, covered = list(pool), [], set[Any]()
    while pool and len(chosen) < count:
        best = max(pool, key=lambda c: (len(features(c) - covered), min(_size(c.call), ENOUGH)))
        if not features(best) - covered:
            covered = set()
        chosen.append(best)
        covered |= features(best)
        pool.remove(best)
    return chosen


def _floats(c: Call) -> list[np.ndarray]:
    return [a for a in c.args if isinstance(a, np.ndarray) and a.dtype.kind == "f"]


def _size(c: Call) -> int:
    return sum(a.size for a in _floats(c))


@functools.cache
def all_cases() -> tuple[Case, ...]:
    return tuple(c for record in TABLE if record.differentiable for c in cases_of(record.names[0]))


@functools.cache
def reached() -> dict[str, tuple[str, ...]]:
    """For each operation the records whose calls at the edges go through it, the most direct first."""
    found: dict[str, dict[str, int]] = {}
    for record in TABLE:
        for c in record.edges if record.differentiable else ():
            one = case(record, c)
            for name in () if one is None else one.second:
                size = len(one.second) + (0 if name in one.first else 100)  # type: ignore[union-attr]
                sizes = found.setdefault(name, {})
                sizes[record.names[0]] = min(size, sizes.get(record.names[0], size))
    return {name: tuple(sorted(sizes, key=lambda r: (sizes[r], r))) for name, sizes in found.items()}
