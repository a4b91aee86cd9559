"""The gradient-testing kit: check the gradients of your own operations, in any engine or in plain NumPy.

`check_vjp` and its relatives compare a rule with derivatives that know their own error; `check_batch_independence` and
the other laws compare a function's results with one another; `stateful` runs random programs of views and changes in
place; `strategies` draws arrays, shapes, layouts, masks, indices and geometries (these two need Hypothesis). Names load
on first use (PEP 562): importing this package loads nothing, and using it NumPy only, until an engine is asked for.
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
    from tinynet.testing.forward import check_hvp, check_jvp
    from tinynet.testing.gradients import assert_vjp, check_grad, check_vjp, vjp_of
    from tinynet.testing.jacobian import JacobianMap, jacobian_map
    from tinynet.testing.kinks import check_subgradient
    from tinynet.testing.laws import (
        LawReport,
        check_adjoint,
        check_batch_independence,
        check_causality,
        check_linearity,
        check_permutation_equivariance,
        check_shift_equivariance,
        check_shift_invariance,
    )
    from tinynet.testing.report import ArgumentReport, Comparison, GradientReport

TABLE = {
    "adapters": "Adapter tinynet_adapter torch_adapter ForwardAdapter autograd_adapter jax_adapter",
    "forward": "check_hvp check_jvp",
    "gradients": "assert_vjp check_grad check_vjp vjp_of",
    "jacobian": "JacobianMap jacobian_map",
    "kinks": "check_subgradient",
    "laws": "LawReport check_adjoint check_batch_independence check_causality "
    "check_linearity check_permutation_equivariance check_shift_equivariance check_shift_invariance",
    "report": "ArgumentReport Comparison GradientReport",
}
MODULES = ("stateful", "strategies")
_WHERE = {name: module for module, names in TABLE.items() for name in names.split()}

__all__ = [
    "Adapter",
    "ArgumentReport",
    "Comparison",
    "ForwardAdapter",
    "GradientReport",
    "JacobianMap",
    "LawReport",
    "assert_vjp",
    "autograd_adapter",
    "check_adjoint",
    "check_batch_independence",
    "check_causality",
    "check_grad",
    "check_hvp",
    "check_jvp",
    "check_linearity",
    "check_permutation_equivariance",
    "check_shift_equivariance",
    "check_shift_invariance",
    "check_subgradient",
    "check_vjp",
    "jacobian_map",
    "jax_adapter",
    "stateful",
    "strategies",
    "tinynet_adapter",
    "torch_adapter",
    "vjp_of",
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
