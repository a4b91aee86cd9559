"""Datasets that worker processes import."""

import os

import tinynet as tn
from tinynet.data import Dataset, IterableDataset


class Noise(Dataset):
    """Random inside: as an augmentation is. -1 fails, and -2 ends the process."""

    def __init__(self, n):
        self.n = n

    def __getitem__(self, i):
        if i == -2:
            os._exit(7)
        return tn.rand(2) + 1 // (i + 1)

    def __len__(self):
        return self.n


class Stream(IterableDataset):
    def __init__(self, n):
        self.n, self.first, self.step = n, 0, 1

    def __iter__(self):
        return iter(range(self.first, self.n, self.step))

    def __len__(self):
        return self.n
