"""Turned, shifted, scaled and sheared images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._tensor import Tensor, new_tensor
from ...dtypes import float32
from ...errors import OptionError, ShapeError
from ...ops.elementwise import where as choose
from ...ops.grid_sample import grid_sample
from ...ops.shape import cat
from . import pillow
from .images import InterpolationMode, back_to, image_of, interpolation_of, is_pil, size_of

_MODES = ("nearest", "bilinear")


def rotate(
    img: Any,
    angle: float,
    interpolation: Any = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[int] | None = None,
    fill: Any = None,
) -> Any:
    """Turned by `angle` degrees, counter-clockwise.

    interpolation  "nearest" or "bilinear"; of pillow's images also "bicubic"
    expand         a result that holds the whole image, turned about its own centre
    center         (x, y) from the upper left corner; by default the image's
    fill           what comes in from outside: a number, or one for each channel; zeros by default
    """
    mode = interpolation_of("rotate", interpolation)
    if center is not None and len(center) != 2:
        raise OptionError(f"rotate: center must be two numbers, got {center!r}")
    if is_pil(img):
        return pillow.rotate(img, angle, mode, expand, center, fill)
    x = image_of("rotate", img)
    h, w = size_of(x)
    about = (0.0, 0.0) if center is None else (center[0] - w / 2, center[1] - h / 2)
    matrix = _inverse(about, -angle, (0.0, 0.0), 1.0, (0.0, 0.0))
    return _warp("rotate", x, matrix, mode, fill, _turned_size(matrix, h, w) if expand else (h, w))


def affine(
    img: Any,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    interpolation: Any = InterpolationMode.NEAREST,
    fill: Any = None,
    center: Sequence[int] | None = None,
) -> Any:
    """Sheared, scaled and turned by `angle` degrees, clockwise, about the centre, then shifted.

    q = c + t + s · R(angle) K (p − c), with K the shears along x and along y, in degrees.
    """
    mode = interpolation_of("affine", interpolation)
    shears = [float(shear), 0.0] if isinstance(shear, int | float) else [float(s) for s in shear]
    shears = shears * 2 if len(shears) == 1 else shears
    if scale <= 0 or len(translate) != 2 or len(shears) != 2:
        raise OptionError(
            f"affine: expected two shifts, a scale > 0 and one or two shears, got {translate!r}, {scale!r}, {shear!r}"
        )
    if center is not None and len(center) != 2:
        raise OptionError(f"affine: center must be two numbers, got {center!r}")
    h, w = size_of(img if is_pil(img) else image_of("affine", img))
    middle = (w / 2, h / 2) if center is None else center
    if is_pil(img):
        matrix = _inverse(middle, angle, translate, scale, shears)
        return pillow.affine(img, matrix.ravel().tolist(), mode, fill)
    about = (middle[0] - w / 2, middle[1] - h / 2)
    return _warp("affine", img, _inverse(about, angle, translate, scale, shears), mode, fill, (h, w))


def _inverse(
    center: Sequence[float], angle: float, shift: Sequence[float], scale: float, shear: Sequence[float]
) -> np.ndarray:
    """(2, 3): where in the image a place of the result lies."""
    a, kx, ky = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    turned = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    along_y = np.array([[1.0, 0.0], [-math.tan(ky), 1.0]])
    along_x = np.array([[1.0, -math.tan(kx)], [0.0, 1.0]])
    back = np.linalg.inv(scale * turned @ along_y @ along_x)
    c = np.asarray(center, np.float64)
    return np.column_stack([back, c - back @ (c + np.asarray(shift, np.float64))])


def _turned_size(matrix: np.ndarray, h: int, w: int) -> tuple[int, int]:
    """The smallest size that holds the turned image."""
    corners = np.array([[-w, -h, 2], [-w, h, 2], [w, h, 2], [w, -h, 2]], np.float32) / np.float32(2)
    places = corners @ matrix.astype(np.float32).T + np.array([w, h], np.float32) / 2
    tolerance = np.float32(1e-4)  # a corner that misses a whole number by rounding does not cost a pixel
    high = np.ceil(np.trunc(places.max(axis=0) / tolerance) * tolerance)
    low = np.floor(np.trunc(places.min(axis=0) / tolerance) * tolerance)
    width, height = (high - low).astype(int).tolist()
    return height, width


def _warp(
    where: str, x: Tensor, matrix: np.ndarray, mode: InterpolationMode, fill: Any, size: tuple[int, int]
) -> Tensor:
    mode = interpolation_of(where, mode, _MODES)
    h, w = x.shape[-2:]
    work = x if x.dtype.is_floating_point and x.array.dtype.itemsize >= 4 else x.to(float32)
    dtype = work.array.dtype
    channels = x.shape[-3] if x.ndim > 2 else 1
    flat = work.reshape(-1, channels, h, w)
    oh, ow = size
    i, j = np.meshgrid(np.arange(oh) - (oh - 1) / 2, np.arange(ow) - (ow - 1) / 2, indexing="ij")
    places = np.stack([j, i, np.ones_like(i)], axis=-1).astype(dtype).reshape(-1, 3)
    to_unit = matrix.T.astype(dtype) / np.array([w / 2, h / 2], dtype)
    grid = np.broadcast_to((places @ to_unit).reshape(1, oh, ow, 2), (flat.shape[0], oh, ow, 2))
    if fill is not None:  # a channel of ones says how much of each pixel comes from inside
        flat = cat([flat, flat.new_ones((flat.shape[0], 1, h, w))], 1)
    y = grid_sample(flat, new_tensor(np.ascontiguousarray(grid)), mode=mode.value, align_corners=False)
    if fill is not None:
        values = np.asarray(fill if isinstance(fill, list | tuple) else [fill], dtype)
        if len(values) not in (1, channels):
            raise ShapeError(f"{where}: {len(values)} values of fill do not fit an image of shape {tuple(x.shape)}")
        outside = new_tensor(values.reshape(1, -1, 1, 1))
        y, inside = y[:, :-1], y[:, -1:]
        nearest = mode is InterpolationMode.NEAREST
        y = choose(inside < 0.5, outside, y) if nearest else y * inside + (1.0 - inside) * outside
    return back_to(y.reshape(*x.shape[:-2], oh, ow), x.dtype)
