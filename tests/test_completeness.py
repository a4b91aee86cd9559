"""Every public operation has a record, and every record names something public."""

from __future__ import annotations

import dataclasses

import pytest

import tinynet as tn
import tinynet.methods
import tinynet.nn.functional as F
from tests.op_records import RECORDS, OpRecord
from tinynet.ops import probability_functions

RECORDED = [name for record in RECORDS for name in record.names]
INDEXING = ("Tensor.__getitem__", "Tensor.__setitem__")


def public_names() -> set[str]:
    """Operations of `tinynet`, `tinynet.linalg`, `tinynet.nn.functional` (as F.name); those that are methods only."""
    functions = {n for module, names in tn.TABLE.items() if module.startswith("ops.") for n in names.split()}
    families = [names for _, names in tinynet.methods.FAMILIES]
    methods = {f"Tensor.{n}" for names in families for n in names.split() if n not in functions}
    inner = {f"F.{n}" for n in F.__all__} | {f"linalg.{n}" for n in tn.linalg.__all__}
    functions |= {n for n, (module, _) in tn.ALIASES.items() if module.startswith("ops.")}
    inner |= {f"special.{n}" for n in tn.special.__all__ if hasattr(probability_functions, n) and n not in functions}
    return functions | inner | methods | set(INDEXING)


def resolve(name: str) -> object:
    if name.startswith("F."):
        return getattr(F, name[2:])
    for module in ("linalg", "special"):
        if name.startswith(f"{module}."):
            return getattr(getattr(tn, module), name.partition(".")[2])
    return getattr(tn.Tensor, name[7:]) if name.startswith("Tensor.") else getattr(tn, name)


def test_every_public_operation_has_a_record() -> None:
    missing = public_names() - set(RECORDED)
    assert not missing, f"no record for {sorted(missing)}"


def test_every_record_names_something_public() -> None:
    unknown = set(RECORDED) - public_names()
    assert not unknown, f"records of what is not public: {sorted(unknown)}"


def test_no_name_comes_twice() -> None:
    assert len(RECORDED) == len(set(RECORDED))


@pytest.mark.parametrize("record", RECORDS, ids=str)
def test_names_are_the_function(record: OpRecord) -> None:
    assert all(resolve(name) is record.function for name in record.names)


@pytest.mark.parametrize("record", RECORDS, ids=str)
def test_record_is_complete(record: OpRecord) -> None:
    """Operations on arrays have calls at the edges; tolerances have reasons; what broadcasts has such a refusal."""
    assert record.tolerance.reason
    assert record.edges or record.kind == "creation"
    for c in record.edges:
        assert dataclasses.is_dataclass(c)
        assert c.arrays()
    shapes = [a.shape for c in record.edges for a in (c.args[i] for i in c.arrays())]
    assert record.kind == "creation" or any(0 in s for s in shapes), "no call with a size-0 array"
    one = any(s and set(s) == {1} for s in shapes)
    never = ("cross", "affine_grid", "corrcoef", "gradient")  # of size 3; of 2 × 3; NaN for one number; of 2 points
    assert record.kind == "creation" or record.name in never or one, "no call with a size-1 array"
