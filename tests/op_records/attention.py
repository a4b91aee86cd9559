"""Scaled dot-product attention, and multi-head attention over it."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet as tn
import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.record import Call, OpRecord, Tolerance, call, refused
from tinynet.random import philox
from tinynet.testing.strategies import arrays, masks

SEED = 7
ONES = np.ones


def attention(
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> np.ndarray:
    """A row at a time, over the keys that count."""
    if enable_gqa:
        k, v = (np.repeat(x, q.shape[-3] // x.shape[-3], axis=-3) for x in (k, v))
    batch = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    (rows, size), (keys, width) = q.shape[-2:], v.shape[-2:]
    q, k, v = (np.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (q, k, v))
    added = np.zeros((rows, keys)) if mask is None else mask
    if mask is not None and mask.dtype == bool:
        added = np.where(mask, 0.0, -np.inf)
    if is_causal:
        added = np.where(np.arange(keys) <= np.arange(rows)[:, None], 0.0, -np.inf)
    added = np.broadcast_to(added, (*batch, rows, keys))
    wide = -(-keys // 4) * 4
    words = philox(SEED, 0, int(np.prod(batch)) * rows * wide).reshape(*batch, rows, wide) >> np.uint32(8)
    scale = (size or 1) ** -0.5 if scale is None else scale
    y = np.zeros((*batch, rows, width))
    for i in np.ndindex(*batch, rows):
        counts = added[i] > -np.inf
        if not counts.any():
            continue
        score = scale * k[i[:-1]][counts] @ q[i] + added[i][counts]
        a = np.exp(score - score.max())
        a /= a.sum()
        if dropout_p:
            kept = words[i][:keys][counts] * 2.0**-24 >= np.float32(dropout_p)
            a = a * kept / (1 - dropout_p) if dropout_p < 1 else a * 0
        y[i] = a @ v[i[:-1]][counts]
    return y


def seeded(f: Any, *args: Any, **options: Any) -> Any:
    tn.manual_seed(SEED)
    return f(*args, **options)


@st.composite
def attentions(draw: Any) -> Call:
    lead = draw(st.lists(st.integers(1, 2), max_size=2).map(tuple))
    rows, keys, size, width = (draw(st.integers(1, 4)) for _ in range(4))
    gqa = bool(lead) and draw(st.booleans())

    def part(*tail: int) -> Any:
        n = tuple(1 if draw(st.booleans()) and not gqa else i for i in lead)
        return draw(arrays((*n[draw(st.integers(0, len(n))) if not gqa else 0 :], *tail), values="any"))

    q, k, v = part(rows, size), part(keys, size), part(keys, width)
    if gqa:
        q = np.concatenate([q, q[..., ::-1, :]], axis=-3)
    kind = draw(st.sampled_from(["none", "bool", "float", "causal"]))
    options: dict[str, Any] = draw(
        d.options(scale=st.sampled_from([0.5, -1.0, 0.0]), dropout_p=st.sampled_from([0.25, 0.75, 1.0]))
    )
    if gqa:
        options["enable_gqa"] = True
    if kind == "causal":
        return Call((q, k, v), {**options, "is_causal": True})
    batch = np.broadcast_shapes(q.shape[:-2], *() if gqa else (k.shape[:-2], v.shape[:-2]))
    shape = tuple(1 if draw(st.booleans()) else n for n in (*batch, rows, keys))[draw(st.integers(0, len(batch))) :]
    if kind == "bool":
        return Call((q, k, v, draw(masks(shape))), options)
    return Call((q, k, v, draw(arrays(shape, values="any"))) if kind == "float" else (q, k, v), options)


def projected(x: Any, w: Any, b: Any) -> np.ndarray:
    return x @ w.T + (0.0 if b is None else b)


def multi_head(
    x: Any, y: Any, heads: int, w: Any, b: Any, o: Any, mask: Any = None, **options: Any
) -> tuple[np.ndarray, ...]:
    """Queries x (L, N, E), keys and values y (S, N, E); the heads one by one."""
    e, size = x.shape[2], x.shape[2] // heads
    parts = [
        projected(z, w[i * e : (i + 1) * e], None if b is None else b[i * e : (i + 1) * e])
        for i, z in enumerate((x, y, y))
    ]
    added = 0.0 if mask is None else np.where(mask, -np.inf, 0.0) if mask.dtype == bool else mask
    joined, weights = np.zeros(x.shape), np.zeros((x.shape[1], heads, x.shape[0], y.shape[0]))
    for n in range(x.shape[1]):
        for h in range(heads):
            q, k, v = (p[:, n, h * size : (h + 1) * size] for p in parts)
            s = q @ k.T / np.sqrt(size) + added
            top = s.max(axis=1, keepdims=True, initial=-1e300)
            a = np.exp(s - top)
            total = a.sum(axis=1, keepdims=True)
            a = np.divide(a, total, out=np.zeros_like(a), where=total > 0)
            joined[:, n, h * size : (h + 1) * size], weights[n, h] = a @ v, a
    result = projected(joined, o, None)
    if not options.get("need_weights", True):
        return (result,)
    return result, weights.mean(axis=1) if options.get("average_attn_weights", True) else weights


def heads_of(f: Any, x: Any, y: Any, heads: int, w: Any, b: Any, o: Any, mask: Any = None, **options: Any) -> Any:
    """PyTorch's signature has many arguments that are mostly None."""
    size = x.shape[2] if isinstance(x, tn.Tensor) and x.ndim == 3 else 2
    found = f(x, y, y, size, heads, w, b, None, None, False, 0.0, o, None, attn_mask=mask, **options)
    return found if found[1] is not None else found[0]


@st.composite
def multi_heads(draw: Any) -> Call:
    heads, size, n, rows, keys = (draw(st.integers(1, high)) for high in (2, 2, 2, 3, 3))
    e = heads * size
    small = {"values": "any", "low": -1, "high": 1}  # with scores in the hundreds all derivatives drown in rounding
    x, y = draw(arrays((rows, n, e), **small)), draw(arrays((keys, n, e), **small))
    w, o = draw(arrays((3 * e, e), **small)), draw(arrays((e, e), **small))
    b = draw(arrays((3 * e,), **small)) if draw(st.booleans()) else None
    mask = draw(st.sampled_from([None, masks((rows, keys)), arrays((rows, keys), values="any")]))
    rest = [] if mask is None else [draw(mask)]
    options = draw(d.options(need_weights=st.booleans(), average_attn_weights=st.booleans()))
    return Call((x, y, heads, w, b, o, *rest), options)


SOFTMAX = Tolerance(256, 4, "two products, and exponentials of a difference of sums")
LATER = ~np.tri(3, 3, dtype=bool)
Q, K, V = d.numbers(2, 3, 4, step=0.05), d.numbers(2, 5, 4, start=-0.4, step=0.03), d.numbers(2, 5, 3, step=-0.06)

RECORDS = [
    OpRecord(
        ("F.scaled_dot_product_attention",),
        F.scaled_dot_product_attention,
        attention,
        attentions(),
        "fused",
        (0, 1, 2, 3),
        edges=(
            call(ONES((0, 4)), ONES((5, 4)), ONES((5, 2))),
            call(ONES((3, 4)), ONES((0, 4)), ONES((0, 2))),
            call(ONES((3, 0)), d.numbers(2, 0), d.numbers(2, 2)),
            call(ONES((3, 2)), ONES((5, 2)), ONES((5, 0))),
            call(ONES((0, 2, 3, 2)), ONES((1, 2, 3, 2)), ONES((2, 3, 2)), ONES((3, 3))),
            call(ONES((1, 1)), ONES((1, 1)), ONES((1, 1)), ONES((1, 1))),
            call(Q, K, V, np.zeros((3, 5), bool)),  # nobody may look
            call(Q, K, V, np.arange(5) < np.array([[2], [0], [5]])),  # the second may not
            call(Q, K, V, np.where(np.arange(5) < 3, 0.3, -2.0)),
            call(Q, K, V, np.array([[True], [False], [True]])),  # all keys, or none
            call(Q[:, 1:], K, V, d.numbers(2, 5, step=-0.13)),
            call(Q, K[:, 3:], V[:, 3:], d.numbers(3, 2, step=-0.31)),
            call(d.numbers(2, 70, 3, step=0.004), d.numbers(1, 131, 3, step=-0.003), d.numbers(131, 2, step=0.01)),
            call(
                d.numbers(70, 3, step=0.004), d.numbers(90, 3, step=0.003), d.numbers(90, 2, step=0.01), is_causal=True
            ),
            call(d.numbers(2, 3, 2), d.numbers(1, 7, 2), d.numbers(1, 7, 2), enable_gqa=True, dropout_p=0.5),
            call(np.sin(9 * Q), np.sin(7 * K), np.sin(5 * V), d.numbers(3, 5, step=0.02), scale=0.7),
        ),
        refusals=(
            refused("dtype", TypeError, Q, K.astype(np.float32), V),
            refused("query.*2 dimensions", ValueError, ONES(4), ONES((5, 4)), ONES((5, 2))),
            refused("features", ValueError, ONES((3, 4)), ONES((5, 3)), ONES((5, 2))),
            refused("length", ValueError, ONES((3, 4)), ONES((5, 4)), ONES((4, 2))),
            refused("leading axes", ValueError, ONES((2, 3, 4)), ONES((3, 5, 4)), ONES((5, 2))),
            refused("dropout_p", ValueError, Q, K, V, dropout_p=1.5),
            refused("is_causal", ValueError, Q, K, V, ONES((3, 5)), is_causal=True),
            refused("attn_mask.*broadcast", ValueError, Q, K, V, ONES((5, 3))),
            refused("attn_mask.*broadcast", ValueError, Q[0], K[0], V[0], ONES((2, 3, 5))),
            refused("attn_mask must be", TypeError, Q, K, V, ONES((3, 5), np.int32)),
            refused("heads of key", ValueError, ONES((3, 2, 2)), ONES((2, 2, 2)), ONES((1, 2, 2)), enable_gqa=True),
            refused("axis of heads", ValueError, ONES((2, 2)), ONES((2, 2)), ONES((2, 2)), enable_gqa=True),
        ),
        tolerance=SOFTMAX,
        result_of_integers=None,
        invoke=seeded,
    ),
    OpRecord(
        ("F.multi_head_attention_forward",),
        F.multi_head_attention_forward,
        multi_head,
        multi_heads(),
        "fused",
        (0, 1, 3, 4, 5, 6),
        edges=(
            call(ONES((2, 0, 2)), ONES((2, 0, 2)), 1, ONES((6, 2)), None, ONES((2, 2))),
            call(ONES((1, 1, 1)), ONES((1, 1, 1)), 1, ONES((3, 1)), ONES(3), ONES((1, 1))),
            call(Q[:, :, :2], K[:, :3, :2], 2, d.numbers(6, 2, step=-0.1), None, d.numbers(2, 2), ONES((2, 2), bool)),
            call(Q[:, :, :2], K[:, :3, :2], 2, d.numbers(6, 2), None, d.numbers(2, 2), need_weights=False),
            call(Q[:, :, :2], K[:, :3, :2], 2, d.numbers(6, 2, step=-0.1), d.numbers(6), d.numbers(2, 2)),
        ),
        refusals=(
            refused("3 dimensions", ValueError, ONES(2), ONES(2), 1, ONES((6, 2)), None, ONES((2, 2))),
            refused("4 features|2 heads|features", ValueError, Q, Q, 3, ONES((12, 4)), None, ONES((4, 4))),
            refused("12 rows", ValueError, Q, Q, 2, ONES((11, 4)), None, ONES((4, 4))),
            refused("do not agree", ValueError, Q, K, 2, ONES((12, 4)), None, ONES((4, 4))),
            refused("attn_mask must have", ValueError, Q, Q, 2, ONES((12, 4)), None, ONES((4, 4)), ONES((3, 2))),
            refused("is_causal", ValueError, Q, Q, 2, ONES((12, 4)), None, ONES((4, 4)), is_causal=True),
        ),
        tolerance=SOFTMAX,
        result_of_integers=None,
        invoke=heads_of,
    ),
]
