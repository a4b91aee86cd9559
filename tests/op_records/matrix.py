"""Products with a sum, of several tensors and along dimensions; square matrices; norms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.spatial import distance

from tests.op_records import draw as d
from tests.op_records.record import Call, OpRecord, Tolerance, call, refused

GENERATOR = np.random.default_rng(11)
X, Y = GENERATOR.normal(size=(2, 3)), GENERATOR.normal(size=(2, 3))
M, N = GENERATOR.normal(size=(3, 3)), GENERATOR.normal(size=(3, 3))
B, C = GENERATOR.normal(size=(2, 3, 3)), GENERATOR.normal(size=(2, 3, 3))
V, W, U = GENERATOR.normal(size=4), GENERATOR.normal(size=3), GENERATOR.normal(size=3)
SPD = np.einsum("bij,bkj->bik", B, B) + np.eye(3)
SYMMETRIC = (SPD + SPD.swapaxes(-1, -2)) / 2
POINT, NONE, ONE = np.array(0.7), np.ones((0, 3)), np.ones((1, 1))
BATCHES = np.ones((0, 3, 3))
PRODUCTS = Tolerance(64, 4, "sums of products of both signs")
SOLVED = Tolerance(4096, 64, "LAPACK's solution, and the condition of these matrices")
J32 = np.array([[1, 2, 3], [3, 2, 1], [0, 1, 1]], np.int32)


def listed(names: str, reference: Any, *calls: Call, **more: Any) -> OpRecord:
    more.setdefault("tolerance", PRODUCTS)
    return d.listed(names, reference, *calls, **more)


def plus(product: Any) -> Any:
    def reference(x: Any, a: Any, b: Any, beta: float = 1, alpha: float = 1) -> np.ndarray:
        z = alpha * product(a, b)
        return z if beta == 0 else beta * x + z

    return reference


def added(name: str, product: Any, x: Any, a: Any, b: Any, bad: Any, empty: Call, one: Call) -> OpRecord:
    wide = np.zeros((*product(a, b).shape, 2))
    return listed(
        name,
        plus(product),
        call(x, a, b, beta=0.5, alpha=2),
        call(np.full(x.shape, np.nan), a, b, beta=0),
        call(np.array(1.5), a, b),
        call(x, a, b),
        edges=(empty, one),
        differentiable=(0, 1, 2),
        smooth=d.st.just(call(x, a, b, beta=0.5, alpha=2)),
        integers=d.whole(*(np.rint(3 * t).astype(np.int32) for t in (x, a, b)), beta=2),
        refusals=(
            refused(f"{name}.*broadcast", ValueError, wide, a, b),
            refused(f"{name}", ValueError, x, *bad),
            refused(f"{name}.*dtype", TypeError, x.astype(np.float32), a, b),
        ),
    )


def norm_of(x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False) -> np.ndarray:
    axis = dim if dim is None or isinstance(dim, int) else tuple(dim)
    if ord in (math.inf, -math.inf):
        return (np.max if ord > 0 else np.min)(np.abs(x), axis=axis, keepdims=keepdim)
    if ord == 0:
        return np.sum(x != 0, axis=axis, keepdims=keepdim).astype(float)
    return np.sum(np.abs(x) ** ord, axis=axis, keepdims=keepdim) ** (1 / ord)


def matrix_norm(x: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False) -> np.ndarray:
    return np.linalg.norm(x, ord, tuple(dim), keepdim)


def any_norm(x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False) -> np.ndarray:
    if ord is None:
        return norm_of(x, 2, dim, keepdim)
    return np.linalg.norm(x, ord, dim, keepdim)


def cdist(x: Any, y: Any, p: float = 2.0) -> np.ndarray:
    """SciPy's, matrix by matrix."""
    lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = (np.broadcast_to(t, (*lead, *t.shape[-2:])) for t in (x, y))
    z = np.zeros((*lead, x.shape[-2], y.shape[-2]))
    for i in np.ndindex(lead):
        kind = {1.0: "cityblock", math.inf: "chebyshev"}.get(p, "minkowski")
        z[i] = distance.cdist(x[i], y[i], kind, **({"p": p} if kind == "minkowski" else {})) if z[i].size else z[i]
    return z


def solve(a: Any, b: Any, left: bool = True) -> np.ndarray:
    if b.ndim == 1 or b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]:
        return np.linalg.solve(a, b[..., None])[..., 0]
    return np.linalg.solve(a, b) if left else np.linalg.solve(a.swapaxes(-1, -2), b.swapaxes(-1, -2)).swapaxes(-1, -2)


def lower(x: Any, upper: bool = False) -> np.ndarray:
    z = np.linalg.cholesky(x)
    return z.swapaxes(-1, -2) if upper else z


def symmetric(f: Any, x: Any, *rest: Any, **options: Any) -> Any:
    """The factor of the symmetric part, so that the derivative exists in every direction."""
    if not (hasattr(x, "mT") and x.is_floating_point() and x.shape[-1] == x.shape[-2]):
        return f(x, *rest, **options)
    return f((x + x.mT) * 0.5, *rest, **options)


SQUARES = (call(BATCHES), call(ONE))


def square(names: str, f: Any, *calls: Call, edges: Any = SQUARES, **more: Any) -> OpRecord:
    name = names.split()[0].rpartition(".")[2]
    bad = refused(f"{name}.*square", ValueError, X, *more.pop("bad", ()), **more.pop("named", {}))
    refusals = (bad, *more.pop("refusals", ()))
    more = {
        "halves": False,
        "result_of_integers": None,
        "tolerance": SOLVED,
        "refusals": refusals,
        "layouts": False,
        **more,
    }
    return listed(names, f, *calls, edges=edges, **more)


def pair(names: str, f: Any, *calls: Call, **more: Any) -> OpRecord:
    return listed(names, f, *calls, differentiable=(0, 1), **more)


SINGULAR = np.ones((2, 2))
FLOATS: dict[str, Any] = {"result_of_integers": None}
RECORDS = [
    added("addmm", np.matmul, Y, X, M, (X, X), call(NONE, NONE, M), call(ONE, ONE, ONE)),
    added("addmv", np.matmul, U, M, W, (M, V), call(np.ones(0), NONE, W), call(ONE[0], ONE, ONE[0])),
    added("addr", np.outer, Y, X[:, 0], W, (M, W), call(NONE, np.ones(0), W), call(ONE, ONE[0], ONE[0])),
    added(
        "baddbmm", np.matmul, B, B, C, (B, M), call(BATCHES, BATCHES, BATCHES), call(ONE[None], ONE[None], ONE[None])
    ),
    added(
        "addbmm",
        lambda a, b: np.matmul(a, b).sum(0),
        M,
        B,
        C,
        (B, M),
        call(M, BATCHES, BATCHES),
        call(ONE, ONE[None], ONE[None]),
    ),
    pair(
        "vdot",
        np.vdot,
        call(V, V + 1),
        edges=(call(np.ones(0), np.ones(0)), call(ONE[0], ONE[0])),
        integers=d.whole(J32[0], J32[1]),
        refusals=(refused("vdot.*two vectors", ValueError, X, X),),
    ),
    pair(
        "inner",
        np.inner,
        call(B, W),
        call(POINT, X),
        call(X, Y),
        edges=(call(NONE, X), call(ONE, ONE)),
        integers=d.whole(J32, J32),
        refusals=(refused("inner.*last sizes", ValueError, X, V),),
    ),
    pair(
        "tensordot",
        lambda a, b, dims=2: np.tensordot(a, b, dims),
        call(B, B, ((0, 2), (0, 1))),
        call(W, V, 0),
        call(B, M),
        edges=(call(NONE, X, 0), call(ONE, ONE, 1)),
        plain=call(X, M, 1),
        integers=d.whole(J32, J32),
        refusals=(refused("tensordot.*sizes", ValueError, X, V, 1), refused("tensordot.*dims", ValueError, X, X, 3)),
    ),
    pair(
        "kron",
        np.kron,
        call(V, X),
        call(POINT, X),
        call(X, M),
        edges=(call(NONE, X), call(ONE, ONE)),
        integers=d.whole(J32, J32),
        promotes=True,
    ),
    pair(
        "cross",
        lambda x, y, dim=None: np.cross(x, y, axis=-1 if dim is None else dim),
        call(X, Y),
        call(M, N, 0),
        call(X, Y, 1),
        edges=(
            call(NONE, NONE),
            call(np.ones((1, 3)), np.ones((1, 3))),
            call(np.ones((3, 1, 1)), np.ones((3, 1, 1)), 0),
        )[:2],
        integers=d.whole(J32[:2], J32[1:]),
        refusals=(refused("cross.*size 3", ValueError, V, V),),
    ),
    pair(
        "linalg.cross",
        lambda x, y, dim=-1: np.cross(x, y, axis=dim),
        call(M, N, dim=0),
        call(X, Y),
        edges=(call(NONE, NONE), call(np.ones((1, 3)), np.ones((1, 3)))),
        integers=d.whole(J32, J32),
    ),
    pair(
        "linalg.vecdot",
        lambda x, y, dim=-1: (x * y).sum(dim),
        call(X, Y, dim=0),
        call(X, Y),
        edges=(call(NONE, NONE), call(ONE, ONE)),
        integers=d.whole(J32.astype(np.int64), J32.astype(np.int64)),
    ),
    listed(
        "linalg.multi_dot",
        lambda *xs: np.linalg.multi_dot(xs),
        call(W, M, N, U),
        call(W, M, N),
        call(X, M, W),
        call(X, M, N, M),
        edges=(call(NONE, M, N), call(ONE, ONE, ONE)),
        differentiable=(0, 1, 2, 3),
        invoke=lambda f, *xs: f(list(xs)),
        integers=d.whole(J32, J32, J32),
        refusals=(
            refused("multi_dot.*two", ValueError, X),
            refused("multi_dot", ValueError, X, B, M),
            refused("multi_dot.*agree", ValueError, X, X),
        ),
    ),
    listed(
        "chain_matmul",
        lambda *xs: np.linalg.multi_dot(xs) if len(xs) > 1 else xs[0],
        call(X),
        call(X, M, N),
        edges=(call(NONE, M, N), call(ONE)),
        differentiable=(0, 1, 2),
        integers=d.whole(J32, J32, J32),
        refusals=(refused("chain_matmul.*matrices", ValueError, W, M),),
    ),
    listed(
        "trace",
        np.trace,
        call(M),
        call(X),
        edges=(call(NONE), call(ONE)),
        integers=d.whole(J32),
        result_of_integers="int64",
        refusals=(refused("trace.*matrix", ValueError, B),),
    ),
    pair(
        "cdist",
        cdist,
        call(B, M),
        call(X, M, 1.0),
        call(X, M, 3.0),
        call(X, M, math.inf),
        call(X, M),
        edges=(call(NONE, M), call(ONE, 2 * ONE)),
        refusals=(refused("cdist.*agree", ValueError, X, V[None]), refused("cdist.*p must", ValueError, X, M, -1.0)),
        **FLOATS,
    ),
    pair(
        "dist",
        lambda x, y, p=2: norm_of(x - y, p),
        call(X, W, 3),
        call(X, Y, 1),
        call(X, Y),
        edges=(call(NONE, NONE), call(ONE, 3 * ONE)),
        broadcasts=True,
        refusals=(refused("dist.*shapes", ValueError, X, V),),
        result_of_integers="kept",
    ),
    square(
        "linalg.inv inverse",
        np.linalg.inv,
        call(M),
        call(B),
        refusals=(refused("inv.*invertible", ValueError, SINGULAR),),
    ),
    square(
        "linalg.solve",
        solve,
        call(M, W),
        call(M, X, left=False),
        call(B, M),
        call(B, X),
        call(B, C),
        edges=(call(BATCHES, BATCHES), call(ONE, ONE)),
        differentiable=(0, 1),
        bad=(W,),
        refusals=(
            refused("solve.*equations", ValueError, M, V),
            refused("solve.*invertible", ValueError, SINGULAR, X[:, 0]),
        ),
    ),
    square("linalg.det det", np.linalg.det, call(M), call(B)),
    square("linalg.slogdet slogdet", lambda x: tuple(np.linalg.slogdet(x)), call(M), call(B)),
    square("logdet", lambda x: np.log(np.linalg.det(x)), call(SYMMETRIC), call(SYMMETRIC[0])),
    square(
        "linalg.cholesky cholesky",
        lower,
        call(SYMMETRIC),
        call(SYMMETRIC, True),
        call(SYMMETRIC[0]),
        invoke=symmetric,
        refusals=(refused("cholesky.*positive-definite", ValueError, -np.eye(2)),),
    ),
    square(
        "linalg.matrix_power matrix_power",
        np.linalg.matrix_power,
        call(B, 3),
        call(M, 5),
        call(M, -2),
        call(M, 3),
        edges=(call(BATCHES, 2), call(ONE, 3)),
        bad=(2,),
        integers=d.whole(J32, 3),
        result_of_integers="kept",
    ),
    listed(
        "linalg.vector_norm",
        norm_of,
        call(B, 3.5, (0, 1), True),
        call(B, 0, 1),
        call(B, math.inf, 2),
        call(X),
        edges=(call(NONE, 2, 0), call(ONE, 1)),
        smooth=d.st.just(call(B, 3.5, (0, 1), True)),
        refusals=(refused("vector_norm.*ord", ValueError, X, "fro"),),
        **FLOATS,
    ),
    listed(
        "linalg.matrix_norm",
        matrix_norm,
        call(B, -1),
        call(B, math.inf, (0, 1), True),
        call(X, 1),
        call(B, 2, (0, 2)),
        call(B, -2, keepdim=True),
        call(B, "nuc", (2, 0), True),
        call(X, "nuc"),
        call(np.array([[3.0, 0.0], [0.0, 0.0], [0.0, 0.0]]), 2),  # a singular value of 0
        call(np.array([[0.0, -2.0, 0.0], [0.0, 0.0, 0.0]]), 2),
        call(X),
        edges=(call(BATCHES), call(ONE, -math.inf), call(np.array([[3.0, 0.0], [0.0, 0.0], [0.0, 0.0]]), 2)),
        refusals=(
            refused("matrix_norm.*two dims", ValueError, V),
            refused("matrix_norm.*'max'", ValueError, X, "max"),
        ),
        **FLOATS,
    ),
    listed(
        "linalg.norm",
        any_norm,
        call(B),
        call(B, dim=(0, 2)),
        call(X, 1),
        call(V, 3),
        call(B, "fro", (0, 1)),
        call(B, 2, 1),
        call(X),
        edges=(call(NONE), call(ONE)),
        **FLOATS,
    ),
]
