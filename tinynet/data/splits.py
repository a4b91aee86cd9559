"""Splitting data: one part to train and one to test, or k folds, at random and optionally with each class's share.

All return indices of items, as int64 arrays in a random order of the current stream (or of `generator`); `Subset` makes
datasets of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..errors import OptionError, ShapeError, whole_number
from ..random import Generator, current_generator

Indices = np.ndarray[Any, np.dtype[np.int64]]


def train_test_split(
    n: Any,
    test_size: float | int = 0.25,
    *,
    stratify: Any = None,
    shuffle: bool = True,
    generator: Generator | None = None,
) -> tuple[Indices, Indices]:
    """Indices (train, test) of n items: a random partition.

    n          how many items, or what has a length
    test_size  a share in (0, 1), of which ⌈share · n⌉ items are taken, or a number of items
    stratify   labels (n,): the test part has of each class its share, to within one item
    shuffle    False: the last items are the test part; excludes stratify

    Raises OptionError where a part would be empty, ShapeError for labels of another length.
    """
    where = "train_test_split"
    count = whole_number(where, "n", n if hasattr(n, "__index__") else len(n), 2)
    if isinstance(test_size, float):
        if not 0 < test_size < 1:
            raise OptionError(f"{where}: a share test_size must lie in (0, 1), got {test_size}")
        test = math.ceil(test_size * count)
    else:
        test = whole_number(where, "test_size", test_size, 1)
    if test >= count:
        raise OptionError(f"{where}: {test} of {count} items to test leave none to train")
    if not shuffle:
        if stratify is not None:
            raise OptionError(f"{where}: stratify needs shuffle=True")
        everything = np.arange(count)
        return everything[: count - test], everything[count - test :]
    stream = generator or current_generator()
    if stratify is None:
        order = stream.permutation(count)
        return order[test:], order[:test]
    classes = _classes(where, stratify, count)
    chosen = np.zeros(count, bool)
    sizes = _apportioned(np.bincount(classes), test, count)
    for label, size in enumerate(sizes):
        places = np.flatnonzero(classes == label)
        chosen[places[stream.permutation(len(places))[:size]]] = True
    order = stream.permutation(count)
    return order[~chosen[order]], order[chosen[order]]


def k_fold(
    n: Any, k: int = 5, *, shuffle: bool = True, generator: Generator | None = None
) -> list[tuple[Indices, Indices]]:
    """k pairs of indices (train, test): the test parts are a partition of n items, whose sizes differ by at most one."""
    count = whole_number("k_fold", "n", n if hasattr(n, "__index__") else len(n), 2)
    k = _folds("k_fold", k, count)
    order = (generator or current_generator()).permutation(count) if shuffle else np.arange(count)
    return _pairs(np.array_split(order, k))


def stratified_k_fold(
    labels: Any, k: int = 5, *, shuffle: bool = True, generator: Generator | None = None
) -> list[tuple[Indices, Indices]]:
    """`k_fold` in which each test part has ⌊c/k⌋ or ⌈c/k⌉ of the c items of each class.

    The classes' items stand in one row, class after class, and are dealt to the folds in turn, like cards: so the folds'
    sizes, too, differ by at most one. Raises OptionError if a class has fewer than k items.
    """
    where = "stratified_k_fold"
    classes = _classes(where, labels, len(labels))
    k = _folds(where, k, len(classes))
    counts = np.bincount(classes)
    if counts.min() < k:
        raise OptionError(f"{where}: the smallest class has {counts.min()} items, expected at least k={k}")
    order = (generator or current_generator()).permutation(len(classes)) if shuffle else np.arange(len(classes))
    row = order[np.argsort(classes[order], kind="stable")]
    fold = np.empty(len(row), np.int64)
    fold[row] = np.arange(len(row)) % k
    return _pairs([order[fold[order] == i] for i in range(k)])


def _pairs(parts: list[Indices]) -> list[tuple[Indices, Indices]]:
    return [(np.concatenate(parts[:i] + parts[i + 1 :]), part) for i, part in enumerate(parts)]


def _folds(where: str, k: int, count: int) -> int:
    k = whole_number(where, "k", k, 2)
    if k > count:
        raise OptionError(f"{where}: {k} folds of {count} items; expected at most as many")
    return k


def _classes(where: str, labels: Any, count: int) -> Indices:
    """The labels as numbers 0, 1, …"""
    array = np.asarray(labels.array if isinstance(labels, Tensor) else labels)
    if array.ndim != 1 or len(array) != count:
        raise ShapeError(f"{where}: labels must be of shape ({count},), got {array.shape}")
    return np.unique(array, return_inverse=True)[1].astype(np.int64)


def _apportioned(counts: Indices, total: int, of: int) -> Indices:
    """How many of each class: its exact share total · c/of rounded down, and one more for the largest remainders."""
    shares = counts * total
    sizes = shares // of
    rest = np.argsort(-(shares % of), kind="stable")[: total - int(sizes.sum())]
    sizes[rest] += 1
    return sizes
