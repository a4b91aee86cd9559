"""Fused operations with several outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet_kernels import available

from .. import dtypes
from .._tensor import Tensor, current_node, new_tensor
from ..autograd.basis import cast
from ..autograd.fused import Fused
from ..autograd.modes import modes
from ..autograd.node import Node, Part


class FusedMany(Fused):
    """A fused operation whose definition gives a tuple of tensors.

        FusedMany(name, definition, forward, backward, outputs)

    forward      arrays -> (a tuple of arrays, cache), through kernels; options by keyword
    backward     (dys, inputs, cache, needs, **options), dys a list with None for each output that nobody used
    outputs      how many there are
    """

    def __init__(self, name: str, definition: Any, forward: Any, backward: Any, outputs: int) -> None:
        super().__init__(name, definition, forward, backward)
        self.outputs = outputs

    def run(self, *args: Tensor | None, **options: Any) -> tuple[Any, Any]:
        dtype = next(a for a in args if a is not None).array.dtype
        if dtype in dtypes.HALVES:
            wide = [cast(a, dtype=np.float32) if a is not None and a.array.dtype == dtype else a for a in args]
            ys, cache = self.run(*wide, **options)
            return tuple([cast(y, dtype=dtype) for y in ys]), cache
        if modes.definitions or not available(dtype):
            return self.definition(*args, **options), None
        arrays, cache = self.forward(*[None if a is None else a.array for a in args], **options)
        ys = tuple([new_tensor(a) for a in arrays])
        if modes.recording:
            edges = tuple([None if a is None else current_node(a) for a in args])
            if edges.count(None) < len(edges):
                saved = (*[None if a is None else a.array for a in args], cache)
                node = Node(
                    self, edges, saved, tuple([None if a is None else a.memory for a in args]), options, arrays[0]
                )
                for i, y in enumerate(ys):
                    y.node = Part(node, i, y.array)
        return ys, cache

    def weighted(self, y: Any, dz: Any) -> tuple[Any, Any]:
        """The outputs that have a gradient, and depend on something that wants one."""
        live = [i for i, d in enumerate(dz) if d is not None and current_node(y[i]) is not None]
        return [y[i] for i in live], [dz[i] for i in live]
