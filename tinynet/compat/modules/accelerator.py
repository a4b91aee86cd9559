"""PyTorch's `accelerator`: the GPU of whatever maker. There is none in this build."""

from __future__ import annotations

from tinynet._device import device


def is_available() -> bool:
    """Whether there is one: False."""
    return False


def device_count() -> int:
    """How many there are: 0."""
    return 0


def current_accelerator(check_available: bool = False) -> device | None:
    """None: there is none."""
    return None
