"""Smooth activation functions, gates, and samples of a softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor, wrap_dim
from ..errors import DtypeError, ShapeError
from ..random import current_generator
from . import primitives as P
from .activation import _sigmoid, _tanh, log_sigmoid, softmax
from .checks import floating, tensor_of, to_dtype


def logsigmoid(input: Tensor) -> Tensor:
    """log(1/(1 + e⁻ˣ))."""
    return log_sigmoid(floating("logsigmoid", "input", input))


def _real(where: str, input: Any) -> Tensor:
    """Numbers of any kind, integers as float32."""
    x = tensor_of(where, "input", input)
    if x.dtype.category == 0:
        raise DtypeError(f"{where}: not for boolean tensors")
    return x if x.is_floating_point() else P.cast(x, dtype=np.dtype(np.float32))


def softsign(input: Tensor) -> Tensor:
    """x/(1 + |x|)."""
    x = _real("softsign", input)
    return P.div(x, P.add(P.absolute(x), 1.0))


def tanhshrink(input: Tensor) -> Tensor:
    """x − tanh(x)."""
    x = _real("tanhshrink", input)
    return P.sub(x, _tanh(x))


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a·σ(b), a and b the halves of the input along `dim`. Source: Dauphin, Fan, Auli, Grangier, ICML 2017."""
    x = floating("glu", "input", input)
    d = wrap_dim(dim, x.ndim, "glu")
    if x.ndim == 0 or x.array.shape[d] % 2:
        raise ShapeError(f"glu: dim {dim} of shape {tuple(x.array.shape)} cannot be halved")
    n, before = x.array.shape[d] // 2, (slice(None),) * d
    a, b = (P.index(x, index=(*before, s)) for s in (slice(0, n), slice(n, 2 * n)))
    return P.mul(a, _sigmoid(b))


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """e^(−xᵢ) / Σⱼ e^(−xⱼ) along `dim`."""
    x = floating("softmin", "input", to_dtype(input, dtype, "softmin") if isinstance(input, Tensor) else input)
    if dim is not None and x.ndim:
        wrap_dim(dim, x.ndim, "softmin")
    return softmax(P.neg(x), dim, _stacklevel)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """softmax((x + g)/tau), g = −log(−log u) with u uniform: a sample of the classes that has a gradient.

    hard  1 at the largest and 0 elsewhere, with the gradient of the softmax

    Sources: Jang, Gu, Poole; Maddison, Mnih, Teh; both ICLR 2017.
    """
    x = floating("gumbel_softmax", "logits", logits)
    wrap_dim(dim, x.ndim, "gumbel_softmax")
    u = current_generator().uniform(x.array.shape, np.dtype(np.float64))
    noise = -np.log(-np.log(np.maximum(u, np.finfo(np.float64).tiny)))
    soft = softmax(P.div(P.add(x, new_tensor(noise.astype(x.array.dtype))), float(tau)), dim)
    if not hard:
        return soft
    y = np.zeros_like(soft.array)
    if y.ndim and y.size:
        np.put_along_axis(y, np.expand_dims(soft.array.argmax(dim), dim), y.dtype.type(1), dim)
    elif y.size:
        y[...] = 1
    return P.add(P.sub(new_tensor(y), soft.detach()), soft)
