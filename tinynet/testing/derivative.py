"""Numerical derivatives that know their own error: Richardson-extrapolated central differences, output by output.

For y = f(x) with K outputs and a direction v, a ladder of steps h_j = base · 2^-j gives the central differences

    D_j = (f(x + h_j v) - f(x - h_j v)) / 2h_j  =  J v + c_2 h_j² + c_4 h_j⁴ + … + noise / h_j

and Richardson's tableau removes one power of h² a column:

    T[j, 0] = D_j,    T[j, m] = T[j, m-1] + (T[j, m-1] - T[j-1, m-1]) / (4^m - 1)

Each output takes the cell with the smallest error bound: its distance to the two cells that it came from (an
estimate of the error of the *worse* of them, so a pessimistic one of its own) plus the rounding noise
max(2 eps |f|, what the last rows of the tableau show) / h_j.

A central difference at a kink converges to the mean of the two one-sided derivatives. The second difference

    S_j = (f(x + h_j v) + f(x - h_j v) - 2 f(x)) / h_j  →  f'(x; +v) - f'(x; -v)

tends to 0 where f is smooth and to the jump of the slope at a kink; the jump is reported beside the error.

Source: C. J. F. Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", Advances in Engineering Software 4 (1982);
the noise estimate follows J. J. Moré and S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FlatFunction = Callable[[NDArray[Any]], NDArray[Any]]
"""One moved argument in, every floating output flattened and joined out: (K,), float64 (or complex128)."""

LEVELS = 6

BASES = (2.0**-2, 2.0**-9, 2.0**-16, 2.0**-23, 2.0**-30)
"""The ladders' first steps, coarse to fine: the first serves well-scaled smooth functions, with the least noise; the
others the neighbourhood of kinks and of the domain's edge, and functions that vary fast."""

QUICK = (2.0**-12, 2)
"""First step and levels of a short ladder, which is enough for most of the entries of a smooth function."""

IMAGINARY_STEP = 2.0**-200
"""Of the complex step: its square is lost in rounding, and its product with any derivative is no subnormal."""


@dataclass(frozen=True)
class Direction:
    """Where x moves: one entry, or all of them.

    Attributes
    ----------
    index : the entry's index; None for a dense direction
    v : how far a step of 1 moves: () for an entry, else in x's shape
    """

    index: tuple[int, ...] | None
    v: Floats

    def moved(self, x: NDArray[Any], t: complex) -> NDArray[Any]:
        """X + t v, in x's dtype (or complex128, for a complex t)."""
        if self.index is None:
            y = x + t * self.v
            return y if isinstance(t, complex) else y.astype(x.dtype)
        y = x.astype(np.complex128) if isinstance(t, complex) else x.copy()
        y[self.index] += (t * self.v).astype(y.dtype)
        return y


def along(directions: Sequence[Direction], gradient: NDArray[Any]) -> tuple[Floats, Floats]:
    """<gradient, v> for each direction, and the root of the sum of its terms' squares: 2 × (E,)."""
    if directions[0].index is not None:
        lengths = np.array([float(d.v) for d in directions])
        terms = np.where(lengths == 0, 0.0, at(gradient, [d.index for d in directions]).astype(np.float64) * lengths)
        return terms, np.abs(terms)
    result = []
    for d in directions:
        moves = d.v != 0
        with np.errstate(all="ignore"):
            products = gradient[moves].astype(np.float64) * d.v[moves]
            result.append((float(products.sum()), float(np.sqrt(np.square(products).sum()))))
    sums = np.array(result)
    return sums[:, 0], sums[:, 1]


def dense(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Random signs, and no number below 1/2: a direction, or a cotangent, in which every entry takes part."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.5, shape)


def rounded(directions: Sequence[Direction], x: NDArray[Any], base: float, smallest: float) -> list[Direction]:
    """Directions rounded so that x ± h v loses nothing: at x = 1e8 float64 has a spacing of 1.5e-8, and sin sees it."""
    if directions[0].index is None:
        return [Direction(None, _round(x, d.v, base, smallest)) for d in directions]
    indices = [d.index for d in directions]
    lengths = np.array([float(d.v) for d in directions])
    return [Direction(i, v) for i, v in zip(indices, _round(at(x, indices), lengths, base, smallest), strict=True)]


def at(x: NDArray[Any], indices: Sequence[tuple[int, ...] | None]) -> NDArray[Any]:
    """The entries of x at E indices: (E,)."""
    return x[tuple(np.array(indices).T)] if x.ndim else np.broadcast_to(x, len(indices))


def _round(x: NDArray[Any], v: Floats, base: float, smallest: float) -> Floats:
    reach = (np.abs(x) + base * np.abs(v)).astype(x.dtype)
    grid = _spacing(reach) / smallest
    fixed = np.isfinite(grid) & np.isfinite(x)
    return np.where(fixed, np.round(v / np.where(fixed, grid, 1.0)) * np.where(fixed, grid, 0.0), 0.0)


@dataclass(frozen=True)
class Derivative:
    """The derivatives J v of K outputs along E directions, with what is known of their errors.

    Attributes
    ----------
    directions : (E) as they were stepped along (rounded so that the steps are exact)
    base : the largest step
    value : (E, K) estimates of J v
    error : (E, K) bounds of their errors where f is smooth; inf where no estimate exists
    jump : (E, K) the jump of the slope at x along v: 0 to within noise where f is smooth, inf where unknown
    moved : (E, K) whether the output changed at all along the ladder
    """

    directions: Sequence[Direction]
    base: float
    value: Floats
    error: Floats
    jump: Floats
    moved: NDArray[np.bool_]


def differentiate(
    f: FlatFunction,
    f0: Floats,
    x: NDArray[Any],
    directions: Sequence[Direction],
    base: float,
    eps: Floats,
    levels: int = LEVELS,
) -> Derivative:
    """Estimate d/dt f(x + t v) at t = 0 for every output and direction, by one ladder of steps each.

    Parameters
    ----------
    f : the function of the moved argument alone, to (K,) float64
    f0 : (K,) f(x)
    x : the point, in the dtype in which f shall compute
    directions : E of them
    base : the largest step, in units of v
    eps : (K,) the relative spacing of each output's numbers
    levels : how many steps: 2 (for smooth functions alone), or at least 5
    """
    steps: Floats = base * np.exp2(-np.arange(levels, dtype=np.float64))
    shape = (len(directions), f0.size)
    with np.errstate(all="ignore"):
        directions = rounded(directions, x, base, float(steps[-1]))
        plus, minus = np.empty((levels, *shape)), np.empty((levels, *shape))
        for e, d in enumerate(directions):
            for j, h in enumerate(steps.tolist()):
                plus[j, e], minus[j, e] = f(d.moved(x, h)), f(d.moved(x, -h))
        moved = np.asarray((_differs(plus, f0) | _differs(minus, f0)).any(axis=0))
        value, error, jump = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        if moved.any():
            part = _tableau(
                plus[:, moved],
                minus[:, moved],
                np.broadcast_to(f0, shape)[moved],
                steps,
                np.broadcast_to(eps, shape)[moved],
            )
            value[moved], error[moved], jump[moved] = part
    error[:, np.isnan(f0)] = np.inf  # nothing can be said of an output that is NaN at x
    return Derivative(directions, base, value, error, jump, moved)


def complex_step(f: FlatFunction, f0: Floats, x: NDArray[Any], directions: Sequence[Direction]) -> Derivative | None:
    """J v = Im f(x + i h v) / h: exact to rounding where f is analytic, one call a direction, no subtraction.

    None where f does not take complex numbers. Whether f *is* analytic (abs and real parts are not) is for the caller
    to find out. Source: W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real functions",
    SIAM Review 40 (1998).
    """
    value = np.empty((len(directions), f0.size))
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            for e, d in enumerate(directions):
                y = f(d.moved(x, complex(0.0, IMAGINARY_STEP)))
                if not np.iscomplexobj(y):
                    return None
                value[e] = y.imag / IMAGINARY_STEP
    except Exception:
        # Whatever f raises for numbers that it was not written for, it says only that this way is closed.
        return None
    finite = np.isfinite(value)
    value = np.where(finite, value, 0.0)
    error = np.where(finite & np.isfinite(f0), 64 * 2.0**-52 * np.abs(value), np.inf)
    return Derivative(directions, 1.0, value, error, np.zeros_like(value), value != 0)


def afar(f: FlatFunction, f0: Floats, x: NDArray[Any], direction: Direction) -> tuple[NDArray[np.bool_], Floats]:
    """Which outputs change along v under large steps, and how large each is there: 2 × (K,).

    A saturated output changes, one that does not read x does not; small steps cannot tell the two apart: tanh(20 ± 0.25)
    is 1 to the last bit. And an output that is large elsewhere may be small here by cancellation, as x (1 + erf x) is.
    """
    changed, size = np.zeros(f0.shape, bool), np.zeros(f0.shape)
    reach = float(max(1.0, np.max(np.abs(x), where=np.isfinite(x), initial=0.0)))
    with np.errstate(all="ignore"):
        for t in (4.0, -4.0, 64.0, -64.0):
            y = f(direction.moved(x, t * reach))
            changed |= _differs(y, f0)
            size = np.maximum(size, np.where(np.isfinite(y), np.abs(y), 0.0))
    return changed, size


def _tableau(plus: Floats, minus: Floats, f0: Floats, steps: Floats, eps: Floats) -> tuple[Floats, Floats, Floats]:
    """Value, error bound and slope jump of each output: (L, K), (L, K), (K,) -> 3 × (K,)."""
    h = steps[:, None]
    central = np.where(plus == minus, 0.0, (plus - minus) / (2 * h))  # equal infinities cancel
    size = np.maximum(np.maximum(np.abs(plus), np.abs(minus)), np.abs(f0))
    noise = 2 * eps * np.where(np.isfinite(size), size, 0.0)  # also where both are equal: steps lost in rounding

    levels = len(steps)
    columns = [central]
    for m in range(1, levels):
        last = columns[-1]
        column = np.full_like(central, np.nan)
        column[m:] = last[m:] + (last[m:] - last[m - 1 : -1]) / (4.0**m - 1)
        columns.append(column)

    # What the finest rows still disagree about, beyond rounding of the result, is noise of the computation.
    if levels > 4:
        cells = [(2, -1), (3, -1), (2, -2)]
        samples = [(columns[m][row] - columns[m][row - 1]) * steps[row] for m, row in cells]
        measured = np.max(np.abs(np.nan_to_num(samples, nan=0.0)), axis=0)
        noise = np.maximum(noise, measured)
    # Outputs that stand still at small steps move in quanta, as 1 + erf(x) does far below 0: that is noise, too.
    change = np.maximum(np.abs(plus - f0), np.abs(minus - f0))
    quantum = np.min(np.where(change > 0, change, np.inf), axis=0)
    noise = np.where((change == 0).any(axis=0) & np.isfinite(quantum), np.maximum(noise, quantum), noise)

    best_value = np.zeros_like(f0)
    best_error = np.full_like(f0, np.inf)
    best_row = np.full(f0.shape, levels - 1)
    for m in range(1, levels):
        for j in range(m, levels):
            cell, left, above = columns[m][j], columns[m - 1][j], columns[m - 1][j - 1]
            error = 2 * np.maximum(np.abs(cell - left), np.abs(cell - above)) + 2 * noise[j] / steps[j]
            better = np.isfinite(error) & (error < best_error)
            best_value = np.where(better, cell, best_value)
            best_error = np.where(better, error, best_error)
            best_row = np.where(better, j, best_row)
    return best_value, best_error, _slope_jump(plus, minus, f0, steps, best_row)


def _slope_jump(plus: Floats, minus: Floats, f0: Floats, steps: Floats, row: NDArray[np.intp]) -> Floats:
    """The limit of the second difference, extrapolated, plus what its last extrapolation changed."""
    s0 = (plus + minus - 2 * f0) / steps[:, None]
    s1 = 2 * s0[1:] - s0[:-1]  # removes the second derivative, f2 h
    if len(steps) == 2:  # a kink shows in s1 but at a third of the step, where the central differences disagree
        return np.nan_to_num(np.abs(s1[0]), nan=np.inf)
    s2 = (8 * s1[1:] - s1[:-1]) / 7  # removes f4 h³
    s3 = (32 * s2[1:] - s2[:-1]) / 31  # removes f6 h⁵; its row 0 is the ladder's row 3
    row = np.maximum(row, 3)
    k = np.arange(f0.size)
    limit, before = s3[row - 3, k], s2[row - 2, k]
    return np.nan_to_num(np.abs(limit) + np.abs(limit - before), nan=np.inf)


def _spacing(x: NDArray[Any]) -> Floats:
    if np.issubdtype(x.dtype, np.floating):
        return np.spacing(x).astype(np.float64)
    return epsilon(x.dtype) * np.maximum(np.abs(x.astype(np.float64)), 2.0**-126)


def _differs(y: Floats, f0: Floats) -> NDArray[np.bool_]:
    return (y != f0) & ~(np.isnan(y) & np.isnan(f0))


@functools.cache
def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether numbers of this dtype can be differentiated: NumPy's real floats, and bfloat16."""
    return bool(np.issubdtype(dtype, np.floating)) or dtype.name == "bfloat16"


@functools.cache
def epsilon(dtype: np.dtype[Any]) -> float:
    """The spacing of the dtype's numbers at 1."""
    return float(finfo(dtype).eps)


def finfo(dtype: np.dtype[Any]) -> Any:
    """NumPy's `finfo`, of bfloat16 too."""
    if dtype.name == "bfloat16":
        import ml_dtypes

        return ml_dtypes.finfo(dtype)
    return np.finfo(dtype)
