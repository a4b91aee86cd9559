"""Layouts and memory formats by PyTorch's names. Tensors are dense and strided; new ones are row-major."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class layout:
    """How a tensor lies in memory: `strided` is the only one."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"tinynet.{self.name}"


class memory_format:
    """The order of dimensions in memory: `contiguous_format`, `preserve_format`, `channels_last`, `channels_last_3d`."""

    def __init__(self, name: str, order: tuple[int, ...] = ()) -> None:
        self.name, self.order = name, order

    def __repr__(self) -> str:
        return f"tinynet.{self.name}"


strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last", (0, 2, 3, 1))
channels_last_3d = memory_format("channels_last_3d", (0, 2, 3, 4, 1))


def check_memory_format(where: str, value: Any) -> tuple[int, ...]:
    """The order of dimensions in memory, () for row-major; raises for what is no memory format."""
    if value is None:
        return ()
    if not isinstance(value, memory_format):
        raise NotImplementedError(f"{where}: memory_format={value!r} is not supported; use those of the package")
    return value.order


def plain(function: F) -> F:
    """Let a function that makes tensors take `layout`, `pin_memory` and `memory_format`: dense, row-major, on the CPU."""

    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        if options.keys() & {"layout", "pin_memory", "memory_format"}:
            name = function.__name__
            if options.pop("layout", None) not in (None, strided):
                raise NotImplementedError(f"{name}: tensors are dense; layout must be strided")
            options.pop("pin_memory", None)
            if check_memory_format(name, options.pop("memory_format", None)):
                raise NotImplementedError(f"{name}: new tensors are row-major; use contiguous(memory_format=…) on them")
        return function(*args, **options)

    return wrapper  # type: ignore[return-value]
