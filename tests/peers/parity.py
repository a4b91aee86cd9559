"""Run a call of a record on either engine: values, dtypes, shapes, and gradients of the first and second order."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import tinynet as tn
import tinynet.nn.functional
from tests.op_records import Call, OpRecord

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
NAMED = {getattr(tn, name): name for name in DTYPES}


def function_of(engine: Any, name: str) -> Any:
    """The engine's function of a record's name, or None."""
    home, _, last = name.rpartition(".")
    owner = {
        "": engine,
        "F": engine.nn.functional,
        "linalg": engine.linalg,
        "special": engine.special,
        "Tensor": engine.Tensor,
    }[home]
    return getattr(owner, last, None)


def outcome(engine: Any, record: OpRecord, name: str, call: Call, orders: int, layout: bool = False) -> dict[str, Any]:
    """What a call gives: kinds and shapes, values, and the gradients of the differentiable arguments."""
    random = np.random.default_rng(7)

    def given(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            spread = layout and value.ndim > 1 and value.size
            tensor = engine.from_numpy(np.array(value.T, order="C") if spread else value.copy(order="C"))
            return tensor.permute(*range(value.ndim)[::-1]) if spread else tensor
        if type(value) in (list, tuple):
            return type(value)(given(v) for v in value)
        return getattr(engine, NAMED[value]) if isinstance(value, tn.dtype) else value

    args = [given(a) for a in call.args]
    options = {k: given(v) for k, v in call.options.items()}
    leaves = [args[i] for i in record.differentiable if i < len(args) and isinstance(args[i], engine.Tensor)]
    leaves = [x.requires_grad_() for x in leaves if x.is_floating_point()] if orders else []
    function = function_of(engine, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = function(*args, **options) if record.invoke is None else record.invoke(function, *args, **options)
    outputs = [y for y in (result if isinstance(result, tuple | list) else [result]) if isinstance(y, engine.Tensor)]
    found = {
        "dtypes": [str(y.dtype).rpartition(".")[2] for y in outputs],
        "shapes": [tuple(y.shape) for y in outputs],
        "values": [plain(y) for y in outputs],
    }
    cotangents = [random.uniform(-1, 1, tuple(y.shape)) for y in outputs]
    live = [(y, engine.from_numpy(np.asarray(u)).to(y.dtype)) for y, u in zip(outputs, cotangents, strict=True)]
    live = [(y, u) for y, u in live if y.requires_grad]
    if not (leaves and live):
        return found
    ys, us = [y for y, _ in live], [u for _, u in live]
    first = engine.autograd.grad(ys, leaves, us, create_graph=orders > 1, allow_unused=True)
    found["first"] = [np.zeros(tuple(x.shape)) if g is None else plain(g) for x, g in zip(leaves, first, strict=True)]
    parts = [(g * g).sum() for g in first if g is not None and g.requires_grad] if orders > 1 else []
    second = engine.autograd.grad(sum(parts), leaves, allow_unused=True) if parts else [None] * len(leaves)
    if orders > 1:
        pairs = zip(leaves, second, strict=True)
        found["second"] = [np.zeros(tuple(x.shape)) if g is None else plain(g) for x, g in pairs]
    return found


def plain(y: Any) -> np.ndarray:
    """A tensor's elements, halves as float32."""
    y = y.detach()
    return np.array((y.float() if str(y.dtype).endswith("16") and y.is_floating_point() else y).numpy())


def apart(expected: dict[str, Any], found: dict[str, Any], tolerance: float) -> str | None:
    """Where two outcomes differ: a word, or None."""
    for what in ("dtypes", "shapes"):
        if expected[what] != found[what]:
            return f"{what}: {found[what]}, PyTorch's {expected[what]}"
    for what in ("values", "first", "second"):
        for a, b in zip(expected.get(what, ()), found.get(what, ()), strict=False):
            finite = np.abs(a[np.isfinite(a)]) if a.dtype.kind == "f" else np.abs(a.astype(np.float64))
            size = max(1.0, float(finite.max(initial=0)))
            slack = tolerance * (1 if what == "values" else 50)
            if a.shape != b.shape or not np.allclose(b, a, rtol=slack, atol=slack * size, equal_nan=True):
                return f"{what}: {b.tolist()}, PyTorch's {a.tolist()}"[:300]
    return None
