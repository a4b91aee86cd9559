"""Softmax, and the losses."""

from __future__ import annotations

import math
from typing import Any

from .cases import Case, operation


def softmax(kind: str, *shape: int, dim: int = -1, quick: bool = False) -> Case:
    """`kind` is softmax or log_softmax, over one dimension."""
    along = "" if dim == -1 else f" over {dim}"
    return operation(
        f"{kind} {_text(shape)}{along}", lambda m: [m.leaf(*shape)],
        lambda t, x: getattr(t.nn.functional, kind)(x, dim=dim),
        jax=lambda jax, jnp: lambda x: getattr(jax.nn, kind)(x, axis=dim),
        bytes=20.0 * math.prod(shape), quick=quick,
    )  # fmt: skip


def cross_entropy(
    rows: int, classes: int, *, smoothing: float = 0.0, weighted: bool = False, soft: bool = False, quick: bool = False
) -> Case:
    """With class indices, or with probabilities (`soft`)."""

    def make(m: Any) -> list[Any]:
        target = m.data(rows, classes, scale=0.1) ** 2 if soft else m.integers(classes, rows)
        weight = m.data(classes) ** 2 + 0.5 if weighted else None
        return [m.leaf(rows, classes), target, weight]

    def jax(jax: Any, jnp: Any) -> Any:
        def f(x: Any, y: Any, _: Any) -> Any:
            return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1).mean()

        return f

    plain = not (smoothing or weighted or soft)
    kind = "".join([" smoothed" if smoothing else "", " weighted" if weighted else "", " soft" if soft else ""])
    return operation(
        f"cross-entropy{kind} {rows}×{classes}", make,
        lambda t, x, y, w: t.nn.functional.cross_entropy(x, y, weight=w, label_smoothing=smoothing),
        jax=jax if plain else None, bytes=(20.0 if soft else 12.0) * rows * classes, quick=quick,
    )  # fmt: skip


def mse(*shape: int) -> Case:
    """Mean squared error."""
    return operation(
        f"mse {_text(shape)}", lambda m: [m.leaf(*shape), m.data(*shape)],
        lambda t, x, y: t.nn.functional.mse_loss(x, y),
        jax=lambda jax, jnp: lambda x, y: jnp.square(x - y).mean(), bytes=20.0 * math.prod(shape),
    )  # fmt: skip


def bce(*shape: int) -> Case:
    """Binary cross-entropy of logits."""
    return operation(
        f"bce with logits {_text(shape)}", lambda m: [m.leaf(*shape), m.integers(2, *shape)],
        lambda t, x, y: t.nn.functional.binary_cross_entropy_with_logits(x, y.to(x.dtype)), bytes=20.0 * math.prod(shape),
    )  # fmt: skip


def _text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


CASES = [
    softmax("softmax", 64, 10, quick=True),
    softmax("softmax", 2048, 65),
    softmax("softmax", 512, 1000),
    softmax("softmax", 64, 4, 128, 128),
    softmax("softmax", 32, 128, 1000, dim=1),
    softmax("log_softmax", 512, 1000),
    softmax("log_softmax", 2048, 10000),
    cross_entropy(64, 10, quick=True),
    cross_entropy(2048, 65),
    cross_entropy(512, 1000),
    cross_entropy(2048, 10000),
    cross_entropy(512, 50257),
    cross_entropy(512, 1000, smoothing=0.1),
    cross_entropy(512, 1000, weighted=True),
    cross_entropy(512, 1000, soft=True),
    mse(64, 10),
    mse(512, 2048),
    bce(64, 1),
    bce(512, 2048),
]
