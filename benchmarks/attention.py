"""Scaled dot-product attention, and multi-head attention over it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cases import Case, operation


def attention(batch: int, heads: int, length: int, size: int, *, kind: str = "", quick: bool = False) -> Case:
    """`kind` is causal, masked (a boolean mask of the last quarter of the keys), or nothing."""
    shape = (batch, heads, length, size)

    def make(m: Any) -> list[Any]:
        mask = m.t.from_numpy(np.arange(length)[None, None, None] < length * 3 // 4) if kind == "masked" else None
        return [*(m.leaf(*shape) for _ in range(3)), mask]

    def forward(t: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
        return t.nn.functional.scaled_dot_product_attention(q, k, v, mask, is_causal=kind == "causal")

    # 2 products forward; 5 backward, of which one makes the scores again
    pairs = length * (length + 1) / 2 if kind == "causal" else length * length
    flops = 14.0 * batch * heads * size * pairs
    return operation(
        f"attention {kind} {'×'.join(map(str, shape))}".replace("  ", " "),
        make,
        forward,
        flops=flops,
        tolerance=1e-4,
        quick=quick,
    )


def grouped(batch: int, heads: int, groups: int, length: int, size: int) -> Case:
    """Queries of `heads` heads, keys and values of `groups`."""

    def make(m: Any) -> list[Any]:
        return [m.leaf(batch, n, length, size) for n in (heads, groups, groups)]

    def forward(t: Any, q: Any, k: Any, v: Any) -> Any:
        return t.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)

    flops = 14.0 * batch * heads * size * length * (length + 1) / 2
    return operation(f"grouped {batch}×{heads}/{groups}×{length}×{size}", make, forward, flops=flops, tolerance=1e-4)


def multi_head(batch: int, length: int, width: int, heads: int) -> Case:
    """Multi-head attention of x to itself, with its projections."""

    def make(m: Any) -> list[Any]:
        w = width**-0.5
        return [
            m.leaf(length, batch, width), m.leaf(3 * width, width, scale=w), m.leaf(3 * width), m.leaf(width, width, scale=w),
            m.leaf(width),
        ]  # fmt: skip

    def forward(t: Any, x: Any, w: Any, b: Any, o: Any, c: Any) -> Any:
        return t.nn.functional.multi_head_attention_forward(
            x, x, x, width, heads, w, b, None, None, False, 0.0, o, c, need_weights=False
        )[0]

    flops = batch * (14.0 * width * length * length + 24.0 * length * width * width)
    return operation(f"multi-head {batch}×{length}×{width}/{heads}", make, forward, flops=flops, tolerance=1e-4)


CASES = [
    attention(16, 4, 128, 32, quick=True),
    attention(16, 4, 128, 32, kind="causal"),
    attention(4, 8, 512, 64),
    attention(4, 8, 512, 64, kind="causal"),
    attention(4, 8, 512, 64, kind="masked"),
    attention(1, 8, 2048, 64),
    attention(1, 8, 2048, 64, kind="causal"),
    grouped(1, 8, 2, 1024, 64),
    multi_head(16, 128, 128, 4),
    multi_head(4, 512, 512, 8),
]
