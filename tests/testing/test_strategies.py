"""The strategies draw valid things only, and each kind of them."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from tinynet.testing import strategies as ts

INFO = {d.name: ml_dtypes.finfo(d) for d in map(np.dtype, ("float64", "float32", "float16", ml_dtypes.bfloat16))}
TINY = {name: float(info.tiny) for name, info in INFO.items()}
MAX = {name: float(info.max) for name, info in INFO.items()}

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


def test_broadcasting_of_three_mixes_sizes_0_1_and_none() -> None:
    for wanted in (
        lambda g: min(map(len, g)) > 0 and {0, 1} <= {s[0] for s in g} and len(set(g)) == 3,
        lambda g: sorted(map(len, g)) == [0, 1, 2],
        lambda g: np.broadcast_shapes(*g) not in g and np.prod(np.broadcast_shapes(*g)) > 1,
    ):
        find(ts.broadcastable_shapes(3), wanted, settings=settings(max_examples=5000))


@few
@given(ts.matmul_shapes(), ts.matmul_shapes(vectors=False, min_side=1))
def test_matmul_shapes(pair: Any, matrices: Any) -> None:
    np.zeros(pair[0]) @ np.zeros(pair[1])
    np.zeros(matrices[0]) @ np.zeros(matrices[1])
    assert min(map(len, matrices)) >= 2


@few
@given(st.data(), st.sampled_from(ts.VALUES), ts.layouts(), ts.dtypes("float"))
def test_arrays(data: Any, values: str, layout: str, dtype: Any) -> None:
    shape = data.draw(ts.shapes())
    x = data.draw(ts.arrays(shape, dtype, values=values, layout=layout))
    assert x.shape == shape
    assert x.dtype == dtype
    wide = x.astype(np.float64)
    if values not in ("special", "nan", "inf"):
        assert np.isfinite(wide).all()
    if values in ("nan", "inf"):
        assert (np.isnan(wide) if values == "nan" else np.isinf(wide))[~(np.abs(wide) <= 4)].all()
    if values not in ("special", "nan", "inf", "large"):
        assert (np.abs(wide) <= 4).all()
    if values == "positive":
        assert (wide >= 2.0**-4).all()
    if values == "signed_zeros":
        assert not wide.any()
    if values == "distinct" and layout not in ("broadcast", "overlapping") and x.size <= 100:
        assert np.unique(wide).size == x.size


@few
@given(ts.arrays(ts.shapes(max_side=3)), ts.layouts())
def test_layouts_keep_values(x: Any, layout: str) -> None:
    y = ts.laid_out(x, layout)
    assert y.shape == x.shape
    if layout not in ("broadcast", "overlapping"):
        np.testing.assert_array_equal(y, x, strict=True)
    assert not np.shares_memory(x, y)
    assert y.flags.writeable == (layout not in ("broadcast", "overlapping", "readonly"))


def lies_as_said(x: Any, layout: str) -> bool:
    """Whether an array has the property of its layout, wherever its shape allows it."""
    long = [k for k, size in enumerate(x.shape) if size > 1]
    steps = [x.strides[k] // x.itemsize for k in long]
    if x.size <= 1 or not long:
        return True
    if layout in ("C", "readonly"):
        return bool(x.flags.c_contiguous)
    if layout == "F":
        return bool(x.flags.f_contiguous)
    if layout == "transposed":  # the first axis last in memory
        return x.ndim < 2 or x.strides[0] == x.itemsize
    if layout == "negative":
        return all(step < 0 for step in steps)
    if layout == "stepped":
        return all(step % 2 == 0 for step in steps)
    if layout == "offset":
        return x.ndim < 2 or long[0] == x.ndim - 1 or not x.flags.c_contiguous
    if layout == "broadcast":
        return steps[0] == 0 and np.unique(places(x)).size < x.size
    return len(long) < 2 or (steps[0] == steps[1] > 0 and np.unique(places(x)).size < x.size)


def places(x: Any) -> Any:
    """The byte at which each element begins."""
    return sum(i * s for i, s in zip(np.indices(x.shape), x.strides, strict=True))


@few
@given(ts.shapes(max_side=3), ts.layouts(), ts.dtypes())
def test_layouts_have_their_property(shape: tuple[int, ...], layout: str, dtype: Any) -> None:
    x = ts.laid_out(np.zeros(shape, dtype), layout)
    assert x.dtype == dtype
    assert lies_as_said(x, layout)


def test_overlapping_elements_are_one() -> None:
    x = ts.laid_out(np.arange(12.0).reshape(3, 4), "overlapping")
    assert x.tolist() == [[0, 1, 2, 3], [1, 2, 3, 7], [2, 3, 7, 11]]
    assert np.shares_memory(x[0, 1:], x[1, :3])
    with pytest.raises(ValueError, match="read-only"):
        x[0, 0] = 1


CLASSES = {
    "C": lambda x: x.flags.c_contiguous and x.flags.writeable and x.base is None,
    "F": lambda x: x.flags.f_contiguous and not x.flags.c_contiguous,
    "transposed": lambda x: x.ndim == 3 and not x.flags.c_contiguous and not x.flags.f_contiguous,
    "negative": lambda x: any(s < 0 for s in x.strides),
    "broadcast": lambda x: 0 in x.strides and not x.flags.writeable,
    "stepped": lambda x: x.ndim == 2 and x.size > 1 and x.strides[-1] == 2 * x.itemsize,
    "offset": lambda x: x.ndim == 2 and x.size > 1 and x.strides[-1] == x.itemsize and not x.flags.c_contiguous,
    "readonly": lambda x: x.flags.c_contiguous and not x.flags.writeable and 0 not in x.strides,
    "overlapping": lambda x: x.ndim == 3 and x.strides[0] == x.strides[1] and not x.flags.writeable,
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
        ("special", lambda x: bool(((x != 0) & (np.abs(x) < TINY[x.dtype.name])).any())),
        ("special", lambda x: bool((np.abs(x) == MAX[x.dtype.name]).any())),
        ("any", lambda x: bool((x < 0).any() and (x > 1).any())),
        ("signed_zeros", lambda x: bool(np.signbit(x).any() and not np.signbit(x).all())),
        ("subnormal", lambda x: bool(((x != 0) & (np.abs(x) < TINY[x.dtype.name])).any() and (x > 1).any())),
        ("large", lambda x: bool((x > MAX[x.dtype.name] / 8).any() and (x < -MAX[x.dtype.name] / 8).any())),
        ("nan", lambda x: bool(np.isnan(x).any() and (x.astype(float) > 1).any())),
        ("inf", lambda x: bool((x == np.inf).any() and (x == -np.inf).any())),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_every_class_of_values_appears(values: str, wanted: Any, dtype: str) -> None:
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    find(ts.arrays((4,), kind, values=values), lambda x: wanted(x), settings=settings(max_examples=5000))


@few
@given(st.sampled_from(ts.KINDS), st.data())
def test_dtypes(kind: str, data: Any) -> None:
    dtype = data.draw(ts.dtypes(kind))
    assert {"float": "fV", "integer": "iu", "bool": "b"}[kind].count(dtype.kind)


def test_every_dtype_appears() -> None:
    for name in ("float64", "float16", "bfloat16", "int8", "uint8", "int64", "bool"):
        find(ts.dtypes(), lambda d: d.name == name)  # noqa: B023
    with pytest.raises(ValueError, match="complex"):
        ts.dtypes("complex")


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
@given(st.data(), st.booleans(), st.booleans(), st.integers(1, 7))
def test_index_arrays(data: Any, negative: bool, repeats: bool, bound: int) -> None:
    shape = data.draw(ts.shapes(max_dims=2, max_side=2))
    if not repeats and np.prod(shape) > bound:
        with pytest.raises(ValueError, match="different indices"):
            ts.index_arrays(shape, bound, repeats=False)
        return
    k = data.draw(ts.index_arrays(shape, bound, negative=negative, repeats=repeats))
    assert k.shape == shape
    assert k.dtype == np.int64
    assert ((k >= (-bound if negative else 0)) & (k < bound)).all()
    if not repeats:
        assert np.unique(k % bound).size == k.size


def test_every_class_of_index_arrays_appears() -> None:
    find(ts.index_arrays((3,), 4), lambda k: k[0] == k[1] == 3)
    find(ts.index_arrays((3,), 4, negative=True), lambda k: k.min() < 0 < k.max())
    find(ts.index_arrays((3,), 3, repeats=False), lambda k: k.tolist() == [2, 0, 1])
    find(ts.index_arrays((3,), 3, repeats=False, negative=True), lambda k: (k < 0).sum() == 1)
    assert find(ts.index_arrays((0, 2), 0), lambda k: True).shape == (0, 2)
    assert find(ts.index_arrays((2,), 5, dtype=np.int32), lambda k: True).tolist() == [0, 0]
    with pytest.raises(ValueError, match="bound is 0"):
        ts.index_arrays((2,), 0)


def test_shrinks_to_the_simplest() -> None:
    x = find(ts.arrays(ts.shapes(), layout=ts.layouts()), lambda x: x.size >= 1)
    assert x.shape in ((), (1,))
    assert x.sum() == 0
    g = find(ts.conv_geometries(), lambda g: True)
    assert g.weight_shape == (1, 1, 1, 1)
    assert g.input_shape == (0, 1, 1, 1)
    assert find(ts.basic_indices((3,)), lambda i: True) in ((), slice(None))
