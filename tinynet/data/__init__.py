"""Data: datasets, samplers, loaders, transforms, and readers of real formats."""

from . import text, transforms
from .cifar import load_cifar
from .collate import default_collate, default_convert
from .dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    Mapped,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from .digits import load_digits
from .folder import DatasetFolder, ImageFolder
from .idx import read_idx, write_idx
from .images import CIFAR10, CIFAR100, EMNIST, KMNIST, MNIST, Digits, FashionMNIST
from .loader import DataLoader
from .mnist import load_emnist, load_mnist
from .sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from .splits import k_fold, stratified_k_fold, train_test_split
from .workers import get_worker_info

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "EMNIST",
    "KMNIST",
    "MNIST",
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DatasetFolder",
    "Digits",
    "FashionMNIST",
    "ImageFolder",
    "IterableDataset",
    "Mapped",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "k_fold",
    "load_cifar",
    "load_digits",
    "load_emnist",
    "load_mnist",
    "random_split",
    "read_idx",
    "stratified_k_fold",
    "text",
    "train_test_split",
    "transforms",
    "write_idx",
]
