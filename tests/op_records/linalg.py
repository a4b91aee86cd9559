"""Products of vectors and matrices, einsum, and the affine layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinynet as tn
import tinynet.nn.functional as F
from tests.op_records import draw as d
from tests.op_records.record import SUMMED, Call, OpRecord, call, refused
from tinynet.testing.strategies import arrays, matmul_shapes, shapes

ONES = np.ones
DTYPES = refused("one dtype", TypeError, ONES((2, 2)), ONES((2, 2), np.float32))
sides = st.integers(0, 3)


@st.composite
def products(draw: Any) -> Call:
    a, b = draw(matmul_shapes(max_side=3))
    return call(draw(arrays(a)), draw(arrays(b)))


@st.composite
def of_sizes(draw: Any, *forms: str) -> Call:
    """Arrays whose shapes are letters; equal letters are equal sizes."""
    size = {c: draw(sides) for c in sorted(set("".join(forms)))}
    return call(*(draw(arrays(tuple(size[c] for c in form))) for form in forms))


def product(name: str, forms: tuple[str, str], edges: Any, *bad: Any) -> OpRecord:
    return OpRecord(
        (name, "ger") if name == "outer" else (name,),
        getattr(tn, name),
        lambda x, y: np.einsum(
            f"{forms[0]},{forms[1]}->{ {'bmm': 'bik', 'mm': 'ik', 'mv': 'i', 'dot': '', 'outer': 'ij'}[name] }", x, y
        ),
        of_sizes(*forms),
        "composite",
        (0, 1),
        edges=edges,
        refusals=tuple(refused(name, ValueError, *args) for args in bad),
        tolerance=SUMMED,
        integers=of_sizes(*forms).map(lambda c: c.map(lambda a: np.round(a).astype(np.int32))),
    )


EQUATIONS = {
    "ij,jk->ik": ("ij", "jk"),
    "bij,bjk->bik": ("bij", "bjk"),
    "ij->ji": ("ij",),
    "ij->": ("ij",),
    "ii->i": ("ii",),
    "ii": ("ii",),
    "i,j->ij": ("i", "j"),
    "ij,ij": ("ij", "ij"),
    "kj,ik": ("kj", "ik"),
    "ij,j,k->ik": ("ij", "j", "k"),
    "...ij,...jk->...ik": ("bij", "jk"),
    "i...->...i": ("ibj",),
    "ijk,ik->j": ("ijk", "ik"),
    "iij,jk->ik": ("iij", "jk"),
    "abc,cd,de->abe": ("abc", "cd", "de"),
}


@st.composite
def contractions(draw: Any) -> Call:
    equation = draw(st.sampled_from(sorted(EQUATIONS)))
    return Call(draw(of_sizes(*EQUATIONS[equation])).args, {"equation": equation})


@st.composite
def affine(draw: Any) -> Call:
    batch = draw(shapes(max_dims=2, max_side=3))
    n, m = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    x = draw(arrays((*batch, n)))
    if draw(st.integers(0, 4)) == 0:
        return call(x, draw(arrays((n,))))
    w = draw(arrays((m, n)))
    return call(x, w, draw(arrays((m,)))) if draw(st.booleans()) else call(x, w)


def linear(x: Any, w: Any, b: Any = None) -> np.ndarray:
    y = np.einsum("...i,oi->...o", x, w) if w.ndim == 2 else np.einsum("...i,i->...", x, w)
    return y if b is None else y + b


RECORDS = [
    OpRecord(
        ("matmul", "linalg.matmul"),
        tn.matmul,
        np.matmul,
        products(),
        "primitive",
        (0, 1),
        edges=(
            call(ONES(0), ONES(0)),
            call(ONES((0, 2)), ONES((2, 3))),
            call(ONES((2, 0)), ONES((0, 3))),
            call(ONES((1, 1)), ONES(1)),
            call(d.numbers(2, 1, 2, 3), d.numbers(2, 3, 1)),
            call(d.numbers(2, 3), d.numbers(3, 2)),
        ),
        refusals=(
            refused("matmul.*do not agree", ValueError, ONES((2, 3)), ONES((2, 3))),
            refused("matmul.*1 dimension", ValueError, np.array(1.0), ONES(2)),
            refused("matmul.*(broadcast|batch)", ValueError, ONES((2, 1, 1)), ONES((3, 1, 1))),
            DTYPES,
        ),
        tolerance=SUMMED,
        integers=products().map(lambda c: c.map(lambda a: np.round(a).astype(np.int64))),
        operator="matmul",
    ),
    product(
        "mm",
        ("ij", "jk"),
        (
            call(ONES((0, 2)), ONES((2, 1))),
            call(ONES((1, 1)), ONES((1, 1))),
            call(ONES((2, 0)), ONES((0, 2))),
            call(d.numbers(2, 3), d.numbers(3, 2)),
        ),
        (ONES(2), ONES((2, 2))),
        (ONES((2, 3)), ONES((2, 3))),
    ),
    product(
        "bmm",
        ("bij", "bjk"),
        (
            call(ONES((0, 2, 1)), ONES((0, 1, 3))),
            call(ONES((1, 1, 1)), ONES((1, 1, 1))),
            call(ONES((2, 1, 0)), ONES((2, 0, 1))),
            call(d.numbers(2, 2, 3), d.numbers(2, 3, 2)),
        ),
        (ONES((2, 1, 1)), ONES((3, 1, 1))),
        (ONES((2, 2)), ONES((2, 2))),
    ),
    product(
        "mv",
        ("ij", "j"),
        (
            call(ONES((0, 2)), ONES(2)),
            call(ONES((1, 1)), ONES(1)),
            call(ONES((2, 0)), ONES(0)),
            call(d.numbers(2, 3), d.numbers(3)),
        ),
        (ONES((2, 3)), ONES(2)),
        (ONES(2), ONES(2)),
    ),
    product(
        "dot",
        ("i", "i"),
        (call(ONES(0), ONES(0)), call(ONES(1), ONES(1)), call(d.numbers(3), d.numbers(3))),
        (ONES(2), ONES(3)),
        (ONES((2, 2)), ONES(2)),
    ),
    product(
        "outer",
        ("i", "j"),
        (call(ONES(0), ONES(2)), call(ONES(1), ONES(1)), call(d.numbers(3), d.numbers(2))),
        (ONES((2, 2)), ONES(2)),
    ),
    OpRecord(
        ("einsum",),
        tn.einsum,
        lambda *xs, equation: np.einsum(equation, *xs),
        contractions(),
        "composite",
        (0, 1, 2),
        edges=(
            call(np.array(2.0), np.array(3.0), equation=",->"),
            call(ONES((0, 2)), ONES((2, 3)), equation="ij,jk->ik"),
            call(ONES((2, 0)), ONES((0, 3)), equation="ij,jk->ik"),
            call(ONES(1), equation="i->"),
            call(d.numbers(2, 3), d.numbers(3, 2), equation="ij,jk->ik"),
        ),
        refusals=(
            refused("einsum.*'j'", ValueError, ONES((2, 3)), ONES((2, 2)), equation="ij,jk->ik"),
            refused("einsum", ValueError, ONES((2, 3)), equation="ij,jk->ik"),
            refused("einsum", ValueError, ONES((2, 3)), equation="ijk->ik"),
            refused("einsum", ValueError, ONES((2, 3)), equation="ij->iz"),
            refused("einsum", ValueError, ONES((2, 3)), equation="ij->ii"),
        ),
        tolerance=SUMMED,
        integers=contractions().map(lambda c: c.map(lambda a: np.round(a).astype(np.int64))),
        invoke=lambda f, *xs, equation: f(equation, *xs),
    ),
    OpRecord(
        ("F.linear",),
        F.linear,
        linear,
        affine(),
        "fused",
        (0, 1, 2),
        edges=(
            call(ONES((0, 2)), ONES((3, 2)), ONES(3)),
            call(ONES(2), ONES((3, 2))),
            call(ONES((1, 1)), ONES((1, 1)), ONES(1)),
            call(d.numbers(2, 2), d.numbers(130, 2), d.numbers(130)),  # more than two blocks of 64 columns
            call(d.numbers(2, 2, 3), d.numbers(2, 3), d.numbers(2)),
        ),
        refusals=(
            refused("linear.*features", ValueError, ONES((2, 3)), ONES((4, 2))),
            refused("linear.*bias", ValueError, ONES((2, 3)), ONES((4, 3)), ONES(3)),
            refused("linear.*one dtype", TypeError, ONES((2, 3)), ONES((4, 3), np.float32)),
            refused("linear.*weight", ValueError, ONES((2, 3)), ONES((4, 3, 1))),
        ),
        tolerance=SUMMED,
        result_of_integers=None,
    ),
]
