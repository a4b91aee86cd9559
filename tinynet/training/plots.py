"""Pictures of a run: curves and confusion matrix, as PNG."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ..files import write_bytes


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_bytes(path, buffer.getvalue())


def save_curves(history: list[dict[str, Any]], path: Path) -> None:
    """Loss and accuracy by epoch, for training and test."""
    figure = _figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    for axis, key, title in ((left, "loss", "loss"), (right, "accuracy", "accuracy")):
        for part in ("train", "test"):
            axis.plot(epochs, [row[f"{part}_{key}"] for row in history], marker=".", label=part)
        axis.set(xlabel="epoch", title=title)
        axis.grid(alpha=0.3)
        axis.legend()
    left.set_yscale("log")
    _save(figure, path)


def save_losses(history: list[dict[str, Any]], path: Path) -> None:
    """Training and validation loss by step."""
    figure = _figure(5.5, 3.6)
    axis = figure.subplots()
    steps = [row["step"] for row in history]
    for part in ("train", "validation"):
        axis.plot(steps, [row[f"{part}_loss"] for row in history], marker=".", label=part)
    axis.set(xlabel="step", title="loss (nats)")
    axis.grid(alpha=0.3)
    axis.legend()
    _save(figure, path)


def save_confusion(confusion: np.ndarray[Any, Any], path: Path) -> None:
    """The confusion matrix: row the true class, column the predicted one."""
    n = len(confusion)
    figure = _figure(1.5 + 0.45 * n, 1.2 + 0.45 * n)
    axis = figure.subplots()
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axis.set(xlabel="predicted", ylabel="true", xticks=range(n), yticks=range(n))
    for i in range(n):
        for j in range(n):
            if confusion[i, j]:
                axis.text(
                    j,
                    i,
                    str(confusion[i, j]),
                    ha="center",
                    va="center",
                    color="white" if share[i, j] > 0.5 else "black",
                )
    _save(figure, path)
