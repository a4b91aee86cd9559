"""Indexing with PyTorch's rules: integers and slices first, as a view; then masks and index tensors, as a copy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from .._tensor import Tensor, changed, new_tensor, wrap_dim
from ..autograd.modes import modes
from ..autograd.views import inplace
from ..errors import DtypeError, OptionError, RangeError, ShapeError
from . import primitives as P
from .checks import check_broadcast, integer, tensor_of

Array = np.ndarray[Any, Any]
Index = tuple[Any, ...]


def _array_index(k: Any) -> Array | None:
    """`k` as an index array, or None if it is not one."""
    if isinstance(k, Tensor):
        k = k.array
    elif isinstance(k, list | range | tuple):
        k = np.asarray([i.item() if isinstance(i, Tensor) and i.ndim == 0 else np.asarray(i) for i in k])
        k = k.astype(np.int64) if k.size == 0 else k
    if not isinstance(k, np.ndarray):
        return None
    if k.dtype == np.uint8:  # PyTorch's old masks
        k = k.astype(np.bool_)
    if k.dtype.kind not in "bi":
        raise DtypeError(f"index: expected integers, booleans or slices, got an index of dtype {k.dtype}")
    return k


def plan(x: Tensor, key: Any) -> tuple[Index, Index]:
    """`key` as (basic, advanced): x[basic] is a view; x[basic][advanced] picks by arrays. Either may be empty."""
    items = list(key) if isinstance(key, tuple) else [key]
    parsed: list[Any] = []
    used = 0
    for k in items:
        if k is None or k is Ellipsis or isinstance(k, slice):
            used += isinstance(k, slice)
        elif isinstance(k, bool | np.bool_):
            k = np.asarray(k)
        elif isinstance(k, int | np.integer):
            k, used = int(k), used + 1
        else:
            array = _array_index(k)
            if array is None:
                try:
                    k = int(k.__index__())
                except AttributeError:
                    kind = DtypeError if isinstance(k, str) else RangeError  # as PyTorch
                    raise kind(f"index: cannot index with {type(k).__name__}") from None
                used += 1
            elif array.ndim == 0 and array.dtype.kind == "i":
                k, used = int(array), used + 1
            else:
                k, used = array, used + (array.ndim if array.dtype.kind == "b" else 1)
        parsed.append(k)
    if used > x.ndim:
        raise RangeError(f"index: {used} indices for a tensor of {x.ndim} dimensions, shape {tuple(x.array.shape)}")
    if sum(k is Ellipsis for k in parsed) > 1:
        raise RangeError("index: more than one Ellipsis")
    if not any(k is Ellipsis for k in parsed):
        parsed.append(Ellipsis)
    at = next(i for i, k in enumerate(parsed) if k is Ellipsis)
    parsed[at : at + 1] = [slice(None)] * (x.ndim - used)
    return _divide(x, parsed)


def _divide(x: Tensor, parsed: list[Any]) -> tuple[Index, Index]:
    basic: list[Any] = []
    advanced: list[Any] = []
    dim = 0
    for k in parsed:
        if k is None:
            basic.append(None)
            advanced.append(slice(None))
        elif isinstance(k, int):
            n = x.array.shape[dim]
            if not -n <= k < n:
                raise RangeError(f"index: {k} is out of range for dim {dim} of size {n}")
            basic.append(k)
            dim += 1
        elif isinstance(k, slice):
            basic.append(_check_slice(k))
            advanced.append(slice(None))
            dim += 1
        else:
            width = k.ndim if k.dtype.kind == "b" else 1
            if k.dtype.kind == "b" and k.shape != x.array.shape[dim : dim + width]:
                raise RangeError(
                    f"index: a mask of shape {k.shape} does not match shape {tuple(x.array.shape)} at dim {dim}"
                )
            if k.dtype.kind == "i" and k.size:
                n = x.array.shape[dim]
                if k.min() < -n or k.max() >= n:
                    bad = int(k.min()) if k.min() < -n else int(k.max())
                    raise RangeError(f"index: {bad} is out of range for dim {dim} of size {n}")
            basic.extend([slice(None)] * width)
            advanced.append(k.copy())  # a later change of the index does not reach the graph
            dim += width
    if not any(isinstance(k, np.ndarray) for k in advanced):
        advanced = []
    if advanced and all(isinstance(k, slice) and k == slice(None) for k in basic):
        basic = []
    return tuple(basic), tuple(advanced)


def _check_slice(k: slice) -> slice:
    def whole(v: Any) -> Any:
        try:
            return v if v is None else int(v.__index__())
        except AttributeError:
            raise DtypeError(f"index: slice bounds must be integers, got {v!r}") from None

    step = whole(k.step)
    if step is not None and step <= 0:
        raise OptionError(f"index: slice steps must be > 0, got {step}; use flip")
    return slice(whole(k.start), whole(k.stop), step)


def getitem(x: Tensor, key: Any) -> Tensor:
    """x[key]: integers, slices, None and Ellipsis give a view; masks and index tensors a copy."""
    basic, advanced = plan(x, key)
    if basic or not advanced:
        x = P.index(x, index=basic)
    if advanced:
        x = _checked(P.index, x, advanced)
    return x


def _checked(op: Any, x: Tensor, key: Index) -> Tensor:
    try:
        return op(x, index=key)
    except IndexError as error:
        raise RangeError(f"index: {error}") from None


def setitem(x: Tensor, key: Any, value: Any) -> None:
    """x[key] = value, in place and in the graph; `value` is broadcast and cast."""
    basic, advanced = plan(x, key)
    if isinstance(value, Tensor) and not advanced and _is_same_place(x, basic, value):
        return  # x[k] += v: Python assigns the view to itself
    if not isinstance(value, Tensor):
        value = np.asarray(value)
        dtypes.check_fits(value, x.array.dtype, "index assignment")
        value = new_tensor(value)
    if value.dtype.category > x.dtype.category and value.ndim:
        raise DtypeError(f"index assignment: cannot store {value.dtype} in a tensor of dtype {x.dtype}")
    if basic and advanced:
        with_view = P.index(x, index=basic)
        _assign(with_view, advanced, value)
    else:
        _assign(x, advanced or basic, value)


def _assign(x: Tensor, key: Index, value: Tensor) -> None:
    target = np.broadcast_shapes(np.empty(x.array.shape, np.bool_)[key].shape) if key else x.array.shape
    while value.ndim > len(target) and value.array.shape[0] == 1:
        value = P.reshape(value, shape=value.array.shape[1:])
    try:
        np.broadcast_to(value.array, target)
    except ValueError:
        raise ShapeError(
            f"index assignment: shape {tuple(value.array.shape)} cannot be broadcast to {tuple(target)}"
        ) from None
    if not modes.recording and x.array.flags.writeable:
        from ..autograd.views import check_writeable

        check_writeable(x, "index assignment")
        x.array[key] = value.array
        changed(x)
        return
    inplace("index assignment", x, lambda t: P.put(t, value, index=key))


def _is_same_place(x: Tensor, basic: Index, value: Tensor) -> bool:
    """Whether `value` is x[basic] itself: the same memory, and the same place in the graph."""
    place = x.array[(*basic, ...)]
    base, recorded = (x, True) if x.view_of is None else (x.view_of[0], x.view_of[3])
    own, own_recorded = (value, True) if value.view_of is None else (value.view_of[0], value.view_of[3])
    if own is not base or (modes.recording and own_recorded is not recorded):  # detached from it, or it from x
        return False
    return (
        value.memory is x.memory
        and place.__array_interface__["data"] == value.array.__array_interface__["data"]
        and place.shape == value.array.shape
        and place.strides == value.array.strides
    )


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """z[…, k, …] = x[…, index[…, k, …], …] along `dim`; `index` may be smaller than `input` in the other dimensions."""
    x, k = tensor_of("gather", "input", input), integer("gather", "index", index).array
    d = wrap_dim(dim, x.ndim, "gather")
    if k.ndim != x.ndim and k.size == 0:
        return new_tensor(np.empty(k.shape, x.array.dtype))
    if k.ndim != x.ndim:
        raise ShapeError(f"gather: index has {k.ndim} dimensions, input has {x.ndim}")
    if x.ndim == 0:
        return P.alias(x)
    if any(i != d and a > b for i, (a, b) in enumerate(zip(k.shape, x.array.shape, strict=True))):
        raise ShapeError(f"gather: index of shape {k.shape} is larger than input of shape {tuple(x.array.shape)}")
    _check_range("gather", k, x.array.shape[d], dim)
    part = tuple(slice(None) if i == d else slice(0, m) for i, m in enumerate(k.shape))
    return P.take_along(P.index(x, index=part), k.copy(), axis=d)


def _check_range(where: str, k: Array, n: int, dim: int) -> None:
    if k.size and (k.min() < 0 or k.max() >= n):
        raise RangeError(
            f"{where}: index {k.min() if k.min() < 0 else k.max()} is out of range for dim {dim} of size {n}"
        )


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of `input` along `dim` that a 1-d `index` names."""
    x, k = tensor_of("index_select", "input", input), integer("index_select", "index", index)
    if k.ndim > 1:
        raise ShapeError(f"index_select: index must have one dimension, got shape {tuple(k.array.shape)}")
    d = wrap_dim(dim, x.ndim, "index_select")
    _check_range("index_select", k.array, x.array.shape[d] if x.ndim else 1, dim)
    if x.ndim == 0:
        if k.array.size != 1:
            raise ShapeError(f"index_select: index of a 0-d input must have one element, got {k.array.size}")
        return P.clone(x)
    return getitem(x, (*(slice(None),) * d, P.reshape(k, shape=(k.array.size,))))


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`value` where `mask` (broadcast) holds, else `input`."""
    x, m = tensor_of("masked_fill", "input", input), tensor_of("masked_fill", "mask", mask)
    if m.array.dtype != np.bool_:
        raise DtypeError(f"masked_fill: mask must be a boolean tensor, got {m.dtype}")
    if isinstance(value, Tensor) and value.ndim:
        raise ShapeError(f"masked_fill: value must be a number or a 0-d tensor, got shape {tuple(value.array.shape)}")
    check_broadcast("masked_fill", x, m)
    if not isinstance(value, Tensor):
        dtypes.check_fits(np.asarray(value), x.array.dtype, "masked_fill")
    filler = value if isinstance(value, Tensor) else new_tensor(np.asarray(value, x.array.dtype))
    return P.where(m, filler if filler.array.dtype == x.array.dtype else P.cast(filler, dtype=x.array.dtype), x)


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where `mask` (broadcast) holds, in one dimension."""
    x, m = tensor_of("masked_select", "input", input), tensor_of("masked_select", "mask", mask)
    if m.array.dtype != np.bool_:
        raise DtypeError(f"masked_select: mask must be a boolean tensor, got {m.dtype}")
    shape = check_broadcast("masked_select", x, m)
    return getitem(P.expand(x, shape=shape), P.expand(m, shape=shape))


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the nonzero elements: one row each, or with `as_tuple` one tensor a dimension."""
    found = np.nonzero(np.atleast_1d(tensor_of("nonzero", "input", input).array))
    if as_tuple:
        return tuple(new_tensor(k.astype(np.int64)) for k in found)
    columns = found if input.ndim else ()
    return new_tensor(np.stack(columns, 1) if columns else np.zeros((len(found[0]), 0), np.int64))


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` whose index is broadcast against the input outside `dim`; without a `dim`, of both made flat.

    Negative indices count from the end.
    """
    x, k = tensor_of("take_along_dim", "input", input), integer("take_along_dim", "indices", indices)
    if dim is None:
        return take_along_dim(P.reshape(x, shape=(x.array.size,)), P.reshape(k, shape=(k.array.size,)), 0)
    d = wrap_dim(dim, x.ndim, "take_along_dim")
    xs, ks = list(x.array.shape), list(k.array.shape)
    if len(xs) != len(ks):
        raise ShapeError(f"take_along_dim: indices have {len(ks)} dimensions, input has {len(xs)}")
    n = xs[d]
    if k.array.size and k.array.min() < 0 and k.array.min() >= -n:
        k = new_tensor(np.where(k.array < 0, k.array + n, k.array))
    _check_range("take_along_dim", k.array, n, dim)
    xs[d] = ks[d] = 1
    try:
        both = np.broadcast_shapes(tuple(xs), tuple(ks))
    except ValueError:
        raise ShapeError(
            f"take_along_dim: indices of shape {tuple(k.array.shape)} cannot be broadcast to {tuple(x.array.shape)}"
        ) from None
    wide = P.expand(x, shape=(*both[:d], x.array.shape[d], *both[d + 1 :]))
    return gather(wide, d, P.expand(k, shape=(*both[:d], k.array.shape[d], *both[d + 1 :])))


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """A last dimension of size `num_classes` (the largest label + 1 if −1) with 1 at each label, as int64."""
    x = integer("one_hot", "tensor", tensor).array
    if num_classes == -1:
        if x.size == 0:
            raise OptionError("one_hot: num_classes must be given for an empty tensor")
        num_classes = int(x.max()) + 1
    if num_classes < 1 or x.size and (x.min() < 0 or x.max() >= num_classes):
        raise RangeError(f"one_hot: labels must lie in 0 … {num_classes - 1}, got {x.min()} to {x.max()}")
    return new_tensor((x[..., None] == np.arange(num_classes)).astype(np.int64))
