"""The engine's own cost beside PyTorch's: small tensors, one thread, medians of interleaved rounds.

python benchmarks/engine.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import tinynet

ROUNDS = 15


def timed(f: Callable[[], Any], n: int) -> float:
    """Seconds a call."""
    start = time.perf_counter()
    for _ in range(n):
        f()
    return (time.perf_counter() - start) / n


def compare(name: str, make: Callable[[Any], Callable[[], Any]], n: int) -> None:
    """Both engines in turn; the median of each and the median of the ratios."""
    ours, theirs = make(tinynet), make(torch)
    for f in (ours, theirs):
        timed(f, max(3, n // 10))
    pairs = [(timed(ours, n), timed(theirs, n)) for _ in range(ROUNDS)]
    a, b = (statistics.median(p[i] for p in pairs) * 1e6 for i in (0, 1))
    ratio = statistics.median(p[1] / p[0] for p in pairs)
    print(f"{name:<34} tinynet {a:9.1f} µs   PyTorch {b:9.1f} µs   PyTorch/tinynet {ratio:5.2f}")


def leaves(t: Any, *shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(0)
    return [t.from_numpy(rng.normal(size=s).astype(np.float32)).requires_grad_() for s in shapes]


def expression(t: Any) -> Callable[[], Any]:
    a, b, c = leaves(t, (3, 4), (3, 4), (3, 4))
    return lambda: a * b + c


def with_backward(t: Any) -> Callable[[], Any]:
    a, b, c = leaves(t, (3, 4), (3, 4), (3, 4))
    return lambda: (a * b + c).sum().backward()


def chain(t: Any) -> Callable[[], Any]:
    (x,) = leaves(t, (3, 4))

    def run() -> None:
        y = x
        for _ in range(20):
            y = y * 0.5 + 0.1
        y.sum().backward()

    return run


def mlp_step(t: Any) -> Callable[[], Any]:
    model = t.nn.Sequential(t.nn.Linear(64, 64), t.nn.ReLU(), t.nn.Linear(64, 10))
    optimizer = t.optim.SGD(model.parameters(), lr=0.01)
    x, y = t.randn(32, 64), t.arange(32) % 10

    def run() -> None:
        loss = t.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return run


def lenet_step(t: Any) -> Callable[[], Any]:
    nn = t.nn
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    optimizer = t.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = t.randn(64, 1, 28, 28), t.arange(64) % 10

    def run() -> None:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return run


def import_time(statement: str) -> float:
    """The median of fresh processes, less an empty one."""

    def once(text: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", text], check=True)
        return time.perf_counter() - start

    return statistics.median(once(statement) - once("pass") for _ in range(7))


def main() -> None:
    torch.set_num_threads(1)
    tinynet.set_num_threads(1)
    for statement in ("import tinynet", "import tinynet; tinynet.zeros(1)", "import torch"):
        print(f"{statement:<34} {import_time(statement) * 1e3:7.0f} ms")
    compare("a*b + c", expression, 3000)
    compare("(a*b + c).sum().backward()", with_backward, 1000)
    compare("chain of 40 operations, backward", chain, 100)
    compare("MLP step 64-64-10, batch 32", mlp_step, 100)
    compare("LeNet step 28×28, batch 64", lenet_step, 10)


if __name__ == "__main__":
    main()
