"""The gradient of the weight of a convolution with one input channel a group (depthwise): vectors along pixels.

Tiles over filters (conv.py) would leave all lanes but one empty, as a channel has one filter or a few. So the lanes hold
neighbouring pixels, several taps at a time, and are added at the end.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from . import simd, threads
from .arrays import Array, contiguous, product, triple
from .conv_plan import Plan
from .conv_source import fill
from .gemm import TAPS, tap_tile
from .jit import kernel
from .memory import empty


def grad_weight(work: int, dy: Array, x: Array, dw: Array, plan: Plan, slack: int) -> None:
    """dw (O, 1, *kernel), in place, from dy (N, O, *out), x (N, G, *size) and the plan of the forward for one channel.

    Parallel over channels; the sums of an image accumulate in the dtype of `dy`, in lanes, those of all in float64.
    """
    taps, groups = product(dw.shape[2:]), x.shape[1]
    offsets = np.zeros(-(-taps // TAPS) * TAPS, np.int64)
    offsets[:taps] = plan.offsets
    scratch = empty((min(threads.get_num_threads(), groups), plan.buffer + slack), dy.dtype)
    size, out = triple(x.shape[2:], 1), triple(dy.shape[2:], 1)
    _grad_weight(
        work, contiguous(dy).reshape(-1), contiguous(x).reshape(-1), dw.reshape(-1), scratch, dy.shape[0], groups,
        dy.shape[1] // groups, taps, size, out, plan.axis, plan.band, plan.bands, plan.source, offsets,
        simd.lanes(dy.dtype),
    )  # fmt: skip


@kernel
def _grad_weight(  # type: ignore[no-untyped-def]
    dy, x, dw, scratch, images, groups, filters, taps, size, out, axis, band, bands, source, offsets, lanes
):
    workers, pixels = scratch.shape[0], out[0] * out[1] * out[2]
    for worker in prange(workers):
        buffer = scratch[worker]
        buffer[:] = 0
        sums, total = np.empty(offsets.size * lanes, dy.dtype), np.empty(filters * taps)
        for g in range(worker * groups // workers, (worker + 1) * groups // workers):
            total[:] = 0
            for item in range(images * bands):
                which, start = (item // bands) * groups + g, (item % bands) * band
                fill(x, which * size[0] * size[1] * size[2], 1, size, buffer, source, axis, start, bands == 1)
                depth = min(band, out[0] - start) if axis == 0 else out[0]
                lines = min(band, out[1] - start) if axis == 1 else out[1]
                width = min(band, out[2] - start) if axis == 2 else out[2]
                corner = start * (out[1] * out[2] if axis == 0 else out[2] if axis == 1 else 1)
                for m in range(filters):
                    yo = (which * filters + m) * pixels + corner
                    sums[:] = 0
                    for first in range(0, offsets.size, TAPS):
                        for d in range(depth):
                            tap_tile(
                                buffer, d * source[0, 1] * source[0, 2], offsets, first, lines, width, source[0, 2],
                                dy, yo + d * out[1] * out[2], sums, first * lanes,
                            )  # fmt: skip
                    for t in range(taps):
                        for lane in range(lanes):
                            total[m * taps + t] += sums[t * lanes + lane]
            for i in range(total.size):
                dw[g * filters * taps + i] = total[i]
