"""Two runs beside each other: `python -m benchmarks compare before.json after.json`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from .report import line, read_json, seconds
from .runner import Row


def compared(first: Path, second: Path) -> Iterator[str]:
    """Each common case: both times, the change, and whether it is more than both spreads."""
    (before_header, before), (after_header, after) = read_json(first), read_json(second)
    for name in ("processor", "threads", "vector_lanes", "versions"):
        if before_header[name] != after_header[name]:
            yield f"{name} differs: {before_header[name]} and {after_header[name]}"
    old = {(r.family, r.case): r for r in before if r.error is None}
    new = {(r.family, r.case): r for r in after if r.error is None}
    yield line(["case", "before", "after", "before/after", "torch/tinynet before", "after", ""])
    yield line(["---"] * 7)
    changes = []
    for key in [k for k in old if k in new]:
        a, b = old[key], new[key]
        change = a.seconds["tinynet"] / b.seconds["tinynet"]
        changes.append(change)
        ratios = [f"{r.ratio['torch']:.2f}" if "torch" in r.ratio else "–" for r in (a, b)]
        times = [seconds(r.seconds["tinynet"]) for r in (a, b)]
        yield line([f"{key[0]}: {key[1]}", *times, f"{change:.2f}", *ratios, verdict(a, b)])
    if changes:
        mean = math.exp(sum(map(math.log, changes)) / len(changes))
        yield f"geometric mean of before/after: {mean:.2f} over {len(changes)} cases"
    for title, keys in (("only before", old.keys() - new.keys()), ("only after", new.keys() - old.keys())):
        for family, case in sorted(keys):
            yield f"{title}: {family}: {case}"


def verdict(a: Row, b: Row) -> str:
    """ "faster" or "slower" where the medians differ by more than both interquartile ranges."""
    difference = b.seconds["tinynet"] - a.seconds["tinynet"]
    if abs(difference) <= a.iqr["tinynet"] + b.iqr["tinynet"]:
        return ""
    return "slower" if difference > 0 else "faster"
