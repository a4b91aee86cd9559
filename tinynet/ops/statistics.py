"""Order statistics, products, scans and counts along dimensions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from .._tensor import Tensor, new_tensor, wrap_dim
from ..autograd.primitive import Primitive
from ..errors import DtypeError, OptionError, RangeError, ShapeError
from . import primitives as P
from .checks import check_broadcast, floating, integer, numpy_names, one_of, tensor_of, to_dtype, widened
from .reduction import _dims, _left, _nonempty, max_result, mean, order_of, std, var
from .reduction import amax as _amax
from .reduction import amin as _amin
from .shape import cat, movedim, narrow, stack
from .special import lerp

Array = np.ndarray[Any, Any]


@numpy_names
def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> tuple[Tensor, Tensor]:
    """(`var`, `mean`) over `dim`."""
    return _with_mean("var_mean", var, input, dim, unbiased, keepdim, correction)


@numpy_names
def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> tuple[Tensor, Tensor]:
    """(`std`, `mean`) over `dim`."""
    return _with_mean("std_mean", std, input, dim, unbiased, keepdim, correction)


def _with_mean(
    where: str, spread: Any, input: Tensor, dim: Any, unbiased: bool | None, keepdim: bool, correction: Any
) -> tuple[Tensor, Tensor]:
    x = floating(where, "input", input)
    if isinstance(dim, bool):  # var_mean(x, False), PyTorch's older form
        dim, unbiased = None, dim
    _dims(where, x, dim)
    return spread(x, dim, unbiased, keepdim, correction=correction), mean(x, dim, keepdim)


# sorting


def sort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = None) -> max_result:
    """The elements in order along `dim`, and the indices they come from. Always stable; NaN counts as the largest."""
    x = tensor_of("sort", "input", input)
    axis = wrap_dim(dim, x.ndim, "sort")
    if x.ndim == 0:
        return max_result(P.clone(x), new_tensor(np.zeros((), np.int64)))
    order = np.ascontiguousarray(order_of(x.array, axis, descending))
    return max_result(P.take_along(x, order, axis=axis), new_tensor(order))


def argsort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = None) -> Tensor:
    """The indices that bring the elements into order along `dim`; always stable."""
    return sort(tensor_of("argsort", "input", input).detach(), dim, descending).indices


def msort(input: Tensor) -> Tensor:
    """The elements in order along the first dimension."""
    return sort(tensor_of("msort", "input", input), 0).values


def _picked(x: Tensor, k: Array, axis: int, keepdim: bool) -> max_result:
    """The elements at `k`, which keeps the dimension `axis`, and `k`."""
    values = P.take_along(x, k, axis=axis)
    if not keepdim:
        values, k = P.reshape(values, shape=_left(x, (axis,))), np.squeeze(k, axis)
    return max_result(values, new_tensor(k))


def _point(x: Tensor, result: Any) -> max_result:
    """What a function of one dimension gives for a 0-d tensor, from its result for one element."""
    return max_result(P.reshape(result.values, shape=()), P.reshape(result.indices, shape=()))


@numpy_names
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> max_result:
    """The k-th smallest element along `dim` (k counts from 1), and its index."""
    x = tensor_of("kthvalue", "input", input)
    axis = wrap_dim(dim, x.ndim, "kthvalue")
    n = x.array.shape[axis] if x.ndim else 1
    if not 1 <= k <= n:
        raise RangeError(f"kthvalue: k must lie between 1 and {n}, the size of dim {dim}, got {k}")
    if x.ndim == 0:
        return _point(x, kthvalue(P.reshape(x, shape=(1,)), 1))
    return _picked(x, np.take(order_of(x.array, axis), [k - 1], axis), axis, keepdim)


@numpy_names
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element, the lower one of two; with `dim`, (values, indices). NaN where an element is NaN.

    Without `dim` equal elements share the gradient.
    """
    return _median("median", input, dim, keepdim, False)


@numpy_names
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """`median` of what is not NaN."""
    return _median("nanmedian", input, dim, keepdim, True)


def _median(where: str, input: Tensor, dim: int | None, keepdim: bool, skip: bool) -> Any:
    x = tensor_of(where, "input", input)
    if dim is None:
        flat = P.reshape(x, shape=(x.array.size,))
        if not x.array.size and x.is_floating_point():
            return P.div(P.sum_(flat, axes=(0,)), 0.0)
        _nonempty(where, flat, (0,))
        middle = flat.array[_middle(flat.array, 0, skip)]
        if np.isnan(middle)[0]:
            missing = P.index(flat, index=(np.flatnonzero(np.isnan(flat.array)),))
            return P.div(P.sum_(missing, axes=(0,)), float(missing.array.size))
        return P.amax(P.index(flat, index=(np.flatnonzero(flat.array == middle),)), axes=(0,))
    axis = wrap_dim(dim, x.ndim, where)
    if x.ndim == 0:
        return _point(x, _median(where, P.reshape(x, shape=(1,)), 0, False, skip))
    _nonempty(where, x, (axis,))
    return _picked(x, _middle(x.array, axis, skip), axis, keepdim)


def _middle(x: Array, axis: int, skip: bool) -> Array:
    """The index of the median along `axis`, which is kept."""
    n, missing = x.shape[axis], np.isnan(x).sum(axis, keepdims=True)
    place = np.maximum(n - missing - 1, 0) // 2 if skip else np.where(missing > 0, n - missing, (n - 1) // 2)
    return np.take_along_axis(order_of(x, axis), place, axis)


@numpy_names
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> max_result:
    """The most frequent element along `dim`, the smallest of several, and the index of its last occurrence."""
    x = tensor_of("mode", "input", input)
    axis = wrap_dim(dim, x.ndim, "mode")
    if x.ndim == 0:
        return _point(x, mode(P.reshape(x, shape=(1,)), 0))
    _nonempty("mode", x, (axis,))
    rows = np.moveaxis(x.array, axis, -1)
    k = np.empty(rows.shape[:-1], np.int64)
    for place in np.ndindex(k.shape):
        order = order_of(rows[place], 0)
        ordered = rows[place][order]
        ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
        k[place] = order[ends[np.argmax(np.diff(ends, prepend=-1))]]
    return _picked(x, np.expand_dims(k, axis), axis, keepdim)


@numpy_names
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The q-th quantiles, 0 ≤ q ≤ 1, over `dim` (all elements by default); several q come first in the shape.

    interpolation  "linear", "lower", "higher", "nearest", "midpoint": between the two elements next to q·(n − 1)
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)


@numpy_names
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """`quantile` of what is not NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)


def _quantile(
    where: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, skip: bool
) -> Tensor:
    x = floating(where, "input", input)
    if not isinstance(q, Tensor | int | float):
        raise DtypeError(f"{where}: q must be a number or a Tensor, got {type(q).__name__}")
    if x.array.dtype in dtypes.HALVES:
        raise DtypeError(f"{where}: input must be float32 or float64, got {x.dtype}")
    if isinstance(q, Tensor) and (q.array.dtype != x.array.dtype or q.ndim > 1):
        raise DtypeError(f"{where}: q must be a number or a {x.dtype} tensor of at most one dimension, got {q.dtype}")
    wanted = np.asarray(q.array if isinstance(q, Tensor) else q, x.array.dtype)
    if not ((wanted >= 0) & (wanted <= 1)).all():
        raise OptionError(f"{where}: q must lie in [0, 1], got {wanted.tolist()}")
    one_of(where, "interpolation", interpolation, "linear", "lower", "higher", "nearest", "midpoint")
    ndim = x.ndim
    axis = 0 if dim is None else wrap_dim(dim, ndim, where)
    rows = P.reshape(x, shape=(x.array.size,)) if dim is None or ndim == 0 else movedim(x, axis, -1)
    _nonempty(where, rows, (rows.ndim - 1,))
    last = rows.ndim - 1
    ordered = P.take_along(rows, order_of(rows.array, last), axis=last)
    found = [_between(ordered, float(p), interpolation, skip) for p in wanted.reshape(-1)]
    if not keepdim:
        found = [P.reshape(z, shape=z.array.shape[:-1]) for z in found]
    elif dim is None or ndim == 0:
        found = [P.reshape(z, shape=(1,) * ndim) for z in found]
    else:
        found = [movedim(z, -1, axis) for z in found]
    return stack(found) if wanted.ndim else found[0]


def _between(x: Tensor, q: float, interpolation: str, skip: bool) -> Tensor:
    """The q-th quantile of rows in order, NaN last."""
    n, last = x.array.shape[-1], x.ndim - 1
    missing = np.isnan(x.array).sum(-1, keepdims=True)
    kind = x.array.dtype.type
    rank = kind(q) * np.maximum(n - missing - 1, 0).astype(kind)
    rank = rank if skip else np.where(missing > 0, kind(n - 1), rank)
    if interpolation in ("lower", "higher", "nearest"):
        rank = {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}[interpolation](rank)
    below, above = np.floor(rank), np.ceil(rank)
    low, high = (P.take_along(x, k.astype(np.int64), axis=last) for k in (below, above))
    if interpolation not in ("linear", "midpoint"):
        return low
    share = np.where(below == above, 0.0, 0.5) if interpolation == "midpoint" else rank - below
    return lerp(low, high, new_tensor(share.astype(kind)))


# products and scans


@widened
@numpy_names
def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Π x over `dim` (all elements by default), multiplied by halves; integers and booleans as int64."""
    x = to_dtype(tensor_of("prod", "input", input), dtype, "prod")
    if x.dtype.category < 2 and dtype is None:
        x = P.cast(x, dtype=np.int64)
    axis = 0 if dim is None else wrap_dim(dim, x.ndim, "prod")
    shape = P.kept(x.array.shape, tuple(range(x.ndim)) if dim is None else (axis,))
    rest = shape if keepdim else () if dim is None else tuple(_left(x, (axis,)))
    if dim is None or x.ndim == 0:
        x = P.reshape(x, shape=(x.array.size,))
    n = x.array.shape[axis]
    if n == 0:
        return P.reshape(P.add(P.sum_(x, axes=(axis,), keepdims=True), 1), shape=rest)
    while n > 1:
        half = n // 2
        product = P.mul(narrow(x, axis, 0, half), narrow(x, axis, half, half))
        x = cat([product, narrow(x, axis, 2 * half, 1)], axis) if n % 2 else product
        n = x.array.shape[axis]
    return P.reshape(x, shape=rest)


@widened
@numpy_names
def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """zₜ = Π_{s ≤ t} xₛ along `dim`, in log₂ n steps that double what each product spans."""
    x = to_dtype(tensor_of("cumprod", "input", input), dtype, "cumprod")
    axis = wrap_dim(dim, x.ndim, "cumprod")
    if x.dtype.category < 2 and dtype is None:
        x = P.cast(x, dtype=np.int64)
    if x.ndim == 0:
        return P.clone(x)
    n, step = x.array.shape[axis], 1
    z = P.clone(x)
    while step < n:
        later = P.mul(narrow(z, axis, step, n - step), narrow(z, axis, 0, n - step))
        z, step = cat([narrow(z, axis, 0, step), later], axis), 2 * step
    return z


def cummax(input: Tensor, dim: int) -> max_result:
    """The largest element so far along `dim`, and its index (the last of ties). NaN stays."""
    return _cumulative("cummax", np.maximum, np.greater_equal, input, dim)


def cummin(input: Tensor, dim: int) -> max_result:
    """The smallest element so far along `dim`, and its index (the last of ties). NaN stays."""
    return _cumulative("cummin", np.minimum, np.less_equal, input, dim)


def _cumulative(where: str, extreme: Any, reaches: Any, input: Tensor, dim: int) -> max_result:
    x = tensor_of(where, "input", input)
    axis = wrap_dim(dim, x.ndim, where)
    if x.ndim == 0:
        return max_result(P.clone(x), new_tensor(np.zeros((), np.int64)))
    best = extreme.accumulate(x.array, axis=axis)
    places = np.arange(x.array.shape[axis]).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    found = np.where(reaches(x.array, best) | np.isnan(x.array), places, 0)
    k = np.maximum.accumulate(found, axis=axis)
    return max_result(P.take_along(x, k, axis=axis), new_tensor(k))


def _logcumsumexp_array(x: Array, *, axis: int, reverse: bool) -> Array:
    if reverse:
        return np.flip(_logcumsumexp_array(np.flip(x, axis), axis=axis, reverse=False), axis)
    return np.asarray(np.logaddexp.accumulate(x, axis=axis))


def _weighted_array(d: Array, x: Array, y: Array, *, axis: int, reverse: bool) -> Array:
    parts = []  # in logarithms: the sums of the positive and of the negative d
    for size in (d, -d):
        some = ~(size <= 0)
        logs = np.where(some, np.log(np.where(some, size, 1)) + np.where(some, x, 0), -np.inf)
        parts.append(np.exp(_logcumsumexp_array(logs, axis=axis, reverse=reverse) + y))
    return np.asarray(parts[0] - parts[1])


def _turned(dz: Any, x: Any, y: Any, axis: int, reverse: bool) -> Any:
    return _weighted(dz, y, x, axis=axis, reverse=not reverse)


# zₜ = Σₛ dₛ e^(xₛ + yₜ) over s ≤ t (reverse: s ≥ t); as a map of d its transpose is of the same kind
_weighted: Primitive = Primitive(
    "weighted_sums",
    _weighted_array,
    promote=None,
    dd=lambda dz, x, y, axis, reverse: _turned(dz, x, y, axis, reverse),
    dx=lambda dz, d, x, y, axis, reverse: P.mul(d, _turned(dz, x, y, axis, reverse)),
    dy=lambda dz, z: P.mul(dz, z),
)
# zₜ = log Σ_{s ≤ t} e^xₛ: dxₛ = Σ_{t ≥ s} dzₜ e^(xₛ − zₜ)
_logcumsumexp: Primitive = Primitive(
    "logcumsumexp",
    lambda x, *, axis: _logcumsumexp_array(x, axis=axis, reverse=False),
    promote=None,
    dx=lambda dz, x, z, axis: _weighted(dz, P.neg(z), x, axis=axis, reverse=True),
)


@widened
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """zₜ = log Σ_{s ≤ t} e^xₛ along `dim`, without overflow."""
    x = floating("logcumsumexp", "input", input)
    axis = wrap_dim(dim, x.ndim, "logcumsumexp")
    return _logcumsumexp(x, axis=axis) if x.ndim else P.clone(x)


# sums and counts


@numpy_names
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """(`amin`, `amax`) over `dim` (all elements by default)."""
    x = tensor_of("aminmax", "input", input)
    _nonempty("aminmax", x, _dims("aminmax", x, dim))
    return _amin(x, () if dim is None else dim, keepdim), _amax(x, () if dim is None else dim, keepdim)


@widened
@numpy_names
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Σ x over `dim`, NaN counted as 0."""
    x = to_dtype(tensor_of("nansum", "input", input), dtype, "nansum")
    x = P.where(P.isnan(x), x.array.dtype.type(0), x)
    return P.sum_(x, axes=_dims("nansum", x, dim), keepdims=keepdim)


@widened
@numpy_names
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over `dim` of what is not NaN."""
    x = floating("nanmean", "input", to_dtype(tensor_of("nanmean", "input", input), dtype, "nanmean"))
    missing, axes = P.isnan(x), _dims("nanmean", x, dim)
    count = P.cast(P.sum_(P.logical_not(missing), axes=axes, keepdims=keepdim), dtype=x.array.dtype)
    return P.div(P.sum_(P.where(missing, x.array.dtype.type(0), x), axes=axes, keepdims=keepdim), count)


@numpy_names
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements over `dim` are not zero."""
    x = tensor_of("count_nonzero", "input", input)
    return P.sum_(P.ne(x, 0), axes=_dims("count_nonzero", x, dim))


def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Differences of neighbours along `dim`, n times; `prepend` and `append` are joined to `input` before."""
    x = tensor_of("diff", "input", input)
    if x.ndim == 0:
        raise ShapeError("diff: input must have at least one dimension")
    axis = wrap_dim(dim, x.ndim, "diff")
    if n < 0:
        raise OptionError(f"diff: n must be ≥ 0, got {n}")
    ends = {"prepend": prepend, "append": append}
    before, after = ([] if e is None else [tensor_of("diff", name, e)] for name, e in ends.items())
    x = cat([*before, x, *after], axis) if before or after else x
    for _ in range(min(n, x.array.shape[axis])):
        m = max(x.array.shape[axis] - 1, 0)
        later, earlier = narrow(x, axis, x.array.shape[axis] - m, m), narrow(x, axis, 0, m)
        x = P.ne(later, earlier) if x.dtype.category == 0 else P.sub(later, earlier)
    return x if n else P.clone(x)


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """∫ y along `dim` by the trapezoidal rule, over points `x` or at distances `dx` (1)."""
    areas, axis = _areas("trapezoid", y, x, dx, dim)
    return P.sum_(areas, axes=(axis,))


trapz = trapezoid


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """∫ y along `dim` from the first point up to each later one, by the trapezoidal rule."""
    areas, axis = _areas("cumulative_trapezoid", y, x, dx, dim)
    return P.cumsum(areas, axis=axis, reverse=False)


def _areas(where: str, y: Tensor, x: Tensor | None, dx: float | None, dim: int) -> tuple[Tensor, int]:
    if x is not None and dx is not None:
        raise OptionError(f"{where}: pass either x or dx")
    y = tensor_of(where, "y", y)
    y = y if y.is_floating_point() else to_dtype(y, float, where)
    axis = wrap_dim(dim, y.ndim, where)
    n = y.array.shape[axis] if y.ndim else 0
    if y.ndim == 0:
        raise ShapeError(f"{where}: y must have at least one dimension")
    m = max(n - 1, 0)
    heights = P.mul(P.add(narrow(y, axis, n - m, m), narrow(y, axis, 0, m)), 0.5)
    if x is None:
        return (heights if dx is None else P.mul(heights, dx)), axis
    x = tensor_of(where, "x", x)
    at = 0 if x.ndim == 1 else axis
    if x.array.shape[at] != n:
        raise ShapeError(f"{where}: x has {x.array.shape[at]} points along the dimension, y has {n}")
    widths = P.sub(narrow(x, at, n - m, m), narrow(x, at, 0, m))
    if x.ndim == 1:
        widths = P.reshape(widths, shape=tuple(m if i == axis else 1 for i in range(y.ndim)))
    check_broadcast(where, widths, heights)
    return P.mul(heights, widths), axis


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements fall into each of `bins` equal parts of [min, max] (of the elements' range if both are equal)."""
    x = floating("histc", "input", input).array
    if bins < 1 or min > max:
        raise OptionError(f"histc: bins must be > 0 and min ≤ max, got {bins}, {min}, {max}")
    low, high = float(min), float(max)
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if low == high:
        low, high = low - 1, high + 1
    if not (math.isfinite(low) and math.isfinite(high)):
        raise OptionError(f"histc: the range [{low}, {high}] is not finite")
    inside = x[(x >= low) & (x <= high)].astype(np.float64)
    return new_tensor(np.histogram(inside, bins, (low, high))[0].astype(x.dtype))


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0 … max(input) comes in a vector, or the sums of `weights` by number."""
    x = integer("bincount", "input", input)
    if x.ndim != 1 or x.array.size and x.array.min() < 0:
        raise ShapeError(f"bincount: input must be a vector of numbers ≥ 0, got shape {tuple(x.array.shape)}")
    if minlength < 0:
        raise OptionError(f"bincount: minlength must be ≥ 0, got {minlength}")
    if weights is None:
        return new_tensor(np.bincount(x.array, minlength=minlength).astype(np.int64))
    w = tensor_of("bincount", "weights", weights).array
    if w.shape != x.array.shape:
        raise ShapeError(f"bincount: weights have shape {w.shape}, input {tuple(x.array.shape)}")
    kind = np.float32 if w.dtype == np.float32 else np.float64
    return new_tensor(np.bincount(x.array, w.astype(np.float64), minlength).astype(kind))
