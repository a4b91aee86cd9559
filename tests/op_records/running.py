"""Running a record's operation: tensors from arrays, values and gradients back as arrays, and the comparison of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

import tinynet as tn
from tests.op_records.record import Call, OpRecord, Tolerance

EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
Array = np.ndarray
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def is_floating(a: Any) -> bool:
    return isinstance(a, np.ndarray) and (a.dtype.kind == "f" or a.dtype == BFLOAT16)


def wanted(record: OpRecord, c: Call) -> list[int]:
    """The positions of the floating arrays that get a gradient."""
    return [i for i in record.differentiable if i < len(c.args) and is_floating(c.args[i])]


def tensors(c: Call, wrt: Sequence[int] = ()) -> list[Any]:
    """The arguments, arrays as tensors over their own memory."""
    return [
        a if not isinstance(a, np.ndarray) else tn.from_numpy(a).requires_grad_() if i in wrt else tn.from_numpy(a)
        for i, a in enumerate(c.args)
    ]


def outputs_of(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def arrays_of(result: Any) -> tuple[Array, ...]:
    """The results as arrays, whatever they require."""
    return tuple(y.detach().numpy() if isinstance(y, tn.Tensor) else np.asarray(y) for y in outputs_of(result))


def values(record: OpRecord, c: Call) -> tuple[Array, ...]:
    return arrays_of(record(*tensors(c), **c.options))


def cotangents(outputs: Sequence[Any], seed: int = 0) -> list[Any]:
    """A dense random cotangent for each output that is in the graph, whatever the others are."""
    out = []
    for k, y in enumerate(outputs):
        rng = np.random.default_rng([seed, k])
        u = rng.standard_normal(tuple(y.shape)) if isinstance(y, tn.Tensor) and y.requires_grad else None
        out.append(None if u is None else u.astype(y.detach().numpy().dtype))
    return out


def gradients_of(outputs: Sequence[Any], inputs: Sequence[Any], us: Sequence[Any]) -> list[Array]:
    """The gradients of Σ ⟨u, y⟩, zeros where there is no path."""
    paired = [(y, tn.from_numpy(u)) for y, u in zip(outputs, us, strict=True) if u is not None]
    if not paired:
        return [np.zeros(tuple(x.shape)) for x in inputs]
    ys, dys = zip(*paired, strict=True)
    found = tn.autograd.grad(list(ys), list(inputs), list(dys), allow_unused=True)
    return [np.zeros(tuple(x.shape)) if g is None else g.numpy() for g, x in zip(found, inputs, strict=True)]


def run(record: OpRecord, c: Call, seed: int = 0) -> tuple[tuple[Array, ...], list[Array]]:
    """The values of a call and its gradients for dense random cotangents."""
    wrt = wanted(record, c)
    args = tensors(c, wrt)
    outputs = outputs_of(record(*args, **c.options))
    gradients = gradients_of(outputs, [args[i] for i in wrt], cotangents(outputs, seed)) if wrt else []
    return arrays_of(outputs), gradients


def assert_close(
    actual: Sequence[Array],
    expected: Sequence[Array],
    tolerance: Tolerance,
    inputs: Sequence[Array] = (),
    what: str = "",
) -> None:
    """Same number, shapes and values, within the roundings that the tolerance allows in each result's own dtype."""
    assert len(actual) == len(expected), f"{what}: {len(actual)} results, expected {len(expected)}"
    for k, (y, e) in enumerate(zip(actual, expected, strict=True)):
        label = f"{what} {k}".strip()
        assert y.shape == e.shape, f"{label}: shape {y.shape}, expected {e.shape}"
        if not is_floating(y):
            assert e.dtype.kind in "biu", f"{label}: dtype {y.dtype}, expected {e.dtype}"
            np.testing.assert_array_equal(y, e, err_msg=label)
            continue
        with np.errstate(all="ignore"):
            wide, e = y.astype(np.float64), e.astype(y.dtype).astype(np.float64)
            tops = [np.abs(a[np.isfinite(a)]).max(initial=0.0) for a in (e, *(x.astype(float) for x in inputs))]
            limit = tolerance.roundings * EPSILON[y.dtype.name] * (np.abs(e) + tolerance.scale * max(tops))
            limit += 2 * float(np.finfo(y.dtype).smallest_subnormal if y.dtype != BFLOAT16 else 1e-40)
            wrong = ~((wide == e) | (np.isnan(wide) & np.isnan(e)) | (np.abs(wide - e) <= limit))
        assert not wrong.any(), (
            f"{label}: {int(wrong.sum())} of {wrong.size} elements differ, first at "
            f"{tuple(int(i[0]) for i in np.nonzero(np.atleast_1d(wrong)))}: got {wide[wrong][0]!r}, "
            f"expected {e[wrong][0]!r} ({y.dtype}, tolerance {limit[wrong][0] if limit.ndim else limit:.3g})"
        )


def cast(c: Call, dtype: Any) -> Call:
    """The call with its floating arrays in another dtype."""
    with np.errstate(all="ignore"):
        return c.map(lambda a: a.astype(dtype) if is_floating(a) else a)


def floating_inputs(c: Call) -> list[Array]:
    return [a for a in c.args if is_floating(a)]
