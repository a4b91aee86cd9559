"""Devices. Only the CPU is supported today; every other name raises."""

from __future__ import annotations

from typing import Any

from .errors import DeviceError

_KNOWN = ("cuda", "mps", "xpu", "meta", "hip", "vulkan", "xla", "mkldnn")


class device:
    """Where a tensor lives: `device("cpu")`. `device("cuda")` can be named, but not used while there is no GPU support."""

    __slots__ = ("index", "type")

    index: int | None
    type: str

    def __init__(self, type: str | device = "cpu", index: int | None = None) -> None:
        if isinstance(type, device):
            index, type = type.index, type.type
        if not isinstance(type, str):
            raise DeviceError(f"device: expected a name such as 'cpu', got {type!r}")
        name, colon, number = type.partition(":")
        if colon:
            if not number.isdigit() or index is not None:
                raise DeviceError(f"device: expected 'type' or 'type:index', got {type!r}")
            index = int(number)
        if name != "cpu" and name not in _KNOWN:
            raise DeviceError(f"device: unknown device type {name!r}; expected one of cpu, {', '.join(_KNOWN)}")
        self.type, self.index = name, index

    def __repr__(self) -> str:
        return f"device(type={self.type!r}" + (")" if self.index is None else f", index={self.index})")

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> device:
        """Within it new tensors are on this device, which must be the CPU."""
        check_device(self, "device")
        return self

    def __exit__(self, *error: object) -> None:
        pass


CPU = device("cpu")


def check_device(value: Any, where: str) -> device:
    """`value` as a device on which tensors can be made; raises DeviceError naming it otherwise."""
    if value is None:
        return CPU
    d = value if isinstance(value, device) else device(value)
    if d.type != "cpu":
        raise DeviceError(f"{where}: device {str(d)!r} is not available; this build of tinynet computes on 'cpu' only")
    return CPU
