"""Image datasets as tensors: (C, H, W) in float32, scaled to [0, 1], with an integer label."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

import numpy as np

from .._tensor import Tensor, new_tensor
from ..errors import DtypeError
from .cifar import load_cifar
from .dataset import Mapped
from .digits import load_digits
from .mnist import EMNIST_LABELS, load_emnist, load_mnist

Transform = Callable[[Tensor], Tensor]


class Digits(Mapped):
    """The UCI optical digits: 8×8, 16 grey levels, 10 classes; 1,437 to train and 360 to test. Part of the package.

    The same writers appear in both parts. Source: Alpaydin and Kaynak, 1998, CC BY 4.0.
    """

    classes = 10

    def __init__(self, train: bool = True, transform: Transform | None = None) -> None:
        images, labels = load_digits(train=_flag(train))
        super().__init__(_scaled(images, 16.0), new_tensor(labels.astype(np.int64)), transform)


class MNIST(Mapped):
    """Handwritten digits, 28×28, from IDX files (plain or gzip) in a folder.

    root      the folder; the cache folder if None
    download  fetch what is missing, checked against its checksum
    """

    classes = 10
    name: Literal["mnist", "fashion-mnist", "kmnist"] = "mnist"

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        train: bool = True,
        transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        images, labels = load_mnist(root, train=_flag(train), name=self.name, download=download)
        super().__init__(_scaled(images, 255.0), new_tensor(labels.astype(np.int64)), transform)


class FashionMNIST(MNIST):
    """Articles of clothing in MNIST's format. Source: Xiao, Rasul, Vollgraf, 2017, MIT licence."""

    name = "fashion-mnist"


class KMNIST(MNIST):
    """Cursive Japanese characters in MNIST's format. Source: Clanuwat et al., 2018, CC BY-SA 4.0."""

    name = "kmnist"


class EMNIST(Mapped):
    """Handwritten letters and digits, 28×28, upright. `split` and the files: see `load_emnist`; labels are the files'."""

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        split: str = "balanced",
        train: bool = True,
        transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        images, labels = load_emnist(root, split=split, train=_flag(train), download=download)
        least, most = EMNIST_LABELS[split]
        self.classes = most - least + 1
        super().__init__(_scaled(images.swapaxes(1, 2), 255.0), new_tensor(labels), transform)


class CIFAR10(Mapped):
    """Colour photographs, (3, 32, 32), of ten classes, from the binary form's files."""

    classes = 10
    name = "cifar10"

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        train: bool = True,
        transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        images, labels = load_cifar(root, train=_flag(train), name=self.name, download=download)
        super().__init__(new_tensor(images.astype(np.float32) / np.float32(255)), new_tensor(labels), transform)


class CIFAR100(CIFAR10):
    """Colour photographs, (3, 32, 32), of a hundred classes (the fine labels)."""

    classes = 100
    name = "cifar100"


def _flag(train: bool) -> bool:
    if not isinstance(train, bool):
        raise DtypeError(f"train must be True (the training part) or False (the test part), got {train!r}")
    return train


def _scaled(images: np.ndarray, top: float) -> Tensor:
    return new_tensor(images[:, None].astype(np.float32) / np.float32(top))
