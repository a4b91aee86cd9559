"""Automatic differentiation: read node, primitive, engine, then views, fused, function.

PyTorch's `torch.autograd`: backward, grad, Function, functional, the modes, anomaly detection.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    **dict.fromkeys(("backward", "grad"), "engine"),
    **dict.fromkeys(("Function", "once_differentiable"), "function"),
    **dict.fromkeys(("detect_anomaly", "set_detect_anomaly"), "anomaly"),
    **dict.fromkeys(("no_grad", "enable_grad", "inference_mode", "set_grad_enabled"), "modes"),
    "functional": "",
    "Variable": ".compat.tensors",
    **dict.fromkeys(("gradcheck", "gradgradcheck"), ".compat.gradcheck"),
}

if TYPE_CHECKING:
    from . import functional as functional
    from .anomaly import detect_anomaly as detect_anomaly
    from .anomaly import set_detect_anomaly as set_detect_anomaly
    from .engine import backward as backward
    from .engine import grad as grad
    from .function import Function as Function
    from .function import once_differentiable as once_differentiable
    from .modes import enable_grad as enable_grad
    from .modes import inference_mode as inference_mode
    from .modes import no_grad as no_grad
    from .modes import set_grad_enabled as set_grad_enabled


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME[name]
    module = importlib.import_module(f".{home or name}", __name__)
    globals()[name] = value = getattr(module, name) if home else module
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
