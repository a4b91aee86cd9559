"""Comparisons, logic, tests: booleans without a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet as tn
from tests.op_records import draw as d
from tests.op_records.record import EXACT, Call, OpRecord, call, refused
from tinynet.testing.strategies import arrays, masks


def test_of_one(name: str, reference: Any, **more: Any) -> OpRecord:
    more.setdefault("integers", d.calls(d.integer_arrays()))
    return OpRecord(
        (name,),
        getattr(tn, name),
        reference,
        d.calls(arrays(d.SMALL, values=d.ANY)),
        "primitive",
        (),
        edges=d.UNARY_EDGES,
        tolerance=EXACT,
        result="bool",
        result_of_integers="bool",
        **more,
    )


def comparison(names: str, reference: Any, **more: Any) -> OpRecord:
    names_ = tuple(names.split())
    return OpRecord(
        names_,
        getattr(tn, names_[0]),
        reference,
        d.pairs(st.sampled_from(["ties", "special"])),
        "primitive",
        (),
        edges=d.BINARY_EDGES,
        refusals=(refused(f"{names_[0]}.*shape", ValueError, np.ones(2), np.ones(3)),),
        tolerance=EXACT,
        integers=d.integer_pairs(),
        result="bool",
        result_of_integers="bool",
        broadcasts=True,
        promotes=True,
        numbers=(1,),
        **more,
    )


def bits(name: str, reference: Any) -> OpRecord:
    flags = st.tuples(masks((2, 3)), masks((3,))).map(lambda pair: Call(pair))
    integers = d.integer_pairs()
    edges = tuple(c.map(lambda a: np.asarray(np.ceil(4 * a), np.int64)) for c in d.BINARY_EDGES)
    return OpRecord(
        (name,),
        getattr(tn, name),
        reference,
        st.one_of(flags, integers),
        "primitive",
        (),
        edges=edges,
        refusals=(
            refused(f"{name}.*float64", TypeError, np.ones(2), np.ones(2)),
            refused(f"{name}.*shape", ValueError, np.ones(2, int), np.ones(3, int)),
        ),
        tolerance=EXACT,
        integers=integers,
        broadcasts=True,
        only_integers=True,
        operator={"and": "and_", "or": "or_", "xor": "xor"}[name.removeprefix("bitwise_")],
    )


def near(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> np.ndarray:
    with np.errstate(all="ignore"):
        close = np.abs(x - y) <= atol + rtol * np.abs(y)
    return (x == y) | close & np.isfinite(x) & np.isfinite(y) | equal_nan & np.isnan(x) & np.isnan(y)


@st.composite
def nearly(draw: Any, equal_shapes: bool = False) -> Call:
    c = draw(d.calls(arrays(d.SMALL, values=d.ANY)))
    x = c.args[0]
    y = x + draw(st.sampled_from([0.0, 1e-9, 1e-3, 0.25]))
    if not equal_shapes and draw(st.booleans()):
        y = np.asarray(draw(st.sampled_from([0.5, 1e-9, np.nan])))
    return Call(
        (x, y),
        draw(d.options(rtol=st.sampled_from([0.0, 1e-2]), atol=st.sampled_from([0.0, 0.5]), equal_nan=st.booleans())),
    )


CLOSE: dict[str, Any] = {
    "edges": d.BINARY_EDGES,
    "refusals": (refused("close: expected one dtype", TypeError, np.ones(2), np.ones(2, np.float32)),),
    "tolerance": EXACT,
    "integers": d.integer_pairs(),
    "result": "bool",
    "result_of_integers": "bool",
}
IDENTICAL = st.one_of(
    d.pairs("ties"), d.calls(arrays(d.SMALL, values=d.ANY)).map(lambda c: call(c.args[0], c.args[0].copy()))
)

RECORDS = [
    test_of_one("isnan", np.isnan),
    test_of_one("isinf", np.isinf),
    test_of_one("isfinite", np.isfinite),
    test_of_one("logical_not", lambda x: x == 0),
    OpRecord(
        ("bitwise_not",),
        tn.bitwise_not,
        lambda x: ~x,
        st.one_of(d.calls(masks(d.SMALL)), d.calls(d.integer_arrays())),
        "primitive",
        (),
        edges=tuple(c.map(lambda a: np.asarray(np.ceil(4 * a), np.int64)) for c in d.UNARY_EDGES),
        refusals=(refused("bitwise_not.*float64", TypeError, np.ones(2)),),
        tolerance=EXACT,
        integers=d.calls(d.integer_arrays()),
        only_integers=True,
        operator="invert",
    ),
    comparison("eq", lambda x, y: x == y, operator="eq"),
    comparison("ne not_equal", lambda x, y: x != y, operator="ne"),
    comparison("lt less", lambda x, y: x < y, operator="lt"),
    comparison("le less_equal", lambda x, y: x <= y, operator="le"),
    comparison("gt greater", lambda x, y: x > y, operator="gt"),
    comparison("ge greater_equal", lambda x, y: x >= y, operator="ge"),
    comparison("logical_and", lambda x, y: (x != 0) & (y != 0)),
    comparison("logical_or", lambda x, y: (x != 0) | (y != 0)),
    comparison("logical_xor", lambda x, y: (x != 0) != (y != 0)),
    bits("bitwise_and", lambda x, y: x & y),
    bits("bitwise_or", lambda x, y: x | y),
    bits("bitwise_xor", lambda x, y: x ^ y),
    OpRecord(("isclose",), tn.isclose, near, nearly(), "composite", (), broadcasts=True, halves=False, **CLOSE),
    OpRecord(
        ("allclose",),
        tn.allclose,
        lambda *a, **k: near(*a, **k).all(),
        nearly(),
        "composite",
        (),
        halves=False,
        **CLOSE,
    ),
    OpRecord(
        ("equal",),
        tn.equal,
        lambda x, y: x.shape == y.shape and bool((x == y).all()),
        IDENTICAL,
        "composite",
        (),
        edges=(*d.BINARY_EDGES, call(np.ones((2, 0)), np.ones((2, 0)))),
        tolerance=EXACT,
        integers=d.integer_pairs(),
        result="bool",
        result_of_integers="bool",
    ),
]
