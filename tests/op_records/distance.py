"""Distances and similarities."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.loss import LOSS
from tests.op_records.record import Call, OpRecord, call, refused
from tinynet.testing.strategies import arrays

ONES = np.ones
A, B = d.numbers(2, 3), d.numbers(2, 3, start=1.1, step=-0.3)


@st.composite
def vectors(draw: Any, n: int, **choices: Any) -> Call:
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    xs = [d.nonzero(draw(arrays(shape, low=-3, high=3))) + 0.37 * i for i in range(n)]
    if n == 2 and draw(st.booleans()):
        xs[1] = xs[1][:1]
    return Call(tuple(xs), draw(d.options(**choices)))


def length(x: Any, p: float, dim: Any, keepdim: bool = False) -> Any:
    return (np.abs(x) ** p).sum(axis=dim, keepdims=keepdim) ** (1 / p)


def cosine(a: Any, b: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    a, b = np.broadcast_arrays(a, b)
    return (a * b).sum(dim) / (np.maximum(length(a, 2, dim), eps) * np.maximum(length(b, 2, dim), eps))


def record(name: str, reference: Any, n: int, edges: Any, refusals: Any, **choices: Any) -> OpRecord:
    return OpRecord(
        (f"F.{name}",),
        getattr(F, name),
        reference,
        vectors(n, **choices),
        differentiable=tuple(range(n)),
        edges=tuple(edges),
        refusals=tuple(refusals),
        tolerance=LOSS,
        result_of_integers=None,
        broadcasts=False,
    )


PAIRS = (call(ONES((0, 2)), ONES((0, 2))), call(ONES((1, 1)), 2.5 * ONES((1, 1))), call(A, B[:1]), call(A, B))
SHAPES = "cannot be broadcast"

RECORDS = [
    record(
        "cosine_similarity",
        cosine,
        2,
        PAIRS,
        (
            refused(f"cosine_similarity.*{SHAPES}", ValueError, A, ONES((2, 2))),
            refused("cosine_similarity.*dim 2", IndexError, A, B, dim=2),
        ),
        dim=st.sampled_from([0, -1]),
    ),
    record(
        "pairwise_distance",
        lambda a, b, p=2.0, keepdim=False: length(a - b + 1e-6, p, -1, keepdim),
        2,
        PAIRS,
        (refused(f"pairwise_distance.*{SHAPES}", ValueError, A, ONES((2, 2))),),
        p=st.sampled_from([1.0, 3.0]),
        keepdim=st.just(True),
    ),
    record(
        "normalize",
        lambda x, p=2.0, dim=1: x / np.maximum(length(x, p, dim, True), 1e-12),
        1,
        (call(ONES((0, 2))), call(2 * ONES((1, 1))), call(A, dim=(0, 1)), call(A)),
        (refused("normalize.*dim 2", IndexError, A, dim=2),),
        p=st.sampled_from([1.0, 3.0]),
        dim=st.sampled_from([0, -1]),
    ),
]
