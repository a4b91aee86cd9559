"""Initialisation of parameters, in place and outside the graph. `fan_in` and `fan_out` count a layer's connections."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor
from ..autograd.modes import no_grad
from ..autograd.views import copy_, fill_
from ..errors import OptionError, ShapeError
from ..random import Generator, current_generator


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance through a nonlinearity. Raises OptionError for an unknown name."""
    if nonlinearity in ("linear", "sigmoid", "conv1d", "conv2d", "conv3d"):
        return 1.0
    if nonlinearity in ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"):
        return 1.0
    if nonlinearity == "tanh":
        return 5.0 / 3.0
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + (0.01 if param is None else param) ** 2))
    if nonlinearity == "selu":
        return 0.75
    raise OptionError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}")


def _fans(where: str, tensor: Tensor) -> tuple[int, int]:
    if tensor.ndim < 2:
        raise ShapeError(f"{where}: fan in and fan out need at least 2 dimensions, got shape {tuple(tensor.shape)}")
    field = math.prod(tensor.array.shape[2:])
    return tensor.array.shape[1] * field, tensor.array.shape[0] * field


def _fill(tensor: Tensor, array: Any) -> Tensor:
    with no_grad():
        return copy_(tensor, new_tensor(np.asarray(array)))


def _wide(tensor: Tensor) -> np.dtype[Any]:
    return np.dtype(np.float64) if tensor.array.dtype == np.float64 else np.dtype(np.float32)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Draws from the uniform distribution on [a, b)."""
    return _fill(tensor, (generator or current_generator()).uniform(tensor.array.shape, _wide(tensor)) * (b - a) + a)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Draws from the normal distribution."""
    return _fill(tensor, (generator or current_generator()).normal(tensor.array.shape, _wide(tensor)) * std + mean)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Draws from the normal distribution restricted to [a, b], by the inverse of its distribution function."""
    from scipy.special import ndtr, ndtri

    low, high = ndtr((a - mean) / std), ndtr((b - mean) / std)
    u = (generator or current_generator()).uniform(tensor.array.shape, np.dtype(np.float64))
    return _fill(tensor, np.clip(ndtri(low + u * (high - low)) * std + mean, a, b))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value everywhere."""
    with no_grad():
        return fill_(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix."""
    if tensor.ndim != 2:
        raise ShapeError(f"eye_: expected a matrix, got shape {tuple(tensor.shape)}")
    return _fill(tensor, np.eye(*tensor.array.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Weights (O, C, *kernel) of a convolution that passes its channels on, as many as there are, in each group."""
    if tensor.ndim not in (3, 4, 5):
        raise ShapeError(f"dirac_: expected 3, 4 or 5 dimensions, got shape {tuple(tensor.shape)}")
    out, channels, *kernel = tensor.array.shape
    if groups < 1 or out % groups:
        raise OptionError(f"dirac_: {out} output channels cannot be divided by groups {groups}")
    y = np.zeros(tensor.array.shape)
    each = out // groups
    for group in range(groups):
        for k in range(min(each, channels)):
            y[(group * each + k, k, *(n // 2 for n in kernel))] = 1
    return _fill(tensor, y)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """A matrix of draws from N(0, std²), of which a share `sparsity` of each column is zero. Source: Martens, ICML 2010."""
    if tensor.ndim != 2:
        raise ShapeError(f"sparse_: expected a matrix, got shape {tuple(tensor.shape)}")
    if not 0 <= sparsity <= 1:
        raise OptionError(f"sparse_: sparsity must lie in [0, 1], got {sparsity!r}")
    draw = generator or current_generator()
    y = draw.normal(tensor.array.shape, np.dtype(np.float64)) * std
    order = np.argsort(draw.uniform(tensor.array.shape, np.dtype(np.float64)), axis=0)
    np.put_along_axis(y, order[: math.ceil(sparsity * y.shape[0])], 0.0, axis=0)
    return _fill(tensor, y)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """U(−a, a), a = gain·√(6/(fan_in + fan_out)). Source: Glorot and Bengio, AISTATS 2010."""
    bound = gain * math.sqrt(6.0 / sum(_fans("xavier_uniform_", tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """N(0, σ²), σ = gain·√(2/(fan_in + fan_out)). Source: Glorot and Bengio, AISTATS 2010."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans("xavier_normal_", tensor))), generator)


def _kaiming(where: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise OptionError(f"{where}: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = _fans(where, tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """U(−b, b), b = gain·√(3/fan). Source: He, Zhang, Ren, Sun, ICCV 2015."""
    bound = math.sqrt(3.0) * _kaiming("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """N(0, σ²), σ = gain/√fan. Source: He, Zhang, Ren, Sun, ICCV 2015."""
    return normal_(tensor, 0.0, _kaiming("kaiming_normal_", tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """gain·Q with orthonormal rows or columns. Source: Saxe, McClelland, Ganguli, ICLR 2014."""
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_: expected at least 2 dimensions, got shape {tuple(tensor.shape)}")
    rows, columns = tensor.array.shape[0], math.prod(tensor.array.shape[1:])
    draws = (generator or current_generator()).normal((max(rows, columns), min(rows, columns)), np.dtype(np.float64))
    q, r = np.linalg.qr(draws)
    q = q * np.sign(np.diagonal(r))
    return _fill(tensor, gain * (q.T if rows < columns else q).reshape(tensor.array.shape))


def _deprecated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function by its older name, without the underscore; it warns."""
    name = function.__name__[:-1]

    @functools.wraps(function)
    def older(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(f"init.{name}: deprecated; use init.{name}_", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    older.__name__ = older.__qualname__ = name
    return older


uniform, normal, constant = _deprecated(uniform_), _deprecated(normal_), _deprecated(constant_)
eye, dirac = _deprecated(eye_), _deprecated(dirac_)
sparse, orthogonal = _deprecated(sparse_), _deprecated(orthogonal_)
xavier_uniform, xavier_normal = _deprecated(xavier_uniform_), _deprecated(xavier_normal_)
kaiming_uniform, kaiming_normal = _deprecated(kaiming_uniform_), _deprecated(kaiming_normal_)
