"""Parameters as one vector, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..._tensor import Tensor
from ...autograd.modes import no_grad
from ...autograd.views import copy_
from ...errors import DtypeError, ShapeError
from ...ops import shape


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements one after another, in the graph."""
    return shape.cat([shape.reshape(p, -1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Set the parameters from a vector, in the order of `parameters_to_vector`; raises ShapeError if it is too short."""
    if not isinstance(vec, Tensor):
        raise DtypeError(f"vector_to_parameters: vec must be a Tensor, got {type(vec).__name__}")
    start = 0
    with no_grad():
        for p in parameters:
            end = start + math.prod(p.array.shape)
            if end > vec.array.size:
                raise ShapeError(f"vector_to_parameters: vec has {vec.array.size} elements, the parameters have more")
            copy_(p, shape.reshape(shape.narrow(vec, 0, start, end - start), p.array.shape))
            start = end
