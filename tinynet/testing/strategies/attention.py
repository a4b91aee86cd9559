"""Strategies of attention: shapes of queries, keys and values, and masks that keep what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tinynet.testing.strategies.shapes import Shape

MASKS = ("causal", "padding", "window", "random")
"""causal: a query sees the keys up to its own, counted from the first or (where queries are no more than keys, or rows
may be empty) from the last. padding: the first keys of each item, a length each. window: the keys within a distance.
random: any, with some axes of size 1."""


@st.composite
def attention_shapes(
    draw: st.DrawFn,
    *,
    max_batch: int = 2,
    max_heads: int = 2,
    max_groups: int = 2,
    max_length: int = 4,
    max_width: int = 3,
) -> tuple[Shape, Shape, Shape]:
    """The shapes of q (N, Hq, T, D), k (N, Hkv, S, D) and v (N, Hkv, S, E), where Hq is 1 to `max_groups` times Hkv.

    Lengths T and S, widths D and E are drawn apart, each from 1.
    """
    n, heads, groups = (draw(st.integers(1, most)) for most in (max_batch, max_heads, max_groups))
    t, s = (draw(st.integers(1, max_length)) for _ in range(2))
    d, e = (draw(st.integers(1, max_width)) for _ in range(2))
    return (n, heads * groups, t, d), (n, heads, s, d), (n, heads, s, e)


@st.composite
def attention_masks(
    draw: st.DrawFn,
    shape: Shape | st.SearchStrategy[Shape],
    *,
    kinds: Sequence[str] = MASKS,
    all_masked_rows: bool = False,
    additive: bool | None = None,
    combine: bool = True,
) -> NDArray[Any]:
    """Masks that broadcast to `shape`, (N, H, T, S): boolean (True is seen) or additive (0 is seen, -inf is not).

    Parameters
    ----------
    shape : (N, H, T, S), or a strategy of it
    kinds : of `MASKS`
    all_masked_rows : whether a query may see no key; else each sees at least one (where kinds that are combined leave
        it none, it sees what the first of them lets it see)
    additive : float64 masks of 0 and -inf (True), boolean ones (False), or either (None)
    combine : whether to draw masks of two kinds too, where a key is seen if both let it
    """
    n, h, t, s = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    if unknown := set(kinds) - set(MASKS):
        raise ValueError(f"attention_masks: kinds has {sorted(unknown)}, expected some of {', '.join(MASKS)}")
    if not kinds:
        raise ValueError("attention_masks: kinds is empty")
    if s == 0 and not all_masked_rows:
        raise ValueError("attention_masks: with no keys every row is masked; allow it by all_masked_rows=True")
    count = draw(st.integers(1, 2)) if combine else 1
    chosen = draw(st.lists(st.sampled_from(list(kinds)), min_size=1, max_size=count, unique=True))
    mask, *others = [_mask(draw, kind, (n, h, t, s), all_masked_rows) for kind in chosen]
    for other in others:
        both = mask & other
        mask = both if all_masked_rows else np.where(both.any(-1, keepdims=True), both, mask)
    if draw(st.booleans()) if additive is None else additive:
        return np.where(mask, 0.0, -np.inf)
    return mask


def _mask(draw: st.DrawFn, kind: str, shape: Shape, empty: bool) -> NDArray[np.bool_]:
    """One mask; each row sees a key unless `empty`."""
    n, h, t, s = shape
    query, key = np.arange(t)[:, None], np.arange(s)
    if kind == "causal":
        last = (empty or t <= s) and draw(st.booleans())
        return key <= query + (s - t if last else 0)
    if kind == "padding":
        lengths = draw(hnp.arrays(np.int64, n, elements=st.integers(0 if empty else 1, s)))
        return key < lengths[:, None, None, None]
    if kind == "window":
        back, ahead = (draw(st.integers(0, max(s - 1, 0))) for _ in range(2))
        middle = query if empty else np.minimum(query, s - 1)  # a query beyond the last key looks from there
        return (key >= middle - back) & (key <= middle + ahead)
    sizes = tuple(size if size == 0 else draw(st.sampled_from([1, size])) for size in (n, h, t))
    mask = draw(hnp.arrays(np.bool_, (*sizes, s)))
    if not empty:
        seen = draw(hnp.arrays(np.int64, (*sizes, 1), elements=st.integers(0, s - 1)))
        mask = mask | (key == seen)
    return mask
