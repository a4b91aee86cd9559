"""The affine layer (E1): Z = X Wᵀ + b."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinynet_kernels import kernels_for

from .._tensor import Tensor
from ..autograd.fused import Fused
from ..errors import ShapeError
from . import primitives as P
from .checks import same_dtype
from .linalg import matmul

Array = np.ndarray[Any, Any]


def linear_definition(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    """Z = X Wᵀ + b (E1); its derivatives are E3, E4 and E5."""
    z = matmul(x, P.swap(w))
    return z if b is None else P.add(z, b)


def _forward(x: Array, w: Array, b: Array | None) -> tuple[Array, None]:
    return kernels_for(x, w).linear_forward(x, w, b), None


def _backward(dy: Array, inputs: list[Any], cache: None, needs: list[bool]) -> list[Array | None]:
    x, w, _ = inputs
    k = kernels_for(dy, x)
    return [
        k.linear_grad_input(dy, w) if needs[0] else None,
        k.linear_grad_weight(dy, x) if needs[1] else None,
        k.linear_grad_bias(dy) if needs[2] else None,
    ]


_linear = Fused("linear", linear_definition, _forward, _backward)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """z = x Wᵀ + b (E1).

    input   (…, in_features)
    weight  (out_features, in_features), or (in_features,) for one output without its dimension
    bias    (out_features,)
    result  (…, out_features)

    Raises ShapeError where the sizes do not agree, DtypeError where the dtypes differ.
    """
    same_dtype("linear", input=input, weight=weight, bias=bias)
    if weight.ndim == 1 and bias is None:
        return matmul(input, weight)
    if weight.ndim != 2:
        raise ShapeError(f"linear: weight must be (out_features, in_features), got shape {tuple(weight.shape)}")
    if input.ndim == 0 or input.array.shape[-1] != weight.array.shape[1]:
        raise ShapeError(
            f"linear: input of shape {tuple(input.shape)} does not have the {weight.array.shape[1]} features "
            f"that weight of shape {tuple(weight.shape)} takes"
        )
    if bias is not None and bias.array.shape not in ((weight.array.shape[0],), (1,), ()):
        raise ShapeError(f"linear: bias must have shape ({weight.array.shape[0]},), got {tuple(bias.shape)}")
    if bias is not None and bias.array.shape != (weight.array.shape[0],):
        bias = P.expand(bias, shape=(weight.array.shape[0],))
    return _linear(input, weight, bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """z_k = x₁ᵀ A_k x₂ + b_k.

    input1, input2  (…, in1_features) and (…, in2_features), alike in front
    weight          (out_features, in1_features, in2_features); bias (out_features,)
    result          (…, out_features)
    """
    same_dtype("bilinear", input1=input1, input2=input2, weight=weight, bias=bias)
    if weight.ndim != 3:
        raise ShapeError(f"bilinear: weight must be (out, in1, in2), got shape {tuple(weight.array.shape)}")
    (out, n, m), (a, b) = weight.array.shape, (x.array.shape for x in (input1, input2))
    if not a or not b or a[:-1] != b[:-1] or (a[-1], b[-1]) != (n, m):
        raise ShapeError(
            f"bilinear: input1 and input2 must be (…, {n}) and (…, {m}), alike in front; got shapes {tuple(a)} and "
            f"{tuple(b)}"
        )
    if bias is not None and bias.array.shape != (out,):
        raise ShapeError(f"bilinear: bias must have shape ({out},), got {tuple(bias.array.shape)}")
    count = math.prod(a[:-1])
    matrix = P.reshape(P.permute(weight, axes=(1, 0, 2)), shape=(n, out * m))
    halfway = P.reshape(P.matmul(P.reshape(input1, shape=(count, n)), matrix), shape=(count, out, m))
    z = P.matmul(halfway, P.reshape(input2, shape=(count, m, 1)))
    z = P.reshape(z, shape=(*a[:-1], out))
    return z if bias is None else P.add(z, bias)
