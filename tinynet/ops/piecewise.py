"""Activation functions in pieces: lines with kinks, and exponentials below zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor, new_tensor
from ..autograd.fused import Fused
from ..errors import DtypeError, OptionError, ShapeError
from ..random import current_generator
from . import primitives as P
from .activation import _place, pointwise
from .checks import floating, same_dtype, tensor_of

Array = np.ndarray[Any, Any]
Line = tuple[float, float]  # (a, b): a + b·x
Parabola = tuple[float, float, float]  # (a, b, c): a + x·(b + c·x)
ZERO = (0.0, 0.0)
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def pieces_definition(x: Tensor, *, low: float, high: float, below: Line, middle: Parabola, above: Line) -> Tensor:
    """a + b·x for x ≤ low and, with other numbers, for x ≥ high; else a + x·(b + c·x), which NaN takes too."""
    number = x.array.dtype.type
    under, over = P.le(x, low), P.ge(x, high)
    inside = P.where(P.logical_or(under, over), number(0), x)  # no overflow of x² where it is not taken
    between = P.add(P.mul(inside, P.add(P.mul(inside, middle[2]), middle[1])), middle[0])
    lower, upper = (P.add(P.mul(x, b), a) if b else number(a) for a, b in (below, above))
    return P.where(under, lower, P.where(over, upper, between))


def _pieces_forward(x: Array, **options: Any) -> tuple[Array, None]:
    return kernels_for(x).pieces_forward(x, **options), None


def _pieces_backward(dy: Array, inputs: list[Any], cache: None, needs: list[bool], **options: Any) -> list[Array]:
    return [kernels_for(dy).pieces_backward(dy, inputs[0], **options)]


_pieces = Fused("pieces", pieces_definition, _pieces_forward, _pieces_backward)


def pieces(
    low: float, high: float, below: Line, middle: Parabola = (0.0, 1.0, 0.0), above: Line = (0.0, 1.0)
) -> Callable[[Tensor], Tensor]:
    """The function of `pieces_definition`."""
    return lambda x: _pieces(x, low=float(low), high=float(high), below=below, middle=middle, above=above)


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
    if x.is_floating_point():
        return pointwise(where, x, inplace, pieces(low, high, (low, 0.0), above=(high, 0.0)))
    if x.array.dtype.kind == "u" and low < 0:
        raise OptionError(f"{where}: min_val must be ≥ 0 for unsigned integers, got {min_val}")
    return _place(where, x, P.where(P.le(x, low), low, P.where(P.ge(x, high), high, x)), inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6); subgradient 0 at both. Source: Krizhevsky, 2010."""
    return _hardtanh("relu6", input, 0.0, 6.0, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x/6 + ½, 0), 1); subgradient 0 at the kinks. Source: Courbariaux, Bengio, David, NeurIPS 2015."""
    cut = pieces(-3.0, 3.0, ZERO, (0.5, 1 / 6, 0.0), (1.0, 0.0))
    return pointwise("hardsigmoid", input, inplace, cut)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x·min(max(x/6 + ½, 0), 1); slopes 0 at −3 and 1 at 3. Source: Howard et al., ICCV 2019."""
    return pointwise("hardswish", input, inplace, pieces(-3.0, 3.0, ZERO, (0.0, 0.5, 1 / 6)))


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """0 for |x| ≤ lambd, else x."""
    x = floating("hardshrink", "input", input)
    return pieces(*_outside(x, lambd), (0.0, 1.0), (0.0, 0.0, 0.0))(x)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x − lambd for x > lambd, x + lambd for x < −lambd, else 0."""
    x, shift = floating("softshrink", "input", input), float(lambd)
    if not shift >= 0:
        raise OptionError(f"softshrink: lambd must be ≥ 0, got {lambd!r}")
    return pieces(*_outside(x, shift), (shift, 1.0), (0.0, 0.0, 0.0), (-shift, 1.0))(x)


def _outside(x: Tensor, limit: float) -> tuple[float, float]:
    """The numbers of x's precision next to [−limit, limit], for pieces that leave out their ends."""
    number = np.float64 if x.array.dtype == np.float64 else np.float32
    return float(np.nextafter(number(-limit), number(-np.inf))), float(np.nextafter(number(limit), number(np.inf)))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x for x > threshold, else value."""
    x, (least, instead) = _number("threshold", input, threshold, value)
    if x.is_floating_point():
        return pointwise("threshold", x, inplace, pieces(least, least, (instead, 0.0)))
    return _place("threshold", x, P.where(P.le(x, least), instead, x), inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x for x > 0, else negative_slope·x."""
    return pointwise("leaky_relu", input, inplace, pieces(0.0, 0.0, (0.0, float(negative_slope))))


def exponential_definition(x: Tensor, *, slope: float, scale: float, rate: float) -> Tensor:
    """slope·x for x > 0, else scale·(e^(rate·x) − 1)."""
    positive = P.gt(x, 0.0)  # where, inside too: e^x of a large x would be inf, and its gradient 0·inf
    below = P.mul(P.expm1(P.mul(P.where(positive, 0, x), rate)), scale)
    return P.where(positive, P.mul(x, slope), below)


def _exponential_forward(x: Array, **options: float) -> tuple[Array, None]:
    return kernels_for(x).exponential_forward(x, **options), None


def _exponential_backward(
    dy: Array, inputs: list[Any], cache: None, needs: list[bool], **options: float
) -> list[Array]:
    return [kernels_for(dy).exponential_backward(dy, inputs[0], **options)]


_exponential = Fused("exponential_unit", exponential_definition, _exponential_forward, _exponential_backward)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, else alpha·(e^x − 1). Source: Clevert, Unterthiner, Hochreiter, ICLR 2016."""
    return pointwise("elu", input, inplace, lambda x: _exponential(x, slope=1.0, scale=float(alpha), rate=1.0))


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """scale·(x for x > 0, else α(e^x − 1)), α = 1.67326…, scale = 1.05070…. Source: Klambauer et al., NeurIPS 2017."""
    options = {"slope": SELU_SCALE, "scale": SELU_SCALE * SELU_ALPHA, "rate": 1.0}
    return pointwise("selu", input, inplace, lambda x: _exponential(x, **options))


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, else alpha·(e^(x/alpha) − 1). Source: Barron, arXiv:1704.07483."""
    if alpha == 0:
        raise OptionError("celu: alpha must not be 0")
    unit = _exponential if alpha > 0 else exponential_definition  # the kernel's powers do not grow
    return pointwise("celu", input, inplace, lambda x: unit(x, slope=1.0, scale=float(alpha), rate=1.0 / alpha))


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
