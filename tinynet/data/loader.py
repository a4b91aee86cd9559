"""DataLoader: batches of a dataset, in order, optionally fetched ahead by threads or processes.

Every batch is fetched under a random stream of its own, derived from the epoch's seed and the batch's number. So the
random transforms in it give the same bits for any number of workers, and a resumed run can start at any batch.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import DtypeError, OptionError
from ..random import Generator, current_generator
from .collate import default_collate, default_convert
from .dataset import IterableDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler
from .workers import END, Crew, Failure, Fetcher, spawning


class DataLoader:
    """An iterable over batches.

    dataset        with __getitem__ and __len__, or an IterableDataset
    shuffle        a new random order at each pass, drawn from `generator` (or the default one)
    sampler, batch_sampler   an order of one's own, of items or of lists of items
    num_workers    workers that fetch batches ahead; the order and the random numbers do not depend on it
    multiprocessing_context   None: workers are threads (NumPy and the kernels release the interpreter's lock). "spawn":
                   they are processes, for datasets that compute in Python; what they get and give back is pickled, and
                   the program needs its `if __name__ == "__main__":`
    worker_init_fn    called once in each worker with its number
    persistent_workers   keep the workers for the next pass
    timeout        seconds to wait for a batch of a worker; 0: as long as it takes
    in_order       False: batches come as soon as they are ready
    collate_fn     joins items into a batch
    drop_last      leave out the last batch if it is smaller
    prefetch_factor   batches ahead for each worker (2)

    batch_size=None gives items one by one. With an IterableDataset each worker iterates over the whole of it, and their
    batches come in turn: `get_worker_info` says which part is whose. An error in a worker is raised here.
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
        context = spawning(multiprocessing_context)
        if context is not None and not num_workers:
            raise OptionError("DataLoader: multiprocessing_context needs num_workers > 0")
        iterable = isinstance(dataset, IterableDataset)
        if not iterable and not hasattr(dataset, "__getitem__"):
            raise DtypeError(
                f"DataLoader: dataset must have __getitem__ and __len__, or be an IterableDataset, got "
                f"{type(dataset).__name__}"
            )
        if iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise OptionError("DataLoader: an IterableDataset has its own order; it excludes shuffle and samplers")
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
        self.multiprocessing_context, self.in_order, self.pin_memory_device = context, in_order, pin_memory_device
        if sampler is None and not iterable:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        self.sampler = sampler
        if batch_sampler is None and batch_size is not None and not iterable:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler
        batched = batch_sampler is not None or batch_size is not None
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)
        self._fetcher = Fetcher(dataset, self.collate_fn, batched, batch_size, drop_last)
        self._kept: Crew | None = None

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
        n = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        return self.iterate()

    def __del__(self) -> None:
        if getattr(self, "_kept", None) is not None:
            self._kept.close()  # type: ignore[union-attr]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}  # workers stay with the loader that started them

    def iterate(self, start: int = 0) -> Iterator[Any]:
        """One pass, from batch number `start` on; those before are not fetched (of an IterableDataset: not given)."""
        seed = int((self.generator or current_generator()).words64(1)[0])
        if self._fetcher.iterable:
            tasks: Iterator[Any] = itertools.repeat((seed, None))
            batches = self._ahead(tasks, seed) if self.num_workers else self._here(tasks, seed)
            return itertools.islice(batches, start, None) if start else batches
        indices = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
        for _ in range(start):
            next(indices, None)
        tasks = ((seed + number, chosen) for number, chosen in enumerate(indices, start))
        return self._ahead(tasks, seed) if self.num_workers else self._here(tasks, seed)

    def _here(self, tasks: Iterator[tuple[int, Any]], seed: int) -> Iterator[Any]:
        fetcher = self._fetcher.for_worker() if self._fetcher.iterable else self._fetcher
        fetcher.begin(seed)
        for task in tasks:
            batch = fetcher.fetch(*task)
            if batch is END:
                return
            yield batch

    def _ahead(self, tasks: Iterator[tuple[int, Any]], seed: int) -> Iterator[Any]:
        crew = self._kept or Crew(self._fetcher, self.num_workers, self.worker_init_fn, self.multiprocessing_context)
        if self.persistent_workers:
            self._kept = crew
        try:
            yield from self._through(crew, tasks, seed)
        finally:
            if crew is not self._kept:
                crew.close()

    def _through(self, crew: Crew, tasks: Iterator[tuple[int, Any]], seed: int) -> Iterator[Any]:
        epoch = crew.begin(seed)
        busy = list(range(crew.count))  # the workers that have items left
        owner: dict[int, int] = {}  # of the tasks that are under way
        ready: dict[int, Any] = {}
        sent = 0

        def send() -> None:
            nonlocal sent
            task = next(tasks, None) if busy else None
            if task is not None:
                owner[sent] = busy.pop(0)
                busy.append(owner[sent])
                crew.put(owner[sent], sent, *task)
                sent += 1

        for _ in range(crew.count * (self.prefetch_factor or 2)):
            send()
        while owner:
            wanted = next(iter(owner))
            while not (wanted in ready if self.in_order else ready):
                number, result = crew.get(epoch, self.timeout)
                ready[number] = result
            number = wanted if self.in_order else next(iter(ready))
            result, worker = ready.pop(number), owner.pop(number)
            if result is END and worker in busy:
                busy.remove(worker)
            send()
            if isinstance(result, Failure):
                result.throw()
            if result is not END:
                yield result
