"""Strategies of shapes: single ones, groups that broadcast, operands of matmul."""

from __future__ import annotations

from hypothesis import strategies as st

Shape = tuple[int, ...]


def shapes(*, min_dims: int = 0, max_dims: int = 4, min_side: int = 0, max_side: int = 5) -> st.SearchStrategy[Shape]:
    """Shapes with `min_dims` to `max_dims` sizes of `min_side` to `max_side`; by default 0-d and size 0 among them."""
    return st.lists(st.integers(min_side, max_side), min_size=min_dims, max_size=max_dims).map(tuple)


@st.composite
def broadcastable_shapes(
    draw: st.DrawFn, count: int = 2, *, max_dims: int = 4, min_side: int = 0, max_side: int = 4
) -> tuple[Shape, ...]:
    """`count` shapes that broadcast together: each lacks some leading sizes of a common shape, and has 1 for others.

    One of them, anywhere, may need no broadcasting at all; together they may also all differ from the result.
    """
    result = draw(shapes(max_dims=max_dims, min_side=min_side, max_side=max_side))
    group = []
    for _ in range(count):
        kept = draw(st.integers(0, len(result)))
        own = result[len(result) - kept :]
        ones = draw(st.lists(st.booleans(), min_size=kept, max_size=kept))
        group.append(tuple(1 if one else size for one, size in zip(ones, own, strict=True)))
    return tuple(group)


@st.composite
def matmul_shapes(
    draw: st.DrawFn, *, max_batch_dims: int = 2, min_side: int = 0, max_side: int = 4, vectors: bool = True
) -> tuple[Shape, Shape]:
    """The shapes of two operands of matmul: (…, M, K) and (…, K, N), batches that broadcast, or vectors (K,)."""
    m, k, n = (draw(st.integers(min_side, max_side)) for _ in range(3))
    if vectors and draw(st.booleans()):
        left = draw(st.booleans())
        batch = draw(shapes(max_dims=max_batch_dims, min_side=min_side, max_side=max_side))
        matrix = draw(st.booleans())
        if not matrix:
            return (k,), (k,)
        return ((k,), (*batch, k, n)) if left else ((*batch, m, k), (k,))
    first, second = draw(
        broadcastable_shapes(2, max_dims=max_batch_dims, min_side=min_side, max_side=max(max_side, min_side))
    )
    return (*first, m, k), (*second, k, n)
