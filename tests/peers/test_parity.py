"""Every public operation against PyTorch's function of the same name, over the calls that its record generates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
from tests.examples import examples
from tests.op_records import RECORDS, Call, OpRecord
from tests.peers.parity import apart, function_of, outcome

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

DROPOUTS = ("dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
RANDOM = {
    "F.multi_head_attention_forward",
    "F.gumbel_softmax",
    "F.rrelu",
    "F.rrelu_",
    *(f"F.{name}" for name in DROPOUTS),
}


def packed(call: Call) -> bool:
    return call.options.get("lengths") is not None


MARGINS = ("F.multi_margin_loss", "F.multilabel_margin_loss")
# what differs: (the record's name, the calls that do, why); each must have such a call that still does
KNOWN: list[tuple[str, Callable[[Call], bool], str]] = [
    *((name, packed, "batch_sizes is a keyword here") for name in ("gru", "rnn_tanh", "rnn_relu")),
    ("F.pixel_unshuffle", lambda c: c.args[0].size == 0, "PyTorch returns an empty input as it is"),
    *((name, lambda c: c.args[0].size == 0, "PyTorch returns memory that was not set") for name in MARGINS),
    (
        "index_reduce",
        lambda c: c.args[-1] == "amax" and c.options == {"include_self": False},
        "PyTorch gives a share of an extreme to what was replaced",
    ),
    (
        "linalg.matrix_norm",
        lambda c: c.args[1:2] == (2,) and not c.args[0].all(),
        "PyTorch divides by singular values of 0",
    ),
    *((name, lambda c: 0 not in c.args[0].shape, "LAPACK chose other signs") for name in ("linalg.svd", "svd")),
    *(
        (name, lambda c: c.args[0].shape[-1] > 1, "PyTorch gives a gradient to a triangle that is not read")
        for name in ("cholesky_solve", "cholesky_inverse")
    ),
    ("as_strided_scatter", lambda c: c.args[0].size > 1, "PyTorch's gradient of the input is 0 at other places"),
    *((name, lambda c: True, "the record changes the inputs of tinynet alone") for name in ("F.ctc_loss", "F.glu")),
]
# "double free or corruption" after gradients of such calls in PyTorch 2.13 alone
CRASHES = ("F.max_pool3d",)
COUNTS = {"compared": 0, "refused there": 0, "alike": 0}
NAMES = {r.names[0]: next((n for n in r.names if function_of(torch, n) is not None), None) for r in RECORDS}
TOLERANCES = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-5}


def compare(record: OpRecord, call: Call, orders: int, layout: bool = False) -> str | None:
    """Where the engines differ in a call, if PyTorch accepts it."""
    name = NAMES[record.names[0]]
    floats = [a.dtype for a in call.args if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    tolerance = max([TOLERANCES.get(d, 1e-2) for d in floats], default=1e-5)
    try:
        expected = outcome(torch, record, name, call, orders, layout)
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError, AssertionError):
        COUNTS["refused there"] += 1
        return None
    found = outcome(tn, record, name, call, orders, layout)
    if record.reference is None or record.names[0] in RANDOM or call.options.get("dropout_p"):
        expected["values"] = found["values"] = []
        expected["first"] = expected["second"] = []
    COUNTS["compared"] += 1
    difference = apart(expected, found, tolerance)
    COUNTS["alike"] += difference is None
    return difference


def narrow(call: Call) -> Call:
    return call.map(lambda a: a.astype(np.float32) if a.dtype == np.float64 else a)


def checked(record: OpRecord, call: Call, orders: int, layout: bool = False) -> None:
    if any(name == record.names[0] and holds(call) for name, holds, _ in KNOWN):
        return
    difference = compare(record, call, orders, layout)
    assert difference is None, f"{NAMES[record.names[0]]}: {call}: {difference}"


@pytest.mark.parametrize(
    ("name", "holds", "why"), [k for k in KNOWN if k[0] not in MARGINS], ids=lambda k: k if isinstance(k, str) else ""
)
def test_known_differences_are_still_there(name, holds, why):
    record = next(r for r in RECORDS if r.names[0] == name)
    calls = [call for call in record.edges if holds(call)]
    assert any(compare(record, call, orders) for call in calls for orders in (0, 2)), f"no longer so: {why}"


@pytest.mark.parametrize("record", [r for r in RECORDS if NAMES[r.names[0]] and r.names[0] not in CRASHES], ids=str)
def test_calls_agree_with_pytorchs(record):
    for call in record.edges:
        checked(record, call, 0)
        checked(record, narrow(call), 0)

    @examples(3)
    @given(st.data())
    def generated(data):
        call = data.draw(record.inputs)
        checked(record, call, 0, layout=record.layouts)
        checked(record, narrow(call), 0)
        if record.integers is not None:
            checked(record, data.draw(record.integers), 0)
        if not record.only_integers:
            checked(record, data.draw(record.points), 2)

    generated()


def test_most_calls_were_compared():
    print(f"{COUNTS['alike']} of {COUNTS['compared']} calls agree; PyTorch refuses {COUNTS['refused there']}")
    assert sum(name is not None for name in NAMES.values()) > 0.9 * len(NAMES)
    if COUNTS["compared"] > 1000:  # the whole file ran
        assert COUNTS["alike"] >= 0.995 * COUNTS["compared"]
        assert COUNTS["refused there"] <= 0.1 * COUNTS["compared"]
