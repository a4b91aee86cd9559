"""How a tensor prints: PyTorch's look."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes
from ._tensor import Tensor, current_node
from .autograd.node import Leaf
from .errors import OptionError

_THRESHOLD, _EDGE, _WIDTH, _DIGITS = 1000, 3, 80, 4
_SCIENTIFIC: bool | None = None


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """How tensors print: digits after the point, elements before a summary, how many of these, columns, powers of ten.

    profile "default", "short" (two digits, 1000 elements, two of them) or "full" (never a summary) sets all of these,
    and the other options change them. sci_mode None decides by the values.
    """
    global _THRESHOLD, _EDGE, _WIDTH, _DIGITS, _SCIENTIFIC
    profiles = {"default": (1000, 3, 80, 4), "short": (1000, 2, 80, 2), "full": (sys.maxsize, 3, 80, 4)}
    if profile is not None:
        if profile not in profiles:
            raise OptionError(f"set_printoptions: profile must be one of {', '.join(profiles)}, got {profile!r}")
        _THRESHOLD, _EDGE, _WIDTH, _DIGITS = profiles[profile]
    _THRESHOLD = _THRESHOLD if threshold is None else int(min(threshold, sys.maxsize))
    _EDGE = _EDGE if edgeitems is None else edgeitems
    _WIDTH = _WIDTH if linewidth is None else linewidth
    _DIGITS = _DIGITS if precision is None else precision
    _SCIENTIFIC = sci_mode


def _shown(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The elements that will be printed, which alone decide the format."""
    if a.size <= _THRESHOLD:
        return a
    for axis, n in enumerate(a.shape):
        if n > 2 * _EDGE:
            a = np.take(a, [*range(_EDGE), *range(n - _EDGE, n)], axis=axis)
    return a


def _float_format(a: np.ndarray[Any, Any]) -> Callable[[Any], str]:
    values = np.abs(a[np.isfinite(a) & (a != 0)].astype(np.float64))
    powers = f".{_DIGITS}e"
    if _SCIENTIFIC is not None:
        whole = not _SCIENTIFIC and bool(np.all(values == np.rint(values)))
        spec = powers if _SCIENTIFIC else ".0f" if whole else f".{_DIGITS}f"
    elif values.size == 0:
        spec, whole = ".0f", True
    elif np.all(values == np.rint(values)):
        large = values.max() / values.min() > 1000 or values.max() > 1e8
        spec, whole = (powers, False) if large else (".0f", True)
    elif values.max() / values.min() > 1000 or values.max() > 1e8 or values.min() < 1e-4:
        spec, whole = powers, False
    else:
        spec, whole = f".{_DIGITS}f", False

    def one(v: Any) -> str:
        text = format(float(v), spec)
        return text + "." if whole and np.isfinite(v) else text

    width = max((len(one(v)) for v in a[np.isfinite(a) & (a != 0)]), default=0)  # of the rest, none: as PyTorch
    return lambda v: one(v).rjust(width)


def _body(a: np.ndarray[Any, Any]) -> str:
    if a.dtype.char in dtypes.FLOAT_CHARS:
        wide = a.astype(np.float64)
        formatter = _float_format(_shown(wide))
        a = wide
    else:
        texts = [str(v) for v in _shown(a).reshape(-1).tolist()]
        width = max(map(len, texts), default=0)

        def formatter(v: Any) -> str:
            return str(v).rjust(width)

    if a.ndim == 0:
        return formatter(a[()]).strip()
    text = np.array2string(
        a,
        separator=", ",
        prefix="tensor(",
        formatter={"all": formatter},
        threshold=_THRESHOLD,
        edgeitems=_EDGE,
        max_line_width=_WIDTH,
    )
    return text.replace(", ...,", ",  ...,")


def tensor_repr(x: Tensor) -> str:
    """`tensor([...], dtype=…, requires_grad=True)`, leaving out what is the default."""
    a = x.array
    parts = ["[]" if a.size == 0 else _body(a)]
    if a.size == 0 and a.ndim != 1:
        parts.append(f"size={tuple(a.shape)}")
    usual = (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_)
    if x.dtype not in usual or (a.size == 0 and x.dtype is not usual[0]):
        parts.append(f"dtype={x.dtype}")
    node = current_node(x)
    if node is not None:
        parts.append("requires_grad=True" if type(node) is Leaf else f"grad_fn=<{node.name()}>")
    text = f"tensor({', '.join(parts)})"
    return text if type(x) is Tensor else f"{type(x).__name__} containing:\n{text}"
