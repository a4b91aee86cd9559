"""The transforms of Winograd's convolution (see conv_winograd.py), on vectors of tiles; emitted as in simd.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from .simd import I64, Emitter, emitted


def _spread(rows: list[list[Any]], combine: Callable[[list[Any]], list[Any]]) -> list[list[Any]]:
    """`combine` along the columns, then along the rows, of a matrix of vectors."""
    columns = [combine(list(column)) for column in zip(*rows, strict=True)]
    return [combine(list(row)) for row in zip(*columns, strict=True)]


@emitted
def winograd_input(typingctx, x, xo, offsets, y, yo, step):  # type: ignore[no-untyped-def]
    """y[yo + step·(4i + j)] = (Bᵀ d B)[i, j] with d[i, j] = x[xo + offsets[4i + j]], each a vector of tiles."""
    signature = types.void(x, xo, offsets, y, yo, step)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector, origin, table = e.vector_type(0), e.data(0, e.number(1)), e.data(2)

        def place(i):  # type: ignore[no-untyped-def]
            return builder.gep(origin, [builder.load(builder.gep(table, [ir.Constant(I64, i)]))])

        def combine(d):  # type: ignore[no-untyped-def]
            add, sub = builder.fadd, builder.fsub
            return [sub(d[0], d[2]), add(d[1], d[2]), sub(d[2], d[1]), sub(d[1], d[3])]

        d = [[e.load(place(4 * i + j), vector) for j in range(4)] for i in range(4)]
        for i, row in enumerate(_spread(d, combine)):
            for j, value in enumerate(row):
                at = builder.add(e.number(4), builder.mul(e.number(5), ir.Constant(I64, 4 * i + j)))
                e.store(value, e.data(3, at))
        return context.get_dummy_value()

    return signature, codegen


@emitted
def winograd_output(typingctx, t, to, step, y):  # type: ignore[no-untyped-def]
    """The 2 × 2 outputs Aᵀ m A of a vector of tiles, m[i, j] = t[to + step·(4i + j)]: y holds two rows of 2·lanes."""
    signature = types.void(t, to, step, y)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector = e.vector_type(0)
        n = vector.count

        def combine(m):  # type: ignore[no-untyped-def]
            add, sub = builder.fadd, builder.fsub
            return [add(add(m[0], m[1]), m[2]), sub(sub(m[1], m[2]), m[3])]

        def place(i):  # type: ignore[no-untyped-def]
            return e.data(0, builder.add(e.number(1), builder.mul(e.number(2), ir.Constant(I64, i))))

        m = [[e.load(place(4 * i + j), vector) for j in range(4)] for i in range(4)]
        for i, (even, odd) in enumerate(_spread(m, combine)):
            for half in range(2):
                order = [lane // 2 + half * n // 2 + (n if lane % 2 else 0) for lane in range(n)]
                e.store(e.shuffle(even, odd, order), e.data(3, ir.Constant(I64, (2 * i + half) * n)))
        return context.get_dummy_value()

    return signature, codegen


@emitted
def winograd_gradient(typingctx, d, d0, d1, d2, d3, y, yo, step):  # type: ignore[no-untyped-def]
    """y[yo + step·(4i + j)] = (A d Aᵀ)[i, j], d the 2 × 2 vectors of d at d0 … d3, a negative place being zero."""
    signature = types.void(d, d0, d1, d2, d3, y, yo, step)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector, none = e.vector_type(0), ir.Constant(I64, 0)

        def optional(i):  # type: ignore[no-untyped-def]
            there = builder.icmp_signed(">=", e.number(i), none)
            count = builder.select(there, ir.Constant(I64, vector.count), none)
            return e.load_some(e.data(0, builder.select(there, e.number(i), none)), vector, count)

        def combine(d):  # type: ignore[no-untyped-def]
            return [d[0], builder.fadd(d[0], d[1]), builder.fsub(d[0], d[1]), builder.fneg(d[1])]

        for i, row in enumerate(_spread([[optional(1), optional(2)], [optional(3), optional(4)]], combine)):
            for j, value in enumerate(row):
                at = builder.add(e.number(6), builder.mul(e.number(7), ir.Constant(I64, 4 * i + j)))
                e.store(value, e.data(5, at))
        return context.get_dummy_value()

    return signature, codegen
