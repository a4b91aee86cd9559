"""Pooling: windows, strides and adaptive sizes in 1, 2 and 3 dimensions."""

from __future__ import annotations

import math
from typing import Any

from .cases import Case, operation


def pool(kind: str, shape: tuple[int, ...], window: int, *, quick: bool = False, **options: Any) -> Case:
    """`kind` is max or avg; forward and backward."""
    dims = len(shape) - 2
    stride, padding = options.get("stride", window), options.get("padding", 0)
    out = [(s + 2 * padding - window) // stride + 1 for s in shape[2:]]
    extra = "".join(f" {k[0]}{v}" for k, v in options.items())
    return operation(
        f"{kind} pool {_text(shape)} k{window}{extra}", lambda m: [m.leaf(*shape)],
        lambda t, x: getattr(t.nn.functional, f"{kind}_pool{dims}d")(x, window, **options),
        bytes=8.0 * (math.prod(shape) + math.prod(shape[:2]) * math.prod(out)), quick=quick,
    )  # fmt: skip


def adaptive(kind: str, shape: tuple[int, ...], size: int) -> Case:
    """`kind` is max or avg; windows that follow from the output's size."""
    dims = len(shape) - 2
    return operation(
        f"adaptive {kind} pool {_text(shape)} to {size}", lambda m: [m.leaf(*shape)],
        lambda t, x: getattr(t.nn.functional, f"adaptive_{kind}_pool{dims}d")(x, size),
        bytes=8.0 * (math.prod(shape) + math.prod(shape[:2]) * size**dims),
    )  # fmt: skip


def _text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


CASES = [
    pool("max", (64, 32, 32, 32), 2),
    pool("avg", (64, 32, 32, 32), 2),
    pool("max", (64, 20, 8, 8), 2, quick=True),
    pool("max", (64, 64, 13, 13), 2),
    pool("max", (16, 64, 56, 56), 3, stride=2, padding=1),
    pool("avg", (16, 64, 56, 56), 3, stride=1, padding=1),
    pool("max", (16, 64, 28, 28), 3, stride=1, padding=1),
    pool("max", (32, 64, 4000), 2),
    pool("max", (32, 64, 4000), 4),
    pool("avg", (32, 64, 4000), 4),
    pool("max", (4, 64, 16, 32, 32), 2),
    pool("avg", (4, 64, 16, 32, 32), 2),
    adaptive("avg", (16, 512, 7, 7), 1),
    adaptive("avg", (16, 64, 56, 56), 7),
    adaptive("max", (16, 64, 56, 56), 7),
    adaptive("avg", (16, 128, 1000), 1),
]
