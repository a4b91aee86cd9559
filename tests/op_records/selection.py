"""Scattering, adding and finding by indices."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.op_records import draw as d
from tests.op_records.record import EXACT, SUMMED, Call, OpRecord, Subgradient, call, refused

INT = np.int64
X, Y = d.numbers(2, 3), d.numbers(2, 3, start=5.1, step=-0.83)
C = d.numbers(2, 4, 3)
I32 = np.array([[3, 0, -2], [7, 5, 1]], np.int32)
A = np.array([[0, 1, 0], [1, 1, 0]])
K = np.array([0, 2, 2])
DISTINCT = np.array([[0, 2, 1], [1, 0, 2]])  # of places that meet, every one gets the gradient, as in PyTorch
MASK = np.array([[True, False, True], [False, False, True]])
NONE, ONE = np.ones((0, 3)), np.ones((1, 1))
NO_INDEX, ZERO = np.zeros((0, 3), INT), np.zeros((1, 1), INT)


def listed(names: str, reference: Any, *calls: Call, **more: Any) -> OpRecord:
    more.setdefault("tolerance", EXACT)
    return d.listed(names, reference, *calls, **more)


def scattered(step: Any, include: bool = True) -> Any:
    """By a loop over the index: z[place] = step(z[place], src)."""

    def reference(x: Any, dim: int, k: Any, src: Any, **options: Any) -> np.ndarray:
        z, seen = np.array(x), np.zeros(x.shape, int)
        for i in np.ndindex(k.shape):
            place = list(i)
            place[dim] = int(k[i])
            at = tuple(place)
            v = src[i] if isinstance(src, np.ndarray) else src
            z[at] = v if not options.get("include_self", include) and not seen[at] else step(z[at], v)
            seen[at] += 1
        if options.get("mean"):
            return z / np.maximum(seen + options.get("include_self", True), 1)
        return z

    return reference


def add(a: Any, b: Any) -> Any:
    return a + b


def scatter(x: Any, dim: int, k: Any, src: Any, reduce: str | None = None) -> np.ndarray:
    step = {None: lambda a, b: b, "add": add, "multiply": lambda a, b: a * b}[reduce]
    return scattered(step)(x, dim, k, src)


def scatter_reduce(x: Any, dim: int, k: Any, src: Any, reduce: str, include_self: bool = True) -> np.ndarray:
    step = {"sum": add, "mean": add, "prod": lambda a, b: a * b, "amax": max, "amin": min}[reduce]
    return scattered(step)(x, dim, k, src, include_self=include_self, mean=reduce == "mean")


def rows(step: Any) -> Any:
    def reference(x: Any, dim: int, k: Any, v: Any, alpha: float = 1) -> np.ndarray:
        z = np.moveaxis(np.array(x), dim, 0)
        w = np.moveaxis(np.asarray(v), dim, 0) if np.ndim(v) else None
        for n, place in enumerate(k):
            z[place] = step(z[place], v if w is None else alpha * w[n])
        return np.moveaxis(z, 0, dim)

    return reference


def index_put(x: Any, k: Any, v: Any, accumulate: bool = False) -> np.ndarray:
    z = np.array(x)
    (np.add.at if accumulate else np.ndarray.__setitem__)(z, k, v)
    return z


def masked_scatter(x: Any, mask: Any, v: Any) -> np.ndarray:
    z = np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape)).copy()
    m = np.broadcast_to(mask, z.shape)
    z[m] = v.reshape(-1)[: m.sum()]
    return z


def unique(
    x: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: Any = None
) -> Any:
    """By sets of tuples."""
    items = [tuple(np.ravel(r)) for r in (x.reshape(-1, 1) if dim is None else np.moveaxis(x, dim, 0))]
    distinct = list(dict.fromkeys(ordered(items)))
    values = np.array(distinct, x.dtype)
    rest = np.moveaxis(x, dim, 0).shape[1:] if dim is not None else ()
    values = values.reshape(len(distinct), *rest)
    inverse = np.array([distinct.index(i) for i in items], INT)
    found = [values if dim is None else np.moveaxis(values, 0, dim)]
    found += [inverse.reshape(x.shape) if dim is None else inverse] * return_inverse
    found += [np.array([items.count(i) for i in distinct], INT)] * return_counts
    return tuple(found)


ordered = sorted


def consecutive(x: Any, return_inverse: bool = False, return_counts: bool = False, dim: Any = None) -> Any:
    rows = x.reshape(-1) if dim is None else np.moveaxis(x, dim, 0)
    keep, inverse, counts = [], [], []
    for n, row in enumerate(rows):
        if n == 0 or (row != rows[n - 1]).any():
            keep.append(n)
            counts.append(0)
        counts[-1] += 1
        inverse.append(len(keep) - 1)
    values = rows[keep] if dim is None else np.moveaxis(rows[keep], 0, dim)
    places = np.array(inverse, INT).reshape(x.shape if dim is None else -1)
    return tuple([values] + [places] * return_inverse + [np.array(counts, INT)] * return_counts)


def searchsorted(
    s: Any, v: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None
) -> np.ndarray:
    """Counts how many come before."""
    right = right if side is None else side == "right"
    kind = np.int32 if out_int32 else INT
    one = lambda row, a: sum(b <= a if right else b < a for b in row)  # noqa: E731
    found = [one(s if s.ndim == 1 else s[i[:-1]], np.asarray(v)[i]) for i in np.ndindex(np.shape(v))]
    return np.array(found, kind).reshape(np.shape(v))


ROWS_EDGES = (call(NONE, 0, np.zeros(0, INT), NONE), call(ONE, 0, np.zeros(1, INT), ONE))
REFUSED = lambda name, *a: (  # noqa: E731
    refused(f"{name}.*3.*range", IndexError, X, 1, 3 * A, *a),
    refused(f"{name}.*integer", TypeError, X, 1, X, *a),
    refused(f"{name}.*dim 2", IndexError, X, 2, A, *a),
    refused(f"{name}.*larger", ValueError, X, 1, np.zeros((3, 1), INT), *a),
)
PLACED: dict[str, Any] = {"edges": (call(NONE, 1, NO_INDEX, NONE), call(ONE, 1, ZERO, ONE)), "differentiable": (0, 3)}
EXTREME = call(np.array([2.0, 0.0]), 0, np.array([0, 0]), np.array([2.0, 2.0]), "amax")
INTEGER = d.whole(I32, 1, A, I32)

RECORDS = [
    listed(
        "scatter",
        scatter,
        call(X, 0, A, Y),
        call(X, 1, A, 2.5),
        call(X, 1, A[:, :2], Y),
        call(X, -1, A, Y, reduce="add"),
        call(X, 1, A, Y, reduce="multiply"),
        call(X, 1, A, Y),
        plain=call(X, 1, DISTINCT, Y),
        smooth=st.sampled_from([call(X, 1, DISTINCT, Y), call(X, 1, A, 2.5), call(X, 1, A, Y, reduce="add")]),
        integers=INTEGER,
        refusals=(*REFUSED("scatter", Y), refused("scatter.*reduce", ValueError, X, 1, A, Y, reduce="mean")),
        **{**PLACED, "tolerance": SUMMED},
    ),
    listed(
        "scatter_add",
        scattered(add),
        call(X, 0, A, Y),
        call(X, 1, A[:, :2], Y),
        call(X, 1, A, Y),
        integers=INTEGER,
        refusals=REFUSED("scatter_add", Y),
        **{**PLACED, "tolerance": SUMMED},
    ),
    listed(
        "scatter_reduce",
        scatter_reduce,
        *(
            call(X, 1, A, Y, how, include_self=own)
            for how in ("sum", "prod", "mean", "amax", "amin")
            for own in (True, False)
        ),
        call(X, 1, A, Y, "amax"),
        edges=(call(NONE, 1, NO_INDEX, NONE, "sum"), call(ONE, 1, ZERO, ONE, "prod")),
        differentiable=(0, 3),
        integers=d.whole(I32, 1, A, I32, "amax"),
        refusals=(
            *REFUSED("scatter_reduce", Y, "sum"),
            refused("scatter_reduce.*reduce", ValueError, X, 1, A, Y, "max"),
        ),
        subgradients=(Subgradient(EXTREME, (np.array([1 / 3, 1.0]), np.array([1 / 3, 1 / 3]))),),
        tolerance=SUMMED,
    ),
    listed(
        "index_add",
        rows(add),
        call(X, 1, K, Y, alpha=0.5),
        call(C, 2, K, 2 * C),
        call(X, 1, K, Y),
        edges=ROWS_EDGES,
        differentiable=(0, 3),
        tolerance=SUMMED,
        integers=d.whole(I32, 1, K, I32),
        refusals=(
            refused("index_add.*3.*range", IndexError, X, 1, K + 1, Y),
            refused("index_add.*source", ValueError, X, 1, K, Y[:, :2]),
            refused("index_add.*one dimension", ValueError, X, 1, A, Y),
        ),
    ),
    listed(
        "index_copy",
        rows(lambda a, b: b),
        call(C, 2, K[:2], 2 * C[:, :, :2]),
        call(X, 1, K[:2], Y[:, :2]),
        edges=ROWS_EDGES,
        differentiable=(0, 3),
        integers=d.whole(I32, 1, K[:2], I32[:, :2]),
        refusals=(refused("index_copy.*source", ValueError, X, 1, K, Y[:, :2]),),
    ),
    listed(
        "index_fill",
        rows(lambda a, b: b),
        call(X, 1, K, 0.5),
        call(X, 0, np.array([-1]), 2),
        call(X, 1, K, np.array(0.5)),
        edges=(call(NONE, 0, np.zeros(0, INT), 1), call(ONE, 0, np.zeros(1, INT), 2)),
        differentiable=(0, 3),
        integers=d.whole(I32, 1, K, 5),
        refusals=(refused("index_fill.*value", ValueError, X, 1, K, np.ones(2)),),
    ),
    listed(
        "index_put",
        index_put,
        call(X, (A[:, 0], K[:2]), np.array(2.0)),
        call(X, (A[1, :2], K[1:]), Y[0, :2], accumulate=True),
        call(X, (MASK,), Y[:, :2].reshape(-1)[:3]),
        call(X, (np.array([1]),), Y[1]),
        edges=(call(NONE, (np.zeros(0, INT),), NONE), call(ONE, (np.zeros(1, INT),), ONE)),
        differentiable=(0, 2),
        integers=d.whole(I32, (np.array([1]),), I32[:1], accumulate=True),
        refusals=(
            refused("index_put.*2.*range", IndexError, X, (np.array([2]),), Y[1]),
            refused("index_put.*tuple", TypeError, X, 1, Y[1]),
            refused("index_put.*fit", ValueError, X, (np.array([1]),), X),
        ),
    ),
    listed(
        "take",
        lambda x, k: x.reshape(-1)[k],
        call(C, A),
        call(X, np.array([[5, -6, 0]])),
        edges=(call(X, np.zeros(0, INT)), call(ONE, np.zeros(1, INT)), call(X, A)),
        integers=d.whole(I32, A),
        refusals=(refused("take.*6.*range", IndexError, X, np.array([6])), refused("take.*integer", TypeError, X, X)),
    ),
    listed(
        "masked_scatter",
        masked_scatter,
        call(X, MASK[0], C),
        call(X, MASK, Y),
        edges=(call(NONE, MASK[0], X), call(ONE, np.ones(1, bool), ONE)),
        differentiable=(0, 2),
        integers=d.whole(I32, MASK, I32),
        refusals=(
            refused("masked_scatter.*source", ValueError, X, MASK, Y[0, :1]),
            refused("masked_scatter.*bool", TypeError, X, A, Y),
        ),
    ),
    listed(
        "unique",
        unique,
        call(A, return_inverse=True, return_counts=True),
        call(A, dim=1, return_inverse=True),
        call(X, dim=0),
        call(np.round(X)),
        edges=(call(NONE), call(ONE)),
        differentiable=(),
        integers=d.whole(A.astype(np.int32)),
        refusals=(refused("unique.*dim 2", IndexError, X, dim=2),),
    ),
    listed(
        "unique_consecutive",
        consecutive,
        call(A, return_inverse=True, return_counts=True),
        call(A, dim=1, return_counts=True),
        call(X, dim=0),
        call(np.round(X)),
        edges=(call(NONE), call(ONE)),
        differentiable=(),
        integers=d.whole(A.astype(np.int32)),
        refusals=(refused("unique_consecutive.*dim 2", IndexError, X, dim=2),),
    ),
    listed(
        "searchsorted",
        searchsorted,
        call(X, X[:, ::-1] + 0.1),
        call(X[0], X, right=True),
        call(K, 2, side="right"),
        call(K, A, out_int32=True),
        edges=(call(np.ones(0), X), call(np.ones(1), np.ones(1))),
        plain=call(X[0], X),
        differentiable=(),
        integers=d.whole(K, A),
        result="int64",
        result_of_integers="int64",
        refusals=(
            refused("searchsorted.*side", ValueError, K, A, side="middle"),
            refused("searchsorted.*dtype", TypeError, K, X),
            refused("searchsorted.*shapes", ValueError, X, C),
        ),
    ),
    listed(
        "bucketize",
        lambda v, s, **k: searchsorted(s, v, **k),
        call(X, X[0], right=True),
        call(2, K),
        edges=(call(X, np.ones(0)), call(np.ones(1), np.ones(1))),
        plain=call(X, X[0]),
        differentiable=(),
        integers=d.whole(A, K),
        result="int64",
        result_of_integers="int64",
        refusals=(refused("bucketize.*one dimension", ValueError, X, X),),
    ),
]
