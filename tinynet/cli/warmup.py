"""What `tinynet warmup` does: training steps of the documents' kinds of network, so that their kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .. import arange, nn, optim, randn

# (name, network, shape of a sample); each runs with few samples and with many: kernels have a serial and a parallel form
NETWORKS: tuple[tuple[str, Callable[[], Any], tuple[int, ...]], ...] = (
    ("mlp", lambda: [nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 10)], (1, 28, 28)),
    (
        "image",
        lambda: [
            nn.Conv2d(1, 10, 5), nn.BatchNorm2d(10), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(10, 20, 3, padding=1, stride=2), nn.GELU(), nn.AvgPool2d(2),
            nn.Conv2d(20, 20, 3, groups=20, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 10),
        ],
        (1, 28, 28),
    ),
    (
        "autoencoder",
        lambda: [
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.ConvTranspose2d(8, 8, 2, stride=2), nn.Sigmoid(),
            nn.Flatten(), nn.Linear(8 * 28 * 28, 10),
        ],
        (1, 28, 28),
    ),
    (
        "audio",
        lambda: [
            nn.Conv1d(1, 64, 3), nn.BatchNorm1d(64), nn.Tanh(), nn.MaxPool1d(2),
            nn.Conv1d(64, 32, 3), nn.SiLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 10),
        ],
        (1, 1000),
    ),
    (
        "video",
        lambda: [
            nn.Conv3d(3, 16, 3), nn.BatchNorm3d(16), nn.ReLU(), nn.MaxPool3d(2),
            nn.Conv3d(16, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(16, 10),
        ],
        (3, 8, 16, 16),
    ),
)  # fmt: skip
BATCHES = (2, 128)


def steps() -> list[tuple[str, Callable[[], None]]]:
    """What there is to run, each with its name."""
    found: list[tuple[str, Callable[[], None]]] = []
    for name, network, shape in NETWORKS:
        for batch in BATCHES:
            found.append((name, lambda network=network, shape=shape, batch=batch: _train(network, shape, batch)))  # type: ignore[misc]
    for batch in BATCHES:
        found.append(("text", lambda batch=batch: _text(batch)))  # type: ignore[misc]
        found.append(("recurrent", lambda batch=batch: _recurrent(batch)))  # type: ignore[misc]
        found.append(("losses", lambda batch=batch: _losses(batch)))  # type: ignore[misc]
    return found


def _train(network: Callable[[], Any], shape: tuple[int, ...], batch: int) -> None:
    model = nn.Sequential(*network())
    x, y = randn(batch, *shape), arange(batch) % 10
    for optimizer in _optimizers(model.parameters()):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    model(x)


def _optimizers(parameters: Any) -> Iterator[Any]:
    params = list(parameters)
    yield optim.SGD(params, lr=0.0)
    yield optim.SGD(params, lr=0.0, momentum=0.9)
    yield optim.Adam(params, lr=0.0)
    yield optim.AdamW(params, lr=0.0)


def _text(batch: int) -> None:
    table = nn.Embedding(1000, 64)
    layer = nn.TransformerEncoderLayer(64, 4, 128, activation="gelu", batch_first=True)
    model = nn.Linear(64, 1000)
    y = arange(batch * 16) % 1000
    hidden = layer(table(y).reshape(batch, 16, 64)).reshape(-1, 64)
    nn.functional.cross_entropy(model(hidden), y, label_smoothing=0.1).backward()
    for optimizer in _optimizers([*table.parameters(), *model.parameters()]):
        optimizer.step()


def _recurrent(batch: int) -> None:
    for kind in (nn.RNN, nn.LSTM, nn.GRU):
        y, _ = kind(64, 64)(randn(16, batch, 64, requires_grad=True))
        y.sum().backward()


def _losses(batch: int) -> None:
    for loss in (nn.functional.mse_loss, nn.functional.binary_cross_entropy_with_logits):
        x = randn(batch * 16, 256, requires_grad=True)
        loss(x, (randn(batch * 16, 256) > 0).float()).backward()
    x = randn(batch * 16, 256, requires_grad=True)
    nn.functional.nll_loss(nn.functional.log_softmax(x, dim=1), arange(batch * 16) % 256).backward()
    nn.functional.softmax(x, dim=1).sum().backward()
