"""The switches of a thread: is the graph recorded, do definitions run in place of kernels."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class _Modes(threading.local):
    recording = True
    inference = False
    definitions = False


modes = _Modes()


class _Mode:
    """A context manager that is also a decorator; it may be entered again and nested."""

    setting: ClassVar[dict[str, bool]]

    def __new__(cls, function: Any = None) -> Any:
        if function is not None and callable(function):  # @no_grad without parentheses
            return cls()(function)
        return super().__new__(cls)

    def __init__(self, function: Any = None) -> None:
        self._before: list[dict[str, bool]] = []

    def values(self) -> dict[str, bool]:
        return self.setting

    def __enter__(self) -> Self:
        values = self.values()
        self._before.append({name: getattr(modes, name) for name in values})
        for name, value in values.items():
            setattr(modes, name, value)
        return self

    def __exit__(self, *error: object) -> None:
        for name, value in self._before.pop().items():
            setattr(modes, name, value)

    def fresh(self) -> _Mode:
        return type(self)()

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Any:
                steps = function(*args, **kwargs)
                sent: Any = None
                while True:  # the mode holds only while the generator's own code runs
                    with self.fresh():
                        try:
                            item = steps.send(sent)
                        except StopIteration as stop:
                            return stop.value
                    sent = yield item

            return generator  # type: ignore[return-value]

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.fresh():
                return function(*args, **kwargs)

        return wrapper  # type: ignore[return-value]


class no_grad(_Mode):
    """Within it no operation is recorded: results do not require a gradient."""

    setting: ClassVar[dict[str, bool]] = {"recording": False}


class enable_grad(_Mode):
    """Within it operations are recorded again, inside `no_grad`."""

    setting: ClassVar[dict[str, bool]] = {"recording": True}


class use_definitions(_Mode):
    """Within it every fused operation runs by its definition (primitives) and not by its kernel."""

    setting: ClassVar[dict[str, bool]] = {"definitions": True}


class inference_mode(_Mode):
    """`no_grad` by another name: tensors made in it are ordinary tensors, which later code may use in a graph."""

    def __new__(cls, mode: Any = True) -> Any:
        return cls()(mode) if callable(mode) else object.__new__(cls)

    def __init__(self, mode: Any = True) -> None:
        super().__init__()
        self.mode = bool(mode)

    def values(self) -> dict[str, bool]:
        return {"recording": not self.mode, "inference": self.mode}

    def fresh(self) -> _Mode:
        return type(self)(self.mode)


class set_grad_enabled(_Mode):
    """Switch recording on or off at once; as a context manager it restores what was before."""

    def __new__(cls, mode: bool) -> Any:
        return object.__new__(cls)

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.mode = bool(mode)
        self._outside = modes.recording
        modes.recording = self.mode

    def __enter__(self) -> Self:
        modes.recording = self.mode
        return self

    def __exit__(self, *error: object) -> None:
        modes.recording = self._outside

    def __call__(self, function: F) -> F:
        modes.recording = self._outside  # as a decorator it acts only while the function runs
        return super().__call__(function)

    def fresh(self) -> _Mode:
        return set_grad_enabled(self.mode)


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread."""
    return modes.recording


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`."""
    return modes.inference
