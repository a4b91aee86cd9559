"""The pool of large buffers that kernels' results come from: its statistics and its limit.

A buffer is kept when the last array over it is gone, and given to the next array of its size. The limit bounds what
the pool holds, in use or free; arrays beyond it come from NumPy and go back to the system. It is a quarter of the
memory, at most 4 GiB, or the number of bytes in the environment variable TINYNET_POOL_BYTES.
"""

from __future__ import annotations

from .errors import whole_number


def memory_stats() -> dict[str, int]:
    """What the pool holds, and what it did.

    `held_bytes` (`used_bytes` + `free_bytes`), `limit_bytes`; how many arrays took a kept buffer (`reused`), a new one
    (`made`), or none for the limit (`unpooled`). Arrays below 64 KiB are not counted.
    """
    from tinynet_kernels.cpu.memory import pool

    return pool.statistics()


def set_memory_limit(bytes: int) -> None:
    """Let the pool hold at most `bytes`; 0 keeps nothing. Raises DtypeError if it is no integer, OptionError below 0."""
    limit = whole_number("set_memory_limit", "bytes", bytes, 0)
    from tinynet_kernels.cpu.memory import pool

    pool.set_limit(limit)


def release_memory() -> int:
    """Give the buffers that nothing uses back to the system; the number of bytes."""
    from tinynet_kernels.cpu.memory import pool

    return pool.clear()
