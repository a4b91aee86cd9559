"""Draws from distributions, and ranges: shapes, dtypes, bounds and moments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet as tn
from tests.op_records.creation_random import creation, redrawn, spaced, wanted_dtype
from tests.op_records.record import Call, call, refused

WEIGHTS = np.array([[0.1, 0.0, 0.3, 0.6], [1.0, 1.0, 1.0, 1.0]])
RATES = np.array([[0.0, 0.5, 3.0], [30.0, 200.0, 1.0]])
N = 4000


def near(draws: Any, mean: float, variance: float) -> None:
    """The mean within six standard errors, the variance within a fifth."""
    y = draws.numpy().astype(np.float64)
    assert abs(y.mean() - mean) < 6 * math.sqrt(variance / y.size)
    assert abs(y.var() / variance - 1) < 0.2


def normal(c: Call, y: Any) -> None:
    args = [tn.from_numpy(a) if isinstance(a, np.ndarray) else a for a in c.args]
    assert y.shape == (c.args[2] if len(c.args) == 3 else np.broadcast_shapes(*map(np.shape, c.args)))
    assert y.dtype is (tn.float32 if len(c.args) == 3 else tn.float64)
    assert redrawn(lambda: tn.normal(*args))
    tn.manual_seed(5)
    near(tn.normal(2.0, 3.0, (N,)), 2.0, 9.0)
    near(tn.normal(tn.full((N,), 2.0), 3.0), 2.0, 9.0)
    near(tn.normal(-1.0, tn.full((N,), 0.5)), -1.0, 0.25)


def poisson(c: Call, y: Any) -> None:
    assert y.dtype is tn.float64
    assert y.shape == c.args[0].shape
    assert (y.numpy() >= 0).all()
    assert not y.numpy()[c.args[0] == 0].any()
    assert (y.numpy() == np.rint(y.numpy())).all()
    tn.manual_seed(5)
    for rate in (0.3, 4.0, 80.0):
        near(tn.poisson(tn.full((N,), rate)), rate, rate)


def multinomial(c: Call, y: Any) -> None:
    weights, n, *replacement = c.args
    assert y.dtype is tn.int64
    assert y.shape == (*weights.shape[:-1], n)
    for row, found in zip(np.atleast_2d(weights), np.atleast_2d(y.numpy()), strict=True):
        assert (row[found] > 0).all()
        if not any(replacement):
            assert len(set(found.tolist())) == n
    tn.manual_seed(5)
    for again in (True, False):
        first = tn.multinomial(tn.tensor([[1.0, 0.0, 3.0]] * N), 1, again).numpy().reshape(-1)
        assert abs((first == 2).mean() - 0.75) < 6 * math.sqrt(0.75 * 0.25 / N)
    # of what is left, in proportion: P(first 0, then 1) = 1/6 · 2/5
    both = tn.multinomial(tn.tensor([[1.0, 2.0, 3.0]] * N), 2).numpy()
    assert abs((both == [0, 1]).all(1).mean() - 1 / 15) < 6 * math.sqrt(1 / 15 / N)


def integers_like(c: Call, y: Any) -> None:
    low, high = c.args[1:] if len(c.args) == 3 else (0, c.args[1])
    assert y.shape == c.args[0].shape
    assert y.dtype is wanted_dtype(c, tn.float64)
    assert ((y.numpy() >= low) & (y.numpy() < high)).all()
    assert set(tn.randint_like(tn.zeros(64 * (high - low)), low, high).tolist()) == set(range(low, high))


def logarithmic(c: Call, y: Any) -> None:
    start, end, steps, *base = c.args
    assert y.shape == (steps,)
    spaced(call(start, end, steps), tn.from_numpy(np.log(y.numpy().astype(float)) / math.log(*(base or [10.0]))))


def triangle(lower: bool) -> Any:
    def check(c: Call, y: Any) -> None:
        rows, columns, *offset = c.args
        k = offset[0] if offset else 0
        inside = [(i, j) for i in range(rows) for j in range(columns) if (j - i <= k if lower else j - i >= k)]
        assert y.dtype is tn.int64
        assert y.shape == (2, len(inside))
        assert y.t().tolist() == [list(p) for p in inside]

    return check


TRIANGLES = st.sampled_from([call(3, 4), call(4, 2, 1), call(2, 3, -1), call(0, 2), call(2, 2, 9)])

RECORDS = [
    creation(
        "normal",
        st.sampled_from(
            [call(0.5, 2.0, (2, 3)), call(RATES, 2.0), call(0.0, RATES), call(RATES, RATES[0]), call(RATES)]
        ),
        normal,
        refused("normal: std", ValueError, 0.0, -1.0, (2,)),
        refused("normal.*Tensor", TypeError, 0.0, 1.0),
        refused("normal.*shapes", ValueError, RATES, np.ones(2)),
    ),
    creation(
        "poisson",
        st.sampled_from([call(RATES), call(np.ones((0, 2)))]),
        poisson,
        refused("poisson.*≥ 0", ValueError, -RATES),
    ),
    creation(
        "multinomial",
        st.sampled_from([call(WEIGHTS, 3), call(WEIGHTS[0], 2), call(WEIGHTS, 9, True)]),
        multinomial,
        refused("multinomial.*num_samples", ValueError, WEIGHTS, 5),
        refused("multinomial.*fewer", ValueError, WEIGHTS, 4),
        refused("multinomial.*≥ 0", ValueError, -WEIGHTS, 1),
        refused("multinomial.*floating", TypeError, np.array([1, 2]), 1),
    ),
    creation(
        "randint_like",
        st.sampled_from([call(RATES, 5), call(RATES, -2, 3), call(np.ones(0), 4, dtype=tn.int64)]),
        integers_like,
        refused("randint_like.*below", ValueError, RATES, 3, 3),
    ),
    creation(
        "logspace",
        st.sampled_from([call(0.0, 2.0, 5), call(1.0, -1.0, 3, 2.0), call(0, 1, 0)]),
        logarithmic,
        refused("logspace.*steps", ValueError, 0.0, 1.0, -1),
    ),
    creation("tril_indices", TRIANGLES, triangle(True), refused("tril_indices", ValueError, -1, 2)),
    creation("triu_indices", TRIANGLES, triangle(False), refused("triu_indices", ValueError, -1, 2)),
]
