"""Factors of matrices: QR, eigenvalues of symmetric ones, singular values.

A factorization has several outputs and one gradient that needs all of them. So its primitive gives the factors in one
array, one behind the other, and the public function takes them apart; derivatives of every order come with that.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from .._tensor import Tensor, new_tensor
from ..autograd.modes import modes
from ..autograd.primitive import Primitive
from ..errors import DtypeError, GraphError, OptionError, ShapeError
from . import primitives as P
from .checks import floating
from .matrix import _inv, _lapack, _squares
from .shape import cat

Array = np.ndarray[Any, Any]


class qr_result(NamedTuple):
    """What `linalg.qr` returns."""

    Q: Tensor
    R: Tensor


class eigh_result(NamedTuple):
    """What `linalg.eigh` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class svd_result(NamedTuple):
    """What `linalg.svd` returns."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class old_svd_result(NamedTuple):
    """What `svd` returns: V, where `linalg.svd` gives its transpose."""

    U: Tensor
    S: Tensor
    V: Tensor


def _matrices(where: str, A: Any) -> Tensor:
    x = floating(where, "A", A)
    if x.ndim < 2:
        raise ShapeError(f"{where}: A must be one or more matrices, got shape {tuple(x.array.shape)}")
    if x.array.dtype in dtypes.HALVES:
        raise DtypeError(f"{where}: A must be float32 or float64, got {x.dtype}")
    return x


# several factors in one array


def _packed(*factors: Array) -> Array:
    """The factors one behind the other along the last axis; the last of `factors` tells the batch."""
    lead = factors[-1].shape[:-2]
    return np.concatenate([f.reshape(*lead, math.prod(f.shape[len(lead) :])) for f in factors], axis=-1)


def _unpacked(z: Any, *sizes: tuple[int, ...]) -> list[Any]:
    lead, parts, start = tuple(z.shape[:-1]), [], 0
    for size in sizes:
        stop = start + math.prod(size)
        parts.append(P.reshape(_end(z, slice(start, stop)), shape=(*lead, *size)))
        start = stop
    return parts


def _end(x: Any, *index: Any) -> Any:
    """The index of the last dimensions."""
    return P.index(x, index=(*(slice(None),) * (len(x.shape) - len(index)), *index))


def _raw(x: Any) -> Any:
    return x.array if isinstance(x, Tensor) else x


def _gaps(v: Any) -> Any:
    """E[i, j] = v[j] − v[i]."""
    lead, k = tuple(v.shape[:-1]), v.shape[-1]
    return P.sub(P.reshape(v, shape=(*lead, 1, k)), P.reshape(v, shape=(*lead, k, 1)))


def _over(x: Any, gaps: Any) -> Any:
    """x / gaps, and 0 on the diagonal and where 0 would be divided by 0: a factor that the loss does not use."""
    none = (_raw(gaps) == 0) & ((_raw(x) == 0) | np.eye(gaps.shape[-1], dtype=bool))
    one = _raw(gaps).dtype.type(1)
    return P.where(none, _raw(x).dtype.type(0), P.div(x, P.where(none, one, gaps)))


def _rows(v: Any) -> Any:
    """Vectors as rows that multiply the columns of matrices."""
    return P.reshape(v, shape=(*v.shape[:-1], 1, v.shape[-1]))


def _on_diagonal(v: Any) -> Any:
    """Diagonal matrices."""
    return P.mul(_rows(v), np.eye(v.shape[-1], dtype=_raw(v).dtype))


# X = QR with QᵀQ = 1, R upper triangular, for at least as many rows as columns:
# dX = (dQ + Q M̂) R⁻ᵀ with M = R dRᵀ − dQᵀ Q, M̂ = its lower triangle, mirrored.
# Source: Walter and Lehmann, "Algorithmic differentiation of linear algebra functions", 2018
def _qr_grad(dz: Any, z: Any, shape: tuple[int, ...]) -> Any:
    m, n = shape[-2:]
    (q, r), (dq, dr) = (_unpacked(t, (m, n), (n, n)) for t in (z, dz))
    kind = _raw(z).dtype
    whole = P.sub(P.matmul(r, P.swap(dr)), P.matmul(P.swap(dq), q))
    low = P.mul(whole, np.tri(n, dtype=kind))
    mirrored = P.add(low, P.swap(P.mul(whole, np.tri(n, k=-1, dtype=kind))))
    return P.matmul(P.add(dq, P.matmul(q, mirrored)), P.swap(_inv(r)))


_qr: Primitive = Primitive(
    "qr",
    lambda x: _packed(*np.linalg.qr(x)),
    promote=None,
    dx=lambda dz, z, shape: _qr_grad(dz, z, shape),
)


def qr(A: Tensor, mode: str = "reduced") -> qr_result:
    """(Q, R) with A = QR, columns of Q orthonormal, R upper triangular, for one or more matrices (…, m, n).

    mode  "reduced": Q (…, m, k), R (…, k, n) with k = min(m, n); "complete": Q (…, m, m), R (…, m, n); "r": R alone,
          and an empty Q

    Signs are LAPACK's, and PyTorch's. Raises OptionError for another mode, and GraphError where "complete" has no
    gradient: of a tensor with m > n that requires one.
    """
    x = _matrices("qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise OptionError(f"qr: mode must be 'reduced', 'complete' or 'r', got {mode!r}")
    m, n = x.array.shape[-2:]
    if mode == "complete" and m > n:
        if x.requires_grad and modes.recording:
            raise GraphError("qr: mode='complete' has no gradient for more rows than columns; use mode='reduced'")
        q, r = map(new_tensor, np.linalg.qr(x.array, "complete"))
    elif m >= n:
        q, r = _unpacked(_qr(x), (m, n), (n, n))
    else:  # the columns beyond the m-th are Q times what R holds there
        q, r = _unpacked(_qr(_end(x, slice(0, m))), (m, m), (m, m))
        r = cat([r, P.matmul(P.swap(q), _end(x, slice(m, None)))], -1)
    return qr_result(new_tensor(np.empty(0, x.array.dtype)) if mode == "r" else q, r)


def qr_old(input: Tensor, some: bool = True) -> qr_result:
    """`linalg.qr`, reduced, or complete with some=False."""
    return qr(input, "reduced" if some else "complete")


# X = V diag(l) Vᵀ: dX = the symmetric part of V (diag(dl) + (Vᵀ dV) / E) Vᵀ with E[i, j] = l[j] − l[i].
# Source: Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation", 2008
def _eigh_grad(dz: Any, z: Any, shape: tuple[int, ...]) -> Any:
    n = shape[-1]
    (values, v), (dvalues, dv) = (_unpacked(t, (n,), (n, n)) for t in (z, dz))
    inner = P.add(_on_diagonal(dvalues), _over(P.matmul(P.swap(v), dv), _gaps(values)))
    dx = P.matmul(P.matmul(v, inner), P.swap(v))
    return P.mul(P.add(dx, P.swap(dx)), 0.5)


_eigh: Primitive = Primitive(
    "eigh",
    lambda x, *, UPLO: _packed(*_lapack("eigh", "finite", np.linalg.eigh, x, UPLO)),
    promote=None,
    dx=lambda dz, z, shape: _eigh_grad(dz, z, shape),
)


def eigh(A: Tensor, UPLO: str = "L") -> eigh_result:
    """(eigenvalues in rising order, eigenvectors in columns) of symmetric matrices (…, n, n).

    Reads the triangle that `UPLO` names, "L" or "U". The gradient of the eigenvectors needs distinct eigenvalues.
    Raises ShapeError where A is not square, OptionError for another UPLO and where LAPACK does not converge.
    """
    return eigh_result(*_symmetric("eigh", A, UPLO))


def _symmetric(where: str, A: Any, UPLO: str) -> list[Tensor]:
    x = _squares(where, A)
    if UPLO not in ("L", "U", "l", "u"):
        raise OptionError(f"{where}: UPLO must be 'L' or 'U', got {UPLO!r}")
    n = x.array.shape[-1]
    return _unpacked(_eigh(x, UPLO=UPLO.upper()), (n,), (n, n))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices in rising order; as `eigh`, and differentiable where some are equal."""
    return _symmetric("eigvalsh", A, UPLO)[0]


# X = U diag(s) Vᵀ with E[i, j] = s[j]² − s[i]², skew M = M − Mᵀ:
# dX = U (diag(ds) + (skew(Uᵀ dU) / E) diag(s) + diag(s) (skew(Vᵀ dV) / E)) Vᵀ
#      + (1 − U Uᵀ) dU diag(1/s) Vᵀ + U diag(1/s) dVᵀ (1 − V Vᵀ)
# Source: Giles, 2008, as above
def _svd_grad(dz: Any, z: Any, shape: tuple[int, ...]) -> Any:
    m, n = shape[-2:]
    k = min(m, n)
    (u, s, vh), (du, ds, dvh) = (_unpacked(t, (m, k), (k,), (k, n)) for t in (z, dz))
    gaps, row = _gaps(P.mul(s, s)), _rows(s)

    def turned(a: Any, b: Any) -> Any:
        product = P.matmul(a, b)
        return _over(P.sub(product, P.swap(product)), gaps)

    inner = P.add(_on_diagonal(ds), P.mul(turned(P.swap(u), du), row))
    inner = P.add(inner, P.mul(P.swap(row), turned(vh, P.swap(dvh))))
    dx = P.matmul(P.matmul(u, inner), vh)
    if m > k:
        outside = P.sub(du, P.matmul(u, P.matmul(P.swap(u), du)))
        dx = P.add(dx, P.matmul(_by(outside, row), vh))
    if n > k:
        outside = P.sub(dvh, P.matmul(P.matmul(dvh, P.swap(vh)), vh))
        dx = P.add(dx, P.matmul(u, P.swap(_by(P.swap(outside), row))))
    return dx


def _by(x: Any, row: Any) -> Any:
    """Columns over numbers, and 0 where 0 would be divided by 0."""
    none = (_raw(row) == 0) & (_raw(x) == 0)
    return P.div(x, P.where(none, _raw(row).dtype.type(1), row))


_svd: Primitive = Primitive(
    "svd",
    lambda x: _packed(*_lapack("svd", "finite", np.linalg.svd, x, False)),
    promote=None,
    dx=lambda dz, z, shape: _svd_grad(dz, z, shape),
)


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> svd_result:
    """(U, S, Vᵀ) with A = U diag(S) Vᵀ, singular values S ≥ 0 falling, for one or more matrices (…, m, n).

    full_matrices  U (…, m, m) and Vᵀ (…, n, n); else the first k = min(m, n) columns and rows alone. The gradient comes
                   through these; it needs distinct singular values, where it comes through U or Vᵀ
    driver         must be None: it chooses among CUDA's methods

    Raises OptionError where LAPACK does not converge.
    """
    x, u, s, vh = _singular("svd", A, driver)
    m, n = x.array.shape[-2:]
    k = min(m, n)
    if full_matrices and m != n:
        whole, _, rows = _lapack("svd", "finite", np.linalg.svd, x.array, True)
        u = cat([u, new_tensor(whole[..., k:])], -1) if m > k else u
        vh = cat([vh, new_tensor(rows[..., k:, :])], -2) if n > k else vh
    return svd_result(u, s, vh)


def _singular(where: str, A: Any, driver: str | None) -> list[Tensor]:
    """The matrices, and their three factors."""
    x = _matrices(where, A)
    if driver is not None:
        raise OptionError(f"{where}: driver={driver!r} is for CUDA; on the CPU it must be None")
    m, n = x.array.shape[-2:]
    k = min(m, n)
    return [x, *_unpacked(_svd(x), (m, k), (k,), (k, n))]


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values of one or more matrices (…, m, n), falling: (…, min(m, n))."""
    return _singular("svdvals", A, driver)[2]


def svd_old(input: Tensor, some: bool = True, compute_uv: bool = True) -> old_svd_result:
    """(U, S, V), V not transposed; all columns with some=False; zeros for U and V with compute_uv=False."""
    u, s, vh = svd(input, not some and compute_uv)
    if not compute_uv:
        (*lead, m, n), kind = input.array.shape, input.array.dtype
        return old_svd_result(new_tensor(np.zeros((*lead, m, m), kind)), s, new_tensor(np.zeros((*lead, n, n), kind)))
    return old_svd_result(u, s, P.swap(vh))
