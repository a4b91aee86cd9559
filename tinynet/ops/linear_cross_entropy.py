"""Cross-entropy of a linear layer's result, in one call."""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor
from ..errors import OptionError, ShapeError
from . import primitives as P
from .checks import floating, tensor_of
from .linear import linear
from .loss import cross_entropy


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """`cross_entropy` of the logits x Wᵀ + b.

    input          (N, in_features) or (in_features,)
    linear_weight  (C, in_features), or (C, …, in_features) for logits (N, C, …); linear_bias (C, …)
    ignore_index   −100 by default; not together with probabilities as target

    The logits exist as a whole: `options`, which in PyTorch computes them in parts, raises NotImplementedError.
    """
    where = "linear_cross_entropy"
    x, w = floating(where, "input", input), floating(where, "linear_weight", linear_weight)
    classes_of = tensor_of(where, "target", target)
    if options is not None:
        raise NotImplementedError(f"{where}: options is not supported")
    if x.ndim not in (1, 2) or w.ndim < 2 or x.array.shape[-1] != w.array.shape[-1] or (x.ndim == 1 and w.ndim > 2):
        raise ShapeError(
            f"{where}: input must be (N, in_features) and linear_weight (C, …, in_features), got shapes "
            f"{tuple(x.array.shape)} and {tuple(w.array.shape)}"
        )
    *classes, features = w.array.shape
    if linear_bias is not None and list(tensor_of(where, "linear_bias", linear_bias).array.shape) != classes:
        raise ShapeError(f"{where}: linear_bias must have shape {tuple(classes)}, got {tuple(linear_bias.array.shape)}")
    shape = (*x.array.shape[:-1], *classes)
    if ignore_index is not None and classes_of.array.shape == shape:
        raise OptionError(f"{where}: ignore_index is for class numbers, and target has probabilities")
    count = math.prod(classes)
    bias = None if linear_bias is None else P.reshape(linear_bias, shape=(count,))
    logits = P.reshape(linear(x, P.reshape(w, shape=(count, features)), bias), shape=shape)
    return cross_entropy(
        logits,
        classes_of,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
