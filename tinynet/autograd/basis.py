"""The few primitives that the engine itself needs: to add, cast, undo a broadcast, alias, and change in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from .primitive import Primitive

Array = np.ndarray[Any, Any]


def sum_to_array(x: Array, *, shape: tuple[int, ...]) -> Array:
    """Sum `x` down to `shape`, from which it was broadcast. Halves are summed in float32."""
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(shape) if n == 1 and x.shape[i + lead] != 1)
    if axes:
        wide = np.float32 if x.dtype.itemsize == 2 else None
        x = np.asarray(np.sum(x, axis=axes, keepdims=True, dtype=wide), dtype=x.dtype)
    return x.reshape(shape)


def expand_array(x: Array, *, shape: tuple[int, ...]) -> Array:
    """Broadcast `x` to `shape` without copying (stride 0)."""
    if x.size == 1 and x.dtype.char in "fd":  # the gradient of a full sum; np.broadcast_to costs ten times as much
        return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
    out = np.broadcast_to(x, shape)
    if x.flags.writeable:  # where nothing is repeated, the part may be changed in place
        out.flags.writeable = True
    return out


add: Primitive = Primitive("add", np.add, dx=lambda dz: dz, dy=lambda dz: dz)

# the engine casts a gradient to the dtype of its input
cast: Primitive = Primitive("cast", lambda x, *, dtype: x.astype(dtype), promote=None, dx=lambda dz: dz)

# linear and each other's transpose
expand: Primitive = Primitive(
    "expand", expand_array, promote=None, view=True, dx=lambda dz, shape: sum_to(dz, shape=shape)
)
sum_to: Primitive = Primitive("sum_to", sum_to_array, promote=None, dx=lambda dz, shape: expand(dz, shape=shape))

# the same values as another node: one argument of a function apart from the others
alias: Primitive = Primitive("alias", lambda x: x, promote=None, dx=lambda dz: dz)

# x ← v: keeps an edge to what was there before, with a zero gradient
overwrite: Primitive = Primitive(
    "overwrite",
    lambda x, v: np.array(np.broadcast_to(v, x.shape), dtype=x.dtype),
    promote=None,
    dx=lambda dz: zeros_like(dz),
    dv=lambda dz: dz,
)

# x, and the gradient of x, with an edge to `like` of the same shape, which gets zeros: it requires a gradient if that does
anchor: Primitive = Primitive(
    "anchor", lambda x, like: x, promote=None, dx=lambda dz, like: anchor(dz, like), dlike=lambda dz: zeros_like(dz)
)

clone: Primitive = Primitive("clone", lambda x: x.copy(), promote=None, dx=lambda dz: dz)

zeros_like: Primitive = Primitive("zeros_like", np.zeros_like, promote=None)
