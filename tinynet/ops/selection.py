"""Putting elements at places given by indices, and finding elements: scatter, index_add, take, unique, searchsorted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from .._tensor import Tensor, new_tensor, wrap_dim
from ..autograd.primitive import Primitive
from ..errors import DtypeError, RangeError, ShapeError
from . import primitives as P
from .checks import check_broadcast, integer, one_of, tensor_of
from .indexing import _check_range, plan

Array = np.ndarray[Any, Any]
Index = tuple[Any, ...]


def _same_kind(where: str, name: str, x: Tensor, v: Tensor) -> Tensor:
    if v.array.dtype != x.array.dtype:
        raise DtypeError(f"{where}: {name} must be of dtype {x.dtype}, got {v.dtype}")
    return v


def _filler(where: str, x: Tensor, value: Any) -> Tensor:
    """A number, or a 0-d tensor, in the dtype of `x`."""
    if isinstance(value, Tensor):
        if value.ndim:
            raise ShapeError(f"{where}: value must be a number or a 0-d tensor, got shape {tuple(value.array.shape)}")
        return value if value.array.dtype == x.array.dtype else P.cast(value, dtype=x.array.dtype)
    if not isinstance(value, bool | int | float | np.generic):
        raise DtypeError(f"{where}: value must be a number or a Tensor, got {type(value).__name__}")
    dtypes.check_fits(np.asarray(value), x.array.dtype, where)
    return new_tensor(np.asarray(value, x.array.dtype))


def _accumulate(x: Tensor, v: Tensor, index: Index) -> Tensor:
    """x with `v` added at `index`, also where a place comes several times."""
    if x.dtype.category < 2:  # exact, where the sums of the gradient's path are in float64
        out = np.array(x.array, order="C")
        (np.logical_or if x.dtype.category == 0 else np.add).at(out, index, v.array)
        return new_tensor(out)
    return P.add(x, P.unindex(v, index=index, source=x.array.shape))


# along a dimension, by an index for each element


def _places(where: str, input: Any, dim: int, index: Any, src: Any) -> tuple[Tensor, Index, Tensor | None]:
    """input, the index arrays of the places that `index` names along `dim`, and the part of `src` that goes there."""
    x, k = tensor_of(where, "input", input), integer(where, "index", index).array
    d = wrap_dim(dim, x.ndim, where)
    v = _same_kind(where, "src", x, src) if isinstance(src, Tensor) else None
    if k.size == 0:
        return x, (), v
    if max(k.ndim, 1) != max(x.ndim, 1) or v is not None and max(v.ndim, 1) != max(x.ndim, 1):
        raise ShapeError(f"{where}: index, src and input must have equally many dimensions, input has {x.ndim}")
    sizes, room = np.atleast_1d(k).shape, np.atleast_1d(x.array).shape
    if any(i != d and a > b for i, (a, b) in enumerate(zip(sizes, room, strict=True))):
        raise ShapeError(f"{where}: index of shape {k.shape} is larger than input of shape {tuple(x.array.shape)}")
    _check_range(where, k, room[d], dim)
    if v is not None:
        if any(a > b for a, b in zip(sizes, np.atleast_1d(v.array).shape, strict=True)):
            raise ShapeError(f"{where}: index of shape {k.shape} is larger than src of shape {tuple(v.array.shape)}")
        v = P.index(v, index=tuple(slice(0, n) for n in k.shape)) if v.ndim else v
        v = v if v.array.shape == sizes else P.reshape(v, shape=sizes)
    grid: list[Any] = list(np.ogrid[tuple(slice(0, n) for n in sizes)])
    grid[d] = np.array(np.atleast_1d(k))
    return x, tuple(grid), v


def _at_least_1d(x: Tensor) -> Tensor:
    return x if x.ndim else P.reshape(x, shape=(1,))


def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, reduce: str | None = None, value: Any = None
) -> Tensor:
    """A copy of `input` with z[…, index[…, k, …], …] = src[…, k, …] along `dim`; `src` may be a number.

    Where a place comes several times, the last one counts, and all of them get its gradient, as in PyTorch.
    `reduce`: None, "add" or "multiply" with what is there.
    """
    src = value if src is None else src
    if src is None:
        raise DtypeError("scatter: src must be a Tensor or a number, got None")
    if not isinstance(src, Tensor | int | float | np.number):
        raise DtypeError(f"scatter: src must be a Tensor or a number, got {type(src).__name__}")
    x, places, v = _places("scatter", input, dim, index, src)
    if not places:
        return P.clone(x)
    if reduce is not None:
        one_of("scatter", "reduce", reduce, "add", "multiply")
        if v is None:
            v = P.expand(_filler("scatter", x, src), shape=np.atleast_1d(index.array).shape)
        return _reduced(x, places, v, "sum" if reduce == "add" else "prod", True)
    y = P.put(_at_least_1d(x), _filler("scatter", x, src) if v is None else v, index=places)
    return P.reshape(y, shape=x.array.shape)


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of `input` to which z[…, index[…, k, …], …] += src[…, k, …] along `dim`."""
    x, places, v = _places("scatter_add", input, dim, index, tensor_of("scatter_add", "src", src))
    return P.clone(x) if not places or v is None else _reduced(x, places, v, "sum", True)


def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy of `input` whose elements at the places of `index` are reduced with those of `src` that go there.

    reduce        "sum", "prod", "mean", "amax" or "amin"; equal extremes share the gradient
    include_self  whether the element that is there takes part
    """
    x, places, v = _places("scatter_reduce", input, dim, index, tensor_of("scatter_reduce", "src", src))
    one_of("scatter_reduce", "reduce", reduce, "sum", "prod", "mean", "amax", "amin")
    return P.clone(x) if not places or v is None else _reduced(x, places, v, reduce, include_self)


def _reduced(x: Tensor, places: Index, v: Tensor, how: str, include: bool) -> Tensor:
    shape, x = x.array.shape, _at_least_1d(x)
    if how in ("amax", "amin"):
        y = _extreme(x, v, places=places, largest=how == "amax", include=include)
        return P.reshape(y, shape=shape)
    if not include:
        start = new_tensor(np.asarray(1 if how == "prod" else 0, x.array.dtype))
        x = P.put(x, start, index=places)
    if how == "prod":
        flat = np.arange(x.array.size).reshape(x.array.shape)[places]
        for chosen in _rounds(flat.reshape(-1)):
            factor = P.index(P.reshape(v, shape=(v.array.size,)), index=(chosen,))
            ones = new_tensor(np.ones(x.array.size, x.array.dtype))
            factors = P.put(ones, factor, index=(flat.reshape(-1)[chosen],))
            x = P.mul(x, P.reshape(factors, shape=x.array.shape))
        return P.reshape(x, shape=shape)
    y = _accumulate(x, v, places)
    if how == "mean":
        count = np.full(x.array.shape, int(include), np.int64)
        np.add.at(count, places, 1)
        count = np.maximum(count, 1).astype(x.array.dtype)
        y = P.div(y, new_tensor(count)) if x.is_floating_point() else P.floor_divide(y, new_tensor(count))
    return P.reshape(y, shape=shape)


def _rounds(places: Array) -> list[Array]:
    """The positions in groups, each of which names no place twice."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    first = np.searchsorted(ordered, ordered)
    turn = np.arange(ordered.size) - first
    return [order[turn == t] for t in range(int(turn.max()) + 1)]


def _extreme_array(x: Array, v: Array, *, places: Index, largest: bool, include: bool) -> Array:
    out = np.array(x, order="C")
    function = np.maximum if largest else np.minimum
    if not include:
        out[places] = v  # one of them, so that it changes nothing
    function.at(out, places, v)
    return out


def _extreme_share(dz: Any, x: Any, v: Any, z: Any, places: Index, include: bool, own: bool) -> Any:
    raw = [a if isinstance(a, np.ndarray) else a.array for a in (x, v, z)]
    same, hit = raw[0] == raw[2], raw[1] == raw[2][places]
    if not include:
        same[places] = False
    count = same.astype(np.int64)
    np.add.at(count, places, hit)
    share = P.div(dz, np.maximum(count, 1).astype(raw[2].dtype))  # NaN equals nothing
    return (
        P.mul(share, same.astype(raw[2].dtype))
        if own
        else P.mul(P.index(share, index=places), hit.astype(raw[2].dtype))
    )


_extreme = Primitive(
    "scatter_reduce",
    _extreme_array,
    promote=None,
    dx=lambda dz, x, v, z, places, include: _extreme_share(dz, x, v, z, places, include, own=True),
    dv=lambda dz, x, v, z, places, include: _extreme_share(dz, x, v, z, places, include, own=False),
)


# whole slices along a dimension, by one index each


def _slices(where: str, input: Any, dim: int, index: Any) -> tuple[Tensor, Index]:
    x, k = tensor_of(where, "input", input), integer(where, "index", index).array
    d = wrap_dim(dim, x.ndim, where)
    if k.ndim > 1:
        raise ShapeError(f"{where}: index must have one dimension, got shape {k.shape}")
    n = x.array.shape[d] if x.ndim else 1
    k = (
        np.where(np.atleast_1d(k) < 0, np.atleast_1d(k) + n, np.atleast_1d(k))
        if where == "index_fill"
        else np.atleast_1d(k)
    )
    _check_range(where, k, n, dim)
    return x, (*(slice(None),) * d, k.copy(), *(slice(None),) * (max(x.ndim, 1) - d - 1))


def _rows(where: str, x: Tensor, places: Index, source: Any) -> Tensor:
    """The slices that go to `places`, in their shape."""
    v = _same_kind(where, "source", x, tensor_of(where, "source", source))
    wanted = tuple(
        k.size if isinstance(k, np.ndarray) else n for k, n in zip(places, x.array.shape or (1,), strict=True)
    )
    if _at_least_1d(v).array.shape != wanted:
        raise ShapeError(f"{where}: source must have shape {wanted}, got {tuple(v.array.shape)}")
    return P.reshape(v, shape=wanted)


def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """A copy of `input` with alpha·source[k] added to its slice index[k] along `dim`, for every k."""
    x, places = _slices("index_add", input, dim, index)
    if x.dtype.category < 2 and not isinstance(alpha, int):
        raise DtypeError(f"index_add: alpha must be an integer for a tensor of dtype {x.dtype}, got {alpha!r}")
    v = _rows("index_add", x, places, source)
    y = _accumulate(_at_least_1d(x), v if alpha == 1 else P.mul(v, alpha), places)
    return P.reshape(y, shape=x.array.shape)


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy of `input` whose slice index[k] along `dim` is source[k], for every k."""
    x, places = _slices("index_copy", input, dim, index)
    y = P.put(_at_least_1d(x), _rows("index_copy", x, places, source), index=places)
    return P.reshape(y, shape=x.array.shape)


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A copy of `input` whose slices `index` along `dim` hold one number."""
    x, places = _slices("index_fill", input, dim, index)
    places = tuple(np.unique(k) if isinstance(k, np.ndarray) else k for k in places)
    y = P.put(_at_least_1d(x), _filler("index_fill", x, value), index=places)
    return P.reshape(y, shape=x.array.shape)


def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of `input` with `values` at input[indices]; with `accumulate` they are added, wherever places meet."""
    x, v = tensor_of("index_put", "input", input), tensor_of("index_put", "values", values)
    if not isinstance(indices, tuple | list):
        raise DtypeError(f"index_put: indices must be a tuple of tensors, got {type(indices).__name__}")
    _same_kind("index_put", "values", x, v)
    try:
        places = plan(x, tuple(slice(None) if k is None else k for k in indices))[1]
    except RangeError as error:
        raise RangeError(f"index_put: {error}") from None
    if not places:  # 0-d indices are integers
        places = tuple(np.asarray(k.array).reshape(1) if isinstance(k, Tensor) else slice(None) for k in indices)
    target = x.array[places].shape
    try:
        np.broadcast_to(v.array, target)
    except ValueError:
        raise ShapeError(f"index_put: values of shape {tuple(v.array.shape)} do not fit into {target}") from None
    v = P.expand(v, shape=target)
    return _accumulate(x, v, places) if accumulate else P.put(x, v, index=places)


def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements of the flattened `input` at `index`, in its shape."""
    x, k = tensor_of("take", "input", input), integer("take", "index", index).array
    n = x.array.size
    if k.size and (k.min() < -n or k.max() >= n):
        raise RangeError(f"take: index {k.min() if k.min() < -n else k.max()} is out of range for {n} elements")
    return P.index(P.reshape(x, shape=(n,)), index=(k.copy(),))


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """`input` whose elements where `mask` (broadcast) holds are replaced, in order, by those of `source`."""
    x, m = tensor_of("masked_scatter", "input", input), tensor_of("masked_scatter", "mask", mask)
    v = _same_kind("masked_scatter", "source", x, tensor_of("masked_scatter", "source", source))
    if m.array.dtype != np.bool_:
        raise DtypeError(f"masked_scatter: mask must be a boolean tensor, got {m.dtype}")
    shape = check_broadcast("masked_scatter", x, m)
    holds = np.broadcast_to(m.array, shape)
    n = int(holds.sum())
    if n > v.array.size:
        raise ShapeError(f"masked_scatter: source has {v.array.size} elements for {n} places")
    part = P.index(P.reshape(v, shape=(v.array.size,)), index=(slice(0, n),))
    return P.put(P.expand(x, shape=shape), part, index=(holds.copy(),))


# finding


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements in order (with `dim`, the distinct slices); on demand (…, inverse, counts)."""
    x = tensor_of("unique", "input", input)
    axis = None if dim is None else wrap_dim(dim, x.ndim, "unique")
    values, inverse, counts = np.unique(x.array, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
    return _distinct(
        values, inverse.reshape(x.array.shape if axis is None else -1), counts, return_inverse, return_counts
    )


def _distinct(values: Array, inverse: Array, counts: Array, return_inverse: bool, return_counts: bool) -> Any:
    more = [new_tensor(np.asarray(a, np.int64)) for a, on in ((inverse, return_inverse), (counts, return_counts)) if on]
    return (new_tensor(values), *more) if more else new_tensor(values)


def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The first element (with `dim`, slice) of each run of equal ones; on demand (…, inverse, counts)."""
    x = tensor_of("unique_consecutive", "input", input)
    axis = 0 if dim is None else wrap_dim(dim, x.ndim, "unique_consecutive")
    a = x.array.reshape(-1) if dim is None else np.moveaxis(x.array, axis, 0)
    rows = a.reshape(len(a), math.prod(a.shape[1:]))
    starts = np.append(True, (rows[1:] != rows[:-1]).any(1))[: len(a)].astype(bool)
    first = np.flatnonzero(starts)
    inverse = np.cumsum(starts) - 1
    values = a[first] if dim is None else np.moveaxis(a[first], 0, axis)
    counts = np.diff(np.append(first, len(a)))
    return _distinct(
        np.ascontiguousarray(values),
        inverse.reshape(x.array.shape) if dim is None else inverse,
        counts,
        return_inverse,
        return_counts,
    )


def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where in the last dimension of `sorted_sequence` each element of `input` goes so that it stays in order.

    right, side  False, "left": before equal ones; True, "right": after them
    sorter       the indices that bring `sorted_sequence` into order, if it is not
    """
    return _search("searchsorted", sorted_sequence, input, out_int32, right, side, sorter)


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of the interval between `boundaries` (in order) that each element lies in, as `searchsorted` gives it."""
    b = tensor_of("bucketize", "boundaries", boundaries)
    if b.ndim != 1:
        raise ShapeError(f"bucketize: boundaries must have one dimension, got shape {tuple(b.array.shape)}")
    return _search("bucketize", b, input, out_int32, right, None, None)


def _search(where: str, sequence: Any, input: Any, narrow: bool, right: bool, side: str | None, sorter: Any) -> Tensor:
    s = tensor_of(where, "sorted_sequence", sequence).array
    if not isinstance(input, int | float):
        v = tensor_of(where, "input", input).array
        if v.dtype != s.dtype:
            raise DtypeError(f"{where}: expected one dtype, got {s.dtype} and {v.dtype}")
    else:
        v = np.asarray(input)
    if side is not None:
        right = one_of(where, "side", side, "left", "right") == "right"
    if sorter is not None:
        s = np.take_along_axis(s, integer(where, "sorter", sorter).array, -1)
    if s.ndim == 0 or s.ndim > 1 and s.shape[:-1] != v.shape[:-1]:
        raise ShapeError(f"{where}: shapes {s.shape} and {v.shape} do not agree outside the last dimension")
    order: Any = "right" if right else "left"
    kind = np.int32 if narrow else np.int64
    if s.ndim == 1:
        return new_tensor(np.asarray(np.searchsorted(s, v, order)).astype(kind))
    found = np.empty(v.shape, kind)
    for place in np.ndindex(s.shape[:-1]):
        found[place] = np.searchsorted(s[place], v[place], order)
    return new_tensor(found)
