"""Fused operations: kernels for forward and backward, and a definition in primitives that is equal to them.

    Fused("linear", definition, forward, backward)

definition   on Tensors: the equation; the oracle, the higher-order derivative, and what runs where no kernel does
forward      arrays -> (array, cache), through kernels; options by keyword
backward     (dy, inputs, cache, needs, **options) -> one array or None per input, through kernels

Arguments are positional, Tensors or None; options are keywords. A half is computed in float32 and rounded once. Under
`create_graph` the engine differentiates the definition, on one alias per argument, and ignores the cache. A family that
is `closed` under differentiation (convolution) writes `backward` with its own members, which serve arrays and Tensors
alike, and reads no cache: it keeps its kernels at every order. One whose cache `holds_output` is told of: changing the
result in place before the backward is then an error, as changing an argument is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet_kernels import available

from .. import dtypes
from .._tensor import Tensor, current_node, new_tensor
from .basis import alias, cast
from .modes import modes
from .node import Node
from .primitive import check_saved

Array = np.ndarray[Any, Any]


class Fused:
    """An operation with kernels and a definition."""

    fresh = True

    def __init__(
        self,
        name: str,
        definition: Callable[..., Tensor],
        forward: Callable[..., tuple[Array, Any]],
        backward: Callable[..., list[Any]],
        closed: bool = False,
        holds_output: bool = False,
    ) -> None:
        self.name, self.definition, self.forward, self.gradients = name, definition, forward, backward
        self.closed, self.holds_output = closed, holds_output

    def __repr__(self) -> str:
        return f"<fused {self.name}>"

    def __call__(self, *args: Any, **options: Any) -> Any:
        if not isinstance(args[0], Tensor):
            return self.forward(*args, **options)[0]
        return self.run(*args, **options)[0]

    def run(self, *args: Tensor | None, **options: Any) -> tuple[Tensor, Any]:
        """The result and the kernel's cache; the cache is None where the definition ran."""
        first = next(a for a in args if a is not None)
        dtype = first.array.dtype
        if dtype in dtypes.HALVES:
            wide = [cast(a, dtype=np.float32) if a is not None and a.array.dtype == dtype else a for a in args]
            y, cache = self.run(*wide, **options)
            return cast(y, dtype=dtype), cache
        if modes.definitions or not available(dtype):
            return self.definition(*args, **options), None
        arrays = [None if a is None else a.array for a in args]
        array, cache = self.forward(*arrays, **options)
        y = new_tensor(array)
        if modes.recording:
            edges = tuple([None if a is None else current_node(a) for a in args])
            if edges.count(None) < len(edges):
                held = (*args, y) if self.holds_output else args
                cells = tuple([None if a is None else a.memory for a in held])
                y.node = Node(self, edges, (*arrays, cache), cells, options, array)
        return y, cache

    def backward(self, node: Node, dz: Any, needs: list[bool], graph: bool) -> list[Any]:
        """One gradient per edge that needs one: from the kernels, or by differentiating the definition."""
        *inputs, cache = check_saved(node, [f"argument {i}" for i in range(len(node.edges))])
        if not graph:
            return self.gradients(dz, inputs, cache, needs, **node.options)
        args: list[Tensor | None] = []
        for array, edge, cell in zip(inputs, node.edges, node.cells, strict=False):
            if array is None:
                args.append(None)
                continue
            tensor = new_tensor(array)
            tensor.node = edge
            if cell is not None:
                tensor.memory = cell
            args.append(tensor if edge is None or self.closed else alias(tensor))
        if self.closed:
            return self.gradients(dz, args, None, needs, **node.options)
        from .engine import grad

        y, dz = self.weighted(self.definition(*args, **node.options), dz)
        wanted = [a for a, need in zip(args, needs, strict=True) if need]
        found = iter(grad(y, wanted, dz, create_graph=True, allow_unused=True))
        return [next(found) if need else None for need in needs]

    def weighted(self, y: Any, dz: Any) -> tuple[Any, Any]:
        """What is differentiated, with its gradient."""
        return y, dz
