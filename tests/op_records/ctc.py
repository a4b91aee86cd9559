"""Connectionist temporal classification, by the sum over all alignments, and cross-entropy of a linear layer."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet as tn
import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.loss import LOSS, cross_entropy, log_softmax, reduced
from tests.op_records.record import Call, OpRecord, call, refused
from tinynet.testing.strategies import arrays

ONES = np.ones


def of_logits(f: Any, x: Any, *args: Any, **options: Any) -> Any:
    """The gradient is that of logits before a log_softmax, so the record takes these."""
    floating = isinstance(x, tn.Tensor) and x.is_floating_point() and x.ndim > 1
    return f(F.log_softmax(x, -1) if floating else x, *args, **options)


def spelled(path: Any, blank: int) -> list[int]:
    """Labels of a path, without repetitions and blanks."""
    return [k for k, _ in itertools.groupby(path) if k != blank]


def ctc(
    x: Any, t: Any, lengths: Any, wanted: Any, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
) -> Any:
    single = x.ndim == 2
    logp = log_softmax(x[:, None] if single else x, -1)
    starts = np.cumsum([0, *wanted])
    losses = []
    for i, (frames, k) in enumerate(zip(lengths, wanted, strict=True)):
        target = list(t[i, :k] if t.ndim == 2 else t[starts[i] : starts[i + 1]])
        paths = itertools.product(range(x.shape[-1]), repeat=frames)
        p = sum(
            np.exp(sum(logp[s, i, c] for s, c in enumerate(path))) for path in paths if spelled(path, blank) == target
        )
        losses.append(0.0 if p == 0 and zero_infinity else -np.log(p))
    y = np.array(losses)
    y = y / np.maximum(wanted, 1) if reduction == "mean" else y
    return reduced(y[0] if single else y, reduction)


@st.composite
def sequences(draw: Any) -> Call:
    x = draw(arrays((4, 2, 3), low=-3, high=3))
    t = draw(st.sampled_from([[[1, 1, 2], [2, 1, 2]], [[2, 1, 1], [1, 2, 1]]]))
    lengths, wanted = draw(st.sampled_from([((4, 4), (2, 2)), ((4, 2), (3, 1)), ((3, 4), (0, 3)), ((2, 4), (2, 1))]))
    options = draw(d.options(reduction=st.sampled_from(["none", "sum"]), zero_infinity=st.just(True)))
    zero = {"zero_infinity": True} if (lengths, wanted) == ((2, 4), (2, 1)) else {}  # 1, 1 needs a blank between
    if draw(st.booleans()):
        rows = np.concatenate([np.array(r[:k], np.int64) for r, k in zip(t, wanted, strict=True)])
        return call(x, rows, lengths, wanted, **{**options, **zero})
    return call(x, np.array(t), lengths, wanted, **{**options, **zero})


T = np.array([[1, 2], [2, 1]])
X = d.numbers(3, 2, 3, start=-0.7, step=0.13)


def linear_loss(x: Any, w: Any, t: Any, **options: Any) -> Any:
    return cross_entropy(np.tensordot(x, w, (-1, -1)), t, **options)


RECORDS: list[OpRecord] = [
    OpRecord(
        ("F.ctc_loss",),
        F.ctc_loss,
        ctc,
        sequences(),
        "fused",
        edges=(
            call(ONES((1, 1, 1)), np.zeros((1, 0), np.int64), (1,), (0,)),
            call(ONES((2, 2, 2)), np.zeros((2, 0), np.int64), (2, 0), (0, 0), reduction="none"),
            call(X[:, 0], T[0], (3,), (2,), reduction="none"),
            call(X, T, (3, 3), (2, 1), blank=0),
            call(X, T[:, :1], (3, 3), (0, 1), reduction="none"),
            call(X, T - 1, (3, 2), (2, 2), blank=2),
        ),
        refusals=(
            refused("ctc_loss.*log_probs.*shape", ValueError, ONES(3), T, (1, 1), (1, 1)),
            refused("ctc_loss.*blank.*3", IndexError, X, T, (3, 3), (2, 2), blank=3),
            refused("ctc_loss.*targets.*0 … 2", IndexError, X, T + 1, (3, 3), (2, 2)),
            refused("ctc_loss.*targets.*shape", ValueError, X, T[:1], (3, 3), (2, 2)),
            refused("ctc_loss.*input_lengths.*0 … 3", IndexError, X, T, (4, 3), (2, 2)),
            refused("ctc_loss.*target_lengths.*0 … 2", IndexError, X, T, (3, 3), (3, 2)),
            refused("ctc_loss.*input_lengths.*2 numbers", ValueError, X, T, (3,), (2, 2)),
            refused("ctc_loss.*target_lengths sum to 3", ValueError, X, T.reshape(-1), (3, 3), (2, 1)),
            refused("ctc_loss.*input_lengths.*integer", TypeError, X, T, (3.0, 2.0), (2, 2)),
            refused("ctc_loss.*reduction", ValueError, X, T, (3, 3), (2, 2), reduction="total"),
        ),
        tolerance=LOSS,
        result_of_integers=None,
        invoke=of_logits,
    ),
    d.listed(
        "F.linear_cross_entropy",
        linear_loss,
        call(d.numbers(2, 3), d.numbers(4, 3, step=-0.11), np.array([1, 3]), reduction="none"),
        call(d.numbers(2, 3), d.numbers(4, 3, step=-0.11), np.array([1, 3])),
        edges=(
            call(ONES((0, 2)), ONES((3, 2)), np.zeros(0, np.int64), reduction="sum"),
            call(ONES((1, 1)), ONES((1, 1)), np.array([0])),
            call(d.numbers(3), d.numbers(2, 3, step=-0.11), np.array(1)),
            call(d.numbers(2, 3), d.numbers(4, 2, 3, step=-0.11), np.array([[1, 3], [0, 2]]), ignore_index=0),
        ),
        refusals=(
            refused("linear_cross_entropy.*shapes", ValueError, ONES((2, 3)), ONES((4, 2)), np.array([0, 1])),
            refused(
                "linear_cross_entropy.*ignore_index",
                ValueError,
                ONES((2, 3)),
                ONES((4, 3)),
                ONES((2, 4)),
                ignore_index=1,
            ),
            refused(
                "linear_cross_entropy.*options",
                TypeError,
                ONES((2, 3)),
                ONES((4, 3)),
                np.array([0, 1]),
                options=1,
            ),
        ),
        kind="fused",
        differentiable=(0, 1),
        tolerance=LOSS,
        result_of_integers=None,
    ),
]
