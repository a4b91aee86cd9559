"""Recurrent layers over whole sequences, and one step of a cell."""

from __future__ import annotations

from typing import Any

from .cases import Case, operation

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def layer(kind: str, t: int, b: int, i: int, h: int, quick: bool = False, **options: Any) -> Case:
    """T steps of B sequences with I features, H units; x and all parameters want gradients."""

    def make(m: Any) -> list[Any]:
        model = m.model(getattr(m.t.nn, kind)(i, h, **options))
        return [m.leaf(t, b, i), *model.parameters(), model]

    def forward(tn: Any, x: Any, *rest: Any) -> Any:
        return rest[-1](x)[0]

    runs = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    flops = 6.0 * t * b * GATES[kind] * h * (i + h)  # of one layer, in one direction
    if runs > 1:
        flops += (runs - 1) * 12.0 * t * b * GATES[kind] * h * h
    name = f"{kind} T{t} B{b} {i}→{h}" + "".join(f" {k}={v}" for k, v in options.items())
    return operation(name, make, forward, flops=flops, tolerance=1e-4, quick=quick)


def cell(kind: str, b: int, i: int, h: int) -> Case:
    """One step."""

    def make(m: Any) -> list[Any]:
        model = m.model(getattr(m.t.nn, f"{kind}Cell")(i, h))
        return [m.leaf(b, i), *model.parameters(), model]

    def forward(tn: Any, x: Any, *rest: Any) -> Any:
        y = rest[-1](x)
        return y[0] if isinstance(y, tuple) else y

    flops = 6.0 * b * GATES[kind] * h * i
    return operation(f"{kind}Cell B{b} {i}→{h}", make, forward, flops=flops, tolerance=1e-4)


SIZES = ((64, 32, 128, 128), (100, 64, 40, 256), (64, 1, 128, 128))
CASES = [
    *(layer("LSTM", *size, quick=size == SIZES[0]) for size in SIZES),
    *(layer("GRU", *size, quick=size == SIZES[0]) for size in SIZES),
    *(layer("RNN", *size) for size in SIZES),
    layer("LSTM", 32, 16, 64, 64, num_layers=2, bidirectional=True),
    layer("LSTM", 20, 4, 10, 20),
    cell("LSTM", 32, 128, 128),
    cell("GRU", 1, 128, 128),
]
