"""Whole numbers, covariance, powers: operations that are a few others in a row."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .. import dtypes
from .._tensor import Tensor, new_tensor, wrap_dim
from ..errors import DtypeError, OptionError, RangeError, ShapeError
from . import primitives as P
from .arranging import diagonal
from .checks import check_broadcast, floating, integer, promoted, sizes, tensor_of, to_dtype
from .elementwise import clamp, trunc
from .indexing import nonzero
from .linalg import matmul
from .reduction import sum
from .shape import cat, flip, narrow, squeeze, stack
from .special import lgamma
from .statistics import cumprod

fix = trunc


def gcd(input: Tensor, other: Tensor) -> Tensor:
    """The greatest common divisor of integers, ≥ 0; of 0 and 0, 0."""
    return _of_integers("gcd", np.gcd, input, other)


def lcm(input: Tensor, other: Tensor) -> Tensor:
    """The least common multiple of integers, ≥ 0; of 0 and anything, 0."""
    return _of_integers("lcm", np.lcm, input, other)


def _of_integers(where: str, function: Any, input: Any, other: Any) -> Tensor:
    x, y = promoted(where, integer(where, "input", input), integer(where, "other", other))
    check_broadcast(where, x, y)
    return new_tensor(np.asarray(function(x.array, y.array)))


def frexp(input: Tensor) -> tuple[Tensor, Tensor]:
    """Mantissa and exponent with input = mantissa · 2^exponent, ½ ≤ |mantissa| < 1; the exponent is int32."""
    x = floating("frexp", "input", input)
    wide = x.array.astype(np.float32) if x.array.dtype in dtypes.HALVES else x.array
    exponent = np.asarray(np.frexp(wide)[1])
    half = -exponent // 2  # 2^−exponent alone may be too large
    a, b = (new_tensor(np.ldexp(np.ones_like(wide), e)) for e in (half, -exponent - half))
    result = P.mul(P.mul(to_dtype(x, dtypes.FROM_NUMPY[wide.dtype], "frexp"), a), b)
    return to_dtype(result, x.dtype, "frexp"), new_tensor(exponent.astype(np.int32))


def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """The covariance matrix of the rows: Σ w (x − x̄)(y − ȳ) over the weights' sum less the correction.

    fweights  how often each column was seen (integers ≥ 0); aweights  how much each counts (≥ 0)
    """
    x = tensor_of("cov", "input", input)
    if x.ndim > 2 or x.dtype is dtypes.bool_:
        raise ShapeError(f"cov: input must be numbers of at most two dimensions, got {x.dtype} {tuple(x.shape)}")
    if not x.is_floating_point():
        x = to_dtype(x, dtypes.get_default_dtype(), "cov")
    x = x if x.ndim == 2 else P.reshape(x, shape=(1, x.array.size))
    n = x.array.shape[1]
    counts, w = _weights(fweights, "fweights", 1, n), _weights(aweights, "aweights", 2, n)
    both = new_tensor(np.ones(n)) if counts is None else counts
    both = to_dtype(both if w is None else P.mul(*promoted("cov", both, w)), x.dtype, "cov")
    total = sum(both)
    if total.item() == 0 and n and (counts is not None or w is not None):
        raise OptionError("cov: weights sum to zero, so they cannot be normalised")
    centred = P.sub(x, P.div(sum(P.mul(x, both), 1, True), total))
    lost: Any = correction if w is None else sum(P.mul(both, to_dtype(w, x.dtype, "cov"))) * correction / total
    norm = total - lost
    if norm.item() <= 0:
        warnings.warn("cov(): degrees of freedom is <= 0", stacklevel=2)
    return squeeze(P.div(matmul(P.mul(centred, both), P.swap(centred)), clamp(norm, min=0)))


def _weights(values: Any, name: str, category: int, n: int) -> Tensor | None:
    if values is None:
        return None
    w = tensor_of("cov", name, values)
    if w.dtype.category != category:
        raise DtypeError(f"cov: {name} must be {'integers' if category == 1 else 'of floating point'}, got {w.dtype}")
    if w.ndim > 1 or w.array.size != n:
        raise ShapeError(f"cov: {name} must have one number for each of the {n} columns, got shape {tuple(w.shape)}")
    if (w.array < 0).any():
        raise OptionError(f"cov: {name} must be ≥ 0")
    return P.reshape(w, shape=(n,))


def corrcoef(input: Tensor) -> Tensor:
    """The correlation matrix of the rows: their covariances over the products of their deviations."""
    if tensor_of("corrcoef", "input", input).ndim > 2:
        raise ShapeError(f"corrcoef: input must have at most two dimensions, got shape {tuple(input.shape)}")
    c = cov(input)
    if c.ndim == 0:
        return P.div(c, c)
    s = P.sqrt(diagonal(c))
    n = s.array.size
    c = P.div(P.div(c, P.reshape(s, shape=(n, 1))), P.reshape(s, shape=(1, n)))
    return clamp(c, -1, 1)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The matrix whose columns are the powers N−1 … 0 of a vector (0 … N−1 if increasing); N is its length by default."""
    v = tensor_of("vander", "x", x)
    if v.ndim != 1:
        raise ShapeError(f"vander: x must be a vector, got shape {tuple(v.shape)}")
    n = v.array.size if N is None else N
    if n < 0:
        raise OptionError(f"vander: N must be ≥ 0, got {n}")
    if not v.is_floating_point():
        v = to_dtype(v, dtypes.int64, "vander")
    column = P.reshape(v, shape=(v.array.size, 1))
    ones = new_tensor(np.ones((v.array.size, min(n, 1)), v.array.dtype))
    powers = cumprod(cat([ones, *[column] * (n - 1)], 1), 1)
    return powers if increasing else flip(powers, (1,))


def argwhere(input: Tensor) -> Tensor:
    """The indices of the elements that are not 0, a row each."""
    return nonzero(tensor_of("argwhere", "input", input))


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The part at `index` of a dimension, without that dimension, as a view."""
    x = tensor_of("select", "input", input)
    if x.ndim == 0:
        raise RangeError("select: a 0-d tensor has no dimension to select from")
    n = x.array.shape[wrap_dim(dim, x.ndim, "select")]
    if not -n <= index < n:
        raise RangeError(f"select: index {index} is out of range for dimension {dim} of size {n}")
    return squeeze(narrow(x, dim, index % n, 1), dim)


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """For flat indices into a tensor of `shape`: the index along each of its dimensions."""
    k = integer("unravel_index", "indices", indices)
    full = sizes("unravel_index", (shape,) if isinstance(shape, int) else tuple(shape))
    size = math.prod(full)
    if ((k.array < 0) | (k.array >= size)).any():
        raise RangeError(f"unravel_index: indices must lie between 0 and {size - 1}")
    return tuple(new_tensor(np.asarray(a, np.int64)) for a in np.unravel_index(k.array, full)) if full else ()


def mvlgamma(input: Tensor, p: int) -> Tensor:
    """log of the multivariate gamma function: ¼ p (p − 1) log π + Σⱼ log Γ(x − j/2), j = 0 … p−1."""
    x = tensor_of("mvlgamma", "input", input)
    if p < 1:
        raise OptionError(f"mvlgamma: p must be ≥ 1, got {p}")
    if not x.is_floating_point():
        x = to_dtype(x, dtypes.get_default_dtype(), "mvlgamma")
    if (x.array <= (p - 1) / 2).any():
        raise OptionError(f"mvlgamma: all elements must be above (p − 1) / 2 = {(p - 1) / 2}")
    terms = stack([lgamma(P.sub(x, j / 2)) for j in range(p)])
    return P.add(sum(terms, 0), p * (p - 1) / 4 * math.log(math.pi))
