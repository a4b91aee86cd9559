"""PyTorch's old path to autocast and GradScaler, for a GPU: without one, both switch themselves off and warn."""

from __future__ import annotations

from typing import Any

from tinynet import dtypes

from .. import amp


class autocast(amp.autocast):
    """`tinynet.amp.autocast("cuda", …)`."""

    def __init__(self, enabled: bool = True, dtype: Any = dtypes.float16, cache_enabled: bool = True) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """`tinynet.amp.GradScaler("cuda", …)`."""

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)
