"""Layer and root-mean-square normalisation, over the last dimensions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .. import dtypes
from .._tensor import Tensor
from ..autograd.fused import Fused
from ..errors import DtypeError, ShapeError
from . import primitives as P
from .checks import floating
from .norm import same_or_wide, standardised

Array = np.ndarray[Any, Any]
Ints = tuple[int, ...]


def _last(x: Tensor, shape: Ints) -> Ints:
    return tuple(range(x.ndim - len(shape), x.ndim))


def layer_norm_definition(x: Tensor, w: Tensor | None, b: Tensor | None, *, shape: Ints, eps: float) -> Tensor:
    """y = (x − mean)/√(var + ε)·γ + β, mean and biased variance over the last dimensions."""
    y = standardised(x, _last(x, shape), eps)
    y = y if w is None else P.mul(y, w)
    return y if b is None else P.add(y, b)


def _layer_forward(
    x: Array, w: Array | None, b: Array | None, *, shape: Ints, eps: float
) -> tuple[Array, tuple[Array, Array]]:
    y, mean, rstd = kernels_for(x).layer_norm_forward(x, w, b, eps=eps, axes=len(shape))
    return y, (mean, rstd)


def _layer_backward(
    dy: Array, inputs: list[Any], cache: tuple[Array, Array], needs: list[bool], *, shape: Ints, eps: float
) -> list[Array | None]:
    x, w, b = inputs
    dx, dw, db = kernels_for(dy).layer_norm_backward(dy, x, w, *cache, axes=len(shape))
    return [dx, None if w is None else dw, None if b is None else db]


_layer_norm = Fused("layer_norm", layer_norm_definition, _layer_forward, _layer_backward)


def rms_norm_definition(x: Tensor, w: Tensor | None, *, shape: Ints, eps: float) -> Tensor:
    """y = x/√(Σ x²/K + ε)·γ over the last dimensions, of K elements."""
    mean = P.div(P.sum_(P.mul(x, x), axes=_last(x, shape), keepdims=True), float(math.prod(shape)))
    y = P.div(x, P.sqrt(P.add(mean, eps)))
    return y if w is None else P.mul(y, w)


def _rms_forward(x: Array, w: Array | None, *, shape: Ints, eps: float) -> tuple[Array, tuple[Array, Array]]:
    y, mean, rstd = kernels_for(x).layer_norm_forward(x, w, None, eps=eps, axes=len(shape), centred=False)
    return y, (mean, rstd)


def _rms_backward(
    dy: Array, inputs: list[Any], cache: tuple[Array, Array], needs: list[bool], *, shape: Ints, eps: float
) -> list[Array | None]:
    x, w = inputs
    dx, dw, _ = kernels_for(dy).layer_norm_backward(dy, x, w, *cache, axes=len(shape), centred=False)
    return [dx, None if w is None else dw]


_rms_norm = Fused("rms_norm", rms_norm_definition, _rms_forward, _rms_backward)


def layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """y = (x − mean)/√(var + ε)·γ + β, mean and (biased) variance over the last dimensions.

    input             (…, *normalized_shape)
    normalized_shape  a sequence of integers
    weight, bias      of shape `normalized_shape`, or None

    Raises ShapeError if these do not agree. Source: Ba, Kiros, Hinton, arXiv:1607.06450, 2016.
    """
    x = floating("layer_norm", "input", input)
    shape = _shape("layer_norm", x, normalized_shape, weight=weight, bias=bias)
    same_or_wide("layer_norm", x, weight=weight, bias=bias)
    return _layer_norm(x, weight, bias, shape=shape, eps=float(eps))


def rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """y = x/√(Σ x²/K + ε)·γ over the last dimensions, of K elements.

    input             (…, *normalized_shape)
    normalized_shape  a sequence of integers
    weight            of shape `normalized_shape`, or None
    eps               by default the ε of the dtype that computes: float32 for halves

    Raises ShapeError if these do not agree. Source: Zhang and Sennrich, NeurIPS 2019.
    """
    x = floating("rms_norm", "input", input)
    shape = _shape("rms_norm", x, normalized_shape, weight=weight)
    same_or_wide("rms_norm", x, weight=weight)
    if eps is None:
        eps = float(np.finfo(np.float32 if x.array.dtype in dtypes.HALVES else x.array.dtype).eps)
    return _rms_norm(x, weight, shape=shape, eps=float(eps))


def _shape(where: str, x: Tensor, normalized_shape: Any, **tensors: Tensor | None) -> Ints:
    if not isinstance(normalized_shape, tuple | list) or not all(hasattr(n, "__index__") for n in normalized_shape):
        raise DtypeError(f"{where}: normalized_shape must be a sequence of integers, got {normalized_shape!r}")
    shape = tuple(int(n) for n in normalized_shape)
    if not shape:
        raise ShapeError(f"{where}: normalized_shape must have at least 1 dimension, got {normalized_shape!r}")
    if tuple(x.array.shape[max(x.ndim - len(shape), 0) :]) != shape:
        raise ShapeError(f"{where}: input must have shape (…, *{shape}), got {tuple(x.array.shape)}")
    for name, v in tensors.items():
        if v is not None and floating(where, name, v).array.shape != shape:
            raise ShapeError(f"{where}: {name} must have shape {shape}, got {tuple(v.array.shape)}")
    return shape
