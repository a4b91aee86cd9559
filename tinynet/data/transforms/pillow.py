"""The functions whose results on pillow's images are pillow's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DtypeError, OptionError, ShapeError
from .images import PILLOW, InterpolationMode


def channels(image: Any) -> int:
    """1 for grey, 3 for colour, 4 with transparency."""
    return len(image.getbands())


def resize(image: Any, size: tuple[int, int], mode: InterpolationMode) -> Any:
    """Always without aliases, as pillow does it."""
    return image.resize(size[::-1], PILLOW[mode])


def crop(image: Any, top: int, left: int, height: int, width: int) -> Any:
    """A window; black outside."""
    return image.crop((left, top, left + width, top + height))


def flip(image: Any, axis: int) -> Any:
    """Axis −1: left and right; −2: top and bottom."""
    return image.transpose(0 if axis == -1 else 1)


def pad(image: Any, widths: tuple[int, int, int, int], fill: Any, mode: str) -> Any:
    """widths (left, top, right, bottom), negative ones crop."""
    from PIL import Image

    left, top, right, bottom = widths
    cut = [max(-w, 0) for w in widths]
    if any(cut):
        image = image.crop((cut[0], cut[1], image.width - cut[2], image.height - cut[3]))
        left, top, right, bottom = (max(w, 0) for w in widths)
    if mode == "constant":
        size = (image.width + left + right, image.height + top + bottom)
        result = Image.new(image.mode, size, colour(image, fill))
        if image.mode == "P":
            result.putpalette(image.getpalette())
        result.paste(image, (left, top))
        return result
    a = np.asarray(image)
    around = [(top, bottom), (left, right), (0, 0)][: a.ndim]
    result = Image.fromarray(np.pad(a, around, mode))  # type: ignore[call-overload]
    if image.mode == "P":
        result.putpalette(image.getpalette())
    return result


def rotate(image: Any, angle: float, mode: InterpolationMode, expand: bool, center: Any, fill: Any) -> Any:
    """Counter-clockwise, in degrees."""
    return image.rotate(angle, PILLOW[mode], expand, center, fillcolor=colour(image, fill))


def affine(image: Any, matrix: list[float], mode: InterpolationMode, fill: Any) -> Any:
    """`matrix` takes places of the result to places of the image."""
    from PIL import Image

    return image.transform(image.size, Image.Transform.AFFINE, matrix, PILLOW[mode], fillcolor=colour(image, fill))


def enhance(image: Any, what: str, factor: float) -> Any:
    """`what`: pillow's name of it, Brightness, Contrast or Color."""
    from PIL import ImageEnhance

    return getattr(ImageEnhance, what)(image).enhance(factor)


def adjust_hue(image: Any, factor: float) -> Any:
    """The hue shifted by a share of the circle."""
    from PIL import Image

    if image.mode in ("L", "1", "I", "F"):
        return image
    h, s, v = image.convert("HSV").split()
    shifted = (np.asarray(h).astype(np.int64) + int(factor * 255)) % 256
    return Image.merge("HSV", (Image.fromarray(shifted.astype(np.uint8)), s, v)).convert(image.mode)


def adjust_gamma(image: Any, gamma: float, gain: float) -> Any:
    """gain · v^gamma, by table."""
    table = [min(max(int((256 - 1e-3) * gain * (v / 255) ** gamma), 0), 255) for v in range(256)]
    return image.convert("RGB").point(table * 3).convert(image.mode)


def to_grayscale(image: Any, number: int) -> Any:
    """1 channel, or 3 equal ones."""
    grey = image.convert("L")
    return grey if number == 1 else grey.convert("RGB")


def colour(image: Any, fill: Any) -> Any:
    """`fill` as pillow takes it: a number for one channel, a tuple for several."""
    n = channels(image)
    values = [0] if fill is None else list(fill) if isinstance(fill, list | tuple) else [fill]
    if len(values) not in (1, n):
        raise ShapeError(f"fill: {len(values)} values do not fit an image of {n} channels")
    values = [v if image.mode == "F" else int(v) for v in values]
    return values[0] if n == 1 else tuple(values * n if len(values) == 1 else values)


def to_array(image: Any) -> np.ndarray:
    """(H, W) or (H, W, C), owned."""
    if image.mode == "1":
        return np.array(image.convert("L"))
    a = np.array(image)
    if a.dtype == np.uint16:  # there is no such dtype: the same bits, as torchvision gives them
        return a.view(np.int16)
    return a


def from_array(a: np.ndarray, mode: str | None) -> Any:
    """An image of (H, W) or (H, W, C): uint8, or one channel of int16, int32 or float32."""
    from PIL import Image

    n = 1 if a.ndim == 2 else a.shape[2]
    if n == 1:
        a = a.reshape(a.shape[:2])
        default = {"uint8": "L", "int16": "I;16", "int32": "I", "float32": "F"}.get(a.dtype.name)
        if default is None:
            raise DtypeError(f"to_pil_image: one channel of {a.dtype} has no mode in pillow")
        if mode not in (None, default) and not (mode in ("1", "P") and default == "L"):
            raise OptionError(f"to_pil_image: mode {mode!r} does not fit one channel of {a.dtype}")
        image = Image.fromarray(a.view(np.uint16) if default == "I;16" else a)
        return image if mode in (None, default) else image.convert(mode)
    modes = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}.get(n)
    if modes is None or a.dtype != np.uint8:
        raise DtypeError(f"to_pil_image: {n} channels of {a.dtype} have no mode in pillow")
    if mode is not None and mode not in modes:
        raise OptionError(f"to_pil_image: mode must be one of {', '.join(modes)} for {n} channels, got {mode!r}")
    bands = [Image.fromarray(np.ascontiguousarray(a[..., i])) for i in range(n)]
    return Image.merge(mode or modes[0], bands)
