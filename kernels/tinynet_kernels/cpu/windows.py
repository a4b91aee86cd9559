"""Where the windows of a pooling lie: tables for each axis, always three axes, the missing ones of size 1."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from .arrays import Array, product, triple

Ints = tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Windows:
    """Tap t of output p of an axis lies at ``begin[p] + t · dilation``.

    axes      for each axis (4, out): begin; the first and the last position + 1 inside the input; the tap of the first
    taps      the number of taps on each axis
    dilation  of each axis
    regular   on the last axis: the step between windows, and the outputs from … to whose windows lie inside; from = to
              where steps are irregular
    """

    axes: tuple[Array, Array, Array]
    taps: tuple[int, int, int]
    dilation: tuple[int, int, int]
    regular: tuple[int, int, int]
    size: tuple[int, int, int]

    @functools.cached_property
    def empty(self) -> Array | None:
        """Which outputs (out) have no tap inside the input, bool; None if all have."""
        none = [a[1] >= a[2] for a in self.axes]
        if not any(n.any() for n in none):
            return None
        return none[0][:, None, None] | none[1][:, None] | none[2]

    @functools.cached_property
    def offsets(self) -> Array:
        """How far each tap lies from its window's begin, in the flat plane."""
        d, h, w = (np.arange(n) * gap for n, gap in zip(self.taps, self.dilation, strict=True))
        return ((d[:, None, None] * self.size[1] + h[:, None]) * self.size[2] + w).reshape(-1)

    @functools.cached_property
    def pairs(self) -> bool:
        """Whether the windows are the squares of 2 × 2, side by side, of each plane, and none reaches over its end."""
        two = self.taps == (1, 2, 2) and self.dilation[1:] == (1, 1)
        ends = zip(self.axes[1:], self.size[1:], strict=True)
        starts = [np.array_equal(a[0], 2 * np.arange(a.shape[1])) and 2 * a.shape[1] <= n for a, n in ends]
        return two and all(starts) and self.axes[0].shape[1] == self.size[0]

    @functools.cached_property
    def whole(self) -> bool:
        """Whether there is one window, the whole plane."""
        axes = zip(self.axes, self.taps, self.size, strict=True)
        return all(a.shape[1] == 1 and a[1, 0] == 0 and a[2, 0] == n == taps for a, taps, n in axes)

    def joined(self) -> bool:
        """Whether the windows of the last axis divide its lines, so that all lines are one."""
        step, first, last = self.regular
        out = self.axes[2].shape[1]
        return first == 0 and last == out and out * step == self.size[2] and self.dilation[2] == 1


@functools.lru_cache(maxsize=512)
def windows(size: Ints, output_size: Ints, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Windows:
    """The windows of a pooling with fixed steps."""
    full, out = triple(size, 1), triple(output_size, 1)
    taps, steps, pads, gaps = triple(kernel_size, 1), triple(stride, 1), triple(padding, 0), triple(dilation, 1)
    axes = [_axis(*geometry) for geometry in zip(full, out, taps, steps, pads, gaps, strict=True)]
    begin = axes[2][0]
    inside = np.flatnonzero((begin >= 0) & (begin + (taps[2] - 1) * gaps[2] < full[2]))
    regular = (steps[2], int(inside[0]), int(inside[-1]) + 1) if inside.size else (steps[2], 0, 0)
    return Windows((axes[0], axes[1], axes[2]), taps, gaps, regular, full)


def _axis(n: int, out: int, taps: int, step: int, pad: int, gap: int) -> Array:
    begin = np.arange(out) * step - pad
    tap = (np.maximum(-begin, 0) + gap - 1) // gap
    return np.stack([begin, np.minimum(begin + tap * gap, n), np.minimum(begin + (taps - 1) * gap + 1, n), tap])


@functools.lru_cache(maxsize=512)
def adaptive_windows(size: Ints, output_size: Ints) -> Windows:
    """The windows ``⌊p·in/out⌋ … ⌈(p + 1)·in/out⌉ − 1``."""
    full, out = triple(size, 1), triple(output_size, 1)
    if all(n % m == 0 for n, m in zip(full, out, strict=True)):
        parts = tuple(n // m for n, m in zip(full, out, strict=True))
        return windows(full, out, parts, parts, (0, 0, 0), (1, 1, 1))
    axes = []
    for n, m in zip(full, out, strict=True):
        p = np.arange(m)
        begin = p * n // m
        axes.append(np.stack([begin, begin, -(-(p + 1) * n // m), np.zeros_like(p)]))
    longest = [int((a[2] - a[1]).max()) for a in axes]
    return Windows((axes[0], axes[1], axes[2]), (longest[0], longest[1], longest[2]), (1, 1, 1), (1, 0, 0), full)


def sizes(x: Windows, count_include_pad: bool, padding: Ints, divisor: int | None) -> list[Array]:
    """For each axis the length of each window (float64), whose product is the divisor of a mean; at least 1."""
    if divisor is not None:
        return [np.ones(x.axes[0].shape[1]), np.ones(x.axes[1].shape[1]), np.full(x.axes[2].shape[1], float(divisor))]
    found = []
    for (begin, first, last, _), taps, n, pad in zip(x.axes, x.taps, x.size, triple(padding, 0), strict=True):
        length = np.minimum(begin + taps, n + pad) - begin if count_include_pad else last - first
        found.append(np.maximum(length, 1).astype(np.float64))
    return found


def planes(x: Array) -> Array:
    """x (N, C, *spatial) as (N·C, D, H, W)."""
    return x.reshape(x.shape[0] * x.shape[1], *triple(x.shape[2:], 1))


def work(y: Array, where: Windows) -> int:
    """Element-operations of a pooling."""
    return max(y.size * product(where.taps) // 2, y.size)
