"""Shape: the same elements in another arrangement. A result shares its input's memory wherever NumPy's does."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd.primitive import Primitive
from .indexing import index

Array = np.ndarray[Any, Any]


def inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that undoes `axes`."""
    out = [0] * len(axes)
    for i, a in enumerate(axes):
        out[a] = i
    return tuple(out)


reshape: Primitive = Primitive(
    "reshape",
    lambda x, *, shape: x.reshape(shape),
    promote=None,
    view=True,
    dx=lambda dz, shape: reshape(dz, shape=shape),
)

permute: Primitive = Primitive(
    "permute",
    lambda x, *, axes: x.transpose(axes),
    promote=None,
    view=True,
    dx=lambda dz, axes: permute(dz, axes=inverse(axes)),
)


def part(i: int, axis: int, sizes: tuple[int, ...], ndim: int) -> tuple[Any, ...]:
    """The index of input `i` in a concatenation."""
    start = sum(sizes[:i])
    return (*(slice(None),) * axis, slice(start, start + sizes[i]), *(slice(None),) * (ndim - axis - 1))


cat: Primitive = Primitive(
    "cat",
    lambda *xs, axis, sizes: np.concatenate(xs, axis=axis),
    dxs=lambda dz, i, axis, sizes: index(dz, index=part(i, axis, sizes, dz.ndim)),
)


def _pad(x: Array, *, widths: tuple[tuple[int, int], ...], value: float) -> Array:
    return np.pad(x, widths, constant_values=np.asarray(value).astype(x.dtype))


# widths ≥ 0; a crop is an index
pad_constant: Primitive = Primitive(
    "pad",
    _pad,
    promote=None,
    dx=lambda dz, widths, shape: index(
        dz, index=tuple(slice(lo, lo + n) for (lo, _), n in zip(widths, shape, strict=True))
    ),
)
