"""Indexing, gathering, masks."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinynet as tn
import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.record import EXACT, Call, OpRecord, call, refused
from tinynet.testing.strategies import advanced_indices, arrays, basic_indices, broadcastable_shapes, masks, shapes

X = d.numbers(2, 3)
K = np.array([[0, 1, 1]])
INT = np.int64


def moved(name: str, function: Any, reference: Any, inputs: Any, edges: Any, refusals: Any, **more: Any) -> OpRecord:
    more.setdefault("kind", "primitive")
    if more.get("differentiable", (0,)):
        more.setdefault("integers", st.just(_whole(edges[-1])))
    return OpRecord(
        (name,), function, reference, inputs, edges=tuple(edges), refusals=tuple(refusals), tolerance=EXACT, **more
    )


def _whole(c: Call) -> Call:
    return c.map(lambda a: (a * 8).astype(np.int64) if a.dtype.kind == "f" else a)


@st.composite
def gathers(draw: Any) -> Call:
    shape = draw(shapes(min_dims=1, max_dims=3, min_side=1, max_side=3))
    x = draw(arrays(shape))
    dim = draw(st.integers(-len(shape), len(shape) - 1))
    own = [draw(st.integers(0, n)) for n in shape]
    own[dim] = draw(st.integers(0, 4))
    k = draw(hnp.arrays(draw(st.sampled_from(["int64", "int32"])), tuple(own), elements=st.integers(0, shape[dim] - 1)))
    return call(x, dim, k)


def gather(x: Any, dim: int, k: Any) -> np.ndarray:
    if x.ndim == 0:
        return np.full(k.shape, x)
    y = np.zeros(k.shape, x.dtype)
    for i in itertools.product(*map(range, k.shape)):
        j = list(i)
        j[dim] = k[i]
        y[i] = x[tuple(j)]
    return y


@st.composite
def alongs(draw: Any) -> Call:
    c = draw(gathers())
    x, dim, k = c.args
    cut = tuple(slice(None) if a == dim % x.ndim else slice(0, 1) for a in range(x.ndim))
    return call(x, k[cut] if k.size and draw(st.booleans()) else np.zeros_like(x, dtype=INT), dim)


@st.composite
def selections(draw: Any) -> Call:
    shape = draw(shapes(min_dims=1, max_dims=3, min_side=1, max_side=3))
    dim = draw(st.integers(-len(shape), len(shape) - 1))
    k = draw(hnp.arrays(INT, draw(st.integers(0, 4)), elements=st.integers(0, shape[dim] - 1)))
    return call(draw(arrays(shape)), dim, k)


@st.composite
def masked(draw: Any) -> Call:
    a, b = draw(broadcastable_shapes(2, max_dims=3, max_side=3))
    return call(draw(arrays(a)), draw(masks(b)))


def fill(x: Any, mask: Any, value: Any) -> np.ndarray:
    return np.where(mask, value, x).astype(x.dtype)


FILLED = st.builds(lambda c, v: call(*c.args, v), masked(), st.sampled_from([2, 0.5, -np.inf]) | arrays(()))


def nonzero(x: Any, as_tuple: bool = False) -> Any:
    places = [i for i in itertools.product(*map(range, x.shape)) if x[i] != 0]
    table = np.array(places, INT).reshape(len(places), x.ndim)
    if as_tuple:
        return tuple(table.T) if x.ndim else (np.zeros(len(places), INT),)
    return table


@st.composite
def one_hots(draw: Any) -> Call:
    k = draw(hnp.arrays(INT, d.SMALL, elements=st.integers(0, 4)))
    return call(k, 5) if k.size == 0 or draw(st.booleans()) else call(k)


def one_hot(k: Any, n: int = -1) -> np.ndarray:
    n = int(k.max()) + 1 if n == -1 else n
    return np.eye(n, dtype=INT)[k]


class Key:
    """An index whose arrays the test does not take for arguments."""

    def __init__(self, key: Any) -> None:
        self.key = key

    def __repr__(self) -> str:
        return repr(self.key)

    def of_tensors(self) -> Any:
        def wrap(k: Any) -> Any:
            return tn.from_numpy(np.array(k)) if isinstance(k, np.ndarray) else k

        return tuple(map(wrap, self.key)) if isinstance(self.key, tuple) else wrap(self.key)


@st.composite
def keyed(draw: Any) -> Call:
    shape = draw(d.SMALL)
    return call(draw(arrays(shape)), Key(draw(st.one_of(basic_indices(shape), advanced_indices(shape)))))


@st.composite
def assignments(draw: Any) -> Call:
    shape = draw(d.SMALL)
    key = draw(basic_indices(shape))
    part = np.empty(shape)[key].shape
    if draw(st.booleans()) and shape:
        mask = draw(masks(shape))
        key, part = mask, (1,)
    lead = draw(st.integers(0, len(part)))
    return call(draw(arrays(shape)), Key(key), draw(arrays(tuple(part[lead:]))))


def assign(x: Any, key: Key, v: Any) -> np.ndarray:
    y = x.copy()
    y[key.key] = v
    return y


def setitem(f: Any, x: Any, key: Any, v: Any) -> Any:
    y = tn.Tensor.clone(x)
    f(y, key.of_tensors() if isinstance(key, Key) else key, v)
    return y


def getitem(f: Any, x: Any, key: Any) -> Any:
    return f(x, key.of_tensors() if isinstance(key, Key) else key)


RECORDS = [
    moved(
        "gather",
        tn.gather,
        gather,
        gathers(),
        [
            call(np.array(0.5), 0, np.array(0)),
            call(np.ones((0, 2)), 1, np.zeros((0, 3), INT)),
            call(np.ones(1), 0, np.zeros(0, INT)),
            call(np.ones(1), 0, np.zeros(1, INT)),
            call(X, 1, np.array([[0, 2, 2], [1, 0, 0]])),
        ],
        [
            refused("gather.*3.*range", IndexError, X, 1, 3 * K),
            refused("gather.*dimensions", ValueError, X, 1, K[0]),
            refused("gather.*larger", ValueError, X, 1, np.zeros((3, 1), INT)),
            refused("gather.*integer", TypeError, X, 1, np.zeros((2, 1))),
            refused("gather.*dim 2", IndexError, X, 2, K),
        ],
    ),
    moved(
        "take_along_dim",
        tn.take_along_dim,
        lambda x, k, dim: np.take_along_axis(*_wide(x, k, dim), dim),
        alongs(),
        [
            call(np.ones((0, 2)), np.zeros((0, 3), INT), 1),
            call(np.ones(1), np.zeros(1, INT), 0),
            call(X, np.array([[2], [0]]), 1),
            call(X, K, 0),
        ],
        [
            refused("take_along_dim.*(3|range)", IndexError, X, 3 * K, 1),
            refused("take_along_dim.*integer", TypeError, X, np.zeros((2, 1)), 1),
            refused("take_along_dim", ValueError, X, np.zeros((3, 1), INT), 1),
        ],
        kind="composite",
    ),
    moved(
        "index_select",
        tn.index_select,
        lambda x, dim, k: np.take(x, np.atleast_1d(k), axis=dim) if x.ndim else x,
        selections(),
        [
            call(np.array(0.5), -1, np.array([0])),
            call(np.ones((0, 2)), 1, np.array([1, 1])),
            call(np.ones(1), 0, np.zeros(0, INT)),
            call(np.ones(1), 0, np.array([0])),
            call(X, 1, np.array([2, 0, 2])),
        ],
        [
            refused("index_select.*3", IndexError, X, 1, np.array([3])),
            refused("index_select.*one dimension", ValueError, X, 1, K),
            refused("index_select.*integer", TypeError, X, 1, np.ones(1)),
            refused("index_select.*dim 2", IndexError, X, 2, np.array([0])),
            refused("index_select.*-1", IndexError, X, 1, np.array([-1])),
            refused("index_select.*0-d.*one element", ValueError, np.array(0.5), 0, np.array([0, 0])),
        ],
    ),
    moved(
        "masked_fill",
        tn.masked_fill,
        fill,
        FILLED,
        [
            call(np.array(0.5), np.array(True), 2),
            call(np.ones((0, 2)), np.ones(2, bool), 0.5),
            call(np.ones(1), np.ones((1, 1), bool), 1),
            call(X, np.array([[True], [False]]), 0.5),
        ],
        [
            refused("masked_fill.*boolean", TypeError, X, X, 0.0),
            refused("masked_fill.*value", ValueError, X, X > 1, np.ones(2)),
            refused("masked_fill.*shape", ValueError, X, np.ones(2, bool), 0.0),
        ],
        differentiable=(0, 2),
        integers=st.just(call(np.array([1, 2], INT), np.array([True, False]), 5)),
        broadcasts=True,
    ),
    moved(
        "masked_select",
        tn.masked_select,
        lambda x, m: np.array(
            [v for v, k in zip(*map(np.ravel, np.broadcast_arrays(x, m)), strict=True) if k], x.dtype
        ),
        masked(),
        [
            call(np.array(0.5), np.array(True)),
            call(np.ones((0, 2)), np.ones(2, bool)),
            call(np.ones(1), np.zeros(1, bool)),
            call(X, np.array([[True], [False]])),
        ],
        [
            refused("masked_select.*bool", TypeError, X, X),
            refused("masked_select.*(broadcast|shape)", ValueError, X, np.ones(2, bool)),
        ],
        kind="composite",
    ),
    moved(
        "nonzero",
        tn.nonzero,
        nonzero,
        d.calls(arrays(d.SMALL, values="zeros"), as_tuple=st.booleans()),
        [
            call(np.array(0.5)),
            call(np.array(0.0)),
            call(np.ones((0, 2))),
            call(np.ones(1)),
            call(np.array([[0.0, 1.0], [2.0, 0.0]]), as_tuple=True),
        ],
        [],
        kind="composite",
        differentiable=(),
        result="int64",
        result_of_integers="int64",
        integers=d.calls(d.integer_arrays(low=0, high=1)),
    ),
    moved(
        "F.one_hot",
        F.one_hot,
        one_hot,
        one_hots(),
        [call(np.array(1)), call(np.zeros((0, 2), INT), 3), call(np.array([2]), 3)],
        [
            refused("one_hot.*empty", ValueError, np.zeros(0, INT)),
            refused("one_hot.*2", IndexError, np.array([2]), 2),
            refused("one_hot.*integer", TypeError, np.ones(1)),
        ],
        kind="composite",
        differentiable=(),
        only_integers=True,
        integers=one_hots(),
        result_of_integers="int64",
    ),
    moved(
        "Tensor.__getitem__",
        tn.Tensor.__getitem__,
        lambda x, key: x[key.key],
        keyed(),
        [
            call(np.array(0.5), Key(())),
            call(np.ones((0, 2)), Key((slice(None), 1))),
            call(np.ones(1), Key(np.array([0, 0]))),
            call(X, Key((None, 1, slice(0, 3, 2)))),
        ],
        [
            refused("index.*3.*range", IndexError, X, 3),
            refused("index.*3 indices", IndexError, X, (0, 0, 0)),
            refused("index.*steps", ValueError, X, slice(None, None, -1)),
            refused("index.*(str|cannot)", TypeError, X, "a"),
        ],
        kind="composite",
        invoke=getitem,
    ),
    moved(
        "Tensor.__setitem__",
        tn.Tensor.__setitem__,
        assign,
        assignments(),
        [
            call(np.array(0.5), Key(...), np.array(2.0)),
            call(np.ones((0, 2)), Key(slice(None)), np.ones(2)),
            call(np.ones(1), Key(0), np.array(2.0)),
            call(X, Key((slice(None), 1)), np.ones(1)),
        ],
        [refused("index.*cannot be broadcast", ValueError, X, 0, np.ones(2))],
        kind="composite",
        invoke=setitem,
        differentiable=(0, 2),
    ),
]


def _wide(x: Any, k: Any, dim: int) -> tuple[np.ndarray, np.ndarray]:
    xs, ks = list(x.shape), list(k.shape)
    n, m = xs[dim], ks[dim]
    xs[dim] = ks[dim] = 1
    both = list(np.broadcast_shapes(tuple(xs), tuple(ks)))
    wide, index = both.copy(), both.copy()
    wide[dim], index[dim] = n, m
    return np.broadcast_to(x, wide), np.broadcast_to(k, index)
