"""Batch normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet as tn
import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.record import Call, OpRecord, Tolerance, call, refused
from tinynet.testing.strategies import arrays, shapes

ONES = np.ones


def batch_norm(
    x: Any,
    running_mean: Any,
    running_var: Any,
    w: Any = None,
    b: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> np.ndarray:
    axes = (0, *range(2, x.ndim))
    wide = (1, -1, *(1,) * (x.ndim - 2))
    mean, var = (x.mean(axis=axes), x.var(axis=axes)) if training else (running_mean, running_var)
    y = (x - mean.reshape(wide)) / np.sqrt(var.reshape(wide) + eps)
    y = y if w is None else y * w.reshape(wide)
    return y if b is None else y + b.reshape(wide)


def keeping(f: Any, x: Any, mean: Any, var: Any, *rest: Any, **options: Any) -> Any:
    """The running statistics are updated in place: hand the operation copies of its own."""
    copies = [v.clone() if isinstance(v, tn.Tensor) and options.get("training") else v for v in (mean, var)]
    return f(x, *copies, *rest, **options)


@st.composite
def normalisations(draw: Any) -> Call:
    c = draw(st.integers(1, 3))
    n = draw(st.integers(2, 3))
    x = draw(arrays((n, c, *draw(shapes(max_dims=3, min_side=1, max_side=2))), values="distinct"))
    training = draw(st.booleans())
    mean, var = draw(arrays((c,))), draw(arrays((c,), values="positive"))
    if training and draw(st.booleans()):
        mean = var = None
    rest = [draw(arrays((c,))) if draw(st.booleans()) else None for _ in range(2)]
    options = draw(d.options(momentum=st.sampled_from([0.0, 0.5]), eps=st.sampled_from([1e-3, 0.5])))
    return Call((x, mean, var, *rest), {**options, "training": training})


RECORDS = [
    OpRecord(
        ("F.batch_norm",),
        F.batch_norm,
        batch_norm,
        normalisations(),
        "fused",
        (0, 3, 4),
        edges=(
            call(ONES((0, 2)), ONES(2), ONES(2), ONES(2), ONES(2)),
            call(ONES((1, 1)), ONES(1), ONES(1)),
            call(d.numbers(2, 2, 3), None, None, d.numbers(2), d.numbers(2), training=True),
        ),
        refusals=(
            refused("batch_norm.*1 value", ValueError, ONES((1, 2)), None, None, training=True),
            refused("batch_norm.*input", ValueError, ONES(2), None, None, training=True),
            refused("batch_norm.*weight", ValueError, ONES((2, 3)), None, None, ONES(2), training=True),
            refused("batch_norm.*running_mean", ValueError, ONES((2, 3)), None, None),
        ),
        tolerance=Tolerance(256, 4, "a variance, its root, and a quotient by it"),
        result_of_integers=None,
        halves=True,
        invoke=keeping,
    )
]
