"""A mutant is switched on, the checks run until one fails, and the right rule is put back."""

from __future__ import annotations

import functools
import multiprocessing
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from tests.mutation import kernels
from tests.mutation.calls import TABLE, Case, all_cases
from tests.mutation.mutants import Mutant, all_mutants
from tests.mutation.survivors import reason
from tests.mutation.targets import has_kernels, kernels_for_all_sizes
from tests.op_records.checking import (
    check_definition,
    check_each_alone,
    check_gradient,
    check_gradient_of_gradient,
    check_nothing_remembered,
    check_subgradient,
)
from tests.op_records.uses import USES

PART = 8  # mutants that a process of the pool takes at a time
FIRST, MOST = 8, 40  # records whose first call is looked at before any second call; calls before a mutant has survived


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: `check` is the kind of check that found it, None if none did."""

    mutant: Mutant
    check: str | None
    where: str
    raised: str
    seconds: float
    checks: int

    @property
    def killed(self) -> bool:
        return self.check is not None

    @property
    def counts(self) -> bool:
        """Whether it is a mutant at all: a change that changes nothing on any call is none."""
        return self.killed or self.mutant.effect[0]


Check = tuple[str, str, Callable[[], None]]


def concerned(mutant: Mutant, cases: tuple[Case, ...], second: bool) -> list[Case]:
    """The cases that go through the mutant's operations, most direct first, the records in turns."""
    names = set(mutant.operations)
    if "engine" in names:
        found = list(cases)
    else:
        found = [c for c in cases if names & (c.second if second else c.first)]
    turn: dict[str, int] = {}
    keyed = []
    uses = {r.names[0] for r in USES} if "engine" in names else set()
    for c in found:
        name = c.record.names[0]
        k = turn[name] = turn.get(name, -1) + 1
        keyed.append(((k, name not in uses, len(c.second)), c))
    return [c for _, c in sorted(keyed, key=lambda pair: pair[0])]


def checks_for(mutant: Mutant, cases: tuple[Case, ...]) -> Iterator[Check]:
    """The checks that may find it, the likeliest first."""
    seed = mutant.number % 2**16
    direct, indirect = concerned(mutant, cases, False), concerned(mutant, cases, True)

    def gradient(c: Case) -> Check:
        return "gradient", repr(c), lambda: check_gradient(c.record, c.call, seed)

    def second(c: Case) -> Check:
        return "second order", repr(c), lambda: check_gradient_of_gradient(c.record, c.call, seed)

    yield from map(gradient, direct[:FIRST])
    names = {c.record.names[0] for c in direct}
    for record in TABLE:
        if record.names[0] in names:
            for s in record.subgradients:
                yield "subgradient", f"{record}: {s.call}", lambda r=record, s=s: check_subgradient(r, s)  # type: ignore[misc]
    yield from map(second, indirect[:FIRST])
    yield from map(gradient, direct[FIRST:MOST])
    for c in (direct or indirect)[:FIRST]:
        yield "one argument alone", repr(c), lambda c=c: check_each_alone(c.record, c.call)  # type: ignore[misc]
        yield "again after others", repr(c), lambda c=c: check_nothing_remembered(c.record, c.call)  # type: ignore[misc]
    for c in direct[:MOST]:
        if c.record.kind == "fused":
            yield "definition", repr(c), lambda c=c: check_definition(c.record, c.call)  # type: ignore[misc]
    for record in TABLE:
        if record.names[0] in names and (record.kind == "fused" or has_kernels(record.name)):
            for c in record.edges:
                yield "definition", f"{record}: {c}", lambda r=record, c=c: check_definition(r, c)  # type: ignore[misc]
    yield from map(second, indirect[FIRST : MOST // 2])
    if "engine" in mutant.operations:  # everything may go through it
        yield from map(gradient, direct[MOST : 4 * MOST])


def all_checks_for(mutant: Mutant, cases: tuple[Case, ...]) -> Iterator[Check]:
    """These checks; for a kernel again on the ways that its arrays take when no size is made small."""

    def usual(run: Callable[[], None]) -> None:
        with kernels.sizes_as_they_are():
            run()

    yield from checks_for(mutant, cases)
    if mutant.family == "kernel" and not reason(mutant.name):
        for kind, where, run in checks_for(mutant, cases):
            yield kind, f"{where}, sizes as they are", functools.partial(usual, run)


def fails(check: Check) -> str | None:
    """None if the check passes, else the name of the error; a floating-point warning is an error, as in the tests."""
    with warnings.catch_warnings(), kernels_for_all_sizes():
        warnings.simplefilter("error")
        try:
            check[2]()
        except Exception as error:
            return "" if isinstance(error, AssertionError) else type(error).__name__
    return None


_right: dict[tuple[str, str], bool] = {}


def is_right(check: Check) -> bool:
    """Whether the check passes with the right rule; asked once."""
    key = check[:2]
    if key not in _right:
        _right[key] = fails(check) is None
    return _right[key]


def try_mutant(mutant: Mutant, cases: tuple[Case, ...] | None = None) -> Outcome:
    """Switch on, check until something fails, switch off. A check that found it must pass with the right rule."""
    began, count, error = time.perf_counter(), 0, None
    with mutant.switched(mutant):
        for check in all_checks_for(mutant, all_cases() if cases is None else cases):
            count += 1
            error = fails(check)
            if error is not None:
                break
    if error is None:
        return Outcome(mutant, None, "", "", time.perf_counter() - began, count)
    if not is_right(check):
        raise AssertionError(f"{check[0]} of {check[1]} fails without any mutant")
    return Outcome(mutant, check[0], check[1], error, time.perf_counter() - began, count)


@functools.cache
def _named() -> dict[str, Mutant]:
    return {m.name: m for m in all_mutants()}


def _try_named(names: list[str]) -> list[tuple[tuple[bool, ...], Any]]:
    """In a process of the pool: of each mutant whether it had an effect, and its outcome's other fields."""
    found = []
    for name in names:
        o = try_mutant(mutant := _named()[name])
        found.append((tuple(mutant.effect), (o.check, o.where, o.raised, o.seconds, o.checks)))
    return found


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


def _alone(name: str) -> tuple[tuple[bool, ...], Any]:
    """In a process of its own. A mutant that ends its process, by memory that is not its own, is found."""
    with _pool(1) as pool:
        try:
            return pool.submit(_try_named, [name]).result()[0]
        except BrokenProcessPool:
            return (True,), ("gradient", "the process", "crash", 0.0, 1)


def outcomes_of(mutants: list[Mutant], jobs: int) -> Iterator[Outcome]:
    """In the mutants' order, by `jobs` processes. When one of these ends, what was not finished is tried again."""
    if jobs == 1:
        yield from map(try_mutant, mutants)
        return
    parts = [mutants[i : i + PART] for i in range(0, len(mutants), PART)]
    at = 0
    while at < len(parts):
        with _pool(jobs) as pool:
            running = [pool.submit(_try_named, [m.name for m in part]) for part in parts[at:]]
            try:
                for future in running:
                    yield from _outcomes(parts[at], future.result())
                    at += 1
            except BrokenProcessPool:
                pass
        if at < len(parts):
            yield from _outcomes(parts[at], [_alone(m.name) for m in parts[at]])
            at += 1


def _outcomes(mutants: list[Mutant], found: list[tuple[tuple[bool, ...], Any]]) -> Iterator[Outcome]:
    for mutant, (effect, fields) in zip(mutants, found, strict=True):
        mutant.effect[:] = effect
        yield Outcome(mutant, *fields)
