"""Shape and joining."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet as tn
from tests.op_records import draw as d
from tests.op_records.record import EXACT, Call, OpRecord, call, refused
from tinynet.testing.strategies import arrays, shapes

LONG = shapes(min_dims=1, max_dims=3, max_side=3)
SOLID = shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)
DIM2 = (refused("dim 2.*range", IndexError, np.ones((2, 3)), 2),)


def moved(names: str, reference: Any, inputs: Any, edges: Any, refusals: Any, **more: Any) -> OpRecord:
    """An operation that moves elements and computes nothing."""
    names_ = tuple(names.split())
    more.setdefault("kind", "primitive")
    more.setdefault("function", getattr(tn, names_[0], None))
    more.setdefault("integers", st.just(edges[-1].map(lambda a: (a * 8).astype(np.int32))))
    return OpRecord(
        names_,
        reference=reference,
        inputs=inputs,
        edges=tuple(edges),
        refusals=tuple(refusals),
        tolerance=EXACT,
        **more,
    )


def a_dim(draw: Any, ndim: int) -> int:
    return int(draw(st.integers(-max(ndim, 1), max(ndim, 1) - 1)))


@st.composite
def with_dim(draw: Any, shape: Any = LONG, optional: bool = False) -> Call:
    x = draw(arrays(shape))
    return call(x) if optional and draw(st.booleans()) else call(x, a_dim(draw, x.ndim))


@st.composite
def reshapes(draw: Any, method: bool = False) -> Call:
    x = draw(arrays(d.SMALL))
    n = x.size
    sizes = [s for s in itertools.product(range(7), repeat=2) if math.prod(s) == n] + [(n,), (n, 1), (1, n, 1)]
    new = draw(st.sampled_from(sizes))
    if n and draw(st.booleans()):
        k = draw(st.integers(0, len(new) - 1))
        new = (*new[:k], -1, *new[k + 1 :])
    return call(x, *new) if draw(st.booleans()) else call(x, new)


def flat_sizes(new: Any) -> Any:
    return new[0] if len(new) == 1 and isinstance(new[0], tuple) else new


@st.composite
def flattenings(draw: Any) -> Call:
    x = draw(arrays(LONG))
    a = draw(st.integers(0, x.ndim - 1))
    b = draw(st.integers(a, x.ndim - 1))
    return draw(
        st.sampled_from([call(x), call(x, a), call(x, a, b - x.ndim), call(x, start_dim=a - x.ndim, end_dim=b)])
    )


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> np.ndarray:
    if x.ndim == 0:
        return x.reshape(1)
    a, b = start_dim % x.ndim, end_dim % x.ndim
    return x.reshape(*x.shape[:a], int(np.prod(x.shape[a : b + 1])), *x.shape[b + 1 :])


def unflatten(x: Any, dim: int, sizes: Any) -> np.ndarray:
    dim %= x.ndim
    sizes = [s if s != -1 else x.shape[dim] // -int(np.prod(sizes)) for s in sizes]
    return x.reshape(*x.shape[:dim], *sizes, *x.shape[dim + 1 :])


@st.composite
def squeezings(draw: Any) -> Call:
    x = draw(arrays(st.lists(st.sampled_from([1, 1, 2, 0]), max_size=4).map(tuple)))
    form = draw(st.sampled_from(["all", "one", "some"]))
    if form == "all":
        return call(x)
    if form == "one":
        return call(x, a_dim(draw, x.ndim))
    return call(x, tuple(draw(st.lists(st.integers(0, x.ndim - 1), unique=True)) if x.ndim else ()))


def squeeze(x: Any, dim: Any = None) -> np.ndarray:
    dims = range(x.ndim) if dim is None else [k % x.ndim for k in np.atleast_1d(dim).astype(int)] if x.ndim else []
    return x.reshape([n for k, n in enumerate(x.shape) if n != 1 or k not in dims])


@st.composite
def permutations(draw: Any) -> Call:
    x = draw(arrays(d.SMALL))
    order = draw(st.permutations(range(x.ndim)))
    order = [k - x.ndim if draw(st.booleans()) else k for k in order]
    return call(x, *order) if order and draw(st.booleans()) else call(x, tuple(order))


@st.composite
def movings(draw: Any) -> Call:
    x = draw(arrays(LONG))
    if draw(st.booleans()):
        return call(x, a_dim(draw, x.ndim), a_dim(draw, x.ndim))
    n = draw(st.integers(0, x.ndim))
    source, destination = (tuple(draw(st.permutations(range(x.ndim)))[:n]) for _ in range(2))
    return call(x, source, destination)


@st.composite
def expansions(draw: Any, minus: bool = True) -> Call:
    shape = draw(d.SMALL)
    ones = [draw(st.booleans()) for _ in shape]
    x = draw(arrays(tuple(1 if o else n for o, n in zip(ones, shape, strict=True))))
    target = tuple(-1 if minus and not o and draw(st.booleans()) else n for o, n in zip(ones, shape, strict=True))
    lead = draw(st.sampled_from([(), (2,), (0, 1)]))
    return call(x, (*lead, *target))


def expand(x: Any, *size: Any) -> np.ndarray:
    size = flat_sizes(size)
    lead = len(size) - x.ndim
    return np.broadcast_to(x, [x.shape[k - lead] if n == -1 else n for k, n in enumerate(size)])


@st.composite
def lists_of(draw: Any, join: bool) -> Call:
    shape = draw(d.SMALL if not join else LONG)
    dim = a_dim(draw, len(shape) + (not join))
    xs = []
    for _ in range(draw(st.integers(1, 3))):
        own = list(shape)
        if join:
            own[dim] = draw(st.integers(0, 3))
        xs.append(draw(arrays(tuple(own))))
    if join and draw(st.booleans()):
        xs.append(np.zeros(0))  # passed over
        if draw(st.booleans()):
            xs = xs[-1:] + xs[:-1]
    return Call(tuple(xs), {} if dim == 0 and draw(st.booleans()) else {"dim": dim})


def cat(*xs: Any, dim: int = 0) -> np.ndarray:
    kept = [x for x in xs if x.shape != (0,)] or [xs[0]]
    return np.concatenate(kept, axis=dim)


def joined(f: Any, *xs: Any, **options: Any) -> Any:
    return f(list(xs), **options)


@st.composite
def narrowings(draw: Any) -> Call:
    x = draw(arrays(LONG))
    dim = a_dim(draw, x.ndim)
    start = draw(st.integers(0, x.shape[dim]))
    length = draw(st.integers(0, x.shape[dim] - start))
    back = start - x.shape[dim] if x.shape[dim] > 0 and start < x.shape[dim] and draw(st.booleans()) else start
    return call(x, dim, back, length)


def narrow(x: Any, dim: int, start: int, length: int) -> np.ndarray:
    start = start + x.shape[dim] if start < 0 else start
    return np.take(x, range(start, start + length), axis=dim)


@st.composite
def splits(draw: Any) -> Call:
    x = draw(arrays(SOLID))
    dim = a_dim(draw, x.ndim)
    n = x.shape[dim]
    cut = draw(st.integers(0, n))
    parts = draw(st.sampled_from([1, 2, n, n + 1, [cut, n - cut], (n, 0)]))
    return call(x, parts, dim) if draw(st.booleans()) or dim else call(x, parts)


def split(x: Any, parts: Any, dim: int = 0) -> tuple[np.ndarray, ...]:
    if isinstance(parts, int):
        ends = list(range(parts, x.shape[dim], parts))
    else:
        ends = list(np.cumsum(parts)[:-1])
    return tuple(np.split(x, ends, axis=dim))


@st.composite
def chunkings(draw: Any) -> Call:
    x = draw(arrays(SOLID))
    return call(x, draw(st.integers(1, 5)), a_dim(draw, x.ndim))


def chunk(x: Any, chunks: int, dim: int = 0) -> tuple[np.ndarray, ...]:
    return split(x, -(-x.shape[dim] // chunks), dim) if x.shape[dim] else (x,) * chunks


@st.composite
def flips(draw: Any) -> Call:
    x = draw(arrays(d.SMALL))
    chosen = tuple(draw(st.lists(st.integers(0, x.ndim - 1), unique=True))) if x.ndim else ()
    return call(x, chosen)


@st.composite
def triangles(draw: Any) -> Call:
    x = draw(arrays(shapes(min_dims=2, max_dims=3, max_side=3)))
    return call(x, draw(st.integers(-4, 4))) if draw(st.booleans()) else call(x)


X0, X1, XE = np.array(0.5), d.numbers(1), np.ones((2, 0))
X = d.numbers(2, 3)


def same(x: Any) -> Any:
    return x


SIZES = (refused(r"fit", ValueError, X, (4, 2)), refused("-1", ValueError, X, (-1, -1)))

RECORDS = [
    moved(
        "reshape",
        lambda x, *n: x.reshape(flat_sizes(n)),
        reshapes(),
        [call(X0, ()), call(X0, 1, 1), call(XE, (0,)), call(X1, ()), call(X, -1, 2)],
        (*SIZES, refused("reshape.*integers", TypeError, X, 1.5)),
    ),
    moved(
        "Tensor.view",
        lambda x, *n: x.reshape(flat_sizes(n)),
        reshapes(),
        [call(X0, 1), call(XE, (0,)), call(X1, ()), call(X, 3, 2)],
        SIZES,
        function=tn.Tensor.view,
        layouts=False,
    ),
    moved(
        "Tensor.reshape_as",
        lambda x, y: x.reshape(y.shape),
        st.just(call(X, np.ones((3, 2)))),
        [call(X0, X1), call(XE, np.ones(0)), call(X, np.ones((3, 1, 2)))],
        (),
        function=tn.Tensor.reshape_as,
    ),
    moved(
        "Tensor.view_as",
        lambda x, y: x.reshape(y.shape),
        st.just(call(X, np.ones((3, 2)))),
        [call(X0, X1), call(XE, np.ones(0)), call(X, np.ones((3, 1, 2)))],
        (),
        function=tn.Tensor.view_as,
        layouts=False,
    ),
    moved(
        "Tensor.expand_as",
        lambda x, y: np.broadcast_to(x, y.shape),
        st.just(call(X1, np.ones((3, 2)))),
        [call(X0, X1), call(np.ones((1, 0)), np.ones((2, 0))), call(X, np.ones((2, 2, 3)))],
        (),
        function=tn.Tensor.expand_as,
        broadcasts=False,
    ),
    moved(
        "Tensor.contiguous",
        same,
        st.builds(lambda c: call(c.args[0]), permutations()),
        [call(X0), call(XE), call(X1), call(X)],
        (),
        function=tn.Tensor.contiguous,
    ),
    moved(
        "flatten",
        flatten,
        flattenings(),
        [call(X0), call(XE), call(X1), call(X, 0, 1)],
        (refused("flatten.*dim 2", IndexError, X, 2), refused("flatten.*after", ValueError, X, 1, 0)),
    ),
    moved(
        "unflatten",
        unflatten,
        st.builds(
            lambda c, s: call(np.repeat(c, 6, 0), 0, s),
            arrays(shapes(min_dims=1, max_dims=2, min_side=1, max_side=1)),
            st.sampled_from([(2, 3), (6, 1), (-1, 2), (1, 1, 6)]),
        ),
        [call(XE, 1, (0, 3)), call(X1, 0, (1, 1)), call(X, 1, (3, -1))],
        (refused("unflatten.*sizes", ValueError, X, 1, (2, 2)),),
    ),
    moved(
        "squeeze",
        squeeze,
        squeezings(),
        [call(X0), call(np.ones((1, 0))), call(X1), call(d.numbers(2, 1, 3), 1)],
        (refused("squeeze.*dim 2", IndexError, X, 2),),
    ),
    moved(
        "unsqueeze",
        lambda x, k: np.expand_dims(x, k),
        with_dim(d.SMALL),
        [call(X0, 0), call(XE, -1), call(X1, 1), call(X, -3)],
        (refused("unsqueeze.*dim 3", IndexError, X, 3),),
    ),
    moved(
        "permute",
        lambda x, *k: np.transpose(x, flat_sizes(k)),
        permutations(),
        [call(X0, ()), call(XE, 1, 0), call(X1, 0), call(X, (1, -2))],
        (refused("permute.*2 dims", ValueError, X, 0), refused("permute.*twice", ValueError, X, 0, 0)),
    ),
    moved(
        "transpose swapaxes swapdims",
        lambda x, a, b: np.swapaxes(x, a, b),
        with_dim().map(lambda c: call(*c.args, 0)),
        [call(X1, 0, 0), call(XE, 0, 1), call(X1, 0, -1), call(X, 0, -1)],
        (refused("transpose.*dim 2", IndexError, X, 0, 2),),
    ),
    moved(
        "t",
        lambda x: x.T,
        d.calls(arrays(shapes(max_dims=2))),
        [call(X0), call(XE), call(X1), call(X)],
        (refused("t: .*2 dim", ValueError, np.ones((1, 1, 1))),),
    ),
    moved(
        "movedim moveaxis",
        np.moveaxis,
        movings(),
        [call(XE, 0, 1), call(X1, 0, -1), call(X, (0, 1), (1, 0))],
        (refused("movedim.*2 sources", ValueError, X, (0, 1), (0,)), refused("movedim.*dim 2", IndexError, X, 2, 0)),
    ),
    moved(
        "broadcast_to",
        expand,
        expansions(False),
        [call(X0, (2, 3)), call(np.ones((1, 0)), (2, 0)), call(X1, (0,)), call(X1, (1,)), call(X, (2, 2, 3))],
        (refused("broadcast_to.*cannot", ValueError, X, (3, 3)),),
    ),
    moved(
        "Tensor.expand",
        expand,
        st.one_of(expansions(), st.just(call(X1, 2, -1))),
        [call(X0, 2, 3), call(np.ones((1, 0)), 2, -1), call(X1, 0), call(X1, -1), call(X, (2, -1, 3))],
        (refused("expand.*cannot", ValueError, X, 3, 3), refused("expand.*cannot", ValueError, X, -1, 2, 3)),
        function=tn.Tensor.expand,
    ),
    moved("clone", same, d.calls(arrays(d.SMALL)), [call(X0), call(XE), call(X1), call(X)], ()),
    moved(
        "cat concat concatenate",
        cat,
        lists_of(True),
        [call(X1), call(XE, XE, dim=1), call(np.ones(0), X1), call(X, d.numbers(1, 3), dim=-2)],
        (
            refused("cat.*differs", ValueError, X, np.ones((2, 2))),
            refused("cat.*0-d", ValueError, X0, X0),
            refused("cat.*at least one", ValueError),
            refused("cat.*dim 2", IndexError, X, X, dim=2),
        ),
        invoke=joined,
        differentiable=(0, 1, 2, 3),
    ),
    moved(
        "stack",
        lambda *xs, dim=0: np.stack(xs, dim),
        lists_of(False),
        [call(X0, X0), call(XE, XE, dim=2), call(X1), call(X, 2 * X, dim=-1)],
        (
            refused("stack.*shape", ValueError, X, np.ones((2, 2))),
            refused("stack.*at least one", ValueError),
            refused("stack.*dim 3", IndexError, X, X, dim=3),
        ),
        invoke=joined,
        differentiable=(0, 1, 2),
        kind="composite",
    ),
    moved(
        "narrow",
        narrow,
        narrowings(),
        [call(XE, 1, 0, 0), call(X1, 0, 0, 1), call(X, 1, -2, 2)],
        (refused("narrow.*start 2", IndexError, X, 1, 2, 2), refused("narrow.*dim 2", IndexError, X, 2, 0, 1)),
    ),
    moved(
        "split",
        split,
        splits(),
        [call(np.ones((0, 2)), 2, 1), call(X1, 1), call(X, [1, 2], 1)],
        (
            refused("split.*sum", ValueError, X, [1, 1], 1),
            refused("split.*split_size", ValueError, X, 0),
            refused("split.*dim 2", IndexError, X, 1, 2),
        ),
    ),
    moved(
        "chunk",
        chunk,
        chunkings(),
        [call(XE, 2, 1), call(X1, 3), call(X, 2, 1)],
        (refused("chunk.*chunks", ValueError, X, 0), refused("chunk.*dim 2", IndexError, X, 1, 2)),
    ),
    moved(
        "unbind",
        lambda x, dim=0: tuple(np.moveaxis(x, dim, 0)),
        with_dim(SOLID, optional=True),
        [call(np.ones((2, 0))), call(X1), call(X, -1)],
        (refused("unbind.*0-d", ValueError, X0), refused("unbind.*dim 2", IndexError, X, 2)),
    ),
    moved(
        "flip",
        lambda x, dims: np.flip(x, dims),
        flips(),
        [call(X0, ()), call(XE, (0, 1)), call(X1, 0), call(X, (0, -1))],
        (refused("flip.*dim 2", IndexError, X, 2), refused("flip.*twice", ValueError, X, (0, -2))),
    ),
    *(
        moved(
            name,
            f,
            triangles(),
            [call(np.ones((0, 2))), call(np.ones((1, 1)), 1), call(np.ones((2, 3, 0))), call(d.numbers(2, 3, 3), -1)],
            (refused(f"{name}.*2 dim", ValueError, np.ones(2)),),
        )
        for name, f in (("tril", np.tril), ("triu", np.triu))
    ),
]
