"""Embedding: rows of a table, and the sum of their gradients."""

from __future__ import annotations

from typing import Any

from .cases import Case, operation


def embedding(rows: int, width: int, *index: int, quick: bool = False, **options: Any) -> Case:
    """The rows that the indices name; backward makes a gradient of the whole table."""
    count = 1
    for size in index:
        count *= size
    extra = "".join(f", {k}" for k in options)
    return operation(
        f"embedding {rows}×{width}, {'×'.join(map(str, index))}{extra}",
        lambda m: [m.integers(rows, *index), m.leaf(rows, width)],
        lambda t, i, w: t.nn.functional.embedding(i, w, **options),
        jax=None if options else lambda jax, jnp: lambda i, w: w[i],
        bytes=4.0 * width * (2 * count + 2 * count + rows), quick=quick,
    )  # fmt: skip


CASES = [
    embedding(65, 128, 16, 128, quick=True),
    embedding(10_000, 128, 16, 128),
    embedding(10_000, 128, 64, 256),
    embedding(50_257, 768, 4, 128),
    embedding(10_000, 64, 128, padding_idx=0),
    embedding(1_000, 256, 32, 128, scale_grad_by_freq=True),
]
