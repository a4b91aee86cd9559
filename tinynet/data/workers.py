"""What fetches batches: one by one here, or ahead in threads or in processes. All run the same loop.

Tasks go to the workers in turn, each through a queue of its own; results come back through one queue. Processes are
started afresh ("spawn"), never forked: a fork copies locks that other threads hold.
"""

from __future__ import annotations

import copy
import itertools
import multiprocessing
import queue
import random
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple

import numpy as np

from ..random import Generator, manual_seed, use_generator
from ..threads import set_num_threads
from .collate import default_collate
from .dataset import Batch, IterableDataset

_PATIENCE = 1.0  # seconds between looks at whether the processes live


class END:
    """The result of a task when an iterable dataset has no more items: this class itself, one in every process."""


class WorkerInfo(NamedTuple):
    """Which worker this is."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Local(threading.local):
    info: WorkerInfo | None = None


_local = _Local()


def get_worker_info() -> WorkerInfo | None:
    """In a worker its number, the number of workers, its seed and its dataset; None elsewhere."""
    return _local.info


class Fetcher:
    """Makes batches of a dataset. `size` is the number of items of a batch, or None for items one by one."""

    def __init__(
        self, dataset: Any, collate_fn: Callable[[Any], Any], batched: bool, size: Any, drop_last: bool
    ) -> None:
        self.dataset, self.collate_fn, self.batched, self.size = dataset, collate_fn, batched, size
        self.drop_last, self.iterable = drop_last, isinstance(dataset, IterableDataset)
        self.items: Iterator[Any] | None = None
        self.stream = Generator()

    def for_worker(self) -> Fetcher:
        """For a thread: an iterable dataset may be changed for each worker, so each has a copy of its own."""
        own = copy.copy(self)
        if self.iterable:
            own.dataset = copy.copy(self.dataset)
        return own

    def begin(self, seed: int) -> None:
        """A new pass: an iterable dataset starts anew, and draws from the stream of `seed`."""
        if self.iterable:
            self.stream.manual_seed(seed % 2**64)
            with use_generator(self.stream):
                self.items = iter(self.dataset)

    def fetch(self, seed: int, indices: Any) -> Any:
        """A batch under a random stream: of `seed` for items by index, else the pass's; END if there is none."""
        if self.iterable:
            with use_generator(self.stream):
                return self._next()
        with use_generator(Generator().manual_seed(seed % 2**64)):
            return self._at(indices)

    def _next(self) -> Any:
        assert self.items is not None
        if not self.batched:
            for item in self.items:
                return self.collate_fn(item)
            return END
        items = list(itertools.islice(self.items, self.size))
        short = len(items) < self.size and self.drop_last
        return END if not items or short else self.collate_fn(items)

    def _at(self, indices: Any) -> Any:
        if not self.batched:
            return self.collate_fn(self.dataset[indices])
        if hasattr(self.dataset, "__getitems__"):
            items = self.dataset.__getitems__(indices)
            if isinstance(items, Batch) and self.collate_fn is not default_collate:
                items = [self.dataset[i] for i in indices]
        else:
            items = [self.dataset[i] for i in indices]
        return self.collate_fn(items)


class Failure:
    """An exception in a worker: itself from a thread; its class and its traceback as text from a process."""

    def __init__(self, error: Exception, worker: int, process: bool) -> None:
        self.error: Exception | None = None if process else error
        text = "".join(traceback.format_exception(error))
        self.message = f"Caught {type(error).__name__} in DataLoader worker process {worker}.\nOriginal {text}"
        try:
            ForkingPickler.dumps(type(error))
            self.kind: type[Exception] = type(error)
        except Exception:  # a class that the caller cannot import: its name stands in the message
            self.kind = RuntimeError

    def throw(self) -> None:
        """Raise it in the caller."""
        if self.error is not None:
            raise self.error
        try:
            error = self.kind(_Lines(self.message))
        except TypeError:  # a class with other arguments
            error = RuntimeError(self.message)
        raise error


class _Lines(str):
    """Text that KeyError, too, shows in lines."""

    def __repr__(self) -> str:
        return str(self)


class Crew:
    """`count` workers: threads, or processes if a multiprocessing context is given."""

    def __init__(self, fetcher: Fetcher, count: int, init_fn: Callable[[int], Any] | None, context: Any = None) -> None:
        self.count, self.context, self.epoch = count, context, 0
        self.workers: list[Any] = []
        new_queue = queue.Queue if context is None else context.Queue
        self.tasks: list[Any] = [new_queue() for _ in range(count)]
        self.results: Any = new_queue()
        self.stop: Any = threading.Event() if context is None else context.Event()
        for i in range(count):
            own = fetcher.for_worker() if context is None else fetcher
            arguments = (own, i, count, init_fn, self.tasks[i], self.results, self.stop, context is not None)
            new: Any = threading.Thread if context is None else context.Process
            worker = new(target=_work, args=arguments, name=f"tinynet-loader-{i}", daemon=True)
            worker.start()
            self.workers.append(worker)

    def begin(self, seed: int) -> int:
        """Start a pass; its number. What is left of the pass before is dropped."""
        self.epoch += 1
        for i in range(self.count):
            self._send(i, (self.epoch, None, seed + i, None))
        return self.epoch

    def put(self, worker: int, number: int, seed: int, indices: Any) -> None:
        """Give a worker a task."""
        self._send(worker, (self.epoch, number, seed, indices))

    def _send(self, worker: int, task: Any) -> None:
        # Pickled here and not by the queue's thread, which would print an error and lose the task.
        self.tasks[worker].put(task if self.context is None else bytes(ForkingPickler.dumps(task)))

    def get(self, epoch: int, timeout: float) -> tuple[int, Any]:
        """A task's number and its result, as soon as one is ready."""
        end = time.monotonic() + timeout if timeout else float("inf")
        while True:
            if epoch != self.epoch:
                raise RuntimeError("DataLoader: another pass over the same persistent workers has begun")
            try:
                found = self.results.get(timeout=min(_PATIENCE, max(end - time.monotonic(), 1e-3)))
            except queue.Empty:
                dead = [w for w in self.workers if not w.is_alive()]
                if dead:
                    codes = ", ".join(f"{w.name} ({getattr(w, 'exitcode', None)})" for w in dead)
                    raise RuntimeError(f"DataLoader: a worker ended unexpectedly: {codes}") from None
                if time.monotonic() >= end:
                    raise RuntimeError(f"DataLoader: no batch within timeout={timeout} seconds") from None
                continue
            of, number, result = found if self.context is None else ForkingPickler.loads(found)
            if of == epoch:
                return number, result

    def close(self) -> None:
        """Let the workers end: threads when they have their item, processes at once if they take longer."""
        self.stop.set()
        for tasks in self.tasks:
            tasks.put(None)
        if self.context is None:
            return
        for worker in self.workers:
            worker.join(2)
            if worker.is_alive():
                worker.terminate()
                worker.join()
        for q in (*self.tasks, self.results):
            q.cancel_join_thread()
            q.close()


def _work(
    fetcher: Fetcher, me: int, count: int, init_fn: Any, tasks: Any, results: Any, stop: Any, process: bool
) -> None:
    """A worker's life: take a task, fetch, give the result back."""
    broken: Failure | None = None
    if process:
        set_num_threads(1)  # the processes are the parallelism

    def send(epoch: int, number: int, result: Any) -> None:
        answer: Any = (epoch, number, result)
        results.put(bytes(ForkingPickler.dumps(answer)) if process else answer)

    while (task := tasks.get()) is not None and not stop.is_set():
        epoch, number, seed, indices = ForkingPickler.loads(task) if process else task
        try:
            if number is None:
                broken = None
                first = _local.info is None
                if first:
                    _local.info = WorkerInfo(me, count, seed % 2**64, fetcher.dataset)
                if process:
                    manual_seed(seed % 2**64)
                    _seed_others(seed)
                if first and init_fn is not None:
                    init_fn(me)
                fetcher.begin(seed)
                continue
            if process:  # in a thread these streams are everybody's
                _seed_others(seed)
            send(epoch, number, broken or fetcher.fetch(seed, indices))
        except Exception as error:
            failure = Failure(error, me, process)
            if number is None:
                broken = failure
            else:
                send(epoch, number, failure)
    if process:
        results.cancel_join_thread()


def _seed_others(seed: int) -> None:
    """Python's and NumPy's own streams, in a process: the same for a batch whichever worker fetches it."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (the stream that datasets use)


def spawning(context: Any) -> Any:
    """The multiprocessing context that an option names: "spawn" or a context of that method."""
    if context is None:
        return None
    method = context if isinstance(context, str) else getattr(context, "get_start_method", lambda: context)()
    if method != "spawn":
        raise NotImplementedError(
            f"DataLoader: multiprocessing_context={method!r} is not supported; workers are threads (None) or fresh "
            "processes ('spawn'), never forks"
        )
    return multiprocessing.get_context("spawn") if isinstance(context, str) else context
