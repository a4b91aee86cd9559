"""Functions of one or two numbers beyond arithmetic: circular, hyperbolic, gamma and error functions, and their kin.

Those that no other operation can express accurately are primitives, with gradients in primitives.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from .._tensor import Tensor, new_tensor
from ..autograd.primitive import Primitive
from ..errors import DtypeError, OptionError
from . import primitives as P
from .checks import check_broadcast, promoted, tensor_of
from .elementwise import _bits, _pair, _signed, _unary, clamp
from .elementwise import pow as power
from .primitives.elementwise import widened

Array = np.ndarray[Any, Any]


def _scipy(name: str) -> Any:
    """SciPy's function, loaded on the first call."""

    def function(x: Array) -> Array:
        from scipy import special

        return np.asarray(getattr(special, name)(x))

    return widened(function)


def _square(x: Any) -> Any:
    return P.mul(x, x)


_asin = Primitive("asin", np.arcsin, promote="float", dx=lambda dz, x: P.div(dz, P.sqrt(P.sub(1.0, _square(x)))))
_acos = Primitive("acos", np.arccos, promote="float", dx=lambda dz, x: P.neg(P.div(dz, P.sqrt(P.sub(1.0, _square(x))))))
_atan = Primitive("atan", np.arctan, promote="float", dx=lambda dz, x: P.div(dz, P.add(_square(x), 1.0)))
_sinh: Primitive = Primitive("sinh", np.sinh, promote="float", dx=lambda dz, x: P.mul(dz, _cosh(x)))
_cosh: Primitive = Primitive("cosh", np.cosh, promote="float", dx=lambda dz, x: P.mul(dz, _sinh(x)))
_asinh = Primitive("asinh", np.arcsinh, promote="float", dx=lambda dz, x: P.div(dz, P.sqrt(P.add(_square(x), 1.0))))
_acosh = Primitive("acosh", np.arccosh, promote="float", dx=lambda dz, x: P.div(dz, P.sqrt(P.sub(_square(x), 1.0))))
_atanh = Primitive("atanh", np.arctanh, promote="float", dx=lambda dz, x: P.div(dz, P.sub(1.0, _square(x))))
_erfc = Primitive(
    "erfc",
    _scipy("erfc"),
    promote="float",
    dx=lambda dz, x: P.mul(dz, P.mul(P.exp(P.neg(_square(x))), -2.0 / math.sqrt(math.pi))),
)
_erfinv = Primitive(
    "erfinv",
    _scipy("erfinv"),
    promote="float",
    dx=lambda dz, z: P.mul(dz, P.mul(P.exp(_square(z)), 0.5 * math.sqrt(math.pi))),
)
_gammaln = _scipy("gammaln")
_lgamma = Primitive(
    "lgamma",
    lambda x: np.where(np.isneginf(x), np.abs(x), _gammaln(x)),  # SciPy's is −inf there
    promote="float",
    dx=lambda dz, x: P.mul(dz, _digamma(x)),
)
_digamma: Primitive = Primitive(
    "digamma", _scipy("psi"), promote="float", dx=lambda dz, x: P.mul(dz, _polygamma(x, n=1))
)


def _polygamma_array(x: Array, *, n: int) -> Array:
    from scipy import special

    return np.asarray(special.polygamma(n, x.astype(np.float64))).astype(x.dtype)


_polygamma: Primitive = Primitive(
    "polygamma", _polygamma_array, promote="float", dx=lambda dz, x, n: P.mul(dz, _polygamma(x, n=n + 1))
)

# the angle of the point (y, x)
_atan2 = Primitive(
    "atan2",
    np.arctan2,
    promote="float",
    dx=lambda dz, x, y: P.div(P.mul(dz, y), P.add(_square(x), _square(y))),
    dy=lambda dz, x, y: P.neg(P.div(P.mul(dz, x), P.add(_square(x), _square(y)))),
)
_hypot = Primitive(
    "hypot",
    np.hypot,
    promote="float",
    dx=lambda dz, x, z: P.mul(dz, P.div(x, z)),
    dy=lambda dz, y, z: P.mul(dz, P.div(y, z)),
)
# x − y·trunc(x/y): the sign of the dividend
_fmod = Primitive("fmod", np.fmod, dx=lambda dz: dz, dy=lambda dz, x, y: P.neg(P.mul(dz, P.trunc(P.div(x, y)))))

asin = arcsin = _unary("asin", _asin, "Arcsine, in radians")
acos = arccos = _unary("acos", _acos, "Arccosine, in radians")
atan = arctan = _unary("atan", _atan, "Arctangent, in radians")
sinh = _unary("sinh", _sinh, "(e^x − e^(−x)) / 2")
cosh = _unary("cosh", _cosh, "(e^x + e^(−x)) / 2")
asinh = arcsinh = _unary("asinh", _asinh, "The inverse of `sinh`")
acosh = arccosh = _unary("acosh", _acosh, "The inverse of `cosh`, ≥ 0")
atanh = arctanh = _unary("atanh", _atanh, "The inverse of `tanh`")
erfc = _unary("erfc", _erfc, "1 − erf(x), accurate for large x")
erfinv = _unary("erfinv", _erfinv, "The inverse of `erf`")
lgamma = _unary("lgamma", _lgamma, "log |Γ(x)|")
digamma = _unary("digamma", _digamma, "Γ′(x) / Γ(x)")
exp2 = _unary("exp2", lambda x: P.power(2.0, x), "2^x")
deg2rad = _unary("deg2rad", lambda x: P.mul(x, math.pi / 180.0), "Degrees as radians")
rad2deg = _unary("rad2deg", lambda x: P.mul(x, 180.0 / math.pi), "Radians as degrees")
frac = _unary("frac", lambda x: P.sub(_floating("frac", x), P.trunc(x)), "The fraction of x, with its sign")
sinc = _unary("sinc", lambda x: _sinc(x), "sin(πx) / (πx), and 1 at 0")
positive = _unary("positive", lambda x: _signed("positive", x), "The tensor itself")
signbit = _unary("signbit", lambda x: new_tensor(np.signbit(_numbers(x))), "Whether the sign bit is set, as in −0.0")
isposinf = _unary("isposinf", lambda x: P.eq(x, math.inf), "Whether x is +inf")
isneginf = _unary("isneginf", lambda x: P.eq(x, -math.inf), "Whether x is −inf")


def _numbers(x: Tensor) -> Array:
    return x.array.astype(np.int64) if x.array.dtype.kind == "b" else x.array


def _floating(where: str, x: Tensor) -> Tensor:
    if not x.is_floating_point():
        raise DtypeError(f"{where}: expected a floating-point tensor, got {x.dtype}")
    return x


def _sinc(x: Tensor) -> Tensor:
    zero = P.eq(x, 0)
    angle = P.mul(P.where(zero, x.array.dtype.type(1), x), math.pi)
    return P.where(zero, angle.array.dtype.type(1), P.div(P.sin(angle), angle))


def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of `digamma`, elementwise. Raises OptionError for n < 0."""
    x = tensor_of("polygamma", "input", input)
    if n < 0:
        raise OptionError(f"polygamma: n must be ≥ 0, got {n}")
    return _polygamma(x, n=n) if n else _digamma(x)


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 − x)), of x clamped to [eps, 1 − eps] if `eps` is given."""
    x = _as_float(tensor_of("logit", "input", input))
    x = x if eps is None else clamp(x, eps, 1 - eps)
    return P.log(P.div(x, P.sub(1.0, x)))


def _as_float(x: Tensor) -> Tensor:
    return x if x.is_floating_point() else P.cast(x, dtype=dtypes.get_default_dtype().numpy)


def _both(where: str, x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Two tensors, or a tensor and a number, in one floating dtype and of shapes that broadcast."""
    _pair(where, x, y)
    x, y = map(_as_float, promoted(where, x, y))
    check_broadcast(where, x, y)
    return x, y


def atan2(input: Tensor, other: Tensor) -> Tensor:
    """The angle of the point (other, input) from the first axis, in (−π, π]."""
    return _atan2(tensor_of("atan2", "input", input), tensor_of("atan2", "other", other))


arctan2 = atan2


def hypot(input: Tensor, other: Tensor) -> Tensor:
    """√(input² + other²), without overflow."""
    return _hypot(tensor_of("hypot", "input", input), tensor_of("hypot", "other", other))


def fmod(input: Tensor, other: Tensor | float) -> Tensor:
    """input − other·trunc(input / other): the sign of the dividend, as C's fmod."""
    _pair("fmod", input, other)
    x, y = promoted("fmod", input, other)
    if x.dtype.category < 2 and not y.array.all():
        raise OptionError("fmod: integer division by zero")
    return _fmod(_signed("fmod", x), y)


def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger of two; a number wins over NaN; of ties `input` gets the gradient."""
    x, y = promoted("fmax", tensor_of("fmax", "input", input), tensor_of("fmax", "other", other))
    check_broadcast("fmax", x, y)
    return P.where(P.logical_or(P.ge(x, y), P.isnan(y)), x, y)


def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of two; a number wins over NaN; of ties `input` gets the gradient."""
    x, y = promoted("fmin", tensor_of("fmin", "input", input), tensor_of("fmin", "other", other))
    check_broadcast("fmin", x, y)
    return P.where(P.logical_or(P.le(x, y), P.isnan(y)), x, y)


def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(e^input + e^other), from the larger one so that nothing overflows."""
    x, y = _both("logaddexp", tensor_of("logaddexp", "input", input), tensor_of("logaddexp", "other", other))
    top = P.maximum(x.detach(), y.detach())
    top = P.where(P.isinf(top), top.array.dtype.type(0), top)
    return P.add(P.log(P.add(P.exp(P.sub(x, top)), P.exp(P.sub(y, top)))), top)


def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log₂(2^input + 2^other), from the larger one so that nothing overflows."""
    x, y = _both("logaddexp2", tensor_of("logaddexp2", "input", input), tensor_of("logaddexp2", "other", other))
    log2 = math.log(2.0)
    return P.mul(logaddexp(P.mul(x, log2), P.mul(y, log2)), 1.0 / log2)


def xlogy(input: Tensor | float, other: Tensor | float) -> Tensor:
    """input·log(other), and 0 where `input` is 0 (NaN where `other` is NaN)."""
    x, y = _both("xlogy", input, other)
    plain = P.logical_or(P.isnan(y), P.logical_and(P.gt(y, 0), P.isfinite(y)))
    nothing = P.logical_and(P.eq(x, 0), P.logical_not(plain))
    return P.mul(x, P.log(P.where(nothing, y.array.dtype.type(1), y)))


def copysign(input: Tensor, other: Tensor | float) -> Tensor:
    """The size of `input` with the sign of `other`; the gradient at 0 is 0."""
    x, y = _both("copysign", tensor_of("copysign", "input", input), other)
    one = x.array.dtype.type(1)
    sign = new_tensor(np.where(np.signbit(x.array) == np.signbit(y.array), one, -one))
    signed_zero = new_tensor(np.copysign(np.zeros_like(x.array), y.array))
    return P.where(P.eq(x, 0), signed_zero, P.mul(x, sign))


def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 where input < 0, 1 where it is > 0, and `values` where it is 0; without a gradient."""
    x, v = tensor_of("heaviside", "input", input), tensor_of("heaviside", "values", values)
    if x.array.dtype != v.array.dtype:
        raise DtypeError(f"heaviside: expected one dtype, got {x.dtype} and {v.dtype}")
    check_broadcast("heaviside", x, v)
    return new_tensor(np.where(x.array == 0, v.array, (x.array > 0).astype(x.array.dtype)))


def nan_to_num(
    input: Tensor, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """NaN, +inf and −inf replaced by numbers: 0 and the dtype's largest and smallest number by default."""
    x = tensor_of("nan_to_num", "input", input)
    if not x.is_floating_point():
        return P.clone(x)
    limits, kind = dtypes.finfo(x.dtype), x.array.dtype.type
    x = P.where(P.isnan(x), kind(0.0 if nan is None else nan), x)
    x = P.where(P.eq(x, math.inf), kind(limits.max if posinf is None else posinf), x)
    return P.where(P.eq(x, -math.inf), kind(limits.min if neginf is None else neginf), x)


def lerp(input: Tensor, end: Tensor, weight: Tensor | float) -> Tensor:
    """input + weight·(end − input), computed from the nearer end, so that weight 1 gives `end` exactly."""
    x, y = tensor_of("lerp", "input", input), tensor_of("lerp", "end", end)
    if x.array.dtype != y.array.dtype:
        raise DtypeError(f"lerp: expected one dtype, got {x.dtype} and {y.dtype}")
    if isinstance(weight, Tensor) and weight.array.dtype != x.array.dtype:
        raise DtypeError(f"lerp: weight must be of dtype {x.dtype}, got {weight.dtype}")
    w = promoted("lerp", _floating("lerp", x), weight)[1]
    check_broadcast("lerp", x, y, w)
    way = P.sub(y, x)
    if not isinstance(weight, Tensor):
        return P.add(x, P.mul(way, w)) if abs(weight) < 0.5 else P.sub(y, P.mul(way, 1.0 - weight))
    return P.where(P.lt(P.absolute(w), 0.5), P.add(x, P.mul(w, way)), P.sub(y, P.mul(way, P.sub(1.0, w))))


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value·tensor1 ⊙ tensor2."""
    x, a, b = _three("addcmul", input, tensor1, tensor2)
    product = P.mul(a, b)
    return P.add(x, product if value == 1 else P.mul(product, value))


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value·tensor1 / tensor2. Raises DtypeError if both of these are integers."""
    x, a, b = _three("addcdiv", input, tensor1, tensor2)
    if a.dtype.category < 2 and b.dtype.category < 2:
        raise DtypeError(f"addcdiv: tensor1 and tensor2 must not both be integers, got {a.dtype} and {b.dtype}")
    quotient = P.div(a, b)
    return P.add(x, quotient if value == 1 else P.mul(quotient, value))


def _three(where: str, x: Any, a: Any, b: Any) -> tuple[Tensor, Tensor, Tensor]:
    out = tensor_of(where, "input", x), tensor_of(where, "tensor1", a), tensor_of(where, "tensor2", b)
    check_broadcast(where, *out)
    return out


def float_power(input: Tensor | float, exponent: Tensor | float) -> Tensor:
    """input ^ exponent, computed in and returned as float64."""
    _pair("float_power", input, exponent)
    x, y = (P.cast(v, dtype=np.float64) for v in promoted("float_power", input, exponent))
    check_broadcast("float_power", x, y)
    return power(x, y)


def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input·2^other."""
    x, y = tensor_of("ldexp", "input", input), tensor_of("ldexp", "other", other)
    check_broadcast("ldexp", x, y)
    if x.is_floating_point() and not y.is_floating_point():
        y = P.cast(y, dtype=x.array.dtype)
    return P.mul(x, P.power(2.0, y))


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """max(x, min)."""
    x, low = promoted("clamp_min", tensor_of("clamp_min", "input", input), min)
    check_broadcast("clamp_min", x, low)
    return clamp(x, min=low)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """min(x, max)."""
    x, high = promoted("clamp_max", tensor_of("clamp_max", "input", input), max)
    check_broadcast("clamp_max", x, high)
    return clamp(x, max=high)


bitwise_left_shift = _bits(
    "bitwise_left_shift", Primitive("bitwise_left_shift", np.left_shift), "The bits shifted to the left"
)
bitwise_right_shift = _bits(
    "bitwise_right_shift", Primitive("bitwise_right_shift", np.right_shift), "The bits shifted to the right"
)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element is (or with `invert`, is not) among `test_elements`; one of the two may be a number."""
    _pair("isin", elements, test_elements)
    x, among = promoted("isin", elements, test_elements)
    found = np.isin(x.array, among.array, invert=invert)
    return new_tensor(np.asarray(found))
