"""PyTorch's `jit`: nothing is compiled to TorchScript. `script`, `trace`, `save` and `load` raise NotImplementedError."""

from __future__ import annotations

from typing import Any

from tinynet.compat.switches import unsupported

_WHY = "there is no TorchScript; call the function or the module as it is"
script = unsupported("jit.script", _WHY)
trace = unsupported("jit.trace", _WHY)
freeze = unsupported("jit.freeze", _WHY)
save = unsupported("jit.save", "there is no TorchScript; save the state_dict")
load = unsupported("jit.load", "there is no TorchScript; load a state_dict")


def is_scripting() -> bool:
    """Whether TorchScript is being compiled: False."""
    return False


def is_tracing() -> bool:
    """Whether a trace is being taken: False."""
    return False


def ignore(function: Any = None, **options: Any) -> Any:
    """The function itself: a decorator that concerns TorchScript alone."""
    return function if callable(function) else lambda f: f


def unused(function: Any) -> Any:
    """The function itself: a decorator that concerns TorchScript alone."""
    return function


def export(function: Any) -> Any:
    """The function itself: a decorator that concerns TorchScript alone."""
    return function
