"""Colours: brightness, contrast, saturation, hue, grey."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._tensor import Tensor, new_tensor
from ...dtypes import float32, uint8
from ...errors import DtypeError, OptionError
from ...ops.creation import zeros_like
from ...ops.elementwise import where as choose
from . import pillow
from .images import image_of, is_pil, top_value


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """factor · x, cut off at white: 0 is black, 1 the image."""
    f = _factor("adjust_brightness", "brightness_factor", brightness_factor)
    if is_pil(img):
        return pillow.enhance(img, "Brightness", f)
    x = image_of("adjust_brightness", img, (1, 3))
    return _blend(x, zeros_like(x), f)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """m + factor · (x − m), with the mean m of the grey image: 0 is grey, 1 the image."""
    f = _factor("adjust_contrast", "contrast_factor", contrast_factor)
    if is_pil(img):
        return pillow.enhance(img, "Contrast", f)
    x = image_of("adjust_contrast", img, (1, 3))
    grey = rgb_to_grayscale(x) if x.shape[-3] == 3 else x
    grey = grey if grey.is_floating_point() else grey.to(float32)
    return _blend(x, grey.mean((-3, -2, -1), keepdim=True), f)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """g + factor · (x − g), with the grey image g: 0 is without colour, 1 the image."""
    f = _factor("adjust_saturation", "saturation_factor", saturation_factor)
    if is_pil(img):
        return pillow.enhance(img, "Color", f)
    x = image_of("adjust_saturation", img, (1, 3))
    return x if x.shape[-3] == 1 else _blend(x, rgb_to_grayscale(x), f)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """The hue turned by a share in [−½, ½] of the circle. No gradient flows through it.

    Source: A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978.
    """
    from .functional import convert_image_dtype

    if not -0.5 <= hue_factor <= 0.5:
        raise OptionError(f"adjust_hue: hue_factor must lie in [-0.5, 0.5], got {hue_factor}")
    if is_pil(img):
        return pillow.adjust_hue(img, hue_factor)
    x = image_of("adjust_hue", img, (1, 3))
    if x.shape[-3] == 1:
        return x
    rgb = convert_image_dtype(x, float32).array
    r, g, b = (rgb[..., i, :, :] for i in range(3))
    top, low = rgb.max(axis=-3), rgb.min(axis=-3)
    span = top - low
    flat = span == 0
    wide = np.where(flat, np.float32(1), span)
    sextant = np.where(top == r, (g - b) / wide, np.where(top == g, 2 + (b - r) / wide, 4 + (r - g) / wide))
    turned = (sextant + np.float32(6 * (hue_factor % 1.0))) % 6
    # Each of the three is the top, less the span where its hue is far: E(n) = top − span · clip(min(k, 4 − k), 0, 1)
    ks = [(np.float32(n) + turned) % 6 for n in (5, 3, 1)]
    out = np.stack([top - span * np.clip(np.minimum(k, 4 - k), 0, 1) for k in ks], axis=-3)
    return convert_image_dtype(new_tensor(np.clip(out, 0, 1).astype(np.float32)), x.dtype)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """gain · x^gamma of [0, 1]."""
    from .functional import convert_image_dtype

    gamma = _factor("adjust_gamma", "gamma", gamma)
    if is_pil(img):
        return pillow.adjust_gamma(img, gamma, gain)
    x = image_of("adjust_gamma", img, (1, 3))
    y = x if x.is_floating_point() else convert_image_dtype(x, float32)
    return convert_image_dtype((gain * y**gamma).clamp(0, 1), x.dtype)


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """0.2989 R + 0.587 G + 0.114 B, once or three times."""
    if num_output_channels not in (1, 3):
        raise OptionError(f"rgb_to_grayscale: num_output_channels must be 1 or 3, got {num_output_channels!r}")
    if is_pil(img):
        return pillow.to_grayscale(img, num_output_channels)
    x = image_of("rgb_to_grayscale", img, (1, 3))
    if x.shape[-3] == 3:
        r, g, b = (x[..., i : i + 1, :, :] for i in range(3))
        x = (0.2989 * r + 0.587 * g + 0.114 * b).to(x.dtype)
    else:
        x = x.clone()
    return x.expand(*x.shape[:-3], 3, *x.shape[-2:]) if num_output_channels == 3 else x


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """`rgb_to_grayscale` of an image of pillow."""
    if not is_pil(img):
        raise DtypeError(f"to_grayscale: expected an image of pillow, got {type(img).__name__}; use rgb_to_grayscale")
    return rgb_to_grayscale(img, num_output_channels)


def invert(img: Any) -> Any:
    """White − x."""
    from .functional import pil_to_tensor, to_pil_image

    if is_pil(img):
        return to_pil_image(invert(pil_to_tensor(img)), img.mode)
    x = image_of("invert", img, (1, 3))
    return (1 if x.is_floating_point() else int(top_value(x.array.dtype))) - x


def posterize(img: Any, bits: int) -> Any:
    """The `bits` highest bits of each byte."""
    from .functional import pil_to_tensor, to_pil_image

    if not 0 <= bits <= 8:
        raise OptionError(f"posterize: bits must lie in 0 … 8, got {bits}")
    if is_pil(img):
        return to_pil_image(posterize(pil_to_tensor(img), bits), img.mode)
    x = image_of("posterize", img, (1, 3))
    if x.dtype is not uint8:
        raise DtypeError(f"posterize: image must be of dtype uint8, got {x.dtype}")
    return new_tensor(x.array & np.uint8(256 - 2 ** (8 - bits)))


def solarize(img: Any, threshold: float) -> Any:
    """Inverted where x ≥ threshold."""
    from .functional import pil_to_tensor, to_pil_image

    if is_pil(img):
        return to_pil_image(solarize(pil_to_tensor(img), threshold), img.mode)
    x = image_of("solarize", img, (1, 3))
    if threshold > top_value(x.array.dtype):
        raise OptionError(f"solarize: threshold {threshold} lies above white, {top_value(x.array.dtype)}")
    return choose(x >= threshold, invert(x), x)


def _factor(where: str, name: str, value: float) -> float:
    if value < 0:
        raise OptionError(f"{where}: {name} must be ≥ 0, got {value}")
    return float(value)


def _blend(x: Tensor, y: Tensor, share: float) -> Tensor:
    return (share * x + (1.0 - share) * y).clamp(0, top_value(x.array.dtype)).to(x.dtype)
