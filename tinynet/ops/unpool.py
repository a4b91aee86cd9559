"""The inverse of max pooling, pooling by a norm, and normalisation by neighbouring channels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..errors import OptionError, RangeError, ShapeError
from . import primitives as P
from .activation import relu
from .checks import floating, integer, ints, tensor_of
from .elementwise import pow
from .pool import Ints, _spatial, avg_pool_nd, max_pool_nd


def max_unpool_nd(
    n: int, input: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> Tensor:
    """The inverse of max pooling over `n` spatial dimensions; see max_unpool2d."""
    where = f"max_unpool{n}d"
    x, single = _spatial(where, tensor_of(where, "input", input), n)
    k = integer(where, "indices", indices).array.astype(np.int64)
    if k.shape != input.array.shape:
        raise ShapeError(f"{where}: indices has shape {tuple(k.shape)}, input {tuple(input.array.shape)}")
    kernel, pads = ints(where, "kernel_size", kernel_size, n, 1), ints(where, "padding", padding, n)
    steps = kernel if stride is None else ints(where, "stride", stride, n, 1)
    size = _unpooled(where, x.array.shape[2:], kernel, steps, pads, output_size)
    places = math.prod(size)
    if k.size and (k.min() < 0 or k.max() >= places):
        raise RangeError(
            f"{where}: indices must lie in 0 … {places - 1}, of the size {size}; got {k.min()} … {k.max()}"
        )
    lead = x.array.shape[:2]
    flat = (*lead, math.prod(x.array.shape[2:]))
    rows = np.arange(lead[0])[:, None, None], np.arange(lead[1])[:, None]
    y = P.put(np.zeros((*lead, places), x.array.dtype), P.reshape(x, shape=flat), index=(*rows, k.reshape(flat)))
    return P.reshape(y, shape=(*(lead[1:] if single else lead), *size))


def _unpooled(where: str, size: Ints, kernel: Ints, stride: Ints, padding: Ints, wanted: Any) -> Ints:
    """(n − 1)·stride + kernel − 2·padding, or a given size that is nearer to it than the stride."""
    plain = tuple((n - 1) * s + k - 2 * p for n, k, s, p in zip(size, kernel, stride, padding, strict=True))
    given = plain if wanted is None else tuple(int(m) for m in wanted)
    given = given[2:] if len(given) == len(kernel) + 2 else given
    if len(given) != len(kernel):
        raise ShapeError(f"{where}: output_size must be {len(kernel)} or {len(kernel) + 2} numbers, got {wanted!r}")
    if any(abs(m - d) >= s for m, d, s in zip(given, plain, stride, strict=True)):
        raise OptionError(
            f"{where}: output_size must differ from {plain} by less than the stride {stride}, got {given}"
        )
    if any(m < 0 for m in given):
        raise ShapeError(f"{where}: the size of the result must not be negative, got {given}")
    return given


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """The inverse of max_pool1d of (N, C, L) or (C, L); see max_unpool2d."""
    return max_unpool_nd(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Each element of (N, C, H, W) or (C, H, W) at the flat place in its plane that `indices` names, zeros elsewhere.

    indices      what max_pool2d returns with return_indices=True; of equal ones the last wins
    output_size  of several sizes that are pooled to the same one; (H − 1)·stride + kernel_size − 2·padding by default

    Source: Zeiler and Fergus, ECCV 2014.
    """
    return max_unpool_nd(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """The inverse of max_pool3d of (N, C, D, H, W) or (C, D, H, W); see max_unpool2d."""
    return max_unpool_nd(3, input, indices, kernel_size, stride, padding, output_size)


def lp_pool_nd(n: int, input: Tensor, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool) -> Tensor:
    """Pooling by a norm over `n` spatial dimensions; see lp_pool2d."""
    where = f"lp_pool{n}d"
    x, kernel = floating(where, "input", input), ints(where, "kernel_size", kernel_size, n, 1)
    if norm_type == 0:
        raise OptionError(f"{where}: norm_type must not be 0")
    if math.isinf(norm_type):
        size = P.absolute(x) if norm_type > 0 else P.neg(P.absolute(x))
        y = max_pool_nd(n, size, kernel, stride, 0, 1, ceil_mode, False)
        return y if norm_type > 0 else P.neg(y)
    mean = avg_pool_nd(n, pow(x, norm_type), kernel, stride, 0, ceil_mode, True, None)
    # sign · |…| is the mean itself, with the gradient 0 at 0
    total = P.mul(P.mul(P.sign(mean), relu(P.absolute(mean))), float(math.prod(kernel)))
    return pow(total, 1.0 / norm_type)


def lp_pool1d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """Pooling by a norm of (N, C, L) or (C, L); see lp_pool2d."""
    return lp_pool_nd(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """(Σ xᵖ)^(1/p) over each window of (N, C, H, W) or (C, H, W), p = norm_type; ±∞ are the largest and smallest |x|.

    With an odd p negative elements count negatively, as in PyTorch. Where the sum is 0 the gradient is 0.
    """
    return lp_pool_nd(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """Pooling by a norm of (N, C, D, H, W) or (C, D, H, W); see lp_pool2d."""
    return lp_pool_nd(3, input, norm_type, kernel_size, stride, ceil_mode)


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x_c / (k + alpha/size · Σ x_c'²)^beta, the sum over the `size` channels around c (and c), zeros beyond the ends.

    input  (N, C, …), at least three dimensions. Source: Krizhevsky, Sutskever, Hinton, NeurIPS 2012.
    """
    x = floating("local_response_norm", "input", input)
    (size,) = ints("local_response_norm", "size", size, 1, 1)
    if x.ndim < 3:
        raise ShapeError(f"local_response_norm: expected at least 3 dimensions, got shape {tuple(x.array.shape)}")
    if not x.array.size:
        return x
    n, c = x.array.shape[:2]
    squares = P.reshape(P.mul(x, x), shape=(n, 1, c, math.prod(x.array.shape[2:])))
    squares = P.pad_constant(squares, widths=((0, 0), (0, 0), (size // 2, (size - 1) // 2), (0, 0)), value=0.0)
    mean = P.reshape(avg_pool_nd(2, squares, (size, 1), 1, 0, False, True, None), shape=x.array.shape)
    return P.div(x, pow(P.add(P.mul(mean, float(alpha)), float(k)), float(beta)))
