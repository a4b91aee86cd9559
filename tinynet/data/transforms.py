"""Transforms of images (C, H, W), in the order that they are listed in `Compose`. Random ones draw from the current
random stream: the default one, or within a DataLoader that of the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor
from ..errors import DtypeError, OptionError, ShapeError
from ..ops.checks import floating, tensor_of
from ..random import current_generator


def _uniform() -> float:
    return float(current_generator().uniform((), np.dtype(np.float64)))


def _image(where: str, x: Any) -> Tensor:
    if tensor_of(where, "image", x).ndim < 2:
        raise ShapeError(f"{where}: expected an image (…, H, W), got shape {tuple(x.shape)}")
    return x


class Compose:
    """Several transforms, one after another."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = list(transforms)
        for t in self.transforms:
            if not callable(t):
                raise DtypeError(f"Compose: transforms must be callable, got {t!r}")

    def __call__(self, image: Any) -> Any:
        """Apply them."""
        for t in self.transforms:
            image = t(image)
        return image


class ToTensor:
    """An array (H, W) or (H, W, C) as a float32 tensor (C, H, W); bytes are scaled to [0, 1]."""

    def __call__(self, image: Any) -> Tensor:
        """Convert."""
        a = np.asarray(image)
        if a.ndim not in (2, 3):
            raise ShapeError(f"ToTensor: expected (H, W) or (H, W, C), got shape {a.shape}")
        a = a[..., None] if a.ndim == 2 else a
        scaled = a.astype(np.float32) / np.float32(255) if a.dtype == np.uint8 else a.astype(np.float32)
        return new_tensor(np.ascontiguousarray(scaled.transpose(2, 0, 1)))


class Normalize:
    """(x − mean)/std for each channel."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        self.mean, self.std, self.inplace = np.asarray(mean, np.float64), np.asarray(std, np.float64), inplace
        if np.any(self.std == 0):
            raise OptionError(f"Normalize: std must not contain 0, got {std}")

    def __call__(self, image: Tensor) -> Tensor:
        """(…, C, H, W) → the same shape."""
        x = floating("Normalize", "image", _image("Normalize", image))
        mean, std = (np.reshape(v, (-1, 1, 1)).astype(x.array.dtype) for v in (self.mean, self.std))
        if x.ndim < 3 or max(len(mean), len(std)) not in (1, x.shape[-3]):
            raise ShapeError(f"Normalize: {len(mean)} means do not fit an image of shape {tuple(x.shape)}")
        result = (x.array - mean) / std
        if self.inplace:
            x.array[...] = result
            return x
        return new_tensor(result)


class _Flip:
    axis: int

    def __init__(self, p: float = 0.5) -> None:
        if not isinstance(p, int | float) or not 0 <= p <= 1:
            raise OptionError(f"{type(self).__name__}: p must lie in [0, 1], got {p!r}")
        self.p = p

    def __call__(self, image: Tensor) -> Tensor:
        """With probability p, mirrored."""
        x = _image(type(self).__name__, image)
        return new_tensor(np.flip(x.array, self.axis).copy()) if _uniform() < self.p else x


class RandomHorizontalFlip(_Flip):
    """Mirror left and right with probability p."""

    axis = -1


class RandomVerticalFlip(_Flip):
    """Mirror top and bottom with probability p."""

    axis = -2


def _pair(where: str, name: str, size: Any) -> tuple[int, int]:
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) == 1:
        pair *= 2
    if len(pair) != 2 or any(not isinstance(s, int) or s < 0 for s in pair):
        raise OptionError(f"{where}: {name} must be a number or two, got {size!r}")
    return pair


class CenterCrop:
    """The middle of the image."""

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = _pair("CenterCrop", "size", size)

    def __call__(self, image: Tensor) -> Tensor:
        """(…, H, W) → (…, *size). Raises ShapeError if the image is smaller."""
        x, (h, w) = _image("CenterCrop", image), self.size
        if x.shape[-2] < h or x.shape[-1] < w:
            raise ShapeError(f"CenterCrop: size {self.size} is larger than the image of shape {tuple(x.shape)}")
        top, left = round((x.shape[-2] - h) / 2.0), round((x.shape[-1] - w) / 2.0)
        return new_tensor(x.array[..., top : top + h, left : left + w].copy())


class RandomCrop:
    """A part of the image at a random place, after padding it."""

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float = 0,
        padding_mode: str = "constant",
    ) -> None:
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise OptionError(f"RandomCrop: unknown padding_mode {padding_mode!r}")
        self.size, self.pad_if_needed, self.fill, self.padding_mode = (
            _pair("RandomCrop", "size", size),
            pad_if_needed,
            fill,
            padding_mode,
        )
        p = (padding,) if isinstance(padding, int) else tuple(padding or (0,))
        if len(p) not in (1, 2, 4):
            raise OptionError(f"RandomCrop: padding must be 1, 2 or 4 numbers, got {padding!r}")
        self.padding = p * 4 if len(p) == 1 else p * 2 if len(p) == 2 else p  # left, top, right, bottom

    def __call__(self, image: Tensor) -> Tensor:
        """(…, H, W) → (…, *size). Raises ShapeError if the padded image is smaller."""
        x = _image("RandomCrop", image).array
        (h, w), (left, top, right, bottom) = self.size, self.padding
        if self.pad_if_needed:
            short_h, short_w = max(0, h - x.shape[-2] - top - bottom), max(0, w - x.shape[-1] - left - right)
            top, bottom, left, right = top + short_h, bottom + short_h, left + short_w, right + short_w
        if top or bottom or left or right:
            widths = [(0, 0)] * (x.ndim - 2) + [(top, bottom), (left, right)]
            options: dict[str, Any] = {"constant_values": self.fill} if self.padding_mode == "constant" else {}
            x = np.pad(x, widths, self.padding_mode, **options)  # type: ignore[call-overload]
        if x.shape[-2] < h or x.shape[-1] < w:
            raise ShapeError(f"RandomCrop: size {self.size} is larger than the padded image of shape {x.shape}")
        i, j = int(_uniform() * (x.shape[-2] - h + 1)), int(_uniform() * (x.shape[-1] - w + 1))
        return new_tensor(x[..., i : i + h, j : j + w].copy())


class RandomRotation:
    """Rotate about the centre by a random angle, in degrees, counter-clockwise.

    degrees        (low, high), or one number d for (−d, d)
    interpolation  "nearest" or "bilinear"
    fill           what comes in from outside
    """

    def __init__(self, degrees: float | Sequence[float], interpolation: str = "nearest", fill: float = 0) -> None:
        if isinstance(degrees, int | float):
            if degrees < 0:
                raise OptionError(f"RandomRotation: a single number of degrees must be ≥ 0, got {degrees}")
            degrees = (-degrees, degrees)
        if len(degrees) != 2:
            raise OptionError(f"RandomRotation: degrees must be a number or two, got {degrees!r}")
        if interpolation not in ("nearest", "bilinear"):
            raise OptionError(f"RandomRotation: interpolation must be 'nearest' or 'bilinear', got {interpolation!r}")
        self.degrees, self.order, self.fill = tuple(degrees), int(interpolation == "bilinear"), fill

    def __call__(self, image: Tensor) -> Tensor:
        """(…, H, W) → the same shape."""
        low, high = self.degrees
        return rotate(image, low + (high - low) * _uniform(), self.order, self.fill)


def rotate(image: Tensor, angle: float, order: int = 0, fill: float = 0) -> Tensor:
    """Rotate (…, H, W) about its centre by `angle` degrees, counter-clockwise; spline `order` 0 or 1."""
    from scipy import ndimage

    x = _image("rotate", image)
    if not x.is_floating_point():
        raise DtypeError(f"rotate: expected a floating-point image, got {x.dtype}")
    turned = ndimage.rotate(x.array, angle, axes=(-1, -2), reshape=False, order=order, cval=fill, prefilter=False)
    return new_tensor(turned.astype(x.array.dtype))
