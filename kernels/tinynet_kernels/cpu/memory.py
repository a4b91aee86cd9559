"""The buffer pool: where kernels' new arrays come from.

A fresh large array costs a page fault every 4 KiB when it is first written, several times the work of most kernels.
So buffers are kept when the last array over them dies, and given out again. A buffer is in use as long as somebody
beside the pool refers to it: every array over it, and every view of that array, has the buffer as its NumPy base (or
holds an array that has). So a buffer's reference count tells whether it is free, and nothing needs to be handed back.

Sizes are rounded up to one of eight steps between powers of two; where none of a size is free, one of up to four steps
above serves. Arrays below `SMALLEST` come from NumPy, as do those
that would take the pool beyond its limit.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

Array = np.ndarray[Any, Any]

SMALLEST = 1 << 16
"""Bytes: below this the C library's own free lists do as well."""

_ALIGNMENT = 64  # a cache line, and the widest vector
_LOOKS = 64  # buffers looked at in turn, and as many more among the rest, before a new one is made
_WIDER = 4  # sizes above the one that is asked for, of which a free buffer serves, too
_DEFAULT_LIMIT = 1 << 32


class Buffer(np.ndarray[Any, Any]):
    """The memory of an array from the pool.

    A class of its own, so that NumPy makes the base of a view the array that it views, and not what is below that:
    an array whose base is a Buffer is no view.
    """

    pooled = True


class Pool:
    """Buffers by size; `limit` bounds the bytes of all of them, in use or free."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = self.reused = self.made = self.unpooled = 0
        self._buffers: dict[int, list[Array]] = {}
        self._lock = threading.Lock()
        self._cursor = 0
        row = [np.empty(1, np.uint8)]
        self._idle = sys.getrefcount(row[0])  # of a buffer that its row alone refers to

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """An uninitialised C-contiguous array, aligned to 64 bytes where it is large."""
        kind = dtype if isinstance(dtype, np.dtype) else np.dtype(dtype)
        size = math.prod(shape) * kind.itemsize
        if size < SMALLEST:
            return np.empty(shape, kind)
        with self._lock:
            buffer = self._take(_rounded(size))
            if buffer is None:
                return np.empty(shape, kind)
            return np.ndarray(shape, kind, buffer)

    def _take(self, size: int) -> Array | None:
        row = self._buffers.setdefault(size, [])
        count, idle, references = len(row), self._idle, sys.getrefcount
        for i in range(min(count, _LOOKS)):  # the first free one: few buffers stay warm in the caches
            if references(row[i]) == idle:
                self.reused += 1
                return row[i]
        for _ in range(min(count - _LOOKS, _LOOKS)):  # of many: on from where the last search ended
            self._cursor = i = _LOOKS + (self._cursor + 1) % (count - _LOOKS)
            if references(row[i]) == idle:
                self.reused += 1
                return row[i]
        more = size
        for _ in range(_WIDER):  # shapes that change from step to step need not each have buffers of their own
            more = _rounded(more + 1)
            row = self._buffers.get(more, [])
            for i in range(min(len(row), _LOOKS)):
                if references(row[i]) == idle:
                    self.reused += 1
                    return row[i]
        if self.held + size > self.limit:
            self._release(self.held + size - self.limit)
        if self.held + size > self.limit:
            self.unpooled += 1
            return None
        whole = Buffer((size + _ALIGNMENT,), np.uint8)
        start = -whole.ctypes.data % _ALIGNMENT
        buffer: Any = whole[start : start + size]
        self._buffers[size].append(buffer)
        self.held += size
        self.made += 1
        return buffer

    def _release(self, wanted: int) -> int:
        """Drop free buffers, the largest first, until `wanted` bytes are gone; the bytes dropped."""
        gone = 0
        for size in sorted(self._buffers, reverse=True):
            row = self._buffers[size]
            i = len(row)
            while i and gone < wanted:
                i -= 1
                if sys.getrefcount(row[i]) == self._idle:
                    row.pop(i)
                    gone += size
        self.held -= gone
        return gone

    def clear(self) -> int:
        """Give every free buffer back to the system; the number of bytes."""
        with self._lock:
            return self._release(self.held)

    def set_limit(self, limit: int) -> None:
        """Bound the bytes of all buffers; free ones above the bound are dropped."""
        with self._lock:
            self.limit = limit
            self._release(self.held - limit)

    def statistics(self) -> dict[str, int]:
        """`held_bytes`, of which `used_bytes` and `free_bytes`; `limit_bytes`; how often `reused`, `made`, `unpooled`."""
        with self._lock:
            free = sum(
                size
                for size, row in self._buffers.items()
                for i in range(len(row))
                if sys.getrefcount(row[i]) == self._idle
            )
            return {
                "held_bytes": self.held,
                "used_bytes": self.held - free,
                "free_bytes": free,
                "limit_bytes": self.limit,
                "reused": self.reused,
                "made": self.made,
                "unpooled": self.unpooled,
            }


def _rounded(size: int) -> int:
    step = 1 << max(size.bit_length() - 4, 12)
    return -(-size // step) * step


def _limit() -> int:
    text = os.environ.get("TINYNET_POOL_BYTES", "").strip()
    if text.isdigit():
        return int(text)
    try:
        return min(_DEFAULT_LIMIT, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4)
    except (AttributeError, ValueError, OSError):
        return _DEFAULT_LIMIT


pool = Pool(_limit())
empty = pool.empty


def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """An array of zeros from the pool."""
    x = pool.empty(shape, dtype)
    x.fill(0)
    return x


def _after_fork_in_child() -> None:
    pool._lock = threading.Lock()  # another thread may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
