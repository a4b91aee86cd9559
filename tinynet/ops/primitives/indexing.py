"""Indexing. Each operation that picks elements has its transpose, which puts them back and adds where they meet."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...autograd.primitive import Primitive

Array = np.ndarray[Any, Any]


def is_basic(key: tuple[Any, ...]) -> bool:
    """Whether the index picks a regular part, so that the result is a view and no element comes twice."""
    return not any(isinstance(k, np.ndarray | list) for k in key)


def scatter_add(x: Array, places: Array, size: int) -> Array:
    """Σ of x by place, in a fixed order; float64 sums, rounded once."""
    flat = np.bincount(places.reshape(-1), weights=x.reshape(-1).astype(np.float64), minlength=size)
    return flat.astype(x.dtype)


def _index(x: Array, *, index: tuple[Any, ...]) -> Array:
    return np.asarray(x[(*index, ...)])  # the Ellipsis keeps a 0-d result a view


def _unindex(x: Array, *, index: tuple[Any, ...], source: tuple[int, ...]) -> Array:
    if is_basic(index):
        out = np.zeros(source, x.dtype)
        out[index] = x
        return out
    size = math.prod(source)
    places = np.arange(size).reshape(source)[index]
    return scatter_add(x, places, size).reshape(source)


# z = x[index] and its transpose
index: Primitive = Primitive(
    "index",
    _index,
    promote=None,
    view=True,
    dx=lambda dz, index, shape: unindex(dz, index=index, source=shape),
)
unindex: Primitive = Primitive("unindex", _unindex, promote=None, dx=lambda dz, index: _pick(dz, index))


def _pick(x: Any, key: tuple[Any, ...]) -> Any:
    return index(x, index=key)


def _put(x: Array, v: Any, *, index: tuple[Any, ...]) -> Array:
    out = np.array(x, order="C")
    out[index] = v
    return out


# x with x[index] replaced by v
put: Primitive = Primitive(
    "put",
    _put,
    promote=None,
    dx=lambda dz, index: put(dz, 0, index=index),
    dv=lambda dz, index: _pick(dz, index),
)


def _put_along(x: Array, k: Array, *, axis: int, source: tuple[int, ...]) -> Array:
    if k.shape[axis] == 1:  # no place comes twice
        out = np.zeros(source, x.dtype)
        np.put_along_axis(out, k, x, axis)
        return out
    size = math.prod(source)
    places = np.take_along_axis(np.arange(size).reshape(source), k, axis)
    return scatter_add(x, places, size).reshape(source)


# z[…, k, …] = x[…, i[…, k, …], …] and its transpose
take_along: Primitive = Primitive(
    "take_along",
    lambda x, k, *, axis: np.take_along_axis(x, k, axis),
    promote=None,
    dx=lambda dz, k, axis, shape: put_along(dz, k, axis=axis, source=shape),
)
put_along: Primitive = Primitive(
    "put_along",
    _put_along,
    promote=None,
    dx=lambda dz, k, axis: take_along(dz, k, axis=axis),
)
