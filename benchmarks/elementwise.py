"""Activations, broadcast arithmetic and reductions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import Case, operation

_LARGE = (2048, 512)


def activation(name: str, forward: Callable[..., Any], jax: Callable[[Any], Any], *shape: int, **options: Any) -> Case:
    """A function of one array; its backward reads x (or y) and dy."""
    return operation(
        f"{name} {_text(shape)}", lambda m: [m.leaf(*shape)], forward, jax=lambda jax_, jnp: jax(jax_),
        bytes=20.0 * math.prod(shape), **options,
    )  # fmt: skip


def reduction(name: str, dim: int | None, *shape: int, quick: bool = False) -> Case:
    """sum, mean or amax over an axis, or all."""
    along = "all" if dim is None else f"axis {dim}"

    def forward(t: Any, x: Any) -> Any:
        return getattr(x, name)() if dim is None else getattr(x, name)(dim)

    def numpy(dy: Any, x: Any) -> list[Any]:
        y = x.sum(axis=dim)
        return (
            [np.asarray(y)]
            if dy is None
            else [y, np.broadcast_to(dy if dim is None else np.expand_dims(dy, dim), x.shape).copy()]
        )

    return operation(
        f"{name} {along} {_text(shape)}", lambda m: [m.leaf(*shape)], forward,
        jax=lambda jax, jnp: lambda x: getattr(jnp, name)(x, axis=dim),
        numpy=numpy if name == "sum" else None, bytes=8.0 * math.prod(shape), quick=quick,
    )  # fmt: skip


def multiply_add(a: tuple[int, ...], b: tuple[int, ...], c: tuple[int, ...], *, quick: bool = False) -> Case:
    """a·b + c with broadcasting, and the sums that undo it."""

    def numpy(dy: Any, a: Any, b: Any, c: Any) -> list[Any]:
        y = a * b + c
        return [y] if dy is None else [y, _sum_to(dy * b, a.shape), _sum_to(dy * a, b.shape), _sum_to(dy, c.shape)]

    sizes = [math.prod(s) for s in (a, b, c)]
    return operation(
        f"a·b + c, {_text(a)}, {_text(b)}, {_text(c)}", lambda m: [m.leaf(*a), m.leaf(*b), m.leaf(*c)],
        lambda t, a, b, c: a * b + c, jax=lambda jax, jnp: lambda a, b, c: a * b + c, numpy=numpy,
        bytes=4.0 * (2 * max(sizes) + 3 * sum(sizes)), tolerance=1e-4, quick=quick,
    )  # fmt: skip


def _sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    lead = x.ndim - len(shape)
    axes = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1))
    return x.sum(axis=axes).reshape(shape)


def _text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "()"


CASES = [
    activation("relu", lambda t, x: t.nn.functional.relu(x), lambda jax: jax.nn.relu, 64, 128, quick=True),
    activation("relu", lambda t, x: t.nn.functional.relu(x), lambda jax: jax.nn.relu, *_LARGE),
    activation("relu", lambda t, x: t.nn.functional.relu(x), lambda jax: jax.nn.relu, 64, 32, 32, 32),
    activation(
        "gelu", lambda t, x: t.nn.functional.gelu(x), lambda jax: lambda x: jax.nn.gelu(x, approximate=False), *_LARGE
    ),
    activation("gelu tanh", lambda t, x: t.nn.functional.gelu(x, approximate="tanh"), lambda jax: jax.nn.gelu, *_LARGE),
    activation("silu", lambda t, x: t.nn.functional.silu(x), lambda jax: jax.nn.silu, *_LARGE),
    activation("sigmoid", lambda t, x: t.sigmoid(x), lambda jax: jax.nn.sigmoid, *_LARGE),
    activation("tanh", lambda t, x: t.tanh(x), lambda jax: jax.numpy.tanh, *_LARGE),
    activation("tanh", lambda t, x: t.tanh(x), lambda jax: jax.numpy.tanh, 64, 128),
    activation("exp", lambda t, x: t.exp(x), lambda jax: jax.numpy.exp, *_LARGE),
    activation(
        "sqrt(x² + 1)", lambda t, x: t.sqrt(x * x + 1), lambda jax: lambda x: jax.numpy.sqrt(x * x + 1), *_LARGE
    ),
    multiply_add((64, 128), (64, 128), (64, 128), quick=True),
    multiply_add(_LARGE, _LARGE, _LARGE),
    multiply_add(_LARGE, (512,), (512,)),
    multiply_add(_LARGE, (2048, 1), (2048, 1)),
    multiply_add(_LARGE, (), ()),
    *(reduction("sum", dim, *_LARGE) for dim in (0, 1, None)),
    *(reduction("mean", dim, *_LARGE) for dim in (0, 1, None)),
    *(reduction("amax", dim, *_LARGE) for dim in (0, 1)),
    reduction("sum", 1, 64, 128, quick=True),
]
