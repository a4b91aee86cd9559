"""Activation functions in pieces: lines with kinks, and exponentials below zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor
from ..errors import DtypeError, OptionError, ShapeError
from ..random import current_generator
from . import primitives as P
from .activation import _place
from .checks import floating, same_dtype, tensor_of

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def pointwise(where: str, input: Any, inplace: bool, function: Callable[[Tensor], Tensor]) -> Tensor:
    """A function of one floating-point tensor; in place it reads a copy, which its gradient keeps."""
    x = floating(where, "input", input)
    return _place(where, x, function(P.clone(x) if inplace else x), inplace)


def between(x: Tensor, low: float, high: float, below: Any, middle: Any, above: Any) -> Tensor:
    """`below` for x ≤ low, `above` for x ≥ high, else `middle`, which NaN takes too."""
    number = x.array.dtype.type
    below, above = (v if isinstance(v, Tensor) else number(v) for v in (below, above))
    return P.where(P.le(x, low), below, P.where(P.ge(x, high), above, middle))


def _number(where: str, input: Any, *values: float) -> tuple[Tensor, list[Any]]:
    """A tensor of numbers of any kind (no booleans), and values in its dtype: cut to integers where it is one."""
    x = tensor_of(where, "input", input)
    if x.dtype.category == 0:
        raise DtypeError(f"{where}: not for boolean tensors")
    return x, [v if x.is_floating_point() else int(v) for v in values]


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x between min_val and max_val, else the nearer of the two; subgradient 0 at both."""
    return _hardtanh("hardtanh", input, min_val, max_val, inplace)


def _hardtanh(where: str, input: Any, min_val: float, max_val: float, inplace: bool) -> Tensor:
    if min_val > max_val:
        raise OptionError(f"{where}: min_val must be ≤ max_val, got {min_val} and {max_val}")
    x, (low, high) = _number(where, input, min_val, max_val)
    if x.array.dtype.kind == "u" and low < 0:
        raise OptionError(f"{where}: min_val must be ≥ 0 for unsigned integers, got {min_val}")
    before = P.clone(x) if inplace else x
    return _place(where, x, between(before, low, high, low, before, high), inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6); subgradient 0 at both. Source: Krizhevsky, 2010."""
    return _hardtanh("relu6", input, 0.0, 6.0, inplace)


def _hardsigmoid(x: Tensor) -> Tensor:
    return between(x, -3.0, 3.0, 0, P.add(P.div(x, 6.0), 0.5), 1)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x/6 + ½, 0), 1); subgradient 0 at the kinks. Source: Courbariaux, Bengio, David, NeurIPS 2015."""
    return pointwise("hardsigmoid", input, inplace, _hardsigmoid)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x·min(max(x/6 + ½, 0), 1). Source: Howard et al., ICCV 2019."""
    return pointwise("hardswish", input, inplace, lambda x: P.mul(x, _hardsigmoid(x)))


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """0 for |x| ≤ lambd, else x."""
    x = floating("hardshrink", "input", input)
    small = P.logical_and(P.ge(x, -float(lambd)), P.le(x, float(lambd)))
    return P.where(small, x.array.dtype.type(0), x)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x − lambd for x > lambd, x + lambd for x < −lambd, else 0."""
    x, shift = floating("softshrink", "input", input), float(lambd)
    if not shift >= 0:
        raise OptionError(f"softshrink: lambd must be ≥ 0, got {lambd!r}")
    inner = P.where(P.isnan(x), x, x.array.dtype.type(0))
    return P.where(P.gt(x, shift), P.sub(x, shift), P.where(P.lt(x, -shift), P.add(x, shift), inner))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x for x > threshold, else value."""
    x, (least, instead) = _number("threshold", input, threshold, value)
    before = P.clone(x) if inplace else x
    return _place("threshold", x, P.where(P.le(before, least), x.array.dtype.type(instead), before), inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """scale·(x for x > 0, else α(e^x − 1)), α = 1.67326…, scale = 1.05070…. Source: Klambauer et al., NeurIPS 2017."""
    return pointwise("selu", input, inplace, lambda x: P.mul(_exponential(x, SELU_ALPHA, 1.0), SELU_SCALE))


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, else alpha·(e^(x/alpha) − 1). Source: Barron, arXiv:1704.07483."""
    if alpha == 0:
        raise OptionError("celu: alpha must not be 0")
    return pointwise("celu", input, inplace, lambda x: _exponential(x, float(alpha), 1.0 / alpha))


def _exponential(x: Tensor, alpha: float, rate: float) -> Tensor:
    positive = P.gt(x, 0.0)  # where, inside too: e^x of a large x would be inf, and its gradient 0·inf
    return P.where(positive, x, P.mul(P.expm1(P.mul(P.where(positive, 0, x), rate)), alpha))


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x for x > 0, else weight·x: one weight, or one for each channel (dimension 1). Source: He et al., ICCV 2015."""
    x, w = floating("prelu", "input", input), floating("prelu", "weight", weight)
    same_dtype("prelu", input=x, weight=w)
    channels = x.array.shape[1] if x.ndim > 1 else 1
    if w.ndim > 1 or w.array.size not in (1, channels) or (w.array.size != 1 and x.ndim == 0):
        raise ShapeError(
            f"prelu: weight must be one number or {channels}, for input of shape {tuple(x.array.shape)}; got shape "
            f"{tuple(w.array.shape)}"
        )
    w = P.reshape(w, shape=() if x.ndim == 0 else (-1, *(1,) * max(x.ndim - 2, 0)))
    positive, zero = P.gt(x, 0.0), x.array.dtype.type(0)
    # where, inside too: an infinite x must not reach the weight's gradient as 0·∞
    return P.where(positive, x, P.mul(P.where(positive, zero, x), w))


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """x for x > 0, else a·x: in training each a from U(lower, upper), else (lower + upper)/2.

    Source: Xu, Wang, Chen, Li, arXiv:1505.00853.
    """
    if lower > upper:
        raise OptionError(f"rrelu: lower must be ≤ upper, got {lower} and {upper}")

    def function(x: Tensor) -> Tensor:
        slope: Any = (lower + upper) / 2
        if training:
            draws = current_generator().uniform(x.array.shape, np.dtype(np.float32))
            slope = new_tensor((draws * (upper - lower) + lower).astype(x.array.dtype))
        return P.where(P.gt(x, 0.0), x, P.mul(x, slope))

    return pointwise("rrelu", input, inplace, function)
