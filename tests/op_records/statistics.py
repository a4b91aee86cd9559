"""Order statistics, products, scans and counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import integrate, special, stats

from tests.op_records import draw as d
from tests.op_records.record import EXACT, SUMMED, Call, OpRecord, Subgradient, call, refused

C = np.random.default_rng(3).permutation(d.numbers(24, start=-3.3)).reshape(2, 4, 3)
X, ROW = C[0, :2], C[0, 0]
NANS = np.array([[np.nan, 1.0, -2.0], [4.0, 0.5, 3.0]])
TIES = np.array([[1.0, 2.0, 2.0, 1.0, 0.0], [0.0, 0.0, 3.0, 3.0, 3.0]])
I32 = np.array([[3, 0, -2], [7, 5, 1]], np.int32)
POINT, NONE, ONE = np.array(0.7), np.ones((0, 3)), np.ones((1, 1))
DIM = lambda name, *a: refused(f"{name}.*dim 3.*range", IndexError, C, *a, dim=3)  # noqa: E731


def listed(names: str, reference: Any, *calls: Call, **more: Any) -> OpRecord:
    """Without NaN and, where equal elements make kinks, without these, the operation is smooth."""
    rough = names.startswith("nan") or names in ("sort", "median", "mode", "cummax", "cummin")
    smooth = [c for c in calls if not (np.isnan(c.args[0]).any() or (rough and c.args[0] is TIES))]
    more.setdefault("smooth", st.sampled_from(smooth))
    more.setdefault("edges", (call(NONE, dim=0), call(ONE, dim=1)))
    more.setdefault("integers", d.whole(I32, dim=1))
    return d.listed(names, reference, *calls, **more)


def over(f: Any) -> Any:
    def reference(x: Any, dim: Any = None, keepdim: bool = False, **options: Any) -> Any:
        return f(x, axis=dim, keepdims=keepdim, **options)

    return reference


def spread_mean(root: bool) -> Any:
    def reference(x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, correction: Any = None) -> Any:
        c = correction if correction is not None else int(unbiased)
        v = (np.std if root else np.var)(x, axis=dim, ddof=c, keepdims=keepdim)
        return v, np.mean(x, axis=dim, keepdims=keepdim)

    return reference


def sort(x: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """By a loop over the rows, stable in both directions."""
    rows = np.moveaxis(np.atleast_1d(x), dim, -1)
    order = np.zeros(rows.shape, np.int64)
    for i in np.ndindex(rows.shape[:-1]):
        order[i] = sorted(range(rows.shape[-1]), key=lambda k: -rows[i][k] if descending else rows[i][k])
    values = np.take_along_axis(rows, order, -1)
    return tuple(np.moveaxis(a, -1, dim).reshape(x.shape) for a in (values, order))


def nth(place: Any) -> Any:
    """The element that `place(number of elements)` names in order, with its index."""

    def reference(x: Any, dim: int = -1, keepdim: bool = False) -> Any:
        return tuple(_taken(a, place(x.shape[dim]), dim, keepdim) for a in sort(x, dim))

    return reference


def _taken(a: Any, k: int, dim: int, keepdim: bool) -> np.ndarray:
    return np.take(a, [k] if keepdim else k, axis=dim)


def kthvalue(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    return nth(lambda n: k - 1)(x, dim, keepdim)


def median(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    if dim is None:
        return np.sort(x.reshape(-1))[(x.size - 1) // 2]
    return nth(lambda n: (n - 1) // 2)(x, dim, keepdim)


def nanmedian(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    if np.isnan(x).any():
        return np.sort(x[~np.isnan(x)])[(int((~np.isnan(x)).sum()) - 1) // 2]
    return median(x, dim, keepdim)


def mode(x: Any, dim: int = -1, keepdim: bool = False) -> Any:
    rows = np.moveaxis(x, dim, -1)
    values = stats.mode(rows, axis=-1, keepdims=True).mode
    k = rows.shape[-1] - 1 - np.argmax((rows == values)[..., ::-1], -1, keepdims=True)
    found = [np.moveaxis(a, -1, dim) for a in (values, k)]
    return tuple(found if keepdim else [np.squeeze(a, dim) for a in found])


def quantile(f: Any) -> Any:
    def reference(x: Any, q: Any, dim: Any = None, keepdim: bool = False, interpolation: str = "linear") -> Any:
        return f(x, q, axis=dim, keepdims=keepdim, method=interpolation)

    return reference


def running(arg: Any) -> Any:
    """The extreme so far and its last place, by a loop."""

    def reference(x: Any, dim: int) -> Any:
        rows = np.moveaxis(np.atleast_1d(x), dim, -1)
        values, places = rows.copy(), np.zeros(rows.shape, np.int64)
        for i in np.ndindex(rows.shape):
            seen = rows[i[:-1]][: i[-1] + 1]
            places[i] = i[-1] - int(arg(seen[::-1]))
            values[i] = seen[places[i]]
        return tuple(np.moveaxis(a, -1, dim).reshape(x.shape) for a in (values, places))

    return reference


def logcumsumexp(x: Any, dim: int) -> np.ndarray:
    parts = [special.logsumexp(np.take(x, range(k + 1), dim), axis=dim) for k in range(x.shape[dim])]
    return np.stack(parts, dim) if parts else x


def diff(x: Any, n: int = 1, dim: int = -1, *ends: Any) -> np.ndarray:
    before, after = (*ends, None, None)[:2]
    joined = [a for a in (before, x, after) if a is not None]
    return np.diff(np.concatenate(joined, dim), n, axis=dim)


def trapezoid(y: Any, x: Any = None, dx: Any = None, dim: int = -1) -> np.ndarray:
    return np.trapezoid(y, x, 1.0 if dx is None else dx, axis=dim)


def cumulative(y: Any, x: Any = None, dx: Any = None, dim: int = -1) -> np.ndarray:
    return integrate.cumulative_trapezoid(y, x, 1.0 if dx is None else dx, axis=dim)


def histc(x: Any, bins: int = 100, min: float = 0, max: float = 0) -> np.ndarray:
    low, high = (min, max) if min != max else (x.min(initial=np.inf), x.max(initial=-np.inf)) if x.size else (-1, 1)
    counts = np.zeros(bins)
    low, high = (low - 1, high + 1) if low == high else (low, high)
    for v in np.ravel(x):
        if low <= v <= high:
            counts[np.clip(int((v - low) / (high - low) * bins), 0, bins - 1)] += 1
    return counts


SPREAD = (call(C), call(C, (0, 2), keepdim=True), call(C, 1, False), call(C, dim=1, correction=0), call(C, 2))
SORTED: dict[str, Any] = {"result": ("kept", "int64"), "result_of_integers": ("kept", "int64"), "tolerance": EXACT}
SCAN: dict[str, Any] = {"edges": (call(NONE, 0), call(ONE, 1)), "integers": d.whole(I32, 1)}
COUNTED: dict[str, Any] = {"differentiable": (), "tolerance": EXACT, "result": "int64", "result_of_integers": "int64"}
FLOATS: dict[str, Any] = {"integers": None, "result_of_integers": None}
EMPTY_ROWS = (call(np.ones((2, 0, 3)), dim=0), call(ONE, dim=1))

RECORDS = [
    *(
        listed(
            f"{name}_mean",
            spread_mean(name == "std"),
            *SPREAD,
            edges=(call(np.ones((2, 0)), 0), call(ONE, correction=0)),
            tolerance=SUMMED,
            kind="fused",
            refusals=(DIM(f"{name}_mean"),),
            **FLOATS,
        )
        for name in ("var", "std")
    ),
    listed(
        "sort",
        sort,
        call(C),
        call(C, 0, True),
        call(TIES, stable=True),
        call(C, 1, descending=True),
        refusals=(DIM("sort"),),
        **SORTED,
    ),
    listed("argsort", lambda *a, **k: sort(*a, **k)[1], call(C), call(C, 0, True), call(TIES), **COUNTED),
    listed(
        "msort",
        lambda x: sort(x, 0)[0],
        call(C),
        call(X),
        edges=(call(NONE), call(ONE)),
        tolerance=EXACT,
        integers=d.whole(I32),
    ),
    listed(
        "kthvalue",
        kthvalue,
        call(C, 2, 1),
        call(C, 1, 0, True),
        call(C, 3),
        edges=(call(np.ones((2, 0, 3)), 1, 0), call(ONE, 1)),
        integers=d.whole(I32, 2),
        refusals=(refused("kthvalue.*k must", IndexError, C, 4), DIM("kthvalue", 1)),
        **SORTED,
    ),
    listed(
        "median",
        median,
        call(C),
        call(C, 0, True),
        call(TIES),
        call(C, 1),
        edges=EMPTY_ROWS,
        refusals=(DIM("median"), refused("median.*nothing", IndexError, NONE, 0)),
        subgradients=(Subgradient(call(np.array([2.0, 1.0, 2.0, 2.0])), (np.array([1.0, 0.0, 1.0, 1.0]) / 3,)),),
        **SORTED,
    ),
    listed("nanmedian", nanmedian, call(NANS), call(C), call(C, 0, True), call(C, 1), edges=EMPTY_ROWS, **SORTED),
    listed(
        "mode",
        mode,
        call(TIES),
        call(TIES, 0),
        call(C, 1, True),
        call(TIES, 1),
        edges=EMPTY_ROWS,
        refusals=(DIM("mode"),),
        **SORTED,
    ),
    *(
        listed(
            name,
            quantile(f),
            *more,
            call(C, 0.3),
            call(C, 0.5, 1, True),
            *(call(C, 0.4, 1, interpolation=k) for k in ("lower", "higher", "nearest", "midpoint")),
            call(C, 0.7, 1),
            edges=(call(np.ones((2, 0)), 0.5, 0), call(ONE, 0.5, 1)),
            refusals=(
                refused(f"{name}: q", ValueError, C, 1.5),
                refused(f"{name}: interpolation", ValueError, C, 0.5, interpolation="cubic"),
                DIM(name, 0.5),
            ),
            halves=False,
            **FLOATS,
        )
        for name, f, more in (
            ("quantile", np.quantile, ()),
            ("nanquantile", np.nanquantile, (call(NANS, 0.4), call(NANS, 0.4, 1))),
        )
    ),
    listed(
        "prod",
        over(np.prod),
        call(C),
        call(TIES, 1),
        call(C, 0, True),
        call(X, 1),
        refusals=(DIM("prod"),),
        result_of_integers="int64",
    ),
    listed(
        "cumprod",
        lambda x, dim: np.cumprod(x, dim),
        call(C, 1),
        call(TIES, 1),
        call(X, 1),
        refusals=(DIM("cumprod"),),
        **{**SCAN, "result_of_integers": "int64"},
    ),
    *(
        listed(name, running(arg), call(C, 1), call(TIES, -1), call(C, 0), refusals=(DIM(name),), **SCAN, **SORTED)
        for name, arg in (("cummax", np.argmax), ("cummin", np.argmin))
    ),
    listed(
        "logcumsumexp",
        logcumsumexp,
        call(C, 1),
        call(300 * X, 1),
        call(X, 0),
        refusals=(DIM("logcumsumexp"),),
        edges=(call(NONE, 0), call(ONE, 1)),
        **FLOATS,
    ),
    listed(
        "aminmax",
        lambda x, dim=None, keepdim=False: (np.min(x, dim, keepdims=keepdim), np.max(x, dim, keepdims=keepdim)),
        call(C),
        call(C, dim=0, keepdim=True),
        call(C, dim=1),
        edges=EMPTY_ROWS,
        refusals=(DIM("aminmax"), refused("aminmax.*nothing", IndexError, NONE)),
        tolerance=EXACT,
    ),
    listed(
        "nansum",
        over(np.nansum),
        call(NANS),
        call(C, (0, 2), True),
        call(C, 1),
        tolerance=SUMMED,
        refusals=(DIM("nansum"),),
        result_of_integers="int64",
    ),
    listed(
        "nanmean",
        over(np.nanmean),
        call(NANS),
        call(C, (0, 2), True),
        call(C, 1),
        edges=(call(np.ones((2, 0)), dim=0), call(ONE)),
        tolerance=SUMMED,
        refusals=(DIM("nanmean"),),
        **FLOATS,
    ),
    listed(
        "count_nonzero",
        lambda x, dim=None: np.asarray(np.count_nonzero(x, axis=dim)),
        call(TIES),
        call(C, (0, 2)),
        call(TIES, 1),
        refusals=(DIM("count_nonzero"),),
        **COUNTED,
    ),
    listed(
        "diff",
        diff,
        call(C, 2, 1),
        call(X, 1, -1, X),
        call(X, 1, 0, X, X),
        call(X),
        edges=(call(NONE, 1, 0), call(ONE)),
        differentiable=(0, 3, 4),
        refusals=(
            refused("diff.*one dimension", ValueError, POINT),
            refused("diff.*n must", ValueError, X, -1),
            DIM("diff"),
        ),
    ),
    *(
        listed(
            names,
            f,
            call(X, X[:, ::-1] * 2),
            call(C, dx=0.5, dim=1),
            call(C, np.array([0.0, 1.0, 1.5, 4.0]), dim=1),
            call(X),
            edges=(call(np.ones((0, 3))), call(ONE)),
            differentiable=(0, 1),
            refusals=(
                refused(f"{names.split()[0]}.*points", ValueError, X, np.ones(2)),
                refused(f"{names.split()[0]}.*either", ValueError, X, X, dx=1),
                DIM(names.split()[0]),
            ),
            tolerance=SUMMED,
            integers=d.whole(I32),
            result_of_integers="float32",
        )
        for names, f in (("trapezoid trapz", trapezoid), ("cumulative_trapezoid", cumulative))
    ),
    listed(
        "histc",
        histc,
        call(C, 5),
        call(X, bins=3, min=-1, max=1),
        call(X, 4),
        edges=(call(NONE, 2), call(ONE, 2)),
        differentiable=(),
        tolerance=EXACT,
        halves=False,
        refusals=(refused("histc.*bins", ValueError, X, 0),),
        **FLOATS,
    ),
    listed(
        "bincount",
        lambda x, w=None, minlength=0: np.bincount(x, w, minlength),
        call(np.array([0, 2, 2]), minlength=5),
        call(np.array([0, 2, 2]), np.array([0.5, 1.0, 2.0])),
        call(np.array([0, 2, 2])),
        edges=(call(np.zeros(0, np.int64)), call(np.zeros(1, np.int64))),
        integers=d.whole(np.array([0, 2, 2])),
        only_integers=True,
        refusals=(
            refused("bincount.*vector", ValueError, np.array([[1]])),
            refused("bincount.*integer", TypeError, X[0]),
            refused("bincount.*weights", ValueError, np.array([1]), np.ones(2)),
        ),
        **COUNTED,
    ),
]
