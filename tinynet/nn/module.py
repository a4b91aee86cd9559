"""Module: parameters, buffers and modules in a tree, with PyTorch's behaviour."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from .._layout import check_memory_format
from .._tensor import Handle, Tensor, clear_grad, new_tensor
from ..autograd.modes import no_grad
from ..errors import DtypeError, OptionError
from ..ops.checks import to_dtype
from .parameter import Buffer, Parameter


class IncompatibleKeys(NamedTuple):
    """What load_state_dict(strict=False) did not find in the dict, and what it found that is not in the module."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Module:
    """The base of all layers and models: assign parameters, buffers and modules as attributes, define `forward`."""

    training: bool

    def __init__(self) -> None:
        for name in ("_parameters", "_buffers", "_modules"):
            object.__setattr__(self, name, {})
        object.__setattr__(self, "_transient", set())  # buffers that are not in the state dict
        for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks"):
            object.__setattr__(self, name, OrderedDict())
        object.__setattr__(self, "training", True)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes. Raises NotImplementedError until a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not (self._forward_hooks or self._forward_pre_hooks or self._backward_hooks):
            return self.forward(*args, **kwargs)
        for hook, with_kwargs in list(self._forward_pre_hooks.values()):
            result = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if result is not None and with_kwargs:
                args, kwargs = result
            elif result is not None:
                args = result if isinstance(result, tuple) else (result,)
        if self._backward_hooks:
            from .hooks import around

            return around(self, self._run, args, kwargs)
        return self._run(args, kwargs)

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        out = self.forward(*args, **kwargs)
        for hook, with_kwargs in list(self._forward_hooks.values()):
            result = hook(self, args, kwargs, out) if with_kwargs else hook(self, args, out)
            if result is not None:
                out = result
        return out

    # attributes

    def __setattr__(self, name: str, value: Any) -> None:
        tables = self.__dict__
        if "_parameters" not in tables:
            if isinstance(value, Parameter | Module):
                raise AttributeError(f"{type(self).__name__}: call super().__init__() before assigning {name!r}")
            object.__setattr__(self, name, value)
            return
        if isinstance(value, Parameter):
            self._forget(name)
            self._parameters[name] = value
        elif isinstance(value, Buffer):
            self._forget(name)
            self.register_buffer(name, value, value.persistent)
        elif isinstance(value, Module):
            self._forget(name)
            self._modules[name] = value
        elif name in self._parameters:
            if value is not None:
                raise DtypeError(
                    f"{type(self).__name__}.{name} is a parameter: expected a Parameter or None, got {type(value).__name__}"
                )
            self._parameters[name] = None
        elif name in self._modules:
            if value is not None:
                raise DtypeError(
                    f"{type(self).__name__}.{name} is a module: expected a Module or None, got {type(value).__name__}"
                )
            self._modules[name] = None
        elif name in self._buffers:
            if value is not None and not isinstance(value, Tensor):
                raise DtypeError(
                    f"{type(self).__name__}.{name} is a buffer: expected a Tensor or None, got {type(value).__name__}"
                )
            self._buffers[name] = value
        else:
            object.__setattr__(self, name, value)

    def _forget(self, name: str) -> None:
        self.__dict__.pop(name, None)
        for table in (self._parameters, self._buffers, self._modules):
            table.pop(name, None)

    def __getattr__(self, name: str) -> Any:
        for table in ("_parameters", "_buffers", "_modules"):
            found = self.__dict__.get(table, {})
            if name in found:
                return found[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under `name`; None keeps the place."""
        self._check_name("register_parameter", name)
        if param is not None and not isinstance(param, Parameter):
            raise DtypeError(f"register_parameter: {name!r} must be a Parameter or None, got {type(param).__name__}")
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but no parameter; unless persistent it is left out of the state dict."""
        self._check_name("register_buffer", name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise DtypeError(f"register_buffer: {name!r} must be a Tensor or None, got {type(tensor).__name__}")
        self._buffers[name] = tensor
        (self._transient.discard if persistent else self._transient.add)(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a module under `name`."""
        self.add_module(name, module)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a module under `name`."""
        self._check_name("add_module", name)
        if module is not None and not isinstance(module, Module):
            raise DtypeError(f"add_module: {name!r} must be a Module or None, got {type(module).__name__}")
        self._modules[name] = module

    def _check_name(self, where: str, name: Any) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: call super().__init__() before {where}")
        if not isinstance(name, str):
            raise DtypeError(f"{where}: the name must be a string, got {name!r}")
        if not name or "." in name:
            raise KeyError(f"{where}: the name must not be empty or contain a dot, got {name!r}")
        taken = any(name in t for t in (self._parameters, self._buffers, self._modules))
        if not taken and hasattr(self, name):
            raise KeyError(f"{where}: attribute {name!r} exists already")

    # walking the tree

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, with their dotted names."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        return (m for _, m in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below, with their names."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules directly below."""
        return (m for _, m in self.named_children())

    def _named(self, table: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        owners = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else iter([(prefix, self)])
        )
        for path, module in owners:
            for name, value in getattr(module, table).items():
                if value is None or (remove_duplicate and id(value) in seen):
                    continue
                seen.add(id(value))
                yield (f"{path}.{name}" if path else name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their dotted names; one that is shared comes once."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters; one that is shared comes once."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their dotted names."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted name. Raises AttributeError where there is none."""
        module: Any = self
        for name in target.split(".") if target else ():
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"get_submodule: {name!r} in {target!r} is not a Module")
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted name."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path)._parameters.get(name)
        if found is None:
            raise AttributeError(f"get_parameter: there is no parameter {target!r}")
        return found

    # modes, casts, gradients

    def train(self, mode: bool = True) -> Self:
        """Set training mode here and below (dropout and batch norm act on it)."""
        if not isinstance(mode, bool):
            raise OptionError(f"train: mode must be a bool, got {mode!r}")
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode here and below."""
        return self.train(False)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module below and then on this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Train these parameters, or freeze them."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of the parameters (or set them to zero)."""
        for p in self.parameters():
            clear_grad(p, set_to_none)

    def to(
        self,
        *args: Any,
        dtype: Any = None,
        device: Any = None,
        non_blocking: bool = False,
        memory_format: Any = None,
    ) -> Self:
        """Cast the floating-point parameters and buffers, in place. A device other than the CPU raises DeviceError.

        A `memory_format`, which concerns speed alone, does nothing: the kernels want row-major parameters.
        """
        check_memory_format(f"{type(self).__name__}.to", memory_format)
        from ..methods import to

        wanted = to(new_tensor(np.zeros(0, np.float32)), *args, dtype=dtype, device=device)
        if not wanted.is_floating_point():
            raise DtypeError(f"{type(self).__name__}.to: parameters have floating-point dtypes, got {wanted.dtype}")
        for t in itertools.chain(self.parameters(), self.buffers()):
            if t.is_floating_point():
                _cast(t, to(t.detach(), *args, dtype=dtype, device=device, non_blocking=non_blocking))
            else:
                to(t, device=device)
        return self

    def float(self) -> Self:
        """Cast to float32."""
        return self.to(dtype="float32")

    def double(self) -> Self:
        """Cast to float64."""
        return self.to(dtype="float64")

    def half(self) -> Self:
        """Cast to float16."""
        return self.to(dtype="float16")

    def bfloat16(self) -> Self:
        """Cast to bfloat16."""
        return self.to(dtype="bfloat16")

    def cpu(self) -> Self:
        """This module: it is on the CPU."""
        return self

    def cuda(self, device: Any = None) -> Self:
        """Raises DeviceError: there is no GPU support in this build."""
        return self.to(device="cuda")

    # state

    def state_dict(
        self, *, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Parameters and persistent buffers by dotted name: detached tensors over the same memory."""
        out = OrderedDict() if destination is None else destination
        for name, t in itertools.chain(self._parameters.items(), self._buffers.items()):
            if t is not None and name not in self._transient:
                out[prefix + name] = t if keep_vars else t.detach()
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=out, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        return out

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy tensors by name into this module.

        Raises OptionError listing missing and unexpected names (unless strict=False) and every shape that differs;
        nothing is changed then. assign=True takes the tensors over instead of copying.
        """
        if not isinstance(state_dict, Mapping):
            raise DtypeError(f"load_state_dict: expected a dict, got {type(state_dict).__name__}")
        own = self.state_dict(keep_vars=True)
        missing = [k for k in own if k not in state_dict]
        unexpected = [k for k in state_dict if k not in own]
        errors = []
        if strict and missing:
            errors.append("Missing key(s) in state_dict: " + ", ".join(map(repr, missing)))
        if strict and unexpected:
            errors.append("Unexpected key(s) in state_dict: " + ", ".join(map(repr, unexpected)))
        for name, t in own.items():
            value = state_dict.get(name)
            if name in state_dict and not isinstance(value, Tensor):
                errors.append(f"{name}: expected a Tensor, got {type(value).__name__}")
            elif value is not None and value.array.shape != t.array.shape:
                errors.append(f"size mismatch for {name}: {tuple(value.shape)} in the dict, {tuple(t.shape)} here")
        if errors:
            raise OptionError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(errors))
        with no_grad():
            for name, t in own.items():
                if name in state_dict:
                    if assign:
                        _cast(t, state_dict[name].detach())
                    else:
                        t.copy_(state_dict[name].detach())
        return IncompatibleKeys(missing, unexpected)

    # hooks

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call hook(module, args) before forward; what it returns replaces the arguments."""
        return _register(self._forward_pre_hooks, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> Handle:
        """Call hook(module, args, output) after forward; what it returns replaces the output."""
        if always_call:
            raise NotImplementedError("register_forward_hook: always_call=True is not supported")
        return _register(self._forward_hooks, (hook, with_kwargs), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call hook(module, grad_input, grad_output) when the gradients of the inputs are known; what it returns
        replaces grad_input."""
        return _register(self._backward_hooks, hook, prepend)

    # printing

    def extra_repr(self) -> str:
        """What a layer prints between its brackets."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr().split("\n") if self.extra_repr() else []
        lines = []
        for name, module in self._modules.items():
            body = "\n  ".join(repr(module).split("\n"))
            lines.append(f"({name}): {body}")
        if len(extra) == 1 and not lines:
            return f"{self._get_name()}({extra[0]})"
        inner = [*extra, *lines]
        return f"{self._get_name()}(" + ("\n  " + "\n  ".join(inner) + "\n" if inner else "") + ")"


def _cast(t: Tensor, value: Tensor) -> None:
    """Let `t` hold the array of `value`; a leaf stays the leaf that it is."""
    t.array, t.memory = value.array, value.memory
    if t.node is not None:
        t.node.shape, t.node.dtype = value.array.shape, value.array.dtype
    if t.grad is not None:
        t.grad = to_dtype(t.grad.detach(), value.dtype, "Module")


def _register(hooks: OrderedDict[int, Any], hook: Any, prepend: bool) -> Handle:
    handle = Handle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle
