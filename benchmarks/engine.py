"""The engine's own cost: small graphs, chains, an MLP step.

python -m benchmarks engine, or python benchmarks/engine.py (which prints the times of the imports, too)
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

if not __package__:  # run as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.cases import Array, Case, Maker, Program, training_step


def _case(name: str, expression: Any, *, backward: bool, quick: bool = False) -> Case:
    """An expression of three 3×4 leaves; timed with the gradients accumulating, as a plain loop has them."""

    def build(m: Maker) -> Program:
        leaves = [m.leaf(3, 4) for _ in range(3)]
        f = m.compiled(lambda *xs: expression(*xs))

        def run() -> Any:
            y = f(*leaves)
            if backward:
                y.backward()
            return y

        def values() -> dict[str, Array]:
            for x in leaves:
                x.grad = None
            y = run()
            grads = {f"grad {i}": x.grad.numpy() for i, x in enumerate(leaves) if x.grad is not None}
            return {"y": y.detach().numpy(), **grads}

        return Program(run, values)

    return Case(name, build, quick=quick)


def _chain(x: Any, *rest: Any) -> Any:
    for _ in range(20):
        x = x * 0.5 + 0.1
    return x.sum()


def _mlp(t: Any) -> Any:
    return t.nn.Sequential(t.nn.Linear(64, 64), t.nn.ReLU(), t.nn.Linear(64, 10))


CASES = [
    _case("a·b + c", lambda a, b, c: a * b + c, backward=False),
    _case("(a·b + c).sum().backward()", lambda a, b, c: (a * b + c).sum(), backward=True, quick=True),
    _case("chain of 40 operations, backward", _chain, backward=True),
    training_step(
        "MLP step 64-64-10 b32", _mlp, lambda m: (m.data(32, 64), m.integers(10, 32)), samples=32,
        optimizer=lambda t, ps: t.optim.SGD(ps, lr=0.01),
    ),
]  # fmt: skip


def import_time(statement: str) -> float:
    """The median of fresh processes, less an empty one."""

    def once(text: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", text], check=True)
        return time.perf_counter() - start

    return statistics.median(once(statement) - once("pass") for _ in range(7))


def main() -> int:
    """Imports, then the family."""
    from benchmarks.__main__ import main as run
    from benchmarks.engines import installed

    imports = ["import tinynet", "import tinynet; tinynet.zeros(1)", *(["import torch"] if installed("torch") else [])]
    for statement in imports:
        print(f"{statement:<34} {import_time(statement) * 1e3:7.0f} ms")
    return run(["engine", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
