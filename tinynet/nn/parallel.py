"""PyTorch's `nn.parallel`: several devices, of which there are none here."""

from __future__ import annotations

from typing import Any

from .._device import check_device
from .module import Module


class DataParallel(Module):
    """The module itself, as `.module`: without GPUs PyTorch's runs it as it is, too.

    device_ids, output_device   None, or the CPU; DeviceError for a GPU
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        for device in (*(device_ids or ()), output_device):
            check_device(f"cuda:{device}" if isinstance(device, int) else device, "DataParallel")
        self.module, self.dim = module, dim
        self.device_ids: list[int] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module makes of its arguments."""
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(Module):
    """Raises NotImplementedError: there is one process."""

    def __init__(self, module: Module, *args: Any, **options: Any) -> None:
        raise NotImplementedError("DistributedDataParallel is not supported: there is one process")


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: Any = None,
) -> Any:
    """The module's result for its inputs, a tuple of several or a single one."""
    wrapped = DataParallel(module, device_ids, output_device, dim)
    return wrapped(*(inputs if isinstance(inputs, tuple) else (inputs,)), **(module_kwargs or {}))
