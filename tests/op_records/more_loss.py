"""Losses of elements, and losses with margins."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.loss import LOSS, REDUCTION, reduced
from tests.op_records.record import Call, OpRecord, call, refused
from tinynet.testing.strategies import arrays

ONES = np.ones


@st.composite
def pairs(draw: Any, kind: str = "any", more: Any = None, apart: bool = False) -> Call:
    """Two arrays of one shape: any, probabilities, or the second of signs. apart: differences are away from kinks."""
    shape = draw(d.FULL)
    if kind == "probabilities":
        x, y = (draw(arrays(shape, low=0.125, high=0.875)) for _ in range(2))
    else:
        x, y = (draw(arrays(shape, low=-3, high=3)) for _ in range(2))
    if apart:
        x, y = d.between(x), d.coarse(y)
    if kind == "signs":
        y = np.where(y < 0, -1.0, 1.0)
    return Call((np.asarray(x), np.asarray(y)), draw(d.options(reduction=REDUCTION, **(more or {}))))


EDGES = (
    (np.array(0.5), np.array(0.75)),
    (ONES((0, 2)), ONES((0, 2))),
    (ONES(1) / 2, ONES(1)),
    (d.numbers(2, 3, start=0.3, step=0.1), ONES((2, 3)) / 4),
)


def elements(name: str, reference: Any, values: str = "any", apart: bool = False, **more: Any) -> OpRecord:
    """A loss of each pair of elements; `reference` gives it without the reduction."""
    options = more.pop("options", None)
    function = getattr(F, name)
    refusals = more.pop("refusals", ())
    return OpRecord(
        (f"F.{name}",),
        function,
        lambda x, y, reduction="mean", **o: reduced(reference(x, y, **o), reduction),
        pairs(values, options),
        differentiable=more.pop("differentiable", (0, 1)),
        smooth=pairs(values, options, apart),
        edges=tuple(call(*e, reduction="sum" if e[0].size == 0 else "mean") for e in EDGES),
        refusals=(
            refused(f"{name}.*(target|shape)", ValueError, ONES(2) / 2, ONES(3)),
            refused(f"{name}.*reduction", ValueError, ONES(2) / 2, ONES(2), reduction="total"),
            *refusals,
        ),
        tolerance=LOSS,
        result_of_integers=None,
        **more,
    )


def rounded(d_: Any, width: float) -> Any:
    size = np.abs(d_)
    return np.where(size < width, d_ * d_ / (2 * width) if width else 0, size - width / 2)


def kl_div(x: Any, t: Any, log_target: bool = False) -> Any:
    return np.exp(t) * (t - x) if log_target else special.xlogy(t, t) - t * x


def poisson(x: Any, t: Any, log_input: bool = True, full: bool = False) -> Any:
    s = np.maximum(t, 1.0)
    stirling = np.where(t > 1, s * np.log(s) - s + 0.5 * np.log(2 * np.pi * s), 0)
    return (np.exp(x) - t * x if log_input else x - t * np.log(x + 1e-8)) + (stirling if full else 0)


def gaussian(x: Any, t: Any, v: Any, full: bool = False, reduction: str = "mean") -> Any:
    v = v[..., None] if v.ndim < x.ndim else v
    return reduced(0.5 * (np.log(v) + (x - t) ** 2 / v) + (0.5 * np.log(2 * np.pi) if full else 0), reduction)


@st.composite
def gaussians(draw: Any) -> Call:
    shape = draw(d.FULL)
    variance = (*shape[:-1], 1) if shape and draw(st.booleans()) else shape
    x, y, v = draw(arrays(shape)), draw(arrays(shape)), draw(arrays(variance, low=0.25, high=3))
    return Call((x, y, np.abs(v) + 0.25), draw(d.options(reduction=REDUCTION, full=st.just(True))))


@st.composite
def ranked(draw: Any, apart: bool = False) -> Call:
    c = draw(pairs(apart=apart))
    t = np.where(draw(arrays(c.args[0].shape)) < 0, -1.0, 1.0)
    return Call((*c.args, t), {**c.options, "margin": 0.5})


@st.composite
def vectors(draw: Any, n: int, signs: bool = False) -> Call:
    shape = (draw(st.integers(1, 3)), draw(st.integers(2, 3)))  # of one column, a cosine is ±1 and has no slope
    xs = [d.nonzero(draw(arrays(shape, low=-3, high=3))) + 0.37 * i for i in range(n)]
    t = (np.where(draw(arrays(shape[:1])) < 0, -1.0, 1.0),) if signs else ()
    return Call((*xs, *t), draw(d.options(reduction=REDUCTION)))


def cosine(a: Any, b: Any, t: Any, margin: float = 0.0, reduction: str = "mean") -> Any:
    cos = (a * b).sum(-1) / np.sqrt(((a * a).sum(-1) + 1e-12) * ((b * b).sum(-1) + 1e-12))
    return reduced(np.where(t > 0, 1 - cos, np.maximum(cos - margin, 0)), reduction)


def triplet(a: Any, p: Any, n: Any, margin: float = 1.0, swap: bool = False, reduction: str = "mean") -> Any:
    def distance(x: Any, y: Any) -> Any:
        return np.sqrt(((x - y + 1e-6) ** 2).sum(-1))

    far = np.minimum(distance(a, n), distance(p, n)) if swap else distance(a, n)
    return reduced(np.maximum(distance(a, p) - far + margin, 0), reduction)


@st.composite
def classified(draw: Any, several: bool, apart: bool = False) -> Call:
    n, c = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x = draw(arrays((n, c), low=-3, high=3))
    x = d.between(x) + 0.01 * np.arange(c) if apart else x
    shape = (n, c) if several else (n,)
    t = np.array([draw(st.integers(-1 if several else 0, c - 1)) for _ in range(int(np.prod(shape)))]).reshape(shape)
    return Call((x, t), draw(d.options(reduction=REDUCTION)))


def multi_margin(x: Any, t: Any, p: int = 1, margin: float = 1.0, reduction: str = "mean") -> Any:
    rows = [
        sum(max(0, margin - row[k] + v) ** p for c, v in enumerate(row) if c != k) / len(row)
        for row, k in zip(np.atleast_2d(x), np.atleast_1d(t), strict=True)
    ]
    return reduced(np.array(rows), reduction).reshape(() if x.ndim == 1 or reduction != "none" else -1)


def multilabel_margin(x: Any, t: Any, reduction: str = "mean") -> Any:
    rows = []
    for row, ks in zip(np.atleast_2d(x), np.atleast_2d(t), strict=True):
        labels = [int(k) for k in ks[: (ks < 0).argmax() if (ks < 0).any() else None]]
        others = [v for c, v in enumerate(row) if c not in labels]
        rows.append(sum(max(0, 1 - row[k] + v) for k in labels for v in others) / len(row))
    return reduced(np.array(rows, float), reduction).reshape(() if x.ndim == 1 or reduction != "none" else -1)


def soft_labels(x: Any, t: Any) -> Any:
    return -(t * special.log_expit(x) + (1 - t) * special.log_expit(-x)).mean(-1)


@st.composite
def rows_of_labels(draw: Any) -> Call:
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    return Call((draw(arrays(shape)), draw(arrays(shape, low=0, high=1))), draw(d.options(reduction=REDUCTION)))


def of_rows(
    name: str, reference: Any, inputs: Any, edges: Any, refusals: Any, smooth: Any = None, **more: Any
) -> OpRecord:
    return OpRecord(
        (f"F.{name}",),
        getattr(F, name),
        reference,
        inputs,
        smooth=smooth,
        edges=tuple(edges),
        refusals=tuple(refusals),
        tolerance=LOSS,
        result_of_integers=None,
        **more,
    )


A, B, C = d.numbers(2, 3), d.numbers(2, 3, start=1.1, step=-0.3), d.numbers(2, 3, start=-0.7, step=0.45)
THREE = (
    call(ONES((0, 2)), 2 * ONES((0, 2)), 3 * ONES((0, 2)), reduction="sum"),
    call(ONES((1, 1)), 2.5 * ONES((1, 1)), 3 * ONES((1, 1))),
    call(A[0], B[0], C[0]),
    call(A, B, C),
)
DIMS = (refused("must have as many dimensions", ValueError, A, B, C[0]),)

RECORDS = [
    elements("l1_loss", lambda x, y: np.abs(x - y), apart=True),
    elements(
        "smooth_l1_loss",
        lambda x, y, beta=1.0: rounded(x - y, beta),
        kind="fused",
        apart=True,
        options={"beta": st.sampled_from([0.0, 0.5])},
        refusals=(refused("smooth_l1_loss.*beta", ValueError, ONES(2), ONES(2), beta=-1.0),),
    ),
    elements(
        "huber_loss",
        lambda x, y, delta=1.0: delta * rounded(x - y, delta),
        kind="fused",
        apart=True,
        options={"delta": st.just(0.5)},
        refusals=(
            refused("huber_loss.*delta", ValueError, ONES(2), ONES(2), delta=0.0),
            refused("huber_loss.*weight", TypeError, ONES(2), ONES(2), weight="no tensor"),
        ),
    ),
    elements("kl_div", kl_div, "probabilities", options={"log_target": st.just(True)}),
    elements(
        "poisson_nll_loss",
        poisson,
        "probabilities",
        options={"log_input": st.just(False), "full": st.just(True)},
    ),
    elements(
        "binary_cross_entropy",
        lambda x, t: -(t * np.log(x) + (1 - t) * np.log1p(-x)),
        "probabilities",
        refusals=(refused("binary_cross_entropy.*in \\[0, 1\\]", ValueError, 2 * ONES(2), ONES(2)),),
    ),
    elements("soft_margin_loss", lambda x, t: np.logaddexp(0, -t * x), "signs", kind="fused"),
    elements(
        "hinge_embedding_loss",
        lambda x, t, margin=1.0: np.where(t != 1, np.maximum(margin - x, 0), 0) + np.where(t != -1, x, 0),
        "signs",
        apart=True,
        options={"margin": st.just(0.5)},
        differentiable=(0,),
    ),
    of_rows(
        "gaussian_nll_loss",
        gaussian,
        gaussians(),
        (call(np.array(0.5), np.array(1.0), np.array(2.0)), *THREE[:2], call(A, B, np.abs(C[:, 0]) + 1)),
        (
            refused("gaussian_nll_loss.*var must be", ValueError, A, B, -ONES((2, 3))),
            refused("gaussian_nll_loss.*var of shape", ValueError, A, B, ONES((3, 1))),
        ),
        differentiable=(0, 1, 2),
    ),
    of_rows(
        "margin_ranking_loss",
        lambda a, b, t, margin=0.0, reduction="mean": reduced(np.maximum(-t * (a - b) + margin, 0), reduction),
        ranked(),
        (call(np.array(0.5), np.array(1.0), np.array(1.0)), *THREE[:2], call(A, B, np.sign(C))),
        DIMS,
        ranked(apart=True),
        differentiable=(0, 1),
    ),
    of_rows(
        "cosine_embedding_loss",
        cosine,
        vectors(2, True),
        (
            call(A[0], B[0], np.array(1.0)),
            call(ONES((0, 2)), ONES((0, 2)), ONES(0), reduction="sum"),
            call(ONES((1, 1)), 2 * ONES((1, 1)), ONES(1)),
            call(A, B, np.array([1.0, -1.0])),
        ),
        (refused("cosine_embedding_loss.*need a target", ValueError, A, B, np.array(1.0)),),
        vectors(2, True).map(lambda c: Call((np.abs(c.args[0]), np.abs(c.args[1]) + 0.1, c.args[2]), c.options)),
        differentiable=(0, 1),
    ),
    *(
        of_rows(
            name,
            triplet,
            vectors(3),
            THREE,
            (*DIMS, refused(f"{name}.*margin must be > 0", ValueError, A, B, C, margin=0.0)),
            vectors(3).map(lambda c: Call((c.args[0], c.args[1] + 9, c.args[2]), c.options)),
            differentiable=(0, 1, 2),
        )
        for name in ("triplet_margin_loss", "triplet_margin_with_distance_loss")
    ),
    of_rows(
        "multi_margin_loss",
        multi_margin,
        classified(False),
        (
            call(ONES((0, 2)), np.zeros(0, np.int64), reduction="sum"),
            call(ONES((1, 1)), np.array([0])),
            call(A[0], np.array(1), p=2),
            call(A, np.array([2, 0])),
        ),
        (
            refused("multi_margin_loss.*3 is outside 0 … 2", IndexError, A, np.array([3, 0])),
            refused("multi_margin_loss.*p must be 1 or 2", ValueError, A, np.array([2, 0]), 3),
            refused("multi_margin_loss.*target must have shape", ValueError, A, np.array([2])),
        ),
        classified(False, apart=True),
    ),
    of_rows(
        "multilabel_margin_loss",
        multilabel_margin,
        classified(True),
        (
            call(ONES((0, 2)), np.zeros((0, 2), np.int64), reduction="sum"),
            call(ONES((1, 1)), np.array([[0]])),
            call(A[0], np.array([1, -1, 0])),
            call(A, np.array([[2, 0, -1], [1, -1, 0]])),
        ),
        (
            refused("multilabel_margin_loss.*3 is outside -1 … 2", IndexError, A[0], np.array([3, 0, 0])),
            refused("multilabel_margin_loss.*input's shape", ValueError, A, np.array([2, 0])),
        ),
        classified(True, apart=True),
    ),
    of_rows(
        "multilabel_soft_margin_loss",
        lambda x, t, reduction="mean": reduced(soft_labels(x, t), reduction),
        rows_of_labels(),
        (
            call(ONES((0, 2)), ONES((0, 2)), reduction="sum"),
            call(ONES((1, 1)), ONES((1, 1)) / 2),
            call(A[0], B[0]),
            call(A, B),
        ),
        (refused("multilabel_soft_margin_loss.*0-d", ValueError, np.array(1.0), np.array(1.0)),),
        kind="fused",
        differentiable=(0, 1),
    ),
]
