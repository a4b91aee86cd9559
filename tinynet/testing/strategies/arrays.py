"""Strategies of arrays: values with a purpose, in every memory layout that an operation may be handed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import DTypeLike, NDArray

from tinynet.testing.strategies.shapes import Shape, shapes

Array = NDArray[Any]

LAYOUTS = ("C", "F", "transposed", "negative", "broadcast", "stepped", "offset", "readonly")
"""C and Fortran order; axes permuted in memory; negative strides; stride 0 (repeated memory, read-only); every second
element of a larger array; inside a larger array; read-only."""

VALUES = ("any", "ties", "distinct", "positive", "zeros", "special")
"""any: numbers in the bounds. ties: few values, so that equal ones meet. distinct: no two equal, each at least half a
step (the bounds' width / size) from the next: for max, sort, median. positive: from 1/16. zeros: many zeros, of both
signs. special: also NaN, ±inf, subnormal and the largest numbers."""


def float_dtypes(*, half: bool = False) -> st.SearchStrategy[np.dtype[Any]]:
    """float64, float32, and with `half` float16."""
    return st.sampled_from([np.dtype(d) for d in ("float64", "float32", *(("float16",) if half else ()))])


def layouts(include: Sequence[str] = LAYOUTS) -> st.SearchStrategy[str]:
    """Names of layouts for `laid_out`."""
    return st.sampled_from(list(include))


@st.composite
def arrays(
    draw: st.DrawFn,
    shape: Shape | st.SearchStrategy[Shape] | None = None,
    dtype: DTypeLike | st.SearchStrategy[Any] = np.float64,
    *,
    values: str | st.SearchStrategy[str] = "any",
    layout: str | st.SearchStrategy[str] = "C",
    low: float = -4.0,
    high: float = 4.0,
) -> Array:
    """Floating arrays of a shape, a dtype, a kind of values (`VALUES`) and a layout (`LAYOUTS`).

    Parameters
    ----------
    shape, dtype, values, layout : a value or a strategy; by default any small shape, float64, "any", "C"
    low, high : the bounds of all but "special" and "positive" values (the latter from 1/16 to `high`)
    """
    if shape is None:
        shape = shapes()
    shape = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    dtype = np.dtype(draw(dtype) if isinstance(dtype, st.SearchStrategy) else dtype)
    values = draw(values) if isinstance(values, st.SearchStrategy) else values
    layout = draw(layout) if isinstance(layout, st.SearchStrategy) else layout
    if values not in VALUES:
        raise ValueError(f"arrays: values is {values!r}, expected one of {', '.join(VALUES)}")
    if values == "distinct":
        x = _distinct(draw, shape, dtype, low, high)
    else:
        x = draw(hnp.arrays(dtype, shape, elements=_elements(values, dtype, low, high)))
    return laid_out(x, layout)


def laid_out(x: Array, layout: str) -> Array:
    """A copy of x in a layout of `LAYOUTS`: same shape, dtype and values, other strides.

    "broadcast" repeats memory along the first axis longer than 1, so there the values become those of its first index.
    """
    if layout == "C":
        return np.array(x, order="C")
    if layout == "F":
        return np.array(x, order="F")
    if layout == "readonly":
        y = np.array(x, order="C")
        y.flags.writeable = False
        return y
    if layout == "transposed":  # the first axis last in memory
        if x.ndim < 2:
            return np.array(x, order="C")
        return np.moveaxis(np.array(np.moveaxis(x, 0, -1), order="C"), -1, 0)
    if layout == "negative":
        back = _all_axes(slice(None, None, -1), x.ndim)
        return np.array(x[back], order="C")[back]
    if layout == "stepped":
        large = np.zeros([2 * size for size in x.shape], x.dtype)
        y = large[_all_axes(slice(None, None, 2), x.ndim)]
        y[...] = x
        return y
    if layout == "offset":
        large = np.zeros([size + 2 for size in x.shape], x.dtype)
        y = large[_all_axes(slice(1, -1), x.ndim)]
        y[...] = x
        return y
    if layout == "broadcast":
        axis = next((k for k, size in enumerate(x.shape) if size > 1), None)
        if axis is None:
            return np.broadcast_to(np.array(x), x.shape)
        return np.broadcast_to(np.array(np.take(x, [0], axis)), x.shape)
    raise ValueError(f"laid_out: layout is {layout!r}, expected one of {', '.join(LAYOUTS)}")


def _all_axes(part: slice, ndim: int) -> Any:
    return (..., *[part] * ndim)  # the Ellipsis keeps 0-d an array


def labels(
    shape: Shape | st.SearchStrategy[Shape], classes: int, *, dtype: DTypeLike = np.int64, ignore: int | None = None
) -> st.SearchStrategy[Array]:
    """Integer class labels in 0 … classes - 1, and `ignore` among them if given."""
    elements = st.integers(0, classes - 1)
    return hnp.arrays(dtype, shape, elements=elements if ignore is None else elements | st.just(ignore))


def masks(shape: Shape | st.SearchStrategy[Shape]) -> st.SearchStrategy[NDArray[np.bool_]]:
    """Boolean masks."""
    return hnp.arrays(np.bool_, shape)


def _elements(values: str, dtype: np.dtype[Any], low: float, high: float) -> st.SearchStrategy[float]:
    width: Any = min(64, 8 * dtype.itemsize)
    if values == "special":
        info = np.finfo(dtype)
        special = [
            np.nan,
            np.inf,
            -np.inf,
            0.0,
            -0.0,
            float(info.smallest_subnormal),
            float(info.max),
            -float(info.max),
        ]
        return st.sampled_from(special) | st.floats(width=width)
    if values == "positive":
        low = 2.0**-4
    # Sixty-fourths are exact in every dtype, and far enough apart for finite differences.
    grid = st.integers(int(np.ceil(low * 64)), int(np.floor(high * 64))).map(lambda k: k / 64)
    if values == "ties":
        few = sorted({k for k in (-1.0, 0.0, 0.5, 2.0) if low <= k <= high}) or [low]
        return st.sampled_from(few)
    if values == "zeros":
        return st.sampled_from([0.0, -0.0]) | grid
    fine = st.floats(low, high, width=width, allow_subnormal=False).filter(lambda k: k == 0 or abs(k) > 1e-3)
    return grid | fine


def _distinct(draw: st.DrawFn, shape: Shape, dtype: np.dtype[Any], low: float, high: float) -> Array:
    """A random order of equally spaced numbers, each moved a little."""
    n = int(np.prod(shape))
    order = draw(st.permutations(range(n)))
    step = (high - low) / max(n, 1)
    move = draw(hnp.arrays(np.float64, n, elements=st.integers(0, 8).map(lambda k: k / 16)))
    numbers = low + step * (np.array(order, np.float64).reshape(n) + move)
    return numbers.reshape(shape).astype(dtype)
