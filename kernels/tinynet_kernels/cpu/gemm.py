"""Products in registers: tiles of accumulators, emitted instruction by instruction.

LLVM does not keep a tile of accumulators in registers over a reduction, which is where products and convolutions get
their speed. Two tiles serve both, and a third plain products of blocks:

    dot_tile    t[i, v] = Σ_k a[k, i] · x[base[v] + offset[k]]    vectors along pixels (or columns)
    outer_tile  t[i, v] += Σ_p x[base[i] + p] · b[p, v]           vectors along channels
    tap_tile    t[i] += Σ_p x[base[i] + p] · y[p]                 vectors along pixels, summed in lanes
    product     c[i, v] (+)= Σ_k a[i, k] · b[k, v]                a by rows or by columns

Nothing here checks bounds: a tile reads whole vectors.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from .jit import inner
from .simd import I64, Emitter, emitted, width

ROWS = (8, 4, 2, 1) if width() != 8 else (4, 2, 1)
"""Heights of tiles: the highest keeps 3 vectors a row in 32 (AVX-512, NEON) or 16 (AVX) registers."""
VECTORS = 3
"""Vectors in a row of a tile."""


def split_rows(n: int) -> list[int]:
    """`n` rows as tile heights, the highest first."""
    heights = []
    for height in ROWS:
        heights += [height] * (n // height)
        n %= height
    return heights


def make_dot_tile(rows: int, vectors: int = VECTORS) -> Any:
    """t[to + i·ldt, v] = init[io + i] + Σ_k a[ao + k·rows + i] · x[b_v + offsets[oo + k]], k < count."""

    @emitted
    def tile(typingctx, a, ao, offsets, oo, count, x, b0, b1, b2, init, io, t, to, ldt):  # type: ignore[no-untyped-def]
        signature = types.void(a, ao, offsets, oo, count, x, b0, b1, b2, init, io, t, to, ldt)

        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            e = Emitter(context, builder, signature, args)
            vector = e.vector_type(5)
            weights, table = e.data(0, e.number(1)), e.data(2, e.number(3))
            bases = [e.data(5, e.number(6 + v)) for v in range(vectors)]
            first = e.data(9, e.number(10))
            begin = [e.splat(builder.load(builder.gep(first, [ir.Constant(I64, i)])), vector) for i in range(rows)]

            def body(k, acc):  # type: ignore[no-untyped-def]
                offset = builder.load(builder.gep(table, [k]))
                xs = [e.load(builder.gep(base, [offset]), vector) for base in bases]
                first = builder.mul(k, ir.Constant(I64, rows))
                new = []
                for i in range(rows):
                    w = builder.load(builder.gep(weights, [builder.add(first, ir.Constant(I64, i))]))
                    w = e.splat(w, vector)
                    new += [e.fma(w, xs[v], acc[i * vectors + v]) for v in range(vectors)]
                return new

            sums = e.loop(e.number(4), [begin[i // vectors] for i in range(rows * vectors)], body)
            target = e.data(11, e.number(12))
            for i, total in enumerate(sums):
                line = builder.gep(target, [builder.mul(e.number(13), ir.Constant(I64, i // vectors))])
                e.store(total, builder.gep(line, [ir.Constant(I64, i % vectors * vector.count)]))
            return context.get_dummy_value()

        return signature, codegen

    return tile


def make_outer_tile(rows: int, vectors: int) -> Any:
    """t[to + i·ldt, v] += Σ_{r, q} x[xo + offsets[oo + i] + r·line + q] · b[bo + (r·size + q)·ldb, v], r < lines, q < size."""

    @emitted
    def tile(typingctx, x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt):  # type: ignore[no-untyped-def]
        signature = types.void(x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt)

        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            e = Emitter(context, builder, signature, args)
            vector = e.vector_type(7)
            table, origin, size, ldb = e.data(2, e.number(3)), e.number(1), e.number(5), e.number(9)
            pointers = []
            for i in range(rows):
                offset = builder.load(builder.gep(table, [ir.Constant(I64, i)]))
                pointers.append(e.data(0, builder.add(origin, offset)))
            columns = e.data(7, e.number(8))
            zero = ir.Constant(vector, [0.0] * vector.count)

            def across(r, outer):  # type: ignore[no-untyped-def]
                start = builder.mul(r, e.number(6))
                first = builder.mul(r, size)

                def along(q, acc):  # type: ignore[no-untyped-def]
                    place = builder.gep(columns, [builder.mul(builder.add(first, q), ldb)])
                    bs = [
                        e.load(builder.gep(place, [ir.Constant(I64, v * vector.count)]), vector) for v in range(vectors)
                    ]
                    at, new = builder.add(start, q), []
                    for i in range(rows):
                        value = e.splat(builder.load(builder.gep(pointers[i], [at])), vector)
                        new += [e.fma(value, bs[v], acc[i * vectors + v]) for v in range(vectors)]
                    return new

                return e.loop(size, outer, along)

            sums = e.loop(e.number(4), [zero] * (rows * vectors), across)
            target, ldt = e.data(10, e.number(11)), e.number(12)
            for i in range(rows):
                for v in range(vectors):
                    place = builder.gep(
                        target, [builder.add(builder.mul(ldt, ir.Constant(I64, i)), ir.Constant(I64, v * vector.count))]
                    )
                    e.store(builder.fadd(e.load(place, vector), sums[i * vectors + v]), place)
            return context.get_dummy_value()

        return signature, codegen

    return tile


def make_product_tile(rows: int, vectors: int, columns: bool, add: bool, far: bool = False) -> Any:
    """c[co + i·ldc, v] (+)= Σ_k a[i, k] · b[bo + k·ldb, v], k < depth, for the first `count` rows, and no others.

    a[i, k] is a[ao + i·lda + k], or with `columns` a[ao + k·lda + i], of which `rows` are read at every k. `far`: c is not
    in a near cache, and is fetched while the sums are made.
    """

    @emitted
    def tile(typingctx, count, depth, a, ao, lda, b, bo, ldb, c, co, ldc):  # type: ignore[no-untyped-def]
        signature = types.void(count, depth, a, ao, lda, b, bo, ldb, c, co, ldc)

        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            e = Emitter(context, builder, signature, args)
            vector = e.vector_type(8)
            count, lda, ldb, ldc = (e.number(i) for i in (0, 4, 7, 10))
            first, source, target = e.data(2, e.number(3)), e.data(5, e.number(6)), e.data(8, e.number(9))
            inside = [builder.icmp_signed("<", ir.Constant(I64, i), count) for i in range(rows)]
            lines = []  # a row that is not there reads the first one
            for i in range(0 if columns else rows):
                place = builder.mul(lda, ir.Constant(I64, i))
                lines.append(builder.gep(first, [builder.select(inside[i], place, ir.Constant(I64, 0))]))

            def body(k, acc):  # type: ignore[no-untyped-def]
                line = builder.gep(source, [builder.mul(k, ldb)])
                bs = [e.load(builder.gep(line, [ir.Constant(I64, v * vector.count)]), vector) for v in range(vectors)]
                column = builder.gep(first, [builder.mul(k, lda)]) if columns else None
                new = []
                for i in range(rows):
                    place = builder.gep(column, [ir.Constant(I64, i)]) if columns else builder.gep(lines[i], [k])
                    value = e.splat(builder.load(place), vector)
                    new += [e.fma(value, bs[v], acc[i * vectors + v]) for v in range(vectors)]
                return new

            for i in range(rows if far else 0):
                line = builder.gep(target, [builder.mul(ldc, ir.Constant(I64, i))])
                for v in range(vectors):
                    e.prefetch(builder.gep(line, [ir.Constant(I64, v * vector.count)]))
            zero = ir.Constant(vector, [0.0] * vector.count)
            sums = e.loop(e.number(1), [zero] * (rows * vectors), body)
            for i in range(rows):
                with builder.if_then(inside[i]):
                    line = builder.gep(target, [builder.mul(ldc, ir.Constant(I64, i))])
                    for v in range(vectors):
                        place = builder.gep(line, [ir.Constant(I64, v * vector.count)])
                        total = sums[i * vectors + v]
                        e.store(builder.fadd(e.load(place, vector), total) if add else total, place)
            return context.get_dummy_value()

        return signature, codegen

    return tile


TAPS = 5
"""Taps that `tap_tile` takes at once: 9, 25, 27 and 49 leave few of them idle."""


@emitted
def tap_tile(typingctx, x, xo, offsets, oo, lines, size, line, y, yo, t, to):  # type: ignore[no-untyped-def]
    """t[to + i·lanes + l] += Σ_{r < lines, v} x[xo + offsets[oo + i] + r·line + p] · y[yo + r·size + p], p = v·lanes + l."""
    signature = types.void(x, xo, offsets, oo, lines, size, line, y, yo, t, to)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector = e.vector_type(0)
        table, right, size = e.data(2, e.number(3)), e.data(7, e.number(8)), e.number(5)
        offsets = [builder.load(builder.gep(table, [ir.Constant(I64, i)])) for i in range(TAPS)]
        pointers = [e.data(0, builder.add(e.number(1), offset)) for offset in offsets]
        places = [e.data(9, builder.add(e.number(10), ir.Constant(I64, i * vector.count))) for i in range(TAPS)]

        def across(r, outer):  # type: ignore[no-untyped-def]
            start, first = builder.mul(r, e.number(6)), builder.mul(r, size)

            def along(v, acc):  # type: ignore[no-untyped-def]
                p = builder.mul(v, ir.Constant(I64, vector.count))
                left = builder.sub(size, p)
                ys = e.load_some(builder.gep(right, [builder.add(first, p)]), vector, left)
                at = [builder.gep(pointer, [builder.add(start, p)]) for pointer in pointers]
                return [e.fma(e.load_some(a, vector, left), ys, total) for a, total in zip(at, acc, strict=True)]

            return e.loop(e.vectors_of(size, vector), outer, along)

        sums = e.loop(e.number(4), [e.load(place, vector) for place in places], across)
        for place, total in zip(places, sums, strict=True):
            e.store(total, place)
        return context.get_dummy_value()

    return signature, codegen


_dot_8x3, _dot_8x2, _dot_8x1 = (make_dot_tile(8, vectors) for vectors in (3, 2, 1))
_dot_4x3, _dot_4x1, _dot_2x3, _dot_1x3 = (make_dot_tile(*size) for size in ((4, 3), (4, 1), (2, 3), (1, 3)))
_outer_1, _outer_2, _outer_3 = (make_outer_tile(ROWS[0], vectors) for vectors in (1, 2, 3))
_outer_4x3, _outer_2x3, _outer_1x3 = (make_outer_tile(rows, 3) for rows in (4, 2, 1))


@inner
def dot_tile(rows, vectors, a, ao, offsets, oo, count, x, b0, b1, b2, init, io, t, to, ldt):  # type: ignore[no-untyped-def]
    """See `make_dot_tile`: rows 8, 4, 2 or 1; a tile may compute, and store, up to 3 vectors where fewer are asked for."""
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
    """See `make_outer_tile`: as many rows as the highest tile has."""
    if vectors == 3:
        _outer_3(x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt)
    elif vectors == 2:
        _outer_2(x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt)
    else:
        _outer_1(x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt)


@inner
def outer_rows(rows, vectors, x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt):  # type: ignore[no-untyped-def]
    """`outer_tile` of any height in ROWS; the lower ones compute, and add to, 3 vectors where fewer are asked for."""
    if rows == ROWS[0]:
        outer_tile(vectors, x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt)
    elif rows == 4:
        _outer_4x3(x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt)
    elif rows == 2:
        _outer_2x3(x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt)
    else:
        _outer_1x3(x, xo, offsets, oo, lines, size, line, b, bo, ldb, t, to, ldt)
