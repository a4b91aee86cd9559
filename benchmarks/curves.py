"""Cost curves: time per sample against batch, channels, image size and length. `python -m benchmarks curves [--plot out.png]`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from .attention import attention
from .cases import Case
from .conv import conv
from .matmul import linear
from .recurrent import layer
from .runner import Row


def _curve(title: str, cases: Iterable[tuple[int, int, Case]]) -> list[Case]:
    """(value on the axis, samples in a run, case), renamed so that the axis can be read off the name."""
    return [
        dataclasses.replace(c, name=f"{title} = {value}", samples=n, quick=i < 2)
        for i, (value, n, c) in enumerate(cases)
    ]


LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192)
CASES = [
    *_curve("conv 32→32, k3, 16²: batch", ((n, n, conv(n, 32, 32, 3, 16)) for n in (1, 2, 4, 8, 16, 32, 64, 128))),
    *_curve("conv b16, k3, 16²: channels", ((c, 16, conv(16, c, c, 3, 16)) for c in (1, 2, 4, 8, 16, 32, 64, 128))),
    *_curve("conv b8, 16→16, k3: image size", ((s, 8, conv(8, 16, 16, 3, s)) for s in (4, 7, 8, 14, 16, 28, 32, 56, 64))),
    *_curve("linear 256→256: batch", ((n, n, linear(n, 256, 256)) for n in (1, 4, 16, 64, 256, 1024))),
    *_curve("LSTM b32, 128→128: length", ((t, 32, layer("LSTM", t, 32, 128, 128)) for t in (8, 16, 32, 64, 128, 256))),
    *_curve("LSTM T32, 128→128: batch", ((b, b, layer("LSTM", 32, b, 128, 128)) for b in (1, 4, 16, 64, 256))),
    *_curve("causal attention 1×4×T×32: length", ((t, t, attention(1, 4, t, 32, kind="causal")) for t in LENGTHS)),
    *_curve("causal attention N×4×128×32: batch", ((n, n, attention(n, 4, 128, 32, kind="causal")) for n in (1, 4, 16, 64))),
    *_curve("linear b64: features", ((f, 64, linear(64, f, f)) for f in (16, 32, 64, 128, 256, 512, 1024))),
]  # fmt: skip


def plot(path: Path, rows: Iterable[Row]) -> None:
    """A picture for each curve: time per sample of each engine, both axes logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    curves: dict[str, list[Row]] = {}
    for row in rows:
        if row.error is None:
            curves.setdefault(row.case.rpartition(" = ")[0], []).append(row)
    count = max(1, len(curves))
    figure, grid = plt.subplots(1, count, figsize=(4 * count, 3.4), layout="constrained", squeeze=False)
    for axes, (title, found) in zip(grid[0], curves.items(), strict=False):
        at = [int(r.case.rpartition(" = ")[2]) for r in found]
        for engine in found[0].seconds:
            axes.loglog(
                at, [r.seconds[engine] / r.samples * 1e6 for r in found], marker="o", markersize=3, label=engine
            )
        axes.set_title(title, fontsize=8)
        axes.set_xlabel(title.rpartition(": ")[2])
        axes.set_ylabel("µs a sample")
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=150)
    plt.close(figure)
