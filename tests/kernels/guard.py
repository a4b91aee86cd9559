"""Arrays that end where the process may not read: whatever looks behind them dies."""

import ctypes
import mmap
import sys

import numpy as np
import pytest

PAGE = mmap.PAGESIZE


def guarded(shape, dtype):
    """An uninitialised array whose last byte is the last one before a protected page."""
    if not sys.platform.startswith("linux"):
        pytest.skip("protects pages by Linux's mprotect")
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    room = -(-size // PAGE) * PAGE
    block = mmap.mmap(-1, room + PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(block))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(address + room), ctypes.c_size_t(PAGE), 0) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
    return np.frombuffer(block, dtype, size // dtype.itemsize, room - size).reshape(shape)


def ends_at_guard(x):
    """A copy of `x` that ends at a protected page."""
    copy = guarded(x.shape, x.dtype)
    copy[...] = x
    return copy
