"""What the vector code of simd.py, gemm.py and winograd.py computes, in NumPy: for kernels that run as plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet_kernels.cpu import gemm

Array = np.ndarray[Any, Any]
B = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float64)  # transposed, as it is applied
A = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float64)

ROWS = (2, 1)  # low tiles,
TAPS = 2  # few taps, and
WIDTH = 4  # narrow vectors, of two float64: then small arrays take several


def lanes(dtype: Any) -> int:
    return WIDTH * 4 // np.dtype(dtype).itemsize


def split_rows(n: int) -> list[int]:
    return [2] * (n // 2) + [1] * (n % 2)


def move(x: Array, xo: int, y: Array, yo: int, count: int) -> None:
    if count > 0:
        y.reshape(-1)[yo : yo + count] = x.reshape(-1)[xo : xo + count]


def move_even(x: Array, xo: int, y: Array, yo: int, count: int) -> None:
    if count > 0:
        y[yo : yo + count] = x[xo : xo + 2 * count - 1 : 2]


def sum_taps(
    x: Array, xo: int, lines: int, line: int, taps: int, tap: int, first: int, step: int, count: int, y: Array, yo: int,
    width: int,
) -> None:  # fmt: skip
    total = np.zeros(width, x.dtype)
    for r in range(lines):
        for q in range(taps):
            for i in range(width):
                j = i + first - q * step
                if 0 <= j < count:
                    total[i] += x[xo + r * line + q * tap + j]
    y[yo : yo + width] = total


def move_apart(x: Array, xo: int, y: Array, yo: int, count: int) -> None:
    for i in range(count):
        y[yo + 2 * i] = x[xo + i]


def put(t: Array, to: int, add: Any, y: Array, yo: int, count: int) -> None:
    y[yo : yo + count] = t[to : to + count] + add


def transpose(x: Array, xo: int, ldx: int, rows: int, count: int, y: Array, yo: int, ldy: int) -> None:
    for j in range(count):
        y[yo + j * ldy : yo + j * ldy + lanes(x.dtype)] = 0
        for i in range(rows):
            y[yo + j * ldy + i] = x[xo + i * ldx + j]


def split(x: Array, xo: int, count: int, y: Array, places: Any, low: Any, high: Any) -> None:
    row = x[xo : xo + count]
    for j in range(4):
        for i in range(max(0, low[j]), min(high[j], (count + 1) // 2)):
            if 2 * i + j % 2 < count:
                y[places[j] + i] = row[2 * i + j % 2]


def pair_max(x: Array, xo: int, line: int, count: int, y: Array, taps: Array, yo: int) -> None:
    for i in range(count):
        best, tap = x[xo + 2 * i], 0
        for t, place in enumerate((0, 1, line, line + 1)):
            value = x[xo + 2 * i + place]
            if value > best or value != value:
                best, tap = value, t
        y[yo + i], taps[yo + i] = best, tap


def pair_scatter(dy: Array, taps: Array, yo: int, count: int, x: Array, xo: int, line: int) -> None:
    for i in range(count):
        for t, place in enumerate((0, 1, line, line + 1)):
            x[xo + 2 * i + place] = dy[yo + i] if taps[yo + i] == t else 0


def dot_tile(
    rows: int, vectors: int, a: Array, ao: int, offsets: Array, oo: int, count: int, x: Array, b0: int, b1: int,
    b2: int, init: Array, io: int, t: Array, to: int, ldt: int,
) -> None:  # fmt: skip
    n = lanes(x.dtype)
    weights = a[ao : ao + count * rows].reshape(count, rows)
    for v, base in enumerate((b0, b1, b2)[:vectors]):
        inputs = np.array([x[base + o : base + o + n] for o in offsets[oo : oo + count]]).reshape(count, n)
        for i in range(rows):
            t[to + i * ldt + v * n : to + i * ldt + (v + 1) * n] = init[io + i] + weights[:, i] @ inputs


def outer_tile(
    vectors: int, x: Array, xo: int, offsets: Array, oo: int, lines: int, size: int, line: int, b: Array, bo: int,
    ldb: int, t: Array, to: int, ldt: int,
) -> None:  # fmt: skip
    n = lanes(x.dtype) * vectors
    right = np.array([b[bo + p * ldb : bo + p * ldb + n] for p in range(lines * size)]).reshape(-1, n)
    for i in range(ROWS[0]):
        start = xo + offsets[oo + i]
        left = np.array([x[start + r * line : start + r * line + size] for r in range(lines)]).reshape(-1)
        t[to + i * ldt : to + i * ldt + n] += left @ right


def make_product_tile(rows: int, vectors: int, columns: bool, add: bool, far: bool = False) -> Any:
    def tile(
        count: int, depth: int, a: Array, ao: int, lda: int, b: Array, bo: int, ldb: int, c: Array, co: int, ldc: int
    ) -> None:
        n = lanes(c.dtype) * vectors
        right = np.array([b[bo + k * ldb : bo + k * ldb + n] for k in range(depth)]).reshape(-1, n)
        for i in range(min(rows, count)):
            left = [a[ao + k * lda + i] if columns else a[ao + i * lda + k] for k in range(depth)]
            line = c[co + i * ldc : co + i * ldc + n]
            line[...] = np.array(left, c.dtype) @ right + (line if add else 0)

    return tile


def outer_rows(
    rows: int, vectors: int, x: Array, xo: int, offsets: Array, oo: int, lines: int, size: int, line: int, b: Array,
    bo: int, ldb: int, t: Array, to: int, ldt: int,
) -> None:  # fmt: skip
    n = lanes(x.dtype) * vectors
    for i in range(rows):
        start = xo + offsets[oo + i]
        for p in range(size):
            t[to + i * ldt : to + i * ldt + n] += x[start + p] * b[bo + p * ldb : bo + p * ldb + n]


def tap_tile(
    x: Array, xo: int, offsets: Array, oo: int, lines: int, size: int, line: int, y: Array, yo: int, t: Array, to: int
) -> None:
    right = np.array([y[yo + r * size : yo + (r + 1) * size] for r in range(lines)]).reshape(-1)
    for i in range(TAPS):
        start = xo + offsets[oo + i]
        left = np.array([x[start + r * line : start + r * line + size] for r in range(lines)]).reshape(-1)
        t[to + i * lanes(x.dtype)] += left @ right


def outer_vectors(left: int) -> int:
    return min(left, 1)  # again, so that there are several


def winograd_input(x: Array, xo: int, offsets: Array, y: Array, yo: int, step: int) -> None:
    n = lanes(x.dtype)
    d = np.array([x[xo + o : xo + o + n] for o in offsets[:16]]).reshape(4, 4, n)
    _store(np.einsum("ia,jb,abn->ijn", B, B, d), y, yo, step)


def winograd_output(t: Array, to: int, step: int, y: Array) -> None:
    n = lanes(t.dtype)
    m = np.array([t[to + step * p : to + step * p + n] for p in range(16)]).reshape(4, 4, n)
    y[: 4 * n] = np.einsum("ia,jb,abn->inj", A, A, m).reshape(-1)


def winograd_gradient(d: Array, d0: int, d1: int, d2: int, d3: int, y: Array, yo: int, step: int) -> None:
    n = lanes(d.dtype)
    square = [d[p : p + n] if p >= 0 else np.zeros(n) for p in (d0, d1, d2, d3)]
    _store(np.einsum("ai,bj,abn->ijn", A, A, np.array(square).reshape(2, 2, n)), y, yo, step)


def _store(values: Array, y: Array, yo: int, step: int) -> None:
    for p, value in enumerate(values.reshape(16, -1)):
        y[yo + step * p : yo + step * p + value.size] = value


def exponentials(s: Array, count: int, vectors: int, top: Array, sums: Array, shrink: Array) -> None:
    block, before = s[: count * top.size].reshape(count, -1), top.copy()
    np.fmax(top, np.fmax.reduce(block, axis=0), out=top)
    base = np.where(top == -np.inf, 0, top)
    block[...] = np.exp2(block - base)
    shrink[...] = np.exp2(before - base)
    sums[...] = sums * shrink + block.sum(axis=0)


def weights(s: Array, ds: Array, count: int, vectors: int, lse: Array, mean: Array) -> None:
    block, grad = (x[: count * lse.size].reshape(count, -1) for x in (s, ds))
    block[...] = np.exp2(block - lse)
    grad[...] = block * (grad - mean)


SIMD = {
    "width": lambda: WIDTH, "lanes": lanes, "move": move, "move_even": move_even,
    "move_apart": move_apart, "sum_taps": sum_taps, "put": put,
    "transpose": transpose, "split": split, "pair_max": pair_max, "pair_scatter": pair_scatter,
}  # fmt: skip
GEMM = {
    "ROWS": ROWS, "VECTORS": gemm.VECTORS, "split_rows": split_rows, "dot_tile": dot_tile,
    "outer_tile": outer_tile, "outer_rows": outer_rows, "outer_vectors": outer_vectors,
    "make_product_tile": make_product_tile, "TAPS": TAPS, "tap_tile": tap_tile,
}  # fmt: skip
WINOGRAD = {
    "winograd_input": winograd_input, "winograd_output": winograd_output, "winograd_gradient": winograd_gradient,
}  # fmt: skip
ATTENTION = {"QUERIES": 4, "LOG2E": 1 / np.log(2.0), "exponentials": exponentials, "weights": weights}
