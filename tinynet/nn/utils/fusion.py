"""Batch norm in evaluation is linear: it goes into the weights of the layer before it."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import numpy as np

from ..._tensor import Tensor, new_tensor
from ...errors import OptionError
from ..module import Module
from ..parameter import Parameter

_M = TypeVar("_M", bound=Module)
Array = np.ndarray[Any, Any]


def _fused(
    w: Tensor, b: Tensor | None, mean: Tensor, var: Tensor, eps: float, scale: Any, shift: Any, axis: int
) -> tuple[Parameter, Parameter]:
    """(w·s, (b − mean)·s + shift), s = scale/√(var + eps) along one axis of w."""
    factor = (1.0 if scale is None else scale.array) / np.sqrt(var.array + eps)
    column = factor.reshape(tuple(-1 if i == axis else 1 for i in range(w.ndim)))
    bias = ((0.0 if b is None else b.array) - mean.array) * factor + (0.0 if shift is None else shift.array)
    dtype = w.array.dtype
    weight = Parameter(new_tensor((w.array * column).astype(dtype)), w.requires_grad)
    return weight, Parameter(new_tensor(bias.astype(dtype)), b is None or b.requires_grad)


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """The weight and bias of a convolution followed by a batch norm of these statistics."""
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, int(transpose))


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor,
) -> tuple[Parameter, Parameter]:
    """The weight and bias of a linear layer followed by a batch norm of these statistics."""
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0)


def _check(where: str, layer: Module, bn: Any) -> None:
    if layer.training or bn.training:
        raise OptionError(f"{where}: both layers must be in evaluation mode")
    if bn.running_mean is None:
        raise OptionError(f"{where}: the batch norm must track running statistics")


def fuse_conv_bn_eval(conv: _M, bn: Any, transpose: bool = False) -> _M:
    """A copy of a convolution with the batch norm behind it in its weights; both in evaluation mode."""
    _check("fuse_conv_bn_eval", conv, bn)
    fused: Any = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_linear_bn_eval(linear: _M, bn: Any) -> _M:
    """A copy of a linear layer with the batch norm behind it in its weights; both in evaluation mode."""
    _check("fuse_linear_bn_eval", linear, bn)
    fused: Any = copy.deepcopy(linear)
    if bn.num_features not in (fused.out_features, 1):
        raise OptionError(
            f"fuse_linear_bn_eval: the batch norm has {bn.num_features} features, the layer {fused.out_features}"
        )
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused
