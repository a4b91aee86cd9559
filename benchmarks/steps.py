"""Whole training steps: the documents' networks, and the usual ones beside them."""

from __future__ import annotations

from typing import Any

from .cases import Maker, training_step
from .jax_steps import jax_step


def l1(t: Any) -> Any:
    """Listing L1, for images of 14×12."""
    nn = t.nn
    return nn.Sequential(
        nn.Conv2d(1, 10, 5), nn.ReLU(), nn.Conv2d(10, 20, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3 * 2 * 20, 500), nn.ReLU(), nn.Linear(500, 10),
    )  # fmt: skip


def l2(t: Any) -> Any:
    """Listing L2 in PyTorch's terms, for images of 28×28."""
    nn = t.nn
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1600, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def l10(t: Any) -> Any:
    """Listing L10, for images of 24×24 in colour."""
    nn = t.nn
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2),
        nn.Flatten(), nn.Linear(64 * 6 * 6, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def batch_norm_cnn(t: Any) -> Any:
    """3-32-64-128 with batch norm, for images of 32×32."""
    nn = t.nn
    layers = []
    for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
        conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


def lenet(t: Any) -> Any:
    """LeNet with ReLU and max pooling, for images of 28×28."""
    nn = t.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def audio(t: Any) -> Any:
    """Listing L5 in PyTorch's terms, for 1,000 samples."""
    nn = t.nn
    return nn.Sequential(
        nn.Conv1d(1, 64, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(64, 128, 3), nn.ReLU(), nn.MaxPool1d(2),
        nn.Flatten(), nn.Linear(128 * 248, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def video(t: Any) -> Any:
    """Listing L6 in PyTorch's terms, for 12 frames of 24×24 in colour."""
    nn = t.nn
    return nn.Sequential(
        nn.Conv3d(3, 64, 3), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(64, 128, 3), nn.ReLU(), nn.MaxPool3d(2),
        nn.Flatten(), nn.Linear(128 * 1 * 4 * 4, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def mlp(t: Any) -> Any:
    """784-256-128-10."""
    nn = t.nn
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )


def images(batch: int, *shape: int) -> Any:
    """Inputs and labels of ten classes."""

    def make(m: Maker) -> tuple[Any, Any]:
        return m.data(batch, *shape), m.integers(10, batch)

    return make


def _step(name: str, network: Any, inputs: Any, **options: Any) -> Any:
    return training_step(name, network, inputs, jax=jax_step(network, inputs), **options)


CASES = [
    _step("L1 CNN b32", l1, images(32, 1, 14, 12), samples=32),
    _step("L2 CNN b32", l2, images(32, 1, 28, 28), samples=32),
    _step("L10 CNN b64", l10, images(64, 3, 24, 24), samples=64),
    _step("batch-norm CNN b64", batch_norm_cnn, images(64, 3, 32, 32), samples=64),
    _step("LeNet b64", lenet, images(64, 1, 28, 28), samples=64, quick=True),
    _step("Conv1D audio b32", audio, images(32, 1, 1000), samples=32),
    _step("Conv3D video b8", video, images(8, 3, 12, 24, 24), samples=8),
    _step("MLP b64", mlp, images(64, 1, 28, 28), samples=64, quick=True),
    training_step(
        "LeNet b64, SGD momentum", lenet, images(64, 1, 28, 28), samples=64,
        optimizer=lambda t, ps: t.optim.SGD(ps, lr=0.01, momentum=0.9),
    ),
]  # fmt: skip
