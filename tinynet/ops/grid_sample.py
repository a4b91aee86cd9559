"""Reading images between their elements: places in a grid, and the grids of affine maps."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..errors import ShapeError
from . import primitives as P
from .checks import floating, one_of, same_dtype

Array = np.ndarray[Any, Any]


def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """Where an affine map takes each place of an image: (N, H, W, 2) of x and y, or (N, D, H, W, 3).

    theta          (N, 2, 3) or (N, 3, 4)
    size           (N, C, H, W) or (N, C, D, H, W) of the result of `grid_sample`
    align_corners  −1 and 1 are the middles of the first and last element, and not their outer edges

    Source: Jaderberg, Simonyan, Zisserman, Kavukcuoglu, NeurIPS 2015.
    """
    t, (n, _, *out) = floating("affine_grid", "theta", theta), tuple(int(m) for m in size)
    d = len(out)
    if d not in (2, 3) or t.array.shape != (n, d, d + 1) or min(out) < 1:
        raise ShapeError(
            f"affine_grid: theta {tuple(t.array.shape)} does not fit size {tuple(size)}; expected (N, 2, 3)"
        )
    axes = [np.linspace(-1, 1, m) * (1 if align_corners else (m - 1) / m) if m > 1 else np.zeros(1) for m in out]
    base = np.stack([*reversed(np.meshgrid(*axes, indexing="ij")), np.ones(out)], -1).astype(t.array.dtype)
    grid = P.matmul(base.reshape(1, -1, d + 1), P.permute(t, axes=(0, 2, 1)))
    return P.reshape(grid, shape=(n, *out, d))


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """input (N, C, H, W) at the places grid (N, H', W', 2) of x and y in [−1, 1]: (N, C, H', W'). Volumes alike.

    mode           "bilinear", "nearest" (halves to even), or for images "bicubic" (Keys, A = −¾)
    padding_mode   beyond the ends: "zeros", "border" (the nearest element), or "reflection"
    align_corners  −1 and 1 are the middles of the first and last element, and not their outer edges

    Source: Jaderberg, Simonyan, Zisserman, Kavukcuoglu, NeurIPS 2015.
    """
    where = "grid_sample"
    one_of(where, "mode", mode, "bilinear", "nearest", "bicubic")
    one_of(where, "padding_mode", padding_mode, "zeros", "border", "reflection")
    same_dtype(where, input=input, grid=grid)
    d, x, g = input.ndim - 2, input.array, grid.array
    if d not in (2, 3) or grid.ndim != d + 2 or g.shape[0] != x.shape[0] or g.shape[-1] != d or 0 in x.shape[1:]:
        raise ShapeError(f"{where}: grid of shape {tuple(g.shape)} does not fit input of shape {tuple(x.shape)}")
    if mode == "bicubic" and d == 3:
        raise ShapeError(f"{where}: mode 'bicubic' is for images, got input of shape {tuple(x.shape)}")
    planes = P.permute(input, axes=(0, *range(2, d + 2), 1))
    taps = []
    for i, n in enumerate(x.shape[2:]):
        u = P.add(P.index(grid, index=(*(slice(None),) * (d + 1), d - 1 - i)), 1.0)
        u = P.mul(u, (n - 1) / 2) if align_corners else P.div(P.sub(P.mul(u, float(n)), 1.0), 2.0)
        u = P.where(np.isfinite(u.array), u, u.array.dtype.type(-100))
        taps.append(_taps(u, n, mode, padding_mode, bool(align_corners)))
    sample = np.arange(x.shape[0]).reshape(-1, *(1,) * d)
    total: Any = None
    for corner in itertools.product(*taps):
        inside = np.logical_and.reduce([(k >= 0) & (k < n) for (k, _), n in zip(corner, x.shape[2:], strict=True)])
        places = [np.clip(k, 0, n - 1) for (k, _), n in zip(corner, x.shape[2:], strict=True)]
        seen = P.where(inside[..., None], P.index(planes, index=(sample, *places)), x.dtype.type(0))
        for _, weight in corner:
            seen = P.mul(seen, P.reshape(weight, shape=(*weight.array.shape, 1)))
        total = seen if total is None else P.add(total, seen)
    return P.permute(total, axes=(0, d + 1, *range(1, d + 1)))


def _taps(u: Tensor, n: int, mode: str, padding: str, align: bool) -> list[tuple[Array, Tensor]]:
    """The elements that the place u of one dimension is read from, and their weights."""
    if mode == "bicubic":
        first = np.floor(u.array)
        t = P.sub(u, first)
        places = [_inside_array(first + i, n, padding, align).astype(np.int64) for i in (-1, 0, 1, 2)]
        return list(zip(places, _cubic(t), strict=True))
    u = _inside(u, n, padding, align)
    if mode == "nearest":
        return [(np.rint(u.array).astype(np.int64), P.add(P.mul(u, 0.0), 1.0))]  # the grid's gradient is zeros
    first = np.floor(u.array)
    t = P.sub(u, first)
    return [(first.astype(np.int64), P.sub(1.0, t)), (first.astype(np.int64) + 1, t)]


def _ends(n: int, align: bool) -> tuple[float, float]:
    """Where a reflection turns back, and how long one way is."""
    return (0.0, n - 1.0) if align else (-0.5, float(n))


def _inside(u: Tensor, n: int, padding: str, align: bool) -> Tensor:
    """u brought into 0 … n − 1, unless zeros lie beyond; the slope at the ends is 0."""
    if padding == "zeros":
        return u
    if padding == "reflection":
        low, span = _ends(n, align)
        if span == 0:
            return P.mul(u, 0.0)
        away = P.absolute(P.sub(u, low))
        flips = np.floor(away.array / span)
        rest = P.sub(away, (flips * span).astype(u.array.dtype))
        u = P.add(P.where(flips % 2 == 0, rest, P.sub(span, rest)), low)
    number = u.array.dtype.type
    return P.where(u.array <= 0, number(0), P.where(u.array >= n - 1, number(n - 1), u))


def _inside_array(u: Array, n: int, padding: str, align: bool) -> Array:
    if padding == "zeros":
        return u
    if padding == "reflection":
        low, span = _ends(n, align)
        if span == 0:
            return np.zeros_like(u)
        away = np.abs(u - low)
        rest = np.fmod(away, span)
        u = np.where(np.floor(away / span) % 2 == 0, rest, span - rest) + low
    return np.clip(u, 0, n - 1)


def _cubic(t: Tensor, a: float = -0.75) -> list[Tensor]:
    """Keys' weights of the four elements around a place t behind the second one."""

    def near(s: Tensor) -> Tensor:
        return P.add(P.mul(P.mul(P.sub(P.mul(s, a + 2), a + 3), s), s), 1.0)

    def far(s: Tensor) -> Tensor:
        return P.sub(P.mul(P.add(P.mul(P.sub(P.mul(s, a), 5 * a), s), 8 * a), s), 4 * a)

    other = P.sub(1.0, t)
    return [far(P.add(t, 1.0)), near(t), near(other), far(P.add(other, 1.0))]
