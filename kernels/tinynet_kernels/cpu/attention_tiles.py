"""What forward and backward of attention share: blocks of scores, and products that skip what is masked.

Scores are worked on transposed, (keys, queries): a block has `QUERIES` columns and up to `KEYS` rows. So the queries
lie along vectors, the largest and the sum over keys need no work across a vector, and neither keys nor values have to
be packed. `skew` is the first key of a block minus its first query: under a causal mask key i counts for the columns
from skew + i on; −∞ (`FREE`) where there is no such mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .arrays import Array, contiguous
from .attention_vectors import LOG2E, QUERIES
from .gemm import ROWS, make_product_tile, outer_vectors
from .jit import inner
from .memory import empty
from .random import philox_blocks
from .simd import lanes, transpose

KEYS = 128
HEIGHT = ROWS[0]
FREE = -(1 << 40)

_rows_1, _rows_2, _rows_3 = (make_product_tile(HEIGHT, n, columns=False, add=False) for n in (1, 2, 3))
_more_rows_1, _more_rows_2, _more_rows_3 = (make_product_tile(HEIGHT, n, columns=False, add=True) for n in (1, 2, 3))
_columns_1, _columns_2, _columns_3 = (make_product_tile(HEIGHT, n, columns=True, add=True) for n in (1, 2, 3))


@inner
def scores(m, vectors, depth, a, ao, lda, b, bo, c, lane, skew):  # type: ignore[no-untyped-def]
    """c (m, queries) = A B, A (m, depth) by rows, B (depth, queries); vectors that are masked throughout stay as they are."""
    for i in range(0, m, HEIGHT):
        v = max(0, skew + i) // lane
        while v < vectors:
            n = outer_vectors(vectors - v)
            args = (m - i, depth, a, ao + i * lda, lda, b, bo + v * lane, QUERIES, c, i * QUERIES + v * lane, QUERIES)
            if n == 3:
                _rows_3(*args)
            elif n == 2:
                _rows_2(*args)
            else:
                _rows_1(*args)
            v += n


@inner
def add_over_queries(m, vectors, depth, a, b, bo, ldb, c, co, ldc, lane, skew):  # type: ignore[no-untyped-def]
    """C (m, vectors) += A B, A (m, queries) a block of scores by rows, B (depth, vectors)."""
    for i in range(0, m, HEIGHT):
        first = max(0, skew + i)
        v = 0
        while v < vectors and first < depth:
            n = outer_vectors(vectors - v)
            args = (
                m - i, depth - first, a, i * QUERIES + first, QUERIES, b, bo + first * ldb + v * lane, ldb,
                c, co + i * ldc + v * lane, ldc,
            )  # fmt: skip
            if n == 3:
                _more_rows_3(*args)
            elif n == 2:
                _more_rows_2(*args)
            else:
                _more_rows_1(*args)
            v += n


@inner
def add_over_keys(m, vectors, depth, a, b, bo, ldb, c, ldc, lane, skew):  # type: ignore[no-untyped-def]
    """C (m, vectors) += Aᵀ B, A (depth, queries) a block of scores, B (depth, vectors)."""
    for i in range(0, m, HEIGHT):
        some = min(depth, i + HEIGHT - skew)
        v = 0
        while v < vectors and some > 0:
            n = outer_vectors(vectors - v)
            args = (m - i, some, a, i, QUERIES, b, bo + v * lane, ldb, c, i * ldc + v * lane, ldc)
            if n == 3:
                _columns_3(*args)
            elif n == 2:
                _columns_2(*args)
            else:
                _columns_1(*args)
            v += n


@inner
def turned(x, xo, ldx, rows, columns, scale, y, lane):  # type: ignore[no-untyped-def]
    """y (columns, queries) = scale · xᵀ, of x (rows, columns); zeros up to the next vector of queries."""
    for i in range(0, rows, lane):
        for j in range(0, columns, lane):
            transpose(
                x,
                xo + i * ldx + j if i < rows else xo,
                ldx,
                max(0, min(lane, rows - i)),
                lane,
                y,
                j * QUERIES + i,
                QUERIES,
            )
    factor = y.dtype.type(scale)
    if factor != 1:
        line = y[: columns * QUERIES]
        for i in range(line.size):
            line[i] *= factor


@inner
def add_mask(s, rows, columns, mask, mo, along_q, along_k):  # type: ignore[no-untyped-def]
    """s (keys, queries) += the mask (queries, keys) with these strides, in units of log 2."""
    unit = s.dtype.type(LOG2E)
    if along_q == 0:
        for i in range(rows):
            line, value = s[i * QUERIES : (i + 1) * QUERIES], unit * mask[mo + i * along_k]
            for j in range(QUERIES):
                line[j] += value
    else:
        for j in range(columns):
            for i in range(rows):
                s[i * QUERIES + j] += unit * mask[mo + j * along_q + i * along_k]


@inner
def fill_masked(s, rows, skew, value):  # type: ignore[no-untyped-def]
    """The columns below skew + i of row i."""
    for i in range(max(0, 1 - skew), rows):
        line = s[i * QUERIES : i * QUERIES + min(QUERIES, skew + i)]
        for j in range(line.size):
            line[j] = value


@inner
def keep(keys, first, across, columns, rows, least, scale, words, f):  # type: ignore[no-untyped-def]
    """f (keys, queries) = scale where the random word is at least `least`, else 0.

    Query j's words begin at block first + j·across of the stream, four words a block.
    """
    local = np.empty(4, np.uint64)
    local[0], local[1] = keys[0], keys[1]
    zero = f.dtype.type(0)
    for j in range(columns):
        start = np.uint64(first + j * across)
        local[2] = keys[2] + start
        local[3] = keys[3] + np.uint64(local[2] < start)
        philox_blocks(local, np.uint64(0), np.uint64((rows + 3) // 4), words)
        for i in range(rows):
            f[i * QUERIES + j] = scale if words[i // 4, i % 4] >= least else zero


# what the launchers share


class Rows:
    """An array (…, n, width) broadcast to leading axes, as a flat one with the place of each matrix in it.

    flat     one-dimensional, over the array's own memory where that lies so that numbers of a row follow each other
    step     from row to row
    stride   from matrix to matrix, or None where that is not one number: then there are `offsets`
    """

    def __init__(self, x: Array, batch: tuple[int, ...], width: int) -> None:
        if width != x.shape[-1]:
            x = padded(x, width)
        self.stride: int | None = None
        if x.flags.carray and x.shape[:-2] == batch:
            self.flat, self.step, self.stride = x.reshape(-1), width, x.shape[-2] * width
            return
        size = x.itemsize
        if not x.flags.carray and x.size and x.strides[-1] == size and x.flags.behaved and _regular(x):
            span = 1 + sum((n - 1) * s // size for n, s in zip(x.shape, x.strides, strict=True))
            self.flat = as_strided(x, (span,), (size,))
        else:
            x = contiguous(x)
            self.flat = x.reshape(-1)
        self.step = x.strides[-2] // size
        lead = (1,) * (len(batch) - x.ndim + 2) + x.shape[:-2]
        steps = (0,) * (len(batch) - x.ndim + 2) + x.strides[:-2]
        self.offsets = np.zeros(1, np.int64)
        for n, own, step in zip(batch, lead, steps, strict=True):
            places = np.arange(n) * (step // size if own > 1 else 0)
            self.offsets = (self.offsets[:, None] + places).reshape(-1)


def table(items: int, *arrays: Rows) -> Array:
    """For each matrix of the batch (a row) its place in each array (a column)."""
    out = np.multiply.outer(np.arange(items), [r.stride or 0 for r in arrays])
    for i, r in enumerate(arrays):
        if r.stride is None:
            out[:, i] = r.offsets
    return out


def _regular(x: Array) -> bool:
    return all(s >= 0 and s % x.itemsize == 0 for s in x.strides)


def padded(x: Array, width: int) -> Array:
    """x with zeros behind its rows."""
    y = empty((*x.shape[:-1], width), x.dtype)
    y[..., : x.shape[-1]] = x
    y[..., x.shape[-1] :] = 0
    return y


def like(x: Array, shape: tuple[int, ...]) -> Array:
    """A new array whose axes lie in memory in the order of x's."""
    if x.ndim != len(shape) or x.flags.c_contiguous:
        return empty(shape, x.dtype)
    order = [*sorted(range(x.ndim - 1), key=lambda i: -x.strides[i]), x.ndim - 1]
    back = [order.index(i) for i in range(x.ndim)]
    return empty(tuple(shape[i] for i in order), x.dtype).transpose(back)


def whole(width: int, dtype: Any) -> int:
    """`width` rounded up to vectors, one at least."""
    n = lanes(dtype)
    return max(1, -(-width // n)) * n


def mask_rows(mask: Array | None, batch: tuple[int, ...], like: Rows) -> tuple[Rows, Array, int, int]:
    """A mask broadcastable to (*batch, L, S), its numbers, and its strides along queries and keys; none: of no numbers."""
    if mask is None:
        return like, like.flat[:0], 0, 0
    mask = mask.reshape((1,) * (2 - mask.ndim) + mask.shape)
    rows = Rows(mask, batch, mask.shape[-1])
    return rows, rows.flat, rows.step if mask.shape[-2] > 1 else 0, 1 if mask.shape[-1] > 1 else 0


def dropout_table(dropout: tuple[int, int, int, float] | None) -> tuple[Array, Any, float]:
    """The generator's key and counter, the least word that is kept, and what is kept is multiplied by."""
    if dropout is None:
        return np.empty(0, np.uint64), np.uint32(0), 1.0
    key, counter, least, p = dropout
    words = [key & 0xFFFFFFFF, key >> 32 & 0xFFFFFFFF, counter & (2**64 - 1), counter >> 64 & (2**64 - 1)]
    least = min(least, 2**32 - 1)  # beyond it nothing is kept, and what is "kept" is multiplied by 0
    return np.array(words, np.uint64), np.uint32(least), 0.0 if p == 1 else 1.0 / (1.0 - p)
