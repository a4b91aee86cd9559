"""Rows by number, where no number comes twice: how sequences of different lengths are packed and padded."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.primitive import Primitive

Array = np.ndarray[Any, Any]


def _put(x: Array, *, rows: Array, total: int, fill: Any) -> Array:
    out = np.full((total, *x.shape[1:]), fill, x.dtype)
    out[rows] = x
    return out


# linear (but for the constant `fill`) and each other's transpose; a row that is not named gets no gradient
take_rows: Primitive = Primitive(
    "take_rows",
    lambda x, *, rows: x[rows],
    promote=None,
    dx=lambda dz, rows, shape: put_rows(dz, rows=rows, total=shape[0], fill=0),
)
put_rows: Primitive = Primitive(
    "put_rows",
    _put,
    promote=None,
    dx=lambda dz, rows: take_rows(dz, rows=rows),
)
