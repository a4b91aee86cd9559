"""The gradient-testing kit: check the gradients of your own operations, in tinynet, in PyTorch, or in plain NumPy.

`check_vjp` compares a reverse rule with numerical derivatives that know their own error; `strategies` (which needs
Hypothesis) draws the arrays, shapes, layouts, indices and geometries to check it on. Names load on first use (PEP 562):
importing this package loads nothing, and using it NumPy only, until an adapter or a strategy is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinynet.testing.adapters import (
        Adapter,
        ForwardAdapter,
        autograd_adapter,
        jax_adapter,
        tinynet_adapter,
        torch_adapter,
    )
    from tinynet.testing.gradients import assert_vjp, check_second_order, check_vjp
    from tinynet.testing.report import ArgumentReport, Comparison, GradientReport

TABLE = {
    "adapters": "Adapter ForwardAdapter autograd_adapter jax_adapter tinynet_adapter torch_adapter",
    "gradients": "assert_vjp check_second_order check_vjp",
    "report": "ArgumentReport Comparison GradientReport",
}
MODULES = ("strategies",)
_WHERE = {name: module for module, names in TABLE.items() for name in names.split()}

__all__ = [
    "Adapter",
    "ArgumentReport",
    "Comparison",
    "ForwardAdapter",
    "GradientReport",
    "assert_vjp",
    "autograd_adapter",
    "check_second_order",
    "check_vjp",
    "jax_adapter",
    "strategies",
    "tinynet_adapter",
    "torch_adapter",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = globals()[name] = getattr(import_module(f"tinynet.testing.{_WHERE[name]}"), name)
        return value
    if name in MODULES:
        return import_module(f"tinynet.testing.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
