"""PyTorch's old path to autocast and GradScaler, for a GPU: without one, both switch themselves off and warn."""

from __future__ import annotations

from typing import Any

import tinynet.amp as amp

from tinynet import dtypes


class autocast(amp.autocast):
    """`tinynet.amp.autocast("cuda", …)`."""

    def __init__(self, enabled: bool = True, dtype: Any = dtypes.float16, cache_enabled: bool = True) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """`tinynet.amp.GradScaler("cuda", …)`."""

    def __init__(self, init_scale: float = 65536.0, *options: Any, enabled: bool = True, **more: Any) -> None:
        super().__init__("cuda", init_scale, *options, enabled=enabled, **more)
