"""The register tiles that convolutions use, chosen by their size at run time."""

from __future__ import annotations

from . import simd
from .jit import inner

_dot = {(rows, vectors): simd.dot_tile(rows, vectors) for rows in (8, 4, 2, 1) for vectors in (3, 2, 1)}
_dot_8x3, _dot_8x2, _dot_8x1 = _dot[8, 3], _dot[8, 2], _dot[8, 1]
_dot_4x3, _dot_4x1, _dot_2x3, _dot_1x3 = _dot[4, 3], _dot[4, 1], _dot[2, 3], _dot[1, 3]
_outer_1, _outer_2, _outer_3 = (simd.outer_tile(simd.ROWS[0], vectors) for vectors in (1, 2, 3))


@inner
def dot_tile(rows, vectors, a, ao, offsets, oo, count, x, b0, b1, b2, init, io, t, to, ldt):  # type: ignore[no-untyped-def]
    """See `simd.dot_tile`: rows 8, 4, 2 or 1; a tile may compute, and store, up to 3 vectors where fewer are asked for."""
    if rows == 8:
        if vectors == 3:
            _dot_8x3(a, ao, offsets, oo, count, x, b0, b1, b2, init, io, t, to, ldt)
        elif vectors == 2:
            _dot_8x2(a, ao, offsets, oo, count, x, b0, b1, b2, init, io, t, to, ldt)
        else:
            _dot_8x1(a, ao, offsets, oo, count, x, b0, b1, b2, init, io, t, to, ldt)
    elif rows == 4:
        if vectors > 1:
            _dot_4x3(a, ao, offsets, oo, count, x, b0, b1, b2, init, io, t, to, ldt)
        else:
            _dot_4x1(a, ao, offsets, oo, count, x, b0, b1, b2, init, io, t, to, ldt)
    elif rows == 2:
        _dot_2x3(a, ao, offsets, oo, count, x, b0, b1, b2, init, io, t, to, ldt)
    else:
        _dot_1x3(a, ao, offsets, oo, count, x, b0, b1, b2, init, io, t, to, ldt)


@inner
def outer_vectors(left):  # type: ignore[no-untyped-def]
    """How many of `left` vectors the next tile takes: 3, 2 or 1, and of 4 rather 2 and 2 than 3 and 1."""
    return min(left, 2 if left == 4 else 3)


@inner
def outer_tile(vectors, x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt):  # type: ignore[no-untyped-def]
    """See `simd.outer_tile`: as many rows as the highest tile has."""
    if vectors == 3:
        _outer_3(x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt)
    elif vectors == 2:
        _outer_2(x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt)
    else:
        _outer_1(x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt)
