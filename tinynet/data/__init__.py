"""Data: datasets, samplers, loaders, transforms, and readers of real formats."""

from . import text, transforms
from .dataset import Dataset, Mapped, Subset, TensorDataset, random_split
from .digits import load_digits
from .idx import read_idx, write_idx
from .images import MNIST, Digits, FashionMNIST
from .loader import DataLoader, default_collate, get_worker_info
from .mnist import load_mnist
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
    "load_digits",
    "load_mnist",
    "random_split",
    "read_idx",
    "text",
    "transforms",
    "write_idx",
]
