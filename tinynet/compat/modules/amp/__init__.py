"""PyTorch's automatic mixed precision: switched off. Where PyTorch would compute in halves, NotImplementedError says so."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, Self

from tinynet._device import device
from tinynet._tensor import Tensor

__all__ = ["GradScaler", "autocast", "is_autocast_available"]


def is_autocast_available(device_type: str) -> bool:
    """Whether `autocast` can be enabled for a device: False."""
    return False


class autocast:
    """A context manager and decorator that does nothing: operations keep their dtypes.

    For a GPU, which is not there, it switches itself off with PyTorch's warning. `autocast("cpu")` raises
    NotImplementedError unless `enabled=False`: convert the model (`model.bfloat16()`) instead.
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        self.device = device(device_type).type
        if enabled and self.device == "cpu":
            raise NotImplementedError(
                "autocast: device_type 'cpu' is not supported; convert the model, or enabled=False"
            )
        if enabled:
            warnings.warn(
                f"User provided device_type of '{self.device}', but {self.device.upper()} is not available. Disabling",
                stacklevel=3 if type(self) is not autocast else 2,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **options: Any) -> Any:
            with self:
                return function(*args, **options)

        return wrapper


class GradScaler:
    """Scales losses for halves. It is switched off: for a GPU, which is not there, with PyTorch's warning.

    Then `scale` returns its argument, `step` is the optimizer's step, `unscale_` and `update` do nothing, as in PyTorch.
    GradScaler("cpu") raises NotImplementedError unless `enabled=False`.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if enabled and device == "cpu":
            raise NotImplementedError("GradScaler: device 'cpu' is not supported; scale the loss, or enabled=False")
        if enabled:
            warnings.warn(
                f"torch.{device}.amp.GradScaler is enabled, but {device.upper()} is not available.  Disabling.",
                stacklevel=3 if type(self) is not GradScaler else 2,
            )

    def is_enabled(self) -> bool:
        """False."""
        return False

    def scale(self, outputs: Any) -> Any:
        """`outputs`, as they are."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing was scaled."""

    def step(self, optimizer: Any, *args: Any, **options: Any) -> Any:
        """The step of the optimizer."""
        return optimizer.step(*args, **options)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """The scale does not change."""

    def get_scale(self) -> float:
        """1."""
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        """Nothing: {}."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing is kept."""
