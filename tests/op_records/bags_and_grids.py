"""Bags of embeddings, bilinear forms, pairs of distances, images read at the places of a grid, and older names."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
from scipy.spatial.distance import pdist

from tests.op_records import draw as d
from tests.op_records.record import COMPOSED, EXACT, SUMMED, Subgradient, call, refused

ONES = np.ones
W, K = d.numbers(4, 2), np.array([[1, 2, 1], [3, 0, 3]])


def bag(
    k: Any,
    w: Any,
    offsets: Any = None,
    mode: str = "mean",
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: Any = None,
) -> Any:
    ends = offsets
    if k.ndim == 2:
        offsets = np.arange(k.shape[0]) * k.shape[1]
        ends = [*offsets, k.size]
    elif not include_last_offset:
        ends = [*offsets, k.size]
    factors = ONES(k.size) if per_sample_weights is None else per_sample_weights.reshape(-1)
    rows = []
    for low, high in itertools.pairwise(ends):
        used = [i for i in range(low, high) if k.reshape(-1)[i] != padding_idx]
        seen = np.array([w[k.reshape(-1)[i]] * factors[i] for i in used]).reshape(-1, w.shape[1])
        empty = np.zeros(w.shape[1])
        rows.append(empty if not used else {"mean": np.mean, "sum": np.sum, "max": np.max}[mode](seen, axis=0))
    return np.array(rows).reshape(-1, w.shape[1])


def sample(x: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool = False) -> Any:
    sizes = x.shape[2:]
    y = np.zeros((*x.shape[:2], *grid.shape[1:-1]))
    for place in itertools.product(*map(range, grid.shape[:-1])):
        u = []
        for i, n in enumerate(sizes):
            g = grid[place][len(sizes) - 1 - i]
            v = (g + 1) / 2 * (n - 1) if align_corners else ((g + 1) * n - 1) / 2
            u.append(np.clip(v, 0, n - 1) if padding_mode == "border" else v)
        total = np.zeros(x.shape[1])
        for corner in itertools.product((0, 1), repeat=len(sizes)):
            at = [int(np.floor(v)) + c for v, c in zip(u, corner, strict=True)]
            weight = np.prod([1 - abs(v - a) for v, a in zip(u, at, strict=True)])
            if mode == "nearest":
                weight = float(all(a == np.rint(v) for v, a in zip(u, at, strict=True)))
            if all(0 <= a < n for a, n in zip(at, sizes, strict=True)):
                total = total + weight * x[(place[0], slice(None), *at)]
        y[(place[0], slice(None), *place[1:])] = total
    return y


def affine(theta: Any, size: Any, align_corners: bool = False) -> Any:
    n, _, *out = size
    y = np.zeros((n, *out, len(out)))
    for place in itertools.product(*map(range, y.shape[:-1])):
        at = [0.0 if m == 1 else -1 + 2 * i / (m - 1) for i, m in zip(place[1:], out, strict=True)]
        at = at if align_corners else [a * (m - 1) / m for a, m in zip(at, out, strict=True)]
        y[place] = theta[place[0]] @ [*reversed(at), 1.0]
    return y


def tbc(x: Any, w: Any, b: Any, pad: int = 0) -> Any:
    x = np.pad(x, ((pad, pad), (0, 0), (0, 0)))
    return np.stack([sum(x[t + k] @ w[k] for k in range(len(w))) + b for t in range(len(x) - len(w) + 1)])


def linear(x: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """Bilinear, the corners kept."""
    for axis in (2, 3):
        n = x.shape[axis]
        at = np.linspace(0, n - 1, size or n * scale_factor)
        low = np.minimum(at.astype(int), n - 2) if n > 1 else np.zeros(at.size, int)
        t = (at - low).reshape(-1, *(1,) * (3 - axis))
        x = x.take(low, axis) * (1 - t) + x.take(np.minimum(low + 1, n - 1), axis) * t
    return x


def quietly(f: Any, *args: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return f(*args, **options)


IMAGE, GRID = d.numbers(1, 2, 3, 2), np.array([[[[-0.61, 0.27], [0.43, -0.83]], [[1.37, 0.11], [-0.13, 0.71]]]])
CORNERS = (
    call(ONES((0, 1, 2, 2)), None, 2),
    call(ONES((1, 1, 1, 1)), None, 2),
    call(IMAGE, None, 2),
)

RECORDS = [
    d.listed(
        "F.embedding_bag",
        bag,
        call(K, W),
        call(K, W, mode="sum", padding_idx=3),
        call(K, W, mode="max"),
        edges=(
            call(np.zeros((0, 2), np.int64), ONES((2, 2))),
            call(np.zeros((2, 0), np.int64), ONES((2, 2)), mode="max"),
            call(np.zeros((1, 1), np.int64), ONES((1, 1))),
            call(np.array([1, 2, 1, 3]), W, np.array([0, 3, 3]), mode="sum"),
            call(np.array([1, 2, 1, 3]), W, np.array([0, 0, 4]), include_last_offset=True, padding_idx=1),
            call(np.array([1, 2, 1, 3]), W, np.array([0, 1]), mode="max", padding_idx=1),
            call(K, W, mode="sum", per_sample_weights=None),
        ),
        plain=call(K, W),
        refusals=(
            refused("embedding_bag.*4.*0 … 3", IndexError, K + 1, W),
            refused("embedding_bag.*weight", ValueError, K, ONES(3)),
            refused("embedding_bag.*offsets", ValueError, K, W, np.array([0])),
            refused("embedding_bag.*offsets", ValueError, K[0], W),
            refused("embedding_bag.*offsets.*rise", ValueError, K[0], W, np.array([1])),
            refused("embedding_bag.*input", ValueError, np.array(1), W),
            refused("embedding_bag.*mode", ValueError, K, W, mode="median"),
            refused("embedding_bag.*scale_grad_by_freq", ValueError, K, W, mode="max", scale_grad_by_freq=True),
            refused("embedding_bag.*padding_idx", IndexError, K, W, padding_idx=4),
            refused("embedding_bag.*max_norm", NotImplementedError, K, W, max_norm=1.0),
            refused("embedding_bag.*sparse", NotImplementedError, K, W, sparse=True),
        ),
        kind="fused",
        differentiable=(1,),
        tolerance=SUMMED,
        result_of_integers=None,
        subgradients=(  # no derivative of the value: each use of a row counts 1/uses
            Subgradient(call(K, W, mode="sum", scale_grad_by_freq=True), (ONES((4, 2)),)),
        ),
    ),
    d.listed(
        "F.bilinear",
        lambda x, y, w, b=None: np.einsum("...i,oij,...j->...o", x, w, y) + (0 if b is None else b),
        call(d.numbers(2, 3), d.numbers(2, 2), d.numbers(2, 3, 2, step=-0.1), d.numbers(2)),
        edges=(
            call(ONES((0, 2)), ONES((0, 2)), ONES((1, 2, 2))),
            call(ONES(1), ONES(1), ONES((1, 1, 1))),
            call(d.numbers(2, 1, 2), d.numbers(2, 1, 3), d.numbers(2, 2, 3, step=-0.1)),
        ),
        refusals=(
            refused("bilinear.*shapes", ValueError, ONES((2, 3)), ONES((3, 2)), ONES((1, 3, 2))),
            refused("bilinear.*weight", ValueError, ONES((2, 3)), ONES((2, 3)), ONES((3, 3))),
            refused("bilinear.*bias", ValueError, ONES((2, 3)), ONES((2, 3)), ONES((1, 3, 3)), ONES(2)),
        ),
        differentiable=(0, 1, 2, 3),
        tolerance=SUMMED,
        result_of_integers=None,
    ),
    d.listed(
        "F.pdist",
        lambda x, p=2.0: pdist(x, "minkowski", p=p) if len(x) > 1 else np.zeros(0),
        call(d.numbers(3, 2) ** 2, 3.0),
        call(d.numbers(3, 2) ** 2),
        edges=(call(ONES((0, 2))), call(ONES((1, 1)))),
        refusals=(
            refused("pdist.*matrix", ValueError, ONES(2)),
            refused("pdist: p", ValueError, ONES((2, 2)), -1.0),
        ),
        tolerance=COMPOSED,
        result_of_integers=None,
    ),
    d.listed(
        "F.conv_tbc",
        tbc,
        call(d.numbers(4, 2, 2), d.numbers(2, 2, 3, step=-0.1), d.numbers(3), 1),
        edges=(
            call(ONES((2, 0, 1)), ONES((1, 1, 1)), ONES(1)),
            call(ONES((1, 1, 1)), ONES((1, 1, 1)), ONES(1)),
        ),
        refusals=(refused("conv_tbc.*shapes", ValueError, ONES((2, 1)), ONES((1, 1, 1)), ONES(1)),),
        kind="fused",
        differentiable=(0, 1, 2),
        tolerance=SUMMED,
        result_of_integers=None,
    ),
    d.listed(
        "F.affine_grid",
        affine,
        call(d.numbers(1, 2, 3, step=-0.2), (1, 1, 2, 3), align_corners=True),
        call(d.numbers(2, 2, 3, step=-0.2), (2, 1, 2, 3)),
        edges=(
            call(np.zeros((0, 2, 3)), (0, 1, 2, 2)),
            call(d.numbers(1, 3, 4), (1, 0, 2, 1, 2)),
        ),
        refusals=(refused("affine_grid.*size", ValueError, ONES((1, 2, 3)), (2, 1, 2, 2)),),
        tolerance=SUMMED,
        result_of_integers=None,
    ),
    d.listed(
        "F.grid_sample",
        sample,
        call(IMAGE, GRID, padding_mode="border", align_corners=True),
        call(IMAGE, GRID),
        edges=(
            call(IMAGE, np.zeros((1, 0, 2, 2))),
            call(ONES((1, 1, 1, 1)), np.full((1, 1, 1, 2), 0.25)),
            call(IMAGE, GRID, "nearest"),
            call(d.numbers(1, 1, 2, 2, 3), np.array([0.3, -0.4, 0.1]).reshape(1, 1, 1, 1, 3)),
        ),
        refusals=(
            refused("grid_sample.*shape", ValueError, IMAGE, ONES((2, 1, 1, 2))),
            refused("grid_sample.*mode", ValueError, IMAGE, GRID, "cubic"),
            refused("grid_sample.*padding_mode", ValueError, IMAGE, GRID, padding_mode="circular"),
            refused("grid_sample.*bicubic", ValueError, ONES((1, 1, 1, 1, 1)), ONES((1, 1, 1, 1, 3)), "bicubic"),
        ),
        differentiable=(0, 1),
        tolerance=SUMMED,
        halves=False,  # a place rounded to a half is another place
        result_of_integers=None,
    ),
    *(
        d.listed(
            f"F.{name}",
            reference,
            CORNERS[-1],
            edges=CORNERS[:-1],
            tolerance=tolerance,
            result_of_integers=None,
            invoke=quietly,
        )
        for name, reference, tolerance in (
            ("upsample", lambda x, size, factor: x.repeat(factor, 2).repeat(factor, 3), EXACT),
            ("upsample_nearest", lambda x, size, factor: x.repeat(factor, 2).repeat(factor, 3), EXACT),
            ("upsample_bilinear", linear, SUMMED),
        )
    ),
]
