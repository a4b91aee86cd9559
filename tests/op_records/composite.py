"""Whole numbers, covariance, powers, and the like."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import special

from tests.op_records import draw as d
from tests.op_records.record import COMPOSED, EXACT, Call, OpRecord, Tolerance, call, refused

X, V = d.numbers(2, 4), d.numbers(4, start=2.2)
POINT, NONE, ONE, CUBE = np.array(0.7), np.ones((0, 3)), np.ones((1, 1)), np.ones((2, 2, 2))
I = np.array([[12, -18, 0], [7, 0, -8]])
J = np.array([8, 27, 0])
COUNTS, WEIGHTS = np.array([1, 2, 0, 3]), np.array([0.5, 1.0, 2.0, 0.25])
LIBRARY = Tolerance(256, 4, "log Γ of both signs, cancelling near 1 and 2")


def covariance(x: Any, correction: int = 1, **weights: Any) -> np.ndarray:
    return np.asarray(np.cov(np.asarray(x), ddof=correction, **weights))


def weighted(f: Any, x: Any, *weights: Any, **options: Any) -> Any:
    return f(x, **dict(zip(("aweights", "fweights"), weights, strict=False)), **options)


def listed(names: str, reference: Any, *calls: Call, **more: Any) -> OpRecord:
    return d.listed(names, reference, *calls, **more)


def quiet(f: Any, *args: Any, **options: Any) -> Any:
    """Of a single column both warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return f(*args, **options)


def multivariate(x: Any, p: int) -> np.ndarray:
    return np.array([special.multigammaln(v, p) for v in np.ravel(x)]).reshape(np.shape(x))


RECORDS = [
    *(
        listed(
            name,
            f,
            call(I, J),
            call(I.astype(np.int32), I.astype(np.int32)),
            edges=(call(np.zeros((0, 3), np.int64), J), call(np.array(6), np.array(4)), call(J[:1], J[:1])),
            differentiable=(),
            only_integers=True,
            integers=d.whole(I, J),
            tolerance=EXACT,
            broadcasts=True,
            promotes=True,
            refusals=(refused(f"{name}.*integer", TypeError, X, X), refused(f"{name}.*broadcast", ValueError, I, I.T)),
        )
        for name, f in (("gcd", np.gcd), ("lcm", np.lcm))
    ),
    listed(
        "frexp",
        np.frexp,
        call(np.array([0.0, -3.0, 1e-30, 1.0])),
        call(X),
        edges=(call(POINT), call(NONE), call(ONE)),
        tolerance=EXACT,
        smooth=d.st.just(call(np.array([-3.0, 0.7, 5.5]))),
        result=("kept", "int32"),
        result_of_integers=None,
        refusals=(refused("frexp.*floating", TypeError, I),),
    ),
    listed(
        "cov",
        lambda x, *w, **o: covariance(x, **dict(zip(("aweights", "fweights"), w, strict=False)), **o),
        call(X, correction=0),
        call(V),
        call(X, WEIGHTS),
        call(X, WEIGHTS[::-1], correction=0),
        call(X),
        edges=(call(np.ones((1, 3))), call(NONE), call(ONE, correction=0)),
        invoke=weighted,
        halves=False,
        integers=d.whole(I),
        result_of_integers="float32",
        tolerance=COMPOSED,
        refusals=(
            refused("cov.*two dimensions", ValueError, CUBE),
            refused("cov.*aweights.*columns", ValueError, X, WEIGHTS[:3]),
            refused("cov.*aweights.*≥ 0", ValueError, X, -WEIGHTS),
            refused("cov.*sum to zero", ValueError, X, 0 * WEIGHTS),
            refused("cov.*aweights.*floating", TypeError, X, COUNTS),
            refused("cov.*fweights.*integers", TypeError, X, WEIGHTS, WEIGHTS),
        ),
    ),
    listed(
        "corrcoef",
        lambda x: quiet(np.corrcoef, x),
        call(V),
        call(X),
        edges=(call(np.array([[1.0, 2.0, 4.0]])), call(NONE)),
        invoke=quiet,
        halves=False,
        integers=d.whole(np.array([[1, 2, 4], [0, 3, -1]])),
        result_of_integers="float32",
        tolerance=COMPOSED,
        smooth=d.st.just(call(np.array([[0.3, -1.0, 0.5, 2.0], [1.0, 0.2, -0.7, 0.4], [0.0, 0.6, 0.1, -0.9]]))),
        refusals=(refused("corrcoef.*two dimensions", ValueError, CUBE),),
    ),
    listed(
        "vander",
        lambda x, N=None, increasing=False: np.vander(x, N, increasing),
        call(V, 3, True),
        call(V, 0),
        call(V, 1),
        call(V),
        edges=(call(np.ones(0)), call(np.ones(1))),
        smooth=d.st.just(call(V)),
        integers=d.whole(np.array([2, -1, 3])),
        tolerance=COMPOSED,
        refusals=(refused("vander.*vector", ValueError, X), refused("vander.*N must", ValueError, V, -1)),
    ),
    listed(
        "argwhere",
        np.argwhere,
        call(np.array([[0.0, 1.0], [2.0, 0.0]])),
        call(X),
        edges=(call(POINT), call(NONE), call(ONE)),
        differentiable=(),
        integers=d.whole(I),
        tolerance=EXACT,
        result="int64",
        result_of_integers="int64",
        refusals=(refused("argwhere.*Tensor", TypeError, 3),),
    ),
    listed(
        "select",
        lambda x, dim, index: np.take(x, index, dim),
        call(X, 0, -1),
        call(X, -1, 2),
        call(X, 1, 0),
        edges=(call(NONE, 1, 1), call(ONE, 0, 0)),
        integers=d.whole(I, 0, 1),
        tolerance=EXACT,
        refusals=(
            refused("select.*0-d", IndexError, POINT, 0, 0),
            refused("select.*index 4", IndexError, X, 1, 4),
            refused("select.*index 0", IndexError, NONE, 0, 0),
            refused("dim 2", IndexError, X, 2, 0),
        ),
    ),
    listed(
        "unravel_index",
        lambda k, shape: np.unravel_index(k, shape),
        call(np.array([[0, 5], [11, 7]]), (3, 4)),
        call(np.array([3, 1]), 4),
        edges=(call(np.array([5]), (2, 3)), call(np.zeros(0, np.int64), (2, 3))),
        differentiable=(),
        only_integers=True,
        integers=d.whole(np.array([3, 1]), (2, 2)),
        tolerance=EXACT,
        result=("int64", "int64"),
        result_of_integers=("int64", "int64"),
        refusals=(
            refused("unravel_index.*integer", TypeError, V, (2, 2)),
            refused("unravel_index.*between", IndexError, np.array([4]), (2, 2)),
        ),
    ),
    listed(
        "mvlgamma",
        multivariate,
        call(np.abs(X) + 2, 3),
        call(np.abs(X) + 2, 1),
        edges=(call(np.array(2.5), 2), call(NONE, 1), call(ONE, 2)),
        integers=d.whole(np.array([2, 3, 5]), 2),
        result_of_integers="float32",
        tolerance=LIBRARY,
        refusals=(refused("mvlgamma.*p must", ValueError, X, 0), refused("mvlgamma.*above", ValueError, ONE - 2, 2)),
    ),
]
