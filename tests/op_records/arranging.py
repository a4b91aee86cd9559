"""More shapes: diagonals, repetition, rotation, and joining by name."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tests.op_records import draw as d
from tests.op_records.record import EXACT, Call, OpRecord, call, refused

X, C, V, U = d.numbers(2, 3), d.numbers(2, 4, 3), d.numbers(5), d.numbers(4, start=2.2)
M = d.numbers(3, 3)
POINT, NONE, ONE = np.array(0.7), np.ones((0, 3)), np.ones((1, 1))
EMPTY, SINGLE = np.ones(0), np.ones(1)
I32 = np.array([[3, 0, -2], [7, 5, 1]], np.int32)


def listed(names: str, reference: Any, *calls: Call, **more: Any) -> OpRecord:
    name = names.split()[0].rpartition(".")[2]
    more.setdefault("edges", (call(NONE), call(ONE)))
    more.setdefault(
        "integers", d.whole(*(a.astype(np.int32) if isinstance(a, np.ndarray) else a for a in calls[-1].args))
    )
    if more.pop("joins", False):
        more |= {"invoke": joined, "differentiable": (0, 1, 2)}
        more["refusals"] = (refused(f"{name}.*at least one", ValueError), *more.get("refusals", ()))
    return d.listed(names, reference, *calls, tolerance=EXACT, **more)


def joined(f: Any, *xs: Any) -> Any:
    return f(list(xs))


def tuple_of(f: Any) -> Any:
    return lambda *a, **k: tuple(f(*a, **k))


def tensor_split(x: Any, parts: Any, dim: int = 0) -> tuple[np.ndarray, ...]:
    return tuple(np.array_split(x, parts if isinstance(parts, int) else list(parts), dim))


def block_diag(*xs: Any) -> np.ndarray:
    xs = tuple(np.atleast_2d(x) for x in xs)
    z, i, j = np.zeros((sum(x.shape[0] for x in xs), sum(x.shape[1] for x in xs))), 0, 0
    for x in xs:
        z[i : i + x.shape[0], j : j + x.shape[1]] = x
        i, j = i + x.shape[0], j + x.shape[1]
    return z


def cartesian(*xs: Any) -> np.ndarray:
    return xs[0] if len(xs) == 1 else np.array(list(itertools.product(*xs)), xs[0].dtype).reshape(-1, len(xs))


def combinations(x: Any, r: int = 2, with_replacement: bool = False) -> np.ndarray:
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    return np.array(list(choose(x, r)), x.dtype).reshape(-1, r)


def repeat(x: Any, *times: Any) -> np.ndarray:
    return np.tile(x, times[0] if isinstance(times[0], tuple) else times)


def repeat_interleave(x: Any, repeats: Any = None, dim: Any = None) -> np.ndarray:
    return np.repeat(np.arange(x.size), x) if repeats is None else np.repeat(x, repeats, dim)


def windows(x: Any, dim: int, size: int, step: int) -> np.ndarray:
    if x.ndim == 0:
        return x.reshape(1)[:size]
    starts = range(0, x.shape[dim] - size + 1, step)
    return np.stack([np.moveaxis(np.take(x, range(i, i + size), dim), dim, -1) for i in starts], dim % x.ndim)


def diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> np.ndarray:
    n = x.shape[-1] + abs(offset)
    z = np.zeros((*x.shape[:-1], n, n))
    for i in range(x.shape[-1]):
        z[..., i + max(-offset, 0), i + max(offset, 0)] = x[..., i]
    return np.moveaxis(z, (-2, -1), (dim1, dim2))


def grid(*xs: Any, indexing: str = "ij") -> tuple[np.ndarray, ...]:
    return tuple(np.meshgrid(*xs, indexing=indexing))


RECORDS = [
    listed("ravel", lambda x: x.reshape(-1), call(POINT), call(C.T), call(X)),
    listed(
        "tensor_split",
        tensor_split,
        call(V, 7),
        call(C, (1, 3), 1),
        call(V, (4, -1)),
        call(V, 2),
        edges=(call(NONE, 2), call(ONE, 1)),
        refusals=(
            refused("tensor_split.*sections", ValueError, V, 0),
            refused("tensor_split.*0-d", ValueError, POINT, 1),
        ),
    ),
    *(
        listed(
            name,
            tuple_of(f),
            call(x, (1,)),
            call(x, n),
            edges=(call(np.ones((0, 3, 2)), (0,)), call(np.ones((1, 1, 1)), 1)),
            refusals=(
                refused(f"{name}.*dimensions", ValueError, POINT, 1),
                refused(f"{name}.*equal", ValueError, x, 5),
            ),
        )
        for name, f, x, n in (("hsplit", np.hsplit, C, 2), ("vsplit", np.vsplit, X, 2), ("dsplit", np.dsplit, C, 3))
    ),
    listed("hstack", lambda *x: np.hstack(x), call(POINT, V), call(U, V), call(X, X + 1), joins=True),
    listed("vstack row_stack", lambda *x: np.vstack(x), call(V, V), call(X, M), joins=True),
    listed("dstack", lambda *x: np.dstack(x), call(V, V), call(X, X + 1), joins=True),
    listed("column_stack", lambda *x: np.column_stack(x), call(M[0], M), call(X, X + 1), joins=True),
    *(
        listed(f"atleast_{n}d", f, call(POINT), call(V), call(X), edges=(call(EMPTY), call(SINGLE)))
        for n, f in ((1, np.atleast_1d), (2, np.atleast_2d), (3, np.atleast_3d))
    ),
    listed(
        "block_diag",
        block_diag,
        call(V, POINT, X),
        call(X),
        call(X, M),
        differentiable=(0, 1, 2),
        refusals=(refused("block_diag.*2 dim", ValueError, C),),
    ),
    listed(
        "broadcast_tensors",
        lambda *x: tuple(np.broadcast_arrays(*x)),
        call(X, POINT),
        call(X, M[0]),
        differentiable=(0, 1),
        broadcasts=True,
        refusals=(refused("broadcast_tensors.*shapes", ValueError, X, V),),
    ),
    listed(
        "meshgrid",
        grid,
        call(U, V, indexing="xy"),
        call(U, V, V[:2], indexing="xy"),
        call(U, V),
        edges=(call(EMPTY, V), call(SINGLE)),
        differentiable=(0, 1, 2),
        refusals=(
            refused("meshgrid.*indexing", ValueError, V, indexing="yx"),
            refused("meshgrid.*one dim", ValueError, X),
        ),
    ),
    listed(
        "cartesian_prod",
        cartesian,
        call(V),
        call(U, V, V[:2]),
        call(U, V),
        edges=(call(EMPTY, V), call(SINGLE)),
        differentiable=(0, 1, 2),
        refusals=(refused("cartesian_prod.*vectors", ValueError, X),),
    ),
    listed(
        "combinations",
        combinations,
        call(V, 3),
        call(V, 2, True),
        call(V),
        edges=(call(EMPTY), call(SINGLE, 1)),
        refusals=(refused("combinations.*vector", ValueError, X),),
    ),
    listed(
        "Tensor.repeat",
        repeat,
        call(X, (2, 1, 2)),
        call(POINT, 3),
        call(X, 0, 2),
        call(X, 3, 2),
        edges=(call(NONE, 2, 1), call(ONE, 1, 1)),
        refusals=(refused("repeat.*2 dim", ValueError, X, 2),),
    ),
    listed(
        "tile",
        repeat,
        call(X, 2, 1, 2),
        call(POINT, 3),
        call(X, (2,)),
        call(X, (3, 2)),
        edges=(call(NONE, 2), call(ONE, 1)),
    ),
    listed(
        "repeat_interleave",
        repeat_interleave,
        call(X, 2),
        call(X, np.array([1, 0, 2]), 1),
        call(np.array([1, 0, 2])),
        call(X, 2, -1),
        edges=(call(NONE, 2), call(ONE, 1, 1)),
        refusals=(
            refused("repeat_interleave.*repeats", ValueError, X, np.array([1, 2]), 1),
            refused("repeat_interleave.*≥ 0", ValueError, X, -1),
            refused("repeat_interleave.*dim 2", IndexError, X, 2, 2),
        ),
    ),
    listed(
        "roll",
        np.roll,
        call(C, 1),
        call(C, (1, -2), (0, 1)),
        call(POINT, 1),
        call(X, -7, 1),
        edges=(call(NONE, 1, 0), call(ONE, 1)),
        refusals=(refused("roll.*2 shifts", ValueError, X, (1, 2), 0), refused("roll.*dim 2", IndexError, X, 1, 2)),
    ),
    listed("fliplr", np.fliplr, call(C), call(X), refusals=(refused("fliplr.*2 dim", ValueError, V),)),
    listed("flipud", np.flipud, call(V), call(X), refusals=(refused("flipud.*1 dim", ValueError, POINT),)),
    listed(
        "rot90",
        lambda x, k=1, dims=(0, 1): np.rot90(x, k, dims),
        call(C, 2),
        call(C, 3, (1, 2)),
        call(C, -1, (2, 0)),
        call(X, 4),
        call(X),
        refusals=(refused("rot90.*two different", ValueError, X, 1, (0, 0)),),
    ),
    listed(
        "Tensor.unfold",
        windows,
        call(C, 1, 3, 2),
        call(POINT, 0, 1, 1),
        call(V, 0, 2, 1),
        edges=(call(NONE, 1, 2, 1), call(ONE, 0, 1, 1)),
        refusals=(refused("unfold.*size", ValueError, V, 0, 6, 1), refused("unfold.*dim 2", IndexError, X, 2, 1, 1)),
    ),
    listed(
        "diagonal",
        lambda x, offset=0, dim1=0, dim2=1: np.diagonal(x, offset, dim1, dim2),
        call(C, 1, 1, 2),
        call(C, -1, 0, 2),
        call(X, 5),
        call(X),
        refusals=(
            refused("diagonal.*differ", ValueError, X, 0, 1, -1),
            refused("diagonal.*dim 2", IndexError, X, 0, 0, 2),
        ),
    ),
    listed(
        "linalg.diagonal",
        lambda x, offset=0, dim1=-2, dim2=-1: np.diagonal(x, offset, dim1, dim2),
        call(C, offset=1),
        call(C, dim1=0, dim2=2),
        call(X),
    ),
    listed(
        "diag",
        np.diag,
        call(V, 2),
        call(X, -1),
        call(V),
        call(M),
        edges=(call(EMPTY), call(NONE), call(ONE)),
        refusals=(refused("diag.*vector or a matrix", ValueError, C),),
    ),
    listed(
        "diag_embed",
        diag_embed,
        call(X, 1, 0, 2),
        call(V, -2),
        call(X),
        refusals=(
            refused("diag_embed.*differ", ValueError, X, 0, 1, 1),
            refused("diag_embed.*one dim", ValueError, POINT),
        ),
    ),
    listed("diagflat", np.diagflat, call(X, -1), call(POINT), call(X)),
]
