"""Equations in matrices, pseudo-inverses, ranks, and the exponential of a matrix."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .._tensor import Tensor, new_tensor, wrap_dims
from ..autograd.primitive import Primitive
from ..errors import DtypeError, OptionError, ShapeError
from . import primitives as P
from .checks import floating, tensor_of
from .decomposition import _end, _matrices, _raw, svdvals
from .linalg import matmul
from .matrix import _lapack, _squares, inv, solve

Array = np.ndarray[Any, Any]


class lstsq_result(NamedTuple):
    """What `linalg.lstsq` returns."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


# triangular and positive-definite systems


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """X with AX = B (XA = B with left=False), A triangular; the other triangle is not read.

    upper          whether A is upper triangular
    unitriangular  the diagonal of A counts as ones and is not read
    """
    return _triangular("solve_triangular", A, B, upper, left, unitriangular)


def _triangular(where: str, A: Any, B: Any, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    a, b = _squares(where, A), floating(where, "B", B)
    n, kind = a.array.shape[-1], a.array.dtype
    mask = np.tri(n, k=-1 if unitriangular else 0, dtype=kind)
    a = P.where(np.broadcast_to((mask.T if upper else mask) != 0, a.array.shape), a, kind.type(0))
    if unitriangular:
        a = P.add(a, np.eye(n, dtype=kind))
    return solve(a, b, left=left)


def triangular_solve(
    input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> tuple[Tensor, Tensor]:
    """(X with AX = input, or AᵀX with `transpose`; A), A triangular."""
    a = P.swap(_squares("triangular_solve", A)) if transpose else A
    return _triangular("triangular_solve", a, input, upper != transpose, unitriangular=unitriangular), A


def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X with (LLᵀ) X = B, L a factor by `cholesky` (upper: (LᵀL) X = B)."""
    factor = _squares("cholesky_solve", L)
    low = P.swap(factor) if upper else factor
    return _triangular("cholesky_solve", P.swap(low), _triangular("cholesky_solve", low, B, False), True)


def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """(LLᵀ)⁻¹, L a factor by `cholesky` (upper: (LᵀL)⁻¹)."""
    factor = _squares("cholesky_inverse", L)
    one = np.broadcast_to(np.eye(factor.array.shape[-1], dtype=factor.array.dtype), factor.array.shape)
    return cholesky_solve(new_tensor(one.copy()), factor, upper)


# the pseudo-inverse and what follows


# Z = X⁺, of constant rank: dX = −Zᵀ dZ Zᵀ + (1 − XZ) dZᵀ Z Zᵀ + Zᵀ Z dZᵀ (1 − ZX).
# Source: Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems", 1973
def _pinv_grad(dz: Any, x: Any, z: Any) -> Any:
    zt, dzt = P.swap(z), P.swap(dz)
    left, right = P.matmul(dzt, P.matmul(z, zt)), P.matmul(P.matmul(zt, z), dzt)
    first = P.neg(P.matmul(P.matmul(zt, dz), zt))
    second = P.sub(left, P.matmul(x, P.matmul(z, left)))
    third = P.sub(right, P.matmul(P.matmul(right, z), x))
    return P.add(P.add(first, second), third)


def _pinv_array(x: Array, *, atol: Any, rtol: Any) -> Array:
    u, s, vh = _lapack("pinv", "finite", np.linalg.svd, x, False)
    keep = s > _least(s, x, atol, rtol)[..., None]
    with np.errstate(divide="ignore"):
        inverse = np.where(keep, 1 / s, s.dtype.type(0))
    return np.asarray((vh.swapaxes(-1, -2) * inverse[..., None, :]) @ u.swapaxes(-1, -2))


def _least(s: Array, x: Array, atol: Any, rtol: Any) -> Array:
    """The size from which a singular value counts: max(atol, rtol·largest), rtol = ε·max(m, n) if no atol is given."""
    if rtol is None:
        rtol = np.finfo(x.dtype).eps * max(x.shape[-2:]) if atol is None else 0.0
    largest = s.max(axis=-1, initial=0)
    return np.asarray(np.maximum(0.0 if atol is None else atol, largest * rtol))


_pinv: Primitive = Primitive("pinv", _pinv_array, promote=None, dx=lambda dz, x, z: _pinv_grad(dz, x, z))


def pinv(A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """The pseudo-inverses (…, n, m) of matrices (…, m, n), by singular values.

    atol, rtol  singular values up to max(atol, rtol·the largest) count as 0; rtol is ε·max(m, n) if no atol is given
    rcond       an older name of rtol
    hermitian   whether A is symmetric, which changes nothing here

    The gradient holds where the rank is constant.
    """
    return _pinv(_matrices("pinv", A), atol=_raw(atol), rtol=_raw(rcond if rtol is None else rtol))


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """`linalg.pinv` with rtol = `rcond`."""
    return _pinv(_matrices("pinverse", input), atol=None, rtol=rcond)


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> lstsq_result:
    """(solution, residuals, rank, singular values) of min ‖AX − B‖, A (…, m, n), B (…, m, k) or vectors (…, m).

    rcond      singular values up to `rcond` times the largest count as 0 (ε·max(m, n))
    driver     "gels", "gelsy", "gelsd" or "gelss": which of rank and singular values are given, as with PyTorch

    residuals  ‖AX − B‖² by column, where m > n, A has full rank, and the driver is neither None nor "gelsy"; else empty
    """
    a, b = _matrices("lstsq", A), floating("lstsq", "B", B)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise OptionError(f"lstsq: driver must be 'gels', 'gelsy', 'gelsd' or 'gelss', got {driver!r}")
    if a.array.dtype != b.array.dtype:
        raise DtypeError(f"lstsq: expected one dtype, got {a.dtype} and {b.dtype}")
    vectors = b.ndim == a.ndim - 1 and b.array.shape == a.array.shape[:-1]
    if vectors:
        b = P.reshape(b, shape=(*b.array.shape, 1))
    if b.ndim < 2 or b.array.shape[-2] != a.array.shape[-2]:
        raise ShapeError(f"lstsq: A of shape {tuple(a.shape)} has {a.array.shape[-2]} rows, B has {tuple(b.shape)}")
    x = matmul(_pinv(a, atol=None, rtol=rcond), b)
    s = np.linalg.svd(a.array, compute_uv=False)
    rank = (s > _least(s, a.array, None, rcond)[..., None]).sum(axis=-1)
    m, n = a.array.shape[-2:]
    none = new_tensor(np.empty(0, a.array.dtype))
    residuals = none
    if m > n and (rank == n).all() and driver not in (None, "gelsy"):
        left = P.sub(matmul(a, x), b)
        residuals = P.sum_(P.mul(left, left), axes=(left.ndim - 2,))
    return lstsq_result(
        P.reshape(x, shape=x.array.shape[:-1]) if vectors else x,
        residuals,
        new_tensor(np.empty(0, np.int64) if driver == "gels" else np.asarray(rank, np.int64)),
        new_tensor(s) if driver in ("gelsd", "gelss") else none,
    )


def matrix_rank(A: Tensor, *, tol: Any = None, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Tensor:
    """How many singular values are above max(atol, rtol·the largest), as int64; `tol` is an older name of atol."""
    x = _matrices("matrix_rank", A)
    s = np.linalg.svd(x.array, compute_uv=False)
    least = _least(s, x.array, _raw(tol if atol is None else atol), _raw(rtol))
    return new_tensor(np.asarray((s > least[..., None]).sum(axis=-1), np.int64))


def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition ‖A‖ ‖A⁻¹‖ in the norm `p` (`linalg.matrix_norm`); the ratio of singular values for None, 2, −2."""
    from .matrix_norm import matrix_norm

    x = _matrices("cond", A)
    if p in (None, 2, -2):
        s = svdvals(x)
        ends = [_end(s, i) for i in (0, -1)]
        return P.div(*(ends if p != -2 else ends[::-1]))
    _squares("cond", x)
    return P.mul(matrix_norm(x, p), matrix_norm(inv(x), p))


# Z = e^X: dX is the derivative of the exponential at Xᵀ in the direction dZ, the upper right block of e^[Xᵀ dZ; 0 Xᵀ].
# Source: Mathias, "A chain rule for matrix functions and applications", 1996
def _matrix_exp_grad(dz: Any, x: Any) -> Any:
    n, xt = x.shape[-1], P.swap(x)
    zero = np.zeros(x.shape, _raw(dz).dtype)
    rows, columns = x.ndim - 2, x.ndim - 1
    above, below = (P.cat(*pair, axis=columns, sizes=(n, n)) for pair in ((xt, dz), (zero, xt)))
    block = P.cat(above, below, axis=rows, sizes=(n, n))
    return _end(_matrix_exp(block), slice(0, n), slice(n, None))


def _expm(x: Array) -> Array:
    from scipy.linalg import expm

    return np.asarray(expm(x), x.dtype) if x.size else x.copy()


_matrix_exp: Primitive = Primitive("matrix_exp", _expm, promote=None, dx=lambda dz, x: _matrix_exp_grad(dz, x))


def matrix_exp(A: Tensor) -> Tensor:
    """Σ Aᵏ / k! of square matrices."""
    return _matrix_exp(_squares("matrix_exp", A))


# tensors as matrices


def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of A as a map from its last dimensions to its first `ind` ones: `tensordot(tensorinv(A), A, ind)` is 1."""
    x = floating("tensorinv", "A", A)
    shape = tuple(x.array.shape)
    if ind <= 0:
        raise OptionError(f"tensorinv: ind must be > 0, got {ind}")
    n = math.prod(shape[:ind])
    if n != math.prod(shape[ind:]):
        raise ShapeError(f"tensorinv: the first {ind} sizes of {shape} must have the product of the others")
    return P.reshape(inv(P.reshape(x, shape=(n, n))), shape=(*shape[ind:], *shape[:ind]))


def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:
    """X with `tensordot(A, X, X.ndim)` = B; `dims` of A are moved to its end first."""
    a, b = floating("tensorsolve", "A", A), tensor_of("tensorsolve", "B", B)
    if dims is not None:
        last = wrap_dims(tuple(dims), a.ndim, "tensorsolve")
        a = P.permute(a, axes=(*(i for i in range(a.ndim) if i not in last), *last))
    shape = tuple(a.array.shape[b.ndim :])
    if b.array.size != math.prod(shape) or a.array.size != b.array.size**2:
        raise ShapeError(f"tensorsolve: A of shape {tuple(a.shape)} and B of shape {tuple(b.shape)} do not fit")
    n = b.array.size
    return P.reshape(solve(P.reshape(a, shape=(n, n)), P.reshape(b, shape=(n,))), shape=shape)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """x[…, i] to the powers 0 … N − 1 (as many as x has elements): (…, n, N)."""
    v = tensor_of("linalg.vander", "x", x)
    count = v.array.shape[-1] if N is None else N
    if count < 1:
        raise OptionError(f"linalg.vander: N must be > 0, got {N}")
    v = v if v.is_floating_point() else P.cast(v, dtype=np.int64)
    return P.power(P.reshape(v, shape=(*v.array.shape, 1)), np.arange(count).astype(v.array.dtype))
