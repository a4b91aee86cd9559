"""Activation functions that overwrite their input: PyTorch's names with an underscore."""

from __future__ import annotations

from .._tensor import Tensor
from .activation import relu
from .checks import floating, tensor_of
from .piecewise import celu, elu, hardtanh, leaky_relu, rrelu, selu
from .piecewise import threshold as _threshold


def relu_(input: Tensor) -> Tensor:
    """`relu` in place."""
    return relu(tensor_of("relu_", "input", input), inplace=True)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu` in place."""
    return leaky_relu(floating("leaky_relu_", "input", input), negative_slope, inplace=True)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu` in place."""
    return elu(floating("elu_", "input", input), alpha, inplace=True)


def selu_(input: Tensor) -> Tensor:
    """`selu` in place."""
    return selu(floating("selu_", "input", input), inplace=True)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu` in place."""
    return celu(floating("celu_", "input", input), alpha, inplace=True)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh` in place."""
    return hardtanh(tensor_of("hardtanh_", "input", input), min_val, max_val, inplace=True)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """`threshold` in place."""
    return _threshold(tensor_of("threshold_", "input", input), threshold, value, inplace=True)


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """`rrelu` in place."""
    return rrelu(floating("rrelu_", "input", input), lower, upper, training, inplace=True)
