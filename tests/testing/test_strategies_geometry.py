"""Geometries of convolution and pooling are valid; attention's shapes fit and its masks keep what they promise."""

from typing import Any

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import tinynet as tn
import tinynet.nn.functional as F
from tinynet.testing import strategies as ts

few = settings(max_examples=150, deadline=None, derandomize=True)


@few
@given(st.sampled_from([1, 2, 3]).flatmap(ts.conv_geometries))
def test_conv_geometries(g: Any) -> None:
    n, c, *sizes = g.input_shape
    k, per_group, *kernel = g.weight_shape
    assert g.groups * per_group == c
    assert k % g.groups == 0
    for size, width, s, p, d, out in zip(
        sizes, kernel, g.stride, g.padding, g.dilation, g.output_shape[2:], strict=True
    ):
        starts = [i for i in range(0, size + 2 * p, s) if i + d * (width - 1) < size + 2 * p]
        assert len(starts) == out >= 1
    assert g.output_shape[:2] == (n, k)


@few
@given(st.sampled_from([1, 2]).flatmap(lambda ndim: ts.pool_geometries(ndim, max_dilation=2)))
def test_pool_geometries(g: Any) -> None:
    for size, width, s, p, d, out in zip(
        g.input_shape[2:], g.kernel, g.stride, g.padding, g.dilation, g.output_shape[2:], strict=True
    ):
        assert 2 * p <= width
        last = size + 2 * p - (d * (width - 1) + 1)  # the last start of a window inside
        assert last >= 0
        starts = list(range(0, last + 1, s))
        if g.ceil_mode and starts[-1] < last and starts[-1] + s < size + p:
            starts.append(starts[-1] + s)
        assert len(starts) == out >= 1


@pytest.mark.parametrize(
    "wanted",
    [
        lambda g: g.groups == 2 and min(g.stride) > 1,
        lambda g: max(g.padding) == 2 and max(g.dilation) == 2,
        lambda g: min(g.output_shape[2:]) == 1 and min(g.weight_shape[2:]) == 3,
        lambda g: g.input_shape[0] == 0,
        lambda g: g.stride[0] != g.stride[1],
    ],
)
def test_every_class_of_convolutions_appears(wanted: Any) -> None:
    find(ts.conv_geometries(), wanted, settings=settings(max_examples=5000))


@few
@given(st.sampled_from([1, 2, 3]).flatmap(lambda n: ts.conv_geometries(n, named_padding=True)))
def test_named_padding(g: Any) -> None:
    x, w = tn.zeros(*g.input_shape), tn.zeros(*g.weight_shape)
    options = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation, "groups": g.groups}
    y = getattr(F, f"conv{x.ndim - 2}d")(x, w, **options)
    assert tuple(y.shape) == g.output_shape
    if g.padding == "same":
        assert g.output_shape[2:] == g.input_shape[2:]


@few
@given(st.sampled_from([1, 2, 3]).flatmap(ts.conv_transpose_geometries))
def test_conv_transpose_geometries(g: Any) -> None:
    assert all(e < max(s, d) for e, s, d in zip(g.output_padding, g.stride, g.dilation, strict=True))
    x, w = tn.zeros(*g.input_shape), tn.zeros(*g.weight_shape)
    y = getattr(F, f"conv_transpose{x.ndim - 2}d")(
        x,
        w,
        stride=g.stride,
        padding=g.padding,
        output_padding=g.output_padding,
        groups=g.groups,
        dilation=g.dilation,
    )
    assert tuple(y.shape) == g.output_shape
    assert min(g.output_shape[2:]) >= 1


@pytest.mark.parametrize(
    "wanted",
    [
        lambda g: any(e >= s for e, s in zip(g.output_padding, g.stride, strict=True)),  # allowed by the dilation
        lambda g: max(g.padding) == 2 and g.groups == 2,
        lambda g: min(g.output_shape[2:]) == 1 and max(g.weight_shape[2:]) == 3,
        lambda g: g.weight_shape[2] != g.weight_shape[3],
        lambda g: g.input_shape[0] == 0,
    ],
)
def test_every_class_of_transposed_convolutions_appears(wanted: Any) -> None:
    find(ts.conv_transpose_geometries(), wanted, settings=settings(max_examples=5000))


def test_every_padding_by_name_appears() -> None:
    geometries = ts.conv_geometries(named_padding=True)
    for name in ("same", "valid"):
        find(geometries, lambda g: g.padding == name and max(g.weight_shape[2:]) == 2)  # noqa: B023
    find(geometries, lambda g: g.padding == (1, 0))


@few
@given(ts.attention_shapes())
def test_attention_shapes(shapes: Any) -> None:
    q, k, v = shapes
    assert q[0] == k[0] == v[0]
    assert q[1] % k[1] == 0
    assert k[:3] == v[:3]
    assert q[3] == k[3]
    assert min(*q, *k, *v) >= 1


@pytest.mark.parametrize(
    "wanted",
    [
        lambda q, k, v: q[1] == 2 * k[1] and k[1] == 2,
        lambda q, k, v: q[2] > k[2],
        lambda q, k, v: q[2] < k[2],
        lambda q, k, v: q[2] == k[2] == 1,
        lambda q, k, v: k[3] != v[3],
    ],
)
def test_every_class_of_attention_shapes_appears(wanted: Any) -> None:
    find(ts.attention_shapes(), lambda s: wanted(*s), settings=settings(max_examples=5000))


FULL = st.tuples(*[st.integers(1, 2)] * 2, *[st.integers(1, 4)] * 2)


@few
@given(st.data(), FULL, st.booleans(), st.sampled_from([True, False, None]))
def test_attention_masks(data: Any, shape: Any, all_masked: bool, additive: bool | None) -> None:
    mask = data.draw(ts.attention_masks(shape, all_masked_rows=all_masked, additive=additive))
    if additive is not None:
        assert mask.dtype == (np.float64 if additive else np.bool_)
    if mask.dtype == np.float64:
        assert np.isin(mask, [0.0, -np.inf]).all()
        mask = mask == 0
    wide = np.broadcast_to(mask, shape)
    if not all_masked:
        assert wide.any(-1).all()


@few
@given(st.data(), FULL, st.booleans())
def test_masks_of_one_kind(data: Any, shape: Any, empty: bool) -> None:
    _, _, t, s = shape

    def draw(kind: str) -> Any:
        return data.draw(ts.attention_masks(shape, kinds=[kind], all_masked_rows=empty, additive=False, combine=False))

    causal = draw("causal")
    first, last = np.tril(np.ones((t, s), bool)), np.tril(np.ones((t, s), bool), s - t)
    assert (causal == first).all() or (causal == last).all()
    padding = draw("padding")
    assert padding.shape == (shape[0], 1, 1, s)
    assert (padding[..., 1:] <= padding[..., :-1]).all()
    for row in np.broadcast_to(draw("window"), shape).reshape(-1, s):
        assert np.count_nonzero(np.diff(np.r_[0, row.astype(int), 0])) <= 2  # one stretch


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"kinds": ["causal"], "additive": False}, lambda m: m.tolist() == np.tril(np.ones((2, 3))).tolist()),
        ({"kinds": ["causal"], "additive": False}, lambda m: m.tolist() == np.tril(np.ones((2, 3)), 1).tolist()),
        ({"kinds": ["padding"], "additive": False}, lambda m: m.sum(-1).ravel().tolist() == [1, 3]),
        ({"kinds": ["window"], "additive": False}, lambda m: m.tolist() == np.eye(2, 3).tolist()),
        ({"kinds": ["random"], "additive": True}, lambda m: m.shape == (1, 2, 2, 3) and np.isinf(m).sum() > 4),
        ({"kinds": ["causal", "padding"]}, lambda m: m.ndim == 4 and m.dtype == bool and 0 < m[0].sum() < m[1].sum()),
        ({"all_masked_rows": True, "additive": False}, lambda m: (~m.any(-1)).any() and m.any()),
    ],
)
def test_every_class_of_masks_appears(options: Any, wanted: Any) -> None:
    find(ts.attention_masks((2, 2, 2, 3), **options), wanted, settings=settings(max_examples=5000))


def test_masks_refuse_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="expected some of causal"):
        find(ts.attention_masks((1, 1, 1, 1), kinds=["diagonal"]), lambda m: True)
    with pytest.raises(ValueError, match="empty"):
        find(ts.attention_masks((1, 1, 1, 1), kinds=[]), lambda m: True)
    with pytest.raises(ValueError, match="all_masked_rows"):
        find(ts.attention_masks((1, 1, 1, 0)), lambda m: True)


def test_masks_and_geometries_shrink_to_the_simplest() -> None:
    assert find(ts.attention_masks((1, 1, 2, 2)), lambda m: True).tolist() == [[True, False], [True, True]]
    assert find(ts.conv_transpose_geometries(), lambda g: True).weight_shape == (1, 1, 1, 1)
    assert find(ts.attention_shapes(), lambda s: True) == ((1, 1, 1, 1),) * 3
