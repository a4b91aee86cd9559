"""PyTorch's `linalg`: products, inverses, determinants, factors and norms of matrices."""

from __future__ import annotations

from typing import Any

from ._tensor import Tensor
from .ops import matrix
from .ops import primitives as P
from .ops.arranging import diagonal as _diagonal
from .ops.checks import floating, tensor_of
from .ops.decomposition import eigh, eigvalsh, qr, svd, svdvals
from .ops.linalg import matmul
from .ops.matrix import cholesky, det, inv, matrix_power, multi_dot, slogdet, solve
from .ops.matrix_equation import (
    cond,
    lstsq,
    matrix_exp,
    matrix_rank,
    pinv,
    solve_triangular,
    tensorinv,
    tensorsolve,
    vander,
)
from .ops.matrix_norm import matrix_norm, vector_norm

__all__ = [
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "vander",
    "vecdot",
    "vector_norm",
]


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """`vector_norm` or `matrix_norm`: of all elements without `ord` and `dim`; of matrices for two dims, else vectors."""
    x = floating("norm", "A", A)
    if ord is None:
        return vector_norm(x, 2, dim, keepdim, dtype=dtype)
    two = isinstance(dim, tuple | list) and len(dim) == 2
    if two or dim is None and x.ndim == 2 or isinstance(ord, str):
        return matrix_norm(x, ord, dim if two else (-2, -1), keepdim, dtype=dtype)
    return vector_norm(x, ord, dim, keepdim, dtype=dtype)


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The vector product along a dimension of size 3, the last one by default."""
    return matrix.cross(input, other, dim)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Σ x·y along a dimension."""
    from .ops.reduction import sum

    return sum(P.mul(tensor_of("vecdot", "x", x), tensor_of("vecdot", "y", y)), dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonal of the last two dimensions, as a view."""
    return _diagonal(A, offset, dim1, dim2)
