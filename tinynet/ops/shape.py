"""Shape and joining. Results share memory with their input wherever PyTorch's do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from .._layout import check_memory_format
from .._tensor import Tensor, wrap_dim, wrap_dims
from ..errors import OptionError, RangeError, ShapeError
from . import primitives as P
from .checks import numpy_names, sizes, tensor_of


def _resolve(where: str, x: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with its -1 replaced by the size that fits."""
    n = x.array.size
    if shape.count(-1) > 1 or any(s < -1 for s in shape):
        raise ShapeError(f"{where}: at most one size may be -1 and none below, got {shape}")
    if -1 in shape:
        rest = math.prod(s for s in shape if s != -1)
        if rest == 0 or n % rest:
            raise ShapeError(f"{where}: shape {shape} does not fit {n} elements of shape {tuple(x.array.shape)}")
        return tuple(n // rest if s == -1 else s for s in shape)
    if math.prod(shape) != n:
        raise ShapeError(f"{where}: shape {shape} does not fit {n} elements of shape {tuple(x.array.shape)}")
    return shape


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape, as a view where possible; one size may be -1."""
    x = tensor_of("reshape", "input", input)
    return P.reshape(x, shape=_resolve("reshape", x, sizes("reshape", shape, negative=True)))


def view(input: Tensor, *shape: Any) -> Tensor:
    """The same memory in another shape; raises ShapeError where only a copy could have it (then use reshape)."""
    return _view("view", input, shape)


def _view(where: str, input: Tensor, shape: tuple[Any, ...]) -> Tensor:
    x = tensor_of(where, "input", input)
    if len(shape) == 1 and isinstance(shape[0], dtypes.dtype):
        raise NotImplementedError("view: reinterpreting memory as another dtype is not supported; use to(dtype)")
    y = P.reshape(x, shape=_resolve(where, x, sizes(where, shape, negative=True)))
    if not np.may_share_memory(y.array, x.array) and x.array.size:
        raise ShapeError(
            f"{where}: a tensor of shape {tuple(x.array.shape)} and stride {x.stride()} has no view of shape "
            f"{tuple(y.array.shape)}; use reshape"
        )
    return y


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """`view` in the shape of `other`."""
    return _view("view_as", input, tensor_of("view_as", "other", other).array.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """`reshape` to the shape of `other`."""
    x, y = tensor_of("reshape_as", "input", input), tensor_of("reshape_as", "other", other)
    return P.reshape(x, shape=_resolve("reshape_as", x, y.array.shape))


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Join the dimensions from `start_dim` to `end_dim` into one."""
    x = tensor_of("flatten", "input", input)
    if x.ndim == 0:
        return P.reshape(x, shape=(1,))
    a, b = wrap_dim(start_dim, x.ndim, "flatten"), wrap_dim(end_dim, x.ndim, "flatten")
    if a > b:
        raise OptionError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    if a == b:
        return x
    old = x.array.shape
    return P.reshape(x, shape=(*old[:a], math.prod(old[a : b + 1]), *old[b + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Split one dimension into several."""
    x = tensor_of("unflatten", "input", input)
    d = wrap_dim(dim, x.ndim, "unflatten")
    new, n = tuple(sizes), x.array.shape[d]
    if -1 in new:
        rest = math.prod(s for s in new if s != -1)
        new = tuple(n // rest if s == -1 and rest else s for s in new)
    if math.prod(new) != n:
        raise ShapeError(f"unflatten: sizes {tuple(sizes)} do not multiply to {n}, the size of dim {dim}")
    return P.reshape(x, shape=(*x.array.shape[:d], *new, *x.array.shape[d + 1 :]))


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Remove the dimensions of size 1: all of them, or those among `dim`."""
    x = tensor_of("squeeze", "input", input)
    chosen = wrap_dims(dim, x.ndim, "squeeze")
    return P.reshape(x, shape=tuple(n for i, n in enumerate(x.array.shape) if n != 1 or i not in chosen))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Insert a dimension of size 1 at `dim`."""
    x = tensor_of("unsqueeze", "input", input)
    d = wrap_dim(dim, x.ndim + 1, "unsqueeze")
    return P.reshape(x, shape=(*x.array.shape[:d], 1, *x.array.shape[d:]))


def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order, as a view."""
    x = tensor_of("permute", "input", input)
    order = sizes("permute", dims, negative=True)
    axes = wrap_dims(order, x.ndim, "permute")
    if len(axes) != x.ndim:
        raise ShapeError(f"permute: expected {x.ndim} dims, got {order}")
    return P.permute(x, axes=axes)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged, as a view."""
    x = tensor_of("transpose", "input", input)
    a, b = wrap_dim(dim0, x.ndim, "transpose"), wrap_dim(dim1, x.ndim, "transpose")
    axes = list(range(x.ndim))
    if axes:
        axes[a], axes[b] = axes[b], axes[a]
    return P.permute(x, axes=tuple(axes))


swapaxes = swapdims = transpose


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix (vectors as they are)."""
    x = tensor_of("t", "input", input)
    if x.ndim > 2:
        raise ShapeError(f"t: expected at most 2 dimensions, got shape {tuple(x.array.shape)}")
    return P.permute(x, axes=tuple(range(x.ndim))[::-1])


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Move dimensions to other places; the rest keep their order."""
    x = tensor_of("movedim", "input", input)
    a, b = wrap_dims(source, x.ndim, "movedim"), wrap_dims(destination, x.ndim, "movedim")
    if len(a) != len(b):
        raise ShapeError(f"movedim: {len(a)} sources but {len(b)} destinations")
    order = [i for i in range(x.ndim) if i not in a]
    for place, dim in sorted(zip(b, a, strict=True)):
        order.insert(place, dim)
    return P.permute(x, axes=tuple(order))


moveaxis = movedim


def expand(input: Tensor, *size: Any) -> Tensor:
    """Repeat dimensions of size 1 without copying; -1 keeps a size; new dimensions come first."""
    return _expand("expand", input, size)


def _expand(where: str, input: Tensor, size: tuple[Any, ...]) -> Tensor:
    x = tensor_of(where, "input", input)
    new = sizes(where, size, negative=True)
    lead = len(new) - x.ndim
    old = (1,) * lead + tuple(x.array.shape)
    if lead < 0 or any(n == -1 for n in new[:lead]):
        raise ShapeError(f"{where}: shape {tuple(x.array.shape)} cannot be expanded to {new}")
    target = tuple(o if n == -1 else n for n, o in zip(new, old, strict=True))
    if any(o not in (1, n) or n < 0 for n, o in zip(target, old, strict=True)):
        raise ShapeError(f"{where}: shape {tuple(x.array.shape)} cannot be expanded to {new}")
    return P.expand(x, shape=target)


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`expand` to the shape of `other`."""
    return _expand("expand_as", input, tensor_of("expand_as", "other", other).array.shape)


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """`expand` under NumPy's name."""
    return _expand("broadcast_to", input, tuple(size))


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy that stays in the graph; row-major, or in the order of a memory format."""
    order = check_memory_format("clone", memory_format)
    z = P.clone(tensor_of("clone", "input", input))
    return in_order("clone", z, order) if order else z


def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself if it is contiguous, else a copy that is; row-major, or in the order of a memory format."""
    x, order = tensor_of("contiguous", "input", input), check_memory_format("contiguous", memory_format)
    if order:
        return in_order("contiguous", x, order)
    return x if x.is_contiguous() else P.clone(x)


def in_order(where: str, x: Tensor, order: tuple[int, ...]) -> Tensor:
    """The same elements, whose dimensions lie in memory in `order`; itself if they do."""
    if x.ndim != len(order):
        raise ShapeError(f"{where}: this memory_format takes {len(order)} dimensions, got shape {tuple(x.array.shape)}")
    turned = P.permute(x, axes=order)
    if turned.is_contiguous():
        return x
    return P.permute(P.clone(turned), axes=tuple(order.index(i) for i in range(len(order))))


@numpy_names
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along a dimension; their other sizes must agree. Empty 1-d tensors fit anywhere, as in PyTorch."""
    xs = [tensor_of("cat", f"tensors[{i}]", x) for i, x in enumerate(tensors)]
    if not xs:
        raise ShapeError("cat: expected at least one tensor")
    first = next((x.array.shape for x in xs if x.array.shape != (0,)), None)
    if first is None:  # PyTorch does not look at `dim` then
        first, axis = (0,), 0
    else:
        axis = wrap_dim(dim, len(first), "cat")
    for i, x in enumerate(xs):
        if x.array.shape == (0,):
            continue
        if x.ndim == 0:
            raise ShapeError("cat: 0-d tensors cannot be joined; use stack")
        if x.ndim != len(first) or any(
            a != b for d, (a, b) in enumerate(zip(x.array.shape, first, strict=True)) if d != axis
        ):
            raise ShapeError(
                f"cat: tensor {i} has shape {tuple(x.array.shape)}, which differs from {tuple(first)} outside dim {dim}"
            )
    if len(first) > 1:
        nothing = (*first[:axis], 0, *first[axis + 1 :])
        xs = [P.reshape(x, shape=nothing) if x.array.shape == (0,) else x for x in xs]
    return P.cat(*xs, axis=axis, sizes=tuple(x.array.shape[axis] for x in xs))


concat = concatenate = cat


@numpy_names
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new dimension."""
    xs = [tensor_of("stack", f"tensors[{i}]", x) for i, x in enumerate(tensors)]
    if not xs:
        raise ShapeError("stack: expected at least one tensor")
    for i, x in enumerate(xs):
        if x.array.shape != xs[0].array.shape:
            raise ShapeError(
                f"stack: tensor {i} has shape {tuple(x.array.shape)}, tensor 0 has {tuple(xs[0].array.shape)}"
            )
    d = wrap_dim(dim, xs[0].ndim + 1, "stack")
    return cat([unsqueeze(x, d) for x in xs], d)


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`length` elements of a dimension from `start`, as a view."""
    x = tensor_of("narrow", "input", input)
    d = wrap_dim(dim, x.ndim, "narrow")
    n = x.array.shape[d] if x.ndim else 1
    begin = start + n if start < 0 else start
    if x.ndim == 0 or not 0 <= begin <= n or length < 0 or begin + length > n:
        raise RangeError(f"narrow: start {start}, length {length} do not lie in dim {dim} of size {n}")
    return P.index(x, index=(*(slice(None),) * d, slice(begin, begin + length), *(slice(None),) * (x.ndim - d - 1)))


def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of a given size (the last may be smaller), or of the sizes listed, as views."""
    x = tensor_of("split", "tensor", tensor)
    d = wrap_dim(dim, x.ndim, "split")
    n = x.array.shape[d] if x.ndim else 1
    if isinstance(split_size_or_sections, list | tuple):
        parts = [int(s) for s in split_size_or_sections]
        if sum(parts) != n or any(s < 0 for s in parts):
            raise ShapeError(f"split: sections {parts} do not sum to {n}, the size of dim {dim}")
    else:
        step = int(split_size_or_sections)
        if step < 0 or step == 0 and n:
            raise OptionError(f"split: split_size must be > 0, got {step}")
        parts = [min(step, n - i) for i in range(0, n, step)] if n else [0]
    starts = [sum(parts[:i]) for i in range(len(parts))]
    return tuple(narrow(x, d, a, length) for a, length in zip(starts, parts, strict=True))


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size (the last may be smaller), as views."""
    x = tensor_of("chunk", "input", input)
    if chunks < 1:
        raise OptionError(f"chunk: chunks must be ≥ 1, got {chunks}")
    n = x.array.shape[wrap_dim(dim, x.ndim, "chunk")] if x.ndim else 1
    return split(x, -(-n // chunks) if n else [0] * chunks, dim)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along a dimension, without it, as views."""
    x = tensor_of("unbind", "input", input)
    d = wrap_dim(dim, x.ndim, "unbind")
    if x.ndim == 0:
        raise ShapeError("unbind: a 0-d tensor has no slices")
    rest = (slice(None),) * (x.ndim - d - 1)
    return tuple(P.index(x, index=(*(slice(None),) * d, i, *rest)) for i in range(x.array.shape[d]))


def flip(input: Tensor, dims: Any) -> Tensor:
    """A copy with the order of the elements reversed along `dims`."""
    x = tensor_of("flip", "input", input)
    axes = wrap_dims(dims, x.ndim, "flip")
    return P.clone(P.index(x, index=tuple(slice(None, None, -1 if i in axes else 1) for i in range(x.ndim))))


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of matrices, zeros elsewhere."""
    return _triangle("tril", input, diagonal, True)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of matrices, zeros elsewhere."""
    return _triangle("triu", input, diagonal - 1, False)


def _triangle(where: str, input: Tensor, k: int, lower: bool) -> Tensor:
    x = tensor_of(where, "input", input)
    if x.ndim < 2:
        raise ShapeError(f"{where}: expected at least 2 dimensions, got shape {tuple(x.array.shape)}")
    mask = np.tri(x.array.shape[-2], x.array.shape[-1], k, bool) == lower
    return P.where(mask, x, x.array.dtype.type(0))


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Pad (or with negative widths crop) the last dimensions: `pad` lists (before, after) from the last one on.

    mode  "constant" (with `value`), "reflect", "replicate" or "circular"; the last three as in PyTorch pad the last
          1, 2 or 3 dimensions of a tensor that has one or two more.
    """
    x = tensor_of("pad", "input", input)
    widths = [int(w) for w in pad]
    if len(widths) % 2 or len(widths) > 2 * x.ndim:
        raise ShapeError(f"pad: expected an even number of widths, at most {2 * x.ndim}, got {len(widths)}")
    pairs = [(0, 0)] * (x.ndim - len(widths) // 2) + [
        (widths[i], widths[i + 1]) for i in range(len(widths) - 2, -1, -2)
    ]
    if mode == "constant":
        crop = tuple(slice(max(0, -lo), n - max(0, -hi)) for (lo, hi), n in zip(pairs, x.array.shape, strict=True))
        for (lo, hi), n in zip(pairs, x.array.shape, strict=True):
            if n + lo + hi < 0:
                raise ShapeError(f"pad: widths {tuple(pad)} leave a negative size of shape {tuple(x.array.shape)}")
        if any(w < 0 for w in widths):
            x = P.index(x, index=crop)
        if x.ndim == 0:
            return P.clone(x)
        grow = tuple((max(0, lo), max(0, hi)) for lo, hi in pairs)
        y = P.pad_constant(x, widths=grow, value=0 if value is None else value)
        return y
    if mode not in ("reflect", "replicate", "circular"):
        raise OptionError(f"pad: mode must be 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}")
    if value is not None and value != 0:
        raise OptionError(f"pad: mode {mode!r} takes no value")
    k = len(widths) // 2
    if x.ndim not in (k + 1, k + 2):
        raise NotImplementedError(
            f"pad: mode {mode!r} pads {k} dimensions of a {k + 1}- or {k + 2}-d tensor, got {x.ndim}-d"
        )
    for axis, (lo, hi) in enumerate(pairs):
        if (lo, hi) != (0, 0):
            x = _pad_by_index(x, axis, lo, hi, mode)
    return x


def _pad_by_index(x: Tensor, axis: int, lo: int, hi: int, mode: str) -> Tensor:
    n = x.array.shape[axis]
    limit = {"reflect": n - 1, "circular": n, "replicate": None}[mode]
    if n == 0 or limit is not None and max(lo, hi) > limit:
        raise ShapeError(f"pad: mode {mode!r} cannot add {lo} and {hi} to a dimension of size {n}")
    places = np.arange(-lo, n + hi)
    if mode == "circular":  # negative widths crop first; what is left goes round
        kept = np.arange(max(0, -lo), n - max(0, -hi))
        places = np.arange(-max(lo, 0), kept.size + max(hi, 0))
        if places.size and not kept.size:
            raise ShapeError(f"pad: mode 'circular' cannot add {lo} and {hi} to a dimension of size {n}")
        places = kept[places % max(kept.size, 1)]
    if mode == "reflect":
        places = np.abs(places)
        places = np.where(places >= n, 2 * (n - 1) - places, places)
    elif mode == "replicate":
        places = np.clip(places, 0, n - 1)
    return P.index(x, index=(*(slice(None),) * axis, places, *(slice(None),) * (x.ndim - axis - 1)))
