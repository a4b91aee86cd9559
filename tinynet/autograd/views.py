"""Views and in-place changes.

A view shares its base's memory cell and remembers the path of view operations from the base. Changing a view in place
puts a `paste` node on the base (its old value with the view's part replaced), and every view of that base describes
itself again from the base's new node when it is next used. `x.f_()` runs f out of place and copies the result into
x's memory, so what earlier nodes saved is seen to be stale by the clock, never silently overwritten in the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from .._tensor import Tensor, changed, current_node, new_tensor
from ..errors import DtypeError, GraphError, ShapeError
from .basis import cast, overwrite
from .modes import modes
from .node import Leaf, Node
from .primitive import Primitive

Array = np.ndarray[Any, Any]
Path = tuple[tuple[Primitive, dict[str, Any]], ...]


def follow(x: Any, path: Path) -> Any:
    """Apply the view operations of `path` to an array or a Tensor."""
    for op, options in path:
        x = op(x, **options)
    return x


def paste_array(x: Array, v: Any, *, path: Path) -> Array:
    """A copy of `x` whose part at `path` is `v`."""
    out = np.array(x, order="C")
    part = follow(out, path)
    if not np.may_share_memory(part, out):  # a reshape in the path copied: go by element numbers
        out.reshape(-1)[follow(np.arange(out.size).reshape(out.shape), path)] = v
    else:
        part[...] = v
    return out


paste: Primitive = Primitive(
    "paste",
    paste_array,
    promote=None,
    dx=lambda dz, path: paste(dz, 0, path=path),
    dv=lambda dz, path: follow(dz, path),
)


def describe(x: Tensor) -> None:
    """Give the view `x` its node anew, from its base's present node."""
    assert x.view_of is not None
    base, path, _, recorded = x.view_of
    x.view_of = (base, path, base.memory[1], recorded)
    if base.node is None or not recorded:
        return
    source = new_tensor(base.array)
    source.node = base.node
    before, modes.recording = modes.recording, True
    try:
        x.node = follow(source, path).node
    finally:
        modes.recording = before


def check_memory(x: Tensor, name: str) -> None:
    """Raise where the memory cannot take a change in place."""
    if x.array.size and any(n > 1 and s == 0 for n, s in zip(x.array.shape, x.array.strides, strict=True)):
        raise GraphError(f"{name}: several elements of this expanded tensor lie in one place; clone() it first")
    if not x.array.flags.writeable:
        raise GraphError(f"{name}: this tensor's memory is read-only; clone() it first")


def check_writeable(x: Tensor, name: str) -> None:
    """Raise where PyTorch forbids a change in place, or where the memory cannot take one."""
    check_memory(x, name)
    if not modes.recording:
        return
    if type(current_node(x)) is Leaf:
        raise GraphError(f"{name}: a leaf that requires a gradient cannot be changed in place; use no_grad()")
    if x.view_of is not None and type(x.view_of[0].node) is Leaf:
        raise GraphError(f"{name}: a view of a leaf that requires a gradient cannot be changed in place")
    if x.view_of is not None and not x.view_of[3] and x.view_of[0].node is not None:
        raise GraphError(f"{name}: this view was made under no_grad and is changed in place while recording")


def inplace(name: str, x: Tensor, f: Callable[[Tensor], Tensor]) -> Tensor:
    """x ← f(x), in x's memory and in the graph. Returns x."""
    check_writeable(x, name)
    source = new_tensor(x.array.copy() if modes.recording else x.array)
    source.node = current_node(x) if modes.recording else None
    new = f(source)
    if new.array.shape != x.array.shape:
        raise ShapeError(
            f"{name}: the result has shape {tuple(new.array.shape)}, which does not fit into shape {tuple(x.array.shape)}"
        )
    store(name, x, new)
    return x


def store(name: str, x: Tensor, new: Tensor) -> None:
    """Put `new`, of the same shape, into x's memory, and its node into x's place in the graph."""
    if new.array.dtype != x.array.dtype:
        if new.dtype.category > x.dtype.category:
            raise DtypeError(f"{name}: a result of dtype {new.dtype} cannot be stored in a tensor of dtype {x.dtype}")
        new = cast(new, dtype=x.array.dtype)
    np.copyto(x.array, new.array)
    changed(x)
    if modes.recording and (new.node is not None or x.node is not None):
        rebase(name, x, new.node)


def rebase(name: str, x: Tensor, node: Any) -> None:
    """x's value now comes from `node`; if x is a view, its base gets a paste node."""
    if x.view_of is not None:
        base, path, _, recorded = x.view_of
        if not recorded:
            raise GraphError(f"{name}: this view was made under no_grad and is changed in place while recording")
        base.node = Node(paste, (base.node, node), (None,) * 3, (None,) * 3, {"path": path}, base.array)
        x.view_of = (base, path, x.memory[1], True)
    x.node = node


def copy_(x: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Copy `src`, broadcast to this shape and cast to this dtype, into this tensor."""
    if not isinstance(src, Tensor):
        src = new_tensor(np.asarray(src))
    try:
        np.broadcast_to(src.array, x.array.shape)
    except ValueError:
        raise ShapeError(
            f"copy_: shape {tuple(src.array.shape)} cannot be broadcast to {tuple(x.array.shape)}"
        ) from None
    return inplace("copy_", x, lambda t: overwrite(t, src))


def fill_(x: Tensor, value: Any) -> Tensor:
    """Set every element to `value`, a number or a 0-d tensor."""
    if isinstance(value, Tensor) and value.ndim:
        raise ShapeError(f"fill_: expected a number or a 0-d tensor, got shape {tuple(value.shape)}")
    if not isinstance(value, Tensor):
        dtypes.check_fits(np.asarray(value), x.array.dtype, "fill_")
        value = new_tensor(np.asarray(value, x.array.dtype))
    return copy_(x, value)


def zero_(x: Tensor) -> Tensor:
    """Set every element to zero."""
    return fill_(x, 0)


def operate_(name: str, op: Callable[..., Tensor], ufunc: np.ufunc | None, x: Tensor, y: Any) -> Tensor:
    """x ← op(x, y). While nothing is recorded, NumPy writes straight into x's memory."""
    if not modes.recording and ufunc is not None and x.array.dtype.char in "fd":
        b = y.array if isinstance(y, Tensor) else y
        if (type(b) is float or isinstance(b, np.ndarray) and b.dtype == x.array.dtype) and x.array.flags.writeable:
            check_writeable(x, name)
            try:
                ufunc(x.array, b, out=x.array)
            except ValueError:
                raise ShapeError(f"{name}: shape {np.shape(b)} does not fit into {x.array.shape}") from None
            changed(x)
            return x
    return inplace(name, x, lambda t: op(t, y))
