"""Strategies of index expressions and dimensions that a shape allows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import DTypeLike, NDArray

from tinynet.testing.strategies.shapes import Shape, shapes


def dims(ndim: int) -> st.SearchStrategy[int]:
    """One dimension of an array of rank `ndim` ≥ 1, counted from the front or (negative) from the back."""
    return st.integers(-ndim, ndim - 1)


@st.composite
def axes(draw: st.DrawFn, ndim: int, *, none: bool = True, min_size: int = 0) -> int | tuple[int, ...] | None:
    """What a reduction's `dim` accepts: one dimension, a tuple of different ones in any order, None for all."""
    kinds = [*(["none"] if none else []), *(["one"] if ndim else []), *(["tuple"] if ndim >= min_size else [])]
    kind = draw(st.sampled_from(kinds))
    if kind == "none":
        return None
    if kind == "one":
        return draw(dims(ndim))
    chosen = draw(st.lists(st.integers(0, ndim - 1), min_size=min_size, unique=True)) if ndim else []
    return tuple(draw(st.sampled_from([k, k - ndim])) for k in chosen)


@st.composite
def basic_indices(draw: st.DrawFn, shape: Shape, *, negative_steps: bool = False, new_axes: bool = True) -> Any:
    """Index expressions that give views: integers, slices, None and one Ellipsis, alone or in a tuple.

    Parameters
    ----------
    shape : of the array to be indexed
    negative_steps : slices with negative steps too (NumPy takes them, PyTorch does not)
    new_axes : None too
    """
    used = draw(st.integers(0, len(shape)))
    ellipsis = draw(st.booleans())
    front = draw(st.integers(0, used)) if ellipsis else used
    sizes = [*shape[:front], *shape[len(shape) - (used - front) :]] if used else []
    parts = [_one(draw, size, negative_steps) for size in sizes]
    if ellipsis:
        parts.insert(front, Ellipsis)
    if new_axes:
        for _ in range(draw(st.integers(0, 2))):
            parts.insert(draw(st.integers(0, len(parts))), None)
    return parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)


@st.composite
def advanced_indices(draw: st.DrawFn, shape: Shape) -> Any:
    """Index expressions that give copies: integer arrays that broadcast together, boolean masks, slices beside them.

    Indices repeat, so their gradient has to add.
    """
    if not shape:
        return np.array(draw(st.booleans()))
    kind = draw(st.sampled_from(["arrays", "mask"]))
    if kind == "mask":
        first = draw(st.integers(0, len(shape) - 1))
        last = draw(st.integers(first + 1, len(shape)))
        mask = draw(hnp.arrays(np.bool_, shape[first:last]))
        before = tuple(_slice(draw, size, False) for size in shape[:first])
        alone = not before and draw(st.booleans())
        return mask if alone else (*before, mask)
    common = draw(shapes(max_dims=2, max_side=3))
    if 0 in shape and 0 not in common:
        common = (*common, 0)  # a dimension of size 0 has no valid index but none
    used = draw(st.integers(1, len(shape)))
    parts: list[Any] = []
    at = draw(st.integers(0, used - 1))  # here at least is an array
    for k, size in enumerate(shape[:used]):
        if k == at or draw(st.booleans()):
            own = tuple(draw(st.sampled_from([1, n])) if 0 not in common else n for n in common)
            elements = st.integers(-size, size - 1) if size else st.just(0)
            parts.append(draw(hnp.arrays(np.int64, own, elements=elements)))
        else:
            parts.append(_slice(draw, size, False))
    return parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)


def index_arrays(
    shape: Shape, bound: int, *, negative: bool = False, repeats: bool = True, dtype: DTypeLike = np.int64
) -> st.SearchStrategy[NDArray[Any]]:
    """Integer arrays of indices into an axis of size `bound`: for gather and scatter, index_select, embeddings.

    Parameters
    ----------
    shape : of the index array
    bound : indices are 0 … bound - 1; it may be 0 where the shape has no element
    negative : -bound … -1 too
    repeats : whether indices may meet (their gradients add) or each names another place; then bound ≥ the size
    dtype : of the result
    """
    size = math.prod(shape)
    if bound < 0 or (bound == 0 and size):
        raise ValueError(f"index_arrays: bound is {bound}, which leaves no index for shape {shape}")
    if not size:
        return st.just(np.zeros(shape, dtype))
    if repeats:
        return hnp.arrays(dtype, shape, elements=st.integers(-bound if negative else 0, bound - 1))
    if size > bound:
        raise ValueError(f"index_arrays: shape {shape} has {size} elements, more than {bound} different indices")

    def place(order: list[int], below: list[bool]) -> NDArray[Any]:
        chosen = [k - bound if b else k for k, b in zip(order[:size], below, strict=True)]
        return np.array(chosen, dtype).reshape(shape)

    signs = st.booleans() if negative else st.just(False)
    return st.builds(place, st.permutations(range(bound)), st.lists(signs, min_size=size, max_size=size))


def _one(draw: st.DrawFn, size: int, negative_steps: bool) -> Any:
    if size and draw(st.booleans()):
        return draw(st.integers(-size, size - 1))
    return _slice(draw, size, negative_steps)


def _slice(draw: st.DrawFn, size: int, negative_steps: bool) -> slice:
    bound = st.none() | st.integers(-size - 1, size + 1)
    step = st.none() | st.integers(1, 3)
    if negative_steps:
        step = step | st.integers(-3, -1)
    return slice(draw(bound), draw(bound), draw(step))
