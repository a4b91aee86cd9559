"""DataLoader: batches of a dataset, in order, optionally fetched ahead by threads.

Every batch is fetched under a random stream of its own, derived from the epoch's seed and the batch's number. So the
random transforms in it give the same bits for any number of workers, and a resumed run can start at any batch.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, NamedTuple

import numpy as np

from .._tensor import Tensor, new_tensor
from ..errors import DtypeError, OptionError, ShapeError
from ..ops.creation import tensor
from ..ops.shape import stack
from ..random import Generator, current_generator, use_generator
from .dataset import Batch
from .sampler import BatchSampler, RandomSampler, SequentialSampler


def default_collate(batch: Sequence[Any]) -> Any:
    """Join items into a batch: tensors and arrays are stacked, numbers become a tensor, containers are joined inside."""
    if isinstance(batch, Batch):
        return list(batch)
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch))
    if isinstance(first, np.ndarray | np.generic):
        if first.dtype.kind in "US":
            raise DtypeError(f"default_collate: cannot join NumPy arrays of dtype {first.dtype}")
        return stack([new_tensor(np.asarray(b)) for b in batch])
    if isinstance(first, bool | int):
        return tensor(list(batch))
    if isinstance(first, float):
        return tensor(list(batch), dtype=np.float64)
    if isinstance(first, str | bytes):
        return list(batch)
    if isinstance(first, Mapping):
        return {key: default_collate([b[key] for b in batch]) for key in first}
    if isinstance(first, Sequence):
        if any(len(b) != len(first) for b in batch):
            raise ShapeError(f"default_collate: items have different lengths {sorted({len(b) for b in batch})}")
        joined = [default_collate(list(part)) for part in zip(*batch, strict=True)]
        return type(first)(*joined) if hasattr(first, "_fields") else joined
    raise DtypeError(
        f"default_collate: items must be tensors, arrays, numbers, strings, dicts or lists, got {type(first).__name__}"
    )


class WorkerInfo(NamedTuple):
    """Which worker thread this is."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Local(threading.local):
    info: WorkerInfo | None = None


_local = _Local()


def get_worker_info() -> WorkerInfo | None:
    """In a worker thread its number and dataset; None elsewhere."""
    return _local.info


class DataLoader:
    """An iterable over batches.

    dataset        with __getitem__ and __len__
    shuffle        a new random order at each pass, drawn from `generator` (or the default one)
    sampler, batch_sampler   an order of one's own, of items or of lists of items
    num_workers    threads that fetch batches ahead (NumPy and the kernels release the interpreter's lock); the order
                   and the random numbers do not depend on it
    collate_fn     joins items into a batch
    drop_last      leave out the last batch if it is smaller
    prefetch_factor   batches ahead for each worker (2)

    batch_size=None gives items one by one.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if multiprocessing_context is not None:
            raise NotImplementedError("DataLoader: multiprocessing_context is not supported; workers are threads")
        if not in_order:
            raise NotImplementedError("DataLoader: in_order=False is not supported")
        if hasattr(dataset, "__iter__") and not hasattr(dataset, "__getitem__"):
            raise NotImplementedError("DataLoader: iterable datasets are not supported; define __getitem__ and __len__")
        if not hasattr(dataset, "__getitem__"):
            raise DtypeError(f"DataLoader: dataset must have __getitem__ and __len__, got {type(dataset).__name__}")
        if shuffle not in (None, True, False):
            raise DtypeError(f"DataLoader: shuffle must be a bool, got {shuffle!r}")
        if generator is not None and not isinstance(generator, Generator):
            raise DtypeError(f"DataLoader: generator must be a tinynet.Generator, got {type(generator).__name__}")
        for name, function in (("worker_init_fn", worker_init_fn), ("collate_fn", collate_fn)):
            if function is not None and not callable(function):
                raise DtypeError(f"DataLoader: {name} must be callable, got {type(function).__name__}")
        if persistent_workers and not num_workers:
            raise OptionError("DataLoader: persistent_workers needs num_workers > 0")
        for name, value in (("num_workers", num_workers), ("timeout", timeout)):
            if value < 0:
                raise OptionError(f"DataLoader: {name} must be ≥ 0, got {value}")
        if prefetch_factor is not None and (num_workers == 0 or prefetch_factor < 1):
            raise OptionError(
                f"DataLoader: prefetch_factor must be ≥ 1 and needs num_workers > 0, got {prefetch_factor}"
            )
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise OptionError("DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last")
        if sampler is not None and shuffle:
            raise OptionError("DataLoader: sampler excludes shuffle")
        if batch_size is None and drop_last:
            raise OptionError("DataLoader: drop_last needs a batch_size")
        self.dataset, self.batch_size, self.num_workers = dataset, batch_size, num_workers
        self.generator, self.timeout, self.worker_init_fn = generator, timeout, worker_init_fn
        self.pin_memory, self.drop_last, self.persistent_workers = pin_memory, drop_last, persistent_workers
        self.prefetch_factor = (prefetch_factor or 2) if num_workers else None
        if sampler is None:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        self.sampler = sampler
        if batch_sampler is None and batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn or (default_collate if batch_sampler is not None else _as_tensor)

    def __len__(self) -> int:
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        return self.iterate()

    def iterate(self, start: int = 0) -> Iterator[Any]:
        """One pass, from batch number `start` on; those before are not fetched."""
        seed = int((self.generator or current_generator()).words64(1)[0])
        batches = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
        for _ in range(start):
            next(batches, None)
        work = ((seed + number, batch) for number, batch in enumerate(batches, start))
        return self._threaded(work, seed) if self.num_workers else (self._fetch(*w) for w in work)

    def _fetch(self, seed: int, indices: Any) -> Any:
        with use_generator(Generator().manual_seed(seed % 2**64)):
            if self.batch_sampler is None:
                return self.collate_fn(self.dataset[indices])
            if hasattr(self.dataset, "__getitems__"):
                items = self.dataset.__getitems__(indices)
                if isinstance(items, Batch) and self.collate_fn is not default_collate:
                    items = [self.dataset[i] for i in indices]
            else:
                items = [self.dataset[i] for i in indices]
            return self.collate_fn(items)

    def _threaded(self, work: Iterator[tuple[int, Any]], seed: int) -> Iterator[Any]:
        numbers = iter(range(self.num_workers))

        def begin() -> None:
            i = next(numbers)
            _local.info = WorkerInfo(i, self.num_workers, (seed + i) % 2**64, self.dataset)
            if self.worker_init_fn is not None:
                self.worker_init_fn(i)

        pool = ThreadPoolExecutor(self.num_workers, "tinynet-loader", initializer=begin)
        ahead: deque[Future[Any]] = deque()
        try:
            for item in work:
                ahead.append(pool.submit(self._fetch, *item))
                if len(ahead) > self.num_workers * (self.prefetch_factor or 2):
                    yield self._wait(ahead.popleft())
            while ahead:
                yield self._wait(ahead.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _wait(self, future: Future[Any]) -> Any:
        try:
            return future.result(self.timeout or None)
        except FutureTimeout:
            if future.done():
                raise
            raise RuntimeError(f"DataLoader: no batch within timeout={self.timeout} seconds") from None


def _as_tensor(item: Any) -> Any:
    """An item that is not batched: arrays become tensors, the rest stays."""
    if isinstance(item, np.ndarray):
        return new_tensor(item)
    if isinstance(item, Mapping):
        return {k: _as_tensor(v) for k, v in item.items()}
    if isinstance(item, tuple | list):
        return type(item)(_as_tensor(v) for v in item)
    return item
