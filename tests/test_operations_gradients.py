"""For every operation: its gradients, to second order, are the numerical derivatives of its values (`tinynet.testing`).

The checker draws dense random cotangents, and checks that gradients are linear in them, have the inputs' shapes and
dtypes, are the same in two calls, and change neither inputs nor cotangents.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
from tests.examples import examples
from tests.op_records import RECORDS, OpRecord
from tests.op_records.checking import (
    check_each_alone,
    check_gradient,
    check_gradient_of_gradient,
    check_nothing_remembered,
    check_subgradient,
)
from tests.op_records.running import outputs_of, tensors
from tests.op_records.uses import USES

differentiable = pytest.mark.parametrize("record", [r for r in [*RECORDS, *USES] if r.differentiable], ids=str)
without = pytest.mark.parametrize(
    "record", [r for r in RECORDS if not r.differentiable and r.kind != "creation"], ids=str
)
kinked = pytest.mark.parametrize("record", [r for r in RECORDS if r.subgradients], ids=str)


@differentiable
@examples(6)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_gradient(record: OpRecord, data: st.DataObject, seed: int) -> None:
    check_gradient(record, data.draw(record.points), seed)


@differentiable
def test_gradient_of_a_plain_call(record: OpRecord) -> None:
    """The call of the table that is not trivial, which no draw has to find."""
    check_gradient(record, record.edges[-1])
    check_gradient_of_gradient(record, record.edges[-1])


@differentiable
@examples(2)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_second_order(record: OpRecord, data: st.DataObject, seed: int) -> None:
    check_gradient_of_gradient(record, data.draw(record.points), seed)


@differentiable
@examples(3)
@given(data=st.data())
def test_gradient_is_of_this_call_alone(record: OpRecord, data: st.DataObject) -> None:
    c = data.draw(record.points)
    check_each_alone(record, c)
    check_nothing_remembered(record, c)


@kinked
def test_subgradients(record: OpRecord) -> None:
    for s in record.subgradients:
        check_subgradient(record, s)


@without
@examples(2)
@given(data=st.data())
def test_no_gradient(record: OpRecord, data: st.DataObject) -> None:
    """What has no derivative leaves the graph."""
    c = data.draw(record.inputs)
    args = tensors(c, [i for i in c.arrays() if c.args[i].dtype.kind == "f"])
    for y in outputs_of(record(*args, **c.options)):
        assert not (isinstance(y, tn.Tensor) and y.requires_grad)
