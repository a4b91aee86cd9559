"""Draws from distributions. Streams are tinynet's own: the same seed gives other numbers than PyTorch's, of the same law."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from .._layout import plain
from .._tensor import Tensor, new_tensor
from ..autograd import views
from ..errors import DtypeError, OptionError, ShapeError
from ..random import Generator
from .checks import check_broadcast, floating, sizes, tensor_of
from .creation import _floats, _stream, finish, randint

Array = np.ndarray[Any, Any]


def normal(
    mean: Any,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal draws: mean and std each a tensor or a number, of their common shape; or numbers and a `size`."""
    if size is not None:
        if isinstance(mean, Tensor) or isinstance(std, Tensor):
            raise DtypeError("normal: with size, mean and std must be numbers")
        draws = _stream(generator).normal(sizes("normal", (size,)), _floats("normal", dtype))
        return finish("normal", (draws * _spread(std) + mean).astype(draws.dtype), device, requires_grad)
    found = [floating("normal", n, v) for n, v in (("mean", mean), ("std", std)) if isinstance(v, Tensor)]
    if not found or any(not isinstance(v, Tensor | int | float) for v in (mean, std)):
        raise DtypeError("normal: mean or std must be a Tensor, or size be given")
    shape = check_broadcast("normal", *found)
    a, s = (v.array if isinstance(v, Tensor) else v for v in (mean, std))
    draws = _stream(generator).normal(shape, found[0].array.dtype)
    return new_tensor(np.asarray(draws * _spread(s) + a).astype(found[0].array.dtype))


def _spread(std: Any) -> Any:
    if np.any(np.asarray(std) < 0):
        raise OptionError("normal: std must be ≥ 0")
    return std


@plain
def randint_like(
    input: Tensor,
    low: int,
    high: int | None = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform integers in [low, high), or [0, low), of the shape and dtype of `input`."""
    x = tensor_of("randint_like", "input", input)
    low, high = (0, low) if high is None else (low, high)
    if low >= high:
        raise OptionError(f"randint_like: low must be below high, got low {low} and high {high}")
    return randint(low, high, x.array.shape, dtype=dtype or x.dtype, device=device, requires_grad=requires_grad)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """So many indices by the weights in each row, as int64; without replacement each index comes once at most.

    With replacement: where a uniform number falls in the cumulated weights. Without: the first of exponential waiting
    times with the weights as rates. Source: Efraimidis, Spirakis, "Weighted random sampling with a reservoir", 2006.
    """
    w = floating("multinomial", "input", input).array.astype(np.float64)
    if w.ndim not in (1, 2):
        raise ShapeError(f"multinomial: input must have one or two dimensions, got shape {w.shape}")
    if num_samples < 1 or not replacement and num_samples > w.shape[-1]:
        raise OptionError(f"multinomial: num_samples must lie between 1 and {w.shape[-1]}, got {num_samples}")
    if not (np.isfinite(w).all() and (w >= 0).all() and (w.sum(-1) > 0).all()):
        raise OptionError("multinomial: weights must be finite, ≥ 0, and not all 0")
    if not replacement and ((w > 0).sum(-1) < num_samples).any():
        raise OptionError(f"multinomial: a row has fewer than {num_samples} weights above 0")
    rows = w.reshape(-1, w.shape[-1])
    stream, double = _stream(generator), np.dtype(np.float64)
    if replacement:
        ends = np.cumsum(rows, -1)
        draws = stream.uniform((len(rows), num_samples), double) * ends[:, -1:]
        k = np.array([np.searchsorted(e, d, "right") for e, d in zip(ends, draws, strict=True)], np.int64)
        k = np.minimum(k, np.array([np.flatnonzero(r)[-1] for r in rows], np.int64).reshape(-1, 1))
    else:
        with np.errstate(divide="ignore"):
            waits = -np.log1p(-stream.uniform(rows.shape, double)) / rows
        waits[rows == 0] = np.inf
        k = np.argsort(waits, -1, kind="stable")[:, :num_samples]
    return new_tensor(np.ascontiguousarray(k.reshape(*w.shape[:-1], num_samples)))


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Poisson draws with the rates `input`, in its dtype: the inverse of the distribution function at uniform numbers."""
    from scipy import special

    rate = floating("poisson", "input", input).array
    if not (rate >= 0).all():
        raise OptionError("poisson: rates must be ≥ 0")
    u, wide = _stream(generator).uniform(rate.shape, np.dtype(np.float64)), rate.astype(np.float64)
    some = u > np.exp(-wide)
    draws = np.ceil(special.pdtrik(np.where(some, u, 0.5), np.where(some, wide, 1.0)))
    return new_tensor(np.where(some, draws, 0.0).astype(rate.dtype))


# in place


def _uniform(where: str, x: Tensor, generator: Any) -> Array:
    """Uniform on (0, 1]: log of it is finite."""
    floating(where, "self", x)
    return 1.0 - _stream(generator).uniform(x.array.shape, np.dtype(np.float64))


def exponential_(self: Tensor, lambd: float = 1, *, generator: Any = None) -> Tensor:
    """Fill with draws from the exponential distribution of rate `lambd`."""
    if lambd <= 0:
        raise OptionError(f"exponential_: lambd must be > 0, got {lambd}")
    return views.copy_(self, new_tensor(-np.log(_uniform("exponential_", self, generator)) / lambd))


def geometric_(self: Tensor, p: float, *, generator: Any = None) -> Tensor:
    """Fill with the number of the first success, of probability `p` each: 1, 2, …"""
    if not 0 < p < 1:
        raise OptionError(f"geometric_: p must lie in (0, 1), got {p}")
    u = 1.0 - _stream(generator).uniform(self.array.shape, np.dtype(np.float64))
    draws = np.maximum(np.ceil(np.log(u) / math.log1p(-p)), 1.0)
    return views.copy_(self, new_tensor(draws))


def log_normal_(self: Tensor, mean: float = 1, std: float = 2, *, generator: Any = None) -> Tensor:
    """Fill with e^x, x normal with `mean` and `std`."""
    floating("log_normal_", "self", self)
    if std <= 0:
        raise OptionError(f"log_normal_: std must be > 0, got {std}")
    draws = _stream(generator).normal(self.array.shape, np.dtype(np.float64))
    return views.copy_(self, new_tensor(np.exp(draws * std + mean)))


def cauchy_(self: Tensor, median: float = 0, sigma: float = 1, *, generator: Any = None) -> Tensor:
    """Fill with draws from the Cauchy distribution."""
    if sigma <= 0:
        raise OptionError(f"cauchy_: sigma must be > 0, got {sigma}")
    draws = np.tan(math.pi * (_uniform("cauchy_", self, generator) - 0.5)) * sigma + median
    return views.copy_(self, new_tensor(draws))


def random_(self: Tensor, from_: int = 0, to: int | None = None, *, generator: Any = None, **kwargs: int) -> Tensor:
    """Fill with uniform integers in [from, to), or [0, to): by default all that the dtype counts without gaps."""
    alone = "from" not in kwargs and to is None
    low = kwargs.pop("from", from_)
    if kwargs:
        raise OptionError(f"random_: unknown options {', '.join(kwargs)}")
    if to is None:
        top = _largest(self.array.dtype)
        low, to = (0, low) if alone and low != 0 else (low, top + 1)
    if low >= to:
        raise OptionError(f"random_: from must be below to, got {low} and {to}")
    return views.copy_(self, new_tensor(_stream(generator).integers(low, to, self.array.shape)))


def _largest(dtype: np.dtype[Any]) -> int:
    if dtype.kind == "b":
        return 1
    if dtype.kind in "iu":
        return min(int(np.iinfo(dtype).max), 2**63 - 2)
    return 2 ** (int(dtypes.finfo(dtypes.FROM_NUMPY[dtype]).nmant) + 1)
