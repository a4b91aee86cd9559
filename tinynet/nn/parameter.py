"""Parameter: a leaf tensor that a Module finds and an optimizer trains."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, new_tensor
from ..errors import DtypeError


class Parameter(Tensor):
    """A tensor that is a module's parameter when assigned as its attribute; it shares the memory of `data`."""

    _copies_grad = False

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        """Over `data`, a Tensor (empty by default), requiring a gradient unless told otherwise."""
        import numpy as np

        if data is None:
            data = new_tensor(np.empty(0, np.float32))
        if not isinstance(data, Tensor):
            raise DtypeError(f"Parameter: data must be a Tensor, got {type(data).__name__}")
        self = object.__new__(cls)
        self.array, self.memory = data.array, data.memory
        if requires_grad:
            self.requires_grad_()
        return self

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        """See __new__."""
