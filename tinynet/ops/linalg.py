"""Products of vectors and matrices."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..errors import DtypeError, OptionError, ShapeError
from . import primitives as P
from .checks import promoted, tensor_of


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product; 1-d arguments are vectors, leading dimensions are broadcast."""
    return _matmul("matmul", input, other)


def _matmul(where: str, input: Any, other: Any) -> Tensor:
    x, y = _operands(where, input, other)
    if x.ndim == 0 or y.ndim == 0:
        raise ShapeError(f"{where}: both arguments must have at least 1 dimension, got {x.ndim} and {y.ndim}")
    k, m = x.array.shape[-1], y.array.shape[-2 if y.ndim > 1 else 0]
    if k != m:
        raise ShapeError(
            f"{where}: shapes {tuple(x.array.shape)} and {tuple(y.array.shape)} do not agree: {k} columns, {m} rows"
        )
    row, column = x.ndim == 1, y.ndim == 1
    if row:
        x = P.reshape(x, shape=(1, k))
    if column:
        y = P.reshape(y, shape=(k, 1))
    if y.ndim == 2 and x.ndim > 2:  # one product for the whole batch
        lead = x.array.shape[:-1]
        z = P.matmul(P.reshape(x, shape=(math.prod(lead), k)), y)
        z = P.reshape(z, shape=(*lead, y.array.shape[1]))
    else:
        z = P.matmul(x, y)
    shape = z.array.shape
    if row:
        shape = (*shape[:-2], shape[-1])
    if column:
        shape = shape[:-1]
    return P.reshape(z, shape=shape) if row or column else z


def _operands(where: str, x: Any, y: Any) -> tuple[Tensor, Tensor]:
    x, y = tensor_of(where, "input", x), tensor_of(where, "other", y)
    if x.array.dtype != y.array.dtype:
        raise DtypeError(f"{where}: expected one dtype, got {x.dtype} and {y.dtype}")
    return x, y


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices."""
    return _ranked("mm", input, mat2, 2, 2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two stacks of matrices (B, N, K) and (B, K, M)."""
    if isinstance(input, Tensor) and isinstance(mat2, Tensor) and input.shape[:1] != mat2.shape[:1]:
        raise ShapeError(f"bmm: batches differ: {tuple(input.shape)} and {tuple(mat2.shape)}")
    return _ranked("bmm", input, mat2, 3, 3)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector."""
    return _ranked("mv", input, vec, 2, 1)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Σ xᵢ yᵢ of two vectors."""
    return _ranked("dot", input, tensor, 1, 1)


def _ranked(where: str, x: Any, y: Any, a: int, b: int) -> Tensor:
    if tensor_of(where, "input", x).ndim != a or tensor_of(where, "other", y).ndim != b:
        raise ShapeError(f"{where}: expected a {a}-d and a {b}-d tensor, got {tuple(x.shape)} and {tuple(y.shape)}")
    return _matmul(where, x, y)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """xᵢ yⱼ of two vectors."""
    x, y = tensor_of("outer", "input", input), tensor_of("outer", "vec2", vec2)
    if x.ndim != 1 or y.ndim != 1:
        raise ShapeError(f"outer: expected two vectors, got {tuple(x.shape)} and {tuple(y.shape)}")
    return P.mul(P.reshape(x, shape=(x.array.size, 1)), y)


ger = outer


# einsum


def einsum(equation: Any, *operands: Any) -> Tensor:
    """Σ over the letters that are not in the output of the product of the operands.

    "bij,bjk->bik" is a batched matrix product. An Ellipsis stands for broadcast dimensions; a letter that comes twice
    in one operand takes its diagonal; without "->" the output has the letters that come once, in alphabetical order.
    Each pair of operands is contracted by one `matmul`, so gradients of every order come with it.

    Without an equation, `einsum(x, [0, 1], y, [1, 2], [0, 2])` names the dimensions by numbers from 0 to 51.
    """
    if isinstance(equation, Tensor):
        equation, operands = _numbered((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    xs = [tensor_of("einsum", f"operand {i}", x) for i, x in enumerate(operands)]
    terms, output = _parse(equation, xs)
    if len(xs) > 1:
        xs = list(promoted("einsum", *xs))
    parts = [_diagonal(x, letters, equation) for x, letters in zip(xs, terms, strict=True)]
    sizes: dict[str, int] = {}
    for x, letters in parts:
        for c, n in zip(letters, x.array.shape, strict=True):
            if sizes.setdefault(c, n) not in (n, 1) and n != 1:
                raise ShapeError(f"einsum: {c!r} has sizes {sizes[c]} and {n} in {equation!r}")
            sizes[c] = max(sizes[c], n) if n != 0 else 0
    x, letters = parts[0]
    for i, (y, other) in enumerate(parts[1:], 1):
        later = set(output).union(*(p[1] for p in parts[i + 1 :]))
        x, letters = _contract(x, letters, y, other, later)
    lone = tuple(i for i, c in enumerate(letters) if c not in output)
    if lone:
        x = P.sum_(x, axes=lone)
        letters = "".join(c for c in letters if c in output)
    return P.permute(x, axes=tuple(letters.index(c) for c in output))


def _numbered(arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The equation of operands that are followed by lists of numbers."""
    xs, lists = arguments[: len(arguments) // 2 * 2 : 2], list(arguments[1::2])
    if len(arguments) % 2:
        lists.append(arguments[-1])
    letters = string.ascii_uppercase + string.ascii_lowercase
    terms = []
    for names in lists:
        if not isinstance(names, list | tuple) or any(n is not ... and n not in range(52) for n in names):
            raise OptionError(f"einsum: expected a list of numbers from 0 to 51 after each operand, got {names!r}")
        terms.append("".join("..." if n is ... else letters[n] for n in names))
    return ",".join(terms[: len(xs)]) + ("->" + terms[-1] if len(arguments) % 2 else ""), xs


def _parse(equation: str, xs: list[Tensor]) -> tuple[list[str], str]:
    """The letters of each operand and of the output; an Ellipsis becomes letters that the equation does not use."""
    if not isinstance(equation, str):
        raise OptionError(f"einsum: the equation must be a string, got {type(equation).__name__}")
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(xs):
        raise ShapeError(f"einsum: {equation!r} has {len(terms)} terms for {len(xs)} operands")
    spare = [c for c in string.ascii_letters if c not in text]
    ranks = []
    for term, x in zip(terms, xs, strict=True):
        named = len(term.replace("...", "", 1))
        if x.ndim < named or ("..." not in term and x.ndim != named):
            raise ShapeError(f"einsum: term {term!r} of {equation!r} does not fit shape {tuple(x.array.shape)}")
        ranks.append(x.ndim - named if "..." in term else 0)
    dots = "".join(spare[: max(ranks, default=0)])
    terms = [t.replace("...", dots[len(dots) - r :], 1) for t, r in zip(terms, ranks, strict=True)]
    if not arrow:
        right = dots + "".join(sorted(c for c in set("".join(terms)) - set(dots) if "".join(terms).count(c) == 1))
    right = right.replace("...", dots, 1)
    for c in "".join(terms) + right:
        if c not in string.ascii_letters:
            raise OptionError(f"einsum: unexpected {c!r} in {equation!r}")
    if len(set(right)) < len(right) or not set(right) <= set("".join(terms)):
        raise OptionError(f"einsum: the output letters of {equation!r} must be distinct and occur in an operand")
    return terms, right


def _diagonal(x: Tensor, letters: str, equation: str) -> tuple[Tensor, str]:
    """Take the diagonal over letters that come twice."""
    for c in dict.fromkeys(letters):
        while letters.count(c) > 1:
            a = letters.index(c)
            b = letters.index(c, a + 1)
            n = x.array.shape[a]
            if x.array.shape[b] != n:
                raise ShapeError(f"einsum: {c!r} has sizes {n} and {x.array.shape[b]} in {equation!r}")
            order = (a, b, *(i for i in range(x.ndim) if i not in (a, b)))
            k = np.arange(n)
            x = P.index(P.permute(x, axes=order), index=(k, k, *(slice(None),) * (x.ndim - 2)))
            letters = c + letters[:a] + letters[a + 1 : b] + letters[b + 1 :]
    return x, letters


def _contract(x: Tensor, xl: str, y: Tensor, yl: str, later: set[str]) -> tuple[Tensor, str]:
    """One pair: batch letters are kept and shared, inner letters are summed, the rest belong to one of the two."""
    x, xl = _sum_out(x, xl, set(yl) | later)
    y, yl = _sum_out(y, yl, set(xl) | later)
    shared = [c for c in xl if c in yl]
    sizes = {c: max(x.array.shape[xl.index(c)], y.array.shape[yl.index(c)]) for c in shared}
    sizes = {c: 0 if 0 in (x.array.shape[xl.index(c)], y.array.shape[yl.index(c)]) else n for c, n in sizes.items()}
    batch = [c for c in shared if c in later]
    inner = [c for c in shared if c not in later]
    mine, theirs = [c for c in xl if c not in shared], [c for c in yl if c not in shared]
    x3, nx = _matrices(x, xl, batch, mine, inner, sizes)
    y3, ny = _matrices(y, yl, batch, inner, theirs, sizes)
    z = P.matmul(x3, y3)
    shape = tuple(sizes[c] for c in batch) + nx + ny
    return P.reshape(z, shape=shape), "".join(batch + mine + theirs)


def _sum_out(x: Tensor, letters: str, wanted: set[str]) -> tuple[Tensor, str]:
    axes = tuple(i for i, c in enumerate(letters) if c not in wanted)
    return (P.sum_(x, axes=axes), "".join(c for c in letters if c in wanted)) if axes else (x, letters)


def _matrices(
    x: Tensor, letters: str, batch: list[str], rows: list[str], columns: list[str], sizes: dict[str, int]
) -> tuple[Tensor, tuple[int, ...]]:
    """x as a stack of matrices (batch, rows, columns), and the sizes of its own letters."""
    order = [*batch, *rows, *columns]
    x = P.permute(x, axes=tuple(letters.index(c) for c in order))
    full = tuple(sizes.get(c, n) for c, n in zip(order, x.array.shape, strict=True))
    if full != x.array.shape:
        x = P.expand(x, shape=full)
    b, r = len(batch), len(batch) + len(rows)
    x = P.reshape(x, shape=(math.prod(full[:b]), math.prod(full[b:r]), math.prod(full[r:])))
    return x, tuple(n for c, n in zip(order, full, strict=True) if c not in sizes)
