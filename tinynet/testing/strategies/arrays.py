"""Strategies of arrays: values with a purpose, in every memory layout that an operation may be handed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import DTypeLike, NDArray

from tinynet.testing.derivative import finfo
from tinynet.testing.strategies.shapes import Shape, shapes

Array = NDArray[Any]

LAYOUTS = ("C", "F", "transposed", "negative", "broadcast", "stepped", "offset", "readonly", "overlapping")
"""C and Fortran order; axes permuted in memory; negative strides; stride 0 (repeated memory, read-only); every second
element of a larger array; inside a larger array; read-only; windows that slide over shared memory (read-only)."""

VALUES = (
    "any",
    "ties",
    "distinct",
    "positive",
    "zeros",
    "signed_zeros",
    "subnormal",
    "large",
    "nan",
    "inf",
    "special",
)
"""any: numbers in the bounds. ties: few values, so that equal ones meet. distinct: no two equal, each at least half a
step (the bounds' width / size) from the next: for max, sort, median. positive: from 1/16. zeros: many zeros, of both
signs. signed_zeros: nothing else. subnormal, large (a quarter of the dtype's largest number, and more), nan, inf (of
both signs): these among numbers in the bounds. special: all of them, and any other number of the dtype."""

KINDS = ("float", "integer", "bool")
_BOUNDLESS = ("special", "subnormal", "large", "nan", "inf")


def float_dtypes(*, half: bool = False) -> st.SearchStrategy[np.dtype[Any]]:
    """float64, float32, and with `half` float16."""
    return st.sampled_from([np.dtype(d) for d in ("float64", "float32", *(("float16",) if half else ()))])


def dtypes(*kinds: str) -> st.SearchStrategy[np.dtype[Any]]:
    """The dtypes of some kinds, by default of all.

    Parameters
    ----------
    kinds : "float": float64, float32, float16, and bfloat16 where ml_dtypes is installed; "integer": int64, int32,
        int16, int8, uint8; "bool"
    """
    if unknown := set(kinds) - set(KINDS):
        raise ValueError(f"dtypes: {sorted(unknown)} is no kind, expected some of {', '.join(KINDS)}")
    names = {
        "float": ["float64", "float32", "float16"],
        "integer": ["int64", "int32", "int16", "int8", "uint8"],
        "bool": ["bool"],
    }
    found = [np.dtype(name) for kind in kinds or KINDS for name in names[kind]]
    half = _bfloat16()
    if half is not None and (not kinds or "float" in kinds):
        found.append(half)
    return st.sampled_from(found)


def _bfloat16() -> np.dtype[Any] | None:
    try:
        import ml_dtypes
    except ImportError:
        return None
    return np.dtype(ml_dtypes.bfloat16)


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
    low, high : the bounds of ordinary numbers; "positive" ones go from 1/16 to `high`, and zeros are zeros
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
        known = dtype if dtype.kind == "f" else np.dtype(np.float32)  # Hypothesis draws no bfloat16
        x = draw(hnp.arrays(known, shape, elements=_elements(values, dtype, low, high)))
        with np.errstate(over="ignore"):
            x = np.asarray(x.astype(dtype))
    return laid_out(x, layout)


def laid_out(x: Array, layout: str) -> Array:
    """A copy of x in a layout of `LAYOUTS`: same shape, dtype and values, other strides.

    Two layouts share memory among elements, which therefore become equal; both are read-only. "broadcast" repeats the
    first index of the first axis longer than 1. "overlapping" makes the first two axes longer than 1 windows, so that
    y[i, j] = y[i + 1, j - 1]. What has too few such axes is read-only, but shares nothing.
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
    if layout == "overlapping":
        y = _windows(np.array(x, order="C"))
        y.flags.writeable = False
        return y
    raise ValueError(f"laid_out: layout is {layout!r}, expected one of {', '.join(LAYOUTS)}")


def _windows(x: Array) -> Array:
    """The first two axes longer than 1 as (windows, places in them) over one axis of memory."""
    long = [k for k, size in enumerate(x.shape) if size > 1]
    if len(long) < 2 or not x.size:
        return x
    last = np.moveaxis(x, long[:2], (-2, -1))
    memory = np.concatenate([last[..., 0, :], last[..., 1:, -1]], axis=-1)
    windows = np.lib.stride_tricks.sliding_window_view(memory, x.shape[long[1]], axis=-1)
    return np.moveaxis(windows, (-2, -1), long[:2])


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
    width: Any = min(64, 8 * dtype.itemsize) if dtype.kind == "f" else 32
    if values == "signed_zeros":
        return st.sampled_from([0.0, -0.0])
    if values in _BOUNDLESS:
        info = finfo(dtype)
        least, most = float(info.smallest_subnormal), float(info.max)
        rare = {
            "nan": [np.nan],
            "inf": [np.inf, -np.inf],
            "subnormal": [sign * k * least for k in (1, 2, 5) for sign in (1, -1)],
            "large": [sign * k * most for k in (1, 0.5, 0.25) for sign in (1, -1)],
        }
        if values == "special":
            return st.sampled_from([0.0, -0.0, *(v for some in rare.values() for v in some)]) | st.floats(width=width)
        return _elements("any", dtype, low, high) | st.sampled_from(rare[values])
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
