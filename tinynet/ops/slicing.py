"""A part of a tensor replaced, and a tensor seen with other strides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor, wrap_dim
from ..autograd.primitive import Primitive
from ..errors import DtypeError, OptionError, RangeError, ShapeError
from . import primitives as P
from .arranging import diagonal
from .checks import floating, integer, one_of, sizes, tensor_of
from .reduction import norm
from .selection import index_put, scatter_reduce

Array = np.ndarray[Any, Any]


def _replaced(where: str, x: Tensor, src: Any, index: tuple[Any, ...]) -> Tensor:
    return P.put(x, _source(where, x, src, x.array[index].shape), index=index)


def _source(where: str, x: Tensor, src: Any, wanted: tuple[int, ...]) -> Tensor:
    """What is put in the place of a part, in the dtype of `x`."""
    v = tensor_of(where, "src", src)
    if v.array.shape != wanted:
        raise ShapeError(f"{where}: src must have the shape {tuple(wanted)} of the part, got {tuple(v.array.shape)}")
    return v if v.array.dtype == x.array.dtype else P.cast(v, dtype=x.array.dtype)


def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """A copy of `input` with `src` at input[…, start:end:step, …] of dimension `dim`."""
    x = tensor_of("slice_scatter", "input", input)
    if step <= 0:
        raise OptionError(f"slice_scatter: step must be > 0, got {step}")
    d = wrap_dim(dim, x.ndim, "slice_scatter")
    return _replaced("slice_scatter", x, src, (*(slice(None),) * d, slice(start, end, step)))


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of `input` with `src` at position `index` of dimension `dim`."""
    x = tensor_of("select_scatter", "input", input)
    d = wrap_dim(dim, x.ndim, "select_scatter")
    n = x.array.shape[d]
    if not -n <= index < n:
        raise RangeError(f"select_scatter: index must lie in [-{n}, {n}), got {index}")
    return _replaced("select_scatter", x, src, (*(slice(None),) * d, index % n))


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of `input` with `src` on the diagonal that `diagonal` would return."""
    x = tensor_of("diagonal_scatter", "input", input)
    places = diagonal(new_tensor(np.arange(x.array.size).reshape(x.array.shape)), offset, dim1, dim2)
    return _at_places("diagonal_scatter", x, src, places.array)


def _at_places(where: str, x: Tensor, src: Any, places: Array) -> Tensor:
    values = P.reshape(_source(where, x, src, places.shape), shape=(places.size,))
    flat = P.reshape(x, shape=(x.array.size,))
    return P.reshape(P.put(flat, values, index=(places.reshape(-1),)), shape=tuple(x.array.shape))


# a view with other strides


def _strided_places(size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Array:
    places = np.full(size, offset)
    for axis, step in enumerate(stride):
        places += step * np.arange(size[axis]).reshape(-1, *(1,) * (len(size) - axis - 1))
    return places


_as_strided = Primitive(
    "as_strided",
    lambda x, *, size, stride, offset: np.lib.stride_tricks.as_strided(
        x.reshape(-1)[offset:], size, tuple(s * x.itemsize for s in stride)
    ),
    promote=None,
    view=True,
    dx=lambda dz, size, stride, offset, shape: P.reshape(
        P.unindex(dz, index=(_strided_places(size, stride, offset),), source=(math.prod(shape),)), shape=shape
    ),
)


def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """The elements of a contiguous tensor from `storage_offset` on, in a shape with strides in elements: a view.

    Places may come twice; do not write into such a view. Raises RangeError where a place lies outside the tensor (in
    PyTorch, outside its storage) and NotImplementedError for a tensor that is not contiguous.
    """
    x, shape, steps, first = _strided("as_strided", input, size, stride, storage_offset)
    return _as_strided(x, size=shape, stride=steps, offset=first)


def as_strided_scatter(
    input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """A copy of `input` with `src` where `as_strided` would look; places must not come twice."""
    x, shape, steps, first = _strided("as_strided_scatter", input, size, stride, storage_offset)
    return _at_places("as_strided_scatter", x, src, _strided_places(shape, steps, first))


def _strided(where: str, input: Any, size: Any, stride: Any, offset: Any) -> tuple[Tensor, Any, Any, int]:
    x, shape, steps = tensor_of(where, "input", input), sizes(where, (size,)), sizes(where, (stride,))
    if len(shape) != len(steps):
        raise ShapeError(f"{where}: size and stride must be equally long, got {shape} and {steps}")
    if not x.array.flags.c_contiguous:
        raise NotImplementedError(f"{where}: of a tensor that is not contiguous; call contiguous() first")
    start = x.storage_offset()
    first = 0 if offset is None else offset - start
    last = first + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))
    if math.prod(shape) and not 0 <= first <= last < x.array.size:
        raise RangeError(f"{where}: places {first} to {last} do not lie in a tensor of {x.array.size} elements")
    return x, shape, steps, first


# reductions into places


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of `input` with `source` at places of the flat tensor; with `accumulate` they are added."""
    x, k = tensor_of("put", "input", input), integer("put", "index", index)
    v = tensor_of("put", "source", source)
    if k.array.size != v.array.size:
        raise ShapeError(f"put: index and source must have equally many elements, got {k.array.size}, {v.array.size}")
    flat, values = P.reshape(x, shape=(x.array.size,)), P.reshape(v, shape=(v.array.size,))
    z = index_put(flat, (P.reshape(k, shape=(k.array.size,)),), values, accumulate)
    return P.reshape(z, shape=tuple(x.array.shape))


def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy of `input` whose slices at `index` of dimension `dim` are reduced with those of `source`.

    reduce        "prod", "mean", "amax" or "amin"
    include_self  whether the slice that is there takes part
    """
    x, k, v = tensor_of("index_reduce", "input", input), integer("index_reduce", "index", index), source
    one_of("index_reduce", "reduce", reduce, "prod", "mean", "amax", "amin")
    v = tensor_of("index_reduce", "source", v)
    if v.array.dtype != x.array.dtype:
        raise DtypeError(f"index_reduce: source must be of dtype {x.dtype}, got {v.dtype}")
    d = wrap_dim(dim, x.ndim, "index_reduce")
    shape = (*x.array.shape[:d], k.array.size, *x.array.shape[d + 1 :])
    if k.ndim > 1 or v.array.shape != shape:
        raise ShapeError(f"index_reduce: expected a source of shape {shape}, got {tuple(v.array.shape)}")
    along = P.reshape(k, shape=(k.array.size, *(1,) * (x.ndim - d - 1)))
    return scatter_reduce(x, d, P.expand(along, shape=shape), v, reduce, include_self=include_self)


def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Each slice along `dim` scaled to a p-norm of at most `maxnorm`."""
    x = floating("renorm", "input", input)
    if x.ndim < 2:
        raise ShapeError(f"renorm: expected at least 2 dimensions, got shape {tuple(x.array.shape)}")
    if p <= 0 or maxnorm < 0:
        raise OptionError(f"renorm: p must be > 0 and maxnorm ≥ 0, got {p} and {maxnorm}")
    d = wrap_dim(dim, x.ndim, "renorm")
    size = norm(x, p, tuple(i for i in range(x.ndim) if i != d), True)
    one = x.array.dtype.type(1)
    return P.mul(x, P.where(P.gt(size, maxnorm), P.div(maxnorm, P.add(size, 1e-7)), one))


def gradient(input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """Estimates of ∂input/∂coordinate along each of `dim` (all by default), by differences of second order.

    spacing     the distance of points: a number, one a dimension, or the coordinates, a tensor a dimension
    edge_order  1 or 2: the order of the one-sided differences at the ends
    """
    x = tensor_of("gradient", "input", input)
    dims = [wrap_dim(d, x.ndim, "gradient") for d in (range(x.ndim) if dim is None else np.atleast_1d(dim).tolist())]
    several = isinstance(spacing, tuple | list | Tensor)
    steps = list(spacing) if several else [spacing] * len(dims)
    if len(steps) != len(dims):
        raise ShapeError(f"gradient: expected one spacing for each of {len(dims)} dimensions, got {len(steps)}")
    if edge_order not in (1, 2):
        raise OptionError(f"gradient: edge_order must be 1 or 2, got {edge_order}")
    return tuple(_differences(x, d, step, edge_order) for d, step in zip(dims, steps, strict=True))


def _differences(x: Tensor, d: int, step: Any, order: int) -> Tensor:
    """A matrix of weights for each point and its neighbours, times x: exact for parabolas inside, as NumPy's."""
    n = x.array.shape[d]
    if n <= order:
        raise ShapeError(f"gradient: dimension {d} must have at least {order + 1} points, got {n}")
    points = step.array.astype(np.float64) if isinstance(step, Tensor) and step.ndim else np.arange(n) * float(step)
    if points.shape != (n,):
        raise ShapeError(f"gradient: dimension {d} has {n} points, its coordinates have shape {points.shape}")
    weights: Array = np.gradient(np.eye(n), points, axis=0, edge_order=order)  # type: ignore[call-overload]
    kind = x.array.dtype if x.is_floating_point() else np.dtype(np.float32)
    moved = P.permute(P.cast(x, dtype=kind), axes=(d, *(i for i in range(x.ndim) if i != d)))
    rest = moved.array.shape[1:]
    z = P.matmul(weights.astype(kind), P.reshape(moved, shape=(n, math.prod(rest))))
    back = (*range(1, d + 1), 0, *range(d + 1, x.ndim))
    return P.permute(P.reshape(z, shape=(n, *rest)), axes=back)
