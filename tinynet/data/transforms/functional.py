"""The transforms as functions, without their random draws; the names and results are torchvision's.

Images are tensors (…, C, H, W), floating-point in [0, 1] or integers, through which gradients flow (but for the hue); or
images of pillow, where it is installed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._tensor import Tensor, new_tensor
from ...dtypes import as_dtype, float32, get_default_dtype
from ...errors import DtypeError, OptionError, ShapeError
from ...ops.creation import as_tensor
from ...ops.interpolate import interpolate
from ...ops.pool import along
from . import pillow
from .colour import (
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    invert,
    posterize,
    rgb_to_grayscale,
    solarize,
    to_grayscale,
)
from .images import InterpolationMode, back_to, image_of, interpolation_of, is_pil, pair, size_of, top_value
from .warping import affine, rotate

__all__ = [
    "InterpolationMode",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "affine",
    "center_crop",
    "convert_image_dtype",
    "crop",
    "erase",
    "gaussian_blur",
    "get_dimensions",
    "get_image_num_channels",
    "get_image_size",
    "hflip",
    "invert",
    "normalize",
    "pad",
    "pil_to_tensor",
    "posterize",
    "resize",
    "resized_crop",
    "rgb_to_grayscale",
    "rotate",
    "solarize",
    "to_grayscale",
    "to_pil_image",
    "to_tensor",
    "vflip",
]

PAD_MODES = ("constant", "edge", "reflect", "symmetric")


def get_dimensions(img: Any) -> list[int]:
    """[channels, height, width]"""
    if is_pil(img):
        return [pillow.channels(img), img.height, img.width]
    x = image_of("get_dimensions", img)
    return [x.shape[-3] if x.ndim > 2 else 1, *x.shape[-2:]]


def get_image_size(img: Any) -> list[int]:
    """[width, height]"""
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img: Any) -> int:
    """How many channels."""
    return get_dimensions(img)[0]


# conversions


def to_tensor(pic: Any) -> Tensor:
    """An array (H, W) or (H, W, C), or an image of pillow, as a tensor (C, H, W); bytes become [0, 1] in float32."""
    if not is_pil(pic) and not isinstance(pic, np.ndarray):
        raise DtypeError(f"to_tensor: expected an array or an image of pillow, got {type(pic).__name__}")
    x = _channels_first("to_tensor", pillow.to_array(pic) if is_pil(pic) else pic)
    return x.to(get_default_dtype()) / 255 if x.array.dtype == np.uint8 else x


def pil_to_tensor(pic: Any) -> Tensor:
    """An image of pillow as a tensor (C, H, W) of its own dtype."""
    if not is_pil(pic):
        raise DtypeError(f"pil_to_tensor: expected an image of pillow, got {type(pic).__name__}")
    return _channels_first("pil_to_tensor", pillow.to_array(pic))


def _channels_first(where: str, a: np.ndarray) -> Tensor:
    if a.ndim not in (2, 3):
        raise ShapeError(f"{where}: expected (H, W) or (H, W, C), got shape {a.shape}")
    a = a[..., None] if a.ndim == 2 else a
    return as_tensor(np.ascontiguousarray(a.transpose(2, 0, 1)))


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A tensor (C, H, W) or (H, W), or an array (H, W, C) or (H, W), as an image of pillow; [0, 1] becomes bytes."""
    if isinstance(pic, Tensor):
        if pic.ndim not in (2, 3):
            raise ShapeError(f"to_pil_image: expected (C, H, W) or (H, W), got shape {tuple(pic.shape)}")
        a = pic.detach().array
        if a.dtype.kind == "f" and mode != "F":
            a = (a * 255).astype(np.uint8)
        return pillow.from_array(a.transpose(1, 2, 0) if a.ndim == 3 else a, mode)
    if not isinstance(pic, np.ndarray) or pic.ndim not in (2, 3):
        raise DtypeError(f"to_pil_image: expected a Tensor or an array (H, W[, C]), got {type(pic).__name__}")
    return pillow.from_array(pic, mode)


def convert_image_dtype(image: Tensor, dtype: Any = float32) -> Tensor:
    """The image in another dtype, scaled: floating-point numbers lie in [0, 1], integers in 0 … their largest.

    Raises DtypeError for float32 → int32, int64 and float64 → int64, which would not hold the numbers.
    """
    x, to = image_of("convert_image_dtype", image), as_dtype(dtype)
    if x.dtype is to:
        return x
    old, new = x.array.dtype, to.numpy
    if old.kind == "f":
        if to.is_floating_point:
            return x.to(to)
        if new.itemsize >= old.itemsize and new.itemsize > 2:
            raise DtypeError(f"convert_image_dtype: {x.dtype} cannot be converted to {to} safely")
        return (x * (top_value(new) + 1 - 1e-3)).to(to)  # so that each integer has an equal share of [0, 1]
    if to.is_floating_point:
        return x.to(to) / top_value(old)
    if top_value(old) > top_value(new):
        return new_tensor((x.array // int((top_value(old) + 1) // (top_value(new) + 1))).astype(new))
    return x.to(to) * int((top_value(new) + 1) // (top_value(old) + 1))


def normalize(tensor: Tensor, mean: Any, std: Any, inplace: bool = False) -> Tensor:
    """(x − mean)/std for each channel of (…, C, H, W)."""
    x = image_of("normalize", tensor)
    if not x.is_floating_point():
        raise DtypeError(f"normalize: image must be floating-point, got {x.dtype}")
    m, s = (np.atleast_1d(np.asarray(v.array if isinstance(v, Tensor) else v, x.array.dtype)) for v in (mean, std))
    if (s == 0).any():
        raise OptionError(f"normalize: std must not contain 0, got {std}")
    if x.ndim < 3 or m.ndim != 1 or s.ndim != 1 or any(len(v) not in (1, x.shape[-3]) for v in (m, s)):
        raise ShapeError(f"normalize: {m.size} means and {s.size} stds do not fit an image of shape {tuple(x.shape)}")
    mean, std = (new_tensor(v.reshape(-1, 1, 1)) for v in (m, s))
    return x.sub_(mean).div_(std) if inplace else (x - mean) / std


# geometry


def resize(
    img: Any,
    size: int | Sequence[int],
    interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """(…, H, W) → (…, *size); of one number the shorter side gets it, and the longer one its share.

    interpolation  "bilinear" and "bicubic", which average over what falls together unless antialias=False; "nearest",
                   "nearest-exact"; of pillow's images also "box", "hamming", "lanczos"
    max_size       of one number: the most that the longer side may have; then the shorter one gets less
    """
    mode = interpolation_of("resize", interpolation)
    h, w = size_of(img if is_pil(img) else image_of("resize", img))
    new = _new_size(h, w, size, max_size)
    if new == (h, w):
        return img
    if is_pil(img):
        return pillow.resize(img, new, mode)
    mode = interpolation_of("resize", mode, ("nearest", "nearest-exact", "bilinear", "bicubic"))
    smooth = mode in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)
    x = img if img.dtype.is_floating_point and img.array.dtype.itemsize >= 4 else img.to(float32)
    flat = x.reshape(1, math.prod(x.shape[:-2]), h, w)
    y = interpolate(
        flat, new, mode=mode.value, align_corners=False if smooth else None, antialias=bool(antialias and smooth)
    )
    if mode is InterpolationMode.BICUBIC and not img.dtype.is_floating_point:
        y = y.clamp(0, top_value(img.array.dtype))
    return back_to(y.reshape(*x.shape[:-2], *new), img.dtype)


def _new_size(h: int, w: int, size: Any, max_size: int | None) -> tuple[int, int]:
    values = (size,) if isinstance(size, int) else tuple(size)
    if len(values) not in (1, 2) or any(not isinstance(v, int | np.integer) or v < 1 for v in values):
        raise OptionError(f"resize: size must be a number ≥ 1 or two, got {size!r}")
    if len(values) == 2:
        if max_size is not None:
            raise OptionError("resize: max_size needs a size of one number")
        return int(values[0]), int(values[1])
    short, long = int(values[0]), int(values[0] * max(h, w) / min(h, w))
    if max_size is not None:
        if max_size <= short:
            raise OptionError(f"resize: max_size must be larger than size {short}, got {max_size}")
        if long > max_size:
            short, long = int(max_size * short / long), max_size
    return (short, long) if h <= w else (long, short)


def hflip(img: Any) -> Any:
    """Mirror left and right."""
    return pillow.flip(img, -1) if is_pil(img) else image_of("hflip", img).flip([-1])


def vflip(img: Any) -> Any:
    """Mirror top and bottom."""
    return pillow.flip(img, -2) if is_pil(img) else image_of("vflip", img).flip([-2])


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """The window of `height` rows from `top` and `width` columns from `left`; zeros outside of the image."""
    if is_pil(img):
        return pillow.crop(img, top, left, height, width)
    x = image_of("crop", img)
    h, w = x.shape[-2:]
    inside = x[..., max(top, 0) : max(min(top + height, h), 0), max(left, 0) : max(min(left + width, w), 0)]
    around = [max(-left, 0), max(-top, 0), max(left + width - w, 0), max(top + height - h, 0)]
    around = [min(a, s) for a, s in zip(around, (width, height, width, height), strict=True)]
    return pad(inside, around) if any(around) else inside


def center_crop(img: Any, output_size: int | Sequence[int]) -> Any:
    """The middle (…, *output_size) of the image, which is padded with zeros where it is smaller."""
    (h, w), (old_h, old_w) = pair("center_crop", "output_size", output_size), size_of(img)
    if h > old_h or w > old_w:
        around = [max(w - old_w, 0) // 2, max(h - old_h, 0) // 2, (max(w - old_w, 0) + 1) // 2]
        img = pad(img, [*around, (max(h - old_h, 0) + 1) // 2])
        old_h, old_w = size_of(img)
    return crop(img, round((old_h - h) / 2.0), round((old_w - w) / 2.0), h, w)


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | Sequence[int],
    interpolation: Any = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """`crop`, then `resize`."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def pad(img: Any, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant") -> Any:
    """More rows and columns around the image; fewer where `padding` is negative.

    padding       a number; (left and right, top and bottom); or (left, top, right, bottom)
    padding_mode  "constant": `fill`; "edge": the last pixel; "reflect": mirrored at it; "symmetric": mirrored behind it
    """
    widths = _paddings("pad", padding, padding_mode)
    if is_pil(img):
        return pillow.pad(img, widths, fill, padding_mode)
    x = image_of("pad", img)
    left, top, right, bottom = widths
    h, w = x.shape[-2:]
    x = x[..., max(-top, 0) : h - max(-bottom, 0), max(-left, 0) : w - max(-right, 0)]
    left, top, right, bottom = (max(v, 0) for v in widths)
    h, w = x.shape[-2:]
    if padding_mode == "constant":
        value = fill[0] if isinstance(fill, list | tuple) and len(fill) == 1 else fill or 0
        if isinstance(value, list | tuple):
            value = new_tensor(np.asarray(value, x.array.dtype).reshape(-1, 1, 1))
        rows = x.new_zeros((*x.shape[:-2], h + top + bottom, w + left + right)) + value
        result = rows.to(x.dtype)
        result[..., top : top + h, left : left + w] = x
        return result
    if padding_mode == "reflect" and (max(top, bottom) >= h or max(left, right) >= w):
        raise ShapeError(f"pad: padding {padding} of mode 'reflect' must be smaller than the image {tuple(x.shape)}")
    i = np.pad(np.arange(h), (top, bottom), padding_mode)  # type: ignore[call-overload]
    j = np.pad(np.arange(w), (left, right), padding_mode)  # type: ignore[call-overload]
    return x[..., new_tensor(i[:, None]), new_tensor(j)]


def _paddings(where: str, padding: Any, mode: str) -> tuple[int, int, int, int]:
    if mode not in PAD_MODES:
        raise OptionError(f"{where}: unknown padding_mode {mode!r}; expected one of {', '.join(PAD_MODES)}")
    p = (padding,) if isinstance(padding, int) else tuple(padding)
    if len(p) not in (1, 2, 4) or any(not isinstance(v, int | np.integer) for v in p):
        raise OptionError(f"{where}: padding must be 1, 2 or 4 numbers, got {padding!r}")
    a, b, c, d = p * 4 if len(p) == 1 else p * 2 if len(p) == 2 else p
    return int(a), int(b), int(c), int(d)


# filters


def gaussian_blur(img: Any, kernel_size: int | Sequence[int], sigma: Any = None) -> Any:
    """Each pixel an average with weights exp(−d²/2σ²) over (kernel_size) pixels; the image is reflected at its edges.

    kernel_size  a number, or (width, height), odd
    sigma        the same; by default 0.3 ((k − 1)/2 − 1) + 0.8
    """
    sizes = pair("gaussian_blur", "kernel_size", kernel_size)
    if any(k % 2 == 0 for k in sizes):
        raise OptionError(f"gaussian_blur: kernel_size must be odd, got {kernel_size!r}")
    if sigma is None:
        sigma = [0.15 * k + 0.35 for k in sizes]
    sigmas = [float(sigma)] * 2 if isinstance(sigma, int | float) else [float(s) for s in sigma] * (2 // len(sigma))
    if len(sigmas) != 2 or min(sigmas) <= 0:
        raise OptionError(f"gaussian_blur: sigma must be one or two numbers > 0, got {sigma!r}")
    if is_pil(img):
        return to_pil_image(gaussian_blur(pil_to_tensor(img), sizes, sigmas), img.mode)
    x = image_of("gaussian_blur", img)
    y = x if x.dtype.is_floating_point and x.array.dtype.itemsize >= 4 else x.to(float32)
    for axis, k, s in ((-1, sizes[0], sigmas[0]), (-2, sizes[1], sigmas[1])):
        n = x.shape[axis]
        if k // 2 >= n:
            raise ShapeError(f"gaussian_blur: kernel_size {kernel_size} is too large for an image {tuple(x.shape)}")
        d = np.arange(k) - k // 2
        weights = np.exp(-0.5 * (d / s) ** 2)
        places = np.pad(np.arange(n), k // 2, "reflect")
        matrix = np.zeros((n, n))
        for i, weight in enumerate(weights / weights.sum()):
            np.add.at(matrix, (np.arange(n), places[i : i + n]), weight)
        y = along(y, matrix, y.ndim + axis)
    return back_to(y, x.dtype)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Tensor:
    """The window of h rows from i and w columns from j set to v, of a copy unless `inplace`."""
    x = image_of("erase", img)
    x = x if inplace else x.clone()
    x[..., i : i + h, j : j + w] = v
    return x
