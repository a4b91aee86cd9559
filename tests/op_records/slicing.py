"""Parts of a tensor replaced, seen with other strides, reduced into places; differences along dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.op_records import draw as d
from tests.op_records.record import COMPOSED, EXACT, OpRecord, Tolerance, call, refused

X, Y = d.numbers(3, 4), d.numbers(3, 4, start=-2.15, step=0.29)
CUBE = d.numbers(2, 3, 4)
NONE, ONE, POINT = np.ones((0, 3)), np.ones((1, 1)), np.array(0.7)
K, REPEATED = np.array([0, 5, 11]), np.array([5, 0, 5])
J32 = np.arange(12, dtype=np.int32).reshape(3, 4)
PRODUCTS = Tolerance(64, 4, "sums of products of both signs")


def listed(names: str, reference: Any, *calls: Any, **more: Any) -> OpRecord:
    return d.listed(names, reference, *calls, **{"tolerance": EXACT, **more})


def slice_scatter(x: Any, v: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> np.ndarray:
    z = x.copy()
    np.moveaxis(z, dim, 0)[start:end:step] = np.moveaxis(v, dim, 0)
    return z


def select_scatter(x: Any, v: Any, dim: int, index: int) -> np.ndarray:
    z = x.copy()
    np.moveaxis(z, dim, 0)[index] = v
    return z


def diagonal_scatter(x: Any, v: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> np.ndarray:
    z = x.copy()
    matrices = np.moveaxis(z, (dim1, dim2), (-2, -1))
    for k in range(v.shape[-1]):
        matrices[..., k - min(offset, 0), k + max(offset, 0)] = v[..., k]
    return z


def as_strided(x: Any, size: Any, stride: Any, storage_offset: Any = None) -> np.ndarray:
    """Element by element."""
    z, flat = np.zeros(size, x.dtype), x.reshape(-1)
    for i in np.ndindex(*size):
        z[i] = flat[(storage_offset or 0) + sum(a * b for a, b in zip(i, stride, strict=True))]
    return z


def as_strided_scatter(x: Any, v: Any, size: Any, stride: Any, storage_offset: Any = None) -> np.ndarray:
    z = x.reshape(-1).copy()
    for i in np.ndindex(*size):
        z[(storage_offset or 0) + sum(a * b for a, b in zip(i, stride, strict=True))] = v[i]
    return z.reshape(x.shape)


def put(x: Any, k: Any, v: Any, accumulate: bool = False) -> np.ndarray:
    z = x.reshape(-1).copy()
    for i, value in zip(k.reshape(-1), v.reshape(-1), strict=True):
        z[i] = z[i] + value if accumulate else value
    return z.reshape(x.shape)


def index_reduce(x: Any, dim: int, k: Any, v: Any, reduce: str, include_self: bool = True) -> np.ndarray:
    z = np.moveaxis(x, dim, 0).copy()
    source = np.moveaxis(v, dim, 0)
    for i in range(z.shape[0]):
        parts = [z[i]] * include_self + [source[j] for j in range(k.size) if k[j] == i]
        if any(k == i):
            z[i] = {"prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}[reduce](parts, axis=0)
    return np.moveaxis(z, 0, dim)


def renorm(x: Any, p: float, dim: int, maxnorm: float) -> np.ndarray:
    axes = tuple(i for i in range(x.ndim) if i != dim % x.ndim)
    size = (np.abs(x) ** p).sum(axes, keepdims=True) ** (1 / p)
    return x * np.where(size > maxnorm, maxnorm / (size + 1e-7), 1.0)


def gradient(x: Any, *coordinates: Any, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Any, ...]:
    axes = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    steps = list(coordinates) or (list(spacing) if isinstance(spacing, tuple) else [spacing] * len(axes))
    return tuple(np.gradient(x, h, axis=a, edge_order=edge_order) for h, a in zip(steps, axes, strict=True))


RECORDS = [
    listed(
        "slice_scatter",
        slice_scatter,
        call(X, Y[:2], 0, 1),
        call(X, Y[:, :2], 1, 0, None, 2),
        call(X, Y[:, 1:3], -1, -3, -1),
        call(X, Y),
        edges=(call(NONE, NONE), call(ONE, 2 * ONE)),
        differentiable=(0, 1),
        integers=d.whole(J32, J32[:1], 0, 2),
        refusals=(
            refused("slice_scatter.*shape", ValueError, X, Y[:2]),
            refused("slice_scatter.*step", ValueError, X, Y, 0, None, None, 0),
        ),
    ),
    listed(
        "select_scatter",
        select_scatter,
        call(X, Y[0], 0, -1),
        call(CUBE, CUBE[:, 1] + 0.5, 1, 2),
        call(X, Y[:, 0], 1, 2),
        edges=(call(NONE, np.ones(0), 1, 0), call(ONE, ONE[0], 0, 0)),
        differentiable=(0, 1),
        integers=d.whole(J32, J32[0], 0, 1),
        refusals=(
            refused("select_scatter.*shape", ValueError, X, Y, 0, 0),
            refused("select_scatter.*index", IndexError, X, Y[0], 0, 3),
        ),
    ),
    listed(
        "diagonal_scatter",
        diagonal_scatter,
        call(X, Y[:, 0], 1),
        call(X, Y[:2, 0], -1),
        call(CUBE, d.numbers(3, 2, start=-1.0), 0, 0, 2),
        call(X, Y[:, 0]),
        edges=(call(NONE, np.ones(0)), call(ONE, 2 * ONE[0])),
        differentiable=(0, 1),
        integers=d.whole(J32, J32[0, :3]),
        refusals=(refused("diagonal_scatter.*shape", ValueError, X, Y[0]),),
    ),
    listed(
        "as_strided",
        as_strided,
        call(X, (2, 2, 3), (4, 1, 2)),
        call(X, (4,), (0,), 7),
        call(X, (), (), 3),
        call(X, (3, 2), (1, 2), 1),
        edges=(call(NONE, (0, 2), (1, 1)), call(ONE, (1, 2), (0, 0))),
        integers=d.whole(J32, (2, 2), (5, 1)),
        layouts=False,
        refusals=(
            refused("as_strided.*lie in", IndexError, X, (3, 2), (6, 1)),
            refused("as_strided.*equally long", ValueError, X, (3, 2), (6,)),
        ),
    ),
    listed(
        "as_strided_scatter",
        as_strided_scatter,
        call(X, Y[:2, :2], (2, 2), (5, 2), 1),
        call(X, Y[:, :2], (3, 2), (1, 5)),
        edges=(call(NONE, NONE, (0, 3), (3, 1)), call(ONE, 2 * ONE, (1, 1), (1, 1))),
        differentiable=(0, 1),
        integers=d.whole(J32, J32[:2, :2], (2, 2), (5, 1)),
        layouts=False,
        refusals=(refused("as_strided_scatter.*shape", ValueError, X, Y, (3, 2), (1, 5)),),
    ),
    listed(
        "put",
        put,
        call(X, REPEATED, Y[0, :3], True),
        call(X, -1 - K.reshape(1, 3), Y[:1, :3]),
        call(X, K, Y[0, :3]),
        edges=(call(NONE, np.ones(0, np.int64), np.ones(0)), call(ONE, np.array(0), POINT)),
        differentiable=(0, 2),
        tolerance=COMPOSED,
        integers=d.whole(J32, K, J32[0, :3]),
        refusals=(refused("put.*equally many", ValueError, X, K, Y),),
    ),
    listed(
        "index_reduce",
        index_reduce,
        *(
            call(X, 1, REPEATED[:2] - 2 * (REPEATED[:2] > 0), Y[:, :2], how, include_self=own)
            for how in ("prod", "mean", "amax", "amin")
            for own in (True, False)
        ),
        call(X, 1, np.array([0]), X[:, :1], "amax", include_self=False),  # what is replaced has no share
        call(X, 0, np.array([1, 1]), Y[:2], "amax"),
        edges=(
            call(NONE, 1, np.array([2]), NONE[:, :1], "prod"),
            call(ONE, 0, np.array([0]), 2 * ONE, "mean"),
            call(X, 1, np.array([0]), X[:, :1], "amax", include_self=False),
        ),
        differentiable=(0, 3),
        tolerance=COMPOSED,
        integers=d.whole(J32, 0, np.array([2, 2]), J32[:2], "amin"),
        refusals=(
            refused("index_reduce.*shape", ValueError, X, 1, REPEATED, Y, "prod"),
            refused("index_reduce.*reduce", ValueError, X, 0, REPEATED, Y, "sum"),
        ),
    ),
    listed(
        "renorm",
        renorm,
        call(X, 1, 1, 2.0),
        call(CUBE, 3, -1, 1.5),
        call(X, 2, 0, 1.75),
        edges=(call(NONE, 2, 1, 1.0), call(ONE, 2, 0, 0.5)),
        tolerance=COMPOSED,
        result_of_integers=None,
        refusals=(
            refused("renorm.*2 dim", ValueError, X[0], 2, 0, 1.0),
            refused("renorm.*p must", ValueError, X, 0, 0, 1.0),
        ),
    ),
    listed(
        "gradient",
        gradient,
        call(CUBE, spacing=0.5, dim=(2, 1)),
        call(X * X, spacing=(2.0, 0.5), edge_order=2),
        call(X * X, dim=-1),
        call(X, np.array([0.0, 1.0, 3.0, 3.5]), dim=1),
        plain=call(X),
        edges=(call(np.ones((0, 2)), dim=1), call(np.ones((1, 2)), dim=1), call(np.ones((1, 1, 3)), dim=-1)),
        invoke=lambda f, x, *c, **o: f(x, **o, **({"spacing": tuple(c)} if c else {})),
        tolerance=PRODUCTS,
        smooth=d.st.just(call(X, spacing=0.5)),
        refusals=(
            refused("gradient.*at least 2 points", ValueError, ONE),
            refused("gradient.*edge_order", ValueError, X, edge_order=3),
            refused("gradient.*one spacing", ValueError, X, spacing=(1.0,)),
        ),
        integers=d.whole(J32, dim=0),
        result_of_integers="float32",
    ),
]
