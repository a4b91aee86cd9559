"""Reductions and scans: `dim` one, several or all; `keepdim`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

import tinynet as tn
from tests.op_records import draw as d
from tests.op_records.record import EXACT, SUMMED, Call, OpRecord, Subgradient, Tolerance, call, refused
from tinynet.testing.strategies import arrays, axes


def axis_of(dim: Any) -> Any:
    return tuple(dim) if isinstance(dim, list | tuple) and len(dim) else None if dim in (None, (), []) else dim


def at_least_1d(x: np.ndarray) -> np.ndarray:
    """NumPy has no dimension 0 (or −1) of a 0-d array; PyTorch has."""
    return x.reshape(1) if x.ndim == 0 else x


@st.composite
def reductions(
    draw: Any,
    values: Any = d.FINITE,
    *,
    shape: Any = d.SMALL,
    low: float = -4.0,
    several: bool = True,
    required: bool = False,
    integers: bool = False,
    **choices: Any,
) -> Call:
    """An array, a dim in each of its forms (or none), and the options."""
    x = draw(d.integer_arrays(shape, dtype="int32") if integers else arrays(shape, values=values, low=low))
    options = draw(d.options(keepdim=st.booleans(), **choices))
    form = draw(st.sampled_from(["position", "name", "none"]))
    if several:
        dim = draw(axes(x.ndim, none=not required))
    else:
        dim = draw(st.integers(-max(x.ndim, 1), max(x.ndim, 1) - 1))
    if form == "none" and not required:
        return Call((x,), {k: v for k, v in options.items() if several or k != "keepdim"})
    return Call((x, dim), options) if form == "position" else Call((x,), {**options, "dim": dim})


def over(function: Any) -> Any:
    """NumPy's reduction with PyTorch's names."""

    def reference(x: np.ndarray, dim: Any = None, keepdim: bool = False, **options: Any) -> np.ndarray:
        return function(x, axis=axis_of(dim) if x.ndim else None, keepdims=keepdim, **options)

    return reference


EDGES = (
    call(np.array(0.5)),
    call(np.array(0.5), -1),
    call(d.numbers(1, 1), 0),
    call(d.numbers(2, 3), (0, 1), True),
    call(d.numbers(2, 3), 1),
)
EMPTY = (call(np.ones((0,))), call(np.ones((2, 0)), 1), call(np.ones((2, 0)), 0, True))
DIMS = (
    lambda name: refused(f"{name}.*dim 2.*range", IndexError, np.ones((2, 3)), 2),
    lambda name: refused(f"{name}.*integer", TypeError, np.ones((2, 3)), 0.5),
)
TWICE = lambda name: refused(f"{name}.*twice", ValueError, np.ones((2, 3)), (0, -2))  # noqa: E731
NOTHING = lambda name: refused(f"{name}.*nothing", IndexError, np.ones((2, 0)), 1)  # noqa: E731


def reduction(name: str, reference: Any, *, inputs: Any = None, empty: bool = True, **more: Any) -> OpRecord:
    more.setdefault("edges", EDGES + (EMPTY if empty else ()))
    more.setdefault("tolerance", SUMMED)
    more.setdefault("refusals", (*(f(name) for f in DIMS), TWICE(name), *(() if empty else (NOTHING(name),))))
    return OpRecord((name,), getattr(tn, name), reference, reductions() if inputs is None else inputs, **more)


def spread(
    x: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
) -> np.ndarray:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    c = correction if correction is not None else 1 if unbiased in (None, True) else 0
    axis = axis_of(dim) if x.ndim else None
    n = x.size if axis is None else np.prod([x.shape[a] for a in np.atleast_1d(axis)])
    squares = np.sum((x - np.mean(x, axis=axis, keepdims=True)) ** 2, axis=axis, keepdims=keepdim)
    return squares / max(n - c, 0)


SIDES = d.shapes(max_dims=3, min_side=2, max_side=3)


@st.composite
def variances(draw: Any) -> Call:
    c = draw(reductions("distinct", shape=SIDES, required=True))
    extra = draw(st.sampled_from([{}, {"unbiased": False}, {"unbiased": True}, {"correction": 0}, {"correction": 0.5}]))
    x = c.args[0]
    if draw(st.booleans()):
        return Call((x,), extra) if x.size > 1 else Call((x,), {"correction": 0})
    dim = c.args[1] if len(c.args) > 1 else c.options["dim"]
    if x.ndim == 0:
        return Call((np.array([1.0, 2.5]),), extra)
    if isinstance(dim, tuple) and not dim and x.size < 2:
        extra = {"correction": 0}
    return Call((x,), {**c.options, "dim": dim, **extra})


def p_norm(x: Any, p: Any = 2, dim: Any = None, keepdim: bool = False) -> np.ndarray:
    axis = axis_of(dim) if x.ndim else None
    p = 2 if p == "fro" else p
    if np.isinf(p):
        return (np.max if p > 0 else np.min)(np.abs(x), axis=axis, keepdims=keepdim)
    if p == 0:
        return np.sum(x != 0, axis=axis, keepdims=keepdim).astype(float)
    return np.sum(np.abs(x) ** p, axis=axis, keepdims=keepdim) ** (1 / p)


@st.composite
def norms(draw: Any, smooth: bool = False) -> Call:
    p = draw(
        st.sampled_from(
            ["fro", 1, 2, 3, 0.5, np.inf, -np.inf, 0] if not smooth else ["fro", 1, 2, 3, 1.5, np.inf, -np.inf]
        )
    )
    c = draw(reductions("distinct" if smooth else "any", shape=d.FULL, low=0.25))
    sign = draw(st.sampled_from([1, -1]))
    return Call((sign * c.args[0],), {**c.options, **({"dim": c.args[1]} if len(c.args) > 1 else {}), "p": p})


def first_extreme(arg: Any, reduce: Any) -> Any:
    """(values, first index), or the extreme of all elements."""

    def reference(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if dim is None:
            return reduce(x)
        y = at_least_1d(x)
        k = np.expand_dims(arg(y, axis=dim), dim)
        v = np.take_along_axis(y, k, dim)
        if not keepdim:
            v, k = np.squeeze(v, dim), np.squeeze(k, dim)
        return (v.reshape(()), k.reshape(())) if x.ndim == 0 else (v, k)

    return reference


def arg_extreme(arg: Any) -> Any:
    def reference(x: Any, dim: Any = None, keepdim: bool = False) -> np.ndarray:
        if x.ndim == 0:
            return np.zeros((), np.int64)
        k = np.asarray(arg(x, axis=dim))
        if keepdim:
            k = k.reshape((1,) * x.ndim) if dim is None else np.expand_dims(k, dim)
        return k.astype(np.int64)

    return reference


def best(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """Loops over the other dimensions; stable."""
    y = np.moveaxis(at_least_1d(x), dim, -1)
    values, indices = np.zeros((*y.shape[:-1], k)), np.zeros((*y.shape[:-1], k), np.int64)
    for i in itertools.product(*map(range, y.shape[:-1])):
        order = in_order(range(y.shape[-1]), key=lambda j: (-y[i][j] if largest else y[i][j], j))[:k]
        values[i], indices[i] = y[i][order], order
    if x.ndim == 0:
        return (values.reshape(()), indices.reshape(())) if k else (values, indices)
    return np.moveaxis(values, -1, dim), np.moveaxis(indices, -1, dim)


in_order = sorted


@st.composite
def tops(draw: Any, values: Any = d.FINITE) -> Call:
    x = draw(arrays(d.FULL, values=values))
    dim = draw(st.integers(-max(x.ndim, 1), max(x.ndim, 1) - 1))
    k = draw(st.integers(1, x.shape[dim] if x.ndim else 1))
    options = draw(d.options(largest=st.booleans(), sorted=st.just(True)))
    return Call((x, k), options) if dim == -1 else Call((x, k, dim), options)


def sums(function: Any) -> Any:
    def reference(x: np.ndarray, dim: Any = None, keepdim: bool = False) -> np.ndarray:
        x = x if x.dtype.kind == "f" else x.astype(np.int64)
        return function(x, axis=axis_of(dim) if x.ndim else None, keepdims=keepdim)

    return reference


def ties(name: str, expected: Any, **options: Any) -> tuple[Subgradient, ...]:
    return (Subgradient(call(np.array([2.0, 1.0, 2.0]), **options), (np.array(expected),)),)


WHOLE = reductions(integers=True)
WHOLE_ONE = reductions(integers=True, several=False, required=True, shape=d.FULL)
DISTINCT = reductions("distinct", shape=d.FULL)
DISTINCT_ONE = reductions("distinct", shape=d.FULL, several=False)
ANY_ONE = reductions(d.FINITE, shape=d.FULL, several=False)
EDGES_ONE = (
    call(np.array(0.5)),
    call(np.array(0.5), -1),
    call(d.numbers(1, 1), 0),
    call(np.ones((2, 0)), 0),
    call(d.numbers(2, 3), 1),
)


def truth(f: Any) -> Any:
    """Of an empty `dim` nothing is reduced, in `any` and `all` alone."""

    def reference(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return x != 0 if isinstance(dim, tuple | list) and not dim else f(x, dim, keepdim)

    return reference


RECORDS = [
    reduction("sum", sums(np.sum), kind="primitive", integers=WHOLE, result_of_integers="int64"),
    reduction(
        "mean",
        over(np.mean),
        result_of_integers=None,
        inputs=reductions(shape=d.FULL),
        empty=True,
        edges=(call(np.ones((2, 0)), 0), *EDGES),
    ),
    *(
        reduction(
            name,
            f,
            inputs=variances(),
            edges=(
                call(d.numbers(1), correction=0),
                call(d.numbers(2)),
                call(d.numbers(2, 3), (0, 1), keepdim=True),
                call(d.numbers(2, 3), False),
                call(np.ones((2, 0)), 0),
                call(d.numbers(3, 2), 0),
            ),
            result_of_integers=None,
            tolerance=SUMMED,
            refusals=(
                *(g(name) for g in DIMS),
                refused("either unbiased or correction", ValueError, np.ones(2), unbiased=True, correction=1),
            ),
            smooth=variances(),
            subgradients=(Subgradient(call(np.full(2, 3.0)), (np.zeros(2),)),),
        )
        for name, f in (("var", spread), ("std", lambda *a, **k: np.sqrt(spread(*a, **k))))
    ),
    reduction(
        "logsumexp",
        lambda x, dim, keepdim=False: np.asarray(
            special.logsumexp(x, axis=axis_of(dim) if x.ndim else None, keepdims=keepdim and x.ndim > 0)
        ),
        inputs=reductions(required=True, shape=d.FULL),
        edges=(
            call(np.array(0.5), -1),
            call(d.numbers(1, 1), 0),
            call(np.ones((0, 2)), 1),
            call(d.numbers(2, 3), (0, 1), True),
        ),
        result_of_integers="float32",
        integers=reductions(integers=True, required=True, shape=d.FULL),
    ),
    *(
        reduction(
            name,
            over(f),
            kind="primitive",
            inputs=reductions(d.FINITE, shape=d.FULL),
            smooth=DISTINCT,
            empty=False,
            edges=(call(np.ones((2, 0)), 0), *EDGES),
            tolerance=EXACT,
            integers=reductions(integers=True, shape=d.FULL),
            subgradients=ties(name, expected),
        )
        for name, f, expected in (("amax", np.max, [0.5, 0, 0.5]), ("amin", np.min, [0, 1, 0]))
    ),
    *(
        reduction(
            name,
            first_extreme(arg, f),
            kind="primitive",
            inputs=ANY_ONE,
            smooth=DISTINCT_ONE,
            edges=EDGES_ONE,
            tolerance=EXACT,
            integers=WHOLE_ONE,
            result=("kept", "int64"),
            result_of_integers=("kept", "int64"),
            refusals=(*(g(name) for g in DIMS), NOTHING(name)),
            subgradients=(*ties(name, first, dim=0), *ties(name, all_)),
        )
        for name, arg, f, first, all_ in (
            ("max", np.argmax, np.max, [1, 0, 0], [0.5, 0, 0.5]),
            ("min", np.argmin, np.min, [0, 1, 0], [0, 1, 0]),
        )
    ),
    *(
        reduction(
            name,
            arg_extreme(arg),
            kind="primitive",
            differentiable=(),
            inputs=ANY_ONE,
            edges=EDGES_ONE,
            tolerance=EXACT,
            integers=WHOLE_ONE,
            result="int64",
            result_of_integers="int64",
            refusals=(*(g(name) for g in DIMS), NOTHING(name)),
        )
        for name, arg in (("argmax", np.argmax), ("argmin", np.argmin))
    ),
    *(
        reduction(
            name,
            truth(over(f)),
            kind="primitive",
            differentiable=(),
            inputs=reductions(st.sampled_from(["ties", "zeros"])),
            tolerance=EXACT,
            integers=WHOLE,
            result="bool",
            result_of_integers="bool",
        )
        for name, f in (("any", np.any), ("all", np.all))
    ),
    OpRecord(
        ("cumsum",),
        tn.cumsum,
        lambda x, dim: (
            np.cumsum(at_least_1d(x), axis=dim).reshape(x.shape).astype(x.dtype if x.dtype.kind == "f" else int)
        ),
        reductions(several=False, required=True).map(
            lambda c: Call((c.args[0], c.args[1] if len(c.args) > 1 else c.options["dim"]))
        ),
        "primitive",
        edges=(call(np.array(0.5), 0), call(np.ones((0, 2)), 0), call(d.numbers(1), -1), call(d.numbers(2, 3), 1)),
        tolerance=SUMMED,
        integers=WHOLE_ONE.map(lambda c: Call((c.args[0], c.args[1] if len(c.args) > 1 else c.options["dim"]))),
        result_of_integers="int64",
        refusals=tuple(g("cumsum") for g in DIMS),
    ),
    reduction(
        "norm",
        p_norm,
        inputs=norms(),
        smooth=norms(smooth=True),
        edges=(
            call(np.array(0.5)),
            call(np.ones((0, 2))),
            call(d.numbers(1)),
            call(d.numbers(2, 3), 2, 1),
            call(d.numbers(2, 3), 2, (0, 1), True),
        ),
        result_of_integers=None,
        tolerance=Tolerance(200, 1, "powers of sums of powers: p = ½ squares the sum of roots"),
        refusals=(
            refused("norm.*dim 2", IndexError, np.ones((2, 3)), 2, 2),
            refused("norm.*nuc", NotImplementedError, np.ones((2, 3)), "nuc"),
        ),
        subgradients=(Subgradient(call(np.zeros(2)), (np.zeros(2),)),),
    ),
    OpRecord(
        ("topk",),
        tn.topk,
        best,
        tops(),
        "primitive",
        smooth=tops("distinct"),
        edges=(
            call(np.array(0.5), 1),
            call(np.ones((0, 2)), 1),
            call(d.numbers(1), 1),
            call(d.numbers(2, 3), 0),
            call(d.numbers(2, 3), 2),
        ),
        tolerance=EXACT,
        integers=st.just(call(np.array([3, 1, 2], np.int32), 2)),
        result=("kept", "int64"),
        result_of_integers=("kept", "int64"),
        refusals=(
            refused("topk.*k.*3.*got 4", IndexError, np.ones(3), 4),
            refused("topk.*dim 1", IndexError, np.ones(3), 1, 1),
        ),
    ),
]
