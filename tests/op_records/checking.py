"""The checks of an operation's gradients, each on one call of its record; a check that fails raises AssertionError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinynet as tn
from tests.op_records.record import EXACT, Call, OpRecord, Subgradient, Tolerance
from tests.op_records.running import assert_close, floating_inputs, gradients_of, outputs_of, run, tensors, wanted
from tinynet.testing import assert_vjp, check_second_order

# atol: a derivative that is exactly 0 where the value is 0 too (x² at 0) has no scale of its own
EFFORT: dict[str, Any] = {"cotangents": 2, "directions": 2, "max_entries": 16, "atol": 1e-12}


def of_arrays(record: OpRecord, c: Call) -> Callable[..., Any]:
    """The operation as a function of the call's positional arguments alone."""

    def f(*args: Any) -> Any:
        return record(*args, **c.options)

    f.__name__ = record.name
    return f


def check_gradient(record: OpRecord, c: Call, seed: int = 0) -> None:
    """The gradient is the numerical derivative of the value."""
    if wrt := wanted(record, c):
        assert_vjp(of_arrays(record, c), c.args, wrt=wrt, seed=seed, **EFFORT)


def check_gradient_of_gradient(record: OpRecord, c: Call, seed: int = 0) -> None:
    """The gradient of the gradient is the numerical derivative of the gradient."""
    if wrt := wanted(record, c):
        check_second_order(of_arrays(record, c), c.args, wrt=wrt, seed=seed, **EFFORT).raise_if_failed()


def check_subgradient(record: OpRecord, s: Subgradient) -> None:
    """At a kink the gradient is the one that the documentation names, which is PyTorch's."""
    wrt = wanted(record, s.call)
    args = tensors(s.call, wrt)
    y = outputs_of(record(*args, **s.call.options))[0]
    found = gradients_of([y], [args[i] for i in wrt], [np.ones(tuple(y.shape))])
    assert_close(found, [np.asarray(g) for g in s.gradients], EXACT, what=f"{s.call}: gradient")


def check_definition(record: OpRecord, c: Call) -> None:
    """A fused operation's kernels give the values and gradients of its definition."""
    ys, gradients = run(record, c)
    with tn.use_definitions():
        zs, defined = run(record, c)
    tolerance = Tolerance(max(record.tolerance.roundings, 64), 1, "the same sums in another order")
    assert_close(ys, zs, tolerance, floating_inputs(c), "output")
    assert_close(gradients, defined, tolerance, floating_inputs(c), "gradient")
