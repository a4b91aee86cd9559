"""Factors of matrices, and equations solved by them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from tests.op_records import draw as d
from tests.op_records.matrix import BATCHES, NONE, ONE, SOLVED, SYMMETRIC, C, M, N, V, X, listed, square, symmetric
from tests.op_records.record import OpRecord, call, refused

GENERATOR = np.random.default_rng(12)
TALL, WIDE = GENERATOR.normal(size=(2, 4, 3)), GENERATOR.normal(size=(2, 2, 4))
DEFICIENT = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.5, -1.0, 0.25], [1.5, 1.0, 3.25]])
UPPER = np.triu(M) + 2 * np.eye(3)
LOWER = np.linalg.cholesky(SYMMETRIC)
CUBE, SIX = GENERATOR.normal(size=(6, 6)) + 3 * np.eye(6), GENERATOR.normal(size=6)
PLAIN: dict[str, Any] = {"tolerance": SOLVED, "halves": False, "result_of_integers": None, "layouts": False}


def matrices(names: str, f: Any, *calls: Any, **more: Any) -> OpRecord:
    name = names.split()[0].rpartition(".")[2]
    more = {
        "edges": (call(NONE), call(ONE)),
        "halves": False,
        "result_of_integers": None,
        "tolerance": SOLVED,
        "layouts": False,
        "refusals": (
            refused(f"{name}.*one or more matrices", ValueError, V, *more.pop("bad", ())),
            *more.pop("refusals", ()),
        ),
        **more,
    }
    return d.listed(names, f, *calls, **more)


def qr(x: Any, mode: str = "reduced") -> Any:
    z = np.linalg.qr(x, mode)
    return (np.empty(0), z) if mode == "r" else tuple(z)


def svd(x: Any, full_matrices: bool = True) -> Any:
    return tuple(np.linalg.svd(x, full_matrices))


def old_svd(x: Any, some: bool = True, compute_uv: bool = True) -> Any:
    u, s, vh = np.linalg.svd(x, not some)
    if not compute_uv:
        m, n = x.shape[-2:]
        return np.zeros((*x.shape[:-2], m, m)), s, np.zeros((*x.shape[:-2], n, n))
    return u, s, vh.swapaxes(-1, -2)


def triangular(a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    t = np.triu(a) if upper else np.tril(a)
    if unitriangular:
        i = np.arange(a.shape[-1])
        t[..., i, i] = 1
    inverse = np.linalg.inv(t)
    return inverse @ b if left else b @ inverse


def triangular_solve(b: Any, a: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> Any:
    t = a.swapaxes(-1, -2) if transpose else a
    return triangular(t, b, upper=upper != transpose, unitriangular=unitriangular), a


def gram(a: Any, upper: bool) -> Any:
    t = np.triu(a) if upper else np.tril(a)
    return t.swapaxes(-1, -2) @ t if upper else t @ t.swapaxes(-1, -2)


def pinv(x: Any, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Any:
    if atol is not None:  # NumPy has no absolute bound: of one matrix, as a part of its largest value
        return np.linalg.pinv(x, rcond=atol / np.linalg.svd(x, compute_uv=False)[0])
    return np.linalg.pinv(x, rcond=rtol if rtol is not None else rcond if rcond is not None else 1e-15)


def lstsq(a: Any, b: Any, rcond: Any = None, *, driver: Any = None) -> Any:
    """NumPy's, matrix by matrix."""
    if not a.size:
        return np.zeros(b.shape), np.empty(0), np.zeros(a.shape[:-2], np.int64), np.empty(0)
    one = a.ndim == 2
    parts = [np.linalg.lstsq(*pair, rcond=rcond) for pair in ([(a, b)] if one else zip(a, b, strict=True))]
    solution, residuals, rank, s = (np.stack([np.asarray(p[i]) for p in parts]) for i in range(4))
    rank = rank.astype(np.int64)
    none = np.empty(0)
    values = [t[0] if one else t for t in (solution, residuals, rank, s)]
    if not residuals.size or residuals.ndim < solution.ndim - 1 or driver in (None, "gelsy"):
        values[1] = none
    if driver == "gels":
        values[2] = np.empty(0, np.int64)
    return (*values[:3], values[3] if driver in ("gelsd", "gelss") else none)


def cond(x: Any, p: Any = None) -> Any:
    return np.linalg.cond(x, p) if x.size else np.zeros(x.shape[:-2])


def matrix_exp(x: Any) -> Any:
    return linalg.expm(x) if x.size else x


def rank(x: Any, *, tol: Any = None, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Any:
    s = np.linalg.svd(x, compute_uv=False)
    atol = tol if atol is None else atol
    least = 0.0 if atol is None else atol
    if rtol is not None or atol is None:
        least = np.maximum(least, s.max(-1, initial=0) * (1e-15 if rtol is None else rtol))
    return np.asarray((s > np.asarray(least)[..., None]).sum(-1), np.int64)


RECORDS = [
    matrices(
        "linalg.qr",
        qr,
        call(WIDE),
        call(TALL, "complete"),
        call(TALL, "r"),
        call(WIDE, "r"),
        call(M, "complete"),
        call(TALL),
        smooth=d.st.sampled_from([call(WIDE), call(TALL), call(M)]),
        refusals=(refused("qr.*mode", ValueError, X, "full"),),
    ),
    matrices("qr", lambda x, some=True: qr(x, "reduced" if some else "complete"), call(M, False), call(TALL)),
    square(
        "linalg.eigh",
        lambda x, UPLO="L": tuple(np.linalg.eigh(x, UPLO)),
        call(SYMMETRIC[0], "U"),
        call(SYMMETRIC),
        invoke=symmetric,
        refusals=(refused("eigh.*UPLO", ValueError, M, "X"),),
    ),
    square(
        "linalg.eigvalsh",
        np.linalg.eigvalsh,
        call(SYMMETRIC[0], "U"),
        call(SYMMETRIC),
        invoke=symmetric,
    ),
    matrices(
        "linalg.svd",
        svd,
        call(WIDE, False),
        call(TALL, True),
        call(WIDE, True),
        call(M),
        call(TALL, False),
        smooth=d.st.sampled_from([call(WIDE, False), call(TALL, False), call(M)]),
        refusals=(refused("svd.*driver", ValueError, X, driver="gesvd"),),
    ),
    matrices("svd", old_svd, call(TALL, False), call(WIDE, compute_uv=False), call(WIDE), smooth=d.st.just(call(WIDE))),
    matrices("linalg.svdvals", lambda x: np.linalg.svd(x, compute_uv=False), call(TALL), call(WIDE)),
    matrices(
        "linalg.pinv",
        pinv,
        call(WIDE),
        call(DEFICIENT, rtol=1e-6),
        call(DEFICIENT, 1e-6),
        call(DEFICIENT[:2], atol=0.5),
        call(TALL),
        smooth=d.st.sampled_from([call(WIDE), call(TALL)]),
    ),
    matrices(
        "pinverse",
        lambda x, rcond=1e-15: np.linalg.pinv(x, rcond=rcond),
        call(TALL, 1e-5),
        call(WIDE),
    ),
    matrices(
        "linalg.lstsq",
        lstsq,
        call(TALL[0], V),
        call(TALL, WIDE.swapaxes(-1, -2)),
        call(M, M, driver="gels"),
        call(X, X[:, :1], driver="gelsd"),
        call(TALL[0], TALL[1], driver="gelss"),
        call(TALL[0], TALL[1]),
        edges=(call(BATCHES, BATCHES), call(ONE, 2 * ONE)),
        differentiable=(0, 1),
        result=("kept", "kept", "int64", "kept"),
        smooth=d.st.sampled_from([call(TALL[0], TALL[1]), call(TALL[0], V), call(TALL[0], TALL[1], driver="gels")]),
        bad=(V,),
        refusals=(
            refused("lstsq.*rows", ValueError, X, M),
            refused("lstsq.*driver", ValueError, X, X, driver="qr"),
            refused("lstsq.*dtype", TypeError, TALL, TALL.astype(np.float32)),
        ),
    ),
    matrices(
        "linalg.matrix_rank",
        rank,
        call(DEFICIENT),
        call(DEFICIENT, rtol=0.5),
        call(DEFICIENT, tol=1.0),
        call(TALL, atol=100.0),
        call(TALL),
        differentiable=(),
        result="int64",
    ),
    matrices(
        "linalg.cond",
        cond,
        call(TALL, 2),
        call(M, "fro"),
        call(M, 1),
        call(C, -2),
        call(M),
        edges=(call(BATCHES), call(ONE)),
        refusals=(refused("cond.*square", ValueError, X, 1),),
    ),
    square("linalg.matrix_exp matrix_exp", matrix_exp, call(C), call(M)),
    square(
        "linalg.solve_triangular",
        triangular,
        call(M, X, upper=False, left=False),
        call(UPPER, C, upper=True, unitriangular=True),
        call(LOWER, C, upper=False),
        call(UPPER, N, upper=True),
        edges=(call(BATCHES, BATCHES, upper=True), call(ONE, ONE, upper=False)),
        differentiable=(0, 1),
        bad=(X,),
        named={"upper": True},
    ),
    square(
        "triangular_solve",
        triangular_solve,
        call(C, LOWER, False),
        call(N, UPPER, True, True),
        call(N, UPPER, unitriangular=True),
        call(N, UPPER),
        edges=(call(BATCHES, BATCHES), call(ONE, ONE)),
        differentiable=(0, 1),
        bad=(X,),
    ),
    square(
        "cholesky_solve",
        lambda b, a, upper=False: np.linalg.inv(gram(a, upper)) @ b,
        call(C, LOWER),
        call(N, UPPER, True),
        call(N, LOWER[0]),
        edges=(call(BATCHES, BATCHES), call(ONE, ONE)),
        differentiable=(0, 1),
        bad=(X,),
    ),
    square(
        "cholesky_inverse",
        lambda a, upper=False: np.linalg.inv(gram(a, upper)),
        call(LOWER),
        call(UPPER, True),
        call(LOWER[0]),
    ),
    listed(
        "linalg.tensorinv",
        lambda x, ind=2: np.linalg.tensorinv(x, ind) if x.size else x,
        call(CUBE, 1),
        call(CUBE.reshape(6, 3, 2), 1),
        call(CUBE.reshape(2, 3, 3, 2)),
        edges=(call(np.ones((0, 0)), 1), call(ONE, 1)),
        refusals=(
            refused("tensorinv.*product", ValueError, X, 1),
            refused("tensorinv.*ind", ValueError, CUBE, 0),
        ),
        **PLAIN,
    ),
    listed(
        "linalg.tensorsolve",
        lambda a, b, dims=None: np.linalg.tensorsolve(a, b, dims) if a.size else b,
        call(CUBE.reshape(2, 3, 3, 2), X),
        call(CUBE.reshape(3, 6, 2), SIX, (0, 2)),
        call(CUBE, SIX),
        edges=(call(np.ones((0, 0)), np.ones(0)), call(ONE, ONE[0])),
        differentiable=(0, 1),
        refusals=(refused("tensorsolve.*do not fit", ValueError, X, X),),
        **PLAIN,
    ),
    listed(
        "linalg.vander",
        lambda x, N=None: x[..., None] ** np.arange(x.shape[-1] if N is None else N),
        call(X, N=2),
        call(X),
        call(V),
        edges=(call(np.ones((0, 2))), call(ONE)),
        integers=d.whole(np.array([1, 2, 3], np.int64)),
        refusals=(refused("vander.*N must", ValueError, X, N=0),),
        tolerance=SOLVED,
        halves=False,
    ),
]
