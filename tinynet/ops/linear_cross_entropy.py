"""Cross-entropy of a linear layer's result, in one call."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .._tensor import Tensor
from ..errors import DtypeError, OptionError, ShapeError
from . import primitives as P
from .checks import floating, one_of, tensor_of
from .linear import linear
from .loss import cross_entropy


@dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """How `linear_cross_entropy` may cut its batch into parts, as in PyTorch. It concerns speed and memory alone."""

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None

    def __post_init__(self) -> None:
        one_of("LinearCrossEntropyOptions", "acc_policy", self.acc_policy, "auto", "accurate", "balanced", "compact")


def check_options(where: str, options: Any) -> None:
    """Raise DtypeError unless it is LinearCrossEntropyOptions, or None."""
    if options is not None and not isinstance(options, LinearCrossEntropyOptions):
        raise DtypeError(f"{where}: options must be LinearCrossEntropyOptions or None, got {type(options).__name__}")


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

    options        in how many parts PyTorch computes the logits: here they exist as a whole
    """
    where = "linear_cross_entropy"
    x, w = floating(where, "input", input), floating(where, "linear_weight", linear_weight)
    classes_of = tensor_of(where, "target", target)
    check_options(where, options)
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
