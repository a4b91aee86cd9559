"""Many arrays in one launch: a table of their addresses, and of the chunks that they are divided into.

A kernel over a table has one `prange` over all chunks, whatever the number and the sizes of the arrays. It takes
`table.addresses` (a row for each role, a column for each array), `table.sizes`, `table.chunks` (column, first element)
and `table.like` (an empty array of the dtype), and sees its arrays by `part`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from .arrays import Array, contiguous
from .jit import inner, kernel

CHUNK = 16384
"""Elements: large enough for a thread to be worth its while, small enough for four arrays' chunks to stay in L2."""


class Table:
    """Arrays by role and number: ``rows[role][number]``; those of one number have the same size.

    All of one dtype, C-contiguous and writeable (ValueError if not), and kept alive here. `steps`, one 0-d float32 array
    for each number, are counters that a kernel may advance. One more row is for arrays that differ at every launch:
    `point_at` them.
    """

    def __init__(self, rows: Sequence[Sequence[Array]], steps: Sequence[Array] = ()) -> None:
        first = rows[0]
        self.rows = [list(row) for row in rows]
        self.steps = list(steps)
        self.like = np.empty(0, first[0].dtype if first else np.float32)
        sizes = [x.size for x in first]
        for row in self.rows:
            for x, size in zip(row, sizes, strict=True):
                if not x.flags.carray or x.size != size or x.dtype != self.like.dtype:
                    raise ValueError(
                        "an array that is updated in place must be C-contiguous, aligned and writeable, and of the size "
                        f"and dtype of its parameter; got {x.dtype}{list(x.shape)} with strides {x.strides}"
                    )
        for x in self.steps:
            if x.shape != () or x.dtype != np.float32 or not x.flags.carray:
                raise ValueError(f"a step counter must be a writeable 0-d float32 array, got {x.dtype}{list(x.shape)}")
        address = _address.serial
        addresses = [[address(x) for x in row] for row in self.rows]
        self.addresses = np.array([[0] * len(sizes), *addresses], np.uint64).reshape(len(rows) + 1, len(sizes))
        self.counters = np.array([address(x) for x in self.steps], np.uint64)
        self.sizes = np.array(sizes, np.int64)
        chunks = [(i, lo) for i, size in enumerate(sizes) for lo in range(0, size, CHUNK)]
        self.chunks = np.array(chunks, np.int64).reshape(-1, 2)
        self.elements = sum(sizes)

    def point_at(self, arrays: Sequence[Array]) -> list[Array]:
        """Row 0 of the addresses becomes these arrays'; hold what is returned until the kernel is done."""
        held = [x if x.flags.carray else contiguous(x) for x in arrays]
        address = _address.serial
        self.addresses[0] = [address(x) for x in held]
        return held


@kernel
def _address(x):  # type: ignore[no-untyped-def]
    """Where a C-contiguous array's elements begin; NumPy's own attribute takes ten times as long."""
    return x.ctypes.data


def _at(typingctx: Any, address: Any) -> Any:
    """An integer as the pointer that `carray` takes."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

    return types.voidptr(address), codegen


_pointer: Any = intrinsic(_at)  # called without its first argument, which Numba supplies


@inner
def part(address, start, count, like):  # type: ignore[no-untyped-def]
    """`count` elements from `start` on of the array at `address`, of `like`'s dtype."""
    return carray(_pointer(address + np.uint64(start * like.itemsize)), (count,), like.dtype)
