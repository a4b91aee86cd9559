"""Functions of probability and physics, against SciPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from tests.op_records import draw as d
from tests.op_records.record import COMPOSED, Call, Subgradient, call, refused
from tests.op_records.special import BOTH, I32, J32, LIMITS, P, W, X, Y, binary, unary

A = np.array([[1.2, 2.4, 0.7], [3.1, 1.5, 0.9]])


def is_next(c: Call, z: Any) -> None:
    """There is no number between x and the result: in which dtype that is, a reference in float64 cannot say."""
    x, y = (np.asarray(a, z.numpy().dtype) for a in c.args)
    assert (z.numpy() == np.nextafter(x, y)).all()


RECORDS = [
    unary("i0", special.i0, call(LIMITS), even=True),
    unary("special.i1", special.i1, call(LIMITS), at=X - X[0, 1], even=True),
    unary("special.i0e", special.i0e, call(LIMITS), at=Y, even=True),
    unary(
        "special.i1e",
        special.i1e,
        call(LIMITS),
        at=Y,
        even=True,
        subgradients=(Subgradient(call(np.zeros(1)), (np.full(1, 0.5),)),),
    ),
    unary("special.erfcx", special.erfcx, call(LIMITS), even=True),
    unary("special.ndtr", special.ndtr, call(LIMITS), call(np.array([-30.0, 9.0])), even=True),
    unary("special.log_ndtr", special.log_ndtr, call(LIMITS), call(np.array([-30.0, 9.0])), even=True),
    unary("special.ndtri", special.ndtri, call(np.array([0.0, 1.0, 1.5])), at=P),
    unary("special.entr", special.entr, call(LIMITS)),
    *(
        binary(
            names,
            function,
            call(A, np.zeros((2, 3))),
            at=call(A, X),
            differentiable=(1,),
            integers=d.whole(J32, J32),
            result_of_integers="float32",
            edges=(call(np.array(1.5), np.array(0.4)), call(np.ones((0, 3)), W), call(np.ones(1), np.ones((1, 1)))),
        )
        for names, function in (
            ("special.gammainc igamma", special.gammainc),
            ("special.gammaincc igammac", special.gammaincc),
        )
    ),
    binary(
        "special.zeta",
        special.zeta,
        at=call(A + 1, X),
        differentiable=(1,),
        integers=d.whole(J32 + 1, J32),
        result_of_integers="float32",
        edges=(call(np.array(1.5), np.array(0.4)), call(np.ones((0, 3)), W), call(np.full(1, 2.0), np.ones((1, 1)))),
    ),
    binary(
        "special.xlog1py",
        special.xlog1py,
        call(np.zeros(3), np.array([-1.0, -2.0, np.inf])),
        at=call(Y, X),
        integers=d.whole(I32, J32),
        result_of_integers="float32",
        tolerance=COMPOSED,
    ),
    d.listed(
        "nextafter",
        np.nextafter,
        call(X, Y),
        edges=BOTH,
        check=is_next,
        differentiable=(),
        result_of_integers=None,
        halves=False,
        broadcasts=True,
        refusals=(refused("nextafter.*shape", ValueError, np.ones(2), np.ones(3)),),
    ),
]
