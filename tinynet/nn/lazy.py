"""Layers that learn the size of their input from the first one that they see."""

from __future__ import annotations

import inspect
from typing import Any

from .._tensor import Tensor
from ..errors import GraphError
from ..random import get_rng_state, set_rng_state
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .module import Module
from .normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from .parameter import UninitializedParameter


class _Lazy:
    """A layer `becomes` with the size `counted` of dimension `axis` still open: PyTorch's LazyModuleMixin.

    Its parameters are UninitializedParameter, which an optimizer may already hold; they stay the same objects.
    """

    __signature__: inspect.Signature
    becomes: type[Any]
    counted: str
    axis = 1

    def __init_subclass__(cls, becomes: type[Any], counted: str, axis: int = 1, **defaults: Any) -> None:
        cls.becomes, cls.counted, cls.axis = becomes, counted, axis
        signature = inspect.signature(becomes)
        parts = [p.replace(default=defaults.get(n, p.default)) for n, p in signature.parameters.items() if n != counted]
        cls.__signature__ = signature.replace(parameters=parts)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        state = get_rng_state()
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        self.becomes.__init__(self, 0, **bound.arguments)
        set_rng_state(state)
        self._arguments = bound.arguments
        for name, p in list(self._parameters.items()):
            if p is not None:
                self._parameters[name] = UninitializedParameter(p.requires_grad, dtype=p.dtype)
        self._first = self.register_forward_pre_hook(lambda module, args: module.initialize_parameters(*args))

    def has_uninitialized_params(self: Any) -> bool:
        """Whether no input has been seen yet."""
        return "_first" in self.__dict__

    def initialize_parameters(self: Any, input: Tensor, *others: Any) -> None:
        """Become the layer for inputs of this size. Raises GraphError the second time."""
        if not self.has_uninitialized_params():
            raise GraphError(f"{type(self).__name__}: the parameters are there already")
        layer: Module = self.becomes(input.shape[self.axis], **self._arguments)
        self._first.remove()
        for name, p in layer._parameters.items():
            if p is not None:
                self._parameters[name].materialize(p.shape)
                self._parameters[name].array[...] = p.array
        for name, b in layer._buffers.items():
            self._buffers[name] = b
        setattr(self, self.counted, getattr(layer, self.counted))
        del self._first, self._arguments
        object.__setattr__(self, "__class__", self.becomes)


class LazyLinear(_Lazy, Linear, becomes=Linear, counted="in_features", axis=-1):
    """Linear without in_features, which the first input tells."""


class LazyConv1d(_Lazy, Conv1d, becomes=Conv1d, counted="in_channels", axis=-2):
    """Conv1d without in_channels, which the first input tells."""


class LazyConv2d(_Lazy, Conv2d, becomes=Conv2d, counted="in_channels", axis=-3):
    """Conv2d without in_channels, which the first input tells."""


class LazyConv3d(_Lazy, Conv3d, becomes=Conv3d, counted="in_channels", axis=-4):
    """Conv3d without in_channels, which the first input tells."""


class LazyConvTranspose1d(_Lazy, ConvTranspose1d, becomes=ConvTranspose1d, counted="in_channels", axis=-2):
    """ConvTranspose1d without in_channels, which the first input tells."""


class LazyConvTranspose2d(_Lazy, ConvTranspose2d, becomes=ConvTranspose2d, counted="in_channels", axis=-3):
    """ConvTranspose2d without in_channels, which the first input tells."""


class LazyConvTranspose3d(_Lazy, ConvTranspose3d, becomes=ConvTranspose3d, counted="in_channels", axis=-4):
    """ConvTranspose3d without in_channels, which the first input tells."""


class LazyBatchNorm1d(_Lazy, BatchNorm1d, becomes=BatchNorm1d, counted="num_features"):
    """BatchNorm1d without num_features, which the first input tells."""


class LazyBatchNorm2d(_Lazy, BatchNorm2d, becomes=BatchNorm2d, counted="num_features"):
    """BatchNorm2d without num_features, which the first input tells."""


class LazyBatchNorm3d(_Lazy, BatchNorm3d, becomes=BatchNorm3d, counted="num_features"):
    """BatchNorm3d without num_features, which the first input tells."""


class LazyInstanceNorm1d(
    _Lazy,
    InstanceNorm1d,
    becomes=InstanceNorm1d,
    counted="num_features",
    axis=-2,
    affine=True,
    track_running_stats=True,
):
    """InstanceNorm1d without num_features, which the first input tells."""


class LazyInstanceNorm2d(
    _Lazy,
    InstanceNorm2d,
    becomes=InstanceNorm2d,
    counted="num_features",
    axis=-3,
    affine=True,
    track_running_stats=True,
):
    """InstanceNorm2d without num_features, which the first input tells."""


class LazyInstanceNorm3d(
    _Lazy,
    InstanceNorm3d,
    becomes=InstanceNorm3d,
    counted="num_features",
    axis=-4,
    affine=True,
    track_running_stats=True,
):
    """InstanceNorm3d without num_features, which the first input tells."""
