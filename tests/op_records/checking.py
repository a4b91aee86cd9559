"""The checks of an operation's gradients, each on one call of its record; a check that fails raises AssertionError."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tinynet as tn
from tests.op_records.record import EXACT, Call, OpRecord, Subgradient, Tolerance
from tests.op_records.running import (
    assert_close,
    cotangents,
    floating_inputs,
    gradients_of,
    outputs_of,
    run,
    tensors,
    wanted,
)
from tinynet.testing import assert_vjp, check_grad

# Hypothesis shrinks. atol: a derivative that is exactly 0 where the value is 0 too (x² at 0) has no scale of its own
EFFORT: dict[str, Any] = {"cotangents": 2, "directions": 2, "max_entries": 16, "atol": 1e-12, "shrink": False}


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
    """The gradient of the gradient is the numerical derivative of the gradient, which is the one without a graph."""
    if wrt := wanted(record, c):
        check_gradient_with_graph(record, c)
        check_grad(of_arrays(record, c), c.args, order=[2], wrt=wrt, seed=seed, **EFFORT).raise_if_failed()


def check_gradient_with_graph(record: OpRecord, c: Call) -> None:
    """A gradient to differentiate has the value of one that is not."""
    wrt = wanted(record, c)
    args = tensors(c, wrt)
    outputs = outputs_of(record(*args, **c.options))
    given = [(y, tn.from_numpy(u)) for y, u in zip(outputs, cotangents(outputs), strict=True) if u is not None]
    if not given:
        return
    ys, us = zip(*given, strict=True)
    found = tn.autograd.grad(list(ys), [args[i] for i in wrt], list(us), create_graph=True, allow_unused=True)
    recorded = [np.zeros_like(c.args[i]) if g is None else g.detach().numpy() for i, g in zip(wrt, found, strict=True)]
    same = Tolerance(max(record.tolerance.roundings, 64), 1, "the same sums in another order")
    assert_close(gradients_with(record, c, wrt), recorded, same, floating_inputs(c), f"{c}: gradient without a graph")


def check_subgradient(record: OpRecord, s: Subgradient) -> None:
    """At a kink the gradient is the one that the documentation names, which is PyTorch's, for any cotangent."""
    wrt = wanted(record, s.call)
    args = tensors(s.call, wrt)
    for scale in (1.0, -3.0):
        y = outputs_of(record(*args, **s.call.options))[0]
        found = gradients_of([y], [args[i] for i in wrt], [np.full(tuple(y.shape), scale)])
        assert_close(found, [np.asarray(g) * scale for g in s.gradients], EXACT, what=f"{s.call}: gradient")


def check_definition(record: OpRecord, c: Call) -> None:
    """A fused operation's kernels give the values and gradients of its definition."""
    ys, gradients = run(record, c)
    with tn.use_definitions():
        zs, defined = run(record, c)
    tolerance = Tolerance(max(record.tolerance.roundings, 64), 1, "the same sums in another order")
    assert_close(ys, zs, tolerance, floating_inputs(c), "output")
    assert_close(gradients, defined, tolerance, floating_inputs(c), "gradient")


def gradients_with(record: OpRecord, c: Call, wrt: Sequence[int]) -> list[np.ndarray]:
    """The gradients of the arguments `wrt`, while no other requires one."""
    args = tensors(c, wrt)
    outputs = outputs_of(record(*args, **c.options))
    return gradients_of(outputs, [args[i] for i in wrt], cotangents(outputs))


def forward_with(record: OpRecord, c: Call, wrt: Sequence[int], i: int) -> list[np.ndarray]:
    """The cotangents' gradient of the gradient of argument `i`, while only `wrt` require one, and, if several, get one."""
    args = tensors(c, wrt)
    outputs = outputs_of(record(*args, **c.options))
    us = [None if u is None else tn.from_numpy(u).requires_grad_() for u in cotangents(outputs)]
    found = [np.zeros(tuple(getattr(y, "shape", ()))) for y in outputs]
    live = [k for k, u in enumerate(us) if u is not None]
    if not live:
        return found
    ys, vs = [outputs[k] for k in live], [us[k] for k in live]
    (g,) = tn.autograd.grad(ys, [args[i]], vs, create_graph=True, allow_unused=True)
    if g is not None:
        inputs = [*vs, *(args[j] for j in wrt if len(wrt) > 1)]
        for k, du in zip(live, gradients_of([g], inputs, cotangents([g], 1)), strict=False):
            found[k] = du
    return found


def check_each_alone(record: OpRecord, c: Call) -> None:
    """The gradient of an argument does not depend on which others require one; nor does the gradient's own."""
    wrt = wanted(record, c)
    if len(wrt) < 2:
        return
    for i, g in zip(wrt, gradients_with(record, c, wrt), strict=True):
        what = f"{c}: argument {i} alone"
        assert_close(gradients_with(record, c, [i]), [g], EXACT, what=what)
        assert_close(forward_with(record, c, [i], i), forward_with(record, c, wrt, i), EXACT, what=f"{what}, twice")


def _rises(a: np.ndarray) -> bool:
    return a.ndim == 1 and bool((np.diff(a) >= 0).all())


def check_nothing_remembered(record: OpRecord, c: Call) -> None:
    """The gradient is the same again after a call of the same shapes and other values, and that call's is its own."""
    wrt = wanted(record, c)
    other = c.map(
        lambda a: a if a.dtype.kind in "iu" and _rises(a) else np.flip(a).copy()
    )  # what begins somewhere stays
    found = [gradients_with(record, at, wrt) for at in (c, other, c, c, other, other)]
    for first, again in ((0, 2), (0, 3), (1, 4), (1, 5)):
        assert_close(found[again], found[first], EXACT, what=f"{c}: gradient after other calls")
