"""Resizing images, and moving elements between channels and space."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..errors import OptionError, ShapeError
from . import primitives as P
from .adaptive_pool import _adaptive_avg_nd
from .checks import floating, one_of, tensor_of
from .pool import along

Array = np.ndarray[Any, Any]
MODES = ("nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area")
DIMENSIONS = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """(N, C, *size) → (N, C, *size'), each dimension by itself: y = W x with weights that depend on the places alone.

    size, scale_factor      one of them: a number, or one for each dimension
    mode                    "nearest" (place ⌊i·s⌋, s = n/n'), "nearest-exact" (⌊(i + ½)·s⌋), "linear", "bilinear",
                            "trilinear", "bicubic" (Keys, A = −¾) or "area" (adaptive averages)
    align_corners           for the linear and cubic modes: the corners keep their values; else place (i + ½)·s − ½
    recompute_scale_factor  s from the sizes, not from scale_factor

    antialias               "bilinear" and "bicubic" (here A = −½), where the result is smaller: the weights are as wide as
                            the step s, so that every element counts
    """
    x = floating("interpolate", "input", input)
    one_of("interpolate", "mode", mode, *MODES)
    n = x.ndim - 2
    if n not in (1, 2, 3) or DIMENSIONS.get(mode, n) != n or 0 in x.array.shape[1:]:
        raise ShapeError(f"interpolate: mode {mode!r} does not fit an input of shape {tuple(x.array.shape)}")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise OptionError(f"interpolate: antialias is for modes 'bilinear' and 'bicubic', got {mode!r}")
    if align_corners is not None and mode not in DIMENSIONS:
        raise OptionError(f"interpolate: align_corners is for {', '.join(DIMENSIONS)}, not for mode {mode!r}")
    out, scales = _sizes(x, n, size, scale_factor, recompute_scale_factor)
    if mode == "area":
        return _adaptive_avg_nd(n, x, out)
    for axis, (m, scale) in enumerate(zip(out, scales, strict=True), 2):
        old = x.array.shape[axis]
        if mode.startswith("nearest"):
            x = _nearest(x, axis, m, scale, 0.5 if mode == "nearest-exact" else 0.0)
        elif m != old or scale != 1.0:
            weights = _wide_weights if antialias else _weights
            x = along(x, weights(old, m, scale, bool(align_corners), mode == "bicubic"), axis)
    return P.clone(x) if x is input else x


def _sizes(x: Tensor, n: int, size: Any, factor: Any, recompute: bool | None) -> tuple[tuple[int, ...], list[float]]:
    """The sizes of the result, and the step between its places in the input."""
    if (size is None) == (factor is None):
        raise OptionError("interpolate: give either size or scale_factor")
    value = factor if size is None else size
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * n
    name, old = "scale_factor" if size is None else "size", x.array.shape[2:]
    if len(values) != n:
        raise ShapeError(f"interpolate: {name} must be a number or {n} numbers, got {value!r}")
    if size is not None and recompute:
        raise OptionError("interpolate: recompute_scale_factor needs a scale_factor")
    out = tuple(int(v) if size is not None else math.floor(float(v) * m) for v, m in zip(values, old, strict=True))
    if any(m < 1 for m in out):
        raise OptionError(f"interpolate: {name} {value!r} gives a size of {out}; expected sizes ≥ 1")
    if size is not None or recompute:
        return out, [m / k for m, k in zip(old, out, strict=True)]
    return out, [1.0 / float(v) for v in values]


def _nearest(x: Tensor, axis: int, m: int, scale: float, shift: float) -> Tensor:
    n = x.array.shape[axis]
    if m == n and scale == 1.0:
        return x
    if m % n == 0 and scale == n / m:  # each element m/n times: repeated without copying, and summed in the backward
        wide = (*x.array.shape[: axis + 1], m // n, *x.array.shape[axis + 1 :])
        thin = (*x.array.shape[: axis + 1], 1, *x.array.shape[axis + 1 :])
        shape = (*x.array.shape[:axis], m, *x.array.shape[axis + 1 :])
        return P.reshape(P.expand(P.reshape(x, shape=thin), shape=wide), shape=shape)
    i = np.arange(m, dtype=np.float32) + np.float32(shift)
    places = np.minimum(np.floor(i * np.float32(scale)).astype(np.int64), n - 1)
    return P.index(x, index=(*(slice(None),) * axis, places))


def _weights(n: int, m: int, scale: float, align_corners: bool, cubic: bool) -> Array:
    """(m, n): of which elements, with which weights, each of the result is made."""
    i = np.arange(m, dtype=np.float64)
    if align_corners:
        place = i * ((n - 1) / (m - 1)) if m > 1 else i
    else:
        place = (i + 0.5) * scale - 0.5
        place = place if cubic else np.maximum(place, 0.0)
    first = np.floor(place)
    t = place - first
    if cubic:
        taps = {-1: _keys(t + 1, False), 0: _keys(t, True), 1: _keys(1 - t, True), 2: _keys(2 - t, False)}
    else:
        taps = {0: 1 - t, 1: t}
    weights = np.zeros((m, n))
    for offset, w in taps.items():
        np.add.at(weights, (np.arange(m), np.clip(first.astype(np.int64) + offset, 0, n - 1)), w)
    return weights


def _wide_weights(n: int, m: int, scale: float, align_corners: bool, cubic: bool) -> Array:
    """(m, n): the kernel stretched over the step, if that is above 1, and normed to a sum of 1."""
    if align_corners:
        scale = (n - 1) / (m - 1) if m > 1 else 0.0
    width = max(scale, 1.0)
    reach = width * (2 if cubic else 1)
    centre = (np.arange(m) + 0.5)[:, None] * scale
    j = np.arange(n)
    d = np.abs(j - centre + 0.5) / width
    weights = np.where(d < 1, _keys(d, True, -0.5), _keys(d, False, -0.5)) if cubic else 1 - d
    inside = (j >= np.floor(centre - reach + 0.5)) & (j < np.floor(centre + reach + 0.5))
    weights = np.where(inside & (d < (2 if cubic else 1)), weights, 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


def _keys(d: Array, near: bool, a: float = -0.75) -> Array:
    """The cubic convolution kernel for distances below 1 (near) and from 1 to 2. Source: Keys, IEEE ASSP 29, 1981."""
    return ((a + 2) * d - (a + 3)) * d * d + 1 if near else ((a * d - 5 * a) * d + 8 * a) * d - 4 * a


def _factor(where: str, name: str, value: Any) -> int:
    if not hasattr(value, "__index__") or value < 1:
        raise OptionError(f"{where}: {name} must be an integer ≥ 1, got {value!r}")
    return int(value)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(…, C·r², H, W) → (…, C, H·r, W·r). Source: Shi et al., CVPR 2016."""
    x, r = tensor_of("pixel_shuffle", "input", input), _factor("pixel_shuffle", "upscale_factor", upscale_factor)
    if x.ndim < 3 or x.array.shape[-3] % (r * r):
        raise ShapeError(
            f"pixel_shuffle: expected (…, C, H, W), C a multiple of {r * r}, got shape {tuple(x.array.shape)}"
        )
    *rest, c, h, w = x.array.shape
    k, c = len(rest), c // (r * r)
    y = P.reshape(x, shape=(*rest, c, r, r, h, w))
    y = P.permute(y, axes=(*range(k + 1), k + 3, k + 1, k + 4, k + 2))
    return P.reshape(y, shape=(*rest, c, h * r, w * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(…, C, H·r, W·r) → (…, C·r², H, W): the inverse of pixel_shuffle."""
    x, r = (
        tensor_of("pixel_unshuffle", "input", input),
        _factor("pixel_unshuffle", "downscale_factor", downscale_factor),
    )
    if x.ndim < 3 or x.array.shape[-2] % r or x.array.shape[-1] % r:
        raise ShapeError(
            f"pixel_unshuffle: expected (…, C, H, W), H and W multiples of {r}, got shape {tuple(x.array.shape)}"
        )
    *rest, c, h, w = x.array.shape
    k, h, w = len(rest), h // r, w // r
    y = P.reshape(x, shape=(*rest, c, h, r, w, r))
    y = P.permute(y, axes=(*range(k + 1), k + 2, k + 4, k + 1, k + 3))
    return P.reshape(y, shape=(*rest, c * r * r, h, w))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """(N, groups·K, …) with the channels k of all groups beside each other. Source: Zhang et al., CVPR 2018."""
    x, g = tensor_of("channel_shuffle", "input", input), _factor("channel_shuffle", "groups", groups)
    if x.ndim < 3 or x.array.shape[1] % g:
        raise ShapeError(f"channel_shuffle: expected (N, C, …), C a multiple of {g}, got shape {tuple(x.array.shape)}")
    n, c, *rest = x.array.shape
    y = P.permute(P.reshape(x, shape=(n, g, c // g, *rest)), axes=(0, 2, 1, *range(3, x.ndim + 1)))
    return P.reshape(y, shape=x.array.shape)


# PyTorch's older names


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """`interpolate` by its older name, which warns."""
    floating("upsample", "input", input)
    warnings.warn("upsample: deprecated; use interpolate", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` with mode="nearest" by its older name, which warns."""
    floating("upsample_nearest", "input", input)
    warnings.warn("upsample_nearest: deprecated; use interpolate", stacklevel=2)
    return interpolate(input, size, scale_factor)


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` with mode="bilinear" and align_corners=True by its older name, which warns."""
    floating("upsample_bilinear", "input", input)
    warnings.warn("upsample_bilinear: deprecated; use interpolate", stacklevel=2)
    return interpolate(input, size, scale_factor, "bilinear", True)
