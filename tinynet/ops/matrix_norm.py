"""Norms of vectors and matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._tensor import Tensor, wrap_dims
from ..errors import OptionError, ShapeError
from . import primitives as P
from .checks import floating, numpy_names, tensor_of, to_dtype
from .decomposition import svdvals
from .reduction import amax, amin, norm


@numpy_names
def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over `dim` (all elements by default), p = `ord` a number or ±inf, 0 for the count of nonzeros."""
    x = floating("vector_norm", "x", to_dtype(tensor_of("vector_norm", "x", x), dtype, "vector_norm"))
    if isinstance(ord, str):
        raise OptionError(f"vector_norm: ord must be a number, got {ord!r}")
    return norm(x, ord, dim, keepdim)


@numpy_names
def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Norms of matrices: "fro" √Σx²; 1, −1 the largest, smallest sum of |x| of a column; inf, −inf of a row;

    2, −2 the largest, smallest singular value; "nuc" their sum.
    """
    x = floating("matrix_norm", "A", to_dtype(tensor_of("matrix_norm", "A", A), dtype, "matrix_norm"))
    rows, columns = wrap_dims(tuple(dim), x.ndim, "matrix_norm") if x.ndim > 1 and len(dim) == 2 else (0, 0)
    if rows == columns:
        raise ShapeError(
            f"matrix_norm: expected two dims of at least 2 dimensions, got {dim} of {tuple(x.array.shape)}"
        )
    if ord == "fro":
        return norm(x, 2, (rows, columns), keepdim)
    if ord in (2, -2, "nuc"):
        others = tuple(i for i in range(x.ndim) if i not in (rows, columns))
        kind = x.array.dtype
        x = P.cast(x, dtype=np.float32) if kind.itemsize == 2 else x
        s = P.cast(svdvals(P.permute(x, axes=(*others, rows, columns))), dtype=kind)
        z = P.sum_(s, axes=(s.ndim - 1,)) if ord == "nuc" else (amax if ord > 0 else amin)(s, -1)
        ones = tuple(1 if i in (rows, columns) else n for i, n in enumerate(x.array.shape))
        return P.reshape(z, shape=ones) if keepdim else z
    if ord not in (1, -1, math.inf, -math.inf):
        raise OptionError(f"matrix_norm: ord must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}")
    along, across = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = P.sum_(P.absolute(x), axes=(along,), keepdims=True)
    z = (amax if ord > 0 else amin)(sums, across, True)
    kept = tuple(n for i, n in enumerate(z.array.shape) if i not in (rows, columns))
    return z if keepdim else P.reshape(z, shape=kept)
