"""Optimizer steps and gradient clipping, over one large parameter and over many small ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .cases import Array, Case, Maker, Program

# what a step moves, in float32 arrays of the parameters' size: read g, read and write p and the state
_ARRAYS = {"SGD": 3, "SGD momentum": 5, "Adam": 7, "AdamW": 7}
_LENET = ((6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 400), (120,), (84, 120), (84,), (10, 84), (10,))
_SIZES: dict[str, tuple[tuple[int, ...], ...]] = {
    "1M": ((1024, 1024),),
    "10M": ((2560, 4096),),
    "100 of 1,000": ((1000,),) * 100,
    "LeNet's 10": _LENET,
}


def _make(name: str, **options: Any) -> Callable[[Any, list[Any]], Any]:
    def make(t: Any, params: list[Any]) -> Any:
        if name.startswith("SGD"):
            momentum = {"momentum": 0.9} if "momentum" in name else {}
            return t.optim.SGD(params, lr=1e-3, **momentum, **options)
        return getattr(t.optim, name)(params, lr=1e-3, weight_decay=0.01, **options)

    return make


def step(name: str, size: str, *, fused: bool = False, quick: bool = False) -> Case:
    """A step; PyTorch's default form, or its `fused=True`."""
    shapes, make = _SIZES[size], _make(name, **({"fused": True} if fused else {}))

    def build(m: Maker) -> Program:
        params = [m.leaf(*s) for s in shapes]
        for p in params:
            p.grad = m.data(*p.shape)
        optimizer = make(m.t, params)

        def values() -> dict[str, Array]:
            for _ in range(2):
                optimizer.step()
            return {f"p{i}": p.detach().numpy() for i, p in enumerate(params)}

        return Program(optimizer.step, values)

    return Case(
        f"{name} {size}{', against fused' if fused else ''}",
        build,
        bytes=4.0 * _ARRAYS[name] * _count(size),
        quick=quick,
    )


def clip(size: str, *, quick: bool = False) -> Case:
    """clip_grad_norm_; the norm stays above the bound, so that every call scales."""
    shapes = _SIZES[size]

    def build(m: Maker) -> Program:
        params = [m.leaf(*s) for s in shapes]
        for p in params:
            p.grad = m.data(*p.shape)
        bound = [1.0]

        def run() -> Any:
            bound[0] = 3.0 - bound[0]  # 2, 1, 2, …: up and down, so that numbers do not go to zero
            norm = m.t.nn.utils.clip_grad_norm_(params, bound[0] * 1e-3)
            return norm

        def values() -> dict[str, Array]:
            norm = run()
            return {"norm": norm.numpy(), **{f"g{i}": p.grad.numpy() for i, p in enumerate(params)}}

        return Program(run, values)

    return Case(
        f"clip_grad_norm_ {size}",
        build,
        bytes=4.0 * 3 * _count(size),
        quick=quick,
        of_peers=1e-3,  # PyTorch adds the squares of ten million elements in float32
    )


def _count(size: str) -> int:
    total = 0
    for shape in _SIZES[size]:
        n = 1
        for s in shape:
            n *= s
        total += n
    return total


CASES = [
    *(step(name, size) for name in _ARRAYS for size in _SIZES),
    *(
        step(name, size, fused=True, quick=size == "LeNet's 10")
        for name in ("SGD momentum", "AdamW")
        for size in _SIZES
    ),
    *(clip(size, quick=size == "LeNet's 10") for size in _SIZES),
]
