"""All mutants: a name that never changes, what it changes, and how to switch it on and off again."""

from __future__ import annotations

import builtins
import contextlib
import functools
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.mutation import kernels
from tests.mutation.mutators import VALUES, mutations
from tests.mutation.source import replaced, tree_of
from tests.mutation.targets import Operation, Site, backward_launchers, differentiable, rules, sites
from tinynet.autograd.fused import Fused

# How many inputs of a fused operation have a gradient, if more than one
FUSED = {"batch_norm": 3, "linear": 3, "conv": 3, "conv_grad_input": 3, "conv_grad_weight": 2, "bce_with_logits": 2}
FUSED |= {"mse_loss": 2}
PER_KERNEL = 25  # changes of one function of a kernel: of more, those with the lowest numbers


@dataclass(frozen=True, eq=False)
class Mutant:
    """One wrong rule.

    family      "rule" (source of a gradient and its helpers), "kernel" (source behind a fused backward), "engine"
                (source of the backward pass), "value" (the arrays that a rule returns)
    operations  whose gradients may be wrong because of it; "engine": anybody's
    effect      whether it has ever changed anything; source mutants count as having
    """

    name: str
    kind: str
    family: str
    operations: tuple[str, ...]
    switched: Callable[[Mutant], contextlib.AbstractContextManager[None]]
    effect: list[bool] = field(default_factory=lambda: [False])

    def __repr__(self) -> str:
        return self.name

    @property
    def number(self) -> int:
        """For choosing and seeding: the same in every run, spread evenly."""
        return zlib.crc32(self.name.encode())


def of_source(site: Site) -> Iterator[Mutant]:
    family = "kernel" if site.name.startswith("kernel") else "engine" if site.operations == ("engine",) else "rule"
    known = {*site.function.__globals__, *dir(builtins)}
    changed = mutations(tree_of(site.function), known, site.kernels)
    found = [(f"{site.name}: {text}", kind, tree) for kind, text, tree in changed]
    if family == "kernel":
        found = sorted(found, key=lambda f: zlib.crc32(f[0].encode()))[:PER_KERNEL]
    for name, kind, tree in found:

        @contextlib.contextmanager
        def switched(mutant: Mutant, tree: Any = tree) -> Iterator[None]:
            mutant.effect[0] = True
            # wrong shapes that reach compiled code would write anywhere; plain kernels raise
            with replaced(site.function, tree()), kernels.exchanged(list(site.launchers or backward_launchers())):
                yield

        yield Mutant(name, kind, family, site.operations, switched)


def of_values(name: str, op: Operation, i: int, title: str) -> Iterator[Mutant]:
    """The gradient of input `i`, changed on its way from the rule to the engine."""
    for kind, change in VALUES.items():

        def changed(results: list[Any], mutant: Mutant, change: Any = change) -> list[Any]:
            out = list(results)
            for k, g in enumerate(results):
                if (k == i or getattr(op, "variadic", False)) and isinstance(g, np.ndarray | np.generic):
                    g = np.asarray(g)
                    out[k] = change(g).astype(g.dtype)
                    mutant.effect[0] |= not np.array_equal(out[k], g, equal_nan=True)
            return out

        yield Mutant(f"{name}.{title} is {kind}", kind, "value", (name,), functools.partial(_backward, op, changed))


@contextlib.contextmanager
def _backward(op: Operation, changed: Callable[[list[Any], Mutant], list[Any]], mutant: Mutant) -> Iterator[None]:
    right = op.backward

    def backward(node: Any, dz: Any, needs: list[bool], graph: bool) -> list[Any]:
        return changed(right(node, dz, needs, graph), mutant)

    op.backward = backward  # type: ignore[method-assign]
    try:
        yield
    finally:
        del op.backward


def of_state(name: str, op: Operation) -> Iterator[Mutant]:
    """A cache that is one call late, and a cotangent that the rule overwrites."""

    @contextlib.contextmanager
    def stale(mutant: Mutant) -> Iterator[None]:
        right = op.backward
        last: dict[Any, Any] = {}

        def backward(node: Any, dz: Any, needs: list[bool], graph: bool) -> list[Any]:
            key = [(s.shape, s.dtype.str) if isinstance(s, np.ndarray) else type(s).__name__ for s in node.saved]
            saved, before = node.saved, last.get(repr(key), node.saved)
            last[repr(key)] = saved
            results = right(node, dz, needs, graph)
            if before is saved:
                return results
            node.saved = before
            try:
                wrong = right(node, dz, needs, graph)
            finally:
                node.saved = saved
            mutant.effect[0] |= any(_differ(a, b) for a, b in zip(results, wrong, strict=True))
            return wrong

        op.backward = backward  # type: ignore[method-assign]
        try:
            yield
        finally:
            del op.backward

    yield Mutant(f"{name} reads what the call before saved", "stale cache", "value", (name,), stale)

    @contextlib.contextmanager
    def spent(mutant: Mutant) -> Iterator[None]:
        right = op.backward

        def backward(node: Any, dz: Any, needs: list[bool], graph: bool) -> list[Any]:
            results = [np.array(g) if isinstance(g, np.ndarray) else g for g in right(node, dz, needs, graph)]
            if isinstance(dz, np.ndarray) and dz.flags.writeable and dz.size:
                dz *= 2
                mutant.effect[0] = True
            return results

        op.backward = backward  # type: ignore[method-assign]
        try:
            yield
        finally:
            del op.backward

    yield Mutant(f"{name} overwrites its cotangent", "cotangent overwritten", "value", (name,), spent)

    @contextlib.contextmanager
    def folded(mutant: Mutant) -> Iterator[None]:
        right = op.backward

        def backward(node: Any, dz: Any, needs: list[bool], graph: bool) -> list[Any]:
            results = right(node, dz, needs, graph)
            if not isinstance(dz, np.ndarray):
                return results
            wrong = right(node, np.abs(dz), needs, graph)
            mutant.effect[0] |= any(_differ(a, b) for a, b in zip(results, wrong, strict=True))
            return wrong

        op.backward = backward  # type: ignore[method-assign]
        try:
            yield
        finally:
            del op.backward

    yield Mutant(f"{name} takes the size of its cotangent", "absolute cotangent", "value", (name,), folded)


def _differ(a: Any, b: Any) -> bool:
    return isinstance(a, np.ndarray) and not np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


@functools.cache
def all_mutants() -> tuple[Mutant, ...]:
    out: list[Mutant] = []
    for name, op in differentiable().items():
        if isinstance(op, Fused):
            titles = {i: f"gradient {i}" for i in range(FUSED.get(name, 1))}
        elif op.variadic:
            titles = {0: "dxs"}
        else:
            titles = {k: f"d{n}" for k, n in enumerate(op.inputs) if f"d{n}" in rules(op)}
        for i, title in titles.items():
            out += of_values(name, op, i, title)
        out += of_state(name, op)
    for site in sites():
        out += of_source(site)
    names = [m.name for m in out]
    assert len(set(names)) == len(names), sorted({n for n in names if names.count(n) > 1})
    return tuple(out)


def sample(count: int) -> list[Mutant]:
    """A fixed choice of about `count`: every kind of change, then as many operations as there is room for."""
    chosen: dict[str, Mutant] = {}
    kinds: set[str] = set()
    seen: set[str] = set()
    ordered = sorted(all_mutants(), key=lambda m: m.number)
    for m in ordered:
        if m.kind not in kinds:
            kinds.add(m.kind)
            chosen[m.name] = m
            seen |= set(m.operations)
    for m in ordered:
        if len(chosen) < count and not set(m.operations) & seen:
            chosen[m.name] = m
            seen |= set(m.operations)
    for m in ordered:
        if len(chosen) >= count:
            break
        chosen.setdefault(m.name, m)
    return list(chosen.values())
