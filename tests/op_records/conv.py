"""Convolution and its transpose, by loops."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.record import Call, OpRecord, Tolerance, call, refused
from tinynet.testing.strategies import (
    ConvGeometry,
    ConvTransposeGeometry,
    arrays,
    conv_geometries,
    conv_transpose_geometries,
)

SUMS = Tolerance(64, 4, "sums over channels and taps, in tiles; for halves one rounding of a float32 sum")


def each(v: Any, n: int) -> tuple[int, ...]:
    return tuple(v) * (n if len(v) == 1 else 1) if isinstance(v, tuple | list) else (v,) * n


def conv(n: int) -> Any:
    """Loops over outputs and taps."""

    def reference(
        x: Any, w: Any, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Any:
        single = x.ndim == n + 1
        x = x[None] if single else x
        s, g = each(stride, n), each(dilation, n)
        if padding == "same":
            total = [d_ * (k - 1) for d_, k in zip(g, w.shape[2:], strict=True)]
            pads = [(t // 2, t - t // 2) for t in total]
        else:
            pads = [(0, 0)] * n if padding == "valid" else [(p, p) for p in each(padding, n)]
        x = np.pad(x, [(0, 0), (0, 0), *pads])
        out = [(m - d_ * (k - 1) - 1) // s_ + 1 for m, k, s_, d_ in zip(x.shape[2:], w.shape[2:], s, g, strict=True)]
        y = np.zeros((x.shape[0], w.shape[0], *out))
        channels, per = w.shape[1], w.shape[0] // groups
        for o, place in itertools.product(range(w.shape[0]), itertools.product(*map(range, out))):
            first = o // per * channels
            for tap in itertools.product(*map(range, w.shape[2:])):
                at = tuple(p * s_ + u * d_ for p, s_, u, d_ in zip(place, s, tap, g, strict=True))
                y[(slice(None), o, *place)] += (
                    x[(slice(None), slice(first, first + channels), *at)] @ w[(o, slice(None), *tap)]
                )
        y = y if b is None else y + b.reshape(-1, *(1,) * n)
        return y[0] if single else y

    return reference


def conv_transpose(n: int) -> Any:
    """Each input gives its share to the outputs that its taps meet."""

    def reference(
        x: Any,
        w: Any,
        b: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        single = x.ndim == n + 1
        x = x[None] if single else x
        s, p, e, g = (each(v, n) for v in (stride, padding, output_padding, dilation))
        full = [
            (m - 1) * s_ + d_ * (k - 1) + 1 + e_
            for m, s_, d_, k, e_ in zip(x.shape[2:], s, g, w.shape[2:], e, strict=True)
        ]
        y = np.zeros((x.shape[0], w.shape[1] * groups, *full))
        channels = x.shape[1] // groups
        for c, place in itertools.product(range(x.shape[1]), itertools.product(*map(range, x.shape[2:]))):
            first = c // channels * w.shape[1]
            for tap in itertools.product(*map(range, w.shape[2:])):
                at = tuple(q * s_ + u * d_ for q, s_, u, d_ in zip(place, s, tap, g, strict=True))
                target = (slice(None), slice(first, first + w.shape[1]), *at)
                y[target] += np.multiply.outer(x[(slice(None), c, *place)], w[(c, slice(None), *tap)])
        y = y[(..., *(slice(p_, m - p_) for p_, m in zip(p, y.shape[2:], strict=True)))]
        y = y if b is None else y + b.reshape(-1, *(1,) * n)
        return y[0] if single else y

    return reference


SMALL: dict[int, dict[str, int]] = {
    1: {"max_output": 3},
    2: {"max_output": 2, "max_kernel": 2},
    3: {"max_output": 2, "max_kernel": 2, "max_stride": 2, "max_padding": 1, "max_channels": 1},
}


@st.composite
def convs(draw: Any, n: int) -> Call:
    g = draw(conv_geometries(n, **SMALL[n], min_batch=0, named_padding=True))
    options: dict[str, Any] = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation, "groups": g.groups}
    if draw(st.sampled_from([False, False, False, True])):  # depthwise, one input channel a group, has another kernel
        groups, filters = draw(st.integers(2, 3)), draw(st.integers(1, 2))
        x = draw(arrays((max(g.input_shape[0], 1), groups, *g.input_shape[2:])))
        return Call((x, draw(arrays((groups * filters, 1, *g.weight_shape[2:])))), {**options, "groups": groups})
    if len(set(g.stride)) == 1 and draw(st.booleans()):
        options["stride"] = g.stride[0]
    return with_arrays(draw, g, g.weight_shape[0], options)


@st.composite
def transposes(draw: Any, n: int) -> Call:
    small = {"max_input" if name == "max_output" else name: most for name, most in SMALL[n].items()}
    g = draw(conv_transpose_geometries(n, **small, min_batch=0))
    options: dict[str, Any] = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation, "groups": g.groups}
    options["output_padding"] = g.output_padding
    return with_arrays(draw, g, g.weight_shape[1] * g.groups, options)


def with_arrays(draw: Any, g: ConvGeometry | ConvTransposeGeometry, channels: int, options: dict[str, Any]) -> Call:
    """Input, weight and perhaps a bias of a geometry; perhaps a single item without a batch."""
    shape = g.input_shape[1:] if draw(st.booleans()) else g.input_shape
    x, w = draw(arrays(shape)), draw(arrays(g.weight_shape))
    b = draw(st.one_of(st.none(), arrays((channels,))))
    return Call((x, w) if b is None else (x, w, b), options)


# More than one block of work, and a last one that is smaller: 2 + 2 + 1 channels of the input's gradient in 1-D,
# 64 + 16 output pixels in 3-D.
LARGE = {
    1: (call(d.numbers(5, 5, 3, step=0.01), d.numbers(2, 5, 2, step=0.1)),),
    3: (call(d.numbers(2, 2, 6, 5, 5, step=0.01), d.numbers(2, 2, 2, 2, 2, step=0.1)),),
}


def depthwise(n: int) -> tuple[Call, ...]:
    """One input channel a group, which has kernels of its own: rows that are read in steps of one, and of more."""
    size = (4, 3, 5)[-n:]
    w = d.numbers(4, 1, *(2, 3, 2)[-n:], step=0.1)
    return (
        call(d.numbers(2, 2, *size), w, d.numbers(4), padding=1, groups=2),
        call(d.numbers(2, 2, *size), w, stride=(2, 1, 2)[-n:], padding=2, dilation=(2, 2, 3)[-n:], groups=2),
    )


def plain(n: int) -> tuple[Call, ...]:
    """Several channels: one tap in steps; an output much smaller than the input; a step along every axis."""
    x, one = d.numbers(2, 4, *(3, 4, 5)[-n:]), (1,) * n
    return (
        call(x, d.numbers(6, 2, *one, step=0.1), stride=(2, 1, 2)[-n:], groups=2),
        call(x, d.numbers(3, 4, *one, step=0.1), d.numbers(3)),
        call(
            d.numbers(2, 4, *(3, 5, 6)[-n:]),
            d.numbers(4, 2, *(2, 3, 2)[-n:], step=0.1),
            dilation=(1, 1, 2)[-n:],
            groups=2,
        ),
        *(
            call(d.numbers(2, 2, *size[-n:]), d.numbers(k, 2, *(2, 2, 3)[-n:], step=0.1), dilation=(1, 2, 1)[-n:])
            for k, size in ((3, (3, 5, 6)), (1, (3, 7, 5)))
        ),
    )


def grown(n: int) -> tuple[Call, ...]:
    """Kernels of one tap whose output is larger than their input, as output_padding < dilation allows."""
    size, one = (2, 3, 2)[-n:], (1,) * n
    return (
        call(d.numbers(1, 2, *size), d.numbers(2, 2, *one), dilation=2, output_padding=1, groups=2),
        call(d.numbers(8, 3, *size), d.numbers(3, 4, *one), dilation=2, output_padding=1),
    )


def record(n: int, transposed: bool) -> OpRecord:
    name = f"conv_transpose{n}d" if transposed else f"conv{n}d"
    one, spatial = (1,) * n, tuple(range(3, 3 + n))
    return OpRecord(
        (f"F.{name}",),
        getattr(F, name),
        (conv_transpose if transposed else conv)(n),
        (transposes if transposed else convs)(n),
        "fused",
        (0, 1, 2),
        edges=(
            call(np.ones((0, 1, *spatial)), np.ones((1, 1, *one)), np.ones(1)),
            call(np.ones((1, 1, *one)), np.ones((1, 1, *one)), np.ones(1)),
            call(np.ones((1, *spatial)), np.ones((1, 2, *one) if transposed else (2, 1, *one))),
            *(grown(n) if transposed else (*LARGE.get(n, ()), *depthwise(n), *plain(n))),
            call(d.numbers(2, 2, *spatial), d.numbers(2, 2, *((2,) * n)), d.numbers(2), stride=2, padding=1),
        ),
        refusals=(
            refused(f"{name}.*channels", ValueError, np.ones((1, 2, *spatial)), np.ones((3, 3, *one))),
            refused(f"{name}.*dimensions", ValueError, np.ones((1, *one[:-1])), np.ones((1, 1, *one))),
            refused(f"{name}.*bias", ValueError, np.ones((1, 1, *spatial)), np.ones((1, 1, *one)), np.ones(2)),
            refused(f"{name}.*stride.*0", ValueError, np.ones((1, 1, *spatial)), np.ones((1, 1, *one)), stride=0),
            refused(f"{name}.*padding.*-1", ValueError, np.ones((1, 1, *spatial)), np.ones((1, 1, *one)), padding=-1),
            refused(f"{name}.*groups", ValueError, np.ones((1, 1, *spatial)), np.ones((1, 1, *one)), groups=0),
            refused(f"{name}.*one dtype", TypeError, np.ones((1, 1, *spatial)), np.ones((1, 1, *one), np.float32)),
            refused(f"{name}.*(larger|size)", ValueError, np.ones((1, 1, *one)), np.ones((1, 1, *one)), padding=1)
            if transposed
            else refused(f"{name}.*larger", ValueError, np.ones((1, 1, *one)), np.ones((1, 1, *((2,) * n)))),
            refused(
                f"{name}.*output_padding", ValueError, np.ones((1, 1, *one)), np.ones((1, 1, *one)), output_padding=1
            )
            if transposed
            else refused(
                f"{name}.*same.*stride",
                ValueError,
                np.ones((1, 1, *spatial)),
                np.ones((1, 1, *one)),
                stride=2,
                padding="same",
            ),
        ),
        tolerance=SUMS,
        result_of_integers=None,
    )


RECORDS = [record(n, transposed) for transposed in (False, True) for n in (1, 2, 3)]
