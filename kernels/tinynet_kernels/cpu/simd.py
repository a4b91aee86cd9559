"""Explicit vector code, as Numba intrinsics: what the vector instructions of the host do, on a whole vector or a part.

LLVM vectorises plain loops well, but not all: a row of two vectors and a bit, every other number of a row, a transpose,
or tiles of accumulators that stay in registers (gemm.py) are written here, instruction by instruction.

A vector is as wide as the host's registers (`lanes`): 16, 8 or 4 numbers of float32, half as many of float64.
TINYNET_VECTOR_LANES (4, 8 or 16, of float32) forces a narrower one. Functions that take a count touch no number beyond
it; those that read whole vectors say so, and what calls them gives them buffers with room behind the last number.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

emitted: Any = intrinsic  # without Numba's types, which take the typing context for an argument
I64 = ir.IntType(64)


@functools.cache
def width() -> int:
    """Lanes of float32 in a vector register: 16 (AVX-512), 8 (AVX), else 4; TINYNET_VECTOR_LANES may narrow it."""
    features = binding.get_host_cpu_features()
    host = 16 if features.get("avx512f") and features.get("avx512vl") else 8 if features.get("avx2") else 4
    forced = os.environ.get("TINYNET_VECTOR_LANES", "").strip()
    if not forced:
        return host
    if forced not in ("4", "8", "16"):
        raise ValueError(f"TINYNET_VECTOR_LANES must be 4, 8 or 16, got {forced!r}")
    return min(host, int(forced))


def lanes(dtype: Any) -> int:
    """Numbers of `dtype` (float32 or float64) in a vector."""
    return width() * 4 // np.dtype(dtype).itemsize


class Emitter:
    """The LLVM builder, with what tiles need: array data, vectors and loops."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self.context, self.builder, self.signature, self.args = context, builder, signature, args

    def number(self, i: int) -> Any:
        return self.context.cast(self.builder, self.args[i], self.signature.args[i], types.int64)

    def data(self, i: int, offset: Any = None) -> Any:
        array = self.context.make_array(self.signature.args[i])(self.context, self.builder, self.args[i])
        return array.data if offset is None else self.builder.gep(array.data, [offset])

    def vector_type(self, i: int) -> Any:
        dtype = self.signature.args[i].dtype
        return ir.VectorType(self.context.get_value_type(dtype), lanes(np.dtype(str(dtype))))

    def load(self, pointer: Any, vector: Any) -> Any:
        place = self.builder.bitcast(pointer, vector.as_pointer())
        return self.builder.load(place, align=vector.element.get_abi_size(self.context.target_data), typ=vector)

    def store(self, value: Any, pointer: Any) -> None:
        place = self.builder.bitcast(pointer, value.type.as_pointer())
        self.builder.store(value, place, align=value.type.element.get_abi_size(self.context.target_data))

    def prefetch(self, pointer: Any) -> None:
        """Ask for the cache line of a place that will be written; any pointer may be given."""
        word = ir.IntType(32)
        place = self.builder.bitcast(pointer, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [place.type, word, word, word])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        self.builder.call(function, [place, *(ir.Constant(word, i) for i in (1, 3, 1))])

    def mask(self, vector: Any, count: Any) -> Any:
        """Lanes below `count`, which may be negative or larger than the vector."""
        words, builder = ir.VectorType(ir.IntType(32), vector.count), self.builder
        for bound, sign in ((0, "<"), (vector.count, ">")):
            limit = ir.Constant(I64, bound)
            count = builder.select(builder.icmp_signed(sign, count, limit), limit, count)
        limits = self.splat(builder.trunc(count, ir.IntType(32)), words)
        return builder.icmp_signed("<", ir.Constant(words, list(range(vector.count))), limits)

    def load_some(self, pointer: Any, vector: Any, count: Any) -> Any:
        """The first `count` numbers, and zeros; reads no others."""
        return self._load(pointer, vector, self.mask(vector, count))

    def load_range(self, pointer: Any, vector: Any, low: Any, high: Any) -> Any:
        """The numbers low … high − 1 behind `pointer`, each in its lane, and zeros; reads no others."""
        return self._load(pointer, vector, self._range(vector, low, high))

    def _range(self, vector: Any, low: Any, high: Any) -> Any:
        return self.builder.and_(self.mask(vector, high), self.builder.not_(self.mask(vector, low)))

    def _load(self, pointer: Any, vector: Any, mask: Any) -> Any:
        place = self.builder.bitcast(pointer, vector.as_pointer())
        zero = ir.Constant(vector, [0 if isinstance(vector.element, ir.IntType) else 0.0] * vector.count)
        args = [place, self._alignment(vector), mask, zero]
        return self.builder.call(self._masked("load", vector, vector, args), args)

    def load_pairs(self, pointer: Any, vector: Any, count: Any) -> list[Any]:
        """The even and the odd ones of the first `count` numbers, of two vectors at most; zeros, and no reads, behind."""
        n = vector.count
        low = self.load_some(pointer, vector, count)
        behind = self.builder.sub(count, ir.Constant(I64, n))
        high = self.load_some(self.builder.gep(pointer, [ir.Constant(I64, n)]), vector, behind)
        return [self.shuffle(low, high, list(range(k, 2 * n, 2))) for k in range(2)]

    def store_range(self, value: Any, pointer: Any, low: Any, high: Any) -> None:
        """Store the numbers low … high − 1 at their places behind `pointer`, and nothing else."""
        self.store_where(value, pointer, self._range(value.type, low, high))

    def store_some(self, value: Any, pointer: Any, count: Any) -> None:
        """Store the first `count` numbers, and nothing else."""
        self.store_where(value, pointer, self.mask(value.type, count))

    def store_where(self, value: Any, pointer: Any, mask: Any) -> None:
        """Store the lanes of the mask, and nothing else."""
        place = self.builder.bitcast(pointer, value.type.as_pointer())
        args = [value, place, self._alignment(value.type), mask]
        self.builder.call(self._masked("store", value.type, ir.VoidType(), args), args)

    def _alignment(self, vector: Any) -> Any:
        return ir.Constant(ir.IntType(32), vector.element.get_abi_size(self.context.target_data))

    def _masked(self, what: str, vector: Any, result: Any, args: list[Any]) -> Any:
        name = f"llvm.masked.{what}.v{vector.count}{self._kind(vector)}.p0"
        return cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(result, [a.type for a in args]), name
        )

    def _kind(self, vector: Any) -> str:
        return {"float": "f32", "double": "f64"}.get(str(vector.element), str(vector.element))

    def vectors_of(self, count: Any, vector: Any) -> Any:
        """How many vectors hold `count` numbers."""
        n = vector.count
        return self.builder.sdiv(self.builder.add(count, ir.Constant(I64, n - 1)), ir.Constant(I64, n))

    def splat(self, scalar: Any, vector: Any) -> Any:
        one = self.builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
        return self.builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)

    def shuffle(self, a: Any, b: Any, order: list[int]) -> Any:
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order))

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        name = f"llvm.fma.v{a.type.count}{self._kind(a.type)}"
        function = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
        return self.builder.call(function, [a, b, c])

    def loop(self, count: Any, state: list[Any], body: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
        """`state` after `body(i, state)` for i in range(count)."""
        builder = self.builder
        before = builder.basic_block
        head, inside, behind = (builder.append_basic_block(name) for name in ("head", "body", "behind"))
        builder.branch(head)
        builder.position_at_end(head)
        i = builder.phi(I64)
        values = [builder.phi(v.type) for v in state]
        builder.cbranch(builder.icmp_signed("<", i, count), inside, behind)
        builder.position_at_end(inside)
        new = body(i, values)
        last = builder.basic_block
        i.add_incoming(ir.Constant(I64, 0), before)
        i.add_incoming(builder.add(i, ir.Constant(I64, 1)), last)
        for phi, first, following in zip(values, state, new, strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(following, last)
        builder.branch(head)
        builder.position_at_end(behind)
        return values


@emitted
def put(typingctx, t, to, add, y, yo, count):  # type: ignore[no-untyped-def]
    """y[yo + i] = t[to + i] + add for i in range(count), count <= lanes; reads a whole vector of t."""
    signature = types.void(t, to, add, y, yo, count)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector = e.vector_type(0)
        value = builder.fadd(e.load(e.data(0, e.number(1)), vector), e.splat(args[2], vector))
        e.store_some(value, e.data(3, e.number(4)), e.number(5))
        return context.get_dummy_value()

    return signature, codegen


@emitted
def move(typingctx, x, xo, y, yo, count):  # type: ignore[no-untyped-def]
    """y[yo + i] = x[xo + i] for i in range(count); touches nothing else."""
    signature = types.void(x, xo, y, yo, count)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector, count = e.vector_type(0), e.number(4)
        source, target = e.data(0, e.number(1)), e.data(2, e.number(3))
        size = ir.Constant(I64, vector.count)

        def body(i, state):  # type: ignore[no-untyped-def]
            at = builder.mul(i, size)
            e.store(e.load(builder.gep(source, [at]), vector), builder.gep(target, [at]))
            return []

        whole = builder.sdiv(count, size)
        e.loop(whole, [], body)
        at = builder.mul(whole, size)
        left = builder.sub(count, at)
        with builder.if_then(builder.icmp_signed(">", left, ir.Constant(I64, 0))):
            e.store_some(e.load_some(builder.gep(source, [at]), vector, left), builder.gep(target, [at]), left)
        return context.get_dummy_value()

    return signature, codegen


@emitted
def move_apart(typingctx, x, xo, y, yo, count):  # type: ignore[no-untyped-def]
    """y[yo + 2i] = x[xo + i] for i in range(count), count <= lanes; touches nothing else."""
    signature = types.void(x, xo, y, yo, count)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector, count = e.vector_type(0), e.number(4)
        n, target = vector.count, e.data(2, e.number(3))
        value = e.load_some(e.data(0, e.number(1)), vector, count)
        even = ir.Constant(ir.VectorType(ir.IntType(1), n), [1 - lane % 2 for lane in range(n)])
        for half in range(2):
            left = builder.sub(builder.mul(count, ir.Constant(I64, 2)), ir.Constant(I64, half * n))
            wide = e.shuffle(value, value, [(half * n + lane) // 2 for lane in range(n)])
            place = builder.gep(target, [ir.Constant(I64, half * n)])
            e.store_where(wide, place, builder.and_(e.mask(vector, left), even))
        return context.get_dummy_value()

    return signature, codegen


@emitted
def sum_taps(typingctx, x, xo, lines, line, taps, tap, first, step, count, y, yo, width):  # type: ignore[no-untyped-def]
    """y[yo + i] = Σ_{r < lines, q < taps} x[xo + r·line + q·tap + j], j = i + first − q·step where that is in 0 … count − 1."""
    signature = types.void(x, xo, lines, line, taps, tap, first, step, count, y, yo, width)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector = e.vector_type(0)
        source, target = e.data(0, e.number(1)), e.data(9, e.number(10))

        def across(v, state):  # type: ignore[no-untyped-def]
            begin = builder.mul(v, ir.Constant(I64, vector.count))

            def down(r, outer):  # type: ignore[no-untyped-def]
                def along(q, acc):  # type: ignore[no-untyped-def]
                    j = builder.sub(builder.add(begin, e.number(6)), builder.mul(q, e.number(7)))
                    at = builder.add(builder.mul(r, e.number(3)), builder.mul(q, e.number(5)))
                    low, high = builder.neg(j), builder.sub(e.number(8), j)
                    return [
                        builder.fadd(acc[0], e.load_range(builder.gep(source, [builder.add(at, j)]), vector, low, high))
                    ]

                return e.loop(e.number(4), outer, along)

            total = e.loop(e.number(2), [ir.Constant(vector, [0.0] * vector.count)], down)
            e.store_some(total[0], builder.gep(target, [begin]), builder.sub(e.number(11), begin))
            return []

        e.loop(e.vectors_of(e.number(11), vector), [], across)
        return context.get_dummy_value()

    return signature, codegen


@emitted
def move_even(typingctx, x, xo, y, yo, count):  # type: ignore[no-untyped-def]
    """y[yo + i] = x[xo + 2i] for i in range(count); reads nothing behind x[xo + 2·count − 2], writes nothing else."""
    signature = types.void(x, xo, y, yo, count)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector, count = e.vector_type(0), e.number(4)
        source, target, n = e.data(0, e.number(1)), e.data(2, e.number(3)), vector.count

        def body(i, state):  # type: ignore[no-untyped-def]
            at = builder.mul(i, ir.Constant(I64, n))
            first = builder.mul(at, ir.Constant(I64, 2))
            left = builder.sub(count, at)
            reach = builder.sub(builder.mul(left, ir.Constant(I64, 2)), ir.Constant(I64, 1))
            even, _ = e.load_pairs(builder.gep(source, [first]), vector, reach)
            e.store_some(even, builder.gep(target, [at]), left)
            return []

        e.loop(e.vectors_of(count, vector), [], body)
        return context.get_dummy_value()

    return signature, codegen


@emitted
def transpose(typingctx, x, xo, ldx, rows, count, y, yo, ldy):  # type: ignore[no-untyped-def]
    """y[yo + j·ldy + i] = x[xo + i·ldx + j] for i < rows, j < count, and zeros up to i = lanes; both <= lanes."""
    signature = types.void(x, xo, ldx, rows, count, y, yo, ldy)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector = e.vector_type(0)
        n, none = vector.count, ir.Constant(I64, 0)
        source, target = e.data(0, e.number(1)), e.data(5, e.number(6))
        lines = []
        for i in range(n):
            inside = builder.icmp_signed("<", ir.Constant(I64, i), e.number(3))
            place = builder.gep(source, [builder.mul(e.number(2), ir.Constant(I64, i))])
            lines.append(e.load_some(place, vector, builder.select(inside, e.number(4), none)))
        span = 1
        while span < n:
            for i in range(n):
                if i & span:
                    continue
                a, b = lines[i], lines[i + span]
                low = [n + lane - span if lane & span else lane for lane in range(n)]
                high = [n + lane if lane & span else lane + span for lane in range(n)]
                lines[i], lines[i + span] = e.shuffle(a, b, low), e.shuffle(a, b, high)
            span *= 2
        for j in range(n):
            with builder.if_then(builder.icmp_signed("<", ir.Constant(I64, j), e.number(4))):
                e.store(lines[j], builder.gep(target, [builder.mul(e.number(7), ir.Constant(I64, j))]))
        return context.get_dummy_value()

    return signature, codegen


@emitted
def split(typingctx, x, xo, count, y, places, low, high):  # type: ignore[no-untyped-def]
    """The even and the odd numbers of a row x[xo …] of `count`, each to two places, of which only a range is written.

    y[places[j] + i] = x[xo + 2i + j % 2] for i in range(low[j], high[j]), j < 4; reads nothing but the row.
    """
    signature = types.void(x, xo, count, y, places, low, high)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector, count, source = e.vector_type(0), e.number(2), e.data(0, e.number(1))
        n = vector.count

        def item(which, j):  # type: ignore[no-untyped-def]
            return builder.extract_value(args[which], j)

        def body(i, state):  # type: ignore[no-untyped-def]
            at = builder.mul(i, ir.Constant(I64, n))
            first = builder.mul(at, ir.Constant(I64, 2))
            left = builder.sub(count, first)
            halves = e.load_pairs(builder.gep(source, [first]), vector, left)
            for j in range(4):
                target = e.data(3, builder.add(item(4, j), at))
                e.store_range(halves[j % 2], target, builder.sub(item(5, j), at), builder.sub(item(6, j), at))
            return []

        whole = builder.add(count, ir.Constant(I64, 2 * n - 1))
        e.loop(builder.sdiv(whole, ir.Constant(I64, 2 * n)), [], body)
        return context.get_dummy_value()

    return signature, codegen


@emitted
def pair_max(typingctx, x, xo, line, count, y, taps, yo):  # type: ignore[no-untyped-def]
    """y[yo + i] = the largest of the 2 × 2 numbers at x[xo + 2i], in lines `line` apart, and which; i < count.

    The first of equal ones; NaN wins over numbers. taps has bytes.
    """
    signature = types.void(x, xo, line, count, y, taps, yo)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector, source = e.vector_type(0), e.data(0, e.number(1))
        n = vector.count
        words = ir.VectorType(ir.IntType(32), n)

        def better(old, new):  # type: ignore[no-untyped-def]
            (a, i), (b, j) = old, new
            wins = builder.or_(builder.fcmp_ordered(">", b, a), builder.fcmp_unordered("uno", b, b))
            return builder.select(wins, b, a), builder.select(wins, j, i)

        def body(i, state):  # type: ignore[no-untyped-def]
            at = builder.mul(i, ir.Constant(I64, n))
            left = builder.sub(e.number(3), at)
            lines = []
            for r in range(2):
                start = builder.gep(source, [builder.mul(at, ir.Constant(I64, 2))])
                if r:
                    start = builder.gep(start, [e.number(2)])
                pair = e.load_pairs(start, vector, builder.mul(left, ir.Constant(I64, 2)))
                lines.append(better(*((v, ir.Constant(words, [2 * r + k] * n)) for k, v in enumerate(pair))))
            value, tap = better(*lines)
            place = builder.add(e.number(6), at)
            e.store_some(value, e.data(4, place), left)
            tap = builder.trunc(tap, ir.VectorType(ir.IntType(8), n))
            e.store_some(tap, e.data(5, place), left)
            return []

        e.loop(builder.sdiv(builder.add(e.number(3), ir.Constant(I64, n - 1)), ir.Constant(I64, n)), [], body)
        return context.get_dummy_value()

    return signature, codegen


@emitted
def pair_scatter(typingctx, dy, taps, yo, count, x, xo, line):  # type: ignore[no-untyped-def]
    """The transpose of `pair_max`: all of the 2 × 2 numbers at x[xo + 2i] = 0, but number taps[yo + i] = dy[yo + i]."""
    signature = types.void(dy, taps, yo, count, x, xo, line)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, args)
        vector, target = e.vector_type(0), e.data(4, e.number(5))
        n = vector.count
        zero, bytes_ = ir.Constant(vector, [0.0] * n), ir.VectorType(ir.IntType(8), n)

        def body(i, state):  # type: ignore[no-untyped-def]
            at = builder.mul(i, ir.Constant(I64, n))
            left = builder.sub(e.number(3), at)
            place = builder.add(e.number(2), at)
            value = e.load_some(e.data(0, place), vector, left)
            tap = e.load_some(e.data(1, place), bytes_, left)
            for r in range(2):
                pair = []
                for k in range(2):
                    here = builder.icmp_signed("==", tap, ir.Constant(bytes_, [2 * r + k] * n))
                    pair.append(builder.select(here, value, zero))
                start = builder.gep(target, [builder.mul(at, ir.Constant(I64, 2))])
                if r:
                    start = builder.gep(start, [e.number(6)])
                for half in range(2):
                    order = [lane // 2 + half * n // 2 + (n if lane % 2 else 0) for lane in range(n)]
                    some = builder.sub(builder.mul(left, ir.Constant(I64, 2)), ir.Constant(I64, half * n))
                    e.store_some(
                        e.shuffle(pair[0], pair[1], order), builder.gep(start, [ir.Constant(I64, half * n)]), some
                    )
            return []

        e.loop(builder.sdiv(builder.add(e.number(3), ir.Constant(I64, n - 1)), ir.Constant(I64, n)), [], body)
        return context.get_dummy_value()

    return signature, codegen
