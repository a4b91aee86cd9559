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

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FlatFunction = Callable[[NDArray[Any]], Floats]
"""One moved argument in, every floating output flattened and joined in float64 out: (K,)."""

LEVELS = 6

BASES = (2.0**-2, 2.0**-9, 2.0**-16, 2.0**-23, 2.0**-30)
"""The ladders' first steps, coarse to fine: the first serves well-scaled smooth functions, with the least noise; the
others the neighbourhood of kinks and of the domain's edge, and functions that vary fast."""


@dataclass(frozen=True)
class Derivative:
    """The derivative J v of K outputs along one direction, with what is known of its error.

    Attributes
    ----------
    direction : the direction as it was stepped along (rounded so that the steps are exact), in x's shape
    base : the largest step
    value : (K,) estimate of J v
    error : (K,) bound of its error where f is smooth; inf where no estimate exists
    jump : (K,) the jump of the slope at x along v: 0 to within noise where f is smooth, inf where unknown
    moved : (K,) whether the output changed at all along the ladder
    """

    direction: Floats
    base: float
    value: Floats
    error: Floats
    jump: Floats
    moved: NDArray[np.bool_]


def differentiate(
    f: FlatFunction, f0: Floats, x: NDArray[Any], direction: Floats, base: float, eps: Floats
) -> Derivative:
    """Estimate d/dt f(x + t v) at t = 0 for every output, by one ladder of steps.

    Parameters
    ----------
    f : the function of the moved argument alone, to (K,) float64
    f0 : (K,) f(x)
    x : the point, in the dtype in which f shall compute
    direction : v, in x's shape
    base : the largest step, in units of v
    eps : (K,) the relative spacing of each output's numbers
    """
    steps: Floats = base * np.exp2(-np.arange(LEVELS, dtype=np.float64))
    with np.errstate(all="ignore"):
        v = _steppable(x, direction, base, float(steps[-1]))
        plus = np.stack([f((x + h * v).astype(x.dtype)) for h in steps])
        minus = np.stack([f((x - h * v).astype(x.dtype)) for h in steps])
        moved = np.asarray((_differs(plus, f0) | _differs(minus, f0)).any(axis=0))
        value, error, jump = np.zeros_like(f0), np.zeros_like(f0), np.zeros_like(f0)
        if moved.any():
            part = _tableau(plus[:, moved], minus[:, moved], f0[moved], steps, eps[moved])
            value[moved], error[moved], jump[moved] = part
    error[np.isnan(f0)] = np.inf  # nothing can be said of an output that is NaN at x
    return Derivative(v, base, value, error, jump, moved)


def depends(f: FlatFunction, f0: Floats, x: NDArray[Any], direction: Floats) -> NDArray[np.bool_]:
    """Which outputs change along v under large steps: a saturated output does, one that does not read x does not.

    Small steps cannot tell the two apart: tanh(20 ± 0.25) is 1 to the last bit.
    """
    changed = np.zeros(f0.shape, bool)
    reach = float(max(1.0, np.max(np.abs(x), where=np.isfinite(x), initial=0.0)))
    with np.errstate(all="ignore"):
        for t in (4.0, -4.0, 64.0, -64.0):
            try:
                changed |= _differs(f((x + t * reach * direction).astype(x.dtype)), f0)
            except (ValueError, ArithmeticError, IndexError, RuntimeError):
                continue  # outside the function's domain: this probe says nothing
    return changed


def _tableau(plus: Floats, minus: Floats, f0: Floats, steps: Floats, eps: Floats) -> tuple[Floats, Floats, Floats]:
    """Value, error bound and slope jump of each output: (L, K), (L, K), (K,) -> 3 × (K,)."""
    h = steps[:, None]
    central = np.where(plus == minus, 0.0, (plus - minus) / (2 * h))  # equal infinities cancel
    size = np.maximum(np.maximum(np.abs(plus), np.abs(minus)), np.abs(f0))
    noise = 2 * eps * np.where(np.isfinite(size), size, 0.0)  # also where both are equal: steps lost in rounding

    columns = [central]
    for m in range(1, LEVELS):
        last = columns[-1]
        column = np.full_like(central, np.nan)
        column[m:] = last[m:] + (last[m:] - last[m - 1 : -1]) / (4.0**m - 1)
        columns.append(column)

    # What the finest rows still disagree about, beyond rounding of the result, is noise of the computation.
    samples = [columns[2][-1] - columns[2][-2], columns[3][-1] - columns[3][-2], columns[2][-2] - columns[2][-3]]
    measured = np.max(np.abs(np.nan_to_num(samples, nan=0.0)) * steps[[-1, -1, -2], None], axis=0)
    noise = np.maximum(noise, measured)
    # Outputs that stand still at small steps move in quanta, as 1 + erf(x) does far below 0: that is noise, too.
    change = np.maximum(np.abs(plus - f0), np.abs(minus - f0))
    quantum = np.min(np.where(change > 0, change, np.inf), axis=0)
    noise = np.where((change == 0).any(axis=0) & np.isfinite(quantum), np.maximum(noise, quantum), noise)

    best_value = np.zeros_like(f0)
    best_error = np.full_like(f0, np.inf)
    best_row = np.full(f0.shape, LEVELS - 1)
    for m in range(1, LEVELS):
        for j in range(m, LEVELS):
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
    s2 = (8 * s1[1:] - s1[:-1]) / 7  # removes f4 h³
    s3 = (32 * s2[1:] - s2[:-1]) / 31  # removes f6 h⁵; its row 0 is the ladder's row 3
    row = np.maximum(row, 3)
    k = np.arange(f0.size)
    limit, before = s3[row - 3, k], s2[row - 2, k]
    return np.nan_to_num(np.abs(limit) + np.abs(limit - before), nan=np.inf)


def _steppable(x: NDArray[Any], direction: Floats, base: float, smallest: float) -> Floats:
    """v rounded so that x ± h v loses nothing: at x = 1e8 the spacing of float64 is 1.5e-8, and sin'(1e8) sees it."""
    reach = (np.abs(x) + base * np.abs(direction)).astype(x.dtype)
    grid = _spacing(reach) / smallest
    fixed = np.isfinite(grid) & np.isfinite(x)
    return np.where(fixed, np.round(direction / np.where(fixed, grid, 1.0)) * np.where(fixed, grid, 0.0), 0.0)


def _spacing(x: NDArray[Any]) -> Floats:
    if np.issubdtype(x.dtype, np.floating):
        return np.spacing(x).astype(np.float64)
    return epsilon(x.dtype) * np.maximum(np.abs(x.astype(np.float64)), 2.0**-126)


def _differs(y: Floats, f0: Floats) -> NDArray[np.bool_]:
    return (y != f0) & ~(np.isnan(y) & np.isnan(f0))


def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether numbers of this dtype can be differentiated: NumPy's real floats, and bfloat16."""
    return bool(np.issubdtype(dtype, np.floating)) or dtype.name == "bfloat16"


def epsilon(dtype: np.dtype[Any]) -> float:
    """The spacing of the dtype's numbers at 1."""
    return 2.0**-7 if dtype.name == "bfloat16" else float(np.finfo(dtype).eps)
