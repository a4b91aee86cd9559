"""Tables in Markdown, JSON, and pictures of the results."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .runner import Row


def header_lines(header: dict[str, Any]) -> list[str]:
    """The machine, the versions and the method's settings, a line each."""
    r = header["roofline"]
    lines = [
        f"{header['processor']}, {header['cores']} logical cores; {header['threads']} thread(s); "
        f"vectors of {header['vector_lanes']} float32 lanes; {header['date']}",
        ", ".join(f"{name} {v}" for name, v in header["versions"].items()),
        *(f"BLAS of {name}: {', '.join(found) or 'not told'}" for name, found in header["blas"].items()),
        f"roofline: {r['peak_gflops']:.0f} GFLOP/s (FMA {r['fma_gflops']:.0f}, NumPy 2048³ {r['gemm_gflops']:.0f}), "
        f"triad {r['triad_gbs']:.0f} GB/s",
    ]
    if header["quick"]:
        lines.append("quick: three short rounds of few cases; no figure for a table")
    lines += [f"left out, not installed: {name}" for name in header["missing"]]
    return lines


def columns(peers: Sequence[str], cold: bool) -> list[str]:
    """A table's column titles."""
    names = ["case", "tinynet", "±"]
    names += [f"{p}/tinynet" for p in peers if p != "tinynet"]
    names += ["rate", "of roofline"]
    names += [f"MiB {p}" for p in peers]
    return names + (["compile"] if cold else [])


def cells(row: Row, peers: Sequence[str], cold: bool) -> list[str]:
    """A row of the table."""
    if row.error is not None:
        return [row.case, f"FAILED: {row.error}"]
    own = row.seconds["tinynet"]
    found = [row.case, seconds(own), f"{row.iqr['tinynet'] / own:.0%}"]
    found += [f"{row.ratio[p]:.2f}" if p in row.ratio else "–" for p in peers if p != "tinynet"]
    found += [rate(row), f"{row.roofline_share:.0%}" if row.roofline_share is not None else "–"]
    found += [f"{row.memory_mib[p]:.1f}" if p in row.memory_mib else "–" for p in peers]
    if cold:
        found.append(f"{row.cold_seconds:.2f} s" if row.cold_seconds is not None else "–")
    return found


def rate(row: Row) -> str:
    """GFLOP/s where arithmetic is counted, else GB/s."""
    if row.gflops is not None:
        return f"{row.gflops:.0f} GFLOP/s"
    return f"{row.gbs:.1f} GB/s" if row.gbs is not None else "–"


def seconds(value: float) -> str:
    """A time with three digits, in its unit."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms")):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def line(found: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(found)} |"


def summary(rows: Iterable[Row]) -> list[str]:
    """A family's end: geometric means, what is slower than a peer, what failed."""
    rows = list(rows)
    measured = [r for r in rows if r.error is None]
    lines = []
    for peer in dict.fromkeys(p for r in measured for p in r.ratio):
        ratios = [r.ratio[peer] for r in measured if peer in r.ratio]
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        lines.append(f"geometric mean of {peer}/tinynet: {mean:.2f} over {len(ratios)} cases")
        for r in measured:
            if r.ratio.get(peer, 1.0) < 1.0:
                floor = "no floor counted" if r.floor_seconds is None else f"floor {seconds(r.floor_seconds)}"
                times = f"tinynet {seconds(r.seconds['tinynet'])}, {peer} {seconds(r.seconds[peer])}"
                lines.append(f"  below 1.0: {r.ratio[peer]:.2f}  {r.case}: {times}, {floor}")
    return lines + [f"  FAILED: {r.case}: {r.error}" for r in rows if r.error is not None]


def write_json(path: Path, header: dict[str, Any], rows: Iterable[Row]) -> None:
    """Everything that was measured."""
    text = json.dumps({"header": header, "rows": [asdict(r) for r in rows]}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """What `write_json` wrote."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return data["header"], [Row(**row) for row in data["rows"]]


def plot_ratios(path: Path, rows: Iterable[Row]) -> None:
    """A bar for each case and peer: its time over tinynet's, on a logarithmic axis."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [r for r in rows if r.error is None and r.ratio]
    peers = list(dict.fromkeys(p for r in rows for p in r.ratio))
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.22 * max(1, len(rows)) * max(1, len(peers))), layout="constrained")
    height = 0.8 / max(1, len(peers))
    for k, peer in enumerate(peers):
        at = [i + (k - (len(peers) - 1) / 2) * height for i, r in enumerate(rows) if peer in r.ratio]
        axes.barh(at, [r.ratio[peer] - 1 for r in rows if peer in r.ratio], height, left=1, label=peer)
    axes.set_yticks(range(len(rows)), [f"{r.family}: {r.case}" for r in rows], fontsize=7)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("time / tinynet's time (right of 1: tinynet is faster)")
    axes.invert_yaxis()
    if peers:
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=150)
    plt.close(figure)
