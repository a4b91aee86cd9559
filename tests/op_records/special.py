"""Functions of one or two numbers beyond arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

from tests.op_records import draw as d
from tests.op_records.record import COMPOSED, EXACT, Call, OpRecord, Subgradient, Tolerance, call, refused

LIBRARY = Tolerance(16, 0.25, "NumPy's and SciPy's functions, and a few rounded operations")
LIMITS = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0])
X = d.numbers(2, 3)
P = np.array([[0.15, 0.9, 0.35], [0.5, 0.62, 0.25]])
Y = np.array([[0.2, -1.3, 0.4], [2.6, -0.45, 1.9]])
W = np.array([1.2, -0.55, 2.35])
I32 = np.array([[3, 0, -2], [7, 5, 1]], np.int32)
J32 = np.array([[1, 2, 3], [3, 2, 1]], np.int32)


def unary(names: str, f: Any, *more: Any, at: Any = X, integers: bool = True, **options: Any) -> OpRecord:
    """A function of one array, at points where it is smooth, with the limits."""
    edges = [call(np.array(at.flat[0])), call(np.ones((0, 2))), call(at[:1, :1])]
    options.setdefault("result_of_integers", "float32" if integers else None)
    return d.listed(
        names,
        f,
        call(at),
        call(np.negative(at)) if options.pop("even", False) else call(at[0]),
        *more,
        call(at),
        edges=edges,
        smooth=st.just(call(at)),
        integers=d.whole(np.array([0, 1], np.int32)) if integers else None,
        **{"tolerance": LIBRARY, **options},
    )


BOTH = (call(np.array(0.7), np.array(0.4)), call(np.ones((0, 3)), W), call(np.ones(1), np.ones((1, 1))), call(X, W))


def binary(names: str, f: Any, *more: Call, at: Any = None, **options: Any) -> OpRecord:
    edges = options.pop("edges", BOTH)
    at = call(X, Y) if at is None else at
    options.setdefault("integers", d.whole(I32, J32))
    name = names.split()[0].rpartition(".")[2]
    kind = np.int32 if options.get("only_integers") else np.float64
    refusals = (refused(f"{name}.*shape", ValueError, np.ones(2, kind), np.ones(3, kind)), *options.pop("refusals", ()))
    options = {"tolerance": COMPOSED, "differentiable": (0, 1), "broadcasts": True, "refusals": refusals, **options}
    return d.listed(names, f, at, *more, at, edges=edges, smooth=st.just(at), **options)


def nan_to_num(x: Any, nan: float | None = 0.0, posinf: Any = None, neginf: Any = None) -> np.ndarray:
    """In float64 the largest number depends on the dtype, so that these calls give one."""
    y = np.where(np.isnan(x), 0.0 if nan is None else nan, x)
    y = np.where(y == np.inf, posinf if posinf is not None else np.finfo(float).max, y)
    return np.where(y == -np.inf, neginf if neginf is not None else np.finfo(float).min, y)


def lerp(x: Any, y: Any, w: Any) -> np.ndarray:
    return (1 - w) * x + w * y


def logaddexp(x: Any, y: Any) -> np.ndarray:
    return np.logaddexp(x, y)


def clamp_min(x: Any, low: Any) -> np.ndarray:
    return np.where(np.isnan(x), x, np.maximum(x, low))


def clamp_max(x: Any, high: Any) -> np.ndarray:
    return np.where(np.isnan(x), x, np.minimum(x, high))


def logit(x: Any, eps: float | None = None) -> np.ndarray:
    return special.logit(x if eps is None else np.clip(x, eps, 1 - eps))


def isin(x: Any, y: Any, *, assume_unique: bool = False, invert: bool = False) -> np.ndarray:
    """Loops."""
    found = [any(a == b for b in np.ravel(y)) != invert for a in np.ravel(x)]
    return np.array(found, bool).reshape(np.shape(x))


FLAGS: dict[str, Any] = {"result": "bool", "result_of_integers": "bool", "differentiable": (), "tolerance": EXACT}

UNARY = [
    unary("asin arcsin", np.arcsin, call(LIMITS), at=P),
    unary("acos arccos", np.arccos, call(LIMITS), at=P),
    unary("atan arctan", np.arctan, call(LIMITS), even=True),
    unary("sinh", np.sinh, call(LIMITS), even=True),
    unary("cosh", np.cosh, call(LIMITS), even=True),
    unary("asinh arcsinh", np.arcsinh, call(LIMITS), even=True),
    unary("acosh arccosh", np.arccosh, call(LIMITS), at=X + 1.25),
    unary("atanh arctanh", np.arctanh, call(LIMITS), at=P),
    unary("erfc", special.erfc, call(LIMITS), even=True),
    unary("erfinv", special.erfinv, call(LIMITS), at=P, even=True),
    unary(
        "lgamma",
        lambda x: np.where(np.isneginf(x), np.inf, special.gammaln(x)),
        call(LIMITS),
        call(np.array([-0.5, -1.5, 30.0])),
        at=X + 2,
    ),
    unary("digamma", special.psi, call(np.array([-0.5, -1.5, 30.0])), at=X),
    unary("exp2", np.exp2, call(LIMITS), even=True),
    unary("deg2rad", np.radians, call(LIMITS)),
    unary("rad2deg", np.degrees, call(LIMITS)),
    unary("frac", lambda x: x - np.trunc(x), at=Y, integers=False),
    unary("sinc", np.sinc, call(np.array([0.0, -0.25, np.nan])), even=True, at=P),
    unary("positive", lambda x: x, call(LIMITS), tolerance=EXACT, result_of_integers="kept"),
    unary("signbit", np.signbit, call(LIMITS), **FLAGS),
    unary("isposinf", np.isposinf, call(LIMITS), **FLAGS),
    unary("isneginf", np.isneginf, call(LIMITS), **FLAGS),
    unary("logit", logit, call(P, 0.3), call(LIMITS), call(LIMITS, eps=0.1), at=P, even=True),
    unary(
        "nan_to_num",
        nan_to_num,
        call(LIMITS, 1.0, 2.0, 3.0),
        call(LIMITS, None, posinf=5.0, neginf=-7.0),
        at=Y,
        tolerance=EXACT,
        result_of_integers="kept",
    ),
    d.listed(
        "polygamma",
        lambda n, x: special.polygamma(n, x),
        call(0, X),
        call(1, X),
        call(2, X),
        edges=(call(1, np.ones((0, 2))), call(1, np.ones(1))),
        differentiable=(1,),
        refusals=(refused("polygamma.*n must", ValueError, -1, X),),
        integers=d.whole(1, np.array([1, 2], np.int32)),
        result_of_integers="float32",
        tolerance=LIBRARY,
    ),
]
TIE = np.array([1.0, 2.0])
FIRST = (Subgradient(call(TIE, TIE), (np.ones(2), np.zeros(2))),)
BINARY = [
    binary("atan2 arctan2", np.arctan2, call(LIMITS, LIMITS[::-1].copy()), result_of_integers="float32"),
    binary("hypot", np.hypot, call(LIMITS, LIMITS[::-1].copy()), result_of_integers="float32"),
    binary(
        "fmod",
        np.fmod,
        call(Y, X),
        call(Y, 0.5),
        call(np.array([7.5, -5.25, 3.125]), np.array([2.0, 1.5, -1.25])),
        call(LIMITS, W[0]),
        refusals=(refused("fmod.*zero", ValueError, I32, np.zeros(3, np.int32)),),
        halves=False,
    ),
    binary("fmax", np.fmax, call(LIMITS, LIMITS[::-1].copy()), subgradients=FIRST, tolerance=EXACT),
    binary("fmin", np.fmin, call(LIMITS, LIMITS[::-1].copy()), subgradients=FIRST, tolerance=EXACT),
    binary(
        "logaddexp", logaddexp, call(LIMITS, LIMITS[::-1].copy()), call(LIMITS, LIMITS), result_of_integers="float32"
    ),
    binary("logaddexp2", np.logaddexp2, call(300 * X, Y), result_of_integers="float32"),
    binary(
        "xlogy",
        special.xlogy,
        call(X, 2.0),
        call(0.5, P),
        call(np.array([0.0, 0.0, 2.0, 0.0]), np.array([0.0, np.nan, 0.0, 3.0])),
        at=call(Y, P),
        edges=(
            call(np.array(0.7), np.array(0.4)),
            call(np.ones((0, 3)), np.ones(3)),
            call(np.ones(1), np.ones((1, 1))),
        ),
        integers=d.whole(I32, J32),
        result_of_integers="float32",
    ),
    binary(
        "copysign",
        np.copysign,
        call(Y, -1.0),
        call(LIMITS, LIMITS[::-1].copy()),
        result_of_integers="float32",
        tolerance=EXACT,
        subgradients=(Subgradient(call(np.zeros(1), np.ones(1)), (np.zeros(1), np.zeros(1))),),
    ),
    binary(
        "heaviside",
        np.heaviside,
        call(np.array([0.0, -1.0, 2.0, -0.0]), X[0, :1]),
        differentiable=(),
        tolerance=EXACT,
        integers=d.whole(I32, J32),
        refusals=(refused("heaviside.*dtype", TypeError, X, I32),),
    ),
    binary(
        "float_power",
        np.float_power,
        call(X, 2),
        call(2.0, X),
        call(X, 0.5),
        result="float64",
        result_of_integers="float64",
        integers=d.whole(J32, J32),
    ),
    binary("ldexp", lambda x, y: x * 2.0**y, result_of_integers="float32"),
    binary("clamp_min", clamp_min, call(Y, 0.1), at=call(X, Y), tolerance=EXACT),
    binary("clamp_max", clamp_max, call(Y, 0.1), at=call(X, Y), tolerance=EXACT),
    *(
        binary(
            f"bitwise_{way}_shift",
            f,
            call(I32, 1),
            at=call(I32, J32),
            edges=[c.map(lambda a: np.asarray(np.ceil(4 * a), np.int64)) for c in BOTH[:3]],
            refusals=(refused(f"bitwise_{way}_shift.*float64", TypeError, X, X),),
            only_integers=True,
            differentiable=(),
            tolerance=EXACT,
        )
        for way, f in (("left", np.left_shift), ("right", np.right_shift))
    ),
    d.listed(
        "isin",
        isin,
        call(I32, J32),
        call(I32, J32, invert=True),
        call(I32, 3),
        call(X, X[0]),
        edges=(call(np.ones((0, 2)), X), call(np.ones(1), np.ones(1))),
        integers=d.whole(I32, J32),
        **FLAGS,
    ),
]
THIRD = (
    call(np.array(0.7), np.array(0.4), np.array(2.0)),
    call(np.ones((0, 3)), W, W),
    call(np.ones(1), np.ones(1), np.ones(1)),
)
TERNARY = [
    d.listed(
        "lerp",
        lerp,
        call(X, Y, 0.3),
        call(X, Y, 1.0),
        call(X, Y, P),
        call(X, W, 2 * P),
        edges=THIRD,
        differentiable=(0, 1, 2),
        broadcasts=True,
        refusals=(refused("lerp.*shape", ValueError, X, Y, np.ones(2)), refused("lerp.*dtype", TypeError, X, I32, 0.5)),
        integers=None,
        result_of_integers=None,
    ),
    d.listed(
        "addcmul",
        lambda x, a, b, value=1: x + value * a * b,
        call(X, Y, W, value=-2),
        call(X, Y, P, value=0.5),
        call(X, Y, P),
        edges=THIRD,
        differentiable=(0, 1, 2),
        broadcasts=True,
        refusals=(refused("addcmul.*shape", ValueError, X, Y, np.ones(2)),),
        integers=d.whole(I32, J32, J32, value=2),
    ),
    d.listed(
        "addcdiv",
        lambda x, a, b, value=1: x + value * a / b,
        call(X, Y, W, value=-2),
        call(X, Y, P, value=0.5),
        call(X, Y, P),
        edges=THIRD,
        differentiable=(0, 1, 2),
        broadcasts=True,
        refusals=(refused("addcdiv.*shape", ValueError, X, Y, np.ones(2)),),
        result_of_integers=None,
    ),
]


def lgamma(x: np.ndarray) -> np.ndarray:
    """SciPy's, but at −∞ as C's."""
    return np.where(np.isneginf(x), np.inf, special.gammaln(x))


RECORDS = [*UNARY, *BINARY, *TERNARY]
