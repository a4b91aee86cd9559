"""Dropout: y = x ⊙ keep / (1 − p). The mask is an input: the randomness stays outside the operation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor, new_tensor
from ..autograd.fused import Fused
from ..errors import OptionError
from ..random import current_generator
from . import primitives as P
from .activation import _place
from .checks import floating

Array = np.ndarray[Any, Any]


def dropout_definition(x: Tensor, keep: Tensor, *, p: float) -> Tensor:
    """y = x ⊙ keep / (1 − p): what is kept is scaled up, so that the expectation stays."""
    return P.mul(P.where(keep, x, 0), 1.0 / (1.0 - p))


def _forward(x: Array, keep: Array, *, p: float) -> tuple[Array, None]:
    return kernels_for(x).dropout_forward(x, keep, p=p), None


def _backward(dy: Array, inputs: list[Any], cache: None, needs: list[bool], *, p: float) -> list[Array | None]:
    return [kernels_for(dy).dropout_backward(dy, inputs[1], p=p), None]


_dropout = Fused("dropout", dropout_definition, _forward, _backward)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each element to zero with probability `p`, and scale the rest by 1/(1 − p); nothing outside training.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, JMLR 15, 2014. Draws from the default generator.
    """
    x = floating("dropout", "input", input)
    if not 0.0 <= p <= 1.0:
        raise OptionError(f"dropout: p must lie in [0, 1], got {p!r}")
    if not training or p == 0.0:
        return x
    if p == 1.0:
        return _place("dropout", x, P.mul(x, 0.0), inplace)
    # uniform(…) ≥ p for the numbers w·2⁻²⁴, w the upper 24 bits of a word: on the words themselves, in one pass
    least = math.ceil(float(np.float32(p)) * 2**24) << 8
    keep = (current_generator().words(x.array.size) >= least).reshape(x.array.shape)
    before = P.clone(x) if inplace else x  # the node keeps its input, which must not change
    return _place("dropout", x, _dropout(before, new_tensor(keep), p=float(p)), inplace)
