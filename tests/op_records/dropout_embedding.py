"""Dropout, whose mask is drawn from a seed that the test knows, and embedding."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinynet as tn
import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.activation import fresh
from tests.op_records.record import EXACT, ROUNDED, Call, OpRecord, Subgradient, call, refused
from tinynet.testing.strategies import arrays

SEED = 7
ONES = np.ones
USED = np.array([1, 2, 0, 2, 1, 2, 2])  # one, two and four times


def seeded(f: Any, x: Any, *args: Any, **options: Any) -> Any:
    tn.manual_seed(SEED)
    return fresh(f, x, *args, **options)


def dropout(x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> np.ndarray:
    """y = x ⊙ keep / (1 − p), keep where the stream's uniform number is at least p."""
    if not training or p == 0.0:
        return x
    if p == 1.0:
        return x * 0.0
    tn.manual_seed(SEED)
    keep = tn.rand(x.shape).numpy() >= np.float32(p)
    return np.where(keep, x, 0) / (1 - p)


@st.composite
def tables(draw: Any) -> Call:
    n, width = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    k = draw(hnp.arrays(draw(st.sampled_from(["int64", "int32"])), d.SMALL, elements=st.integers(0, n - 1)))
    w = draw(arrays((n, width)))
    return call(k, w)


RECORDS = [
    OpRecord(
        ("dropout", "F.dropout"),
        F.dropout,
        dropout,
        d.calls(
            arrays(d.SMALL), p=st.sampled_from([0.0, 0.25, 0.9, 1.0]), training=st.booleans(), inplace=st.booleans()
        ),
        "fused",
        edges=(call(d.numbers(16390, step=0.001)), *d.UNARY_EDGES),  # more than a block of 16384
        refusals=(
            refused(r"dropout.*p must.*1\.5", ValueError, ONES(2), 1.5),
            refused("dropout.*p must", ValueError, ONES(2), -0.1),
        ),
        tolerance=ROUNDED,
        result_of_integers=None,
        invoke=seeded,
    ),
    OpRecord(
        ("F.embedding",),
        F.embedding,
        lambda k, w: w[k],
        tables(),
        "fused",
        (1,),
        edges=(
            call(np.array(1), d.numbers(2, 3)),
            call(np.zeros((0, 2), np.int64), ONES((1, 2))),
            call(np.array([0]), ONES((1, 1))),
            call(np.array([[1, 0], [1, 1]]), d.numbers(2, 3)),
        ),
        refusals=(
            refused("embedding.*2.*0 … 1", IndexError, np.array([2]), ONES((2, 3))),
            refused("embedding.*-1", IndexError, np.array([-1]), ONES((2, 3))),
            refused("embedding.*integer", TypeError, ONES(2), ONES((2, 3))),
            refused("embedding.*weight", ValueError, np.array([0]), ONES(3)),
            refused("embedding.*padding_idx", IndexError, np.array([0]), ONES((2, 3)), padding_idx=2),
            refused("embedding.*max_norm", NotImplementedError, np.array([0]), ONES((2, 3)), max_norm=1.0),
            refused("embedding.*sparse", NotImplementedError, np.array([0]), ONES((2, 3)), sparse=True),
        ),
        tolerance=EXACT,
        result_of_integers=None,
        subgradients=(  # no derivatives of the value: what the options do to the gradient alone
            Subgradient(call(USED, d.numbers(3, 2), padding_idx=1), (np.array([[1.0, 1.0], [0.0, 0.0], [4.0, 4.0]]),)),
            Subgradient(call(USED, d.numbers(3, 2), padding_idx=-1), (np.array([[1.0, 1.0], [2.0, 2.0], [0.0, 0.0]]),)),
            Subgradient(call(USED, d.numbers(3, 2), scale_grad_by_freq=True), (ONES((3, 2)),)),
            Subgradient(
                call(USED, d.numbers(3, 2), padding_idx=0, scale_grad_by_freq=True),
                (np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]),),
            ),
        ),
    ),
]
