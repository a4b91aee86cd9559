"""torchvision's `utils`: images side by side, and into files."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet._tensor import Tensor, new_tensor
from tinynet.data.transforms.functional import to_pil_image
from tinynet.errors import DtypeError, ShapeError, whole_number

__all__ = ["make_grid", "save_image"]


def make_grid(
    tensor: Tensor | list[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """One image (C, H', W') of several (N, C, H, W), `nrow` in a row with `padding` pixels of `pad_value` around each.

    tensor       (N, C, H, W), a list of (C, H, W), (C, H, W) or (H, W); one channel becomes three. A single image is
                 returned as it is
    normalize    move [low, high] to [0, 1]: of `value_range`, else of all images, or of each with `scale_each`
    """
    if isinstance(tensor, Tensor):
        x = tensor.detach().array
    elif isinstance(tensor, list | tuple) and tensor and all(isinstance(t, Tensor) for t in tensor):
        if len({t.shape for t in tensor}) > 1:
            raise ShapeError("make_grid: the images must have one shape")
        x = np.stack([t.detach().array for t in tensor])
    else:
        raise DtypeError(f"make_grid: expected a Tensor or a list of Tensors, got {type(tensor).__name__}")
    nrow = whole_number("make_grid", "nrow", nrow, 1)
    if x.ndim not in (2, 3, 4) or 0 in x.shape:
        raise ShapeError(f"make_grid: expected (N, C, H, W), (C, H, W) or (H, W), got shape {x.shape}")
    x = x[None] if x.ndim == 2 else x
    x = x[None] if x.ndim == 3 else x
    if x.shape[1] == 1:
        x = np.repeat(x, 3, axis=1)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise DtypeError(f"make_grid: value_range must be a tuple (min, max), got {value_range!r}")
        axes = (1, 2, 3) if scale_each else (0, 1, 2, 3)
        low = x.min(axes, keepdims=True) if value_range is None else x.dtype.type(value_range[0])
        high = x.max(axes, keepdims=True) if value_range is None else x.dtype.type(value_range[1])
        x = ((np.clip(x, low, high) - low) / np.maximum(high - low, 1e-5)).astype(x.dtype)
    n, c, h, w = x.shape
    if n == 1:
        return new_tensor(x[0].copy())
    columns = min(nrow, n)
    rows = -(-n // columns)
    h, w = h + padding, w + padding
    grid = np.full((c, rows * h + padding, columns * w + padding), pad_value, x.dtype)
    for k in range(n):
        top, left = k // columns * h + padding, k % columns * w + padding
        grid[:, top : top + h - padding, left : left + w - padding] = x[k]
    return new_tensor(grid)


def save_image(tensor: Tensor | list[Tensor], fp: Any, format: str | None = None, **kwargs: Any) -> None:
    """Write `make_grid(tensor, **kwargs)` of [0, 1] to a file, in the format of its name or in `format`."""
    grid = make_grid(tensor, **kwargs).array
    pixels = np.clip(grid * 255.0 + 0.5, 0, 255).astype(np.uint8)
    to_pil_image(pixels.transpose(1, 2, 0)).save(fp, format=format)
