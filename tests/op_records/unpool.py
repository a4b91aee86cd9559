"""The inverse of max pooling, pooling by a norm, indices of maxima, and normalisation by neighbouring channels."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tests.op_records import draw as d
from tests.op_records.pool import adaptive_max, avg_pool, max_pool
from tests.op_records.record import COMPOSED, EXACT, SUMMED, OpRecord, call, refused

ONES = np.ones


def unpool(n: int) -> Any:
    def reference(x: Any, k: Any, kernel: int, stride: Any = None, padding: int = 0, output_size: Any = None) -> Any:
        s = stride or kernel
        size = tuple((m - 1) * s + kernel - 2 * padding for m in x.shape[-n:]) if output_size is None else output_size
        y = np.zeros((*x.shape[:-n], *size))
        for place in itertools.product(*map(range, x.shape)):
            y[(*place[:-n], *np.unravel_index(k[place], size))] = x[place]
        return y

    return reference


def unpool_record(n: int) -> OpRecord:
    name, spatial, one = f"max_unpool{n}d", (2,) * n, (1,) * n
    x = d.numbers(1, 2, *spatial)
    k = np.arange(x.size).reshape(x.shape) % 2**n
    return d.listed(
        f"F.{name}",
        unpool(n),
        call(x, k, 2),
        edges=(
            call(ONES((0, 1, *spatial)), np.zeros((0, 1, *spatial), np.int64), 2),
            call(ONES((1, 1, *one)), np.zeros((1, 1, *one), np.int64), 1),
            call(x[0], k[0], 3, 2, 1),
            call(x, k, 2, output_size=(5,) * n),
        ),
        refusals=(
            refused(f"{name}.*indices.*shape", ValueError, x, k[:, :1], 2),
            refused(f"{name}.*indices.*0 …", IndexError, x, k + 4**n, 2),
            refused(f"{name}.*output_size", ValueError, x, k, 2, output_size=(7,) * n),
            refused(f"{name}.*output_size", ValueError, x, k, 2, output_size=(4,) * (n + 1)),
            refused(f"{name}.*dimensions", ValueError, ONES(2), np.zeros(2, np.int64), 2),
        ),
        tolerance=EXACT,
        result_of_integers=None,
    )


def lp_pool(n: int) -> Any:
    def reference(x: Any, p: float, kernel: int, stride: Any = None, ceil_mode: bool = False) -> Any:
        if np.isinf(p):
            return np.sign(p) * max_pool(n)(np.sign(p) * np.abs(x), kernel, stride, 0, 1, ceil_mode)
        return (avg_pool(n)(x**p, kernel, stride, 0, ceil_mode) * kernel**n) ** (1 / p)

    return reference


def lp_record(n: int) -> OpRecord:
    name, spatial, one = f"lp_pool{n}d", (3,) * n, (1,) * n
    x = d.numbers(1, 2, *spatial, step=0.11)
    return d.listed(
        f"F.{name}",
        lp_pool(n),
        call(x, 2.0, 2),
        edges=(
            call(ONES((0, 1, *spatial)), 2.0, 2),
            call(ONES((1, 1, *one)), 2.0, 1),
            call(x[0], 3.0, 2, 1, True),
            call(-x, np.inf, 2, ceil_mode=True),
            call(x, -np.inf, 2),
        ),
        refusals=(
            refused(f"{name}.*norm_type", ValueError, x, 0, 2),
            refused(f"{name}.*kernel_size", ValueError, x, 2.0, 0),
        ),
        kind="fused",
        tolerance=COMPOSED,
        result_of_integers=None,
    )


def indexed_record(n: int, adaptive: bool) -> OpRecord:
    name, spatial, one = f"{'adaptive_' if adaptive else ''}max_pool{n}d_with_indices", (3,) * n, (1,) * n
    reference = (adaptive_max if adaptive else max_pool)(n)
    x = d.numbers(1, 2, *spatial, step=0.11)
    return d.listed(
        f"F.{name}",
        lambda *a, **o: reference(*a, **{**o, "return_indices": True}),
        call(x, 2),
        edges=(call(ONES((0, 1, *spatial)), 2), call(ONES((1, 1, *one)), 1), call(x[0], 2, return_indices=False)),
        kind="fused",
        result=("kept", "int64"),
        tolerance=EXACT,
        result_of_integers=None,
    )


def neighbours(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    c = x.shape[1]
    sums = [(x[:, max(0, i - size // 2) : i + (size - 1) // 2 + 1] ** 2).sum(1) for i in range(c)]
    return x / (k + alpha / size * np.stack(sums, 1).reshape(x.shape)) ** beta if x.size else x


RECORDS = [
    *(unpool_record(n) for n in (1, 2, 3)),
    *(lp_record(n) for n in (1, 2, 3)),
    *(indexed_record(n, adaptive) for adaptive in (False, True) for n in (1, 2, 3)),
    d.listed(
        "F.local_response_norm",
        neighbours,
        call(d.numbers(1, 3, 2), 2, 0.5, 0.75, 2.0),
        edges=(
            call(ONES((2, 0, 3)), 2),
            call(ONES((1, 1, 1)), 1),
            call(d.numbers(1, 4, 2, 2), 3),
            call(d.numbers(1, 3, 1, 1, 2), 5, 0.5),
        ),
        refusals=(
            refused("local_response_norm.*dimensions", ValueError, ONES((2, 3)), 2),
            refused("local_response_norm.*size", ValueError, ONES((2, 3, 1)), 0),
        ),
        kind="fused",
        tolerance=SUMMED,
        result_of_integers=None,
    ),
]
