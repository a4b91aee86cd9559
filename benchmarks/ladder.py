"""`python -m benchmarks.ladder`: one convolution by its definition, in NumPy, in plain Numba, and by tinynet's kernel.

The four of docs/convolution.md, on 64 images of 16 × 32 × 32 with 32 filters of 5 × 5; one thread, interleaved, medians.
All are compared with the definition before they are timed.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
from numba import njit  # noqa: E402

import tinynet as tn  # noqa: E402
import tinynet.nn.functional as F  # noqa: E402

from .roofline import measured  # noqa: E402

Array = np.ndarray[Any, Any]


def by_definition(x: Array, w: Array) -> Array:
    with tn.no_grad(), tn.use_definitions():
        return F.conv2d(tn.from_numpy(x), tn.from_numpy(w)).numpy()


def by_numpy(x: Array, w: Array) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))
    rows = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, w[0].size)
    y = rows @ w.reshape(len(w), -1).T
    return y.reshape(len(x), *windows.shape[2:4], len(w)).transpose(0, 3, 1, 2)


@njit(fastmath={"contract"})  # type: ignore[untyped-decorator]
def by_loops(x: Array, w: Array) -> Array:
    n, c, height, width = x.shape
    o, _, u, v = w.shape
    y = np.zeros((n, o, height - u + 1, width - v + 1), x.dtype)
    for i in range(n):
        for k in range(o):
            for j in range(c):
                for a in range(u):
                    for b in range(v):
                        for p in range(y.shape[2]):
                            for q in range(y.shape[3]):
                                y[i, k, p, q] += w[k, j, a, b] * x[i, j, p + a, q + b]
    return y


def by_kernel(x: Array, w: Array) -> Array:
    with tn.no_grad():
        return F.conv2d(tn.from_numpy(x), tn.from_numpy(w)).numpy()


STEPS: dict[str, Callable[[Array, Array], Array]] = {
    "definition": by_definition,
    "NumPy": by_numpy,
    "plain Numba": by_loops,
    "registers": by_kernel,
}


def main(rounds: int = 15) -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 16, 32, 32)).astype(np.float32)
    w = rng.standard_normal((32, 16, 5, 5)).astype(np.float32)
    expected = by_definition(x, w)
    times: dict[str, list[float]] = {name: [] for name in STEPS}
    for name, step in STEPS.items():
        if not np.allclose(step(x, w), expected, atol=1e-3):
            raise SystemExit(f"{name} differs from the definition")
    for _ in range(rounds):
        for name, step in STEPS.items():
            start = time.perf_counter()
            step(x, w)
            times[name].append(time.perf_counter() - start)
    peak = measured(1)["peak_gflops"]
    flops = 2.0 * expected.size * w[0].size
    print("| step | ms | GFLOP/s | of the peak |\n|---|---|---|---|")
    for name, found in times.items():
        t = statistics.median(found)
        print(f"| {name} | {t * 1e3:.1f} | {flops / t / 1e9:.1f} | {flops / t / 1e9 / peak:.0%} |")


if __name__ == "__main__":
    main()
