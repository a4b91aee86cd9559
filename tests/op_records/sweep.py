"""Many gradient checks of every recorded operation, each on a call drawn anew: how often is a right rule refused?

tinynet check --all --checks 100000
"""

from __future__ import annotations

import itertools
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from tests.op_records import RECORDS
from tests.op_records.checking import EFFORT, of_arrays
from tests.op_records.record import OpRecord
from tests.op_records.running import wanted
from tinynet.testing import check_vjp

_BATCH = 50  # examples that Hypothesis draws for one seed


@dataclass
class Result:
    """The counts of checks, and the reports of those that failed."""

    passed: int = 0
    failed: int = 0
    unresolved: int = 0
    comparisons: int = 0
    reports: list[str] = field(default_factory=list)

    @property
    def checks(self) -> int:
        return self.passed + self.failed + self.unresolved

    def add(self, other: Result) -> None:
        for name in ("passed", "failed", "unresolved", "comparisons"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reports += other.reports


def sweep(checks: int, *, seed: int = 0, only: str | None = None, line: Callable[[str], None] = print) -> Result:
    """At least `checks` checks, shared among the differentiable operations; a line each as they are done."""
    records = [r for r in RECORDS if r.differentiable and (only is None or any(only in n for n in r.names))]
    if not records:
        raise ValueError(f"check --all: no differentiable operation has {only!r} in its name")
    each, total, start = -(-checks // len(records)), Result(), time.perf_counter()
    for record in records:
        result = of_record(record, each, seed)
        total.add(result)
        line(
            f"{record.names[0]:40s} {result.checks:6d} checks {result.comparisons:9d} comparisons: "
            f"{result.passed} passed, {result.failed} failed, {result.unresolved} unresolved"
        )
    for report in total.reports[:20]:
        line(report)
    line(
        f"{total.checks} checks of {len(records)} operations, {total.comparisons} comparisons: {total.passed} passed, "
        f"{total.failed} failed, {total.unresolved} unresolved, in {time.perf_counter() - start:.0f} s"
    )
    return total


def of_record(record: OpRecord, checks: int, seed: int = 0) -> Result:
    """So many checks of one operation, at points where it is differentiable."""
    result = Result()
    for batch in itertools.count():
        if result.checks >= checks or batch > 2 * checks:
            return result
        first = zlib.crc32(f"{record.names[0]} {seed} {batch}".encode())
        _of_batch(record, min(_BATCH, checks - result.checks), first, result)
    return result


def _of_batch(record: OpRecord, count: int, seed: int, result: Result) -> None:
    seeds = itertools.count(seed)

    @hypothesis.seed(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(record.points)
    def run(call: object) -> None:
        c = call
        wrt = wanted(record, c)  # type: ignore[arg-type]
        if not wrt:
            return
        with np.errstate(all="ignore"):
            report = check_vjp(
                of_arrays(record, c),  # type: ignore[arg-type]
                c.args,  # type: ignore[attr-defined]
                wrt=wrt,
                seed=next(seeds),
                **EFFORT,
            )
        name = {"pass": "passed", "fail": "failed", "unresolved": "unresolved"}[report.verdict]
        setattr(result, name, getattr(result, name) + 1)
        result.comparisons += sum(
            a.passed + a.failed + a.unresolved + a.directions_passed + a.directions_failed + a.directions_unresolved
            for a in report.arguments
        )
        if report.verdict == "fail":
            result.reports.append(f"{record.names[0]}: {c}\n{report}")

    run()
