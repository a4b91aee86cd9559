"""More shapes: diagonals, repetition, rotation, and joining by name. Views wherever PyTorch gives them, but for `unfold`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from .._tensor import Tensor, new_tensor, wrap_dim
from ..autograd import views
from ..autograd.primitive import Primitive
from ..errors import DtypeError, OptionError, RangeError, ShapeError
from . import primitives as P
from .checks import check_broadcast, integer, sizes, tensor_of
from .shape import cat, flip, movedim, narrow, reshape, stack, transpose

Array = np.ndarray[Any, Any]


def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension, as a view where possible."""
    x = tensor_of("ravel", "input", input)
    return P.reshape(x, shape=(x.array.size,))


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces between the indices listed, or so many pieces of sizes that differ by one at most; as views."""
    return _tensor_split("tensor_split", input, indices_or_sections, dim)


def _tensor_split(where: str, input: Tensor, parts: Any, dim: int) -> tuple[Tensor, ...]:
    x = tensor_of(where, "input", input)
    d = wrap_dim(dim, x.ndim, where)
    if x.ndim == 0:
        raise ShapeError(f"{where}: a 0-d tensor cannot be split")
    n = x.array.shape[d]
    parts = parts.tolist() if isinstance(parts, Tensor) else parts
    if isinstance(parts, int):
        if parts < 1:
            raise OptionError(f"{where}: the number of sections must be > 0, got {parts}")
        ends = [(n // parts) * (i + 1) + min(i + 1, n % parts) for i in range(parts)]
    else:
        ends = [min(max(e + n if e < 0 else e, 0), n) for e in parts] + [n]
    starts = [0, *ends[:-1]]
    return tuple(narrow(x, d, a, max(b - a, 0)) for a, b in zip(starts, ends, strict=True))


def _split_at(where: str, input: Tensor, parts: Any, dim: int, least: int) -> tuple[Tensor, ...]:
    x = tensor_of(where, "input", input)
    if x.ndim < least:
        raise ShapeError(f"{where}: expected at least {least} dimensions, got shape {tuple(x.array.shape)}")
    if not isinstance(parts, int | tuple | list | Tensor):
        raise DtypeError(f"{where}: expected a number of sections or a sequence of indices, got {parts!r}")
    if isinstance(parts, int) and (parts < 1 or x.array.shape[dim] % parts):
        raise ShapeError(f"{where}: {parts} equal sections of a dimension of size {x.array.shape[dim]} do not exist")
    return _tensor_split(where, x, parts, dim)


def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along columns (of a vector, its elements) into equal sections, or at indices."""
    x = tensor_of("hsplit", "input", input)
    return _split_at("hsplit", x, indices_or_sections, 0 if x.ndim == 1 else 1, 1)


def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along rows into equal sections, or at indices."""
    return _split_at("vsplit", input, indices_or_sections, 0, 2)


def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along the third dimension into equal sections, or at indices."""
    return _split_at("dsplit", input, indices_or_sections, 2, 3)


def _listed(where: str, tensors: Any) -> list[Tensor]:
    xs = [tensor_of(where, f"tensors[{i}]", x) for i, x in enumerate(tensors)]
    if not xs:
        raise ShapeError(f"{where}: expected at least one tensor")
    return xs


def _grown(x: Tensor, least: int) -> Tensor:
    """At least 1, 2 or 3 dimensions, where NumPy puts them."""
    shape: tuple[int, ...] = tuple(x.array.shape)
    if len(shape) >= least:
        return x
    new = {0: (1,) * least, 1: (1, *shape, 1)[:least] if least == 3 else (1, *shape), 2: (*shape, 1)}[len(shape)]
    return P.reshape(x, shape=new)


def atleast_1d(*tensors: Any) -> Any:
    """Tensors with at least one dimension."""
    return _atleast("atleast_1d", tensors, 1)


def atleast_2d(*tensors: Any) -> Any:
    """Tensors with at least two dimensions; a vector becomes a row."""
    return _atleast("atleast_2d", tensors, 2)


def atleast_3d(*tensors: Any) -> Any:
    """Tensors with at least three dimensions; a vector becomes (1, n, 1), a matrix (n, m, 1)."""
    return _atleast("atleast_3d", tensors, 3)


def _atleast(where: str, tensors: Any, least: int) -> Any:
    several = len(tensors) != 1 or isinstance(tensors[0], tuple | list)
    xs = tensors[0] if len(tensors) == 1 and several else tensors
    grown = tuple(_grown(tensor_of(where, f"tensors[{i}]", x), least) for i, x in enumerate(xs))
    return grown if several else grown[0]


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join columns (of vectors, their elements)."""
    xs = [_grown(x, 1) for x in _listed("hstack", tensors)]
    return cat(xs, 0 if xs[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join rows; a vector is a row."""
    return cat([_grown(x, 2) for x in _listed("vstack", tensors)], 0)


row_stack = vstack


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the third dimension."""
    return cat([_grown(x, 3) for x in _listed("dstack", tensors)], 2)


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Join columns; a vector is a column."""
    xs = _listed("column_stack", tensors)
    return cat([P.reshape(x, shape=(x.array.size, 1)) if x.ndim < 2 else x for x in xs], 1)


def block_diag(*tensors: Tensor) -> Tensor:
    """The matrix with the given ones (a vector is a row) along its diagonal, zeros elsewhere."""
    xs = [_grown(x, 2) for x in _listed("block_diag", tensors)]
    if any(x.ndim > 2 for x in xs):
        raise ShapeError("block_diag: tensors must have at most 2 dimensions")
    widths = [x.array.shape[1] for x in xs]
    rows = []
    for i, x in enumerate(xs):
        sides = ((0, 0), (sum(widths[:i]), sum(widths[i + 1 :])))
        rows.append(P.pad_constant(x, widths=sides, value=0))
    return cat(rows, 0)


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """The tensors expanded to their common shape."""
    xs = _listed("broadcast_tensors", tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list) else tensors)
    shape = check_broadcast("broadcast_tensors", *xs)
    return tuple(P.expand(x, shape=shape) for x in xs)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid, each of the sizes of the vectors; `indexing`: "ij", or "xy" (columns first)."""
    xs = _listed("meshgrid", tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors)
    if any(x.ndim > 1 for x in xs):
        raise ShapeError("meshgrid: tensors must have at most one dimension")
    if indexing not in ("ij", "xy"):
        raise OptionError(f"meshgrid: indexing must be 'ij' or 'xy', got {indexing!r}")
    if len({x.array.dtype for x in xs}) > 1:
        raise DtypeError(f"meshgrid: expected one dtype, got {', '.join(str(x.dtype) for x in xs)}")
    swap = indexing == "xy" and len(xs) > 1
    xs = [xs[1], xs[0], *xs[2:]] if swap else xs
    shape = tuple(x.array.size for x in xs)
    out = []
    for i, x in enumerate(xs):
        own = tuple(-1 if j == i else 1 for j in range(len(xs)))
        out.append(P.expand(reshape(x, own), shape=shape))
    if swap:
        out[:2] = out[1::-1]
    return tuple(out)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """The rows (a, b, …) of all choices of one element from each vector."""
    xs = _listed("cartesian_prod", tensors)
    if any(x.ndim != 1 for x in xs):
        raise ShapeError("cartesian_prod: tensors must be vectors")
    grid = meshgrid(*xs)
    return xs[0] if len(xs) == 1 else stack([ravel(x) for x in grid], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """The rows of all choices of `r` elements of a vector, in order."""
    x = tensor_of("combinations", "input", input)
    if x.ndim != 1 or r < 0:
        raise ShapeError(f"combinations: expected a vector and r ≥ 0, got shape {tuple(x.array.shape)} and {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(x.array.size), r)), np.int64).reshape(-1, r)
    return P.index(x, index=(rows,))


# repetition


def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """The tensor so many times along each dimension; new dimensions come first."""
    x = tensor_of("repeat", "input", input)
    times = sizes("repeat", repeats)
    if len(times) < x.ndim:
        raise ShapeError(f"repeat: {len(times)} numbers for a tensor of {x.ndim} dimensions")
    return _repeat(x, times)


def _repeat(x: Tensor, times: tuple[int, ...]) -> Tensor:
    old = (1,) * (len(times) - x.ndim) + tuple(x.array.shape)
    pairs = P.reshape(x, shape=tuple(m for n in old for m in (1, n)))
    wide = P.expand(pairs, shape=tuple(m for t, n in zip(times, old, strict=True) for m in (t, n)))
    return P.clone(P.reshape(wide, shape=tuple(t * n for t, n in zip(times, old, strict=True))))


def tile(input: Tensor, *dims: Any) -> Tensor:
    """The tensor so many times along its last dimensions."""
    x = tensor_of("tile", "input", input)
    times = sizes("tile", dims)
    return _repeat(x, (1,) * (x.ndim - len(times)) + times)


def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element so many times (a number, or one for each) along `dim`, of the flattened tensor by default.

    `repeat_interleave(repeats)` gives each place as often as its number says.
    """
    x = tensor_of("repeat_interleave", "input", input)
    if repeats is None:
        x, repeats = new_tensor(np.arange(x.array.size)), x
    if dim is None:
        x, dim = ravel(x), 0
    d = wrap_dim(dim, x.ndim, "repeat_interleave")
    x = x if x.ndim else ravel(x)
    n = x.array.shape[d]
    times = (
        integer("repeat_interleave", "repeats", repeats).array if not isinstance(repeats, int) else np.asarray(repeats)
    )
    if times.ndim > 1 or times.size not in (1, n):
        raise ShapeError(f"repeat_interleave: repeats must have one element or {n}, got shape {times.shape}")
    if times.size and times.min() < 0:
        raise OptionError(f"repeat_interleave: repeats must be ≥ 0, got {times.min()}")
    places = np.repeat(np.arange(n), times.reshape(-1))
    if output_size is not None and output_size != places.size:
        raise ShapeError(f"repeat_interleave: output_size is {output_size}, the repeats make {places.size}")
    return P.index(x, index=(*(slice(None),) * d, places, *(slice(None),) * (x.ndim - d - 1)))


# order


def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """The elements moved on by `shifts` along `dims` (of the flattened tensor by default), around the end."""
    x = tensor_of("roll", "input", input)
    if dims is None or dims == ():
        return reshape(roll(ravel(x), shifts, 0), tuple(x.array.shape))
    by = tuple(shifts) if isinstance(shifts, tuple | list) else (shifts,)
    along = tuple(dims) if isinstance(dims, tuple | list) else (dims,)
    if len(by) != len(along):
        raise ShapeError(f"roll: {len(by)} shifts for {len(along)} dims")
    if x.ndim == 0:
        raise RangeError("roll: a 0-d tensor has no dimension to roll along")
    x = P.clone(x)
    for shift, dim in zip(by, along, strict=True):
        d = wrap_dim(dim, x.ndim, "roll")
        n = x.array.shape[d]
        if n and shift % n:
            x = cat([narrow(x, d, n - shift % n, shift % n), narrow(x, d, 0, n - shift % n)], d)
    return x


def fliplr(input: Tensor) -> Tensor:
    """The columns in reverse order."""
    return _flipped("fliplr", input, 1)


def flipud(input: Tensor) -> Tensor:
    """The rows in reverse order."""
    return _flipped("flipud", input, 0)


def _flipped(where: str, input: Tensor, dim: int) -> Tensor:
    x = tensor_of(where, "input", input)
    if x.ndim <= dim:
        raise ShapeError(f"{where}: expected at least {dim + 1} dimensions, got shape {tuple(x.array.shape)}")
    return flip(x, dim)


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """The plane of two dimensions turned `k` times by 90°, from the first towards the second."""
    x = tensor_of("rot90", "input", input)
    a, b = (wrap_dim(d, x.ndim, "rot90") for d in dims) if len(dims) == 2 and x.ndim > 1 else (0, 0)
    if a == b:
        raise ShapeError(f"rot90: expected two different dims of at least 2 dimensions, got {tuple(dims)}")
    turned = {0: lambda: P.clone(x), 1: lambda: transpose(flip(x, b), a, b), 2: lambda: flip(x, (a, b))}
    turned[3] = lambda: flip(transpose(x, a, b), b)
    return turned[k % 4]()


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows of `size` elements every `step` along a dimension, in a new last one; a copy."""
    x = tensor_of("unfold", "input", input)
    d = wrap_dim(dimension, x.ndim, "unfold")
    if x.ndim == 0:
        return P.index(unfold(ravel(x), 0, size, step), index=(0,))
    n = x.array.shape[d]
    if not 0 <= size <= n or step < 1:
        raise ShapeError(f"unfold: size {size} and step {step} do not fit dimension {dimension} of size {n}")
    places = np.arange(0, n - size + 1, step)[:, None] + np.arange(size)
    y = P.index(x, index=(*(slice(None),) * d, places, *(slice(None),) * (x.ndim - d - 1)))
    return movedim(y, d + 1, -1)


# diagonals


def _diagonal_array(x: Array) -> Array:
    out = np.diagonal(x, axis1=-2, axis2=-1)
    if x.flags.writeable:  # a view of distinct elements: NumPy makes it read-only all the same
        out.flags.writeable = True
    return out


def _on_diagonal(n: int, ndim: int) -> tuple[Any, ...]:
    return (*(slice(None),) * (ndim - 2), np.arange(n), np.arange(n))


# of the last two dimensions, which have one size
_diagonal = Primitive(
    "diagonal",
    _diagonal_array,
    promote=None,
    view=True,
    dx=lambda dz, shape: P.unindex(dz, index=_on_diagonal(shape[-1], len(shape)), source=shape),
)


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The elements x[…, i, i + offset, …] of two dimensions, in a last one, as a view."""
    return _diagonal_of("diagonal", input, offset, dim1, dim2)


def _diagonal_of(where: str, input: Tensor, offset: int, dim1: int, dim2: int) -> Tensor:
    x = tensor_of(where, "input", input)
    a, b = wrap_dim(dim1, x.ndim, where), wrap_dim(dim2, x.ndim, where)
    if a == b:
        raise ShapeError(f"{where}: dim1 and dim2 must differ, got {dim1} and {dim2}")
    x = P.permute(x, axes=(*(i for i in range(x.ndim) if i not in (a, b)), a, b))
    rows, columns = x.array.shape[-2:]
    down, right = max(-offset, 0), max(offset, 0)
    n = max(min(rows - down, columns - right), 0)
    corner = (slice(down, down + n), slice(right, right + n)) if n else (slice(0, 0), slice(0, 0))
    return _diagonal(P.index(x, index=(*(slice(None),) * (x.ndim - 2), *corner)))


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices in two new dimensions with the last dimension of `input` on a diagonal, zeros elsewhere."""
    x = tensor_of("diag_embed", "input", input)
    if x.ndim == 0:
        raise ShapeError("diag_embed: input must have at least one dimension")
    a, b = wrap_dim(dim1, x.ndim + 1, "diag_embed"), wrap_dim(dim2, x.ndim + 1, "diag_embed")
    if a == b:
        raise ShapeError(f"diag_embed: dim1 and dim2 must differ, got {dim1} and {dim2}")
    y = _embed(x, offset)
    return movedim(y, (-2, -1), (a, b))


def _embed(x: Tensor, offset: int) -> Tensor:
    n = x.array.shape[-1]
    side, k = n + abs(offset), np.arange(n)
    places = (*(slice(None),) * (x.ndim - 1), k + max(-offset, 0), k + max(offset, 0))
    return P.put(new_tensor(np.zeros((*x.array.shape[:-1], side, side), x.array.dtype)), x, index=places)


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, as a copy; of a vector, the matrix that has it there."""
    x = tensor_of("diag", "input", input)
    if x.ndim not in (1, 2):
        raise ShapeError(f"diag: expected a vector or a matrix, got shape {tuple(x.array.shape)}")
    return _embed(x, diagonal) if x.ndim == 1 else P.clone(_diagonal_of("diag", x, diagonal, 0, 1))


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with all elements of `input` on a diagonal."""
    return _embed(ravel(tensor_of("diagflat", "input", input)), offset)


def fill_diagonal_(input: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Set x[i, i, …] to a number, in place; `wrap` goes on below the square of a tall matrix."""
    x = tensor_of("fill_diagonal_", "input", input)
    if x.ndim < 2 or x.ndim > 2 and len(set(x.array.shape)) > 1:
        raise ShapeError(f"fill_diagonal_: expected a matrix, or equal sizes, got shape {tuple(x.array.shape)}")
    rows, columns = x.array.shape[:2]
    if wrap and x.ndim == 2 and rows > columns:
        k = np.arange(0, rows * columns, columns + 1)
        places: tuple[Any, ...] = (k // columns, k % columns)
    else:
        places = (np.arange(min(x.array.shape)),) * x.ndim
    dtypes.check_fits(np.asarray(fill_value), x.array.dtype, "fill_diagonal_")
    value = new_tensor(np.asarray(fill_value, x.array.dtype))
    return views.inplace("fill_diagonal_", x, lambda t: P.put(t, value, index=places))
