"""Parameter: a leaf tensor that a Module finds and an optimizer trains. Buffer: one that is state alone."""

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


class UninitializedParameter(Parameter):
    """A parameter whose shape is not known yet; `materialize` makes it a Parameter, the same object."""

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> UninitializedParameter:
        """Of no elements, in the given dtype."""
        from ..ops.creation import empty

        return super().__new__(cls, empty(0, device=device, dtype=dtype), requires_grad)  # type: ignore[return-value]

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        """See __new__."""

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Take a shape, with elements that are not set."""
        from ..ops.creation import empty
        from .module import _cast

        _cast(self, empty(*shape, device=device, dtype=self.dtype if dtype is None else dtype))
        self.__class__ = Parameter  # type: ignore[assignment]


def is_lazy(param: Any) -> bool:
    """Whether a parameter waits for its shape."""
    return isinstance(param, UninitializedParameter)


class Buffer(Tensor):
    """A tensor that is a module's buffer when assigned as its attribute; it shares the memory of `data`."""

    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Buffer:
        """Over `data`, a Tensor (empty by default); unless persistent it is left out of the state dict."""
        import numpy as np

        if data is None:
            data = new_tensor(np.empty(0, np.float32))
        if not isinstance(data, Tensor):
            raise DtypeError(f"Buffer: data must be a Tensor, got {type(data).__name__}")
        self = object.__new__(cls)
        self.array, self.memory, self.persistent = data.array, data.memory, persistent
        return self

    def __init__(self, data: Any = None, *, persistent: bool = True) -> None:
        """See __new__."""
