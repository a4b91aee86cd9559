"""Elementwise operations with broadcasting: arithmetic, functions, comparison, logic, `where`, `clamp`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..autograd.primitive import Primitive
from ..errors import DtypeError, OptionError
from . import primitives as P
from .checks import check_broadcast, promoted, tensor_of


def _unary(name: str, op: Callable[[Tensor], Tensor], text: str) -> Callable[[Tensor], Tensor]:
    def function(input: Tensor) -> Tensor:
        return op(tensor_of(name, "input", input))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{text}, elementwise. Raises DtypeError if `input` is not a Tensor."
    return function


exp = _unary("exp", P.exp, "e^x")
expm1 = _unary("expm1", P.expm1, "e^x − 1, accurate near 0")
log = _unary("log", P.log, "Natural logarithm")
log1p = _unary("log1p", P.log1p, "log(1 + x), accurate near 0")
log2 = _unary("log2", lambda x: P.mul(P.log(x), 1.0 / math.log(2.0)), "Logarithm to base 2")
log10 = _unary("log10", lambda x: P.mul(P.log(x), 1.0 / math.log(10.0)), "Logarithm to base 10")
sqrt = _unary("sqrt", P.sqrt, "√x")
rsqrt = _unary("rsqrt", lambda x: P.div(1.0, P.sqrt(x)), "1/√x")
square = _unary("square", lambda x: pow(x, 2), "x²")
reciprocal = _unary("reciprocal", lambda x: P.div(1.0, x), "1/x")
sin = _unary("sin", P.sin, "Sine, of radians")
cos = _unary("cos", P.cos, "Cosine, of radians")
tan = _unary("tan", P.tan, "Tangent, of radians")
erf = _unary("erf", P.erf, "The error function, 2/√π ∫₀ˣ e^(−t²) dt")
neg = negative = _unary("neg", lambda x: P.neg(_signed("neg", x)), "−x")
abs = absolute = _unary("abs", lambda x: P.absolute(_signed("abs", x)), "|x|, with subgradient 0 at 0")
sign = sgn = _unary("sign", P.sign, "−1, 0 or 1, with gradient 0")
floor = _unary("floor", lambda x: P.floor(_signed("floor", x)), "The largest integer ≤ x, with gradient 0")
ceil = _unary("ceil", lambda x: P.ceil(_signed("ceil", x)), "The smallest integer ≥ x, with gradient 0")
trunc = _unary("trunc", lambda x: P.trunc(_signed("trunc", x)), "x without its fraction, with gradient 0")
isnan = _unary("isnan", P.isnan, "Whether x is NaN")
isinf = _unary("isinf", P.isinf, "Whether x is ±inf")
isfinite = _unary("isfinite", P.isfinite, "Whether x is neither NaN nor ±inf")
logical_not = _unary("logical_not", P.logical_not, "Whether x is zero")
bitwise_not = _unary("bitwise_not", lambda x: P.bitwise_not(_whole("bitwise_not", x)), "The complement of the bits")


def _signed(name: str, x: Tensor) -> Tensor:
    if x.array.dtype.kind == "b":
        raise DtypeError(f"{name}: not for boolean tensors")
    return x


def _whole(name: str, x: Tensor) -> Tensor:
    if x.dtype.category == 2:
        raise DtypeError(f"{name}: expected an integer or boolean tensor, got {x.dtype}")
    return x


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Round half to even, to `decimals` places; gradient 0."""
    x = _signed("round", tensor_of("round", "input", input))
    if decimals == 0:
        return P.round_(x)
    scale = 10.0**decimals
    return P.div(P.round_(P.mul(x, scale)), scale)


def _pair(name: str, x: Any, y: Any) -> None:
    if not (isinstance(x, Tensor) or isinstance(y, Tensor)):
        raise DtypeError(f"{name}: at least one argument must be a Tensor, got {type(x).__name__}, {type(y).__name__}")


def _scaled(name: str, other: Any, alpha: Any) -> Any:
    if alpha == 1:
        return other
    return P.mul(other, alpha) if isinstance(other, Tensor) else other * alpha


def add(input: Tensor, other: Tensor | float, *, alpha: float = 1) -> Tensor:
    """input + alpha·other."""
    _pair("add", input, other)
    return P.add(input, _scaled("add", other, alpha))


def sub(input: Tensor, other: Tensor | float, *, alpha: float = 1) -> Tensor:
    """input − alpha·other. Raises DtypeError for booleans."""
    _pair("sub", input, other)
    for x in (input, other):
        if isinstance(x, Tensor):
            _signed("sub", x)
        elif isinstance(x, bool):
            raise DtypeError("sub: not for booleans")
    return P.sub(input, _scaled("sub", other, alpha))


subtract = sub


def mul(input: Tensor, other: Tensor | float) -> Tensor:
    """input ⊙ other."""
    _pair("mul", input, other)
    return P.mul(input, other)


multiply = mul


def div(input: Tensor, other: Tensor | float, *, rounding_mode: str | None = None) -> Tensor:
    """input / other; integers give floating point. `rounding_mode`: None, "trunc" or "floor"."""
    _pair("div", input, other)
    if rounding_mode is None:
        return P.div(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode != "trunc":
        raise OptionError(f"div: rounding_mode must be None, 'trunc' or 'floor', got {rounding_mode!r}")
    x, y = promoted("div", input, other)
    if x.dtype.category == 2:
        return P.trunc(P.div(x, y))
    _check_zero("div", x, y)
    quotient = P.floor_divide(x, y)  # exact, as a quotient of floats is not
    up = P.logical_and(P.ne(P.remainder(x, y), 0), P.ne(P.lt(x, 0), P.lt(y, 0)))
    return P.add(quotient, P.cast(up, dtype=quotient.array.dtype))


divide = true_divide = div


def floor_divide(input: Tensor, other: Tensor | float) -> Tensor:
    """⌊input / other⌋, with gradient 0."""
    _pair("floor_divide", input, other)
    _no_booleans("floor_divide", input, other)
    _check_zero("floor_divide", input, other)
    return P.floor_divide(input, other)


def remainder(input: Tensor, other: Tensor | float) -> Tensor:
    """input − other·⌊input / other⌋: the sign of the divisor, as Python's %."""
    _pair("remainder", input, other)
    _no_booleans("remainder", input, other)
    _check_zero("remainder", input, other)
    return P.remainder(input, other)


def _no_booleans(name: str, x: Any, y: Any) -> None:
    if all(v.dtype.category == 0 if isinstance(v, Tensor) else isinstance(v, bool) for v in (x, y)):
        raise DtypeError(f"{name}: not for booleans")


def _check_zero(name: str, x: Any, y: Any) -> None:
    """Integer division by zero raises ZeroDivisionError, as in PyTorch."""
    whole = all(v.dtype.category < 2 if isinstance(v, Tensor) else isinstance(v, int) for v in (x, y))
    if whole and np.any((y.array if isinstance(y, Tensor) else np.asarray(y)) == 0):

        class ZeroDivision(ZeroDivisionError, RuntimeError):
            pass

        raise ZeroDivision(f"{name}: integer division by zero")


def pow(input: Tensor | float, exponent: Tensor | float) -> Tensor:
    """input ^ exponent; the gradient of x⁰ is 0, also at x = 0."""
    _pair("pow", input, exponent)
    if isinstance(input, Tensor) and isinstance(exponent, int | float) and not isinstance(exponent, bool):
        if exponent == 2 and input.dtype.category:
            return P.mul(input, input)
        if exponent == 0.5 and input.is_floating_point():
            return P.sqrt(input)
    kinds = [v.dtype.category if isinstance(v, Tensor) else int(not isinstance(v, bool)) for v in (input, exponent)]
    if kinds == [0, 0]:
        return P.logical_or(input, P.logical_not(promoted("pow", input, exponent)[1]))
    try:
        return P.power(input, exponent)
    except ValueError as error:
        if "negative integer powers" in str(error):
            raise OptionError("pow: integers to negative integer powers are not allowed") from None
        raise


def maximum(input: Tensor, other: Tensor) -> Tensor:
    """The larger of two, elementwise; ties share the gradient equally; NaN wins."""
    return P.maximum(tensor_of("maximum", "input", input), tensor_of("maximum", "other", other))


def minimum(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of two, elementwise; ties share the gradient equally; NaN wins."""
    return P.minimum(tensor_of("minimum", "input", input), tensor_of("minimum", "other", other))


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where `condition` holds, else `other`; with the condition alone, the indices where it holds."""
    c = tensor_of("where", "condition", condition)
    if input is None and other is None:
        from .indexing import nonzero

        return nonzero(c, as_tuple=True)
    if c.array.dtype != np.bool_:
        raise DtypeError(f"where: condition must be a boolean tensor, got {c.dtype}")
    x, y = promoted("where", input, other)
    return P.where(c, x, y)


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """min(max(x, min), max); the gradient passes where min ≤ x ≤ max, the ends included."""
    x = tensor_of("clamp", "input", input)
    if min is None and max is None:
        raise OptionError("clamp: at least one of min and max must be given")
    bounds = [b for b in (min, max) if b is not None]
    x, *ends = promoted("clamp", x, *bounds)
    check_broadcast("clamp", x, *ends)
    if min is not None:
        low = promoted("clamp", x, min)[1]
        x = P.where(P.lt(x, low), low, x)
    if max is not None:
        high = promoted("clamp", x, max)[1]
        x = P.where(P.gt(x, high), high, x)
    return x


clip = clamp


def _compare(name: str, op: Primitive, text: str) -> Callable[[Tensor, Any], Tensor]:
    def function(input: Tensor, other: Any) -> Tensor:
        _pair(name, input, other)
        return op(input, other)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{text}, elementwise with broadcasting: a boolean tensor."
    return function


eq = _compare("eq", P.eq, "Whether input = other")
ne = not_equal = _compare("ne", P.ne, "Whether input ≠ other")
lt = less = _compare("lt", P.lt, "Whether input < other")
le = less_equal = _compare("le", P.le, "Whether input ≤ other")
gt = greater = _compare("gt", P.gt, "Whether input > other")
ge = greater_equal = _compare("ge", P.ge, "Whether input ≥ other")
logical_and = _compare("logical_and", P.logical_and, "Whether both are nonzero")
logical_or = _compare("logical_or", P.logical_or, "Whether one is nonzero")
logical_xor = _compare("logical_xor", P.logical_xor, "Whether exactly one is nonzero")


def _bits(name: str, op: Primitive, text: str) -> Callable[[Tensor, Any], Tensor]:
    def function(input: Tensor, other: Any) -> Tensor:
        _pair(name, input, other)
        for x in (input, other):
            if isinstance(x, Tensor):
                _whole(name, x)
        return op(input, other)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{text} of integers or booleans. Raises DtypeError for floating point."
    return function


bitwise_and = _bits("bitwise_and", P.bitwise_and, "Bitwise and")
bitwise_or = _bits("bitwise_or", P.bitwise_or, "Bitwise or")
bitwise_xor = _bits("bitwise_xor", P.bitwise_xor, "Bitwise exclusive or")


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and elements."""
    x, y = tensor_of("equal", "input", input), tensor_of("equal", "other", other)
    return x.array.shape == y.array.shape and bool(np.all(x.array == y.array))


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether |input − other| ≤ atol + rtol·|other|, elementwise."""
    return _isclose("isclose", input, other, rtol, atol, equal_nan)


def _isclose(where: str, input: Tensor, other: Tensor, rtol: float, atol: float, equal_nan: bool) -> Tensor:
    x, y = tensor_of(where, "input", input), tensor_of(where, "other", other)
    if x.array.dtype != y.array.dtype:
        raise DtypeError(f"{where}: expected one dtype, got {x.dtype} and {y.dtype}")
    for name, bound in (("rtol", rtol), ("atol", atol)):
        if bound < 0:
            raise OptionError(f"{where}: {name} must be ≥ 0, got {bound}")
    from .._tensor import new_tensor

    return new_tensor(np.isclose(x.array, y.array, rtol, atol, equal_nan))


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether `isclose` holds for every element."""
    return bool(_isclose("allclose", input, other, rtol, atol, equal_nan).array.all())
