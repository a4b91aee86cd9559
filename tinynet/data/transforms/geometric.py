"""Transforms that move pixels: crops, flips, sizes, turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...errors import OptionError, ShapeError
from . import functional as F
from .basic import Transform
from .images import (
    InterpolationMode,
    bounds,
    image_of,
    interpolation_of,
    is_pil,
    pair,
    probability,
    size_of,
    uniform,
    whole,
)

BILINEAR, NEAREST = InterpolationMode.BILINEAR, InterpolationMode.NEAREST


class _Flip(Transform):
    _axis: int

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability(type(self).__name__, p)

    def __call__(self, image: Any) -> Any:
        """With probability p, mirrored."""
        if not is_pil(image):
            image_of(type(self).__name__, image)
        return (F.hflip if self._axis == -1 else F.vflip)(image) if uniform() < self.p else image


class RandomHorizontalFlip(_Flip):
    """Mirror left and right with probability p."""

    _axis = -1


class RandomVerticalFlip(_Flip):
    """Mirror top and bottom with probability p."""

    _axis = -2


class Resize(Transform):
    """(…, H, W) → (…, *size); of one number the shorter side gets it. Options: see `functional.resize`."""

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: Any = BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        F._new_size(1, 1, size, max_size)  # raises for sizes that are none
        self.size, self.max_size, self.antialias = size, max_size, antialias
        self.interpolation = interpolation_of("Resize", interpolation)

    def __call__(self, image: Any) -> Any:
        """Resize."""
        return F.resize(image, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(Transform):
    """The middle of the image, which is padded with zeros where it is smaller."""

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = pair("CenterCrop", "size", size)

    def __call__(self, image: Any) -> Any:
        """(…, H, W) → (…, *size)."""
        return F.center_crop(image, self.size)


class Pad(Transform):
    """More rows and columns around the image. Options: see `functional.pad`."""

    def __init__(self, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant") -> None:
        F._paddings("Pad", padding, padding_mode)
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def __call__(self, image: Any) -> Any:
        """Pad."""
        return F.pad(image, self.padding, self.fill, self.padding_mode)


class RandomCrop(Transform):
    """A part of the image at a random place, after padding it."""

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        self.size = pair("RandomCrop", "size", size)
        F._paddings("RandomCrop", 0 if padding is None else padding, padding_mode)
        self.padding, self.pad_if_needed, self.fill, self.padding_mode = padding, pad_if_needed, fill, padding_mode

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a random window of that size."""
        (h, w), (height, width) = output_size, size_of(img)
        if height < h or width < w:
            raise ShapeError(f"RandomCrop: size {(h, w)} is larger than the padded image, {(height, width)}")
        return whole(0, height - h + 1), whole(0, width - w + 1), h, w

    def __call__(self, image: Any) -> Any:
        """(…, H, W) → (…, *size). Raises ShapeError if the padded image is smaller."""
        if not is_pil(image):
            image_of("RandomCrop", image)
        if self.padding is not None:
            image = F.pad(image, self.padding, self.fill, self.padding_mode)
        (h, w), (height, width) = self.size, size_of(image)
        if self.pad_if_needed and (height < h or width < w):
            image = F.pad(image, [max(w - width, 0), max(h - height, 0)], self.fill, self.padding_mode)
        return F.crop(image, *self.get_params(image, self.size))


class RandomResizedCrop(Transform):
    """A window of a random area and aspect ratio, at a random place, resized.

    scale  (low, high) of its share of the image's area
    ratio  (low, high) of its width over its height, drawn evenly in the logarithm

    Source: Szegedy et al., "Going deeper with convolutions", CVPR 2015.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: Any = BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        where = type(self).__name__
        self.size = pair(where, "size", size)
        self.scale, self.ratio = bounds(where, "scale", scale), bounds(where, "ratio", ratio)
        self.interpolation, self.antialias = interpolation_of(where, interpolation), antialias

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a random window; after ten that do not fit, of the largest middle one."""
        height, width = size_of(img)
        for _ in range(10):
            area = height * width * uniform(*scale)
            aspect = math.exp(uniform(math.log(ratio[0]), math.log(ratio[1])))
            w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < w <= width and 0 < h <= height:
                return whole(0, height - h + 1), whole(0, width - w + 1), h, w
        h, w = height, width
        if width / height < ratio[0]:
            h = round(width / ratio[0])
        elif width / height > ratio[1]:
            w = round(height * ratio[1])
        return (height - h) // 2, (width - w) // 2, h, w

    def __call__(self, image: Any) -> Any:
        """(…, H, W) → (…, *size)."""
        window = self.get_params(image, self.scale, self.ratio)
        return F.resized_crop(image, *window, self.size, self.interpolation, self.antialias)


class RandomRotation(Transform):
    """Rotate by a random angle, in degrees, counter-clockwise.

    degrees  (low, high), or one number d for (−d, d)
    interpolation, expand, center, fill  as of `functional.rotate`
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: Any = NEAREST,
        expand: bool = False,
        center: Sequence[int] | None = None,
        fill: Any = 0,
    ) -> None:
        self.degrees = bounds("RandomRotation", "degrees", degrees, symmetric=True)
        self.interpolation = interpolation_of("RandomRotation", interpolation)
        self.expand, self.center, self.fill = expand, center, fill

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """A random angle."""
        return uniform(degrees[0], degrees[1])

    def __call__(self, image: Any) -> Any:
        """(…, H, W) → the same shape, unless `expand`."""
        angle = self.get_params(self.degrees)
        return F.rotate(image, angle, self.interpolation, self.expand, self.center, self.fill)


class RandomAffine(Transform):
    """Turn, shift, scale and shear at random, the centre in place.

    degrees    (low, high) of the angle, or one number d for (−d, d)
    translate  largest shifts, as shares of width and height
    scale      (low, high)
    shear      degrees: (low, high) along x or one number, or (low, high, low, high) along x and y
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: Any = NEAREST,
        fill: Any = 0,
        center: Sequence[int] | None = None,
    ) -> None:
        where = "RandomAffine"
        self.degrees = bounds(where, "degrees", degrees, symmetric=True)
        if translate is not None and (len(translate) != 2 or not all(0 <= t <= 1 for t in translate)):
            raise OptionError(f"{where}: translate must be two shares in [0, 1], got {translate!r}")
        self.translate = translate
        self.scale = None if scale is None else bounds(where, "scale", scale)
        if self.scale is not None and self.scale[0] <= 0:
            raise OptionError(f"{where}: scale must be > 0, got {scale!r}")
        self.shear: tuple[float, ...] | None = None
        if shear is not None:
            four = not isinstance(shear, int | float) and len(shear) == 4
            parts = (shear[:2], shear[2:]) if four else (shear,)  # type: ignore[index]
            self.shear = tuple(v for part in parts for v in bounds(where, "shear", part, symmetric=True))
        self.interpolation, self.fill, self.center = interpolation_of(where, interpolation), fill, center

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """(angle, shifts, scale, shears) for an image of size (width, height)."""
        angle = uniform(degrees[0], degrees[1])
        shifts = [0, 0]
        for i, largest in enumerate(translate or ()):
            shifts[i] = round(uniform(-largest * img_size[i], largest * img_size[i]))
        scale = uniform(*scale_ranges) if scale_ranges is not None else 1.0
        x = uniform(shears[0], shears[1]) if shears else 0.0
        y = uniform(shears[2], shears[3]) if shears and len(shears) == 4 else 0.0
        return angle, (shifts[0], shifts[1]), scale, (x, y)

    def __call__(self, image: Any) -> Any:
        """(…, H, W) → the same shape."""
        size = F.get_image_size(image)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, size)
        return F.affine(image, *drawn, self.interpolation, self.fill, self.center)
