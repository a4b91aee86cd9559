"""Lines to learn from: those for training and those for validation, and batches of them in an order for each epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from ...data.text import LengthBucketSampler
from ...errors import DataError
from ...random import Generator

Item = TypeVar("Item")
VALIDATION = 0.05


def parts(items: Sequence[Item], validation: Sequence[Item] | None, what: str) -> tuple[list[Item], list[Item]]:
    """Lines to learn from and to validate on: the given ones, or the last 5 %. Raises DataError if a part is empty."""
    if validation is not None:
        train, other = list(items), list(validation)
    else:
        count = max(1, round(VALIDATION * len(items)))
        train, other = list(items[:-count]), list(items[-count:])
    if not train or not other:
        raise DataError(
            f"{what}: {len(train)} lines to learn from and {len(other)} to validate on, expected some of both"
        )
    return train, other


def short_enough(
    items: list[Item], length: Callable[[Item], int], longest: int, where: str, note: Callable[[str], None]
) -> list[Item]:
    """The items of at most `longest` tokens, and a note of how many others there were."""
    kept = [item for item in items if length(item) <= longest]
    if len(kept) < len(items):
        note(f"{where}: left out {len(items) - len(kept)} of {len(items)} lines with more than {longest} tokens")
    if not kept:
        raise DataError(f"{where}: no line has at most {longest} tokens")
    return kept


class Epochs:
    """Batches of similar length; the order of an epoch follows from the seed and its number."""

    def __init__(self, lengths: Any, batch_size: int, seed: int) -> None:
        self.lengths, self.batch_size, self.seed = lengths, batch_size, seed
        self.steps = -(-len(lengths) // batch_size)
        self.epoch, self.batches = -1, list[list[int]]()

    def __getitem__(self, step: int) -> list[int]:
        """The items of a step, counted over all epochs."""
        epoch, k = divmod(step, self.steps)
        if epoch != self.epoch:
            seed = int(np.random.SeedSequence([self.seed % 2**64, epoch]).generate_state(1, np.uint64)[0])
            sampler = LengthBucketSampler(self.lengths, self.batch_size, generator=Generator().manual_seed(seed))
            self.epoch, self.batches = epoch, list(sampler)
        return self.batches[k]
