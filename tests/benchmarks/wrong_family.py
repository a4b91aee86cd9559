"""Cases for the tests: a right one, one whose engines disagree, and one that asks for what no engine has."""

from __future__ import annotations

from typing import Any

from benchmarks.cases import Case, Program, operation


def _wrong(m: Any) -> Program:
    x = m.data(3)  # the same numbers in float64, but float32 gets another factor
    factor = 2.0 if m.dtype == "float64" else 2.001
    return Program(lambda: x * factor, lambda: {"y": (x * factor).numpy()})


CASES = [
    operation("right", lambda m: [m.leaf(3, 4)], lambda t, x: t.tanh(x), bytes=240.0, quick=True),
    Case("wrong", _wrong, quick=True),
    operation("lacking", lambda m: [m.leaf(3)], lambda t, x: t.nn.functional.frobnicate(x), quick=True),
    operation("long", lambda m: [m.leaf(3)], lambda t, x: t.exp(x)),
]
