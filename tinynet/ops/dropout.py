"""Dropout: y = x ⊙ keep / (1 − p). The mask is an input: the randomness stays outside the operation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor, new_tensor
from ..autograd.fused import Fused
from ..errors import OptionError, ShapeError
from ..random import current_generator
from . import primitives as P
from .activation import _place
from .checks import floating

Array = np.ndarray[Any, Any]


def dropout_definition(x: Tensor, keep: Tensor, *, p: float) -> Tensor:
    """y = x ⊙ keep / (1 − p): what is kept is scaled up, so that the expectation stays."""
    return P.mul(P.where(keep, x, 0), 1.0 / (1.0 - p))


def _forward(x: Array, keep: Array, *, p: float) -> tuple[Array, None]:
    return kernels_for(x).dropout_forward(x, keep, p=p), None


def _backward(dy: Array, inputs: list[Any], cache: None, needs: list[bool], *, p: float) -> list[Array | None]:
    return [kernels_for(dy).dropout_backward(dy, inputs[1], p=p), None]


_dropout = Fused("dropout", dropout_definition, _forward, _backward)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each element to zero with probability `p`, and scale the rest by 1/(1 − p); nothing outside training.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, JMLR 15, 2014. Draws from the default generator.
    """
    x = floating("dropout", "input", input)
    _check("dropout", p)
    if not training or p == 0.0:
        return x
    if p == 1.0:
        return _place("dropout", x, P.mul(x, 0.0), inplace)
    keep = _kept(x.array.shape, p)
    before = P.clone(x) if inplace else x  # the node keeps its input, which must not change
    return _place("dropout", x, _dropout(before, new_tensor(keep), p=float(p)), inplace)


def _check(where: str, p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise OptionError(f"{where}: p must lie in [0, 1], got {p!r}")


def _kept(shape: tuple[int, ...], p: float) -> Array:
    """True with probability 1 − p."""
    # uniform(…) ≥ p for the numbers w·2⁻²⁴, w the upper 24 bits of a word: on the words themselves, in one pass
    least = math.ceil(float(np.float32(p)) * 2**24) << 8
    return (current_generator().words(math.prod(shape)) >= least).reshape(shape)


# whole channels


def _channels(where: str, n: int, input: Any) -> tuple[Tensor, tuple[int, ...]]:
    """The input (N, C, …) or (C, …) with n dimensions after the channels, and the shape of its mask."""
    x = floating(where, "input", input)
    if x.ndim not in (n + 1, n + 2):
        raise ShapeError(f"{where}: expected {n + 1} or {n + 2} dimensions, got shape {tuple(x.array.shape)}")
    return x, (*x.array.shape[: x.ndim - n], *(1,) * n)


def _channel_dropout(where: str, n: int, input: Any, p: float, training: bool, inplace: bool) -> Tensor:
    x, shape = _channels(where, n, input)
    _check(where, p)
    if not training or p == 0.0:
        return x
    scale = 0.0 if p == 1.0 else 1.0 / (1.0 - p)
    return _place(where, x, P.mul(x, np.where(_kept(shape, p), scale, 0).astype(x.array.dtype)), inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`dropout` of whole channels of (N, C, L) or (C, L). Source: Tompson et al., CVPR 2015."""
    return _channel_dropout("dropout1d", 1, input, p, training, inplace)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`dropout` of whole channels of (N, C, H, W), or as in PyTorch of (N, C, L). Source: Tompson et al., CVPR 2015."""
    return _channel_dropout("dropout2d", 1 if getattr(input, "ndim", 0) == 3 else 2, input, p, training, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`dropout` of whole channels of (N, C, D, H, W) or (C, D, H, W). Source: Tompson et al., CVPR 2015."""
    return _channel_dropout("dropout3d", 3, input, p, training, inplace)


def _alpha(where: str, x: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool) -> Tensor:
    """a·(x where kept, else α′) + b with α′ = −1.758…, SELU's limit at −∞, and a, b that keep mean 0 and variance 1."""
    _check(where, p)
    if not training or p == 0.0:
        return x
    if p == 1.0:
        return _place(where, x, P.mul(x, 0.0), inplace)
    limit, number = -1.7580993408473766, x.array.dtype.type
    a = 1.0 / math.sqrt((limit * limit * p + 1.0) * (1.0 - p))
    keep = _kept(shape, p)
    shift = np.where(keep, -a * limit * p, a * limit * (1.0 - p)).astype(number)
    return _place(where, x, P.add(P.mul(x, np.where(keep, a, 0).astype(number)), shift), inplace)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout for SELU, which keeps mean 0 and variance 1: dropped elements become its limit. Source: Klambauer et al., 2017."""
    x = floating("alpha_dropout", "input", input)
    return _alpha("alpha_dropout", x, x.array.shape, p, training, inplace)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """`alpha_dropout` of whole channels of (N, C, …)."""
    x = floating("feature_alpha_dropout", "input", input)
    if x.ndim < 2:
        raise ShapeError(f"feature_alpha_dropout: expected at least 2 dimensions, got shape {tuple(x.array.shape)}")
    return _alpha("feature_alpha_dropout", x, (*x.array.shape[:2], *(1,) * (x.ndim - 2)), p, training, inplace)
