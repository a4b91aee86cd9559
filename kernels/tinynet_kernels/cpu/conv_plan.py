"""Plans for convolution kernels: the geometry of one call, worked out once and kept.

Every convolution is one over three axes (the missing ones of size 1) and reads a *source*: a band of the image, zero
padded, in a private buffer. Strides are taken out when the source is filled: rows and columns go to planes by their
remainder modulo the stride (*phases*), so that the outputs of one tap are neighbours in memory for every stride.
Within the source, input (channel, tap) of the output at base b lies at b + offset[channel, tap].

The outputs of a band are covered by vectors, either row by row, or running on over the end of a row, where a few lanes
compute nothing that is kept; whichever takes fewer vectors. *Pieces* say which lanes of a vector go where.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any

import numpy as np

from . import gemm, simd
from .arrays import product, triple

Ints = tuple[int, ...]
Table = np.ndarray[Any, np.dtype[np.int64]]

SOURCE_BYTES = 1 << 18  # of a band: a quarter of a usual L2 cache
NEAR_VECTORS = 1 << 9  # that the first level of cache holds
ITEMS = 8  # bands are made so small that there are as many independent pieces of work, where the image allows


@dataclasses.dataclass(frozen=True)
class Axis:
    """Taps of one axis: tap t of output j is number j + shift[t] of the plane of phase[t]."""

    phases: Ints  # remainders modulo `step` that occur
    phase: Ints  # of each tap, as an index into `phases`
    shift: Ints
    step: int
    padding: int  # source number 0 of phase 0 is input number −padding

    @property
    def reach(self) -> int:
        return max(self.shift, default=0)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a kernel needs to know of a geometry."""

    bands: int
    band: int  # outputs along `axis` in a band
    axis: int
    count: int  # outputs along `axis`
    source: Table  # sizes of the planes of a channel, phases, steps and paddings: see `fill`
    buffer: int  # numbers in the source of a band
    passes: Table  # (pass, is last band, 5): first offset, offsets, packed weights before, first vector, vectors
    offsets: Table
    bases: Table
    starts: Table  # the pieces of vector v are starts[v] … starts[v + 1] − 1
    pieces: Table  # (piece, 3): first lane, lanes, place in the output
    out_step: int  # of neighbouring outputs
    band_step: int  # of neighbouring outputs along `axis`
    taps: tuple[Table, ...]  # of each pass
    blocks: Table  # heights of tiles
    rows: int  # outputs channels of a group


def forward_axes(kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> tuple[Axis, ...]:
    """Tap t of output j reads input j·stride + t·dilation − padding."""
    axes = []
    for k, s, p, d in zip(kernel, stride, padding, dilation, strict=True):
        phases = sorted({t * d % s for t in range(k)})
        axes.append(
            Axis(
                tuple(phases),
                tuple(phases.index(t * d % s) for t in range(k)),
                tuple(t * d // s for t in range(k)),
                s,
                p,
            )
        )
    return tuple(axes)


@functools.lru_cache(maxsize=512)
def forward_plan(
    size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints,
    channels: int, filters: int, planes: int, itemsize: int,
) -> Plan:  # fmt: skip
    """The plan of y = conv(x, w): one pass over all taps."""
    size, kernel, out = triple(size, 1), triple(kernel, 1), triple(out, 1)
    axes = forward_axes(kernel, triple(stride, 1), triple(padding, 0), triple(dilation, 1))
    taps = tuple(itertools.product(*map(range, kernel)))
    return _plan(axes, [(taps, (0, 0, 0), out)], out, out, (1, 1, 1), channels, filters, planes, itemsize)


@functools.lru_cache(maxsize=512)
def input_plan(
    size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints,
    channels: int, filters: int, planes: int, itemsize: int,
) -> Plan:  # fmt: skip
    """The plan of dx = conv_grad_input(dy, w): one pass for each remainder of the input's number modulo the stride.

    Input i = j·stride + φ takes tap t from output j + (φ + padding − t·dilation)/stride, where that is whole.
    """
    size, kernel, out = triple(size, 1), triple(kernel, 1), triple(out, 1)
    stride, padding, dilation = triple(stride, 1), triple(padding, 0), triple(dilation, 1)
    per_axis = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        found = [[(t, (f + p - t * d) // s) for t in range(k) if (f + p - t * d) % s == 0] for f in range(min(s, n))]
        per_axis.append(found)
    axes = []
    for k, found in zip(kernel, per_axis, strict=True):
        shifts = dict(itertools.chain(*found))
        low = min(shifts.values(), default=0)
        axes.append(Axis((0,), (0,) * k, tuple(shifts.get(t, low) - low for t in range(k)), 1, -low))
    passes = []
    for remainders in itertools.product(*(range(len(found)) for found in per_axis)):
        taps = tuple(itertools.product(*([t for t, _ in per_axis[a][f]] for a, f in enumerate(remainders))))
        reach = tuple(-(-(n - f) // s) for n, f, s in zip(size, remainders, stride, strict=True))
        passes.append((taps, remainders, reach))
    most = tuple(-(-n // s) for n, s in zip(size, stride, strict=True))
    return _plan(tuple(axes), passes, most, size, stride, filters, channels, planes, itemsize)


def _plan(
    axes: tuple[Axis, ...], passes: list[Any], most: Ints, target: Ints, step: Ints,
    channels: int, rows: int, planes: int, itemsize: int,
) -> Plan:  # fmt: skip
    """`most` outputs of a pass at most; output j of pass φ is number j·step + φ of the `target`."""
    axes = _cheaper(axes, most, channels, rows, simd.width() * 4 // itemsize)
    axis = next((a for a in range(3) if most[a] > 1), 2)
    band = _band(axes, most, axis, channels, planes, itemsize)
    bands = -(-most[axis] // band)
    inside = tuple(band if a == axis else n for a, n in enumerate(most))
    planes_of = tuple(n + a.reach for n, a in zip(inside, axes, strict=True))
    source, plane = source_table(axes, planes_of)
    lanes = simd.width() * 4 // itemsize
    kernel = tuple(len(a.shift) for a in axes)
    offsets: list[Table] = []
    bases: list[int] = []
    table, starts = [], [0]
    pieces: list[tuple[int, int, int]] = []
    weights = 0
    for taps, remainders, reach in passes:
        where = np.array([offset_of(axes, planes_of, plane, tap) for tap in taps], np.int64).reshape(-1)
        whole = (np.arange(channels, dtype=np.int64)[:, None] * (plane * _phases(axes)) + where).reshape(-1)
        first = sum(o.size for o in offsets)
        offsets.append(whole)
        entry = []
        for last in (False, True):
            start = most[axis] - band if last else 0
            counts = tuple(min(band, n - start) if a == axis else n for a, n in enumerate(reach))
            before = len(bases)
            for base, some in vectors(counts, planes_of, lanes):
                bases.append(base)
                for lane, n, (d, h, w) in some:
                    place = [j * s + f for j, s, f in zip((d, h, w), step, remainders, strict=True)]
                    number = (place[0] * target[1] + place[1]) * target[2] + place[2]
                    start_lane, held, begin = pieces[-1] if lane else (0, 0, 0)
                    if held and start_lane + held == lane and begin + held * step[2] == number:
                        pieces[-1] = (start_lane, held + n, begin)  # the next row goes on where this one ended
                    else:
                        pieces.append((lane, n, number))
                starts.append(len(pieces))
            entry.append((first, whole.size, weights, before, len(bases) - before))
        weights += whole.size * rows
        table.append(entry)
    taps_of = tuple(
        np.array([(t[0] * kernel[1] + t[1]) * kernel[2] + t[2] for t in taps], np.int64) for taps, _, _ in passes
    )
    strides = (target[1] * target[2], target[2], 1)
    return Plan(
        bands, band, axis, most[axis], source, plane * _phases(axes) * channels, np.array(table, np.int64),
        np.concatenate(offsets), np.array(bases, np.int64), np.array(starts, np.int64),
        np.array(pieces, np.int64).reshape(-1, 3), step[2], strides[axis] * step[axis], taps_of,
        np.array(gemm.split_rows(rows), np.int64), rows,
    )  # fmt: skip


def _cheaper(axes: tuple[Axis, ...], most: Ints, channels: int, rows: int, lanes: int) -> tuple[Axis, ...]:
    """The axes, or, where that saves more lanes than it costs copies: with a plane of its own for each tap of a row.

    Then the outputs of a plane follow each other without a gap, and no lane is lost at the ends of rows; but taps share
    no cache lines, which costs time where the source is larger than the first cache.
    """
    last = axes[2]
    places = tuple(sorted({last.phases[p] + last.step * s for p, s in zip(last.phase, last.shift, strict=True)}))
    taken = tuple(places.index(last.phases[p] + last.step * s) for p, s in zip(last.phase, last.shift, strict=True))
    apart = (*axes[:2], Axis(places, taken, (0,) * len(taken), last.step, last.padding))
    costs = []
    for these in (axes, apart):
        line, taps = most[2] + these[2].reach, product(tuple(len(a.shift) for a in these))
        height = (most[1] + these[1].reach) * (most[0] + these[0].reach) * _phases(these)
        vectors = min(most[1] * -(-most[2] // lanes), -(-(most[1] - 1) * line // lanes) + -(-most[2] // lanes))
        if line == most[2]:
            vectors = -(-most[1] * line // lanes)
        near = channels * height * line <= NEAR_VECTORS * lanes
        stores = 0 if line == most[2] else 4  # vectors that are stored in parts
        tiles = most[0] * vectors * rows * (channels * taps + stores)
        costs.append((tiles if near or these is axes else 1.1 * tiles) + channels * height * (10 + 3 * line // lanes))
    return apart if costs[1] < costs[0] else axes


def _phases(axes: tuple[Axis, ...]) -> int:
    return product(tuple(len(a.phases) for a in axes))


def _band(axes: tuple[Axis, ...], most: Ints, axis: int, channels: int, planes: int, itemsize: int) -> int:
    """Outputs along `axis` whose source fits the cache, and few enough to give every thread something to do."""
    across = channels * itemsize * _phases(axes)
    for a in range(3):
        across *= 1 if a == axis else most[a] + axes[a].reach
    fits = max(1, SOURCE_BYTES // max(across, 1) - axes[axis].reach)
    wanted = max(1, min(fits, -(-most[axis] * planes // ITEMS)))
    bands = -(-most[axis] // wanted)
    return -(-most[axis] // bands)


def source_table(axes: tuple[Axis, ...], planes_of: Ints) -> tuple[Table, int]:
    """Rows of sizes, steps, paddings, numbers of phases, then the phases of each axis; and the size of a plane."""
    longest = max(len(a.phases) for a in axes)
    source = np.zeros((4 + longest, 3), np.int64)
    source[0] = planes_of
    source[1] = [a.step for a in axes]
    source[2] = [a.padding for a in axes]
    source[3] = [len(a.phases) for a in axes]
    for i, a in enumerate(axes):
        source[4 : 4 + len(a.phases), i] = a.phases
    return source, product(planes_of)


def offset_of(axes: tuple[Axis, ...], planes_of: Ints, plane: int, tap: Ints) -> int:
    """Where the tap of output 0 lies in the source of a channel: its phases' plane, and the place in that."""
    which, inside = 0, 0
    for a, n, t in zip(axes, planes_of, tap, strict=True):
        which = which * len(a.phases) + a.phase[t]
        inside = inside * n + a.shift[t]
    return which * plane + inside


def vectors(counts: Ints, planes_of: Ints, lanes: int) -> Any:
    """(base, pieces) of the vectors that cover the outputs; a piece is (lane, lanes, output)."""
    depth, height, width = counts
    line = planes_of[2]
    by_row = height * -(-width // lanes)
    run_on = -(-((height - 1) * line + width) // lanes) if height and width else 0
    for d in range(depth):
        origin = d * planes_of[1] * line
        if by_row <= run_on or by_row == 0:
            for h in range(height):
                for w in range(0, width, lanes):
                    yield origin + h * line + w, [(0, min(lanes, width - w), (d, h, w))]
            continue
        for first in range(0, (height - 1) * line + width, lanes):
            some = []
            for h in range(first // line, min(height, (first + lanes - 1) // line + 1)):
                lo, hi = max(first, h * line), min(first + lanes, h * line + width)
                if lo < hi:
                    some.append((lo - first, hi - lo, (d, h, lo - h * line)))
            if some:
                yield origin + first, some
