"""Random bits as a function of a key and a counter."""

from __future__ import annotations

import numpy as np
from numba import prange

from .arrays import Array
from .jit import inner, kernel
from .memory import empty

_BLOCKS = 4096  # blocks of a chunk
_WORD = 0xFFFFFFFF


def philox_u32(key: int, counter: int, n: int) -> Array:
    """`n` words of Philox 4×32-10: block i (four words) encrypts ``counter + i`` under `key`.

    key 64 bits (low half first), counter 128 bits (lowest word first, wraps) → uint32 (n,). Parallel over chunks of
    4096 blocks. Floor: the words once, 20 wide multiplications a block.

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011.
    """
    words = empty((-(-n // 4) * 4,), np.uint32)
    low, high = counter & (2**64 - 1), (counter >> 64) & (2**64 - 1)
    keys = np.array([key & _WORD, (key >> 32) & _WORD, low, high], np.uint64)
    _philox(words.size * 16, keys, words.reshape(-1, 4))
    return words[:n]


@kernel
def _philox(keys, words):  # type: ignore[no-untyped-def]
    blocks = words.shape[0]
    for chunk in prange((blocks + _BLOCKS - 1) // _BLOCKS):
        first = chunk * _BLOCKS
        philox_blocks(keys, np.uint64(first), np.uint64(min(first + _BLOCKS, blocks) - first), words)


@inner
def philox_blocks(keys, first, count, words):  # type: ignore[no-untyped-def]
    """Ten rounds without a branch on 64-bit words that hold 32: several blocks at once, by vectors."""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for n in range(count):
        i = first + n
        k0, k1 = keys[0], keys[1]
        low = keys[2] + i
        high = keys[3] + np.uint64(low < i)  # the low half may have wrapped
        c0, c1, c2, c3 = low & mask, low >> half, high & mask, high >> half
        for _ in range(10):
            left, right = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
            c0, c1, c2, c3 = (right >> half) ^ c1 ^ k0, right & mask, (left >> half) ^ c3 ^ k1, left & mask
            k0, k1 = (k0 + np.uint64(0x9E3779B9)) & mask, (k1 + np.uint64(0xBB67AE85)) & mask
        words[i, 0], words[i, 1], words[i, 2], words[i, 3] = c0, c1, c2, c3
