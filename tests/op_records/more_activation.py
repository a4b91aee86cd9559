"""Activation functions in pieces, gates, and samples of a softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

import tinynet as tn
import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.activation import HALVES, LARGE, pointwise, rows, softplus
from tests.op_records.dropout_embedding import SEED, seeded
from tests.op_records.elementwise import kink
from tests.op_records.record import Call, OpRecord, call, refused
from tinynet.testing.strategies import arrays, shapes

APART = d.changed(d.calls(arrays(d.SMALL, low=-8.0, high=8.0)), d.between)  # kinks are multiples of 1/8


def pieces(name: str, reference: Any, **more: Any) -> OpRecord:
    more.setdefault("smooth", APART)
    more.setdefault("kind", "fused")
    return pointwise(name, reference, **more)


def threshold(x: Any, threshold: float = 0.5, value: float = 2.0) -> np.ndarray:
    return np.where(x > threshold, x, value)


@st.composite
def channelled(draw: Any, smooth: bool = False) -> Call:
    x = draw(arrays(d.SMALL))
    w = draw(arrays((draw(st.sampled_from([1, x.shape[1]])),) if x.ndim > 1 else draw(st.sampled_from([(1,), ()]))))
    return call(d.between(x) if smooth else x, w)


def prelu(x: Any, w: Any) -> np.ndarray:
    return np.where(x > 0, x, x * (w.reshape(()) if w.size == 1 else w.reshape(-1, *(1,) * (x.ndim - 2))))


def rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> np.ndarray:
    tn.manual_seed(SEED)
    slope = tn.rand(x.shape).numpy() * np.float64(upper - lower) + lower if training else (lower + upper) / 2
    return np.where(x > 0, x, slope * x)


def gumbel_softmax(x: Any, tau: float = 1.0, hard: bool = False, dim: int = -1) -> np.ndarray:
    tn.manual_seed(SEED)
    noise = -np.log(-np.log(tn.rand(x.shape, dtype=tn.float64).numpy()))
    if x.ndim == 0 or x.size == 0:
        return np.ones_like(x)
    y = special.softmax((x + noise) / tau, axis=dim)
    return np.where(y == y.max(axis=dim, keepdims=True), 1.0, 0.0) if hard else y


def joined(f: Any, x: Any, dim: int = -1) -> Any:
    """Both halves are x."""
    return f(tn.cat([x, x], dim), dim) if isinstance(x, tn.Tensor) and x.ndim else f(x, dim)


def glu(x: Any, dim: int = -1) -> np.ndarray:
    return x * special.expit(x)


ROW_EDGES = (call(np.array(0.5), 0), call(np.ones((0, 2)), 1), call(d.numbers(1), 0), call(d.numbers(2, 3), -1))
WHOLE: dict[str, Any] = {"integers": d.calls(d.integer_arrays(dtype="int32")), "result_of_integers": "kept"}
ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

RECORDS = [
    pieces(
        "hardtanh",
        lambda x, min_val=-1.0, max_val=1.0: np.clip(x, min_val, max_val),
        choices={"min_val": st.sampled_from([-2.5]), "max_val": st.sampled_from([0.5])},
        refusals=(
            refused("hardtanh.*min_val.*2 and 1", ValueError, np.ones(2), 2, 1),
            refused("hardtanh.*unsigned", ValueError, np.ones(2, np.uint8)),
            refused("hardtanh.*boolean", TypeError, np.ones(2, bool)),
        ),
        subgradients=kink(0.0, -1.0, 1.0),
        **WHOLE,
    ),
    pieces("relu6", lambda x: np.clip(x, 0, 6), large=(LARGE,), subgradients=kink(0.0, 0.0, 6.0), **WHOLE),
    pieces("hardsigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    pieces("hardswish", lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    pieces(
        "hardshrink",
        lambda x, lambd=0.5: np.where(np.abs(x) <= lambd, 0, x),
        inplace=False,
        choices={"lambd": st.sampled_from([0.0, 1.5])},
    ),
    pieces(
        "softshrink",
        lambda x, lambd=0.5: np.sign(x) * np.maximum(np.abs(x) - lambd, 0),
        inplace=False,
        choices={"lambd": st.sampled_from([0.0, 1.5])},
        refusals=(refused("softshrink.*lambd.*-1", ValueError, np.ones(2), -1.0),),
    ),
    pieces(
        "selu",
        lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(x)),
        large=(LARGE,),
        subgradients=kink(SCALE * ALPHA, 0.0),
    ),
    pieces(
        "celu",
        lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x / alpha)),
        choices={"alpha": st.sampled_from([0.5, 2.0])},
        refusals=(refused("celu.*alpha", ValueError, np.ones(2), 0.0),),
        subgradients=kink(1.0, 0.0),
    ),
    pieces(
        "logsigmoid", special.log_expit, inplace=False, smooth=d.calls(arrays(d.SMALL)), subgradients=kink(0.5, 0.0)
    ),
    pieces(
        "softsign",
        lambda x: x / (1 + np.abs(x)),
        kind="composite",
        inplace=False,
        **{**WHOLE, "result_of_integers": "float32"},
    ),
    pieces(
        "tanhshrink",
        lambda x: x - np.tanh(x),
        kind="composite",
        inplace=False,
        **{**WHOLE, "result_of_integers": "float32"},
    ),
    pieces("mish", lambda x: x * np.tanh(softplus(x)), large=(LARGE,)),
    OpRecord(
        ("F.threshold",),
        F.threshold,
        threshold,
        d.calls(arrays(d.SMALL), st.just(0.5), st.just(2.0)),
        "fused",
        smooth=d.changed(d.calls(arrays(d.SMALL), st.just(0.5), st.just(2.0)), d.between, None, None),
        edges=tuple(call(*c.args, 0.5, 2.0) for c in d.UNARY_EDGES),
        integers=d.calls(d.integer_arrays(dtype="int32"), st.just(0.5), st.just(2.75)),
        result_of_integers="kept",
    ),
    OpRecord(
        ("F.prelu",),
        F.prelu,
        prelu,
        channelled(),
        differentiable=(0, 1),
        smooth=channelled(smooth=True),
        edges=(
            call(np.array(-0.5), np.array(0.25)),
            call(np.ones((0, 2)), d.numbers(2)),
            call(-d.numbers(1), d.numbers(1)),
            call(d.numbers(2, 3, 2, start=-2.0), d.numbers(3)),
        ),
        refusals=(refused("prelu.*weight.*one number or 3", ValueError, np.ones((2, 3)), np.ones(2)),),
        tolerance=HALVES,
        result_of_integers=None,
    ),
    OpRecord(
        ("F.rrelu",),
        F.rrelu,
        rrelu,
        d.calls(arrays(d.SMALL), training=st.booleans(), lower=st.just(0.0), upper=st.just(0.5)),
        smooth=d.changed(d.calls(arrays(d.SMALL), training=st.booleans()), d.between),
        edges=d.UNARY_EDGES,
        refusals=(refused("rrelu.*lower", ValueError, np.ones(2), 0.5, 0.25),),
        tolerance=HALVES,
        result_of_integers=None,
        invoke=seeded,
    ),
    OpRecord(
        ("F.glu",),
        F.glu,
        glu,
        d.calls(arrays(shapes(min_dims=1, max_dims=3, max_side=3)), st.integers(-1, 0)),
        edges=(call(np.ones((0, 2)), 1), call(np.ones(1), 0), call(d.numbers(2, 3), -1)),
        refusals=(refused("glu.*halved", ValueError, np.array(1.0)),),
        tolerance=HALVES,
        result_of_integers=None,
        invoke=joined,
    ),
    OpRecord(
        ("F.softmin",),
        F.softmin,
        lambda x, dim: special.softmax(-x, axis=dim) if x.ndim and x.size else np.ones_like(x),
        rows(),
        "fused",
        edges=ROW_EDGES,
        refusals=(refused("softmin.*dim 2", IndexError, np.ones((2, 3)), 2),),
        tolerance=HALVES,
        result_of_integers=None,
    ),
    OpRecord(
        ("F.gumbel_softmax",),
        F.gumbel_softmax,
        gumbel_softmax,
        d.calls(arrays(d.SMALL), tau=st.just(0.5), hard=st.booleans()),
        "fused",
        smooth=d.calls(arrays(d.SMALL), tau=st.just(2.0)),
        edges=d.UNARY_EDGES,
        refusals=(refused("gumbel_softmax.*dim 2", IndexError, np.ones((2, 3)), dim=2),),
        tolerance=HALVES,
        result_of_integers=None,
        invoke=seeded,
    ),
]
