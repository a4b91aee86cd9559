"""Calls that several families draw alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinynet as tn
from tests.op_records.record import COMPOSED, Call, OpRecord
from tinynet.testing.strategies import arrays, broadcastable_shapes, shapes

SMALL = shapes(max_dims=3, max_side=3)
FULL = shapes(max_dims=3, min_side=1, max_side=3)
ANY = st.sampled_from(["any", "ties", "zeros", "special"])
FINITE = st.sampled_from(["any", "ties", "zeros"])

Strategy = st.SearchStrategy[Call]
Change = Callable[[np.ndarray], np.ndarray]


def options(**choices: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Each option of its strategy, or left at its default."""
    return st.fixed_dictionaries({}, optional=choices)


@st.composite
def calls(draw: st.DrawFn, *args: Any, **choices: Any) -> Call:
    """A call of arguments drawn one by one, with any of the options."""
    return Call(tuple(draw(a) for a in args), draw(options(**choices)))


@st.composite
def pairs(
    draw: st.DrawFn, values: Any = FINITE, *, low: float = -4, high: float = 4, min_side: int = 0, **choices: Any
) -> Call:
    """Two arrays that broadcast together."""
    a, b = draw(broadcastable_shapes(2, max_dims=3, min_side=min_side, max_side=3))
    x, y = (draw(arrays(s, values=values, low=low, high=high)) for s in (a, b))
    return Call((x, y), draw(options(**choices)))


def integer_arrays(
    shape: Any = SMALL, low: int = -9, high: int = 9, dtype: Any = None
) -> st.SearchStrategy[np.ndarray]:
    """Arrays of any integer dtype."""
    kinds = st.sampled_from(["int8", "int16", "int32", "int64"]) if dtype is None else st.just(dtype)
    return kinds.flatmap(lambda d: hnp.arrays(d, shape, elements=st.integers(low, high)))


@st.composite
def integer_pairs(draw: st.DrawFn, low: int = -9, high: int = 9, dtype: Any = "int32", **choices: Any) -> Call:
    a, b = draw(broadcastable_shapes(2, max_dims=3, max_side=3))
    x, y = (draw(integer_arrays(s, low, high, dtype)) for s in (a, b))
    return Call((x, y), draw(options(**choices)))


def changed(strategy: Strategy, *changes: Change | None) -> Strategy:
    """Calls whose arrays are changed, each by its own function (None: left as it is)."""

    def change(c: Call) -> Call:
        args = [
            np.asarray(f(a), a.dtype) if f is not None and isinstance(a, np.ndarray) else a
            for a, f in zip(c.args, changes, strict=False)
        ]
        return Call((*args, *c.args[len(args) :]), c.options)

    return strategy.map(change)


def calls_of(strategy: Strategy, **choices: list[Any]) -> Strategy:
    """Calls with further options, each one of a list."""
    further = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in choices.items()})
    return st.builds(lambda c, o: Call(c.args, {**c.options, **o}), strategy, further)


# away from kinks


def nonzero(x: np.ndarray) -> np.ndarray:
    """No element within a quarter of 0."""
    return np.where(np.abs(x) < 0.25, 0.25 + np.abs(x), x).reshape(x.shape)


def fractional(x: np.ndarray) -> np.ndarray:
    """No element within a fifth of an integer."""
    return np.floor(x) + 0.2 + 0.6 * (x - np.floor(x))


def coarse(x: np.ndarray) -> np.ndarray:
    """Multiples of 1/8; `between` never meets them."""
    return np.round(x * 8) / 8


def between(x: np.ndarray) -> np.ndarray:
    """Odd multiples of 1/16."""
    return np.round(x * 8) / 8 + 1 / 16


# shapes at the edge


def numbers(*shape: int, start: float = 0.3, step: float = 0.37) -> np.ndarray:
    """start, start + step, … in a shape: distinct, positive, no kink."""
    return (start + step * np.arange(int(np.prod(shape)))).reshape(shape)


UNARY_EDGES = tuple(Call((numbers(*s),)) for s in [(), (0,), (2, 0, 3), (1,), (1, 1, 1), (2, 3)])
BINARY_EDGES = tuple(
    Call((numbers(*a), numbers(*b, start=1.15, step=0.2)))
    for a, b in [
        ((), ()),
        ((), (3,)),
        ((2, 3), ()),
        ((0,), (1,)),
        ((2, 0), (1, 1, 0)),
        ((2, 1), (1, 3)),
        ((3,), (2, 3)),
        ((1, 1), (1,)),
    ]
)


# records of listed calls


def listed(
    names: str, reference: Any, *calls: Call, edges: Any = (), plain: Call | None = None, **more: Any
) -> OpRecord:
    """A record whose inputs are the calls listed; `edges` come before the plain call (the last of the calls)."""
    names_ = tuple(names.split())
    home, _, name = names_[0].rpartition(".")
    owner = {"": tn, "F": tn.nn.functional, "linalg": tn.linalg, "special": tn.special, "Tensor": tn.Tensor}[home]
    more.setdefault("function", getattr(owner, name))
    more.setdefault("tolerance", COMPOSED)
    more.setdefault("result_of_integers", "kept")
    return OpRecord(
        names_,
        reference=reference,
        inputs=st.sampled_from(calls),
        edges=(*edges, calls[-1] if plain is None else plain),
        **more,
    )


def whole(*arguments: Any, **options_: Any) -> Strategy:
    """One integer call."""
    return st.just(Call(arguments, options_))
