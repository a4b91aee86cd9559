"""Losses."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.record import Call, OpRecord, Tolerance, call, refused
from tinynet.testing.strategies import arrays, labels, shapes

ONES = np.ones
REDUCTION = st.sampled_from(["mean", "sum", "none"])
LOSS = Tolerance(128, 4, "exponentials, logarithms and a mean of some tens of terms")


def reduced(y: Any, reduction: str) -> Any:
    return {"none": y, "sum": np.sum(y), "mean": np.sum(y) / np.size(y) if np.size(y) else np.nan}[reduction]


def log_softmax(x: Any, axis: int) -> np.ndarray:
    y = x - x.max(axis=axis, keepdims=True)
    return y - np.log(np.exp(y).sum(axis=axis, keepdims=True))


def classes_of(x: Any, t: Any, w: Any, ignore: int, eps: float, reduction: str) -> Any:
    """Element by element: x log-probabilities, (C,) or (N, C, …)."""
    single = x.ndim == 1
    x, t = (x[None], np.atleast_1d(t)) if single else (x, t)
    n_classes = x.shape[1]
    w = np.ones(n_classes) if w is None else w
    y, weights = np.zeros(t.shape), np.zeros(t.shape)
    for i in itertools.product(*map(range, t.shape)):
        if t[i] == ignore:
            continue
        row = x[(i[0], slice(None), *i[1:])]
        weights[i] = w[t[i]]
        y[i] = -(1 - eps) * w[t[i]] * row[t[i]] - (eps / n_classes * (w * row).sum() if eps else 0.0)
    if reduction == "none":
        return y[0] if single else y
    return y.sum() if reduction == "sum" else y.sum() / weights.sum()


def cross_entropy(
    x: Any, t: Any, w: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
) -> Any:
    axis = 0 if x.ndim == 1 else 1
    logp = log_softmax(x, axis)
    if t.dtype.kind in "iu":
        return classes_of(logp, t, w, ignore_index, label_smoothing, reduction)
    p = (1 - label_smoothing) * t + label_smoothing / x.shape[axis]
    weight = 1.0 if w is None else w.reshape(-1, *(1,) * (x.ndim - 1 - axis))
    y = -(p * weight * logp).sum(axis=axis)
    return y if reduction == "none" else y.sum() if reduction == "sum" else y.sum() / y.size


def nll_loss(x: Any, t: Any, w: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    return classes_of(x, t, w, ignore_index, 0.0, reduction)


@st.composite
def classified(draw: Any, entropy: bool, fewest: int = 1) -> Call:
    n_classes = draw(st.integers(fewest, 4))
    batch = draw(shapes(max_dims=3, min_side=1, max_side=3))
    shape = (batch[0], n_classes, *batch[1:]) if batch else (n_classes,)
    x = draw(arrays(shape, low=-6.0, high=6.0))
    options = draw(
        d.options(reduction=REDUCTION, **({"label_smoothing": st.sampled_from([0.1, 1.0])} if entropy else {}))
    )
    w = draw(arrays((n_classes,), values="positive")) if draw(st.booleans()) else None
    if entropy and draw(st.integers(0, 2)) == 0:
        t = draw(arrays(shape, values="positive"))
        return Call((x, t) if w is None else (x, t, w), options)
    ignore = draw(st.sampled_from([None, -100, 0, -1]))
    t = draw(labels(batch, n_classes, dtype=draw(st.sampled_from([np.int64, np.int32])), ignore=ignore))
    if ignore is not None:
        options["ignore_index"] = ignore
        if t.size and (t == ignore).all():
            options["reduction"] = "sum"  # the mean of nothing is NaN
    return Call((x, t) if w is None else (x, t, w), options)


def bce(x: Any, y: Any, weight: Any = None, pos_weight: Any = None, reduction: str = "mean") -> Any:
    p = 1.0 if pos_weight is None else pos_weight
    loss = p * y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)
    return reduced(loss if weight is None else loss * weight, reduction)


@st.composite
def binary(draw: Any) -> Call:
    shape = draw(d.FULL)
    x, y = draw(arrays(shape, low=-8, high=8)), draw(arrays(shape, low=0, high=1))
    extra = [draw(st.sampled_from([None, shape, shape[-1:]])) for _ in range(2)]
    factors = [None if s is None else draw(arrays(s, values="positive")) for s in extra]
    return Call((x, y, *factors), draw(d.options(reduction=REDUCTION)))


@st.composite
def differences(draw: Any) -> Call:
    shape = draw(d.FULL)
    return Call((draw(arrays(shape)), draw(arrays(shape))), draw(d.options(reduction=REDUCTION)))


LABELS = np.array([0, 2])
ROWS = np.array([[0, 2], [1, 2]])


def of_classes(name: str, function: Any, entropy: bool) -> OpRecord:
    smoothed: tuple[dict[str, Any], ...] = ({}, {"reduction": "none"}, {"reduction": "sum"})
    if entropy:
        smoothed += ({"label_smoothing": 0.25}, {"label_smoothing": 0.25, "reduction": "sum"})
    return OpRecord(
        (f"F.{name}",),
        function,
        cross_entropy if entropy else nll_loss,
        classified(entropy),
        "fused",
        (0, 1) if entropy else (0,),
        smooth=classified(entropy, 2),  # one class: the gradient is 0, and rounding is all there is of it
        edges=(
            call(d.numbers(3), np.array(1)),
            call(ONES((0, 3)), np.zeros(0, np.int64), reduction="sum"),
            call(ONES((1, 1)), np.array([0])),
            call(ONES((1, 1)), np.array([0]), 2 * ONES(1), reduction="sum"),
            *(call(d.numbers(2, 3, 2), ROWS, d.numbers(3), ignore_index=1, **o) for o in smoothed),
            *(call(d.numbers(2, 3), LABELS, *w, **o) for o in smoothed for w in ((), (d.numbers(3),))),
            *(call(d.numbers(2, 3, 2), ROWS, **o) for o in smoothed),
            call(d.numbers(3, 2, 133, step=0.01), np.arange(399).reshape(3, 133) % 2, **smoothed[-1]),  # > 128 columns
            call(d.numbers(2, 3), LABELS, d.numbers(3)),
            call(d.numbers(3, 3), np.array([0, 2, 1])),
            call(d.numbers(3, 3), np.array([2, 0, 1]), d.numbers(3)),
        ),
        refusals=(
            refused(f"{name}.*3.*0 … 2", IndexError, ONES((2, 3)), LABELS + 1),
            refused(f"{name}.*target.*shape", ValueError, ONES((2, 3)), np.zeros(3, np.int64)),
            refused(f"{name}.*reduction.*'total'", ValueError, ONES((2, 3)), LABELS, reduction="total"),
            refused(f"{name}.*weight.*shape", ValueError, ONES((2, 3)), LABELS, ONES(2)),
            refused(f"{name}.*0-d", ValueError, np.array(1.0), np.array(0)),
            refused(f"{name}.*target.*shape", ValueError, ONES((2, 3)), ONES((2, 2)))
            if entropy
            else refused(f"{name}.*integer", TypeError, ONES((2, 3)), ONES(2)),
        ),
        tolerance=LOSS,
        result_of_integers=None,
    )


RECORDS = [
    of_classes("cross_entropy", F.cross_entropy, True),
    of_classes("nll_loss", F.nll_loss, False),
    OpRecord(
        ("F.mse_loss",),
        F.mse_loss,
        lambda x, y, reduction="mean": reduced((x - y) ** 2, reduction),
        differences(),
        "fused",
        (0, 1),
        edges=(
            call(np.array(0.5), np.array(1.0)),
            call(ONES((0, 2)), ONES((0, 2)), reduction="sum"),
            call(ONES(1), 2 * ONES(1)),
            call(d.numbers(4099, step=0.01), ONES(4099)),  # more than a block of 4096
            call(d.numbers(4099, step=0.01), ONES(4099), reduction="none"),
            *(call(d.numbers(2, 3), 2 * ONES((2, 3)), reduction=r) for r in ("none", "sum")),
            call(d.numbers(2, 3), ONES((2, 3))),
        ),
        refusals=(
            refused("mse_loss.*broadcast together", ValueError, ONES(2), ONES(3)),
            refused("mse_loss.*reduction", ValueError, ONES(2), ONES(2), reduction="total"),
        ),
        tolerance=LOSS,
        result_of_integers=None,
    ),
    OpRecord(
        ("F.binary_cross_entropy_with_logits",),
        F.binary_cross_entropy_with_logits,
        bce,
        binary(),
        "fused",
        (0, 1),
        edges=(
            call(np.array(0.5), np.array(1.0)),
            call(ONES((0, 2)), ONES((0, 2)), reduction="sum"),
            call(ONES(1), 0.5 * ONES(1), 2 * ONES(1), 3 * ONES(1)),
            *(call(d.numbers(2, 3), 0.5 * ONES((2, 3)), ONES(3), d.numbers(3), reduction=r) for r in ("none", "sum")),
            *(
                call(d.numbers(2, 3, start=-1.0), 0.25 * ONES((2, 3)), *w)
                for w in ((), (ONES(3) / 3,), (None, ONES(3) / 3))
            ),
            *(call(d.numbers(2, 3), 0.25 * ONES((2, 3)), reduction=r) for r in ("none", "sum")),
            *(
                call(d.numbers(4099, start=-2.0, step=0.001), 0.25 * ONES(4099), *w)
                for w in ((), (ONES(1), 2 * ONES(1)))
            ),
            call(d.numbers(2, 3), ONES((2, 3)), ONES(3), d.numbers(3)),
        ),
        refusals=(
            refused("target has shape", ValueError, ONES(2), ONES(3)),
            refused("reduction", ValueError, ONES(2), ONES(2), reduction="total"),
            refused("pos_weight.*broadcast", ValueError, ONES(2), ONES(2), None, ONES(3)),
        ),
        tolerance=LOSS,
        result_of_integers=None,
        invoke=lambda f, x, y, w=None, p=None, **options: f(x, y, w, pos_weight=p, **options),
    ),
]
