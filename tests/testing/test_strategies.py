"""The strategies draw valid things only, and each kind of them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from tinynet.testing import strategies as ts

few = settings(max_examples=150, deadline=None, derandomize=True)


@few
@given(ts.shapes(), ts.shapes(min_dims=1, max_dims=2, min_side=1, max_side=3))
def test_shapes(any_shape: tuple[int, ...], bounded: tuple[int, ...]) -> None:
    np.zeros(any_shape)
    assert 1 <= len(bounded) <= 2
    assert all(1 <= size <= 3 for size in bounded)


@pytest.mark.parametrize(
    "wanted",
    [
        lambda s: s == (),
        lambda s: 0 in s,
        lambda s: 1 in s and len(s) > 1,
        lambda s: len(s) == 4,
        lambda s: len(s) == 2 and min(s) > 2,
    ],
)
def test_every_class_of_shapes_appears(wanted: Any) -> None:
    find(ts.shapes(), wanted)


@few
@given(ts.broadcastable_shapes(3))
def test_broadcastable_shapes(group: tuple[tuple[int, ...], ...]) -> None:
    assert len(group) == 3
    np.broadcast_shapes(*group)


def test_broadcasting_of_both_operands_appears() -> None:
    find(ts.broadcastable_shapes(2), lambda g: np.broadcast_shapes(*g) not in g)
    find(ts.broadcastable_shapes(2), lambda g: len(g[0]) > len(g[1]) and 0 in g[0])


@few
@given(ts.matmul_shapes(), ts.matmul_shapes(vectors=False, min_side=1))
def test_matmul_shapes(pair: Any, matrices: Any) -> None:
    np.zeros(pair[0]) @ np.zeros(pair[1])
    np.zeros(matrices[0]) @ np.zeros(matrices[1])
    assert min(map(len, matrices)) >= 2


@few
@given(st.data(), st.sampled_from(ts.VALUES), ts.layouts(), ts.float_dtypes(half=True))
def test_arrays(data: Any, values: str, layout: str, dtype: Any) -> None:
    shape = data.draw(ts.shapes())
    x = data.draw(ts.arrays(shape, dtype, values=values, layout=layout))
    assert x.shape == shape
    assert x.dtype == dtype
    if values != "special":
        assert np.isfinite(x).all()
        assert (np.abs(x) <= 4).all()
    if values == "positive":
        assert (x >= 2.0**-4).all()
    if values == "distinct" and layout != "broadcast" and x.size <= 256:
        assert np.unique(x).size == x.size


@few
@given(ts.arrays(ts.shapes(max_side=3)), ts.layouts())
def test_layouts_keep_values(x: Any, layout: str) -> None:
    y = ts.laid_out(x, layout)
    if layout != "broadcast":
        np.testing.assert_array_equal(y, x, strict=True)
    assert not np.shares_memory(x, y)
    assert y.flags.writeable == (layout not in ("broadcast", "readonly"))


CLASSES = {
    "C": lambda x: x.flags.c_contiguous and x.flags.writeable and x.base is None,
    "F": lambda x: x.flags.f_contiguous and not x.flags.c_contiguous,
    "transposed": lambda x: x.ndim == 3 and not x.flags.c_contiguous and not x.flags.f_contiguous,
    "negative": lambda x: any(s < 0 for s in x.strides),
    "broadcast": lambda x: 0 in x.strides and not x.flags.writeable,
    "stepped": lambda x: x.ndim == 2 and x.size > 1 and x.strides[-1] == 2 * x.itemsize,
    "offset": lambda x: x.ndim == 2 and x.size > 1 and x.strides[-1] == x.itemsize and not x.flags.c_contiguous,
    "readonly": lambda x: x.flags.c_contiguous and not x.flags.writeable and 0 not in x.strides,
}


@pytest.mark.parametrize("layout", ts.LAYOUTS)
def test_every_layout_appears(layout: str) -> None:
    strategy = ts.arrays(ts.shapes(min_side=2, max_side=3, min_dims=2), layout=ts.layouts())
    find(strategy, CLASSES[layout], settings=settings(max_examples=5000))


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ("ties", lambda x: np.unique(x).size < x.size),
        ("zeros", lambda x: bool((np.signbit(x) & (x == 0)).any() and (~np.signbit(x) & (x == 0)).any())),
        ("special", lambda x: bool(np.isnan(x).any())),
        ("special", lambda x: bool(np.isposinf(x).any() and np.isneginf(x).any())),
        ("special", lambda x: bool(((x != 0) & (np.abs(x) < np.finfo(x.dtype).tiny)).any())),
        ("special", lambda x: bool((np.abs(x) == np.finfo(x.dtype).max).any())),
        ("any", lambda x: bool((x < 0).any() and (x > 1).any())),
    ],
)
def test_every_class_of_values_appears(values: str, wanted: Any) -> None:
    find(ts.arrays((4,), np.float32, values=values), wanted, settings=settings(max_examples=5000))


@few
@given(ts.labels((3, 2), 4, ignore=-100), ts.masks((2, 0)))
def test_labels_and_masks(labels: Any, mask: Any) -> None:
    assert labels.shape == (3, 2)
    assert labels.dtype == np.int64
    assert set(labels.ravel().tolist()) <= {0, 1, 2, 3, -100}
    assert mask.dtype == bool
    assert mask.shape == (2, 0)


@few
@given(st.data())
def test_indices_are_valid(data: Any) -> None:
    shape = data.draw(ts.shapes())
    x = np.arange(np.prod(shape)).reshape(shape)
    basic = data.draw(ts.basic_indices(shape, negative_steps=True))
    view = x[basic]
    assert np.ndim(view) == 0 or view.size == 0 or np.shares_memory(view, x)
    advanced = data.draw(ts.advanced_indices(shape))
    assert not np.shares_memory(x[advanced], x)


@pytest.mark.parametrize(
    "wanted",
    [
        lambda i: isinstance(i, tuple) and Ellipsis in i and None in i,
        lambda i: isinstance(i, slice) and i.step is not None and i.step < 0,
        lambda i: isinstance(i, int) and i < 0,
        lambda i: i == (),
        lambda i: isinstance(i, tuple) and len(i) == 2 and all(isinstance(k, int) for k in i),
    ],
)
def test_every_class_of_basic_indices_appears(wanted: Any) -> None:
    find(ts.basic_indices((3, 4), negative_steps=True), wanted, settings=settings(max_examples=5000))


def _arrays_in(index: Any) -> list[Any]:
    return [part for part in (index if isinstance(index, tuple) else (index,)) if isinstance(part, np.ndarray)]


@pytest.mark.parametrize(
    "wanted",
    [
        lambda i: isinstance(i, np.ndarray) and i.dtype == bool and i.ndim == 2,
        lambda i: len(_arrays_in(i)) == 2 and all(a.size > 1 for a in _arrays_in(i)),
        lambda i: isinstance(i, tuple) and isinstance(i[0], slice) and i[1].dtype == bool,
        lambda i: any(a.dtype == np.int64 and np.unique(a).size < a.size for a in _arrays_in(i)),
        lambda i: any(a.dtype == np.int64 and (a < 0).any() for a in _arrays_in(i)),
    ],
)
def test_every_class_of_advanced_indices_appears(wanted: Any) -> None:
    find(ts.advanced_indices((3, 4)), wanted, settings=settings(max_examples=5000))


@few
@given(st.data(), st.integers(0, 4))
def test_axes(data: Any, ndim: int) -> None:
    x = np.ones((2,) * ndim)
    assert np.sum(x, axis=data.draw(ts.axes(ndim))) is not None
    if ndim:
        x.sum(axis=data.draw(ts.dims(ndim)))
        assert data.draw(ts.axes(ndim, none=False, min_size=1)) not in (None, ())


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


def test_shrinks_to_the_simplest() -> None:
    x = find(ts.arrays(ts.shapes(), layout=ts.layouts()), lambda x: x.size >= 1)
    assert x.shape in ((), (1,))
    assert x.sum() == 0
    g = find(ts.conv_geometries(), lambda g: True)
    assert g.weight_shape == (1, 1, 1, 1)
    assert g.input_shape == (0, 1, 1, 1)
    assert find(ts.basic_indices((3,)), lambda i: True) in ((), slice(None))
