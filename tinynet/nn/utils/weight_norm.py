"""A weight as a direction times a length, by a hook that runs before forward: PyTorch's older form."""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from ..._tensor import Tensor
from ...errors import GraphError, OptionError
from ...ops import primitives as P
from ...ops.reduction import norm
from ..module import Module
from ..parameter import Parameter

_M = TypeVar("_M", bound=Module)


def length_except(v: Tensor, dim: int) -> Tensor:
    """‖v‖ over all dimensions but one, which keep the size 1; over all for dim −1, a 0-d tensor."""
    if dim == -1:
        return norm(v)
    return norm(v, 2, tuple(i for i in range(v.ndim) if i != dim), True) if v.ndim > 1 else P.absolute(v)


def scaled(v: Tensor, g: Tensor, dim: int) -> Tensor:
    """g·v/‖v‖."""
    return P.mul(v, P.div(g, length_except(v, dim)))


class WeightNorm:
    """The hook of `weight_norm`."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        """g·v/‖v‖ of the module's parameters."""
        return scaled(getattr(module, f"{self.name}_v"), getattr(module, f"{self.name}_g"), self.dim)

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def found(module: Module, kind: type[Any], name: str) -> tuple[int, Any] | None:
    """The hook of a kind on a parameter, and its number."""
    hooks: Any = ((i, hook) for i, (hook, _) in module._forward_pre_hooks.items())
    return next((p for p in hooks if isinstance(p[1], kind) and p[1].name == name), None)


def weight_norm(module: _M, name: str = "weight", dim: int | None = 0) -> _M:
    """Replace a parameter by `name`_g, its lengths, and `name`_v, its directions: w = g·v/‖v‖, computed before forward.

    dim  the dimension of which each index has a length of its own; None: one length.

    Raises GraphError where there is one already. Deprecated; see `parametrizations.weight_norm`.
    Source: Salimans and Kingma, NeurIPS 2016.
    """
    warnings.warn("weight_norm: deprecated; use nn.utils.parametrizations.weight_norm", FutureWarning, stacklevel=2)
    if found(module, WeightNorm, name):
        raise GraphError(f"weight_norm: {name!r} has a weight_norm already")
    hook, weight = WeightNorm(name, dim), getattr(module, name).detach()
    delattr(module, name)
    module.register_parameter(f"{name}_g", Parameter(length_except(weight, hook.dim)))
    module.register_parameter(f"{name}_v", Parameter(weight))
    setattr(module, name, hook.compute_weight(module))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: _M, name: str = "weight") -> _M:
    """Make the weight a plain parameter again. Raises OptionError where there is no weight_norm."""
    there = found(module, WeightNorm, name)
    if there is None:
        raise OptionError(f"remove_weight_norm: there is no weight_norm of {name!r} in {module}")
    weight = there[1].compute_weight(module).detach()
    for attribute in (name, f"{name}_g", f"{name}_v"):
        delattr(module, attribute)
    setattr(module, name, Parameter(weight))
    del module._forward_pre_hooks[there[0]]
    return module
