"""Padding."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.record import Call, call, refused
from tests.op_records.shape import SOLID, X0, X1, XE, X, moved
from tinynet.testing.strategies import arrays, shapes


@st.composite
def paddings(draw: Any, smooth: bool = False) -> Call:
    mode = draw(st.sampled_from(["constant", "constant", "reflect", "replicate", "circular"]))
    if mode == "constant":
        x = draw(arrays(SOLID))
        widths: list[int] = []
        for k in range(draw(st.integers(0, x.ndim))):
            lo = draw(st.integers(-x.shape[-1 - k], 2))
            widths += [lo, draw(st.integers(max(-x.shape[-1 - k] - min(lo, 0), -x.shape[-1 - k]), 2))]
        return Call(
            (x, tuple(widths)), draw(d.options(value=st.sampled_from([0.5, -2, None]), mode=st.just("constant")))
        )
    k = draw(st.integers(1, 3))
    x = draw(arrays(shapes(min_dims=k + 1, max_dims=k + 2, min_side=2, max_side=3)))
    widths = []
    for a in range(k):
        limit = {"reflect": x.shape[-1 - a] - 1, "circular": x.shape[-1 - a], "replicate": 3}[mode]
        widths += [draw(st.integers(0, limit)) for _ in range(2)]
    return call(x, tuple(widths), mode=mode)


def pad(x: Any, pad: Any, mode: str = "constant", value: Any = None) -> np.ndarray:
    if x.ndim == 0:
        return x
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    if mode != "constant":
        return np.pad(x, pairs, mode={"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode])
    grown = np.pad(
        x,
        np.array([(max(a, 0), max(b, 0)) for a, b in pairs], int).reshape(-1, 2),
        constant_values=0 if value is None else value,
    )
    crop = tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(pairs, grown.shape, strict=True))
    return grown[crop]


RECORDS = [
    moved(
        "F.pad",
        pad,
        paddings(),
        [call(X0, ()), call(XE, (1, 1)), call(X1, (0, 2), value=0.5), call(X, (1, -1, 0, 1))],
        (
            refused("pad.*even", ValueError, X, (1,)),
            refused("pad.*mode.*'mirror'", ValueError, X, (1, 1), mode="mirror"),
            refused("pad.*cannot add", ValueError, X, (3, 0), mode="reflect"),
            refused("pad.*value", ValueError, X, (1, 0), mode="replicate", value=2.0),
        ),
        function=F.pad,
    ),
]
