"""The graph: what one application of an operation leaves behind. No node refers to a Tensor, so there are no cycles."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

# One clock numbers the nodes and the in-place changes: an array changed at a later time than its node is stale.
clock = itertools.count(1)
tick = clock.__next__

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
FREED: tuple[Any, ...] = ("freed",)


class Node:
    """One application of an operation.

    op       the operation; its `backward(node, dz, needs, graph)` gives one gradient per edge
    edges    the nodes of its inputs; None where no gradient is needed
    saved    the arrays (and numbers) that the gradients read; FREED after a backward that did not retain the graph
    cells    the memory cells of what is saved, to see a later in-place change
    options  the operation's keyword arguments
    shape, dtype   of the output
    seq      the time of creation: every edge is older, so descending order is a topological order
    hooks    callables on the output's gradient, by handle
    site     the user's line that created it (anomaly mode only)
    """

    __slots__ = ("__weakref__", "cells", "dtype", "edges", "hooks", "op", "options", "saved", "seq", "shape", "site")

    op: Any
    edges: tuple[Any, ...]
    saved: tuple[Any, ...]
    cells: tuple[list[int] | None, ...]
    options: dict[str, Any]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    seq: int
    hooks: dict[int, Callable[[Any], Any]] | None
    site: str | None

    def __init__(
        self,
        op: Any,
        edges: tuple[Any, ...],
        saved: tuple[Any, ...],
        cells: tuple[list[int] | None, ...],
        options: dict[str, Any],
        out: Any,
    ) -> None:
        self.op, self.edges, self.saved, self.cells, self.options = op, edges, saved, cells, options
        self.shape, self.dtype = out.shape, out.dtype
        self.seq = tick()
        self.hooks = None
        self.site = where_called() if anomaly.detect else None

    def name(self) -> str:
        return "".join(part.capitalize() for part in self.op.name.split("_")) + "Backward"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        return tuple((edge, 0) for edge in self.edges)

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class Leaf:
    """The end of the graph at a tensor that the user made: gradients are added into that tensor's `.grad`."""

    __slots__ = ("__weakref__", "dtype", "hooks", "seq", "shape", "tensor")

    edges: tuple[Any, ...] = ()
    site: str | None = None

    def __init__(self, tensor: Any) -> None:
        self.tensor = weakref.ref(tensor)
        self.shape, self.dtype = tensor.array.shape, tensor.array.dtype
        self.seq = 0
        self.hooks: dict[int, Callable[[Any], Any]] | None = None

    def name(self) -> str:
        return "AccumulateGrad"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        return ()

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class Part:
    """Output number `index` of an operation with many outputs; its gradient is one item of its parent's list."""

    __slots__ = ("__weakref__", "dtype", "edges", "hooks", "index", "seq", "shape", "site")

    def __init__(self, parent: Node, index: int, out: Any) -> None:
        self.edges, self.index = (parent,), index
        self.shape, self.dtype = out.shape, out.dtype
        self.seq = tick()
        self.hooks: dict[int, Callable[[Any], Any]] | None = None
        self.site = parent.site

    def name(self) -> str:
        return self.edges[0].name()

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        return self.edges[0].next_functions

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class _Anomaly:
    detect = False
    check_nan = True


anomaly = _Anomaly()


def where_called() -> str:
    """The innermost line outside this package, as `file:line, in function: source`."""
    import traceback

    for frame in reversed(traceback.extract_stack()):
        if not frame.filename.startswith(_PACKAGE):
            return f"{frame.filename}:{frame.lineno}, in {frame.name}: {frame.line}"
    return "unknown"
