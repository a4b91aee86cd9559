"""Elementwise primitives: arithmetic with broadcasting (the engine undoes it), and functions of one array.

z is the value, so that exp, sqrt, tanh and the like read their gradient off it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...autograd.basis import add, zeros_like
from ...autograd.primitive import Primitive
from .compare import eq, ge, gt, le, logical_and, logical_or, lt, ne

Array = np.ndarray[Any, Any]

sub: Primitive = Primitive("sub", np.subtract, dx=lambda dz: dz, dy=lambda dz: neg(dz))

neg: Primitive = Primitive("neg", np.negative, dx=lambda dz: neg(dz))

mul: Primitive = Primitive("mul", np.multiply, dx=lambda dz, y: mul(dz, y), dy=lambda dz, x: mul(dz, x))

# d(x/y)/dy = -x/y² = -z/y
div: Primitive = Primitive(
    "div",
    np.divide,
    promote="float",
    dx=lambda dz, y: div(dz, y),
    dy=lambda dz, y, z: neg(div(mul(dz, z), y)),
)

# x - y·floor(x/y): the sign of the divisor, as Python's %
remainder: Primitive = Primitive(
    "remainder",
    np.remainder,
    dx=lambda dz: dz,
    dy=lambda dz, x, y: neg(mul(dz, floor(div(x, y)))),
)

floor_divide: Primitive = Primitive(
    "floor_divide", np.floor_divide, dx=lambda dz: zeros_like(dz), dy=lambda dz: zeros_like(dz)
)

# d(xʸ)/dx = y·xʸ⁻¹, which is 0 where x = y = 0;  d(xʸ)/dy = xʸ·log x, which is 0 where x = 0 and y ≥ 0
power: Primitive = Primitive(
    "pow",
    np.power,
    dx=lambda dz, x, y: mul(dz, _power_slope(x, y, logical_or(ne(x, 0), ne(y, 0)))),
    dy=lambda dz, x, y, z: mul(dz, where(logical_and(eq(x, 0), ge(y, 0)), 0, mul(z, log(x)))),
)


def _power_slope(x: Any, y: Any, regular: Any) -> Any:
    return where(regular, mul(y, power(x, where(regular, sub(y, 1), 1))), 0)


# PyTorch's tie rule: the gradient is shared equally
maximum: Primitive = Primitive(
    "maximum",
    np.maximum,
    dx=lambda dz, x, y: where(gt(x, y), dz, where(eq(x, y), mul(dz, 0.5), 0)),
    dy=lambda dz, x, y: where(lt(x, y), dz, where(eq(x, y), mul(dz, 0.5), 0)),
)
minimum: Primitive = Primitive(
    "minimum",
    np.minimum,
    dx=lambda dz, x, y: where(lt(x, y), dz, where(eq(x, y), mul(dz, 0.5), 0)),
    dy=lambda dz, x, y: where(gt(x, y), dz, where(eq(x, y), mul(dz, 0.5), 0)),
)

where: Primitive = Primitive(
    "where",
    lambda c, x, y: np.where(c, x, y),
    promote=None,
    dx=lambda dz, c: where(c, dz, 0),
    dy=lambda dz, c: where(c, 0, dz),
)


def widened(function: Any) -> Any:
    """`function` computed in float32 for halves, and rounded once."""

    def forward(x: Array, **options: Any) -> Array:
        if x.dtype.itemsize == 2:
            return np.asarray(function(x.astype(np.float32), **options)).astype(x.dtype)
        return np.asarray(function(x, **options))

    return forward


def _expit(x: Array) -> Array:
    from scipy.special import expit

    return np.asarray(expit(x))


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return np.asarray(erf(x))


exp: Primitive = Primitive("exp", np.exp, promote="float", dx=lambda dz, z: mul(dz, z))
expm1: Primitive = Primitive("expm1", np.expm1, promote="float", dx=lambda dz, z: mul(dz, add(z, 1.0)))
log: Primitive = Primitive("log", np.log, promote="float", dx=lambda dz, x: div(dz, x))
log1p: Primitive = Primitive("log1p", np.log1p, promote="float", dx=lambda dz, x: div(dz, add(x, 1.0)))
sqrt: Primitive = Primitive("sqrt", np.sqrt, promote="float", dx=lambda dz, z: div(dz, mul(z, 2.0)))
sin: Primitive = Primitive("sin", np.sin, promote="float", dx=lambda dz, x: mul(dz, cos(x)))
cos: Primitive = Primitive("cos", np.cos, promote="float", dx=lambda dz, x: neg(mul(dz, sin(x))))
tan: Primitive = Primitive("tan", np.tan, promote="float", dx=lambda dz, z: mul(dz, add(mul(z, z), 1.0)))
tanh: Primitive = Primitive("tanh", np.tanh, promote="float", dx=lambda dz, z: mul(dz, sub(1.0, mul(z, z))))

# σ(x) = 1/(1 + e⁻ˣ), σ′ = σ(1 − σ)
sigmoid: Primitive = Primitive(
    "sigmoid", widened(_expit), promote="float", dx=lambda dz, z: mul(mul(dz, sub(1.0, z)), z)
)

# erf′(x) = 2/√π · e^(−x²)
erf: Primitive = Primitive(
    "erf",
    widened(_erf),
    promote="float",
    dx=lambda dz, x: mul(dz, mul(exp(neg(mul(x, x))), 2.0 / math.sqrt(math.pi))),
)

# max(0, x), which keeps NaN, and −0 in this order; the subgradient at 0 is 0
relu: Primitive = Primitive(
    "relu", lambda x: np.maximum(x.dtype.type(0), x), promote=None, dx=lambda dz, z: where(le(z, 0), 0, dz)
)

absolute: Primitive = Primitive("abs", np.absolute, promote=None, dx=lambda dz, x: mul(dz, sign(x)))
sign: Primitive = Primitive("sign", lambda x: _sign(x), promote=None, dx=lambda dz: zeros_like(dz))
floor: Primitive = Primitive("floor", lambda x: _rounding(np.floor, x), promote=None, dx=lambda dz: zeros_like(dz))
ceil: Primitive = Primitive("ceil", lambda x: _rounding(np.ceil, x), promote=None, dx=lambda dz: zeros_like(dz))
trunc: Primitive = Primitive("trunc", lambda x: _rounding(np.trunc, x), promote=None, dx=lambda dz: zeros_like(dz))
round_: Primitive = Primitive("round", lambda x: _rounding(np.rint, x), promote=None, dx=lambda dz: zeros_like(dz))


def _sign(x: Array) -> Array:
    if x.dtype.kind == "b":
        return x.copy()
    return np.where(np.isnan(x), x.dtype.type(0), np.sign(x)).astype(x.dtype)


def _rounding(function: Any, x: Array) -> Array:
    return x.copy() if x.dtype.kind in "biu" else np.asarray(function(x))
