"""Parametrizations: weights of given length, of spectral norm 1, and orthogonal ones."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from ..._tensor import Tensor, new_tensor, wrap_dim
from ...autograd.modes import no_grad
from ...errors import OptionError, ShapeError
from ...ops import creation, shape
from ...ops import primitives as P
from ...ops.distance import normalize
from ...ops.linalg import dot, mv
from ...ops.matrix import solve
from ..module import Module
from .parametrize import register_parametrization
from .spectral_norm import as_matrix, random_direction, rows_of
from .weight_norm import length_except, scaled

_M = TypeVar("_M", bound=Module)
Array = np.ndarray[Any, Any]


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return scaled(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return length_except(weight, self.dim), weight


def weight_norm(module: _M, name: str = "weight", dim: int | None = 0) -> _M:
    """w = g·v/‖v‖: lengths (original0), one for each index of `dim` (None: one), and directions (original1).

    Source: Salimans and Kingma, NeurIPS 2016.
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if n_power_iterations <= 0:
            raise OptionError(f"spectral_norm: n_power_iterations must be > 0, got {n_power_iterations}")
        self.dim, self.eps = wrap_dim(dim, weight.ndim, "spectral_norm"), eps
        if weight.ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight.detach(), self.dim)
            rows, columns = matrix.array.shape
            self.register_buffer("_u", random_direction(rows, weight, eps))
            self.register_buffer("_v", random_direction(columns, weight, eps))
            self._iterate(matrix, 15)

    def _iterate(self, matrix: Tensor, steps: int) -> None:
        """u ← Wv/‖Wv‖, v ← Wᵀu/‖Wᵀu‖."""
        with no_grad():
            for _ in range(steps):
                self._u.copy_(normalize(mv(matrix, self._v), dim=0, eps=self.eps))
                self._v.copy_(normalize(mv(P.permute(matrix, axes=(1, 0)), self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        u, v = P.clone(self._u), P.clone(self._v)
        return P.div(weight, dot(u, mv(matrix, v)))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: _M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> _M:
    """W/σ, σ the largest singular value, estimated by power iteration whenever the weight is read in training.

    dim  the dimension of the rows; 0 by default, 1 for transposed convolutions. A vector is divided by its length.

    Source: Miyato, Kataoka, Koyama, Yoshida, ICLR 2018.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise OptionError(f"spectral_norm: {type(module).__name__} has no parameter or buffer {name!r}")
    layer = _SpectralNorm(weight, n_power_iterations, rows_of(module, dim), eps)
    return register_parametrization(module, name, layer)


# orthogonal matrices


def _transposed(x: Tensor) -> Tensor:
    return shape.transpose(x, -2, -1)


def _last(x: Tensor, key: Any) -> Tensor:
    """x[…, key]."""
    return P.index(x, index=(*(slice(None),) * (x.ndim - 1), key))


def matrix_exp(a: Tensor) -> Tensor:
    """e^A of square matrices: Taylor's series to the 18th power of A/2^s with a norm below 1, squared s times.

    Source: Moler and Van Loan, SIAM Review 45, 2003.
    """
    size = float(np.abs(a.array).sum(axis=-1).max(initial=0))
    squarings = max(0, int(np.ceil(np.log2(size)))) if 0 < size < np.inf else 0
    x = P.mul(a, 2.0**-squarings)
    eye = np.broadcast_to(np.eye(a.array.shape[-1], dtype=a.array.dtype), a.array.shape)
    y: Tensor = P.add(P.mul(x, 1 / 18), eye)
    for k in range(17, 0, -1):
        y = P.add(P.mul(P.matmul(x, y), 1 / k), eye)
    for _ in range(squarings):
        y = P.matmul(y, y)
    return y


def _reflected(a: Tensor, tau: Tensor) -> Tensor:
    """The first columns of H₁H₂…, H = I − τ h hᵀ, h the columns of `a` with a 1 on the diagonal."""
    n, k = a.array.shape[-2:]
    eye = np.broadcast_to(np.eye(n, k, dtype=a.array.dtype), a.array.shape)
    h, q = P.add(a, eye), new_tensor(np.array(eye))
    for i in range(k - 1, -1, -1):
        column = _last(h, slice(i, i + 1))
        share = P.matmul(_transposed(column), q)
        factor = P.reshape(_last(tau, i), shape=(*tau.array.shape[:-1], 1, 1))
        q = P.sub(q, P.mul(P.matmul(column, share), factor))
    return q


def _orthogonalised(x: Array) -> Array:
    """Q of x = QR with a positive diagonal of R."""
    q, r = np.linalg.qr(x)
    return np.asarray(q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :])


def _is_orthogonal(q: Array) -> bool:
    gram = np.swapaxes(q, -2, -1) @ q
    return bool(np.allclose(gram, np.eye(q.shape[-1]), atol=10 * q.shape[-1] * np.finfo(q.dtype).eps, rtol=0))


class _Orthogonal(Module):
    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True) -> None:
        super().__init__()
        self.shape, self.orthogonal_map = tuple(weight.shape), orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        (n, k), wide = X.array.shape[-2:], X.array.shape[-2] < X.array.shape[-1]
        if wide:
            X, n, k = _transposed(X), k, n
        if self.orthogonal_map == "householder":
            a = shape.tril(X, -1)
            tau = P.div(2.0, P.add(P.sum_(P.mul(a, a), axes=(a.ndim - 2,)), 1.0))
            signs = np.diagonal(X.array, axis1=-2, axis2=-1).astype(np.int64).astype(X.array.dtype)
            q = P.mul(_reflected(a, tau), signs[..., None, :])
        else:
            low = shape.tril(X)
            low = P.pad_constant(low, widths=((0, 0),) * (low.ndim - 1) + ((0, n - k),), value=0.0)
            skew = P.sub(low, _transposed(low))
            if self.orthogonal_map == "matrix_exp":
                q = matrix_exp(skew)
            else:
                eye = np.eye(n, dtype=skew.array.dtype)
                half = P.mul(skew, 0.5)
                q = solve(P.sub(eye, half), P.add(eye, half))
            q = _last(q, slice(0, k))
        if "base" in self._buffers:
            q = P.matmul(self.base, q)
        return _transposed(q) if wide else q

    def right_inverse(self, Q: Tensor) -> Tensor:
        if tuple(Q.shape) != self.shape:
            raise ShapeError(f"orthogonal: expected shape {self.shape}, got {tuple(Q.shape)}")
        wide = Q.array.shape[-2] < Q.array.shape[-1]
        x = np.swapaxes(Q.array, -2, -1) if wide else Q.array
        n, k = x.shape[-2:]
        if "base" not in self._buffers:
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    f"orthogonal: assignment needs use_trivialization=True for orthogonal_map {self.orthogonal_map!r}"
                )
            packed, tau = np.linalg.qr(x, mode="raw")  # LAPACK's geqrf, transposed
            a, diagonal = np.swapaxes(packed, -2, -1).copy(), np.arange(k)
            a[..., diagonal, diagonal] = np.sign(a[..., diagonal, diagonal]) * np.where(tau == 0, -1, 1)
            return new_tensor(np.ascontiguousarray((np.swapaxes(a, -2, -1) if wide else a).astype(x.dtype)))
        if n != k:
            more = creation.randn(*x.shape[:-1], n - k, dtype=Q.dtype).array
            self.base = new_tensor(_orthogonalised(np.concatenate([x, more], -1)))
        else:
            self.base = new_tensor(np.array(x) if _is_orthogonal(x) else _orthogonalised(x))
        return new_tensor(np.array(np.broadcast_to(-np.eye(*self.shape[-2:], dtype=x.dtype), self.shape)))


def orthogonal(
    module: _M, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> _M:
    """A matrix (…, m, n) with orthonormal columns, or rows if m < n.

    orthogonal_map      of a skew-symmetric A = L − Lᵀ: "matrix_exp" e^A, or "cayley" (I − A/2)⁻¹(I + A/2); or
                        "householder", a product of reflections. By default the first for square matrices, else the last
    use_trivialization  multiply by a constant matrix, `base`, which makes the present value the origin

    Source: Lezcano-Casado, NeurIPS 2019.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise OptionError(f"orthogonal: {type(module).__name__} has no parameter or buffer {name!r}")
    if weight.ndim < 2:
        raise ShapeError(f"orthogonal: expected a matrix or a stack of them, got shape {tuple(weight.shape)}")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise OptionError(
            f"orthogonal: orthogonal_map must be matrix_exp, cayley or householder, got {orthogonal_map!r}"
        )
    layer = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return register_parametrization(module, name, layer, unsafe=True)
