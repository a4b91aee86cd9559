"""Normalisation in training: batch, layer, group, instance and root mean square."""

from __future__ import annotations

import math
from typing import Any

from .cases import Case, operation


def batch(*shape: int, quick: bool = False) -> Case:
    """Batch statistics, and running ones updated."""

    def make(m: Any) -> list[Any]:
        c = shape[1]
        return [m.leaf(*shape), m.leaf(c), m.leaf(c), m.t.zeros(c, dtype=getattr(m.t, m.dtype)),
                m.t.ones(c, dtype=getattr(m.t, m.dtype))]  # fmt: skip

    return _case(
        "batch norm", shape, make,
        lambda t, x, w, b, mean, var: t.nn.functional.batch_norm(x, mean, var, w, b, training=True), quick=quick,
    )  # fmt: skip


def layer(*shape: int, quick: bool = False) -> Case:
    """Over the last dimension."""

    def forward(t: Any, x: Any, w: Any, b: Any) -> Any:
        return t.nn.functional.layer_norm(x, (shape[-1],), w, b)

    return _case(
        "layer norm", shape, lambda m: [m.leaf(*shape), m.leaf(shape[-1]), m.leaf(shape[-1])], forward, quick=quick
    )


def rms(*shape: int) -> Case:
    """Over the last dimension."""

    def forward(t: Any, x: Any, w: Any) -> Any:
        return t.nn.functional.rms_norm(x, (shape[-1],), w, eps=1e-6)

    return _case("rms norm", shape, lambda m: [m.leaf(*shape), m.leaf(shape[-1])], forward)


def group(groups: int, *shape: int) -> Case:
    """Over groups of channels."""

    def forward(t: Any, x: Any, w: Any, b: Any) -> Any:
        return t.nn.functional.group_norm(x, groups, w, b)

    return _case(f"group norm {groups}", shape, lambda m: [m.leaf(*shape), m.leaf(shape[1]), m.leaf(shape[1])], forward)


def instance(*shape: int) -> Case:
    """Over each channel of each image."""

    def forward(t: Any, x: Any, w: Any, b: Any) -> Any:
        return t.nn.functional.instance_norm(x, weight=w, bias=b)

    return _case("instance norm", shape, lambda m: [m.leaf(*shape), m.leaf(shape[1]), m.leaf(shape[1])], forward)


def _case(name: str, shape: tuple[int, ...], make: Any, forward: Any, quick: bool = False) -> Case:
    # x read and y written forward; x and dy read and dx written backward
    bytes_ = 20.0 * math.prod(shape)
    return operation(f"{name} {'×'.join(map(str, shape))}", make, forward, bytes=bytes_, tolerance=1e-4, quick=quick)


CASES = [
    batch(64, 32, 16, 16, quick=True),
    batch(64, 32, 32, 32),
    batch(64, 128, 8, 8),
    batch(256, 512),
    batch(32, 64, 1000),
    batch(4, 32, 8, 28, 28),
    layer(2048, 128),
    layer(2048, 768),
    layer(64, 512),
    layer(1, 128),
    rms(2048, 128),
    rms(2048, 768),
    group(8, 16, 64, 32, 32),
    group(32, 8, 128, 28, 28),
    instance(16, 64, 32, 32),
    instance(8, 32, 64, 64),
]
