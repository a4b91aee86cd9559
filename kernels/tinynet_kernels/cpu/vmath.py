"""Functions of one number that vectorise: exp, expm1, log, log(1 + eˣ), tanh, the logistic and the normal distribution, erf.

Numba has no vector library: `math.exp` in a loop is a call for each element. These are straight lines of arithmetic,
choices and shifts of bits, which LLVM turns into vector code in any plain loop; called on a float32 they compute in
float32, on a float64 in float64. Each is made once, from a `Format` with the constants of the two.

Errors, in units in the last place of the result (its worst over the whole range, tested in tests/kernels/test_vmath.py):

    exp 1.5    expm1_negative 1.5    log 1    softplus 3    tanh 3    sigmoid 3    erf 3.5

`normal_pdf` and `normal_cdf` are within 6 + x² units: in the tails, where they shrink as e^(−x²/2), the rounding of
x²/2 shows. Infinities, NaN, signed zeros, subnormal arguments and results come out as IEEE 754 and C99 have them.

Sources: the reductions exp(x) = 2ⁿ·exp(r) and log(2ᵏ·m) = k·log 2 + 2·artanh((m − 1)/(m + 1)), and log 2 in two parts,
are those of W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980, and of fdlibm (Sun, 1993). The
polynomials are minimax fits made for this file by Remez's exchange, in 60 digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from .bits import bits_of, float_of, polynomial
from .jit import inner

Coefficients = tuple[float, ...]


class Format(NamedTuple):
    """A floating-point format, and the constants and polynomials that serve it."""

    real: Any  # its type, and that of the integer with its bits
    integer: Any
    fraction: int  # bits of the significand that are stored
    lowest: float  # e^lowest rounds to 0, e^highest to infinity
    highest: float
    log2_high: float  # log 2 in two parts: n·log2_high is exact for every exponent n
    log2_low: float
    saturated: float  # from here on tanh is 1
    farthest: float  # argument up to which `erfcx` holds; e^(−x²) is 0 before it
    exp: Coefficients  # (eʳ − 1 − r)/r² on ±log(2)/2
    log: Coefficients  # (2·artanh(s) − 2s)/s³ in s², s² ≤ 0.0295
    log1p: Coefficients  # the same for s² ≤ 1/9
    erf: Coefficients  # erf(x)/x in x², x² ≤ 1
    erfcx: Coefficients  # (3 + t)·exp(t²)·erfc(t) in (t − 3)/(t + 3), t ≥ 0


SINGLE = Format(
    real=np.float32,
    integer=np.int32,
    fraction=23,
    lowest=-104.0,
    highest=89.0,
    log2_high=0.693359375,
    log2_low=-2.12194440e-4,
    saturated=9.5,
    farthest=11.0,
    exp=(0.5, 0.1666654348373413, 0.04166628420352936, 0.008366571739315987, 0.0013946426333859563),
    log=(0.6666666269302368, 0.4000033438205719, 0.2853730320930481, 0.23582269251346588),
    log1p=(0.6666667461395264, 0.3999887704849243, 0.2861688435077667, 0.21427658200263977, 0.24300932884216309),
    erf=(
        1.1283791065216064, -0.3761262595653534, 0.1128358542919159, -0.026853812858462334, 0.005188327748328447,
        -0.0008010193705558777, 7.853860734030604e-05,
    ),
    erfcx=(
        1.0740069150924683, -0.8833944797515869, 0.590228259563446, -0.3104657232761383, 0.11952997744083405,
        -0.026841597631573677, -0.0012314775958657265, 0.0030819473322480917, -0.00047402491327375174,
        -0.00032051021116785705,
    ),
)  # fmt: skip
DOUBLE = Format(
    real=np.float64,
    integer=np.int64,
    fraction=52,
    lowest=-746.0,
    highest=710.0,
    log2_high=6.93147180369123816490e-01,
    log2_low=1.90821492927058770002e-10,
    saturated=20.0,
    farthest=28.0,
    exp=(
        0.5, 0.16666666666666677, 0.0416666666666667, 0.008333333333321648, 0.0013888888888866897,
        0.0001984126988608582, 2.480158736045998e-05, 2.7557244249196747e-06, 2.755724282944174e-07,
        2.5109023050913034e-08, 2.0924424445516564e-09,
    ),
    log=(
        0.6666666666666734, 0.3999999999941438, 0.28571428742459903, 0.22222198565147167, 0.18183564774203778,
        0.1531403834964029, 0.14796078859875647,
    ),
    log1p=(
        0.6666666666666667, 0.3999999999999398, 0.2857142857251002, 0.22222222125471247, 0.18181823202894168,
        0.15384451932726464, 0.13336805812872965, 0.11715950689921098, 0.10972566968074181, 0.0699424541681324,
        0.1646763873084407,
    ),
    erf=(
        1.1283791670955126, -0.3761263890318352, 0.11283791670944185, -0.026866170643111472, 0.005223977606118517,
        -0.000854832592931656, 0.00012055293576960785, -1.4924712303122372e-05, 1.6447131584405558e-06,
        -1.6206313854210044e-07, 1.3710980791189754e-08, -7.779469184898382e-10,
    ),
    erfcx=(
        1.0740069070883398, -0.8833944531698836, 0.5902283571041013, -0.31046726190057244, 0.11952776128732875,
        -0.026827234624329212, -0.0012124166282574422, 0.003034061999113349, -0.0005483096778782343,
        -0.0002767778297139188, 0.00010756138471351638, 3.039807780530001e-05, -1.7470121075960398e-05,
        -4.748920224785917e-06, 2.7642007270866044e-06, 9.981168874430518e-07, -4.060360787310918e-07,
        -2.321226147305443e-07, 4.429647965859192e-08, 4.8892097458776285e-08, -3.1903971556517735e-10,
        -7.091791704898548e-09, -8.085123984716301e-10, 3.44074412364016e-10,
    ),
)  # fmt: skip


def _of_both(make: Callable[[Format], Callable[[Any], Any]]) -> Any:
    """The function that kernels call: by the type of its argument one of the two that `make` makes."""
    single, double = make(SINGLE), make(DOUBLE)

    def function(x: Any) -> Any:
        return (single if np.asarray(x).itemsize == 4 else double)(x)

    def choose(x):  # type: ignore[no-untyped-def]
        if x in (types.float32, types.int32):
            return lambda x: single(x)
        return (lambda x: double(x)) if x in (types.float64, types.int64) else None

    overload(function, jit_options={"nogil": True, "error_model": "numpy", "forceinline": True})(choose)
    function.__doc__, function.__name__ = make.__doc__, make.__name__
    return function


def _reduce_of(f: Format) -> Any:
    """x to n (as the bits of an integer) and (r, eʳ − 1), x = n·log 2 + r."""
    real, integer = f.real, f.integer
    per_octave, high, low = real(1 / np.log(2)), real(f.log2_high), real(f.log2_low)
    magic = real(1.5 * 2.0**f.fraction)  # t = v + magic has v, rounded to an integer, in its low bits
    magic_bits = integer(magic.view(integer))
    fit = f.exp

    @inner(inline=True)
    def reduce(x):  # type: ignore[no-untyped-def]
        t = x * per_octave + magic
        n = t - magic
        r = (x - n * high) - n * low
        return integer(bits_of(t) - magic_bits), r + r * r * polynomial(r, fit)

    return reduce


def _power_of(f: Format) -> Any:
    """2ⁿ for the exponents n of normal numbers."""
    integer, bias, fraction = f.integer, f.integer(f.real(1).view(f.integer)), f.integer(f.fraction)

    @inner(inline=True)
    def power(n):  # type: ignore[no-untyped-def]
        return float_of(integer(integer(n << fraction) + bias))

    return power


def _exp(f: Format) -> Any:
    """eˣ."""
    reduce, power = _reduce_of(f), _power_of(f)
    integer, one, lowest, highest = f.integer, f.real(1), f.real(f.lowest), f.real(f.highest)

    @inner(inline=True)
    def exp(x):  # type: ignore[no-untyped-def]
        x = lowest if x < lowest else x
        x = highest if x > highest else x
        n, p = reduce(x)
        half = integer(n >> integer(1))  # in two steps: 2ⁿ itself may be too large or too small
        return (one + p) * power(half) * power(integer(n - half))

    return exp


def _exp_negative(f: Format) -> Any:
    """eˣ for x ≤ 0 (and NaN), for two thirds of the work: 2ⁿ may be too small, but not too large."""
    reduce, power = _reduce_of(f), _power_of(f)
    integer, one, lowest = f.integer, f.real(1), f.real(f.lowest)
    steps = integer(np.finfo(f.real).maxexp // 2)
    scale = f.real(2.0 ** -int(steps))

    @inner(inline=True)
    def exp_negative(x):  # type: ignore[no-untyped-def]
        n, p = reduce(lowest if x < lowest else x)
        return (one + p) * power(integer(n + steps)) * scale

    return exp_negative


def _expm1_negative(f: Format) -> Any:
    """eˣ − 1 for x ≤ 0 (and NaN): 2ⁿ·(eʳ − 1) + (2ⁿ − 1)."""
    reduce, power = _reduce_of(f), _power_of(f)
    zero, one, saturated = f.real(0), f.real(1), f.real(-(f.fraction + 3))

    @inner(inline=True)
    def expm1_negative(x):  # type: ignore[no-untyped-def]
        n, p = reduce(saturated if x < saturated else x)
        scale = power(n)
        y = scale * p + (scale - one)
        return y if x < zero else x

    return expm1_negative


def _tanh(f: Format) -> Any:
    """tanh x = E/(E + 2), E = e^(2|x|) − 1, with the sign of x."""
    reduce, power = _reduce_of(f), _power_of(f)
    integer, one, two, saturated = f.integer, f.real(1), f.real(2), f.real(f.saturated)
    magnitude = f.integer(np.iinfo(f.integer).max)

    @inner(inline=True)
    def tanh(x):  # type: ignore[no-untyped-def]
        bits = bits_of(x)
        a = float_of(integer(bits & magnitude))
        n, p = reduce(two * (saturated if a > saturated else a))
        scale = power(n)
        e = scale * p + (scale - one)
        return float_of(integer(bits_of(e / (e + two)) | integer(bits & ~magnitude)))

    return tanh


def _sigmoid(f: Format) -> Any:
    """1/(1 + e⁻ˣ), of e^(−|x|), which does not overflow."""
    zero, one = f.real(0), f.real(1)

    @inner(inline=True)
    def sigmoid(x):  # type: ignore[no-untyped-def]
        e = exp_negative(-abs(x))
        return (e if x < zero else one) / (one + e)

    return sigmoid


def _log(f: Format) -> Any:
    """The natural logarithm."""
    real, integer, fraction = f.real, f.integer, f.integer(f.fraction)
    smallest, shift = np.finfo(real).smallest_normal, real(2.0**f.fraction)
    low_end = integer(real(np.sqrt(0.5)).view(integer))  # the significand's range is [√½, √2)
    offset = integer(integer(real(1).view(integer)) - low_end)
    bias, mask = integer(np.finfo(real).maxexp - 1), integer(2**f.fraction - 1)
    half, one, two, zero = real(0.5), real(1), real(2), real(0)
    high, low, infinity, nan = real(f.log2_high), real(f.log2_low), real(np.inf), real(np.nan)
    fit = f.log

    @inner(inline=True)
    def log(x):  # type: ignore[no-untyped-def]
        tiny = x < smallest
        bits = integer(bits_of(x * shift if tiny else x) + offset)
        k = real(integer(integer(bits >> fraction) - bias)) - (real(fraction) if tiny else zero)
        m = float_of(integer(integer(bits & mask) + low_end)) - one
        s = m / (m + two)
        square = half * m * m
        y = (s * (square + s * s * polynomial(s * s, fit)) + k * low) - square + m + k * high
        y = x if x == infinity or x != x else y
        return (-infinity if x == zero else nan) if x <= zero else y

    return log


def _softplus(f: Format) -> Any:
    """log(1 + eˣ) = max(x, 0) + log(1 + u), u = e^(−|x|), by s = u/(2 + u)."""
    two, zero = f.real(2), f.real(0)
    fit = f.log1p

    @inner(inline=True)
    def softplus(x):  # type: ignore[no-untyped-def]
        u = exp_negative(-abs(x))
        s = u / (two + u)
        tail = two * s + s * (s * s) * polynomial(s * s, fit)
        return tail + (x if x > zero else zero)

    return softplus


def _erf(f: Format) -> Any:
    """erf x: an odd polynomial up to 1, beyond it 1 − e^(−x²)·erfcx(|x|)."""
    integer, one = f.integer, f.real(1)
    magnitude = f.integer(np.iinfo(f.integer).max)
    scaled, fit = _erfcx_of(f), f.erf

    @inner(inline=True)
    def erf(x):  # type: ignore[no-untyped-def]
        bits = bits_of(x)
        a = float_of(integer(bits & magnitude))
        far = one - exp_negative(-(a * a)) * scaled(a)
        y = a * polynomial(a * a, fit) if a < one else far
        return float_of(integer(bits_of(y) | integer(bits & ~magnitude)))

    return erf


def _erfcx_of(f: Format) -> Any:
    """e^(t²)·erfc(t) for 0 ≤ t ≤ farthest; what it is at `farthest` for more."""
    one, three, farthest = f.real(1), f.real(3), f.real(f.farthest)
    fit = f.erfcx

    @inner(inline=True)
    def erfcx(t):  # type: ignore[no-untyped-def]
        t = farthest if t > farthest else t
        w = one / (t + three)
        return w * polynomial((t - three) * w, fit)

    return erfcx


def _normal_pdf(f: Format) -> Any:
    """φ(x) = e^(−x²/2)/√(2π)."""
    half, scale = f.real(0.5), f.real(1 / np.sqrt(2 * np.pi))

    @inner(inline=True)
    def normal_pdf(x):  # type: ignore[no-untyped-def]
        return scale * exp_negative(-(half * x * x))

    return normal_pdf


def _normal_cdf(f: Format) -> Any:
    """Φ(x) = ½(1 + erf(x/√2)), by ½·e^(−x²/2)·erfcx(|x|/√2) so that nothing cancels below 0."""
    half, one, root, zero = f.real(0.5), f.real(1), f.real(np.sqrt(0.5)), f.real(0)
    scaled = _erfcx_of(f)

    @inner(inline=True)
    def normal_cdf(x):  # type: ignore[no-untyped-def]
        tail = half * exp_negative(-(half * x * x)) * scaled(root * abs(x))
        return one - tail if x > zero else tail

    return normal_cdf


def _ordered(f: Format) -> Any:
    """An integer in the order of the numbers, by which a loop finds the largest on vectors; NaN is beyond ±∞."""
    integer, sign = f.integer, f.integer(f.integer(0).itemsize * 8 - 1)
    magnitude = integer(np.iinfo(integer).max)

    @inner(inline=True)
    def ordered(x):  # type: ignore[no-untyped-def]
        bits = bits_of(x)
        return integer(bits ^ integer(integer(bits >> sign) & magnitude))

    return ordered


def _unordered(f: Format) -> Any:
    """The number whose `ordered` it is."""
    integer, sign = f.integer, f.integer(f.integer(0).itemsize * 8 - 1)
    magnitude = integer(np.iinfo(integer).max)

    @inner(inline=True)
    def unordered(n):  # type: ignore[no-untyped-def]
        return float_of(integer(n ^ integer(integer(n >> sign) & magnitude)))

    return unordered


exp = _of_both(_exp)
exp_negative = _of_both(_exp_negative)
expm1_negative = _of_both(_expm1_negative)
log = _of_both(_log)
tanh = _of_both(_tanh)
sigmoid = _of_both(_sigmoid)
softplus = _of_both(_softplus)
erf = _of_both(_erf)
normal_pdf = _of_both(_normal_pdf)
normal_cdf = _of_both(_normal_cdf)
ordered = _of_both(_ordered)
unordered = _of_both(_unordered)
