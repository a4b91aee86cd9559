"""Ids as batches: windows for language models, padding, batches of similar length."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..._tensor import Tensor, new_tensor
from ...errors import DtypeError, OptionError, RangeError, ShapeError, whole_number
from ...random import Generator, current_generator
from ..dataset import Batch, Dataset
from ..sampler import Sampler

Array = np.ndarray[Any, Any]


class LanguageModelDataset(Dataset):
    """Windows of a long sequence of ids, each with the same window one step later: what comes next.

    ids     one dimension: list, array or tensor
    length  T, how many ids a window has
    stride  from one window's start to the next one's; T by default, so that each id is a target once

    Item i is (ids[s : s+T], ids[s+1 : s+T+1]) with s = i · stride, both int64 (T,). The `left_out` ids after the last
    whole window are targets of none.

    Raises ShapeError if there is no whole window, DtypeError if the ids are no integers.
    """

    def __init__(self, ids: Any, length: int, stride: int | None = None) -> None:
        self.length = whole_number("LanguageModelDataset", "length", length, 1)
        self.stride = self.length if stride is None else whole_number("LanguageModelDataset", "stride", stride, 1)
        self.ids = ids_of("LanguageModelDataset", "ids", ids)
        if len(self.ids) <= self.length:
            raise ShapeError(
                f"LanguageModelDataset: {len(self.ids)} ids have no window of length {self.length} with its targets; "
                f"expected at least {self.length + 1}"
            )

    @property
    def left_out(self) -> int:
        """How many ids at the end are targets in no window."""
        return len(self.ids) - 1 - ((len(self) - 1) * self.stride + self.length)

    def __len__(self) -> int:
        return (len(self.ids) - 1 - self.length) // self.stride + 1

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        n, i = len(self), operator.index(index)
        if not -n <= i < n:
            raise RangeError(f"LanguageModelDataset: index {i} is out of range for {n} windows")
        inputs, targets = self.__getitems__([i % n])
        return inputs[0], targets[0]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Many windows at once: two gathers, (N, T) each."""
        places = np.asarray(indices, np.int64)[:, None] * self.stride + np.arange(self.length)
        return Batch((new_tensor(self.ids[places]), new_tensor(self.ids[places + 1])))


def pad_batch(sequences: Sequence[Any], pad_id: int, length: int | None = None) -> tuple[Tensor, Tensor]:
    """Sequences of ids as one matrix, the short ones filled up at their ends.

    sequences  N lists, arrays or tensors of one dimension
    pad_id     what fills up
    length     T; by default that of the longest sequence

    Returns ids int64 (N, T) and lengths int64 (N,). Raises ShapeError if there is no sequence, or one is longer than
    `length`: nothing is cut.
    """
    rows = [ids_of("pad_batch", f"sequence {i}", s) for i, s in enumerate(sequences)]
    if not rows:
        raise ShapeError("pad_batch: expected at least one sequence")
    pad_id = whole_number("pad_batch", "pad_id", pad_id, -(2**63))
    lengths = np.array([len(row) for row in rows], np.int64)
    longest = int(lengths.max())
    width = longest if length is None else whole_number("pad_batch", "length", length, 0)
    if longest > width:
        raise ShapeError(f"pad_batch: sequence {int(lengths.argmax())} has {longest} ids, more than length {width}")
    out = np.full((len(rows), width), pad_id, np.int64)
    out[np.arange(width) < lengths[:, None]] = np.concatenate(rows)
    return new_tensor(out), new_tensor(lengths)


class LengthBucketSampler(Sampler):
    """Batches of items of similar length, in random order: little padding. For `DataLoader(batch_sampler=…)`.

    lengths     the length of each item, or of each item's parts (source and target, say): N numbers, or N × k
    batch_size  items in a batch
    shuffle     at each pass a new order, drawn from `generator` (or the default one): all items are shuffled, each
                `pool` · batch_size of them in this order are sorted by length and cut into batches, and the batches are
                shuffled. Without it: all items sorted by length, the same at each pass
    pool        the larger, the less padding; the smaller, the more random
    drop_last   leave out the batch that is smaller, if there is one
    """

    def __init__(
        self,
        lengths: Any,
        batch_size: int,
        *,
        shuffle: bool = True,
        pool: int = 100,
        drop_last: bool = False,
        generator: Generator | None = None,
    ) -> None:
        table = np.asarray(lengths.array if isinstance(lengths, Tensor) else lengths)
        if table.ndim not in (1, 2) or 0 in table.shape[1:] or (table.dtype.kind not in "iu" and table.size):
            raise DtypeError(
                f"LengthBucketSampler: lengths must be integers (N,) or (N, k), got {table.dtype} {table.shape}"
            )
        if table.size and table.min() < 0:
            raise OptionError(f"LengthBucketSampler: lengths must be ≥ 0, got {table.min()}")
        if generator is not None and not isinstance(generator, Generator):
            raise DtypeError(
                f"LengthBucketSampler: generator must be a tinynet.Generator, got {type(generator).__name__}"
            )
        self.batch_size = whole_number("LengthBucketSampler", "batch_size", batch_size, 1)
        self.pool = whole_number("LengthBucketSampler", "pool", pool, 1)
        self.shuffle, self.drop_last, self.generator = bool(shuffle), bool(drop_last), generator
        self._keys = np.atleast_2d(table.T)[::-1]  # lexsort's last key is its first

    def __iter__(self) -> Iterator[list[int]]:
        n, size = self._keys.shape[1], self.batch_size
        stream = self.generator or current_generator()
        order = stream.permutation(n) if self.shuffle else np.arange(n)
        step = size * self.pool if self.shuffle else max(n, 1)
        batches: list[Array] = []
        for start in range(0, n, step):
            part = order[start : start + step]
            part = part[np.lexsort(self._keys[:, part])]
            batches += [part[i : i + size] for i in range(0, len(part), size)]
        if self.drop_last and batches and len(batches[-1]) < size:
            batches.pop()
        turns = stream.permutation(len(batches)) if self.shuffle else np.arange(len(batches))
        for i in turns.tolist():
            yield batches[i].tolist()

    def __len__(self) -> int:
        n = self._keys.shape[1]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


def ids_of(where: str, name: str, ids: Any) -> Array:
    """Ids as an int64 array of one dimension. Raises DtypeError or ShapeError naming the argument."""
    array = np.asarray(ids.array if isinstance(ids, Tensor) else ids)
    if array.ndim != 1:
        raise ShapeError(f"{where}: {name} must have one dimension, got shape {array.shape}")
    if array.size and array.dtype.kind not in "iu":
        raise DtypeError(f"{where}: {name} must be integers, got {array.dtype}")
    return array.astype(np.int64, copy=False)
