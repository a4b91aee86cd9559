"""Activation functions and softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

import tinynet as tn
import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.elementwise import kink
from tests.op_records.record import EXACT, Call, OpRecord, Tolerance, call, refused
from tinynet.testing.strategies import arrays

SMOOTH = d.changed(d.calls(arrays(d.SMALL)), d.nonzero)
HALVES = Tolerance(24, 1, "a composite of rounded operations; in a half each rounds to it")

LARGE = call(d.numbers(3, 1500, start=-9.0, step=0.004))  # more than a block of 4096, and than what NumPy is left


def of_inplace(f: Any) -> Any:
    """inplace changes where the result lies, not what it is."""
    return lambda x, *a, inplace=False, **k: f(x, *a, **k)


def fresh(f: Any, x: Any, *args: Any, **options: Any) -> Any:
    """With inplace=True the operation overwrites its input: hand it a copy, and see that it did."""
    if not options.get("inplace"):
        return f(x, *args, **options)
    y = x.clone() if isinstance(x, tn.Tensor) else x
    z = f(y, *args, **options)
    assert z is y
    return z


def pointwise(name: str, reference: Any, *, smooth: Any = SMOOTH, inplace: bool = True, **more: Any) -> OpRecord:
    choices = {**more.pop("choices", {}), **({"inplace": st.booleans()} if inplace else {})}
    more.setdefault("result_of_integers", None)
    more.setdefault("kind", "composite")
    names = more.pop("names", (f"F.{name}",))
    values = more.pop("values", d.FINITE)
    more.setdefault("tolerance", HALVES)
    large = more.pop("large", ())
    return OpRecord(
        names,
        getattr(F, name),
        of_inplace(reference),
        d.calls(arrays(d.SMALL, values=values, low=-8.0, high=8.0), **choices),
        smooth=st.builds(lambda c, o: Call(c.args, o), smooth, d.options(**choices)),
        edges=(*large, *d.UNARY_EDGES),
        invoke=fresh if inplace else None,
        **more,
    )


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> np.ndarray:
    return np.where(beta * x > threshold, x, np.logaddexp(0, beta * x) / beta)


def gelu(x: Any, approximate: str = "none") -> np.ndarray:
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * special.ndtr(x)


@st.composite
def rows(draw: Any, values: Any = d.FINITE) -> Call:
    x = draw(arrays(d.SMALL, values=values, low=-8.0, high=8.0))
    dim = draw(st.integers(-max(x.ndim, 1), max(x.ndim, 1) - 1))
    return call(x, dim) if draw(st.booleans()) else call(x, dim=dim)


def normalised(name: str, function: Any) -> OpRecord:
    return OpRecord(
        (name, f"F.{name}"),
        getattr(F, name),
        lambda x, dim: (
            function(x, axis=dim) if x.ndim and x.size else function(x.reshape(1), axis=0).reshape(()) if x.size else x
        ),
        rows(),
        "fused",
        edges=(
            call(np.array(0.5), 0),
            call(np.ones((0, 2)), 1),
            call(np.ones((2, 0)), -1),
            call(d.numbers(1), 0),
            call(d.numbers(2, 3, 4, step=0.1), 1),
            call(d.numbers(2, 3, 2, step=0.1), 1),
            call(d.numbers(2, 2100, step=0.001), 1),  # more than a run of 2048
            call(d.numbers(5, 2, 133, step=0.01), 1),  # more than a block of 128 columns
            call(d.numbers(2, 3), -1),
        ),
        refusals=(
            refused(f"{name}.*dim 2", IndexError, np.ones((2, 3)), 2),
            refused(f"{name}.*float", TypeError, np.ones((2, 3), int), 1),
        ),
        tolerance=Tolerance(16, 1, "differences from the largest, exponentials and a sum"),
        result_of_integers=None,
    )


RECORDS = [
    pointwise(
        "relu",
        lambda x: np.maximum(x, 0),
        names=("relu", "F.relu"),
        kind="primitive",
        values=d.ANY,
        tolerance=EXACT,
        result_of_integers="kept",
        integers=d.calls(d.integer_arrays(dtype="int32")),
        subgradients=kink(0, 0.0),
        large=(LARGE,),  # where the kernel runs
    ),
    pointwise(
        "leaky_relu",
        lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x),
        kind="fused",
        choices={"negative_slope": st.sampled_from([0.2, 0.0, 1.5])},
        subgradients=kink(0.01, 0.0),
    ),
    pointwise(
        "elu",
        lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x)),
        kind="fused",
        choices={"alpha": st.sampled_from([0.5, 2.0])},
        subgradients=kink(1.0, 0.0),
    ),
    pointwise("silu", lambda x: x * special.expit(x), kind="fused", large=(LARGE,)),
    pointwise(
        "gelu",
        gelu,
        kind="fused",
        inplace=False,
        large=(LARGE, Call(LARGE.args, {"approximate": "tanh"}), call(d.numbers(0), approximate="tanh")),
        choices={"approximate": st.sampled_from(["none", "tanh"])},
        refusals=(refused("gelu.*approximate.*'fast'", ValueError, np.ones(2), approximate="fast"),),
    ),
    pointwise(
        "softplus",
        softplus,
        kind="fused",
        large=(LARGE,),
        inplace=False,
        choices={"beta": st.sampled_from([0.5, 2.0]), "threshold": st.sampled_from([4.015625, 20.0])},
    ),
    normalised("softmax", special.softmax),
    normalised("log_softmax", special.log_softmax),
]
