"""Pooling, by loops."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.conv import each
from tests.op_records.record import EXACT, SUMMED, Call, OpRecord, Subgradient, call, refused
from tinynet.testing.strategies import arrays, pool_geometries, shapes

SMALL: dict[int, dict[str, int]] = {1: {}, 2: {"max_output": 2}, 3: {"max_output": 2, "max_kernel": 2, "max_stride": 2}}


def pooled(n: int, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool) -> Any:
    """The output's spatial shape, and for each place the indices of its window, in and out of the input."""
    k, p, g = each(kernel, n), each(padding, n), each(dilation, n)
    s = k if stride is None else each(stride, n)
    axes = []
    for m, k_, s_, p_, d_ in zip(x.shape[-n:], k, s, p, g, strict=True):
        starts = []
        while len(starts) * s_ - p_ + d_ * (k_ - 1) + 1 <= m + p_:
            starts.append(len(starts) * s_ - p_)
        # a last window may hang over the end, if it begins in the input or in the padding before it
        end = starts[-1] + d_ * (k_ - 1) + 1 if starts else 0
        if ceil and (not starts or end < m + p_) and len(starts) * s_ < m + p_:
            starts.append(len(starts) * s_ - p_)
        axes.append([[a + u * d_ for u in range(k_)] for a in starts])
    return axes


def max_pool(n: int) -> Any:
    def reference(
        x: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        axes = pooled(n, x, kernel_size, stride, padding, dilation, ceil_mode)
        return extremes(n, x, axes, return_indices)

    return reference


def extremes(n: int, x: Any, axes: Any, return_indices: bool) -> Any:
    out = tuple(map(len, axes))
    lead = x.shape[:-n]
    y, k = np.zeros((*lead, *out)), np.zeros((*lead, *out), np.int64)
    sizes = x.shape[-n:]
    for plane in itertools.product(*map(range, lead)):
        for place in itertools.product(*map(range, out)):
            window = itertools.product(*(a[i] for a, i in zip(axes, place, strict=True)))
            inside = [w for w in window if all(0 <= i < m for i, m in zip(w, sizes, strict=True))]
            if not inside:  # a dilated window that steps over the input
                y[plane + place], k[plane + place] = -np.inf, -1
                continue
            best = inside[int(np.argmax([x[plane + w] for w in inside]))]  # the first of ties
            y[plane + place], k[plane + place] = x[plane + best], np.ravel_multi_index(best, sizes)
    return (y, k) if return_indices else y


def avg_pool(n: int) -> Any:
    def reference(
        x: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> np.ndarray:
        axes = pooled(n, x, kernel_size, stride, padding, 1, ceil_mode)
        p, sizes = each(padding, n), x.shape[-n:]
        y = np.zeros((*x.shape[:-n], *map(len, axes)))
        for place in itertools.product(*map(range, y.shape[-n:])):
            window = list(itertools.product(*(a[i] for a, i in zip(axes, place, strict=True))))
            inside = [w for w in window if all(0 <= i < m for i, m in zip(w, sizes, strict=True))]
            padded = [w for w in window if all(i < m + q for i, m, q in zip(w, sizes, p, strict=True))]
            divisor = divisor_override or len(padded if count_include_pad else inside)
            y[(..., *place)] = sum(x[(..., *w)] for w in inside) / divisor
        return y

    return reference


def parts(n: int, x: Any, output_size: Any) -> Any:
    wanted = tuple(output_size) if isinstance(output_size, tuple | list) else (output_size,) * n
    axes = []
    for m, size in zip(wanted, x.shape[-n:], strict=True):
        m = size if m is None else m
        axes.append([list(range(int(np.floor(i * size / m)), int(np.ceil((i + 1) * size / m)))) for i in range(m)])
    return axes


def adaptive_max(n: int) -> Any:
    return lambda x, output_size, return_indices=False: extremes(n, x, parts(n, x, output_size), return_indices)


def adaptive_avg(n: int) -> Any:
    def reference(x: Any, output_size: Any) -> np.ndarray:
        axes = parts(n, x, output_size)
        y = np.zeros((*x.shape[:-n], *map(len, axes)))
        for place in itertools.product(*map(range, y.shape[-n:])):
            y[(..., *place)] = np.mean(
                [x[(..., *w)] for w in itertools.product(*(a[i] for a, i in zip(axes, place, strict=True)))], axis=0
            )
        return y

    return reference


@st.composite
def pools(draw: Any, n: int, kind: str, smooth: bool = False) -> Call:
    g = draw(pool_geometries(n, **SMALL[n], max_dilation=2 if kind == "max" else 1))
    options: dict[str, Any] = {"stride": g.stride, "padding": g.padding, "ceil_mode": g.ceil_mode}
    if kind == "max":
        options["dilation"] = g.dilation
        if draw(st.booleans()):
            options["return_indices"] = True
    else:
        options["count_include_pad"] = draw(st.booleans())
        if n > 1 and draw(st.booleans()):
            options["divisor_override"] = 3
    shape = g.input_shape[1:] if draw(st.booleans()) else g.input_shape
    x = draw(arrays(shape, values="distinct" if smooth else d.FINITE))
    return Call((x, g.kernel), options)


@st.composite
def adaptives(draw: Any, n: int, kind: str, smooth: bool = False) -> Call:
    shape = draw(shapes(min_dims=n + 1, max_dims=n + 2, min_side=1, max_side=4 if n < 3 else 3))
    sizes = tuple(draw(st.integers(1, 4 if n < 3 else 2)) for _ in range(n))
    size: Any = draw(st.sampled_from([sizes, sizes[0], (None, *sizes[1:])]))
    options = {"return_indices": True} if kind == "max" and draw(st.booleans()) else {}
    return Call((draw(arrays(shape, values="distinct" if smooth else d.FINITE)), size), options)


def record(n: int, kind: str, adaptive: bool) -> OpRecord:
    name = f"{'adaptive_' if adaptive else ''}{kind}_pool{n}d"
    one, spatial, bad = (1,) * n, tuple(range(3, 3 + n)), np.ones((1, *(1,) * (n - 1)))
    inputs = adaptives if adaptive else pools
    reference = {"max": adaptive_max, "avg": adaptive_avg} if adaptive else {"max": max_pool, "avg": avg_pool}
    fits = np.ones((1, 1, *spatial))
    if adaptive:
        refusals = (
            refused(f"{name}.*output_size.*-1", ValueError, fits, -1),
            refused(f"{name}.*output_size.*1.5", TypeError, fits, 1.5),
            refused(f"{name}.*output_size", ValueError, fits, (1,) * (n + 1)),
        )
    else:
        refusals = (
            refused(f"{name}.*kernel_size.*0", ValueError, fits, 0),
            refused(f"{name}.*padding.*half", ValueError, fits, 2, padding=2),
            refused(f"{name}.*too small", ValueError, fits, 9),
            refused(f"{name}.*stride", ValueError, fits, 2, stride=0),
        )
    pairs = (
        (call(d.numbers(2, 2, 3, 5, 7), (1, 2, 2)),) if n == 3 else (call(d.numbers(2, 2, 5, 7), 2),) if n == 2 else ()
    )
    tall = call(d.numbers(2, 2, *(6, 5, 3)[:n]), 2, divisor_override=3)
    ties = ()
    if kind == "max":
        ties = (
            Subgradient(
                call(np.ones((1, 1, *((2,) * n))), 1 if adaptive else 2), (np.eye(1, 2**n).reshape(1, 1, *((2,) * n)),)
            ),
        )
    return OpRecord(
        (f"F.{name}",),
        getattr(F, name),
        reference[kind](n),
        inputs(n, kind),
        "fused",
        smooth=inputs(n, kind, smooth=True),
        edges=(
            call(np.ones((0, 1, *spatial)), 2),
            call(np.ones((1, *one)), 1),
            call(np.ones((1, 1, *one)), 1),
            *(() if adaptive else (call(d.numbers(1, 2, *(3,) * n), 2, ceil_mode=True),)),  # windows over the end
            call(d.numbers(2, 2, *spatial), 2),
            *((call(d.numbers(2, 2, *spatial), 1),) if adaptive else ()),
            *(pairs if kind == "max" and not adaptive else ()),
            *((tall,) if kind == "avg" and not adaptive and n > 1 else ()),
        ),
        refusals=(refused(f"{name}.*dimensions", ValueError, bad, 1), *refusals),
        tolerance=EXACT if kind == "max" else SUMMED,
        result_of_integers=None,
        result=("kept", "int64"),
        subgradients=ties,
    )


RECORDS = [record(n, kind, adaptive) for adaptive in (False, True) for kind in ("max", "avg") for n in (1, 2, 3)]
