"""Parameters that are computed from others: `module.weight` becomes a property, its sources the parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from ..._tensor import Tensor
from ...autograd.modes import no_grad
from ...errors import OptionError
from ..containers import ModuleDict, ModuleList
from ..module import Module, _cast
from ..parameter import Parameter

_M = TypeVar("_M", bound=Module)

_state: dict[str, Any] = {"depth": 0, "values": {}}


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once within the block, however often it is read."""
    _state["depth"] += 1
    try:
        yield
    finally:
        _state["depth"] -= 1
        if not _state["depth"]:
            _state["values"] = {}


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _set(tensor: Tensor, value: Tensor) -> None:
    if value is not tensor:
        _cast(tensor, value.detach())


def _check(what: str, value: Any, like: Any) -> None:
    """`value` is a tensor of the dtype and shape of another."""
    if not isinstance(value, Tensor):
        raise OptionError(f"register_parametrization: {what} must be a Tensor, got {type(value).__name__}")
    if value.dtype != like.dtype or tuple(value.shape) != tuple(like.shape):
        raise OptionError(
            f"register_parametrization: {what} must keep {like.dtype} and shape {tuple(like.shape)} unless unsafe=True, "
            f"got {value.dtype} and {tuple(value.shape)}"
        )


def _inverted(module: Module, value: Any) -> Any:
    """right_inverse, or the value itself where the parametrization has none that it can do."""
    try:
        return module.right_inverse(value) if hasattr(module, "right_inverse") else value
    except NotImplementedError:
        return value


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, in order, with what it is computed from: `original`, or `original0`, …"""

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise OptionError("ParametrizationList: expected at least one module")
        super().__init__(modules)
        self.unsafe, shape_of = unsafe, original.detach()
        with no_grad():
            new: Any = original
            for module in reversed(list(self)):
                new = _inverted(module, new)
        self.is_tensor = isinstance(new, Tensor)
        if not self.is_tensor and not isinstance(new, Sequence):
            raise OptionError(f"right_inverse must return a Tensor or several, got {type(new).__name__}")
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            if new.dtype != original.dtype:
                raise OptionError(f"right_inverse must keep the dtype {original.dtype}, got {new.dtype}")
            _set(original, new)
            _register(self, "original", original)
        else:
            for i, part in enumerate(new):
                if not isinstance(part, Tensor):
                    raise OptionError(f"right_inverse must return Tensors, got {type(part).__name__} at place {i}")
                if isinstance(original, Parameter):
                    part = Parameter(part.detach(), original.requires_grad)
                _register(self, f"original{i}", part)
        if not unsafe:
            _check("the result", self(), shape_of)

    def right_inverse(self, value: Tensor) -> None:
        """Set the sources so that the tensor becomes `value`, as far as it can."""
        with no_grad():
            new: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse")
                new = module.right_inverse(new)
            parts = [new] if self.is_tensor else list(new)
            if len(parts) != self.ntensors:
                raise OptionError(f"right_inverse must return {self.ntensors} tensors, got {len(parts)}")
            for part, source in zip(parts, self.originals(), strict=True):
                if not isinstance(part, Tensor) or part.dtype != source.dtype:
                    raise OptionError(f"right_inverse must return a Tensor of {source.dtype}, got {part!r}")
                _set(source, part)

    def originals(self) -> list[Any]:
        """What the tensor is computed from."""
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def forward(self) -> Any:
        """The tensor."""
        first, *rest = self
        x = first(*self.originals())
        for module in rest:
            x = module(x)
        return x


def _property(name: str) -> property:
    def get(self: Any) -> Any:
        if not _state["depth"]:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _state["values"]:
            _state["values"][key] = self.parametrizations[name]()
        return _state["values"][key]

    def put(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(get, put)


def register_parametrization(module: _M, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> _M:
    """Let a parameter or buffer be parametrization(original): its value, its gradient and its place in the state dict
    (parametrizations.name.original) are those of `original`. Several apply one after another.

    An assignment to it goes through `right_inverse`, which may return several tensors (original0, original1, …).
    unsafe=True allows another dtype or shape, and skips the checks. Raises OptionError.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            now = getattr(module, tensor_name)
            value = parametrization(now)
            _check("the result", value, now)
            _check("right_inverse's result", _inverted(parametrization, value), now)
        there: Any = module.parametrizations[tensor_name]
        there.append(parametrization)
        there.unsafe |= unsafe
    elif tensor_name in module._parameters or tensor_name in module._buffers:
        there = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            cls = type(module)
            object.__setattr__(module, "__class__", type(f"Parametrized{cls.__name__}", (cls,), {}))
            module.parametrizations = ModuleDict()
        setattr(type(module), tensor_name, _property(tensor_name))
        module.parametrizations[tensor_name] = there
    else:
        raise OptionError(
            f"register_parametrization: {type(module).__name__} has no parameter or buffer {tensor_name!r}"
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module has a parametrized tensor (of this name)."""
    there = getattr(module, "parametrizations", None)
    if not isinstance(there, ModuleDict):
        return False
    return len(there) > 0 if tensor_name is None else tensor_name in there


def remove_parametrizations(module: _M, tensor_name: str, leave_parametrized: bool = True) -> _M:
    """Make a tensor plain again: with the value that it has, or (leave_parametrized=False) with that of `original`."""
    if not is_parametrized(module, tensor_name):
        raise OptionError(f"remove_parametrizations: {type(module).__name__} has no parametrization of {tensor_name!r}")
    there: Any = module.parametrizations[tensor_name]
    if not there.is_tensor and not leave_parametrized:
        raise OptionError("remove_parametrizations: leave_parametrized=False is not for several originals")
    value = getattr(module, tensor_name)
    if there.is_tensor:
        tensor = there.original
        if leave_parametrized:
            _set(tensor, value)
    else:
        tensor = Parameter(value.detach()) if value.requires_grad else value
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, tensor)
    if not is_parametrized(module):
        del module.parametrizations
        object.__setattr__(module, "__class__", type(module).__bases__[0])
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that the module had before its first parametrization."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)
