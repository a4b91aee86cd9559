"""Primitives that have kernels for large arrays."""

from __future__ import annotations

from typing import Any

from tinynet_kernels import available

from .._tensor import Tensor, current_node, new_tensor
from ..autograd.fused import Fused
from ..autograd.modes import modes
from ..autograd.node import Node
from ..autograd.primitive import Primitive, check_saved


class FusedPrimitive(Fused):
    """A primitive of one input, with kernels for large arrays.

        FusedPrimitive(primitive, forward, backward, smallest)

    The primitive is the definition. Its gradient must read the result alone, which is all that is kept: so x may be
    changed in place, and higher orders are the primitive's own. Below `smallest` elements the primitive runs.

    forward      x -> (array, None); options by keyword
    backward     (dz, z, **options) -> array
    """

    def __init__(self, definition: Primitive, forward: Any, backward: Any, smallest: int = 0) -> None:
        super().__init__(definition.name, definition, forward, backward)
        assert definition.plan(1) == (False, True), f"{definition.name}: its gradient reads more than its output"
        self.primitive, self.smallest = definition, smallest

    def run(self, x: Tensor, **options: Any) -> tuple[Tensor, Any]:  # type: ignore[override]
        a = x.array
        if a.size < self.smallest or modes.definitions or not available(a.dtype):
            return self.primitive(x, **options), None
        array, _ = self.forward(a, **options)
        y = new_tensor(array)
        edge = current_node(x) if modes.recording else None
        if edge is not None:
            y.node = Node(self, (edge,), (None, array), (None, y.memory), options, array)
        return y, None

    def backward(self, node: Node, dz: Any, needs: list[bool], graph: bool) -> list[Any]:
        if graph:
            return self.primitive.backward(node, dz, needs, graph)
        return [self.gradients(dz, check_saved(node, self.primitive.inputs)[1], **node.options)]
