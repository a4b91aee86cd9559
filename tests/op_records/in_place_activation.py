"""Activation functions that overwrite their input."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinynet as tn
from tests.op_records import draw as d
from tests.op_records.activation import HALVES
from tests.op_records.more_activation import ALPHA, SCALE
from tests.op_records.record import OpRecord, call

X = np.array([[-7.0, -1.5, -0.3], [0.2, 1.3, 8.0]])


def overwritten(f: Any, x: Any, *args: Any) -> Any:
    """The function overwrites its input: hand it a copy, and see that it did."""
    y = x.clone() if isinstance(x, tn.Tensor) else x
    z = f(y, *args)
    assert z is y
    return z


def record(name: str, reference: Any, *args: Any, integers: bool = False) -> OpRecord:
    edges = [call(*c.args, *args) for c in d.UNARY_EDGES]
    return d.listed(
        f"F.{name}",
        lambda x, *a: reference(x),
        call(X, *args),
        edges=edges,
        kind="composite" if name in ("relu_", "rrelu_") else "fused",
        invoke=overwritten,
        tolerance=HALVES,
        result_of_integers="kept" if integers else None,
    )


def elu(x: Any, alpha: float = 1.0, rate: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(x * rate))


RECORDS = [
    record("relu_", lambda x: np.maximum(x, 0), integers=True),
    record("leaky_relu_", lambda x: np.where(x > 0, x, 0.25 * x), 0.25),
    record("elu_", lambda x: elu(x, 0.5), 0.5),
    record("selu_", lambda x: SCALE * elu(x, ALPHA)),
    record("celu_", lambda x: elu(x, 2.0, 0.5), 2.0),
    record("hardtanh_", lambda x: np.clip(x, -1.25, 0.75), -1.25, 0.75, integers=True),
    record("threshold_", lambda x: np.where(x > 0.5, x, 2.0), 0.5, 2.0, integers=True),
    record("rrelu_", lambda x: np.where(x > 0, x, 0.25 * x), 0.125, 0.375),
]
