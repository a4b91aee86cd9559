"""Reductions: `dim` is one dimension or several (all by default); `keepdim` leaves them with size 1."""

from __future__ import annotations

import builtins
import math
from typing import Any, NamedTuple

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor, new_tensor, wrap_dim, wrap_dims
from ..autograd.fused import Fused
from ..dtypes import HALVES
from ..errors import OptionError, RangeError
from . import primitives as P
from .checks import floating, numpy_names, tensor_of, to_dtype, widened

Array = np.ndarray[Any, Any]


class max_result(NamedTuple):
    """The extreme values along a dimension, and their indices."""

    values: Tensor
    indices: Tensor


min_result = topk_result = max_result


@numpy_names
def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Σ x over `dim`; integers and booleans are summed as int64."""
    x = to_dtype(tensor_of("sum", "input", input), dtype, "sum")
    return P.sum_(x, axes=_dims("sum", x, dim), keepdims=keepdim)


def _dims(where: str, x: Tensor, dim: Any) -> tuple[int, ...]:
    return wrap_dims(None if dim == () else dim, x.array.ndim, where)


@widened
@numpy_names
def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Σ x / n over `dim`. Raises DtypeError for integers."""
    x = floating("mean", "input", to_dtype(tensor_of("mean", "input", input), dtype, "mean"))
    axes = _dims("mean", x, dim)
    return P.div(P.sum_(x, axes=axes, keepdims=keepdim), float(_count(x, axes)))


def _count(x: Tensor, axes: tuple[int, ...]) -> int:
    return math.prod(x.array.shape[a] for a in axes)


@widened
@numpy_names
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Σ (x − mean)² / (n − correction) over `dim`; correction 1 by default, 0 with unbiased=False."""
    return _var("var", input, dim, unbiased, keepdim, correction)


def _var(where: str, input: Tensor, dim: Any, unbiased: bool | None, keepdim: bool, correction: float | None) -> Tensor:
    if isinstance(dim, bool):  # var(x, False), PyTorch's older form
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise OptionError(f"{where}: pass either unbiased or correction")
    x = floating(where, "input", input)
    axes = _dims(where, x, dim)
    c = correction if correction is not None else 1 if unbiased in (None, True) else 0
    last = axes == tuple(range(x.ndim - len(axes), x.ndim))
    return (_variance if last and x.array.size else variance_definition)(x, axes=axes, keepdims=keepdim, correction=c)


def variance_definition(x: Tensor, *, axes: tuple[int, ...], keepdims: bool, correction: float) -> Tensor:
    """Σ (x − mean)² / (n − correction) over `axes`."""
    n = _count(x, axes)
    centred = P.sub(x, P.div(P.sum_(x, axes=axes, keepdims=True), float(n)))
    total = P.sum_(P.mul(centred, centred), axes=axes, keepdims=keepdims)
    return P.div(total, float(builtins.max(n - correction, 0)))


def _variance_forward(
    x: Array, *, axes: tuple[int, ...], keepdims: bool, correction: float
) -> tuple[Array, tuple[Array, float]]:
    n = math.prod(x.shape[a] for a in axes)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.float64(n) / builtins.max(n - correction, 0)
        mean, var = kernels_for(x).moments_last(x, axes=len(axes))
        y = (var * factor).astype(x.dtype)
    return y.reshape(P.kept(x.shape, axes)) if keepdims else y, (mean, float(factor) / n)


def _variance_backward(
    dy: Array, inputs: list[Any], cache: tuple[Array, float], needs: list[bool], *, axes: tuple[int, ...], **_: Any
) -> list[Array]:
    mean, share = cache
    with np.errstate(invalid="ignore"):
        scale = dy.reshape(mean.shape).astype(np.float64) * (2.0 * share)
    return [kernels_for(dy).deviations_last(inputs[0], mean, scale, axes=len(axes))]


_variance = Fused("var", variance_definition, _variance_forward, _variance_backward)


@widened
@numpy_names
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """√var; the subgradient at 0 is 0."""
    return _root(_var("std", input, dim, unbiased, keepdim, correction), 2)


def _root(total: Tensor, p: float) -> Tensor:
    """total^(1/p) with gradient 0 at 0, where the slope is infinite: the root of 1 instead, and no gradient."""
    zero = P.eq(total, 0.0)
    safe = P.where(zero, 1, total)
    return P.where(zero, 0, P.sqrt(safe) if p == 2 else P.power(safe, 1.0 / p))


@widened
@numpy_names
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log Σ e^x over `dim`, computed from the largest element so that nothing overflows."""
    x = tensor_of("logsumexp", "input", input)
    if not x.is_floating_point():
        x = to_dtype(x, float, "logsumexp")
    axes = _dims("logsumexp", x, dim)
    if not axes:
        return P.clone(x)
    if builtins.any(x.array.shape[a] == 0 for a in axes):
        return P.log(P.sum_(P.exp(x), axes=axes, keepdims=keepdim))
    top = P.amax(x.detach(), axes=axes, keepdims=True)
    shift = P.where(P.isfinite(top), top, 0)
    total = P.add(P.log(P.sum_(P.exp(P.sub(x, shift)), axes=axes, keepdims=True)), shift)
    return total if keepdim else P.reshape(total, shape=_left(x, axes))


def _left(x: Tensor, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(x.array.shape) if i not in axes)


def _nonempty(where: str, x: Tensor, axes: tuple[int, ...]) -> None:
    if builtins.any(x.array.shape[a] == 0 for a in axes):
        raise RangeError(f"{where}: nothing to reduce in a tensor of shape {tuple(x.array.shape)} over dim {axes}")


@numpy_names
def amax(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The largest element over `dim`; ties share the gradient equally."""
    return _extreme("amax", P.amax, input, dim, keepdim)


@numpy_names
def amin(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The smallest element over `dim`; ties share the gradient equally."""
    return _extreme("amin", P.amin, input, dim, keepdim)


def _extreme(where: str, op: Any, input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    x = tensor_of(where, "input", input)
    axes = _dims(where, x, dim)
    _nonempty(where, x, axes)
    return op(x, axes=axes, keepdims=keepdim)


@numpy_names
def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element; with `dim`, (values, indices), whose gradient goes to the index returned (the first of ties).

    `max(x, y)` with a second tensor is `maximum`. Without `dim` ties share the gradient equally. NaN wins.
    """
    return _arg_extreme("max", P.argmax, P.amax, P.maximum, input, dim, keepdim)


@numpy_names
def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element; with `dim`, (values, indices), as `max`."""
    return _arg_extreme("min", P.argmin, P.amin, P.minimum, input, dim, keepdim)


def _arg_extreme(where: str, arg: Any, full: Any, pair: Any, input: Tensor, dim: Any, keepdim: bool) -> Any:
    x = tensor_of(where, "input", input)
    if isinstance(dim, Tensor):
        return pair(x, dim)
    if dim is None:
        _nonempty(where, x, tuple(range(x.ndim)))
        return full(x, axes=tuple(range(x.ndim)))
    axis = wrap_dim(dim, x.ndim, where)
    if x.ndim == 0:
        return max_result(P.alias(x), new_tensor(np.zeros((), np.int64)))
    _nonempty(where, x, (axis,))
    k = np.expand_dims(arg(x.array, axis=axis), axis)
    values, indices = P.take_along(x, k, axis=axis), k
    if not keepdim:
        values, indices = P.reshape(values, shape=_left(x, (axis,))), np.squeeze(k, axis)
    return max_result(values, new_tensor(indices))


def _arg(where: str, op: Any, input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    x = tensor_of(where, "input", input)
    if dim is None:
        _nonempty(where, x, tuple(range(x.ndim)))
        flat = new_tensor(x.array.reshape(-1))
        k = op(flat, axis=0)
        return P.reshape(k, shape=(1,) * x.ndim) if keepdim else k
    axis = wrap_dim(dim, x.ndim, where)
    if x.ndim == 0:
        return new_tensor(np.zeros((), np.int64))
    _nonempty(where, x, (axis,))
    k = op(x, axis=axis)
    return P.reshape(k, shape=P.kept(x.array.shape, (axis,))) if keepdim else k


@numpy_names
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the largest element (the first of ties), in the flattened tensor or along `dim`."""
    return _arg("argmax", P.argmax, input, dim, keepdim)


@numpy_names
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the smallest element (the first of ties), in the flattened tensor or along `dim`."""
    return _arg("argmin", P.argmin, input, dim, keepdim)


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> max_result:
    """The `k` largest (or smallest) elements along `dim` and their indices, in order; the first of ties comes first."""
    x = tensor_of("topk", "input", input)
    axis = wrap_dim(dim, x.ndim, "topk")
    n = x.array.shape[axis] if x.ndim else 1
    if not 0 <= k <= n:
        raise RangeError(f"topk: k must lie between 0 and {n}, the size of dim {dim}, got {k}")
    if x.ndim == 0:
        values, indices = topk(P.reshape(x, shape=(1,)), k)
        if k == 0:
            return topk_result(values, indices)
        return topk_result(P.reshape(values, shape=()), P.reshape(indices, shape=()))
    order = order_of(x.array, axis, largest)
    best = np.ascontiguousarray(order[(*(slice(None),) * axis, slice(0, k))])
    return topk_result(P.take_along(x, best, axis=axis), new_tensor(best))


def order_of(x: Array, axis: int, descending: bool = False) -> Array:
    """The indices that bring `x` into order along `axis`; halves as float32, as NumPy misplaces a bfloat16's NaN."""
    return P.argsort(x.astype(np.float32) if x.dtype in HALVES else x, axis=axis, descending=descending)


def _truth_dims(where: str, x: Tensor, dim: Any) -> tuple[int, ...]:
    return () if isinstance(dim, tuple | list) and not dim else _dims(where, x, dim)


@numpy_names
def any(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether some element is nonzero; an empty `dim` reduces nothing, unlike that of the other reductions."""
    x = tensor_of("any", "input", input)
    found = P.reduce_any(x, axes=_truth_dims("any", x, dim), keepdims=keepdim)
    return to_dtype(found, np.uint8, "any") if x.array.dtype == np.uint8 else found  # as PyTorch


@numpy_names
def all(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether every element is nonzero; an empty `dim` reduces nothing, unlike that of the other reductions."""
    x = tensor_of("all", "input", input)
    found = P.reduce_all(x, axes=_truth_dims("all", x, dim), keepdims=keepdim)
    return to_dtype(found, np.uint8, "all") if x.array.dtype == np.uint8 else found  # as PyTorch


@numpy_names
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """zₜ = Σ_{s ≤ t} xₛ along `dim`."""
    x = to_dtype(tensor_of("cumsum", "input", input), dtype, "cumsum")
    axis = wrap_dim(dim, x.ndim, "cumsum")
    return P.cumsum(x, axis=axis, reverse=False) if x.ndim else P.sum_(x, axes=())


@widened
@numpy_names
def norm(input: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over `dim`; p may be "fro" (2), ±inf or 0 (the count of nonzeros). The subgradient at 0 is 0."""
    x = floating("norm", "input", to_dtype(tensor_of("norm", "input", input), dtype, "norm"))
    if isinstance(p, str):
        if p != "fro":
            raise NotImplementedError(f"norm: p={p!r} is not supported; use a number or 'fro'")
        p = 2
    axes, size = _dims("norm", x, dim), P.absolute(x)
    if p in (math.inf, -math.inf):
        return (amax if p > 0 else amin)(size, axes, keepdim)
    if p == 0:
        return P.cast(P.sum_(P.ne(x, 0.0), axes=axes, keepdims=keepdim), dtype=x.array.dtype)
    if p == 1:
        return P.sum_(size, axes=axes, keepdims=keepdim)
    total = P.sum_(P.mul(x, x) if p == 2 else P.power(size, float(p)), axes=axes, keepdims=keepdim)
    return _root(total, p)
