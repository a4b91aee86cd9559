"""Mean and variance of many numbers.

With d = x − centre, mean = centre + Σd / n and var = Σd² / n − (Σd / n)². The first centre is one of the numbers; if it
lies more than two standard deviations from the mean, a second pass takes the mean found. So a large mean costs no
digits, and most data are read once. Columns, of which one far off costs all of a block a second pass, begin with the
mean of a few numbers. Sums are of the array's dtype within a block and of float64 across blocks, in a fixed order;
where the squares would leave the range of float32, all is float64.

Source: Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American Statistician 37, 1983.
"""

from __future__ import annotations

import numpy as np

from .jit import inner

_BLOCK = 4096  # elements
_ROWS = 64  # rows of a block of columns
_FIRST = 8  # numbers in the first centre of a column
_NEAR = 0.8  # of Σd², the part that (Σd)² / n may be: Σd² = n·(var + offset²), so offset² < 4·var
_LOW, _HIGH = 1e-30, 1e37  # beyond, the squares of float32 lose digits or overflow

SUMS = ("contract", "reassoc", "nsz")


@inner(inline=True)
def statistics(x, c):  # type: ignore[no-untyped-def]
    """Mean and biased variance of x[:, c, :]; x (N, C, S)."""
    count = x.shape[0] * x.shape[2]
    share = 1.0 / count
    centre = x[0, c, 0]
    total, square = 0.0, 0.0
    for attempt in range(2):  # one place that calls: compiled into this function
        total, square = _moments(x, c, centre)
        if attempt == 1 or total * total * share <= square * _NEAR:
            break
        centre = x.dtype.type(centre + total * share)
    if not _LOW < square < _HIGH:
        return _wide_statistics(x, c, np.float64(centre), count)
    offset = total * share
    return centre + offset, max(square * share - offset * offset, 0.0)


@inner
def _wide_statistics(x, c, centre, count):  # type: ignore[no-untyped-def]
    """The same in float64, where squares leave the range of float32; of elements that are not finite, the mean is
    what their sum is, ±inf or NaN, and the variance NaN."""
    offset = 0.0
    if not np.isfinite(centre):
        centre = 0.0
    for _ in range(2):
        total, square = 0.0, 0.0
        centre += offset
        for n in range(x.shape[0]):
            first, second = _wide_moments(x, n, c, centre)
            total, square = total + first, square + second
        offset = total / count
        if not np.isfinite(offset):
            return offset, np.nan
    return centre + offset, max(square / count - offset * offset, 0.0)


@inner(inline=True)
def _moments(x, c, centre):  # type: ignore[no-untyped-def]
    total, square = 0.0, 0.0
    for n in range(x.shape[0]):
        first, second = _line_moments(x, n, c, centre)
        total, square = total + first, square + second
    return total, square


@inner(inline=True)
def mean_square(x, r):  # type: ignore[no-untyped-def]
    """Σ x² / n of x[0, r, :]."""
    square = _squares(x, r)
    if not _LOW < square < _HIGH:
        square = _wide_moments(x, 0, r, 0.0)[1]
    return square / x.shape[2]


@inner(fastmath=SUMS, inline=True)
def line_sum(x, r, begin, end):  # type: ignore[no-untyped-def]
    """Σ x[r, begin:end]."""
    result, last = 0.0, np.uintp(end)
    for lo in range(np.uintp(begin), last, np.uintp(_BLOCK)):
        total = x.dtype.type(0)
        for i in range(min(np.uintp(_BLOCK), last - lo)):
            total += x[r, lo + i]
        result += total
    return result


@inner(fastmath=SUMS, inline=True)
def _squares(x, r):  # type: ignore[no-untyped-def]
    result, size = 0.0, np.uintp(x.shape[2])
    for lo in range(np.uintp(0), size, np.uintp(_BLOCK)):
        square = x.dtype.type(0)
        for i in range(min(np.uintp(_BLOCK), size - lo)):
            square += x[0, r, lo + i] * x[0, r, lo + i]
        result += square
    return result


@inner(fastmath=SUMS, inline=True)
def _line_moments(x, n, c, centre):  # type: ignore[no-untyped-def]
    first, second, size = 0.0, 0.0, np.uintp(x.shape[2])
    for lo in range(np.uintp(0), size, np.uintp(_BLOCK)):
        total, square = x.dtype.type(0), x.dtype.type(0)
        for i in range(min(np.uintp(_BLOCK), size - lo)):
            d = x[n, c, lo + i] - centre
            total += d
            square += d * d
        first += total
        second += square
    return first, second


@inner(fastmath=SUMS, inline=True)
def _wide_moments(x, n, c, centre):  # type: ignore[no-untyped-def]
    total, square = 0.0, 0.0
    for i in range(x.shape[2]):
        d = x[n, c, i] - centre
        total += d
        square += d * d
    return total, square


@inner(fastmath=SUMS, inline=True)
def line_products(dy, x, n, c, centre):  # type: ignore[no-untyped-def]
    """Σ dy and Σ dy · (x − centre) of dy[n, c, :] and x[n, c, :]."""
    first, second, size = 0.0, 0.0, np.uintp(x.shape[2])
    for lo in range(np.uintp(0), size, np.uintp(_BLOCK)):
        total, product = x.dtype.type(0), x.dtype.type(0)
        for i in range(min(np.uintp(_BLOCK), size - lo)):
            total += dy[n, c, lo + i]
            product += dy[n, c, lo + i] * (x[n, c, lo + i] - centre)
        first += total
        second += product
    return first, second


@inner(fastmath=SUMS, inline=True)
def scaled_line_products(dy, x, n, c, centre, factor, dx):  # type: ignore[no-untyped-def]
    """As `line_products`, and dx = factor · dy."""
    first, second, size = 0.0, 0.0, np.uintp(x.shape[2])
    for lo in range(np.uintp(0), size, np.uintp(_BLOCK)):
        total, product = x.dtype.type(0), x.dtype.type(0)
        for i in range(min(np.uintp(_BLOCK), size - lo)):
            dx[n, c, lo + i] = factor * dy[n, c, lo + i]
            total += dy[n, c, lo + i]
            product += dy[n, c, lo + i] * (x[n, c, lo + i] - centre)
        first += total
        second += product
    return first, second


@inner
def column_statistics(x, lo, hi, size, mean, var):  # type: ignore[no-untyped-def]
    """Mean and biased variance of the channels lo … hi − 1 of x (N, C, size), into mean and var."""
    width = (hi - lo) * size
    rows = x.reshape(x.shape[0], x.shape[1] * size)
    count = x.shape[0] * size
    centre = np.empty(width, x.dtype)
    first = min(x.shape[0], _FIRST)
    for k in range(hi - lo):
        start = 0.0
        for n in range(first):
            start += x[n, lo + k, 0]
        centre[k * size : (k + 1) * size] = x.dtype.type(start / first)
    totals, squares = np.empty(width, np.float64), np.empty(width, np.float64)
    for attempt in range(2):
        column_moments(rows, lo * size, centre, totals, squares)
        near = True
        for k in range(hi - lo):
            offset, square = part_sum(totals, k, size) / count, part_sum(squares, k, size)
            mean[lo + k] = centre[k * size] + offset
            var[lo + k] = max(square / count - offset * offset, 0.0)
            if not _LOW < square < _HIGH:
                mean[lo + k], var[lo + k] = _wide_statistics(x, lo + k, np.float64(centre[k * size]), count)
            elif attempt == 0 and offset * offset * count > square * _NEAR:
                centre[k * size : (k + 1) * size] = x.dtype.type(mean[lo + k])
                near = False
        if near:
            break


@inner
def part_sum(x, k, size):  # type: ignore[no-untyped-def]
    """Σ x[k · size : (k + 1) · size], in order."""
    total = 0.0
    for i in range(k * size, (k + 1) * size):
        total += x[i]
    return total


@inner
def column_moments(x, begin, centre, totals, squares):  # type: ignore[no-untyped-def]
    """Σd and Σd² of the columns from `begin` on, float64; sums of the array's dtype within 64 rows."""
    totals.fill(0)
    squares.fill(0)
    total, square = np.zeros(centre.size, x.dtype), np.zeros(centre.size, x.dtype)
    lo = np.uintp(begin)
    for n in range(0, x.shape[0] - 1, 2):
        _add_two(x, np.uintp(n), lo, centre, total, square)
        if n % _ROWS == _ROWS - 2:
            _flush(total, totals)
            _flush(square, squares)
    if x.shape[0] % 2:
        _add_one(x, x.shape[0] - 1, lo, centre, total, square)
    _flush(total, totals)
    _flush(square, squares)


@inner
def _add_two(x, n, lo, centre, total, square):  # type: ignore[no-untyped-def]
    for j in range(np.uintp(centre.size)):
        one, two = x[n, lo + j] - centre[j], x[n + 1, lo + j] - centre[j]
        total[j] += one + two
        square[j] = (square[j] + one * one) + two * two  # an order that leaves no choice of what to fuse


@inner
def _add_one(x, n, lo, centre, total, square):  # type: ignore[no-untyped-def]
    for j in range(np.uintp(centre.size)):
        d = x[n, lo + j] - centre[j]
        total[j] += d
        square[j] += d * d


@inner
def column_products(dy, x, begin, centre):  # type: ignore[no-untyped-def]
    """Σ dy and Σ dy · (x − centre) of the columns from `begin` on, as `column_moments`."""
    totals, products = np.zeros(centre.size, np.float64), np.zeros(centre.size, np.float64)
    total, product = np.zeros(centre.size, x.dtype), np.zeros(centre.size, x.dtype)
    lo = np.uintp(begin)
    for n in range(x.shape[0]):
        for j in range(np.uintp(centre.size)):
            total[j] += dy[n, lo + j]
            product[j] += dy[n, lo + j] * (x[n, lo + j] - centre[j])
        if n % _ROWS == _ROWS - 1 or n == x.shape[0] - 1:
            _flush(total, totals)
            _flush(product, products)
    return totals, products


@inner
def _flush(part, whole):  # type: ignore[no-untyped-def]
    for j in range(part.size):
        whole[j] += part[j]
        part[j] = 0
