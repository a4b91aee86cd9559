"""Samplers: in which order items are visited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import DtypeError, OptionError, ShapeError, whole_number
from ..ops.creation import as_tensor
from ..random import Generator, current_generator


class Sampler:
    """An iterable over indices."""

    def __init__(self, data_source: Any = None) -> None:
        """Nothing to keep."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__")

    def __class_getitem__(cls, item: Any) -> Any:
        return cls


class SequentialSampler(Sampler):
    """0, 1, …"""

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """A new permutation at each pass, or with `replacement` independent draws; `num_samples` of them."""

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise DtypeError(f"RandomSampler: replacement must be a bool, got {replacement!r}")
        if num_samples is not None:
            num_samples = whole_number("RandomSampler", "num_samples", num_samples, 1)
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        """How many indices one pass gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        stream = self.generator or current_generator()
        n, left = len(self.data_source), self.num_samples
        if self.replacement:
            yield from stream.integers(0, n, (left,)).tolist()
            return
        while left > 0 and n:
            order = stream.permutation(n)[:left].tolist()
            left -= len(order)
            yield from order

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """Given indices in a new random order at each pass."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for i in (self.generator or current_generator()).permutation(len(self.indices)).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """`num_samples` indices, drawn with probabilities in proportion to `weights`, with replacement or without.

    Without replacement: the first of exponential times of rates w, which is drawing one by one from what is left.
    Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.
    """

    def __init__(
        self, weights: Any, num_samples: int, replacement: bool = True, generator: Generator | None = None
    ) -> None:
        where = "WeightedRandomSampler"
        if not isinstance(replacement, bool):
            raise DtypeError(f"{where}: replacement must be a bool, got {replacement!r}")
        self.num_samples = whole_number(where, "num_samples", num_samples, 1)
        self.weights = as_tensor(weights, dtype=np.float64)
        w = self.weights.array
        if w.ndim != 1:
            raise ShapeError(f"{where}: weights must have one dimension, got shape {w.shape}")
        if not (np.isfinite(w).all() and (w >= 0).all() and w.sum() > 0):
            raise OptionError(f"{where}: weights must be finite and ≥ 0, and not all 0")
        if not replacement and self.num_samples > np.count_nonzero(w):
            raise OptionError(
                f"{where}: {self.num_samples} samples without replacement of {np.count_nonzero(w)} positive weights"
            )
        self.replacement, self.generator = replacement, generator

    def __iter__(self) -> Iterator[int]:
        stream, w = self.generator or current_generator(), self.weights.array
        if self.replacement:
            up_to = np.cumsum(w)
            draws = stream.uniform((self.num_samples,), np.dtype(np.float64)) * up_to[-1]
            places = np.searchsorted(up_to, draws, side="right")
            yield from np.minimum(places, np.flatnonzero(w)[-1]).tolist()
            return
        with np.errstate(divide="ignore"):
            times = (
                -np.log1p(-stream.uniform(w.shape, np.dtype(np.float64))) / w
            )  # exponential of rate w; inf for w = 0
        times[w == 0] = np.inf
        yield from np.argsort(times, kind="stable")[: self.num_samples].tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of `batch_size` indices of another sampler; the last may be shorter, or left out."""

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
            raise OptionError(f"BatchSampler: batch_size must be an integer ≥ 1, got {batch_size!r}")
        if not isinstance(drop_last, bool):
            raise OptionError(f"BatchSampler: drop_last must be a bool, got {drop_last!r}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for i in self.sampler:
            batch.append(i)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
