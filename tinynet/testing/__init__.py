"""The gradient-testing kit: check the gradients of your own operations, in tinynet, in PyTorch, or in plain NumPy.

`check_vjp` compares a reverse rule with numerical derivatives that know their own error; `strategies` (which needs
Hypothesis) draws the arrays, shapes, layouts, indices and geometries to check it on. Importing this package loads
NumPy only: no engine, no SciPy, no Hypothesis.
"""

from importlib import import_module
from typing import Any

from tinynet.testing.adapters import Adapter, tinynet_adapter, torch_adapter
from tinynet.testing.gradients import assert_vjp, check_second_order, check_vjp
from tinynet.testing.report import ArgumentReport, Comparison, GradientReport

__all__ = [
    "Adapter",
    "ArgumentReport",
    "Comparison",
    "GradientReport",
    "assert_vjp",
    "check_second_order",
    "check_vjp",
    "strategies",
    "tinynet_adapter",
    "torch_adapter",
]


def __getattr__(name: str) -> Any:
    if name == "strategies":  # needs Hypothesis
        return import_module("tinynet.testing.strategies")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
