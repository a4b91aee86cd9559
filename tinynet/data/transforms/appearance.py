"""Transforms that change pixels in their places: colours, blur, erased windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._tensor import Tensor, new_tensor
from ...errors import OptionError, ShapeError
from ...random import current_generator
from . import functional as F
from .basic import Transform
from .images import bounds, image_of, pair, probability, uniform, whole


class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue changed at random, in a random order.

    brightness, contrast, saturation  factors (low, high), or one number v for (max(0, 1 − v), 1 + v)
    hue                               (low, high) in [−½, ½], or one number v for (−v, v)
    """

    def __init__(self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0, hue: Any = 0) -> None:
        self.brightness = self._range("brightness", brightness)
        self.contrast = self._range("contrast", contrast)
        self.saturation = self._range("saturation", saturation)
        self.hue = self._range("hue", hue)

    @staticmethod
    def _range(name: str, value: Any) -> tuple[float, float] | None:
        """(low, high), or None where nothing changes."""
        middle, least, most = (0.0, -0.5, 0.5) if name == "hue" else (1.0, 0.0, math.inf)
        low, high = bounds("ColorJitter", name, value, symmetric=True)
        if isinstance(value, int | float):
            low, high = middle + low, middle + high
            low = low if name == "hue" else max(low, 0.0)
        if low < least or high > most:
            raise OptionError(f"ColorJitter: {name} must lie in [{least}, {most}], got {value!r}")
        return None if low == high == middle else (low, high)

    @staticmethod
    def get_params(brightness: Any, contrast: Any, saturation: Any, hue: Any) -> tuple[Any, ...]:
        """(order, brightness, contrast, saturation, hue), None for what stays."""
        order = new_tensor(current_generator().permutation(4))
        drawn = (None if r is None else uniform(*r) for r in (brightness, contrast, saturation, hue))
        return (order, *drawn)

    def __call__(self, image: Any) -> Any:
        """Change the colours."""
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        changes = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for i in order.tolist():
            if factors[i] is not None:
                image = changes[i](image, factors[i])
        return image


class Grayscale(Transform):
    """Without colour, in 1 channel or 3 equal ones."""

    def __init__(self, num_output_channels: int = 1) -> None:
        self.num_output_channels = num_output_channels

    def __call__(self, image: Any) -> Any:
        """(…, C, H, W) → (…, num_output_channels, H, W)."""
        return F.rgb_to_grayscale(image, self.num_output_channels)


class RandomGrayscale(Transform):
    """Without colour with probability p; the number of channels stays."""

    def __init__(self, p: float = 0.1) -> None:
        self.p = probability("RandomGrayscale", p)

    def __call__(self, image: Any) -> Any:
        """(…, C, H, W) → the same shape."""
        return F.rgb_to_grayscale(image, F.get_image_num_channels(image)) if uniform() < self.p else image


class GaussianBlur(Transform):
    """Blur by a Gaussian of random width.

    kernel_size  odd: a number, or (width, height)
    sigma        (low, high), or a number
    """

    def __init__(self, kernel_size: int | Sequence[int], sigma: Any = (0.1, 2.0)) -> None:
        self.kernel_size = pair("GaussianBlur", "kernel_size", kernel_size)
        if any(k % 2 == 0 for k in self.kernel_size):
            raise OptionError(f"GaussianBlur: kernel_size must be odd, got {kernel_size!r}")
        self.sigma = bounds("GaussianBlur", "sigma", (sigma, sigma) if isinstance(sigma, int | float) else sigma)
        if self.sigma[0] <= 0:
            raise OptionError(f"GaussianBlur: sigma must be > 0, got {sigma!r}")

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """A random width."""
        return uniform(sigma_min, sigma_max)

    def __call__(self, image: Any) -> Any:
        """Blur."""
        sigma = self.get_params(*self.sigma)
        return F.gaussian_blur(image, self.kernel_size, [sigma, sigma])


class RandomErasing(Transform):
    """With probability p, a random window set to `value`.

    scale  (low, high) of its share of the image's area
    ratio  (low, high) of its height over its width, drawn evenly in the logarithm
    value  a number, one for each channel, or "random" for normal draws

    Source: Zhong et al., "Random erasing data augmentation", AAAI 2020.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        where = "RandomErasing"
        if isinstance(value, str) and value != "random":
            raise OptionError(f"{where}: value must be numbers or 'random', got {value!r}")
        self.p, self.scale, self.ratio = (
            probability(where, p),
            bounds(where, "scale", scale),
            bounds(where, "ratio", ratio),
        )
        if not 0 <= self.scale[0] <= self.scale[1] <= 1:
            raise OptionError(f"{where}: scale must lie in [0, 1], got {scale!r}")
        self.value, self.inplace = value, inplace

    @staticmethod
    def get_params(
        img: Tensor, scale: Sequence[float], ratio: Sequence[float], value: Sequence[float] | None = None
    ) -> tuple[int, int, int, int, Tensor]:
        """(top, left, height, width, values); the image itself after ten windows that do not fit."""
        height, width = img.shape[-2:]
        for _ in range(10):
            area = height * width * uniform(*scale)
            aspect = math.exp(uniform(math.log(ratio[0]), math.log(ratio[1])))
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if h < height and w < width:
                v = (
                    new_tensor(current_generator().normal((img.shape[-3], h, w), np.dtype(np.float32)))
                    if value is None
                    else img.new_tensor(value).reshape(-1, 1, 1)
                )
                return whole(0, height - h + 1), whole(0, width - w + 1), h, w, v
        return 0, 0, height, width, img

    def __call__(self, image: Tensor) -> Tensor:
        """(…, C, H, W) → the same shape."""
        x = image_of("RandomErasing", image)
        if x.ndim < 3:
            raise ShapeError(f"RandomErasing: expected an image (…, C, H, W), got shape {tuple(x.shape)}")
        if uniform() >= self.p:
            return x
        value = [self.value] if isinstance(self.value, int | float) else self.value
        if value != "random" and len(value) not in (1, x.shape[-3]):
            raise ShapeError(f"RandomErasing: {len(value)} values do not fit an image of shape {tuple(x.shape)}")
        window = self.get_params(x, self.scale, self.ratio, None if value == "random" else value)
        return F.erase(x, *window, self.inplace)
