"""The GPU, as PyTorch's programs ask for it. There is none in this build: `is_available()` is False."""

from __future__ import annotations

from typing import Any

from tinynet._device import check_device


def is_available() -> bool:
    """Whether tensors can live on a GPU: False in this build."""
    return False


def device_count() -> int:
    """How many GPUs can be used: 0 in this build."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed the GPU's generator: nothing to do without one."""


def manual_seed_all(seed: int) -> None:
    """Seed every GPU's generator: nothing to do without one."""


def is_initialized() -> bool:
    """Whether a GPU is in use: False in this build."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether a GPU computes in bfloat16: False in this build."""
    return False


def synchronize(device: Any = None) -> None:
    """Wait for the GPU. Raises DeviceError: there is none."""
    check_device("cuda", "cuda.synchronize")


def current_device() -> int:
    """The number of the GPU in use. Raises DeviceError: there is none."""
    check_device("cuda", "cuda.current_device")
    return 0


def set_device(device: Any) -> None:
    """Choose a GPU. Raises DeviceError: there is none."""
    check_device("cuda", "cuda.set_device")


def get_device_name(device: Any = None) -> str:
    """The name of a GPU. Raises DeviceError: there is none."""
    check_device("cuda", "cuda.get_device_name")
    return ""


def empty_cache() -> None:
    """Give the GPU's unused memory back: nothing to do without one."""


def memory_allocated(device: Any = None) -> int:
    """Bytes of tensors on the GPU: 0."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes of tensors on the GPU so far: 0."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """Bytes held on the GPU: 0."""
    return 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Forget the most bytes so far: nothing to do without a GPU."""
