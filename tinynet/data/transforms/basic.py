"""Transforms of transforms, and conversions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..._tensor import Tensor
from ...dtypes import as_dtype
from ...errors import DtypeError, OptionError
from ...random import current_generator
from . import functional as F
from .images import probability, uniform


class Transform:
    """A function of an image with options, which its representation shows."""

    def __call__(self, image: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __call__")

    def __repr__(self) -> str:
        options = {k: getattr(v, "value", v) for k, v in vars(self).items() if k[0] != "_"}
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in options.items())})"


class _Several(Transform):
    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        name = type(self).__name__
        if not isinstance(transforms, Sequence) and not hasattr(transforms, "__iter__"):
            raise DtypeError(f"{name}: transforms must be a sequence, got {type(transforms).__name__}")
        self.transforms = list(transforms)
        for t in self.transforms:
            if not callable(t):
                raise DtypeError(f"{name}: transforms must be callable, got {t!r}")


class Compose(_Several):
    """Several transforms, one after another."""

    def __call__(self, image: Any) -> Any:
        """Apply them."""
        for t in self.transforms:
            image = t(image)
        return image


class RandomApply(_Several):
    """With probability p, several transforms, one after another; else none."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: float = 0.5) -> None:
        super().__init__(transforms)
        self.p = probability("RandomApply", p)

    def __call__(self, image: Any) -> Any:
        """All or none."""
        if uniform() < self.p:
            for t in self.transforms:
                image = t(image)
        return image


class RandomOrder(_Several):
    """Several transforms in a random order."""

    def __call__(self, image: Any) -> Any:
        """All of them."""
        for i in current_generator().permutation(len(self.transforms)).tolist():
            image = self.transforms[i](image)
        return image


class RandomChoice(_Several):
    """One of several transforms, with probabilities in proportion to p (equal ones by default)."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        weights = np.ones(len(self.transforms)) if p is None else np.asarray(p, np.float64)
        if weights.shape != (len(self.transforms),) or not (weights >= 0).all() or not weights.sum() > 0:
            raise OptionError(f"RandomChoice: p must be a number ≥ 0 for each transform and not all 0, got {p!r}")
        self.p, self._up_to = p, np.cumsum(weights)

    def __call__(self, image: Any) -> Any:
        """One of them."""
        place = np.searchsorted(self._up_to, uniform() * self._up_to[-1], side="right")
        return self.transforms[int(place)](image)


class Lambda(Transform):
    """A function as a transform."""

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise DtypeError(f"Lambda: lambd must be callable, got {type(lambd).__name__}")
        self.lambd = lambd

    def __call__(self, image: Any) -> Any:
        """Apply it."""
        return self.lambd(image)


class ToTensor(Transform):
    """An array (H, W) or (H, W, C), or an image of pillow, as a tensor (C, H, W); bytes become [0, 1] in float32."""

    def __call__(self, image: Any) -> Tensor:
        """Convert."""
        return F.to_tensor(image)


class PILToTensor(Transform):
    """An image of pillow as a tensor (C, H, W) of its own dtype."""

    def __call__(self, image: Any) -> Tensor:
        """Convert."""
        return F.pil_to_tensor(image)


class ToPILImage(Transform):
    """A tensor (C, H, W) or an array (H, W, C) as an image of pillow."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, image: Any) -> Any:
        """Convert."""
        return F.to_pil_image(image, self.mode)


class ConvertImageDtype(Transform):
    """The image in another dtype, scaled to its range."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = as_dtype(dtype)

    def __call__(self, image: Tensor) -> Tensor:
        """Convert."""
        return F.convert_image_dtype(image, self.dtype)


class Normalize(Transform):
    """(x − mean)/std for each channel."""

    def __init__(self, mean: Any, std: Any, inplace: bool = False) -> None:
        self.mean, self.std, self.inplace = mean, std, inplace
        if np.any(np.asarray(std.array if isinstance(std, Tensor) else std) == 0):
            raise OptionError(f"Normalize: std must not contain 0, got {std}")

    def __call__(self, image: Tensor) -> Tensor:
        """(…, C, H, W) → the same shape."""
        return F.normalize(image, self.mean, self.std, self.inplace)
