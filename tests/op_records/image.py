"""Resizing, shuffles between channels and space, windows as columns, and dropout of channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet as tn
import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.dropout_embedding import SEED, seeded
from tests.op_records.record import EXACT, SUMMED, Call, OpRecord, call, refused
from tinynet.testing.strategies import arrays

ONES = np.ones
IMAGE = d.numbers(1, 2, 2, 3)


def keys(t: float, a: float = -0.75) -> float:
    t = abs(t)
    return (a + 2) * t**3 - (a + 3) * t**2 + 1 if t <= 1 else a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0


def interpolate(x: Any, mode: str = "nearest", align_corners: Any = None, **sizes: Any) -> np.ndarray:
    """Place by place."""
    for axis in range(2, x.ndim):
        n, value = x.shape[axis], next(iter(sizes.values()))
        value = value[axis - 2] if isinstance(value, tuple) else value
        m = value if "size" in sizes else int(value * n)
        scale = n / m if "size" in sizes else 1 / value
        x = np.moveaxis(x, axis, 0)
        rows = []
        for i in range(m):
            if mode == "area":
                rows.append(x[i * n // m : -(-(i + 1) * n // m)].mean(0))
            elif mode == "nearest":
                rows.append(x[min(int(i * scale), n - 1)])
            elif mode == "nearest-exact":
                rows.append(x[min(int((i + 0.5) * scale), n - 1)])
            else:
                place = i * (n - 1) / max(m - 1, 1) if align_corners else (i + 0.5) * scale - 0.5
                if mode != "bicubic":
                    place = min(max(place, 0), n - 1)
                tent = keys if mode == "bicubic" else (lambda t: max(0.0, 1 - abs(t)))
                taps = range(int(np.floor(place)) - 1, int(np.floor(place)) + 3)
                rows.append(sum(tent(place - k) * x[min(max(k, 0), n - 1)] for k in taps))
        x = np.moveaxis(np.stack(rows), 0, axis)
    return x


@st.composite
def resized(draw: Any) -> Call:
    n = draw(st.integers(1, 3))
    x = draw(arrays((1, draw(st.integers(1, 2)), *(draw(st.integers(1, 3)) for _ in range(n)))))
    modes = ["nearest", "nearest-exact", ["linear", "bilinear", "trilinear"][n - 1], *(["bicubic"] if n == 2 else [])]
    mode = draw(st.sampled_from(modes))
    sizes = [{"size": 4}, {"size": 2}, {"scale_factor": 2}, {"scale_factor": 1.5}, {"size": (3, 1, 2)[:n]}]
    options: dict[str, Any] = {"mode": mode, **draw(st.sampled_from(sizes))}
    if not mode.startswith("nearest") and draw(st.booleans()):
        options["align_corners"] = True
    return call(x, **options)


@st.composite
def blocks(draw: Any, *lists: list[tuple[int, ...]], options: Any) -> Call:
    shape = draw(st.sampled_from(*lists))
    return call(draw(arrays(shape)), *options)


def pixel_shuffle(x: Any, r: int) -> np.ndarray:
    c, h, w = x.shape[-3] // r**2, x.shape[-2], x.shape[-1]
    y = np.zeros((*x.shape[:-3], c, h * r, w * r))
    for i in range(r):
        for j in range(r):
            y[..., i::r, j::r] = x[..., i * r + j :: r * r, :, :]
    return y


def pixel_unshuffle(x: Any, r: int) -> np.ndarray:
    parts = [x[..., i::r, j::r] for i in range(r) for j in range(r)]
    return np.stack(parts, -3).reshape(*x.shape[:-3], x.shape[-3] * r * r, x.shape[-2] // r, x.shape[-1] // r)


def channel_shuffle(x: Any, groups: int) -> np.ndarray:
    return x[:, [g * (x.shape[1] // groups) + k for k in range(x.shape[1] // groups) for g in range(groups)]]


def windows(size: Any, kernel: Any, dilation: int, padding: int, stride: int) -> Any:
    """(row, column) of the input for each tap and window."""
    rows, columns = (
        (n + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for n, k in zip(size, kernel, strict=True)
    )
    for u in range(kernel[0]):
        for v in range(kernel[1]):
            for i in range(rows * columns):
                place = (i // columns * stride + u * dilation - padding, i % columns * stride + v * dilation - padding)
                if all(0 <= p < n for p, n in zip(place, size, strict=True)):
                    yield u * kernel[1] + v, i, place


def unfold(x: Any, k: Any, dilation: int = 1, padding: int = 0, stride: int = 1) -> np.ndarray:
    found = list(windows(x.shape[-2:], k, dilation, padding, stride))
    size = [(n + 2 * padding - dilation * (m - 1) - 1) // stride + 1 for n, m in zip(x.shape[-2:], k, strict=True)]
    y = np.zeros((*x.shape[:-3], x.shape[-3], k[0] * k[1], size[0] * size[1]))
    for tap, i, place in found:
        y[..., tap, i] = x[(..., *place)]
    return y.reshape(*x.shape[:-3], x.shape[-3] * k[0] * k[1], size[0] * size[1])


def fold(x: Any, size: Any, k: Any, dilation: int = 1, padding: int = 0, stride: int = 1) -> np.ndarray:
    x = x.reshape(*x.shape[:-2], x.shape[-2] // (k[0] * k[1]), k[0] * k[1], x.shape[-1])
    y = np.zeros((*x.shape[:-2], *size))
    for tap, i, place in windows(size, k, dilation, padding, stride):
        y[(..., *place)] += x[..., tap, i]
    return y


GEOMETRY: list[dict[str, Any]] = [{}, {"padding": 1, "stride": 2}, {"padding": 1, "dilation": 2}]


@st.composite
def unfolded(draw: Any) -> Call:
    x = draw(arrays(draw(st.sampled_from([(1, 2, 3, 3), (2, 3, 4), (2, 1, 4, 3)]))))
    return call(x, (2, 1), **draw(st.sampled_from(GEOMETRY)))


@st.composite
def folded(draw: Any) -> Call:
    options = draw(st.sampled_from(GEOMETRY))
    length = unfold(ONES((1, 1, 3, 3)), (2, 1), **options).shape[-1]
    x = draw(arrays(draw(st.sampled_from([(1, 4, length), (2, length)]))))
    return call(x, (3, 3), (2, 1), **options)


def moved(name: str, reference: Any, inputs: Any, edges: Any, refusals: Any, tolerance: Any = EXACT) -> OpRecord:
    result = "kept" if tolerance is EXACT and "shuffle" in name else None
    return OpRecord(
        (f"F.{name}",),
        getattr(F, name),
        reference,
        inputs,
        edges=tuple(edges),
        refusals=tuple(refusals),
        tolerance=tolerance,
        integers=st.just(edges[-1].map(lambda a: (a * 8).astype(np.int32))) if result else None,
        result_of_integers=result,
    )


# dropout of channels: the mask is drawn for the channels alone


def kept(shape: Any, p: float) -> np.ndarray:
    tn.manual_seed(SEED)
    return tn.rand(shape).numpy() >= np.float32(p)


def channel_dropout(x: Any, n: int, p: float, training: bool) -> np.ndarray:
    if not training or p == 0.0:
        return x
    return x * kept((*x.shape[: x.ndim - n], *(1,) * n), p) * (1 / (1 - p) if p < 1 else 0)


def alpha_dropout(x: Any, p: float = 0.5, training: bool = False, channels: bool = False) -> np.ndarray:
    if not training or p in (0.0, 1.0):
        return x * 0.0 if training and p else x
    limit = -1.7580993408473766
    keep = kept((*x.shape[:2], *(1,) * (x.ndim - 2)) if channels else x.shape, p)
    a = ((1 - p) * (1 + p * limit**2)) ** -0.5
    return a * np.where(keep, x, limit) - a * p * limit


def dropped(name: str, reference: Any, shape: tuple[int, ...], refusals: Any = ()) -> OpRecord:
    empty, one = (0, *shape[1:]), (1,) * len(shape)
    return OpRecord(
        (f"F.{name}",),
        getattr(F, name),
        lambda x, p=0.5, training="alpha" not in name, inplace=False: reference(x, p, training),
        d.calls(arrays(shape), p=st.sampled_from([0.0, 0.25, 1.0]), training=st.booleans(), inplace=st.booleans()),
        edges=(call(ONES(empty), training=True), call(ONES(one)), call(d.numbers(*shape), training=True)),
        refusals=(refused(f"{name}.*p must", ValueError, ONES(shape), -0.1), *refusals),
        tolerance=SUMMED,
        result_of_integers=None,
        invoke=seeded,
    )


SHAPE = "expected .* dimensions, got shape"
RECORDS = [
    moved(
        "interpolate",
        interpolate,
        resized(),
        (
            call(ONES((0, 2, 2)), size=3),
            call(ONES((1, 1, 1)), size=2, mode="linear"),
            call(IMAGE, size=(1, 2), mode="area"),
            call(IMAGE, scale_factor=1.5, mode="bilinear"),
        ),
        (
            refused("interpolate.*either size", ValueError, IMAGE),
            refused("interpolate.*'linear' does not fit", ValueError, IMAGE, size=2, mode="linear"),
            refused("interpolate.*mode.*'cubic'", ValueError, IMAGE, size=2, mode="cubic"),
            refused("interpolate.*align_corners", ValueError, IMAGE, size=2, align_corners=True),
            refused("interpolate.*2 numbers", ValueError, IMAGE, size=(2, 2, 2)),
            refused("interpolate.*sizes ≥ 1", ValueError, IMAGE, size=0),
            refused("interpolate.*antialias", ValueError, IMAGE, size=2, antialias=True),
        ),
        SUMMED,
    ),
    moved(
        "pixel_shuffle",
        pixel_shuffle,
        blocks([(4, 2, 1), (2, 8, 1, 2)], options=(2,)),
        (call(ONES((0, 4, 2, 2)), 2), call(ONES((1, 1, 1)), 1), call(d.numbers(1, 8, 2, 1), 2)),
        (
            refused("pixel_shuffle.*multiple of 4", ValueError, ONES((3, 2, 2)), 2),
            refused("pixel_shuffle.*upscale_factor", ValueError, ONES((4, 2, 2)), 0),
        ),
    ),
    moved(
        "pixel_unshuffle",
        pixel_unshuffle,
        blocks([(1, 2, 4), (2, 2, 2, 2)], options=(2,)),
        (call(ONES((0, 1, 2, 2)), 2), call(ONES((1, 1, 1)), 1), call(d.numbers(1, 2, 2, 4), 2)),
        (refused("pixel_unshuffle.*multiples of 2", ValueError, ONES((3, 3, 2)), 2),),
    ),
    moved(
        "channel_shuffle",
        channel_shuffle,
        blocks([(2, 4, 2), (1, 6, 1, 2)], options=(2,)),
        (call(ONES((0, 4, 2)), 2), call(ONES((1, 1, 1)), 1), call(d.numbers(1, 6, 2), 3)),
        (refused("channel_shuffle.*multiple of 2", ValueError, ONES((1, 3, 2)), 2),),
    ),
    moved(
        "unfold",
        unfold,
        unfolded(),
        (call(ONES((0, 1, 2, 2)), (2, 1)), call(ONES((1, 1, 1)), (1, 1)), call(IMAGE, (2, 2), padding=1)),
        (
            refused("unfold.*too small", ValueError, IMAGE, 4),
            refused("unfold.*input must be", ValueError, ONES((2, 2)), 1),
        ),
    ),
    moved(
        "fold",
        fold,
        folded(),
        (
            call(ONES((0, 2, 2)), (2, 2), (2, 1)),
            call(ONES((1, 1)), (1, 1), (1, 1)),
            call(d.numbers(4, 2), (2, 3), (2, 2)),
        ),
        (refused("fold.*input must be .N, C.4, 2", ValueError, ONES((3, 2)), (2, 3), (2, 2)),),
        SUMMED,
    ),
    *(
        dropped(
            f"dropout{n}d",
            lambda x, p, training, n=n: channel_dropout(x, n, p, training),
            (2, 3, 2, 2, 1)[: n + 2],
            (refused(f"dropout{n}d.*{SHAPE}", ValueError, ONES(2)),),
        )
        for n in (1, 2, 3)
    ),
    dropped("alpha_dropout", alpha_dropout, (2, 3)),
    dropped(
        "feature_alpha_dropout",
        lambda x, p, training: alpha_dropout(x, p, training, channels=True),
        (2, 3, 2),
        (refused("feature_alpha_dropout.*at least 2", ValueError, ONES(2)),),
    ),
]
