"""Functions of probability and physics: the normal distribution, Bessel's, incomplete gamma, entropy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor
from ..autograd.primitive import Primitive
from . import primitives as P
from .checks import floating
from .elementwise import _unary
from .special import _both, _lgamma, _scipy

Array = np.ndarray[Any, Any]


def _scipy_pair(name: str) -> Any:
    """SciPy's function of two arrays, loaded on the first call."""

    def function(x: Array, y: Array) -> Array:
        from scipy import special

        wide = [v.astype(np.float32) if v.dtype.itemsize == 2 else v for v in (x, y)]
        return np.asarray(getattr(special, name)(*wide)).astype(x.dtype)

    return function


def _at_zero(x: Any, value: float, otherwise: Any) -> Any:
    """otherwise(x), and `value` where x is 0."""
    zero, kind = P.eq(x, 0), (x.array if isinstance(x, Tensor) else x).dtype.type
    return P.where(zero, kind(value), otherwise(P.where(zero, kind(1), x)))


# Modified Bessel functions: I₀' = I₁, I₁' = I₀ − I₁/x; scaled by e^−|x|. Source: Abramowitz and Stegun, 9.6
_i0: Primitive = Primitive("i0", _scipy("i0"), promote="float", dx=lambda dz, x: P.mul(dz, _i1(x)))
_i1: Primitive = Primitive(
    "i1",
    _scipy("i1"),
    promote="float",
    dx=lambda dz, x: P.mul(dz, _at_zero(x, 0.5, lambda t: P.sub(_i0(t), P.div(_i1(t), t)))),
)
_i0e: Primitive = Primitive(
    "i0e", _scipy("i0e"), promote="float", dx=lambda dz, x, z: P.mul(dz, P.sub(_i1e(x), P.mul(P.sign(x), z)))
)
_i1e: Primitive = Primitive(
    "i1e",
    _scipy("i1e"),
    promote="float",
    dx=lambda dz, x: P.mul(
        dz, _at_zero(x, 0.5, lambda t: P.sub(_i0e(t), P.mul(_i1e(t), P.add(P.sign(t), P.div(1.0, t)))))
    ),
)
# e^(x²) erfc(x)
_erfcx: Primitive = Primitive(
    "erfcx",
    _scipy("erfcx"),
    promote="float",
    dx=lambda dz, x, z: P.mul(dz, P.sub(P.mul(P.mul(x, z), 2.0), 2.0 / math.sqrt(math.pi))),
)
# Φ, log Φ and Φ⁻¹ of the normal distribution
_ndtr: Primitive = Primitive(
    "ndtr",
    _scipy("ndtr"),
    promote="float",
    dx=lambda dz, x: P.mul(dz, P.mul(P.exp(P.mul(P.mul(x, x), -0.5)), 1 / math.sqrt(2 * math.pi))),
)
_log_ndtr: Primitive = Primitive(
    "log_ndtr",
    _scipy("log_ndtr"),
    promote="float",
    dx=lambda dz, x: P.div(P.mul(dz, math.sqrt(2 / math.pi)), _erfcx(P.mul(x, -math.sqrt(0.5)))),
)
_ndtri: Primitive = Primitive(
    "ndtri",
    _scipy("ndtri"),
    promote="float",
    dx=lambda dz, z: P.mul(dz, P.mul(P.exp(P.mul(P.mul(z, z), 0.5)), math.sqrt(2 * math.pi))),
)
# −x log x; 0 at 0, −∞ below
_entr: Primitive = Primitive(
    "entr", _scipy("entr"), promote="float", dx=lambda dz, x: P.neg(P.mul(dz, P.add(P.log(x), 1.0)))
)
# the incomplete gamma functions P(a, x) and Q = 1 − P: ∂P/∂x = x^(a−1) e^−x / Γ(a)
_gammainc: Primitive = Primitive(
    "gammainc", _scipy_pair("gammainc"), promote="float", dy=lambda dz, x, y: P.mul(dz, _gamma_density(x, y))
)
_gammaincc: Primitive = Primitive(
    "gammaincc", _scipy_pair("gammaincc"), promote="float", dy=lambda dz, x, y: P.neg(P.mul(dz, _gamma_density(x, y)))
)
# Hurwitz' Σ (k + q)^−x: ∂/∂q = −x ζ(x + 1, q)
_zeta: Primitive = Primitive(
    "zeta",
    _scipy_pair("zeta"),
    promote="float",
    dy=lambda dz, x, y: P.neg(P.mul(dz, P.mul(x, _zeta(P.add(x, 1.0), y)))),
)


def _gamma_density(a: Any, x: Any) -> Any:
    return P.exp(P.sub(P.sub(P.mul(P.sub(a, 1.0), P.log(x)), x), _lgamma(a)))


i0 = _unary("i0", _i0, "The modified Bessel function I₀")
i1 = _unary("i1", _i1, "The modified Bessel function I₁")
i0e = _unary("i0e", _i0e, "e^−|x| I₀(x)")
i1e = _unary("i1e", _i1e, "e^−|x| I₁(x)")
erfcx = _unary("erfcx", _erfcx, "e^(x²) erfc(x), which stays finite for large x")
ndtr = _unary("ndtr", _ndtr, "The distribution function of the normal distribution")
log_ndtr = _unary("log_ndtr", _log_ndtr, "The logarithm of `ndtr`, accurate far below 0")
ndtri = _unary("ndtri", _ndtri, "The inverse of `ndtr`")
entr = _unary("entr", _entr, "−x log x; 0 at 0, −inf below 0")


def gammainc(input: Tensor, other: Tensor) -> Tensor:
    """The lower incomplete gamma function P(input, other), from 0 to 1. There is a gradient for `other` alone."""
    return _gammainc(*_both("gammainc", input, other))


def gammaincc(input: Tensor, other: Tensor) -> Tensor:
    """1 − `gammainc`, accurate where that is near 1. There is a gradient for `other` alone."""
    return _gammaincc(*_both("gammaincc", input, other))


igamma, igammac = gammainc, gammaincc


def zeta(input: Tensor | float, other: Tensor | float) -> Tensor:
    """Hurwitz' zeta function Σₖ (k + other)^−input, k = 0, 1, … There is a gradient for `other` alone."""
    return _zeta(*_both("zeta", input, other))


def xlog1py(input: Tensor | float, other: Tensor | float) -> Tensor:
    """input·log(1 + other), and 0 where `input` is 0 (NaN where `other` is NaN)."""
    x, y = _both("xlog1py", input, other)
    nothing = P.logical_and(P.eq(x, 0), P.logical_or(P.le(y, -1), P.eq(y, math.inf)))
    return P.mul(x, P.log1p(P.where(nothing, y.array.dtype.type(0), y)))


def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next number of the dtype after `input` towards `other`; without a gradient."""
    x, y = _both("nextafter", floating("nextafter", "input", input), floating("nextafter", "other", other))
    return new_tensor(np.nextafter(x.array, y.array))
