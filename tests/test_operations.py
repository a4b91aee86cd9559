"""For every operation: its value is the reference's, whatever the dtype, the shape and the memory layout."""

from __future__ import annotations

import operator
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
from tests.examples import examples
from tests.op_records import RECORDS, OpRecord
from tests.op_records.checking import check_definition
from tests.op_records.record import EXACT, Call, Tolerance
from tests.op_records.running import (
    BFLOAT16,
    arrays_of,
    assert_close,
    cast,
    cotangents,
    floating_inputs,
    gradients_of,
    is_floating,
    outputs_of,
    run,
    tensors,
    values,
    wanted,
)
from tinynet.testing.strategies import LAYOUTS, laid_out
from tinynet_kernels import available

FLOATS = {"float16": np.float16, "bfloat16": BFLOAT16, "float32": np.float32, "float64": np.float64}


def every(condition: Any = lambda r: True) -> Any:
    """Parametrise over the records for which a condition holds; the id is the operation's name."""
    return pytest.mark.parametrize("record", [r for r in RECORDS if condition(r)], ids=str)


takes_arrays = every(lambda r: r.kind != "creation")
differentiable = every(lambda r: bool(r.differentiable))


def assert_value(record: OpRecord, c: Call) -> None:
    if record.check is not None:
        record.check(c, record(*tensors(c), **c.options))
    if record.reference is not None:
        assert_close(values(record, c), record.expected(c), record.tolerance, floating_inputs(c), "output")


@every()
@examples(12)
@given(data=st.data())
def test_value_is_the_reference(record: OpRecord, data: st.DataObject) -> None:
    assert_value(record, data.draw(record.inputs))


@every(lambda r: r.kind != "creation" and not r.only_integers)
@examples(4)
@given(data=st.data())
def test_value_in_float32(record: OpRecord, data: st.DataObject) -> None:
    assert_value(record, cast(data.draw(record.inputs), np.float32))


@every(lambda r: r.halves and not r.only_integers and r.kind != "creation")
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
@examples(2)
@given(data=st.data())
def test_value_in_a_half(half: str, record: OpRecord, data: st.DataObject) -> None:
    assert_value(record, cast(data.draw(record.points), FLOATS[half]))


@takes_arrays
def test_edges(record: OpRecord) -> None:
    """0-d, size-0, size-1 and broadcast shapes: the value, and gradients of the inputs' shapes."""
    for c in record.edges:
        assert_value(record, c)
        wrt = wanted(record, c)
        _, gradients = run(record, c)
        assert [g.shape for g in gradients] == [c.args[i].shape for i in wrt]
        assert all(np.isfinite(g).all() for g in gradients)


def first(record: OpRecord) -> Call:
    """A call of the table that is not trivial."""
    return record.edges[-1]


def expected_dtypes(rule: str | tuple[str, ...], dtype: Any, count: int) -> list[Any]:
    rules = (rule,) * count if isinstance(rule, str) else rule[:count]
    return [np.dtype(dtype) if r == "kept" else np.dtype(r) for r in rules]


@every(lambda r: r.kind != "creation" and not r.only_integers)
def test_dtype_of_floating_inputs(record: OpRecord) -> None:
    for name, dtype in FLOATS.items():
        if name in ("float16", "bfloat16") and not record.halves:
            continue
        c = cast(first(record), dtype)
        ys, gradients = run(record, c)
        assert [y.dtype for y in ys] == expected_dtypes(record.result, dtype, len(ys))
        assert all(g.dtype == dtype or not g.any() for g in gradients)


@every(lambda r: r.integers is not None)
@examples(8)
@given(data=st.data())
def test_integers(record: OpRecord, data: st.DataObject) -> None:
    c = data.draw(record.integers)  # type: ignore[arg-type]
    dtype = next((c.args[i] for i in c.arrays() if c.args[i].dtype.kind != "b"), c.args[c.arrays()[0]]).dtype
    ys = values(record, c)
    assert record.result_of_integers is not None
    assert [y.dtype for y in ys] == expected_dtypes(record.result_of_integers, dtype, len(ys))
    wide = c.map(lambda a: a.astype(float) if a.dtype.kind in "iu" else a)
    reference = record.expected(wide if record.result_of_integers == "float32" else c)
    expected = [e.astype(y.dtype) for y, e in zip(ys, reference, strict=True)]
    assert_close(ys, expected, record.tolerance, [a for a in c.args if isinstance(a, np.ndarray)])


@every(lambda r: r.integers is None and r.kind != "creation" and r.result_of_integers is None)
def test_integers_are_refused(record: OpRecord) -> None:
    c = first(record).map(lambda a: a.astype(np.int32) if is_floating(a) else a)
    with pytest.raises(TypeError, match=record.name):
        record(*tensors(c), **c.options)


@every(lambda r: r.promotes)
@pytest.mark.parametrize(
    "dtypes",
    ["float32 float64", "int32 float32", "float16 bfloat16", "int64 float16", "uint8 int8", "bool float32"],
)
def test_dtypes_are_promoted(dtypes: str, record: OpRecord) -> None:
    a, b = dtypes.split()
    if record.result_of_integers is None and a == "uint8":
        pytest.skip("floating point only")
    if record.only_integers and "float" in dtypes:
        pytest.skip("integers only")
    if "bool" in dtypes and record.name in ("sub", "floor_divide", "remainder", "pow"):
        pytest.skip("no arithmetic of booleans")
    named = {**FLOATS, "bool": np.bool_}
    c = record.edges[-1]
    i, j = c.arrays()[-2:]
    args = list(c.args)
    ones = [np.ones(s, named.get(t, t)) for s, t in (((2, 3), a), ((3,), b))]
    args[i], args[j] = ones
    expected = tn.promote_types(*(tn.from_numpy(o).dtype for o in ones))
    if record.result_of_integers == "float32" and not expected.is_floating_point:
        expected = tn.float32
    if record.result == "bool":
        expected = tn.bool
    (y,) = outputs_of(record(*tensors(Call(tuple(args), c.options)), **c.options))
    assert y.dtype is expected


@pytest.mark.parametrize("mode", ["trunc", "floor"])
def test_division_of_integers_is_exact(mode: str) -> None:
    x, y = np.array([2**24 + 1, 2**62 + 1, -7, 7, -8, 0]), np.array([1, 1, 2, -2, 2, 3])
    expected = [
        int(abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1) if mode == "trunc" else int(a // b)
        for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]
    z = tn.div(tn.from_numpy(x), tn.from_numpy(y), rounding_mode=mode)
    assert z.dtype is tn.int64
    assert z.tolist() == expected
    with pytest.raises(ZeroDivisionError, match="div"):
        tn.div(tn.from_numpy(x), 0, rounding_mode=mode)


# memory


@every(lambda r: r.layouts and r.kind != "creation")
@examples(3)
@given(data=st.data())
def test_memory_layouts(record: OpRecord, data: st.DataObject) -> None:
    """Transposed, reversed, repeated (stride 0), stepped, read-only memory: the values and gradients are the same."""
    c = data.draw(record.points)
    for layout in LAYOUTS:
        there = c.map(lambda a: laid_out(a, layout))  # noqa: B023
        if layout == "broadcast":
            there = Call(tuple(b if is_floating(a) else a for a, b in zip(c.args, there.args, strict=True)), c.options)
        plain = there.map(lambda a: np.array(a, order="C"))
        ys, gradients = run(record, there)
        zs, plain_gradients = run(record, plain)
        same = Tolerance(record.tolerance.roundings + 64, 1, "sums may go in another order")
        assert_close(ys, zs, same, floating_inputs(c), f"{layout}: output")
        assert_close(gradients, plain_gradients, same, floating_inputs(c), f"{layout}: gradient")


@takes_arrays
@examples(3)
@given(data=st.data())
def test_inputs_are_unchanged(record: OpRecord, data: st.DataObject) -> None:
    c = data.draw(record.points)
    before = [a.tobytes() if isinstance(a, np.ndarray) else None for a in c.args]
    wrt = wanted(record, c)
    args = tensors(c, wrt)
    outputs = outputs_of(record(*args, **c.options))
    us = cotangents(outputs)
    kept = [None if u is None else u.tobytes() for u in us]
    if wrt:
        gradients_of(outputs, [args[i] for i in wrt], us)
    assert [a.tobytes() if isinstance(a, np.ndarray) else None for a in c.args] == before
    assert [None if u is None else u.tobytes() for u in us] == kept


# fused operations


@every(lambda r: r.kind == "fused")
@examples(12)
@given(data=st.data())
def test_kernel_is_the_definition(record: OpRecord, data: st.DataObject) -> None:
    check_definition(record, data.draw(record.inputs))


@every(lambda r: r.kind == "fused")
def test_kernel_is_the_definition_at_the_edges(record: OpRecord) -> None:
    for c in record.edges:
        check_definition(record, c)


def operations_of(y: Any) -> set[str]:
    """The classes of the operations in the graph of a tensor."""
    found, seen, stack = set(), set(), [y.node]
    while stack:
        node = stack.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if hasattr(node, "op"):
            found.update(c.__name__ for c in type(node.op).__mro__)
        stack.extend(getattr(node, "edges", ()))
    return found


@differentiable
def test_kind_is_what_runs(record: OpRecord) -> None:
    """A record that says "fused" runs a kernel, and no other does."""
    if not available(np.float64):
        pytest.skip("the JIT is off: definitions run")
    c = first(record)
    outputs = outputs_of(record(*tensors(c, wanted(record, c)), **c.options))
    ops = set().union(*(operations_of(y) for y in outputs if isinstance(y, tn.Tensor)))
    assert ("Fused" in ops) == (record.kind == "fused")


# refusals


@every(lambda r: bool(r.refusals))
def test_bad_input_is_refused(record: OpRecord) -> None:
    for r in record.refusals:
        with pytest.raises(r.error, match=r.message) as caught:
            record(*tensors(r.call), **r.call.options)
        assert re.search(record.name, str(caught.value)), f"{r.call}: the message does not name the operation: {caught}"


@every(lambda r: r.kind != "creation" and not r.names[0].startswith("Tensor.__"))
def test_what_is_no_tensor_is_refused(record: OpRecord) -> None:
    c = first(record)
    for i in c.arrays():
        args = tensors(c)
        args[i] = "no tensor"
        with pytest.raises(TypeError, match=record.name):
            record(*args, **c.options)


# methods and operators


def methods(record: OpRecord) -> list[str]:
    names = [n for n in record.names if n.startswith("Tensor.") or "." not in n]
    names = [n for n in names if not n.startswith("Tensor.__") and n != "where"]  # x.where(c, y): see below
    return [n.removeprefix("Tensor.") for n in names if hasattr(tn.Tensor, n.removeprefix("Tensor."))]


@every(lambda r: bool(methods(r)) and r.kind != "creation")
@examples(3)
@given(data=st.data())
def test_method_is_the_function(record: OpRecord, data: st.DataObject) -> None:
    c = data.draw(record.inputs)
    if not isinstance(c.args[0], np.ndarray):
        return
    expected = values(record, c)
    for name in methods(record):
        x, *rest = tensors(c)
        assert_close(arrays_of(getattr(x, name)(*rest, **c.options)), expected, EXACT, what=name)


def test_where_as_a_method_is_of_the_first_choice() -> None:
    x, y, c = tn.tensor([1.0, 2.0]), tn.tensor([3.0, 4.0]), tn.tensor([True, False])
    assert x.where(c, y).tolist() == tn.where(c, x, y).tolist() == [1.0, 4.0]


RESHAPED = ("squeeze_", "unsqueeze_", "t_", "transpose_", "swapaxes_", "swapdims_")  # which may change x's own shape


def test_bernoulli_in_place_draws_with_its_own_probability() -> None:
    """x.bernoulli_(p) takes nothing from x, where bernoulli(x) takes the probabilities."""
    tn.manual_seed(0)
    x = tn.full((4000,), 0.9)
    assert abs(x.bernoulli_(0.25).mean().item() - 0.25) < 0.03
    assert set(x.tolist()) == {0.0, 1.0}
    assert x.bernoulli_(tn.zeros(4000)).sum().item() == 0


@every(lambda r: r.name not in ("bernoulli", "normal") and any(hasattr(tn.Tensor, n + "_") for n in r.names))
@examples(4)
@given(data=st.data())
def test_in_place_is_the_function(record: OpRecord, data: st.DataObject) -> None:
    c = data.draw(record.points)
    if not isinstance(c.args[0], np.ndarray):
        return
    c = Call(c.args, {k: v for k, v in c.options.items() if k != "inplace"})
    (y,), gradients = run(record, c)
    for name in (n + "_" for n in record.names if hasattr(tn.Tensor, n + "_")):
        wrt = wanted(record, c)
        args = tensors(c, wrt)
        x = args[0].clone()
        if y.shape != c.args[0].shape and name not in RESHAPED:
            with pytest.raises(ValueError, match=name):
                getattr(x, name)(*args[1:], **c.options)
            continue
        z = getattr(x, name)(*args[1:], **c.options)
        assert z is x
        assert_close(arrays_of(z), [y], EXACT, what=name)
        found = gradients_of([z], [args[i] for i in wrt], cotangents([z]))
        assert_close(found, gradients, EXACT, what=f"{name}: gradient")


@every(lambda r: r.operator is not None)
@examples(4)
@given(data=st.data())
def test_operator_is_the_function(record: OpRecord, data: st.DataObject) -> None:
    c = data.draw(record.inputs)
    assert record.operator is not None
    c = Call(c.args, {})
    expected = values(record, c)
    assert_close(arrays_of(getattr(operator, record.operator)(*tensors(c))), expected, EXACT, what=record.operator)


@every(lambda r: bool(r.numbers))
def test_number_stands_for_a_tensor(record: OpRecord) -> None:
    c = first(record)
    for i in record.numbers:
        args = list(c.args)
        if not isinstance(args[i], np.ndarray):
            continue
        args[i] = np.array(2.0)
        expected = values(record, Call(tuple(args), c.options))
        args[i] = 2.0
        assert_close(values(record, Call(tuple(args), c.options)), expected, EXACT)
        if record.operator is not None:
            result = getattr(operator, record.operator)(*tensors(Call(tuple(args), {})))
            assert_close(arrays_of(result), expected, EXACT)
