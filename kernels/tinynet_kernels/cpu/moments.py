"""Mean and variance of many numbers: the corrected two-pass algorithm.

A first pass gives the mean within rounding, `centre`; a second one sums d = x − centre and d². Then mean = centre + Σd / n
and var = Σd² / n − (Σd / n)², where the corrections undo what rounding did to `centre`: a large mean costs no digits.
Sums are of the array's dtype within a block and of float64 across blocks, in a fixed order.

Source: Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American Statistician 37, 1983.
"""

from __future__ import annotations

import numpy as np

from .jit import inner

_BLOCK = 4096  # elements
_ROWS = 64  # rows of a block of columns
_LOW, _HIGH = 1e-30, 1e37  # beyond, the squares of float32 lose digits or overflow

SUMS = ("contract", "reassoc", "nsz")


@inner
def statistics(x, c):  # type: ignore[no-untyped-def]
    """Mean and biased variance of x[:, c, :]; x (N, C, S)."""
    count = x.shape[0] * x.shape[2]
    total = 0.0
    for n in range(x.shape[0]):
        total += line_sum(x[n, c])
    rough = total / count
    centre = x.dtype.type(rough)
    total, square = 0.0, 0.0
    for n in range(x.shape[0]):
        first, second = _line_moments(x[n, c], centre)
        total, square = total + first, square + second
    if not _LOW < square < _HIGH:
        total, square = 0.0, 0.0
        for n in range(x.shape[0]):
            first, second = _wide_moments(x[n, c], np.float64(centre))
            total, square = total + first, square + second
    return combined(total, square, count, rough, np.float64(centre))


@inner
def combined(total, square, count, rough, centre):  # type: ignore[no-untyped-def]
    """Mean and variance from Σd and Σd² around `centre`."""
    if not np.isfinite(total):
        return rough, np.nan
    offset = total / count
    return centre + offset, max(square / count - offset * offset, 0.0)


@inner(fastmath=SUMS)
def line_sum(line):  # type: ignore[no-untyped-def]
    """Σ x of a 1-D array."""
    result = 0.0
    for lo in range(0, line.size, _BLOCK):
        part = line[lo : lo + _BLOCK]
        total = line.dtype.type(0)
        for i in range(part.size):
            total += part[i]
        result += total
    return result


@inner(fastmath=SUMS)
def mean_square(line):  # type: ignore[no-untyped-def]
    """Σ x² / n of a 1-D array."""
    result = _line_moments(line, line.dtype.type(0))[1]
    if not _LOW < result < _HIGH:
        result = _wide_moments(line, 0.0)[1]
    return result / line.size


@inner(fastmath=SUMS)
def _line_moments(line, centre):  # type: ignore[no-untyped-def]
    first, second = 0.0, 0.0
    for lo in range(0, line.size, _BLOCK):
        part = line[lo : lo + _BLOCK]
        total, square = line.dtype.type(0), line.dtype.type(0)
        for i in range(part.size):
            d = part[i] - centre
            total += d
            square += d * d
        first += total
        second += square
    return first, second


@inner(fastmath=SUMS)
def _wide_moments(line, centre):  # type: ignore[no-untyped-def]
    total, square = 0.0, 0.0
    for i in range(line.size):
        d = line[i] - centre
        total += d
        square += d * d
    return total, square


@inner(fastmath=SUMS)
def line_products(dy, x, centre):  # type: ignore[no-untyped-def]
    """Σ dy and Σ dy · (x − centre) of two 1-D arrays."""
    first, second = 0.0, 0.0
    for lo in range(0, x.size, _BLOCK):
        left, right = dy[lo : lo + _BLOCK], x[lo : lo + _BLOCK]
        total, product = x.dtype.type(0), x.dtype.type(0)
        for i in range(left.size):
            total += left[i]
            product += left[i] * (right[i] - centre)
        first += total
        second += product
    return first, second


@inner
def column_statistics(x, lo, hi, size, mean, var):  # type: ignore[no-untyped-def]
    """Mean and biased variance of the channels lo … hi − 1 of x (N, C · size), `size` columns each, into mean and var."""
    columns = slice(lo * size, hi * size)
    width = (hi - lo) * size
    centre = np.zeros(width, x.dtype)
    totals, squares = column_moments(x, columns, centre)
    count = x.shape[0] * size
    rough = np.empty(hi - lo, np.float64)
    for k in range(hi - lo):
        rough[k] = totals[k * size : (k + 1) * size].sum() / count
        centre[k * size : (k + 1) * size] = rough[k]
    totals, squares = column_moments(x, columns, centre)
    for k in range(hi - lo):
        part = slice(k * size, (k + 1) * size)
        total, square = totals[part].sum(), squares[part].sum()
        if not _LOW < square < _HIGH:
            total, square = 0.0, 0.0
            for n in range(x.shape[0]):
                first, second = _wide_moments(x[n, (lo + k) * size : (lo + k + 1) * size], np.float64(centre[k * size]))
                total, square = total + first, square + second
        mean[lo + k], var[lo + k] = combined(total, square, count, rough[k], np.float64(centre[k * size]))


@inner
def column_moments(x, columns, centre):  # type: ignore[no-untyped-def]
    """Σd and Σd² of each column, float64; sums of the array's dtype within 64 rows."""
    width = centre.size
    totals, squares = np.zeros(width, np.float64), np.zeros(width, np.float64)
    total, square = np.zeros(width, x.dtype), np.zeros(width, x.dtype)
    for n in range(x.shape[0]):
        _add_moments(x[n, columns], centre, total, square)
        if n % _ROWS == _ROWS - 1 or n == x.shape[0] - 1:
            _flush(total, totals)
            _flush(square, squares)
    return totals, squares


@inner
def _add_moments(line, centre, total, square):  # type: ignore[no-untyped-def]
    for j in range(line.size):
        d = line[j] - centre[j]
        total[j] += d
        square[j] += d * d


@inner
def column_products(dy, x, columns, centre):  # type: ignore[no-untyped-def]
    """Σ dy and Σ dy · (x − centre) of each column, as `column_moments`."""
    width = centre.size
    totals, products = np.zeros(width, np.float64), np.zeros(width, np.float64)
    total, product = np.zeros(width, x.dtype), np.zeros(width, x.dtype)
    for n in range(x.shape[0]):
        _add_products(dy[n, columns], x[n, columns], centre, total, product)
        if n % _ROWS == _ROWS - 1 or n == x.shape[0] - 1:
            _flush(total, totals)
            _flush(product, products)
    return totals, products


@inner
def _add_products(grad, line, centre, total, product):  # type: ignore[no-untyped-def]
    for j in range(line.size):
        total[j] += grad[j]
        product[j] += grad[j] * (line[j] - centre[j])


@inner
def _flush(part, whole):  # type: ignore[no-untyped-def]
    for j in range(part.size):
        whole[j] += part[j]
        part[j] = 0
