"""Matrix products in the shapes that networks have, and linear layers."""

from __future__ import annotations

from typing import Any

from .cases import Case, operation


def product(name: str, a: tuple[int, ...], b: tuple[int, ...], *, form: str = "NN", quick: bool = False) -> Case:
    """a·b with both gradients; form NT multiplies by the transpose of b, TN the transpose of a."""

    def forward(t: Any, a: Any, b: Any) -> Any:
        if form == "NT":
            return t.matmul(a, b.transpose(-1, -2))
        return t.matmul(a.transpose(-1, -2), b) if form == "TN" else t.matmul(a, b)

    def numpy(dy: Any, a: Any, b: Any) -> list[Any]:
        if form == "NT":
            y = a @ b.swapaxes(-1, -2)
            return [y] if dy is None else [y, dy @ b, dy.swapaxes(-1, -2) @ a]
        if form == "TN":
            y = a.swapaxes(-1, -2) @ b
            return [y] if dy is None else [y, b @ dy.swapaxes(-1, -2), a @ dy]
        y = a @ b
        return [y] if dy is None else [y, dy @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ dy]

    def jax(jax: Any, jnp: Any) -> Any:
        swap = {"NN": (False, False), "NT": (False, True), "TN": (True, False)}[form]
        return lambda a, b: jnp.matmul(*(x.swapaxes(-1, -2) if s else x for x, s in zip((a, b), swap, strict=True)))

    m, k = (a[-1], a[-2]) if form == "TN" else (a[-2], a[-1])
    n = b[-2] if form == "NT" else b[-1]
    batch = 1
    for size in a[:-2]:
        batch *= size
    moved = 4.0 * batch * 2 * (m * k + k * n + m * n)
    return operation(
        f"{form} {name}", lambda maker: [maker.leaf(*a), maker.leaf(*b)], forward, jax=jax, numpy=numpy,
        flops=6.0 * batch * m * n * k, bytes=moved, quick=quick,
    )  # fmt: skip


def linear(batch: int, inputs: int, outputs: int, *, bias: bool = True, quick: bool = False) -> Case:
    """x·Wᵀ + b, with the gradients of x, W and b."""

    def make(m: Any) -> list[Any]:
        return [
            m.leaf(batch, inputs),
            m.leaf(outputs, inputs, scale=inputs**-0.5),
            *([m.leaf(outputs)] if bias else []),
        ]

    def numpy(dy: Any, x: Any, w: Any, *b: Any) -> list[Any]:
        y = x @ w.T
        if b:
            y += b[0]
        return [y] if dy is None else [y, dy @ w, dy.T @ x, *([dy.sum(axis=0)] if b else [])]

    return operation(
        f"linear b{batch} {inputs}→{outputs}{'' if bias else ', no bias'}", make,
        lambda t, *args: t.nn.functional.linear(*args),
        jax=lambda jax, jnp: lambda x, w, *b: x @ w.T + (b[0] if b else 0),
        numpy=numpy, flops=6.0 * batch * inputs * outputs,
        bytes=8.0 * (batch * inputs + inputs * outputs + batch * outputs), quick=quick,
    )  # fmt: skip


CASES = [
    product("64×64·64", (64, 64), (64, 64), quick=True),
    product("32×784·128", (32, 784), (784, 128)),
    product("2048×128·512", (2048, 128), (128, 512)),
    product("2048×128·512", (2048, 128), (512, 128), form="NT"),
    product("128×2048·512", (2048, 128), (2048, 512), form="TN"),
    product("512³", (512, 512), (512, 512)),
    product("1024³", (1024, 1024), (1024, 1024)),
    product("1×1024·1024", (1, 1024), (1024, 1024)),
    product("64 of 128×32·128", (64, 128, 32), (64, 128, 32), form="NT"),
    product("32 of 512×64·512", (32, 512, 64), (32, 512, 64), form="NT"),
    linear(64, 320, 50, quick=True),
    linear(32, 64, 64),
    linear(64, 784, 128),
    linear(64, 1600, 64),
    linear(64, 2304, 128),
    linear(256, 512, 512),
    linear(1, 512, 512),
    linear(2048, 128, 512),
    linear(2048, 512, 128, bias=False),
    linear(512, 768, 3072),
]
