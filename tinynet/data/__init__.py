"""Data: datasets, samplers, loaders, transforms, and readers of real formats."""

from . import transforms
from .dataset import Dataset, Mapped, Subset, TensorDataset, random_split
from .images import MNIST, Digits, FashionMNIST
from .loader import DataLoader, default_collate, get_worker_info
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler

__all__ = [
    "MNIST",
    "BatchSampler",
    "DataLoader",
    "Dataset",
    "Digits",
    "FashionMNIST",
    "Mapped",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "default_collate",
    "get_worker_info",
    "random_split",
    "transforms",
]
