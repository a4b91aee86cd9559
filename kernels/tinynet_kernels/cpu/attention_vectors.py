"""The softmax inside attention, in explicit vector code: a block of scores (keys, queries), and what is kept for each query.

Scores are in units of log 2: 2ˣ = e^(f·log 2)·2ⁿ, n the integer nearest to x and f the rest, needs no reduction in two
parts. Largest scores and sums stay in registers while the rows go by, four vectors at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from .simd import I64, Emitter, emitted
from .vmath import DOUBLE, SINGLE

QUERIES = 64
"""Columns of a block."""
_TOGETHER = 4
LOG2E = 1 / math.log(2.0)


def _power_of_two(e: Emitter, x: Any) -> Any:
    """2ˣ for x ≤ 0, or little more; 0 where it would be subnormal, NaN where x is."""
    b, n = e.builder, x.type.count
    f = SINGLE if isinstance(x.type.element, ir.FloatType) else DOUBLE
    word = ir.VectorType(ir.IntType(32 if f is SINGLE else 64), n)

    def real(value: float) -> Any:
        return ir.Constant(x.type, [float(f.real(value))] * n)

    def integer(value: int) -> Any:
        return ir.Constant(word, [value] * n)

    shifted = b.fadd(x, real(1.5 * 2.0**f.fraction))  # x, rounded to an integer, is in the low bits
    r = b.fmul(b.fsub(x, b.fsub(shifted, real(1.5 * 2.0**f.fraction))), real(math.log(2.0)))
    total = real(f.exp[-1])
    for c in f.exp[-2::-1]:
        total = e.fma(total, r, real(c))
    y = b.fadd(e.fma(b.fmul(r, r), total, r), real(1.0))
    bias = int(f.real(1).view(f.integer))
    power = b.add(b.shl(b.bitcast(shifted, word), integer(f.fraction)), integer(bias))
    y = b.fmul(y, b.bitcast(power, x.type))
    return b.select(b.fcmp_ordered("<", x, real(np.finfo(f.real).minexp + 1)), real(0.0), y)


def _by_groups(e: Emitter, vector: Any, vectors: Any, body: Callable[[list[int]], None]) -> None:
    """`body` of the columns at which vectors begin: of the first alone if there is but one, else of all, by fours."""
    starts = list(range(0, QUERIES, vector.count))
    one = e.builder.icmp_signed("<=", vectors, ir.Constant(I64, 1))
    with e.builder.if_else(one) as (alone, several):
        with alone:
            body(starts[:1])
        with several:
            for i in range(0, len(starts), _TOGETHER):
                body(starts[i : i + _TOGETHER])


def _at(e: Emitter, data: Any, start: int, row: Any = None) -> Any:
    place = e.builder.gep(data, [ir.Constant(I64, start)])
    return place if row is None else e.builder.gep(place, [e.builder.mul(row, ir.Constant(I64, QUERIES))])


@emitted
def exponentials(typingctx, s, count, vectors, top, sums, shrink):  # type: ignore[no-untyped-def]
    """s = 2^(s − largest so far) for `count` rows; sums go on; shrink is what earlier sums have been multiplied by.

    Columns behind `vectors` may stay as they are. Each of top, sums and shrink has a number for every column. −∞ alone
    counts as 0: its exponentials are 0.
    """
    signature = types.void(s, count, vectors, top, sums, shrink)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector, count = e.vector_type(0), e.number(1)
        block, tops, totals, factors = e.data(0), e.data(3), e.data(4), e.data(5)
        zero, lowest = (ir.Constant(vector, [v] * vector.count) for v in (0.0, -np.inf))

        def group(starts):  # type: ignore[no-untyped-def]
            def largest(i, state):  # type: ignore[no-untyped-def]
                xs = [e.load(_at(e, block, start, i), vector) for start in starts]
                return [builder.select(builder.fcmp_ordered(">", x, m), x, m) for x, m in zip(xs, state, strict=True)]

            before = [e.load(_at(e, tops, start), vector) for start in starts]
            found = e.loop(count, before, largest)
            bases = [builder.select(builder.fcmp_ordered("==", m, lowest), zero, m) for m in found]

            def raised(i, state):  # type: ignore[no-untyped-def]
                out = []
                for start, base, part in zip(starts, bases, state, strict=True):
                    place = _at(e, block, start, i)
                    y = _power_of_two(e, builder.fsub(e.load(place, vector), base))
                    e.store(y, place)
                    out.append(builder.fadd(part, y))
                return out

            parts = e.loop(count, [zero] * len(starts), raised)
            for start, old, m, base, part in zip(starts, before, found, bases, parts, strict=True):
                factor = _power_of_two(e, builder.fsub(old, base))
                e.store(m, _at(e, tops, start))
                e.store(factor, _at(e, factors, start))
                place = _at(e, totals, start)
                e.store(e.fma(e.load(place, vector), factor, part), place)

        _by_groups(e, vector, e.number(2), group)
        return context.get_dummy_value()

    return signature, codegen


@emitted
def weights(typingctx, s, ds, count, vectors, lse, mean):  # type: ignore[no-untyped-def]
    """s = 2^(s − lse), ds = s · (ds − mean) for `count` rows, and columns as above."""
    signature = types.void(s, ds, count, vectors, lse, mean)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector, count = e.vector_type(0), e.number(2)

        def group(starts):  # type: ignore[no-untyped-def]
            logs, means = ([e.load(_at(e, e.data(k), start), vector) for start in starts] for k in (4, 5))

            def body(i, state):  # type: ignore[no-untyped-def]
                for start, log, mean in zip(starts, logs, means, strict=True):
                    place, other = _at(e, e.data(0), start, i), _at(e, e.data(1), start, i)
                    y = _power_of_two(e, builder.fsub(e.load(place, vector), log))
                    e.store(y, place)
                    e.store(builder.fmul(y, builder.fsub(e.load(other, vector), mean)), other)
                return []

            e.loop(count, [], body)

        _by_groups(e, vector, e.number(3), group)
        return context.get_dummy_value()

    return signature, codegen
