"""Datasets: things with a length and items."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor
from ..errors import DtypeError, OptionError, RangeError, ShapeError
from ..random import Generator, current_generator


class Dataset:
    """A map from 0 … len − 1 to items: define `__getitem__` and `__len__`."""

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__")

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])

    def __class_getitem__(cls, item: Any) -> Any:
        return cls


class IterableDataset(Dataset):
    """A stream of items: define `__iter__`, and `__len__` where it is known."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__")

    def __add__(self, other: Any) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class ConcatDataset(Dataset):
    """The items of several datasets, one dataset after another."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ShapeError("ConcatDataset: expected at least one dataset")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise DtypeError("ConcatDataset: an IterableDataset has no places; use ChainDataset")
        self.cumulative_sizes = list(itertools.accumulate(len(d) for d in self.datasets))

    def __getitem__(self, index: Any) -> Any:
        n = len(self)
        if not -n <= index < n:
            raise RangeError(f"ConcatDataset: index {index} is out of range for {n} items")
        index = index % n
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset):
    """The items of several iterable datasets, one dataset after another."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        for i, d in enumerate(self.datasets):
            if not isinstance(d, IterableDataset):
                raise DtypeError(f"ChainDataset: dataset {i} must be an IterableDataset, got {type(d).__name__}")
            yield from d

    def __len__(self) -> int:
        return sum(len(d) for d in self.datasets)


class StackDataset(Dataset):
    """Items of several datasets side by side: tuples, or dicts if the datasets are given by name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise OptionError("StackDataset: expected datasets either in order or by name")
        self.datasets: Any = kwargs or args
        lengths = {len(d) for d in self._parts()}
        if len(lengths) > 1:
            raise ShapeError(f"StackDataset: datasets have different lengths {sorted(lengths)}")

    def _parts(self) -> list[Any]:
        return list(self.datasets.values() if isinstance(self.datasets, dict) else self.datasets)

    def _item(self, parts: Iterable[Any]) -> Any:
        return dict(zip(self.datasets, parts, strict=True)) if isinstance(self.datasets, dict) else tuple(parts)

    def __getitem__(self, index: Any) -> Any:
        return self._item(d[index] for d in self._parts())

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Many items at once, of the datasets that can."""
        columns = []
        for d in self._parts():
            found = d.__getitems__(indices) if hasattr(d, "__getitems__") else None
            columns.append([d[i] for i in indices] if found is None or isinstance(found, Batch) else found)
        return [self._item(row) for row in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return len(self._parts()[0])


class TensorDataset(Dataset):
    """Items are the rows of tensors of one length."""

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ShapeError("TensorDataset: expected at least one tensor")
        for i, t in enumerate(tensors):
            if not isinstance(t, Tensor):
                raise DtypeError(f"TensorDataset: argument {i} must be a Tensor, got {type(t).__name__}")
            if t.ndim == 0 or len(t) != len(tensors[0]):
                raise ShapeError(
                    f"TensorDataset: tensor {i} has shape {tuple(t.shape)}, tensor 0 has {tuple(tensors[0].shape)}; "
                    "their lengths must agree"
                )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Many items at once: one gather a tensor in place of one a row."""
        k = np.asarray(indices, np.int64)
        return Batch(tuple(new_tensor(t.array[k]) for t in self.tensors))

    def __len__(self) -> int:
        return len(self.tensors[0])


class Batch(tuple):
    """Items that are collated already."""


class Subset(Dataset):
    """The items of a dataset at given indices."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """Many items at once, if the dataset can."""
        places = [self.indices[i] for i in indices]
        if hasattr(self.dataset, "__getitems__"):
            return self.dataset.__getitems__(places)
        return [self.dataset[i] for i in places]

    def __len__(self) -> int:
        return len(self.indices)


class Mapped(Dataset):
    """Arrays of images and labels as items (transform(image), label)."""

    def __init__(self, images: Tensor, labels: Tensor, transform: Callable[[Tensor], Tensor] | None = None) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        n = len(self.images)
        if not -n <= index < n:
            raise RangeError(f"{type(self).__name__}: index {index} is out of range for {n} items")
        image = new_tensor(self.images.array[index])
        return (image if self.transform is None else self.transform(image)), int(self.labels.array[index])

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """Many items at once, where there is no transform to apply one by one."""
        if self.transform is not None:
            return [self[i] for i in indices]
        k = np.asarray(indices, np.int64)
        return Batch((new_tensor(self.images.array[k]), new_tensor(self.labels.array[k])))

    def __len__(self) -> int:
        return len(self.images)


def random_split(dataset: Any, lengths: Iterable[float], generator: Generator | None = None) -> list[Subset]:
    """Random parts of given lengths (which sum to the dataset's), or of given fractions (which sum to 1)."""
    sizes = list(lengths)
    n = len(dataset)
    if math.isclose(sum(sizes), 1.0) and sum(sizes) <= 1.0 + 1e-9 and any(not isinstance(s, int) for s in sizes):
        if any(not 0 <= s <= 1 for s in sizes):
            raise OptionError(f"random_split: fractions must lie in [0, 1], got {sizes}")
        counts = [math.floor(n * s) for s in sizes]
        for i in range(n - sum(counts)):
            counts[i % len(counts)] += 1
    else:
        counts = [int(s) for s in sizes]
    if sum(counts) != n or any(c < 0 for c in counts):
        raise OptionError(f"random_split: lengths {sizes} do not sum to the dataset's length {n}")
    order = (generator or current_generator()).permutation(n).tolist()
    starts = [sum(counts[:i]) for i in range(len(counts))]
    return [Subset(dataset, order[a : a + c]) for a, c in zip(starts, counts, strict=True)]
