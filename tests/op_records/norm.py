"""Normalisation over the batch, over groups of channels, and over the last dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet as tn
import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.record import Call, OpRecord, Tolerance, call, refused
from tinynet.testing.strategies import arrays, shapes

ONES = np.ones


def batch_norm(
    x: Any,
    running_mean: Any,
    running_var: Any,
    w: Any = None,
    b: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> np.ndarray:
    axes = (0, *range(2, x.ndim))
    wide = (1, -1, *(1,) * (x.ndim - 2))
    mean, var = (x.mean(axis=axes), x.var(axis=axes)) if training else (running_mean, running_var)
    y = (x - mean.reshape(wide)) / np.sqrt(var.reshape(wide) + eps)
    y = y if w is None else y * w.reshape(wide)
    return y if b is None else y + b.reshape(wide)


def keeping(f: Any, x: Any, mean: Any, var: Any, *rest: Any, **options: Any) -> Any:
    """The running statistics are updated in place: hand the operation copies of its own."""
    copies = [v.clone() if isinstance(v, tn.Tensor) and options.get("training") else v for v in (mean, var)]
    return f(x, *copies, *rest, **options)


@st.composite
def normalisations(draw: Any) -> Call:
    long = draw(st.integers(0, 3)) == 0  # lines of 64 elements and more are taken one by one
    c = draw(st.integers(1, 2 if long else 3))
    n = 2 if long else draw(st.integers(2, 3))
    size = (64,) if long else draw(shapes(max_dims=3, min_side=1, max_side=2))
    x = draw(arrays((n, c, *size), values="distinct"))
    training = draw(st.booleans())
    mean, var = draw(arrays((c,))), draw(arrays((c,), values="positive"))
    if training and draw(st.booleans()):
        mean = var = None
    rest = [draw(arrays((c,))) if draw(st.booleans()) else None for _ in range(2)]
    options = draw(d.options(momentum=st.sampled_from([0.0, 0.5]), eps=st.sampled_from([1e-3, 0.5])))
    return Call((x, mean, var, *rest), {**options, "training": training})


def standardised(x: Any, axes: Any, eps: float) -> np.ndarray:
    centred = x - average(x, axes)
    return centred / np.sqrt(average(centred * centred, axes) + eps)


def average(x: Any, axes: Any) -> np.ndarray:
    return x.sum(axis=axes, keepdims=True) / max(np.prod([x.shape[a] for a in axes]), 1)


def scaled(y: Any, w: Any, b: Any) -> np.ndarray:
    wide = (1, -1, *(1,) * (y.ndim - 2))
    y = y if w is None else y * w.reshape(wide)
    return y if b is None else y + b.reshape(wide)


def group_norm(x: Any, num_groups: int, w: Any = None, b: Any = None, eps: float = 1e-5) -> np.ndarray:
    grouped = x.reshape(x.shape[0], num_groups, int(np.prod(x.shape[1:])) // num_groups)
    return scaled(standardised(grouped, (2,), eps).reshape(x.shape), w, b)


def instance_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    w: Any = None,
    b: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> np.ndarray:
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, w, b, False, momentum, eps)
    return scaled(standardised(x, tuple(range(2, x.ndim)), eps), w, b)


def layer_norm(x: Any, normalized_shape: Any, w: Any = None, b: Any = None, eps: float = 1e-5) -> np.ndarray:
    y = standardised(x, tuple(range(x.ndim - len(normalized_shape), x.ndim)), eps)
    return y * (1.0 if w is None else w) + (0.0 if b is None else b)


def rms_norm(x: Any, normalized_shape: Any, w: Any = None, eps: float | None = None) -> np.ndarray:
    axes = tuple(range(x.ndim - len(normalized_shape), x.ndim))
    y = x / np.sqrt(average(x * x, axes) + (np.finfo(x.dtype).eps if eps is None else eps))
    return y if w is None else y * w


def own_statistics(f: Any, x: Any, mean: Any = None, var: Any = None, *rest: Any, **options: Any) -> Any:
    """As `keeping`, for instance normalisation."""
    used = options.get("use_input_stats", True)
    copies = [v.clone() if isinstance(v, tn.Tensor) and used else v for v in (mean, var)]
    return f(x, *copies, *rest, **options)


EPS = st.sampled_from([1e-3, 0.5])


@st.composite
def groups(draw: Any) -> Call:
    n, size = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    c = n * size
    x = draw(arrays((draw(st.integers(2, 3)), c, *draw(shapes(max_dims=2, min_side=1, max_side=3))), values="distinct"))
    rest = [draw(arrays((c,))) if draw(st.booleans()) else None for _ in range(2)]
    return Call((x, n, *rest), draw(d.options(eps=EPS)))


@st.composite
def instances(draw: Any) -> Call:
    c = draw(st.integers(1, 3))
    size = draw(shapes(min_dims=1, max_dims=3, min_side=1, max_side=2).filter(lambda s: np.prod(s) > 1))
    x = draw(arrays((draw(st.integers(1, 3)), c, *size), values="distinct"))
    used, kept = draw(st.booleans()), draw(st.booleans())
    running = [draw(arrays((c,))), draw(arrays((c,), values="positive"))] if kept or not used else [None, None]
    rest = [draw(arrays((c,))) if draw(st.booleans()) else None for _ in range(2)]
    options = draw(d.options(momentum=st.sampled_from([0.0, 0.5]), eps=EPS))
    return Call((x, *running, *rest), {**options, "use_input_stats": used})


@st.composite
def rows(draw: Any, shift: bool) -> Call:
    shape = draw(shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    last = shape[draw(st.integers(0, len(shape) - 1)) :]
    rest = [draw(arrays(last)) if draw(st.booleans()) else None for _ in range(1 + shift)]
    # of one element, x/√(x² + ε) with the dtype's own ε is a sign, whose derivatives are rounding alone
    options = draw(d.options(eps=EPS) if shift or np.prod(last) > 1 else st.fixed_dictionaries({"eps": EPS}))
    return Call((draw(arrays(shape, values="distinct")), list(last), *rest), options)


QUOTIENT = Tolerance(256, 4, "a variance, its root, and a quotient by it")


RECORDS = [
    OpRecord(
        ("F.batch_norm",),
        F.batch_norm,
        batch_norm,
        normalisations(),
        "fused",
        (0, 3, 4),
        edges=(
            call(ONES((0, 2)), ONES(2), ONES(2), ONES(2), ONES(2)),
            call(ONES((1, 1)), ONES(1), ONES(1)),
            call(d.numbers(3, 2, 4), None, None, d.numbers(2), d.numbers(2), training=True),
            call(d.numbers(3, 130, 2), None, None, d.numbers(130), None, training=True),  # two blocks of columns
            call(d.numbers(2, 2, 8, 8), None, None, d.numbers(2), d.numbers(2), training=True),  # long lines
            call(d.numbers(2, 2, 8, 8), d.numbers(2), ONES(2), d.numbers(2), d.numbers(2)),
        ),
        refusals=(
            refused("batch_norm.*1 value", ValueError, ONES((1, 2)), None, None, training=True),
            refused("batch_norm.*input", ValueError, ONES(2), None, None, training=True),
            refused("batch_norm.*weight", ValueError, ONES((2, 3)), None, None, ONES(2), training=True),
            refused("batch_norm.*running_mean", ValueError, ONES((2, 3)), None, None),
        ),
        tolerance=QUOTIENT,
        result_of_integers=None,
        halves=True,
        invoke=keeping,
    ),
    OpRecord(
        ("F.group_norm",),
        F.group_norm,
        group_norm,
        groups(),
        "fused",
        (0, 2, 3),
        edges=(
            call(ONES((0, 2, 3)), 1, ONES(2), ONES(2)),
            call(ONES((2, 4, 0)), 2),
            call(ONES((2, 1)), 1, ONES(1)),
            call(d.numbers(2, 4, 3), 4),
            call(d.numbers(2, 4, 3), 2, d.numbers(4), d.numbers(4)),
        ),
        refusals=(
            refused("group_norm.*divide the 3 channels", ValueError, ONES((2, 3)), 2),
            refused("group_norm.*num_groups", ValueError, ONES((2, 3)), 0),
            refused("group_norm.*num_groups", TypeError, ONES((2, 3)), 1.0),
            refused("group_norm.*input", ValueError, ONES(2), 1),
            refused("group_norm.*1 value", ValueError, ONES((1, 2)), 2),
            refused("group_norm.*weight", ValueError, ONES((2, 4)), 2, ONES(3)),
            refused("group_norm.*weight.*dtype", TypeError, ONES((2, 4)), 2, ONES(4, np.float32)),
        ),
        tolerance=QUOTIENT,
        result_of_integers=None,
    ),
    OpRecord(
        ("F.instance_norm",),
        F.instance_norm,
        instance_norm,
        instances(),
        "fused",
        (0, 3, 4),
        edges=(
            call(ONES((0, 2, 3))),
            call(ONES((2, 0, 3))),
            call(ONES((1, 1, 1)), ONES(1), ONES(1), use_input_stats=False),
            call(d.numbers(2, 2, 3), None, None, d.numbers(2), d.numbers(2)),
        ),
        refusals=(
            refused("instance_norm.*1 value", ValueError, ONES((2, 2, 1))),
            refused("instance_norm.*1 value", ValueError, ONES((2, 2))),
            refused("instance_norm.*input", ValueError, ONES(3), use_input_stats=False),
            refused("instance_norm.*running_mean", ValueError, ONES((2, 3, 2)), ONES(3)),
            refused("instance_norm.*running_mean", ValueError, ONES((2, 3, 2)), use_input_stats=False),
            refused("instance_norm.*bias", ValueError, ONES((2, 3, 2)), None, None, None, ONES(2)),
        ),
        tolerance=QUOTIENT,
        result_of_integers=None,
        invoke=own_statistics,
    ),
    OpRecord(
        ("F.layer_norm",),
        F.layer_norm,
        layer_norm,
        rows(shift=True),
        "fused",
        (0, 2, 3),
        edges=(
            call(ONES((0, 3)), (3,), ONES(3), ONES(3)),
            call(ONES((2, 0)), (0,)),
            call(ONES((1, 1)), (1,), ONES(1)),
            call(d.numbers(133, 2), (2,), d.numbers(2), d.numbers(2)),  # a chunk of 128, then four rows and one
            call(d.numbers(2, 3, 4), (3, 4), d.numbers(3, 4), d.numbers(3, 4)),
        ),
        refusals=(
            refused("layer_norm.*normalized_shape", TypeError, ONES((2, 3)), 3),
            refused("layer_norm.*normalized_shape", ValueError, ONES((2, 3)), ()),
            refused("layer_norm.*input", ValueError, ONES((2, 3)), (2,)),
            refused("layer_norm.*input", ValueError, ONES(3), (1, 3)),
            refused("layer_norm.*weight", ValueError, ONES((2, 3)), (3,), ONES(2)),
            refused("layer_norm.*bias", ValueError, ONES((2, 3)), (3,), None, ONES((1, 3))),
            refused("layer_norm.*weight.*dtype", TypeError, ONES((2, 3)), (3,), ONES(3, np.float32)),
        ),
        tolerance=QUOTIENT,
        result_of_integers=None,
    ),
    OpRecord(
        ("F.rms_norm",),
        F.rms_norm,
        rms_norm,
        rows(shift=False),
        "fused",
        (0, 2),
        edges=(
            call(ONES((0, 3)), (3,), ONES(3)),
            call(ONES((2, 0)), (0,)),
            call(ONES((1, 1)), (1,)),
            call(d.numbers(2, 3, 4), (3, 4), d.numbers(3, 4), eps=0.5),
            call(d.numbers(2, 3), (3,), d.numbers(3)),
        ),
        refusals=(
            refused("rms_norm.*normalized_shape", TypeError, ONES((2, 3)), 3),
            refused("rms_norm.*normalized_shape", ValueError, ONES((2, 3)), []),
            refused("rms_norm.*input", ValueError, ONES((2, 3)), (2,)),
            refused("rms_norm.*weight", ValueError, ONES((2, 3)), (3,), ONES(2)),
        ),
        tolerance=QUOTIENT,
        result_of_integers=None,
    ),
]
