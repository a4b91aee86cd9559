"""Do the command line's networks reach the accuracy of the same PyTorch programs? Means over three seeds.

python benchmarks/accuracy.py [mnist-folder]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tinynet.data import Mapped
from tinynet.models import LeNet
from tinynet.training import Config, train
from tinynet.training.run import datasets

SEEDS = (0, 1, 2)


def twin(model: LeNet) -> nn.Module:
    """The same LeNet in PyTorch."""

    class TorchLeNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            c1, c2 = model.conv1, model.conv2
            self.conv1 = nn.Conv2d(c1.in_channels, c1.out_channels, c1.kernel_size, padding=c1.padding)
            self.conv2 = nn.Conv2d(c2.in_channels, c2.out_channels, c2.kernel_size, padding=c2.padding)
            self.fc1 = nn.Linear(model.fc1.in_features, 120)
            self.fc2 = nn.Linear(120, 84)
            self.fc3 = nn.Linear(84, model.fc3.out_features)
            self.dropout = nn.Dropout(model.dropout.p)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            f = nn.functional
            x = f.max_pool2d(f.relu(self.conv1(x)), 2)
            x = f.max_pool2d(f.relu(self.conv2(x)), 2).flatten(1)
            x = self.dropout(f.relu(self.fc1(x)))
            return self.fc3(self.dropout(f.relu(self.fc2(x))))

    return TorchLeNet()


def tensors(data: Mapped) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(data.images.numpy()), torch.from_numpy(data.labels.numpy())


def pytorch(config: Config, seed: int) -> tuple[float, float]:
    """The best and the last test accuracy of PyTorch's run."""
    torch.manual_seed(seed)
    parts = datasets(config)
    (x, y), (tx, ty) = map(tensors, parts)
    model = twin(LeNet(tuple(x.shape[1:]), 10))
    assert config.epochs is not None
    assert config.lr is not None
    optimizer = torch.optim.SGD(model.parameters(), config.lr, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), config.batch_size, shuffle=True)
    found = []
    for _ in range(config.epochs):
        model.train()
        for a, b in loader:
            loss = nn.functional.cross_entropy(model(a), b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        model.eval()
        with torch.no_grad():
            found.append((model(tx).argmax(1) == ty).float().mean().item())
    return max(found), found[-1]


def ours(config: Config) -> tuple[float, float]:
    """The best and the last test accuracy of tinynet's run."""
    with tempfile.TemporaryDirectory() as folder:
        result = train(config, Path(folder) / "run", progress=False)
    return result.best.accuracy, result.history[-1]["test_accuracy"]


def compare(**options: Any) -> None:
    rows: dict[str, list[tuple[float, float]]] = {"tinynet": [], "PyTorch": []}
    seconds = dict.fromkeys(rows, 0.0)
    for seed in SEEDS:
        config = Config(model="lenet", seed=seed, **options)
        for name, run in (("tinynet", lambda c=config: ours(c)), ("PyTorch", lambda c=config, s=seed: pytorch(c, s))):
            start = time.perf_counter()
            rows[name].append(run())
            seconds[name] += time.perf_counter() - start
    for name, found in rows.items():
        best, last = (statistics.mean(r[i] for r in found) for i in (0, 1))
        each = ", ".join(f"{b:.2%}/{e:.2%}" for b, e in found)
        print(
            f"{options['data']:<8} {name}: best {best:.2%}, last epoch {last:.2%} ({each}), {seconds[name] / 3:.1f} s a run"
        )


if __name__ == "__main__":
    compare(data="digits")
    if len(sys.argv) > 1:
        compare(data="mnist", data_dir=sys.argv[1])
