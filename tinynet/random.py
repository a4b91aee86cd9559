"""Random numbers: a counter-based generator, so that any device, in any order, can give the same bits.

Philox 4×32-10: a keyed bijection of a 128-bit counter (10 rounds of two 32×32→64-bit products), four 32-bit words a
block. Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The seed is the key;
the state is the seed and the number of the next block.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import dtypes
from ._tensor import Tensor, new_tensor
from .errors import DtypeError, OptionError, ShapeError

Array = np.ndarray[Any, Any]
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def philox(key: int, block: int, n: int) -> Array:
    """The first `n` 32-bit words of blocks `block`, `block` + 1, … under `key`: the definition of the stream.

    key    64 bits
    block  128 bits, the counter of the first block
    """
    count = -(-n // 4)
    low = np.arange(count, dtype=np.uint64)
    start_low, start_high = block & (2**64 - 1), block >> 64 & (2**64 - 1)
    with np.errstate(over="ignore"):
        low = low + np.uint64(start_low)
        high = np.full(count, start_high, np.uint64) + (low < np.uint64(start_low))
    c0, c1, c2, c3 = low & _LOW, low >> _32, high & _LOW, high >> _32
    k0, k1 = key & 0xFFFFFFFF, key >> 32 & 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ np.uint64(k0), p1 & _LOW, (p0 >> _32) ^ c3 ^ np.uint64(k1), p0 & _LOW
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32).reshape(-1)[:n]


class Generator:
    """A stream of random numbers with a seed and a position; `manual_seed` starts it anew."""

    def __init__(self, device: Any = "cpu") -> None:
        from ._device import check_device

        self.device = check_device(device, "Generator")
        self._seed, self._block = 67280421310721, 0

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of `seed` (an integer; negative ones wrap as in PyTorch) from its beginning."""
        try:
            number = int(seed.__index__())
        except AttributeError:
            raise DtypeError(f"manual_seed: seed must be an integer, got {seed!r}") from None
        if not -(2**63) <= number < 2**64:
            raise OptionError(f"manual_seed: seed must fit into 64 bits, got {number}")
        self._seed, self._block = number % 2**64, 0
        return self

    def seed(self) -> int:
        """Seed from the operating system, and return that seed."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed of this stream."""
        return self._seed

    def get_state(self) -> Tensor:
        """The state as a tensor of bytes: seed and block number, little-endian."""
        state = self._seed.to_bytes(8, "little") + self._block.to_bytes(16, "little")
        return new_tensor(np.frombuffer(state, np.uint8).copy())

    def set_state(self, state: Tensor) -> Generator:
        """Continue from a state that `get_state` returned."""
        if not isinstance(state, Tensor) or state.array.dtype != np.uint8 or state.array.shape != (24,):
            raise ShapeError("set_state: expected a uint8 tensor of 24 elements, as get_state returns")
        data = state.array.tobytes()
        self._seed, self._block = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")
        return self

    # drawing

    def reserve(self, n: int) -> tuple[int, int]:
        """Key and first counter of the next `n` words, for what makes them where it needs them."""
        block = self._block
        self._block = (block + -(-n // 4)) % 2**128
        return self._seed, block

    def words(self, n: int) -> Array:
        """The next `n` uniform 32-bit words."""
        from tinynet_kernels import available, kernels_for

        _, block = self.reserve(n)
        if n >= 4096 and available(np.dtype(np.float32)):
            return kernels_for().philox_u32(self._seed, block, n)
        return philox(self._seed, block, n)

    def words64(self, n: int) -> Array:
        """The next `n` uniform 64-bit words."""
        return self.words(2 * n).view(np.uint64)

    def uniform(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Uniform on [0, 1): 24 random bits for float32 and shorter, 53 for float64."""
        n = int(np.prod(shape, dtype=np.int64))
        if dtype == np.float64:
            return ((self.words64(n) >> np.uint64(11)) * 2.0**-53).reshape(shape)
        bits = {np.dtype(np.float16): 11, dtypes.bfloat16.numpy: 8}.get(dtype, 24)
        draws = (self.words(n) >> np.uint32(32 - bits)).astype(np.float32) * np.float32(2.0**-bits)
        return draws.astype(dtype).reshape(shape)

    def normal(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Standard normal, by the Box–Muller transform: √(−2 ln u)·(cos 2πv, sin 2πv)."""
        n = int(np.prod(shape, dtype=np.int64))
        wide = np.dtype(np.float64) if dtype == np.float64 else np.dtype(np.float32)
        half = -(-n // 2)
        draws = self.uniform((2, half), wide)
        r = np.sqrt(wide.type(-2) * np.log(wide.type(1) - draws[0]))
        angle = wide.type(2 * np.pi) * draws[1]
        return np.concatenate([r * np.cos(angle), r * np.sin(angle)])[:n].astype(dtype).reshape(shape)

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> Array:
        """Uniform integers in [low, high), as int64."""
        n = int(np.prod(shape, dtype=np.int64))
        return (np.int64(low) + (self.words64(n) % np.uint64(high - low)).astype(np.int64)).reshape(shape)

    def permutation(self, n: int) -> Array:
        """A uniform permutation of 0 … n−1, as int64: the order of n random 64-bit words."""
        return np.argsort(self.words64(n), kind="stable").astype(np.int64)


default_generator = Generator()


class _Local(threading.local):
    generator: Generator | None = None


_local = _Local()


def current_generator() -> Generator:
    """The stream that this thread draws from: the default one, or a data loader's for the batch at hand."""
    return _local.generator or default_generator


@contextlib.contextmanager
def use_generator(generator: Generator) -> Iterator[None]:
    """Within it this thread draws from `generator` in place of the default one."""
    before, _local.generator = _local.generator, generator
    try:
        yield
    finally:
        _local.generator = before


def manual_seed(seed: int) -> Generator:
    """Seed the default generator."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the operating system."""
    return default_generator.seed()


def initial_seed() -> int:
    """The default generator's seed."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's state."""
    return default_generator.get_state()


def set_rng_state(state: Tensor) -> None:
    """Set the default generator's state."""
    default_generator.set_state(state)
