"""For every operation: its gradients, to second order, are the numerical derivatives of its values (`tinynet.testing`).

The checker draws dense random cotangents, and checks that gradients are linear in them, have the inputs' shapes and
dtypes, are the same in two calls, and change neither inputs nor cotangents.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
from tests.examples import examples
from tests.op_records import RECORDS, OpRecord
from tests.op_records.record import EXACT, Call
from tests.op_records.running import assert_close, gradients_of, outputs_of, tensors, wanted
from tinynet.testing import assert_vjp, check_grad

differentiable = pytest.mark.parametrize("record", [r for r in RECORDS if r.differentiable], ids=str)
without = pytest.mark.parametrize(
    "record", [r for r in RECORDS if not r.differentiable and r.kind != "creation"], ids=str
)
kinked = pytest.mark.parametrize("record", [r for r in RECORDS if r.subgradients], ids=str)
# atol: a derivative that is exactly 0 where the value is 0 too (x² at 0) has no scale of its own
EFFORT: dict[str, Any] = {"cotangents": 2, "directions": 2, "max_entries": 16, "atol": 1e-12}


def of_arrays(record: OpRecord, c: Call) -> Any:
    """The operation as a function of the call's positional arguments alone."""

    def f(*args: Any) -> Any:
        return record(*args, **c.options)

    f.__name__ = record.name
    return f


@differentiable
@examples(6)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_gradient(record: OpRecord, data: st.DataObject, seed: int) -> None:
    c = data.draw(record.points)
    if wrt := wanted(record, c):
        assert_vjp(of_arrays(record, c), c.args, wrt=wrt, seed=seed, **EFFORT)


@differentiable
@examples(2)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_second_order(record: OpRecord, data: st.DataObject, seed: int) -> None:
    c = data.draw(record.points)
    if wrt := wanted(record, c):
        check_grad(of_arrays(record, c), c.args, order=[2], wrt=wrt, seed=seed, **EFFORT).raise_if_failed()


@kinked
def test_subgradients(record: OpRecord) -> None:
    """At a kink the gradient is the one that the documentation names, which is PyTorch's."""
    for s in record.subgradients:
        wrt = wanted(record, s.call)
        args = tensors(s.call, wrt)
        y = outputs_of(record(*args, **s.call.options))[0]
        found = gradients_of([y], [args[i] for i in wrt], [np.ones(tuple(y.shape))])
        assert_close(found, [np.asarray(g) for g in s.gradients], EXACT, what=f"{s.call}: gradient")


@without
@examples(2)
@given(data=st.data())
def test_no_gradient(record: OpRecord, data: st.DataObject) -> None:
    """What has no derivative leaves the graph."""
    c = data.draw(record.inputs)
    args = tensors(c, [i for i in c.arrays() if c.args[i].dtype.kind == "f"])
    for y in outputs_of(record(*args, **c.options)):
        assert not (isinstance(y, tn.Tensor) and y.requires_grad)
