"""Arithmetic, functions of one number, `where` and `clamp`."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

import tinynet as tn
from tests.op_records import draw as d
from tests.op_records.record import EXACT, Call, OpRecord, Subgradient, Tolerance, call, refused
from tinynet.testing.strategies import arrays, broadcastable_shapes, masks

FUNCTION = Tolerance(
    8, 0, "NumPy's and SciPy's functions are within a few units in the last place; halves round once more"
)
SCALED = Tolerance(8, 0, "a function and a factor, each rounded")


def unary(
    names: str,
    reference: Any,
    *,
    kind: str = "primitive",
    low: float = -4.0,
    smooth_low: float | None = None,
    values: Any = d.ANY,
    smooth: Any = None,
    tolerance: Tolerance = FUNCTION,
    result_of_integers: str | None = "float32",
    integer_low: int = -3,
    **more: Any,
) -> OpRecord:
    """A function of one array; its derivative exists at `smooth`, above `smooth_low`."""
    names_ = tuple(names.split())
    ends = {"low": low if smooth_low is None else smooth_low}
    at = d.calls(arrays(d.SMALL, **ends))
    integers = st.sampled_from(["int8", "int32", "int64"]).flatmap(
        lambda k: d.integer_arrays(low=integer_low, high=3, dtype=k)
    )
    more.setdefault("edges", d.UNARY_EDGES)
    return OpRecord(
        names_,
        getattr(tn, names_[0]),
        reference,
        d.calls(arrays(d.SMALL, values=values, low=low)),
        kind,
        smooth=d.changed(at, smooth),
        tolerance=tolerance,
        integers=None if result_of_integers is None else d.calls(integers),
        result_of_integers=result_of_integers,
        **more,
    )


def kink(gradient: float, *values: float) -> tuple[Subgradient, ...]:
    return (Subgradient(call(np.array(values)), (np.full(len(values), gradient),)),)


def exact_floor(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """⌊x/y⌋ in rational arithmetic."""
    return np.vectorize(lambda a, b: float(math.floor(Fraction(float(a)) / Fraction(float(b)))), otypes=[float])(x, y)


def exact_remainder(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    def one(a: float, b: float) -> float:
        p, q = Fraction(float(a)), Fraction(float(b))
        return float(p - q * math.floor(p / q))

    return np.vectorize(one, otypes=[float])(x, y)


UNARY = [
    unary("exp", np.exp),
    unary("expm1", np.expm1),
    unary("log", np.log, low=-1, smooth_low=0.125, integer_low=0),
    unary("log1p", np.log1p, low=-2, smooth_low=-0.75, integer_low=0),
    unary("log2", np.log2, kind="composite", low=-1, smooth_low=0.125, integer_low=0, tolerance=SCALED),
    unary("log10", np.log10, kind="composite", low=-1, smooth_low=0.125, integer_low=0, tolerance=SCALED),
    unary("sqrt", np.sqrt, low=-1, smooth_low=0.125, integer_low=0),
    unary("rsqrt", lambda x: 1 / np.sqrt(x), kind="composite", low=-1, smooth_low=0.125, integer_low=0),
    unary("square", lambda x: x**2, kind="composite", result_of_integers="kept"),
    unary("reciprocal", lambda x: 1 / x, kind="composite", smooth_low=0.25),
    unary("sin", np.sin, values=d.FINITE),
    unary("cos", np.cos, values=d.FINITE, tolerance=Tolerance(8, 1e-3, "argument reduction near a zero of the cosine")),
    unary(
        "tan", np.tan, values=d.FINITE, low=-1.25, smooth_low=-1.25, edges=(*d.UNARY_EDGES[:-1], call(d.numbers(2, 2)))
    ),
    unary("tanh F.tanh", np.tanh, edges=(call(d.numbers(3, 6000, step=0.001)), *d.UNARY_EDGES)),  # by its kernel
    unary("erf", special.erf),
    unary("sigmoid F.sigmoid", special.expit, edges=(call(d.numbers(3, 1500, start=-9.0, step=0.004)), *d.UNARY_EDGES)),
    unary(
        "neg negative",
        np.negative,
        kind="primitive",
        tolerance=EXACT,
        operator="neg",
        result_of_integers="kept",
        refusals=(refused("neg.*bool", TypeError, np.array([True])),),
    ),
    unary(
        "abs absolute",
        np.abs,
        smooth=d.nonzero,
        tolerance=EXACT,
        operator="abs",
        result_of_integers="kept",
        subgradients=kink(0, 0.0),
    ),
    unary(
        "sign sgn",
        lambda x: np.where(x > 0, 1.0, np.where(x < 0, -1.0, 0.0)),
        smooth=d.nonzero,
        tolerance=EXACT,
        result_of_integers="kept",
    ),
    *(
        unary(name, function, smooth=d.fractional, tolerance=EXACT, result_of_integers="kept")
        for name, function in (("floor", np.floor), ("ceil", np.ceil), ("trunc fix", np.fix))
    ),
    OpRecord(
        ("round",),
        tn.round,
        lambda x, decimals=0: np.rint(x * 10.0**decimals) / 10.0**decimals,
        d.calls(arrays(d.SMALL, values=d.FINITE), decimals=st.sampled_from([0, 1, -1])),
        "composite",
        smooth=d.changed(d.calls(arrays(d.SMALL)), lambda x: d.fractional(x) + 0.5),
        edges=d.UNARY_EDGES,
        tolerance=Tolerance(2, 0, "a product and a quotient by a power of ten"),
        integers=d.calls(d.integer_arrays()),
        halves=False,  # x·10 rounds in a half, and may meet a tie that x did not
    ),
]


def binary(names: str, reference: Any, *, kind: str = "primitive", inputs: Any = None, **more: Any) -> OpRecord:
    names_ = tuple(names.split())
    more.setdefault("integers", d.integer_pairs())
    more.setdefault("edges", d.BINARY_EDGES)
    shapes = (call(np.zeros(2), np.zeros(3)), call(np.zeros((2, 1)), np.zeros((3, 3))))
    return OpRecord(
        names_,
        getattr(tn, names_[0]),
        reference,
        d.pairs(d.ANY) if inputs is None else inputs,
        kind,
        (0, 1),
        smooth=more.pop("smooth", d.pairs()),
        broadcasts=True,
        promotes=True,
        refusals=tuple(refused(f"{names_[0]}.*shape", ValueError, *c.args) for c in shapes) + more.pop("refusals", ()),
        **more,
    )


def scaled(sign: int) -> Any:
    return lambda x, y, alpha=1: x + sign * alpha * y


SUMS = Tolerance(4, 1, "alpha·other rounds before the sum")
ALPHA = st.sampled_from([1, 2, -0.5])
TIED = Subgradient(call(np.array([1.0, 2.0]), np.array([1.0, 2.0])), (np.full(2, 0.5), np.full(2, 0.5)))
DIVISOR = d.changed(d.pairs(), None, d.nonzero)
APART = d.changed(d.pairs(), d.coarse, d.between)  # x never equals y
QUOTIENTS = d.changed(d.pairs(), lambda x: d.coarse(x) + 1 / 64, lambda y: np.where(d.coarse(y) == 0, 0.5, d.coarse(y)))


def clipped(x: Any, min: Any = None, max: Any = None) -> np.ndarray:
    y = x
    if min is not None:
        y = np.where(y < min, min, y)
    if max is not None:
        y = np.where(y > max, max, y)
    return y


@st.composite
def clamps(draw: Any, values: Any = d.ANY) -> Call:
    """Bounds that are numbers or tensors, one or both, by position or by name."""
    kind = draw(st.sampled_from(["numbers", "low", "high", "tensors", "low tensor"]))
    a, b, c = draw(broadcastable_shapes(3, max_dims=2, max_side=3))
    x = draw(arrays(a, values=values))
    bound = st.integers(-16, 16).map(lambda k: (2 * k + 1) / 16)
    if kind == "tensors":
        low, high = draw(arrays(b, low=-2, high=0)), draw(arrays(c, low=0, high=2))
        return call(x, d.between(low), d.between(high))
    if kind == "low tensor":
        return call(x, d.between(draw(arrays(b))))
    if kind == "numbers":
        return call(x, draw(bound), draw(bound))  # also low > high, where high wins
    return call(x, **{"min" if kind == "low" else "max": draw(bound)})


@st.composite
def choices(draw: Any, values: Any = d.ANY) -> Call:
    c, a, b = draw(broadcastable_shapes(3, max_dims=2, max_side=3))
    return call(draw(masks(c)), draw(arrays(a, values=values)), draw(arrays(b, values=values)))


@st.composite
def powers(draw: Any, smooth: bool = False) -> Call:
    if draw(st.booleans()):
        exponent = draw(st.sampled_from([0, 1, 2, 3, -1, -2, 0.5, 1.5, -0.5, 2.0]))
        low = -3 if not smooth and isinstance(exponent, int) and exponent >= 0 else 0.25
        return call(draw(arrays(d.SMALL, low=low)), exponent)
    if draw(st.booleans()):
        return call(draw(st.sampled_from([0.5, 2, 3.0])), draw(arrays(d.SMALL)))
    whole = draw(st.sampled_from([None, np.rint]))  # exponents 0 and 1 have slopes of their own
    return draw(d.changed(d.pairs("any", low=0.25, high=3), None, whole and (lambda y: whole(y - 1))))


def power(x: Any, y: Any) -> np.ndarray:
    return np.float_power(x, y)


BINARY = [
    binary("add", scaled(1), tolerance=SUMS, inputs=d.pairs(alpha=ALPHA), operator="add", numbers=(0, 1)),
    binary(
        "sub subtract",
        scaled(-1),
        tolerance=SUMS,
        inputs=d.pairs(alpha=ALPHA),
        operator="sub",
        numbers=(0, 1),
        refusals=(refused("sub.*bool", TypeError, np.array([True]), np.array([False])),),
    ),
    binary("mul multiply", np.multiply, operator="mul", numbers=(0, 1)),
    OpRecord(
        ("div", "divide", "true_divide"),
        tn.div,
        lambda x, y, rounding_mode=None: {None: np.divide, "trunc": lambda a, b: np.fix(a / b), "floor": exact_floor}[
            rounding_mode
        ](x, y),
        # quotients that no rounding carries over an integer: trunc(x / y) rounds before it truncates
        st.one_of(DIVISOR, d.pairs(d.ANY), d.calls_of(QUOTIENTS, rounding_mode=["trunc", "floor"])),
        "primitive",
        (0, 1),
        smooth=st.one_of(
            DIVISOR, d.calls_of(d.changed(QUOTIENTS, lambda x: x + 1 / 128), rounding_mode=["trunc", "floor"])
        ),
        edges=(*(Call(c.args, {"rounding_mode": "floor"}) for c in d.BINARY_EDGES), *d.BINARY_EDGES),
        integers=d.changed(d.integer_pairs(), None, lambda y: np.where(y == 0, 3, y).astype(y.dtype)),
        result_of_integers="float32",
        broadcasts=True,
        promotes=True,
        operator="truediv",
        numbers=(0, 1),
        refusals=(
            refused("div.*rounding_mode.*'up'", ValueError, np.ones(2), np.ones(2), rounding_mode="up"),
            refused("div.*shape", ValueError, np.ones(2), np.ones(3)),
        ),
    ),
    binary(
        "floor_divide",
        exact_floor,
        inputs=QUOTIENTS,
        smooth=d.changed(QUOTIENTS, lambda x: x + 1 / 128),
        integers=d.changed(d.integer_pairs(), None, lambda y: np.where(y == 0, 3, y).astype(y.dtype)),
        operator="floordiv",
        numbers=(0, 1),
        tolerance=EXACT,
        refusals=(refused("floor_divide.*zero", ZeroDivisionError, np.array([1]), np.array([0])),),
    ),
    binary(
        "remainder",
        exact_remainder,
        inputs=QUOTIENTS,
        smooth=d.changed(QUOTIENTS, lambda x: x + 1 / 128),
        integers=d.changed(d.integer_pairs(), None, lambda y: np.where(y == 0, 3, y).astype(y.dtype)),
        operator="mod",
        numbers=(0, 1),
        refusals=(refused("remainder.*zero", ZeroDivisionError, np.array([1]), np.array([0])),),
    ),
    binary(
        "pow",
        power,
        inputs=powers(),
        smooth=powers(smooth=True),
        integers=d.integer_pairs(low=0, high=4),
        operator="pow",
        numbers=(0, 1),
        tolerance=Tolerance(16, 0, "NumPy's power is within a few units in the last place"),
        refusals=(refused("pow.*negative integer", ValueError, np.array([2]), np.array([-1])),),
        subgradients=(
            Subgradient(call(np.zeros(1), np.zeros(1)), (np.zeros(1), np.zeros(1))),
            Subgradient(call(np.zeros(1), np.array([2.0])), (np.zeros(1), np.zeros(1))),
            Subgradient(call(np.zeros(1), np.ones(1)), (np.ones(1), np.zeros(1))),
            Subgradient(call(np.zeros(1), -np.ones(1)), (np.full(1, -np.inf), np.full(1, -np.inf))),
            Subgradient(call(np.zeros(1), 0.0), (np.zeros(1),)),
        ),
    ),
    binary("maximum", np.maximum, smooth=APART, subgradients=(TIED,), tolerance=EXACT),
    binary("minimum", np.minimum, smooth=APART, subgradients=(TIED,), tolerance=EXACT),
    OpRecord(
        ("where",),
        tn.where,
        np.where,
        choices(),
        "primitive",
        (1, 2),
        smooth=choices(d.FINITE),
        edges=(
            call(np.array(True), np.array(1.0), np.array(2.0)),
            call(np.ones((0, 1), bool), np.ones((1, 3)), np.ones(3)),
            call(np.array([True]), np.ones(1), np.ones(1)),
            call(np.array([[True], [False]]), np.ones(3), np.array(2.0)),
        ),
        tolerance=EXACT,
        integers=st.just(call(np.array([True, False]), np.array([1, 2], np.int32), np.array([3, 4], np.int32))),
        broadcasts=True,
        promotes=True,
        numbers=(1, 2),
        refusals=(
            refused("where.*bool", TypeError, np.ones(2), np.ones(2), np.ones(2)),
            refused("where.*shape", ValueError, np.ones(2, bool), np.ones(3), np.ones(2)),
        ),
    ),
    OpRecord(
        ("clamp", "clip"),
        tn.clamp,
        clipped,
        clamps(),
        "composite",
        (0, 1, 2),
        smooth=d.changed(clamps(d.FINITE), d.coarse, None, lambda high: high + 1 / 64),
        edges=(
            call(np.array(1.0), 0.5, 0.75),
            call(np.ones((0, 2)), 0.5),
            call(np.ones(1), np.ones((3, 1)), np.ones(2)),
            call(np.ones((2, 1)), max=0.5),
            call(np.ones(2), np.zeros(2), np.array(0.5)),
        ),
        tolerance=EXACT,
        integers=st.just(call(np.arange(-4, 5, dtype=np.int32), -2, 3)),
        broadcasts=True,
        numbers=(1, 2),
        refusals=(
            refused("clamp.*(min|max)", ValueError, np.ones(2)),
            refused("clamp.*shape", ValueError, np.ones(2), np.zeros(3), np.ones(3)),
        ),
        subgradients=(Subgradient(call(np.array([0.0, 1.0, 2.0, -1.0]), 0.0, 1.0), (np.array([1.0, 1.0, 0.0, 0.0]),)),),
    ),
]

RECORDS = [*UNARY, *BINARY]
