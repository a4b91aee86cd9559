"""Products with a sum, of several tensors and along dimensions; inverses, determinants and powers of matrices."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from .._tensor import Tensor, new_tensor, wrap_dim, wrap_dims
from ..autograd.primitive import Primitive
from ..errors import DtypeError, OptionError, ShapeError
from . import primitives as P
from .arranging import diagonal
from .checks import check_broadcast, floating, promoted, tensor_of
from .linalg import _matmul, _operands, _ranked, bmm, dot, matmul, outer
from .reduction import norm

Array = np.ndarray[Any, Any]


# beta·input + alpha·product


def _plus(where: str, input: Any, product: Tensor, beta: float, alpha: float) -> Tensor:
    x = tensor_of(where, "input", input)
    if x.array.dtype != product.array.dtype:
        raise DtypeError(f"{where}: expected one dtype, got {x.dtype} and {product.dtype}")
    product = product if alpha == 1 else P.mul(product, alpha)
    try:
        fits = np.broadcast_shapes(x.array.shape, product.array.shape) == product.array.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"{where}: input of shape {tuple(x.array.shape)} cannot be broadcast to {tuple(product.array.shape)}"
        )
    if beta == 0:  # NaN and infinities of `input` do not count
        return product
    return P.add(x if beta == 1 else P.mul(x, beta), product)


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta·input + alpha·(mat1 @ mat2)."""
    return _plus("addmm", input, _ranked("addmm", mat1, mat2, 2, 2), beta, alpha)


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta·input + alpha·(mat @ vec)."""
    return _plus("addmv", input, _ranked("addmv", mat, vec, 2, 1), beta, alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta·input + alpha·(vec1 vec2ᵀ)."""
    a, b = _operands("addr", vec1, vec2)
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"addr: expected two vectors, got {tuple(a.array.shape)} and {tuple(b.array.shape)}")
    return _plus("addr", input, outer(a, b), beta, alpha)


def _batches(where: str, batch1: Any, batch2: Any) -> Tensor:
    x, y = _operands(where, batch1, batch2)
    if x.ndim != 3 or y.ndim != 3 or x.array.shape[0] != y.array.shape[0] or x.array.shape[2] != y.array.shape[1]:
        raise ShapeError(f"{where}: batches of shapes {tuple(x.array.shape)} and {tuple(y.array.shape)} do not agree")
    return bmm(x, y)


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta·input + alpha·(batch1 @ batch2), matrix by matrix."""
    return _plus("baddbmm", input, _batches("baddbmm", batch1, batch2), beta, alpha)


def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta·input + alpha·Σ (batch1 @ batch2) over the batch."""
    return _plus("addbmm", input, _over_batch(_batches("addbmm", batch1, batch2)), beta, alpha)


def _over_batch(x: Tensor) -> Tensor:
    total = P.sum_(x, axes=(0,))
    return total if total.array.dtype == x.array.dtype else P.cast(total, dtype=x.array.dtype)


# products


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """Σ xᵢ yᵢ of two vectors (there are no complex numbers)."""
    x, y = _operands("vdot", input, other)
    if x.ndim != 1 or y.ndim != 1:
        raise ShapeError(f"vdot: expected two vectors, got {tuple(x.array.shape)} and {tuple(y.array.shape)}")
    return dot(x, y)


def inner(input: Tensor, other: Tensor) -> Tensor:
    """Σₖ x[…, k] y[…, k], for every pair of the other dimensions."""
    x, y = _operands("inner", input, other)
    if x.ndim == 0 or y.ndim == 0:
        return P.mul(x, y)
    if x.array.shape[-1] != y.array.shape[-1]:
        raise ShapeError(f"inner: last sizes of {tuple(x.array.shape)} and {tuple(y.array.shape)} differ")
    return _contracted(x, y, (x.ndim - 1,), (y.ndim - 1,))


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Σ over the last `dims` dimensions of `a` and the first of `b`, or over two lists of dimensions."""
    x, y = _operands("tensordot", a, b)
    dims = dims.tolist() if isinstance(dims, Tensor) else dims
    if isinstance(dims, int):
        if not 0 <= dims <= min(x.ndim, y.ndim):
            raise OptionError(f"tensordot: dims must lie between 0 and {min(x.ndim, y.ndim)}, got {dims}")
        dims = (range(x.ndim - dims, x.ndim), range(dims))
    left, right = (d if isinstance(d, int) else tuple(d) for d in dims)
    mine, theirs = wrap_dims(left, x.ndim, "tensordot"), wrap_dims(right, y.ndim, "tensordot")
    sizes = [tuple(t.array.shape[d] for d in ds) for t, ds in ((x, mine), (y, theirs))]
    if sizes[0] != sizes[1]:
        raise ShapeError(f"tensordot: the dimensions to sum have sizes {sizes[0]} and {sizes[1]}")
    return _contracted(x, y, mine, theirs)


def _contracted(x: Tensor, y: Tensor, mine: tuple[int, ...], theirs: tuple[int, ...]) -> Tensor:
    rows = tuple(i for i in range(x.ndim) if i not in mine)
    columns = tuple(i for i in range(y.ndim) if i not in theirs)
    shape = (*(x.array.shape[i] for i in rows), *(y.array.shape[i] for i in columns))
    n, k = (math.prod(x.array.shape[i] for i in ds) for ds in (rows, mine))
    m = math.prod(y.array.shape[i] for i in columns)
    left = P.reshape(P.permute(x, axes=(*rows, *mine)), shape=(n, k))
    right = P.reshape(P.permute(y, axes=(*theirs, *columns)), shape=(k, m))
    return P.reshape(P.matmul(left, right), shape=shape)


def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of `input` times the whole of `other`."""
    x, y = promoted("kron", tensor_of("kron", "input", input), tensor_of("kron", "other", other))
    n = max(x.ndim, y.ndim)
    a, b = ((1,) * (n - t.ndim) + tuple(t.array.shape) for t in (x, y))
    left = P.reshape(x, shape=tuple(m for s in a for m in (s, 1)))
    right = P.reshape(y, shape=tuple(m for s in b for m in (1, s)))
    return P.reshape(P.mul(left, right), shape=tuple(s * t for s, t in zip(a, b, strict=True)))


def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector product along a dimension of size 3 (the first such one by default)."""
    x, y = tensor_of("cross", "input", input), tensor_of("cross", "other", other)
    shape = check_broadcast("cross", x, y)
    if dim is None:
        dim = next((i for i, n in enumerate(shape) if n == 3), len(shape))
    return _cross(x, y, dim)


def _cross(x: Tensor, y: Tensor, dim: int) -> Tensor:
    shape = check_broadcast("cross", x, y)
    if x.ndim != y.ndim:
        raise ShapeError(f"cross: expected equally many dimensions, got {tuple(x.shape)} and {tuple(y.shape)}")
    d = wrap_dim(dim, len(shape), "cross") if shape and -len(shape) <= dim < len(shape) else None
    if d is None or x.array.shape[d] != 3 or y.array.shape[d] != 3:
        raise ShapeError(f"cross: expected a dimension of size 3, got {tuple(x.shape)} and {tuple(y.shape)}")

    def turned(t: Tensor, k: int) -> Tensor:
        return P.index(
            t, index=(*(slice(None),) * d, np.array([k, k + 1, k + 2]) % 3, *(slice(None),) * (t.ndim - d - 1))
        )

    return P.sub(P.mul(turned(x, 1), turned(y, 2)), P.mul(turned(x, 2), turned(y, 1)))


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of several matrices in the order that takes the fewest multiplications; the ends may be vectors.

    Source: Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms, matrix-chain multiplication.
    """
    xs = [tensor_of("multi_dot", f"tensors[{i}]", x) for i, x in enumerate(tensors)]
    if len(xs) < 2:
        raise ShapeError(f"multi_dot: expected at least two tensors, got {len(xs)}")
    ends = xs[0].ndim, xs[-1].ndim
    if any(x.ndim != 2 for x in xs[1:-1]) or not {*ends} <= {1, 2}:
        raise ShapeError("multi_dot: expected matrices, of which the first and the last may be vectors")
    first = P.reshape(xs[0], shape=(1, xs[0].array.size)) if ends[0] == 1 else xs[0]
    last = P.reshape(xs[-1], shape=(xs[-1].array.size, 1)) if ends[1] == 1 else xs[-1]
    chain = [first, *xs[1:-1], last]
    sizes = [x.array.shape[0] for x in chain] + [chain[-1].array.shape[1]]

    @functools.cache
    def cheapest(i: int, j: int) -> tuple[int, int]:
        if i == j:
            return 0, i
        return min(
            (cheapest(i, k)[0] + cheapest(k + 1, j)[0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
        )

    def product(i: int, j: int) -> Tensor:
        if i == j:
            return chain[i]
        k = cheapest(i, j)[1]
        return _matmul("multi_dot", product(i, k), product(k + 1, j))

    z = product(0, len(chain) - 1)
    return P.reshape(z, shape=z.array.shape[2 - ends[0] : ends[1]])


def chain_matmul(*matrices: Tensor) -> Tensor:
    """`linalg.multi_dot` of the arguments; a single matrix is returned as it is."""
    xs = [tensor_of("chain_matmul", f"matrices[{i}]", x) for i, x in enumerate(matrices)]
    if not xs or any(x.ndim != 2 for x in xs):
        raise ShapeError("chain_matmul: expected one or more matrices")
    return xs[0] if len(xs) == 1 else multi_dot(xs)


def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix."""
    x = tensor_of("trace", "input", input)
    if x.ndim != 2:
        raise ShapeError(f"trace: expected a matrix, got shape {tuple(x.array.shape)}")
    return P.sum_(diagonal(x), axes=(0,))


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """The p-norms of the differences of all pairs of rows: (…, P, M), (…, R, M) -> (…, P, R). The subgradient at 0 is 0."""
    x, y = floating("cdist", "x1", x1), floating("cdist", "x2", x2)
    if x.ndim < 2 or y.ndim < 2 or x.array.shape[-1] != y.array.shape[-1]:
        raise ShapeError(f"cdist: rows of shapes {tuple(x.array.shape)} and {tuple(y.array.shape)} do not agree")
    if p < 0:
        raise OptionError(f"cdist: p must be ≥ 0, got {p}")
    (*a, n, k), (*b, m, _) = x.array.shape, y.array.shape
    rows, columns = P.reshape(x, shape=(*a, n, 1, k)), P.reshape(y, shape=(*b, 1, m, k))
    check_broadcast("cdist", rows, columns)
    gap = P.sub(rows, columns)
    return norm(gap, p, -1) if k else P.sum_(gap, axes=(gap.ndim - 1,))


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input − other."""
    x, y = tensor_of("dist", "input", input), tensor_of("dist", "other", other)
    check_broadcast("dist", x, y)
    return norm(P.sub(x, y), p)


# square matrices


def _squares(where: str, A: Any) -> Tensor:
    x = floating(where, "A", A)
    if x.ndim < 2 or x.array.shape[-1] != x.array.shape[-2]:
        raise ShapeError(f"{where}: A must be one or more square matrices, got shape {tuple(x.array.shape)}")
    if x.array.dtype in dtypes.HALVES:
        raise DtypeError(f"{where}: A must be float32 or float64, got {x.dtype}")
    return x


def _lapack(where: str, what: str, function: Any, *args: Any) -> Any:
    try:
        return function(*args)
    except np.linalg.LinAlgError as error:
        raise OptionError(f"{where}: A must be {what} ({error})") from None


# Z = X⁻¹: dX = −Zᵀ dZ Zᵀ
_inv: Primitive = Primitive(
    "inv",
    lambda x: _lapack("inv", "invertible", np.linalg.inv, x),
    promote=None,
    dx=lambda dz, z: P.neg(P.matmul(P.matmul(P.swap(z), dz), P.swap(z))),
)
# Z = A⁻¹B: dB = A⁻ᵀ dZ, dA = −dB Zᵀ
_solve: Primitive = Primitive(
    "solve",
    lambda a, b: _lapack("solve", "invertible", np.linalg.solve, a, b),
    promote=None,
    da=lambda dz, a, z: P.neg(P.matmul(_solve(P.swap(a), dz), P.swap(z))),
    db=lambda dz, a: _solve(P.swap(a), dz),
)
# z = det X: dX = dz z X⁻ᵀ
_det: Primitive = Primitive(
    "det",
    lambda x: np.asarray(np.linalg.det(x)),
    promote=None,
    dx=lambda dz, x, z: P.mul(_columns(P.mul(dz, z)), P.swap(_inv(x))),
)
# z = log |det X|: dX = dz X⁻ᵀ
_logabsdet: Primitive = Primitive(
    "slogdet",
    lambda x: np.asarray(np.linalg.slogdet(x)[1]),
    promote=None,
    dx=lambda dz, x: P.mul(_columns(dz), P.swap(_inv(x))),
)


def _columns(v: Any) -> Any:
    """Numbers as 1×1 matrices."""
    return P.reshape(v, shape=(*v.shape, 1, 1))


# LLᵀ = X: dX = (S + Sᵀ)/2 with S = L⁻ᵀ Φ(Lᵀ dL) L⁻¹, Φ the lower triangle with half its diagonal.
# Source: Murray, "Differentiation of the Cholesky decomposition", 2016
def _cholesky_grad(dz: Any, z: Any) -> Any:
    n, kind = z.shape[-1], (z if isinstance(z, np.ndarray) else z.array).dtype
    half = (np.tri(n) - 0.5 * np.eye(n)).astype(kind)
    inverse = _inv(z)
    s = P.matmul(P.swap(inverse), P.matmul(P.mul(P.matmul(P.swap(z), dz), half), inverse))
    return P.mul(P.add(s, P.swap(s)), 0.5)


_cholesky: Primitive = Primitive(
    "cholesky",
    lambda x: _lapack("cholesky", "positive-definite", np.linalg.cholesky, x),
    promote=None,
    dx=lambda dz, z: _cholesky_grad(dz, z),
)


def inv(A: Tensor) -> Tensor:
    """The inverses of square matrices. Raises OptionError for a singular one."""
    return _inv(_squares("inv", A))


inverse = inv


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with AX = B (with left=False, XA = B); B of one dimension less than A, and of its batch, is vectors."""
    a, b = _squares("solve", A), floating("solve", "B", B)
    if a.array.dtype != b.array.dtype:
        raise DtypeError(f"solve: expected one dtype, got {a.dtype} and {b.dtype}")
    vectors = b.ndim == 1 or b.ndim == a.ndim - 1 and b.array.shape == a.array.shape[:-1]
    if vectors:
        b = P.reshape(b, shape=(*b.array.shape, 1))
    if not left:
        if vectors:
            raise ShapeError("solve: left=False takes matrices, not vectors")
        return P.swap(solve(P.swap(a), P.swap(b)))
    if a.array.shape[-1] != b.array.shape[-2]:
        raise ShapeError(f"solve: {a.array.shape[-1]} equations, {b.array.shape[-2]} rows of B")
    try:
        lead = np.broadcast_shapes(a.array.shape[:-2], b.array.shape[:-2])
    except ValueError:
        raise ShapeError(f"solve: batches of shapes {tuple(a.shape)} and {tuple(b.shape)} do not agree") from None
    z = _solve(*(P.expand(t, shape=(*lead, *t.array.shape[-2:])) for t in (a, b)))
    return P.reshape(z, shape=z.array.shape[:-1]) if vectors else z


def det(A: Tensor) -> Tensor:
    """The determinants of square matrices. The gradient of a singular one raises OptionError."""
    return _det(_squares("det", A))


def slogdet(A: Tensor) -> tuple[Tensor, Tensor]:
    """(the sign, log |det A|) of square matrices; the gradient of a singular one raises OptionError."""
    x = _squares("slogdet", A)
    return new_tensor(np.asarray(np.linalg.slogdet(x.array)[0])), _logabsdet(x)


def logdet(A: Tensor) -> Tensor:
    """log det A of square matrices, NaN where it is negative."""
    sign, size = slogdet(_squares("logdet", A))
    return P.where(P.lt(sign, 0), size.array.dtype.type(math.nan), size)


def cholesky(A: Tensor, upper: bool = False) -> Tensor:
    """The lower triangles L with LLᵀ = A (or Lᵀ) of symmetric positive-definite matrices; reads the lower triangle."""
    z = _cholesky(_squares("cholesky", A))
    return P.swap(z) if upper else z


def matrix_power(A: Tensor, n: int) -> Tensor:
    """The n-th power of square matrices, by repeated squaring; of the inverse for n < 0."""
    x = tensor_of("matrix_power", "A", A)
    if x.ndim < 2 or x.array.shape[-1] != x.array.shape[-2]:
        raise ShapeError(f"matrix_power: A must be one or more square matrices, got shape {tuple(x.array.shape)}")
    if n < 0:
        x, n = inv(x), -n
    if n == 0:
        one = np.eye(x.array.shape[-1], dtype=x.array.dtype)
        return new_tensor(np.broadcast_to(one, x.array.shape).copy())
    z = None
    while n:
        if n & 1:
            z = x if z is None else matmul(z, x)
        n >>= 1
        x = matmul(x, x) if n else x
    assert z is not None
    return P.clone(z) if z is A else z
