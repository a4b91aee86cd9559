"""Winograd's convolution F(2 × 2, 3 × 3): 16 multiplications for 4 outputs of a 3 × 3 kernel, where 36 are plain.

With d a 4 × 4 tile of the input, g the kernel, and the matrices of Lavin and Gray,

    y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A        summed over input channels before Aᵀ … A

so that a convolution is 16 matrix products over channels, one for each place of the tile. Its transposes are

    dg = Gᵀ [(A dy Aᵀ) ⊙ (Bᵀ d B)] G       summed over tiles and images before Gᵀ … G

and, for the input, the convolution by the turned kernel. Tiles of several images are put side by side, so that small
images fill the vectors too. Rounding errors are some 2 to 4 times those of the direct sum. An infinite input or weight,
and sums of 16 inputs that overflow, give NaN where the sum would give an infinity or a number.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016; Winograd, 1980.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np
from numba import prange

from . import gemm, simd, threads
from . import winograd as transforms
from .arrays import Array, contiguous, optional
from .conv_plan import Ints, Table
from .gemm import dot_tile, outer_tile, outer_vectors
from .jit import inner, kernel
from .memory import empty, zeros

_BYTES = 3 << 17  # of the transformed tiles of one piece of work
_SLACK = 64
_SUM_BYTES = 600_000  # of the sums of a part of the weight gradient
_CHUNKS = 8  # pieces of work of the weight gradient


def serves(kernel: Ints, stride: Ints, dilation: Ints, channels: int, filters: int, itemsize: int) -> bool:
    """Whether a convolution is better done here: 3 × 3, stride 1, and channels enough to pay for the transforms."""
    plain = len(kernel) == 2 and set(kernel) == {3} and set(stride) == {1} and set(dilation) == {1}
    return plain and itemsize == 4 and channels >= 16 and filters >= 16


@dataclasses.dataclass(frozen=True)
class Plan:
    """Tiles of one piece of work: `images` images, of which `band` rows of tiles."""

    images: int
    bands: int
    band: int
    rows: int  # of tiles in an image
    tiles: int  # of a band of one image
    width: int  # numbers of a row of transformed tiles
    buffer: int  # numbers in the source of one image
    plane: int  # of which a plane takes; a channel has 8: for each parity of rows, and each column of a tile
    split: Table  # of the numbers of a row that go to each column of tiles: shift, first, end; and the column
    offsets: Table  # of the 16 places of a tile
    starts: Table  # the pieces of vector v of outputs are starts[v] … starts[v + 1] − 1
    pieces: Table  # (piece, 4): first lane, image, row, column of its first output
    places: Table  # (tile, 2): row, column of its first output, within the band


@functools.lru_cache(maxsize=512)
def plan(
    size: Ints, padding: Ints, out: Ints, channels: int, inputs: int, images: int, itemsize: int, items: int
) -> Plan:
    """The plan for `channels` transformed channels a tile, those of inputs and outputs together.

    There are at least `items` pieces of work, where the images allow. The source has a plane of its own for each column
    of a tile, and one for the rows of each parity: in a plane, the tiles of a band follow each other without a gap.
    """
    rows, columns = -(-out[0] // 2), -(-out[1] // 2)
    lanes = simd.width() * 4 // itemsize
    most = max(6 * lanes, _BYTES // (16 * channels * itemsize))
    band = max(1, min(rows, most // columns))
    if images * -(-rows // band) < items:
        band = max(1, min(band, rows * images // items))
    bands = -(-rows // band)
    band = -(-rows // bands)
    tiles = band * columns
    together = max(1, min(most // tiles, images // items)) if bands == 1 else 1
    plane = (band + 1) * columns
    offsets = [((i % 2) * 4 + j) * plane + i // 2 * columns for i in range(4) for j in range(4)]
    parity = padding[1] % 2  # number 2m + r of a row is column j of tile m + (r + padding − j)/2
    column = (parity, 1 - parity, parity + 2, 3 - parity)
    shift = tuple((i % 2 + padding[1] - j) // 2 for i, j in enumerate(column))
    halves = ((size[1] + 1) // 2, size[1] // 2)
    low = tuple(max(0, -s) for s in shift)
    high = tuple(max(b, min(halves[i % 2], columns - s)) for i, (s, b) in enumerate(zip(shift, low, strict=True)))
    starts, pieces = [0], []
    for first in range(0, together * tiles, lanes):
        for t in range(first, min(first + lanes, together * tiles)):
            if t == first or t % columns == 0:
                pieces.append((t - first, t // tiles, 2 * (t % tiles // columns), 2 * (t % columns)))
        starts.append(len(pieces))
    places = [(2 * (t // columns), 2 * (t % columns)) for t in range(tiles)]
    width = -(-(together * tiles + lanes - 1) // lanes) * lanes
    return Plan(
        together, bands, band, rows, tiles, width, 8 * plane * inputs, plane, _table([shift, low, high, column]), _table(offsets),
        _table(starts), _table(pieces), _table(places),
    )  # fmt: skip


def _apart(step: int) -> int:
    """At least `step`, such that 16 rows so far apart do not meet in one set of a cache."""
    return step + (80 - step) % 1024


def _table(values: Any) -> Table:
    return np.array(values, np.int64)


def correlate(
    work: int, x: Array, w: Array, b: Array | None, y: Array, *, padding: Ints, groups: int, turned: bool
) -> None:
    """y = conv(x, w) + b, in place; `turned`: by w with its channels exchanged and its kernel reversed."""
    images, size, out = x.shape[0], x.shape[2:], y.shape[2:]
    inputs, rows = x.shape[1] // groups, y.shape[1] // groups
    p = plan(size, padding, out, inputs + rows, inputs, images, x.dtype.itemsize, threads.get_num_threads())
    blocks = np.array(gemm.split_rows(rows), np.int64)
    u = empty((groups * rows * inputs * 16,), w.dtype)
    row_step, input_step = (9, rows * 9) if turned else (inputs * 9, 9)
    _weights(u.size, contiguous(w).reshape(-1), u, blocks, groups, rows, inputs, row_step, input_step, turned)
    lanes = simd.lanes(x.dtype)
    batches = -(-images // p.images)
    triples = -(-p.width // (3 * lanes))
    v_step, m_step = _apart(inputs * p.width), _apart(triples * rows * 3 * lanes)
    parts_of = (5 * lanes, p.buffer + _SLACK, 16 * v_step + _SLACK, 16 * m_step)
    scratch = empty((min(threads.get_num_threads(), batches * groups * p.bands), sum(parts_of)), x.dtype)
    _correlate(
        work, contiguous(x).reshape(-1), u, optional(b, x), y.reshape(-1), scratch, parts_of, images, groups, inputs,
        rows, (1, *size), out, p.images, batches, p.bands, p.band, p.rows, p.tiles, p.width, p.plane, p.split, padding[0],
        p.offsets, p.starts, p.pieces, _steps(inputs, p.width), v_step, m_step,
        blocks, lanes,
    )  # fmt: skip


@functools.lru_cache(maxsize=512)
def _steps(count: int, step: int) -> Table:
    return np.arange(count, dtype=np.int64) * step


@kernel
def _weights(w, u, blocks, groups, rows, inputs, row_step, input_step, turned):  # type: ignore[no-untyped-def]
    for item in prange(groups * blocks.size):
        g, block = item // blocks.size, item % blocks.size
        first = 0
        for i in range(block):
            first += blocks[i]
        _transform_weights(
            w, u, (g * rows + first) * inputs * 16, g * rows * inputs * 9 + first * row_step, blocks[block], inputs,
            row_step, input_step, turned,
        )  # fmt: skip


@inner
def _transform_weights(w, u, to, start, height, inputs, row_step, input_step, turned):  # type: ignore[no-untyped-def]
    """u[place, channel, row] = (G g Gᵀ)[place] of `height` rows, eight at a time."""
    half = w.dtype.type(0.5)
    k, m, n = np.zeros((9, 8), w.dtype), np.empty((12, 8), w.dtype), np.empty((16, 8), w.dtype)
    for c in range(inputs):
        for i in range(height):
            at = start + i * row_step + c * input_step
            for t in range(9):
                k[t, i] = w[at + 8 - t] if turned else w[at + t]
        for j in range(3):
            for i in range(8):
                outer, middle = k[j, i] + k[j + 6, i], k[j + 3, i]
                m[j, i] = k[j, i]
                m[j + 3, i] = half * (outer + middle)
                m[j + 6, i] = half * (outer - middle)
                m[j + 9, i] = k[j + 6, i]
        for r in range(4):
            for i in range(8):
                outer, middle = m[3 * r, i] + m[3 * r + 2, i], m[3 * r + 1, i]
                n[4 * r, i] = m[3 * r, i]
                n[4 * r + 1, i] = half * (outer + middle)
                n[4 * r + 2, i] = half * (outer - middle)
                n[4 * r + 3, i] = m[3 * r + 2, i]
        for place in range(16):
            simd.move(n, place * 8, u, to + (place * inputs + c) * height, height)


@kernel
def _correlate(  # type: ignore[no-untyped-def]
    x, u, bias, y, scratch, parts_of, images, groups, inputs, rows, size, out, together, batches, bands, band,
    tile_rows, tiles, width, plane, split, padding, offsets, starts, pieces, steps, v_step, m_step, blocks, lanes,
):  # fmt: skip
    workers, items = scratch.shape[0], batches * groups * bands
    a, b, c = parts_of[0], parts_of[0] + parts_of[1], parts_of[0] + parts_of[1] + parts_of[2]
    for worker in prange(workers):
        result, buffer = scratch[worker, :a], scratch[worker, a:b]
        v, m = scratch[worker, b:c], scratch[worker, c:]
        buffer[:] = 0
        none = np.zeros(8, x.dtype)
        for item in range(worker * items // workers, (worker + 1) * items // workers):
            first, g = item // (groups * bands) * together, item // bands % groups
            some, start = min(together, images - first), min(item % bands * band, tile_rows - band)
            for image in range(some):
                xo = ((first + image) * groups + g) * inputs * size[1] * size[2]
                _fill(x, xo, inputs, size, buffer, plane, split, band, padding, start, bands == 1)
                _transform_tiles(buffer, inputs, plane, offsets, tiles, v, image * tiles, width, v_step, lanes)
            _products(
                none, v, u, m, g * rows * inputs * 16, inputs, rows, some * tiles, steps, v_step, m_step, blocks, lanes
            )
            _transform_outputs(
                m, m_step, result, bias, y, (first * groups + g) * rows, g * rows, groups * rows, rows, some, some * tiles, out,
                2 * start, starts, pieces, lanes,
            )  # fmt: skip


@inner
def _fill(x, xo, channels, size, buffer, plane, split, band, padding, start, clean):  # type: ignore[no-untyped-def]
    """Rows of each parity and columns of each place of a tile, in planes; zero outside of the image.

    `clean` says that the source holds zeros, or the same part of another image: what lies outside is then left alone.
    """
    shift, column = split[0], split[3]
    low = (split[1, 0], split[1, 1], split[1, 2], split[1, 3])
    high = (split[2, 0], split[2, 1], split[2, 2], split[2, 3])
    columns = plane // (band + 1)
    for c in range(channels):
        if not clean:
            buffer[c * 8 * plane : (c + 1) * 8 * plane] = 0
        for r in range(2 * band + 2):
            h = 2 * start - padding + r
            if h < 0 or h >= size[1]:
                continue
            at = (c * 8 + r % 2 * 4) * plane + r // 2 * columns
            places = (
                at + column[0] * plane + shift[0], at + column[1] * plane + shift[1],
                at + column[2] * plane + shift[2], at + column[3] * plane + shift[3],
            )  # fmt: skip
            simd.split(x, xo + (c * size[1] + h) * size[2], size[2], buffer, places, low, high)


@inner
def _transform_tiles(buffer, inputs, plane, offsets, tiles, v, to, width, step, lanes):  # type: ignore[no-untyped-def]
    """v[place, channel, to + tile] = (Bᵀ d B)[place]; what a last vector writes too much, the next image overwrites."""
    for c in range(inputs):
        for i in range(0, tiles, lanes):
            transforms.winograd_input(buffer, c * 8 * plane + i, offsets, v, c * width + to + i, step)


@inner
def _products(none, v, u, m, uo, inputs, rows, tiles, steps, v_step, m_step, blocks, lanes):  # type: ignore[no-untyped-def]
    """m[place, three vectors, row] = Σ_channel u[place, channel, row] · v[place, channel, tile]."""
    triples = (tiles + 3 * lanes - 1) // (3 * lanes)
    for p in range(16):
        for i in range(triples):
            left = min(3, (tiles + lanes - 1) // lanes - 3 * i)
            base = p * v_step + 3 * i * lanes
            b1, b2 = base + min(1, left - 1) * lanes, base + min(2, left - 1) * lanes
            wo, to = uo, p * m_step + i * rows * 3 * lanes
            for block in range(blocks.size):
                height = blocks[block]
                dot_tile(
                    height,
                    left,
                    u,
                    wo + p * inputs * height,
                    steps,
                    0,
                    inputs,
                    v,
                    base,
                    b1,
                    b2,
                    none,
                    0,
                    m,
                    to,
                    3 * lanes,
                )
                wo += 16 * inputs * height
                to += height * 3 * lanes


@inner
def _transform_outputs(  # type: ignore[no-untyped-def]
    m, m_step, result, bias, y, plane, bias_at, image_step, rows, some, tiles, out, line, starts, pieces, lanes
):
    """Aᵀ m A + bias, stored piece by piece: a piece is a run of neighbouring tiles in a row of an image."""
    volume = out[0] * out[1]
    for i in range((tiles + lanes - 1) // lanes):
        for row in range(rows):
            transforms.winograd_output(m, ((i // 3) * rows + row) * 3 * lanes + i % 3 * lanes, m_step, result)
            add = bias[bias_at + row] if bias.size > 0 else y.dtype.type(0)
            for piece in range(starts[i], starts[i + 1]):
                lane, image, h, w = pieces[piece, 0], pieces[piece, 1], line + pieces[piece, 2], pieces[piece, 3]
                if image >= some:
                    break
                end = pieces[piece + 1, 0] if piece + 1 < starts[i + 1] else lanes
                count = min(2 * (end - lane), out[1] - w)
                at = (plane + row + image * image_step) * volume + h * out[1] + w
                for r in range(min(2, out[0] - h)):
                    simd.put(result, 2 * (r * lanes + lane), add, y, at + r * out[1], min(lanes, count))
                    if count > lanes:
                        simd.put(result, 2 * (r * lanes + lane) + lanes, add, y, at + r * out[1] + lanes, count - lanes)


def grad_weight(work: int, dy: Array, x: Array, dw: Array, *, padding: Ints, groups: int) -> None:
    """dw, in place: parallel over a fixed number of chunks of images and parts of channels; sums added in order."""
    images, size, out = x.shape[0], x.shape[2:], dy.shape[2:]
    inputs, rows, lanes, height = x.shape[1] // groups, dy.shape[1] // groups, simd.lanes(x.dtype), gemm.ROWS[0]
    part, columns = _parts(inputs, height, rows, lanes, x.dtype.itemsize)
    parts, bundles = -(-inputs // part), -(-rows // columns)
    p = plan(size, padding, out, part + columns, part, images, x.dtype.itemsize, _CHUNKS)
    batches, squares = -(-images // p.images), groups * parts * bundles
    chunks = max(1, min(_CHUNKS // squares, batches * p.bands))
    sums = zeros((chunks, squares, 16 * part * columns), x.dtype)
    v_step, z_step = _apart(part * p.width), _apart(p.width * columns)
    parts_of = (p.buffer + _SLACK, 16 * v_step + _SLACK, 16 * z_step, p.band * 2 * out[1] * columns)
    scratch = empty((min(threads.get_num_threads(), chunks * squares), sum(parts_of)), x.dtype)
    _grad_weight(
        work, contiguous(dy).reshape(-1), contiguous(x).reshape(-1), sums, scratch, parts_of, images, groups, inputs,
        part, rows, bundles, (1, *size), out, p.images, batches, p.bands, p.band, p.rows, p.tiles, p.width, p.plane,
        p.split, padding[0], p.offsets, p.places, _steps(height, p.width), v_step, z_step, columns, lanes, height,
    )  # fmt: skip
    _finish(dw.size * 16, sums.reshape(chunks, groups, parts, bundles, -1), dw.reshape(-1), rows, inputs, part, columns)


def _parts(inputs: int, height: int, rows: int, lanes: int, itemsize: int) -> tuple[int, int]:
    """Channels of input and of output in a part of the weight gradient, whose sums stay in the cache."""
    most = _SUM_BYTES // (16 * itemsize)
    columns = -(-rows // lanes) * lanes
    if inputs * columns > most:
        bundles = -(-rows // max(lanes, min(rows, math.isqrt(most) // lanes * lanes)))
        columns = -(-rows // (bundles * lanes)) * lanes
    parts = -(-inputs // max(height, most // columns))
    return -(-inputs // (parts * height)) * height, columns


@kernel
def _grad_weight(  # type: ignore[no-untyped-def]
    dy, x, sums, scratch, parts_of, images, groups, inputs, part, rows, bundles, size, out, together, batches, bands,
    band, tile_rows, tiles, width, plane, split, padding, offsets, places, steps, v_step, z_step, columns, lanes, height,
):  # fmt: skip
    workers, chunks, squares, items = scratch.shape[0], sums.shape[0], sums.shape[1], batches * bands
    jobs, parts = chunks * squares, squares // (groups * bundles)
    a = parts_of[0]
    b, c = a + parts_of[1], a + parts_of[1] + parts_of[2]
    for worker in prange(workers):
        own = scratch[worker]
        own[:] = 0
        buffer, v, z, turned = own[:a], own[a:b], own[b:c], own[c:]
        for job in range(worker * jobs // workers, (worker + 1) * jobs // workers):
            chunk, square = job // squares, job % squares
            g, first, row = square // (parts * bundles), square // bundles % parts * part, square % bundles * columns
            some, filters = min(part, inputs - first), min(columns, rows - row)
            for item in range(chunk * items // chunks, (chunk + 1) * items // chunks):
                start, image0 = item % bands * band, item // bands * together
                count = min(together, images - image0)
                lines = min(band, tile_rows - start)
                for image in range(count):
                    n = (image0 + image) * groups + g
                    xo, yo = (n * inputs + first) * size[1] * size[2], (n * rows + row) * out[0] * out[1]
                    _fill(x, xo, some, size, buffer, plane, split, band, padding, start, bands == 1)
                    _transform_tiles(buffer, some, plane, offsets, tiles, v, image * tiles, width, v_step, lanes)
                    _transform_gradient(
                        dy, yo, filters, out, 2 * start, 2 * lines, places, tiles, z, image * tiles, z_step, columns,
                        turned, lanes,
                    )  # fmt: skip
                _accumulate(
                    sums[chunk, square], v, z, part, count * tiles, width, steps, v_step, z_step, columns, lanes, height
                )


@inner
def _transform_gradient(dy, yo, rows, out, line, lines, places, tiles, z, to, z_step, columns, turned, lanes):  # type: ignore[no-untyped-def]
    """z[place, to + tile, row] = (A dy Aᵀ)[place] of the tiles of a band of one image; zero outside of the image."""
    there = min(lines, out[0] - line)
    pixels, volume = there * out[1], out[0] * out[1]
    for row in range(0, rows, lanes):
        for p in range(0, pixels, lanes):
            simd.transpose(
                dy, yo + line * out[1] + row * volume + p, volume, min(lanes, rows - row), min(lanes, pixels - p),
                turned, p * columns + row, columns,
            )  # fmt: skip
    for tile in range(tiles):
        h, w = places[tile, 0], places[tile, 1]
        at = (h * out[1] + w) * columns
        right = at + columns if h < there and w + 1 < out[1] else -1
        below = at + out[1] * columns if h + 1 < there else -1
        corner = below + columns if h + 1 < there and w + 1 < out[1] else -1
        if h >= there:
            at = -1
        for o in range(0, columns, lanes):
            transforms.winograd_gradient(
                turned, at + o if at >= 0 else -1, right + o if right >= 0 else -1, below + o if below >= 0 else -1,
                corner + o if corner >= 0 else -1, z, (to + tile) * columns + o, z_step,
            )  # fmt: skip


@inner
def _accumulate(sums, v, z, part, tiles, width, steps, v_step, z_step, columns, lanes, height):  # type: ignore[no-untyped-def]
    """sums[place, channel, row] += Σ_tile v[place, channel, tile] · z[place, tile, row]."""
    for p in range(16):
        for c in range(0, part, height):
            i, xo = 0, p * v_step + c * width
            while i < columns // lanes:
                vectors = outer_vectors(columns // lanes - i)
                zo, to = p * z_step + i * lanes, (p * part + c) * columns + i * lanes
                outer_tile(vectors, v, xo, steps, 0, 1, tiles, 0, z, zo, columns, sums, to, columns)
                i += vectors


@kernel
def _finish(sums, dw, rows, inputs, part, columns):  # type: ignore[no-untyped-def]
    """dw[row, channel] = Gᵀ (Σ_chunk sums) G."""
    bundles = sums.shape[3]
    for item in prange(sums.shape[1] * inputs):
        g, c = item // inputs, item % inputs
        for bundle in range(bundles):
            row = bundle * columns
            to = ((g * rows + row) * inputs + c) * 9
            _finish_rows(
                sums[:, g, c // part, bundle], dw, to, inputs * 9, min(columns, rows - row), c % part * columns,
                part * columns,
            )  # fmt: skip


@inner
def _finish_rows(sums, dw, to, row_step, rows, at, step):  # type: ignore[no-untyped-def]
    half = dw.dtype.type(0.5)
    m, k = np.empty((16, rows), dw.dtype), np.empty((12, rows), dw.dtype)
    for p in range(16):
        total = m[p]
        first = sums[0, at + p * step : at + p * step + rows]
        for o in range(rows):
            total[o] = first[o]
        for chunk in range(1, sums.shape[0]):
            more = sums[chunk, at + p * step : at + p * step + rows]
            for o in range(rows):
                total[o] += more[o]
    for j in range(4):
        for o in range(rows):
            plus, minus = half * (m[4 + j, o] + m[8 + j, o]), half * (m[4 + j, o] - m[8 + j, o])
            k[j, o], k[4 + j, o], k[8 + j, o] = m[j, o] + plus, minus, plus + m[12 + j, o]
    for i in range(3):
        for o in range(rows):
            plus, minus = half * (k[4 * i + 1, o] + k[4 * i + 2, o]), half * (k[4 * i + 1, o] - k[4 * i + 2, o])
            place = to + o * row_step + 3 * i
            dw[place], dw[place + 1], dw[place + 2] = k[4 * i, o] + plus, minus, plus + k[4 * i + 3, o]
