"""What is timed: a program written once against a namespace, so that tinynet and PyTorch run the same lines."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

FAMILIES = (
    "matmul", "conv", "pool", "norm", "softmax", "attention", "elementwise", "embedding", "recurrent", "optim", "engine",
    "steps",
    "language",
)  # fmt: skip


class Maker:
    """Makes a case's tensors in one engine: from the same random numbers in all of them, in the order of the calls.

    t         the namespace: `tinynet` or `torch`
    dtype     "float32", or "float64" for the definition that results are compared with
    compiled  what the engine does to a function or module before it runs (`torch.compile`; else nothing)
    """

    def __init__(self, t: Any, dtype: str = "float32", compiled: Callable[[Any], Any] = lambda f: f) -> None:
        self.t, self.dtype, self.compiled = t, dtype, compiled
        self.rng = np.random.default_rng(0)

    def array(self, *shape: int, scale: float = 1.0) -> Array:
        """Normal numbers: float32 values in every dtype."""
        return np.asarray(scale * self.rng.standard_normal(shape, np.float32), np.float32).astype(self.dtype)

    def data(self, *shape: int, scale: float = 1.0) -> Any:
        """A tensor without gradient."""
        return self.t.from_numpy(self.array(*shape, scale=scale))

    def leaf(self, *shape: int, scale: float = 1.0) -> Any:
        """A tensor that wants its gradient."""
        return self.data(*shape, scale=scale).requires_grad_()

    def integers(self, high: int, *shape: int) -> Any:
        """int64, from 0 to high − 1."""
        return self.t.from_numpy(self.rng.integers(0, high, shape))

    def model(self, module: Any) -> Any:
        """The module with random parameters, scaled by the number of their inputs."""
        module = module.to(getattr(self.t, self.dtype))
        with self.t.no_grad():
            for p in module.parameters():
                fan = math.prod(p.shape[1:]) if p.dim() > 1 else 100
                p.copy_(self.data(*p.shape, scale=fan**-0.5) + (1.0 if p.dim() == 1 else 0.0))
        return module


@dataclass(frozen=True)
class Program:
    """`run()` is what is timed; `values()` runs it once and gives the arrays (by name) that must agree."""

    run: Callable[[], Any]
    values: Callable[[], dict[str, Array]]


@dataclass(frozen=True)
class Case:
    """A benchmark.

    build       the program in one engine
    flops       of one run, where arithmetic is the floor
    bytes       that one run must move, where memory is
    tolerance   of ‖found − expected‖/‖expected‖, for each value
    of_peers    the same for the other engines, where they are known to be less exact
    jax, numpy  builders of the same program there, from (a Maker, the library), where that is natural
    quick       stays in a `--quick` run
    samples     in a run: what a cost curve divides by
    """

    name: str
    build: Callable[[Maker], Program]
    flops: float = 0.0
    bytes: float = 0.0
    tolerance: float = 3e-5
    of_peers: float | None = None
    jax: Callable[[Maker, Any], Program] | None = None
    numpy: Callable[[Maker, Any], Program] | None = None
    quick: bool = False
    samples: int = 1


def operation(
    name: str,
    inputs: Callable[[Maker], Sequence[Any]],
    forward: Callable[..., Any],
    *,
    jax: Callable[[Any, Any], Callable[..., Any]] | None = None,
    numpy: Callable[..., Sequence[Array]] | None = None,
    **options: Any,
) -> Case:
    """A case of one operation, forward and backward with a random cotangent.

    inputs   the operation's arguments (leaves, data, integers), made in order
    forward  `forward(t, *inputs)`, one tensor
    jax      `jax(jax, t.numpy)` gives the function of arrays
    numpy    `numpy(dy, *arrays)` gives y and the gradients in the order of the inputs, each written out
    """

    def build(m: Maker) -> Program:
        args = list(inputs(m))
        leaves = [x for x in args if m.t.is_tensor(x) and x.requires_grad]
        f = m.compiled(lambda *xs: forward(m.t, *xs))
        dy = m.data(*f(*args).shape)

        def run() -> Any:
            y = f(*args)
            if leaves:
                for x in leaves:
                    x.grad = None
                y.backward(dy)
            return y

        def values() -> dict[str, Array]:
            y = run()
            return {"y": y.detach().numpy(), **{f"grad {i}": x.grad.numpy() for i, x in enumerate(leaves)}}

        return Program(run, values)

    options.setdefault("jax", None if jax is None else _jax_builder(inputs, jax))
    options.setdefault("numpy", None if numpy is None else _numpy_builder(inputs, numpy))
    return Case(name, build, **options)


class _Arrays:
    """The namespace of plain arrays, for builders of engines that have no leaves."""

    class Leaf(np.ndarray):  # type: ignore[type-arg]
        """An array that was made by `leaf`."""

    def from_numpy(self, x: Array) -> Array:
        return x


class _ArrayMaker(Maker):
    def leaf(self, *shape: int, scale: float = 1.0) -> Any:
        return self.array(*shape, scale=scale).view(_Arrays.Leaf)


def _jax_builder(inputs: Any, function: Any) -> Callable[[Maker, Any], Program]:
    def build(m: Maker, jax: Any) -> Program:
        own = _ArrayMaker(_Arrays(), m.dtype)
        args = list(inputs(own))
        which = tuple(i for i, x in enumerate(args) if isinstance(x, _Arrays.Leaf))
        args = [jax.numpy.asarray(np.asarray(x)) if isinstance(x, np.ndarray) else x for x in args]
        f = function(jax, jax.numpy)
        dy = jax.numpy.asarray(own.array(*jax.eval_shape(f, *args).shape))

        @jax.jit
        def both(dy: Any, *xs: Any) -> Any:
            def of_leaves(*leaves: Any) -> Any:
                every = list(xs)
                for i, x in zip(which, leaves, strict=True):
                    every[i] = x
                return f(*every)

            y, back = jax.vjp(of_leaves, *(xs[i] for i in which))
            return y, back(dy)

        def run() -> Any:
            return jax.block_until_ready(both(dy, *args))

        def values() -> dict[str, Array]:
            y, grads = run()
            return {"y": np.asarray(y), **{f"grad {i}": np.asarray(g) for i, g in enumerate(grads)}}

        return Program(run, values)

    return build


def _numpy_builder(inputs: Any, function: Any) -> Callable[[Maker, Any], Program]:
    def build(m: Maker, np_: Any) -> Program:
        own = _ArrayMaker(_Arrays(), m.dtype)
        args = [np.asarray(x) if isinstance(x, np.ndarray) else x for x in inputs(own)]
        dy = own.array(*function(None, *args)[0].shape)

        def run() -> Any:
            return function(dy, *args)

        def values() -> dict[str, Array]:
            y, *grads = run()
            return {"y": y, **{f"grad {i}": g for i, g in enumerate(grads)}}

        return Program(run, values)

    return build


def training_step(
    name: str,
    network: Callable[[Any], Any],
    inputs: Callable[[Maker], tuple[Any, Any]],
    *,
    optimizer: Callable[[Any, Any], Any] | None = None,
    loss: Callable[[Any, Any, Any], Any] | None = None,
    **options: Any,
) -> Case:
    """A case of a whole step: forward, loss, zero_grad, backward, optimizer (AdamW if none is named)."""

    def build(m: Maker) -> Program:
        t = m.t
        plain = m.model(network(t))
        model = m.compiled(plain)
        x, y = inputs(m)
        o = optimizer(t, plain.parameters()) if optimizer else t.optim.AdamW(plain.parameters(), lr=1e-3)
        criterion = loss or (lambda t, y_hat, y: t.nn.functional.cross_entropy(y_hat, y))

        def run() -> Any:
            value = criterion(t, model(x), y)
            o.zero_grad()
            value.backward()
            o.step()
            return value

        def values() -> dict[str, Array]:
            found = {"loss 0": run().detach().numpy()}
            found |= {f"grad {n}": p.grad.numpy().copy() for n, p in plain.named_parameters()}
            return found | {f"loss {i}": run().detach().numpy() for i in (1, 2)}

        return Program(run, values)

    # Within rounding of its kink a ReLU or a maximum may go the other way than in float64, and the gradient jumps.
    options.setdefault("tolerance", 2e-2)
    return Case(name, build, **options)


def load(family: str) -> dict[str, Case]:
    """The cases of a family by name: a file of this folder, or any module with `CASES` by its dotted name."""
    module = importlib.import_module(family if "." in family else f"benchmarks.{family}")
    cases: dict[str, Case] = {}
    for case in module.CASES:
        if case.name in cases:
            raise ValueError(f"{family}: two cases are called {case.name!r}")
        cases[case.name] = case
    return cases


def disagreement(found: dict[str, Array], expected: dict[str, Array], tolerance: float) -> str | None:
    """The first value that differs by more than the tolerance, in words; None where all agree."""
    if found.keys() != expected.keys():
        return f"values {sorted(found)}, expected {sorted(expected)}"
    for name, b in expected.items():
        a = np.asarray(found[name], np.float64)
        b = np.asarray(b, np.float64)
        if a.shape != b.shape:
            return f"{name}: shape {a.shape}, expected {b.shape}"
        if not np.array_equal(np.isfinite(a), np.isfinite(b)):
            return f"{name}: not finite where it should be, or the other way round"
        keep = np.isfinite(b)
        size = float(np.linalg.norm(b[keep]))
        error = float(np.linalg.norm(a[keep] - b[keep])) / (size or 1.0)
        if error > tolerance:
            return f"{name}: relative error {error:.2g}, allowed {tolerance:.2g}"
    return None
