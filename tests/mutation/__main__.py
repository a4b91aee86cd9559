"""python -m tests.mutation [--only NAME …] [--sample N] [--jobs N]: how many wrong rules the checks find, as a table."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict

from tests.mutation.calls import all_cases
from tests.mutation.mutants import all_mutants, sample
from tests.mutation.run import Outcome, outcomes_of
from tests.mutation.survivors import reason

FLOOR = 0.99
COLUMNS = ("gradient", "second order", "subgradient", "definition", "one argument alone", "again after others")


def score(outcomes: list[Outcome]) -> float:
    """The share of killed mutants among those that are wrong at all."""
    counted = [o for o in outcomes if o.counts and not (not o.killed and reason(o.mutant.name))]
    return sum(o.killed for o in counted) / len(counted) if counted else 1.0


def table(title: str, groups: dict[str, list[Outcome]]) -> list[str]:
    """A line a group: mutants, killed, of these by raising, by which check, equivalent, survived, seconds."""
    width = max(map(len, [title, *groups])) + 1
    names = ("mutants", "killed", "raised", *COLUMNS, "equivalent", "survived", "seconds")
    lines = [title.ljust(width) + " ".join(n.rjust(max(len(n), 7)) for n in names)]
    for name, outcomes in groups.items():
        counted = [o for o in outcomes if o.counts]
        by = Counter(o.check for o in counted)
        same = sum(not o.killed and reason(o.mutant.name) is not None for o in counted)
        numbers = [
            len(counted),
            sum(o.killed for o in counted),
            sum(bool(o.raised) for o in counted),
            *(by[c] for c in COLUMNS),
            same,
            by[None] - same,
        ]
        cells = [*map(str, numbers), f"{sum(o.seconds for o in outcomes):.1f}"]
        row = " ".join(c.rjust(max(len(n), 7)) for c, n in zip(cells, names, strict=True))
        lines.append(name.ljust(width) + row)
    return lines


def report(outcomes: list[Outcome]) -> str:
    """The tables by operation, by kind and by family, then the survivors with their reasons."""
    by: dict[str, dict[str, list[Outcome]]] = {k: defaultdict(list) for k in ("operation", "kind", "family")}
    for o in outcomes:
        by["operation"][o.mutant.operations[0]].append(o)
        by["kind"][o.mutant.kind].append(o)
        by["family"][o.mutant.family].append(o)
        by["family"]["all"].append(o)
    lines: list[str] = []
    for title, groups in by.items():
        lines += [*table(title, dict(sorted(groups.items()))), ""]
    survivors = [o for o in outcomes if o.counts and not o.killed]
    lines += [f"survived: {o.mutant.name}: {reason(o.mutant.name) or 'NOT EXPLAINED'}" for o in survivors]
    without = sum(not o.counts for o in outcomes)
    lines.append(f"{without} changes of values had no effect on any call, and count as none")
    counted = [o for o in outcomes if o.counts]
    lines.append(f"killed: {sum(o.killed for o in counted)} of {len(counted)}, equivalents among them")
    lines.append(f"score: {100 * score(outcomes):.2f} % (floor {100 * FLOOR:g} %)")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", default=[""], nargs="+", help="mutants whose name holds one of these texts")
    parser.add_argument("--sample", type=int, default=0, help="a fixed choice of about this many")
    parser.add_argument("--jobs", type=int, default=1, help="processes at the same time")
    options = parser.parse_args(arguments)
    chosen = [
        m
        for m in (sample(options.sample) if options.sample else all_mutants())
        if any(o in m.name for o in options.only)
    ]
    began = time.perf_counter()
    cases = all_cases()
    print(f"{len(chosen)} mutants on {len(cases)} calls, drawn in {time.perf_counter() - began:.0f} s", flush=True)
    outcomes = []
    for o in outcomes_of(chosen, options.jobs):
        outcomes.append(o)
        if o.counts and not o.killed and reason(o.mutant.name) is None:
            print(f"survived {o.checks} checks: {o.mutant.name}", flush=True)
    print(report(outcomes))
    print(f"{time.perf_counter() - began:.0f} s")
    return 0 if score(outcomes) >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
