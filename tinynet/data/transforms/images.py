"""What the transforms know of images: tensors (…, C, H, W), floating-point in [0, 1] or integers, and pillow's images."""

from __future__ import annotations

import enum
import sys
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np

from ..._tensor import Tensor
from ...errors import DtypeError, OptionError, ShapeError
from ...random import current_generator


class InterpolationMode(enum.Enum):
    """How values between pixels are made. Tensors take the first four, pillow's images all but NEAREST_EXACT."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


PILLOW = {
    InterpolationMode.NEAREST: 0,
    InterpolationMode.NEAREST_EXACT: 0,
    InterpolationMode.LANCZOS: 1,
    InterpolationMode.BILINEAR: 2,
    InterpolationMode.BICUBIC: 3,
    InterpolationMode.BOX: 4,
    InterpolationMode.HAMMING: 5,
}
_FROM_NUMBER: dict[int, InterpolationMode] = {
    n: mode for mode, n in PILLOW.items() if mode is not InterpolationMode.NEAREST_EXACT
}


def interpolation_of(where: str, value: Any, allowed: Sequence[str] | None = None) -> InterpolationMode:
    """The mode that an option names: a mode, its value, or pillow's number."""
    mode: InterpolationMode | None = (
        _FROM_NUMBER.get(int(value)) if isinstance(value, int) and not isinstance(value, bool) else None
    )
    if mode is None:
        try:
            mode = InterpolationMode(value)
        except ValueError:
            names = [repr(m.value) for m in InterpolationMode]
            raise OptionError(f"{where}: interpolation must be one of {', '.join(names)}, got {value!r}") from None
    if allowed is not None and mode.value not in allowed:
        raise OptionError(f"{where}: interpolation of tensors must be one of {', '.join(allowed)}, got {mode.value!r}")
    return mode


def is_pil(image: Any) -> TypeGuard[Any]:
    """Whether this is an image of pillow (which is not imported for the question)."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def image_of(where: str, image: Any, channels: Sequence[int] = ()) -> Tensor:
    """The tensor, checked: (…, H, W), and with some number of channels where that matters."""
    if not isinstance(image, Tensor):
        raise DtypeError(f"{where}: image must be a Tensor or an image of pillow, got {type(image).__name__}")
    if image.ndim < (3 if channels else 2):
        shape = "(…, C, H, W)" if channels else "(…, H, W)"
        raise ShapeError(f"{where}: expected an image {shape}, got shape {tuple(image.shape)}")
    if channels and image.shape[-3] not in channels:
        wanted = " or ".join(map(str, channels))
        raise ShapeError(f"{where}: expected {wanted} channels, got shape {tuple(image.shape)}")
    return image


def size_of(image: Any) -> tuple[int, int]:
    """(height, width)"""
    return (image.height, image.width) if is_pil(image) else tuple(image.shape[-2:])


def top_value(dtype: np.dtype[Any]) -> float:
    """What white is in this dtype: 1 for floating-point numbers, the largest number for integers."""
    return float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0


def back_to(x: Tensor, dtype: Any) -> Tensor:
    """A floating-point result in the image's dtype again; integers are rounded."""
    if x.dtype is dtype:
        return x
    return (x if dtype.is_floating_point else x.round()).to(dtype)


def pair(where: str, name: str, value: Any) -> tuple[int, int]:
    """(height, width) from a number or two."""
    found = (value, value) if isinstance(value, int | np.integer) else tuple(value)
    if len(found) == 1:
        found *= 2
    if len(found) != 2 or any(not isinstance(v, int | np.integer) or v < 0 for v in found):
        raise OptionError(f"{where}: {name} must be a number or two, got {value!r}")
    return int(found[0]), int(found[1])


def bounds(where: str, name: str, value: Any, symmetric: bool = False) -> tuple[float, float]:
    """(low, high) from two numbers, or (−v, v) from one."""
    if symmetric and isinstance(value, int | float):
        if value < 0:
            raise OptionError(f"{where}: a single number {name} must be ≥ 0, got {value}")
        return -float(value), float(value)
    if isinstance(value, int | float | str) or len(value) != 2 or value[0] > value[1]:
        what = "a number or (low, high)" if symmetric else "(low, high)"
        raise OptionError(f"{where}: {name} must be {what}, got {value!r}")
    return float(value[0]), float(value[1])


def probability(where: str, p: Any) -> float:
    """p, checked."""
    if not isinstance(p, int | float) or not 0 <= p <= 1:
        raise OptionError(f"{where}: p must lie in [0, 1], got {p!r}")
    return p


def uniform(low: float = 0.0, high: float = 1.0) -> float:
    """A draw of the current stream from [low, high)."""
    return low + (high - low) * float(current_generator().uniform((), np.dtype(np.float64)))


def whole(low: int, high: int) -> int:
    """A draw of the current stream from low … high − 1."""
    return int(current_generator().integers(low, high, ()))
