"""Image datasets as tensors: (1, H, W) in float32, scaled to [0, 1], with an integer label."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

import numpy as np

from .._tensor import Tensor, new_tensor
from ..errors import DtypeError
from .dataset import Mapped
from .digits import load_digits
from .mnist import load_mnist

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
    name: Literal["mnist", "fashion-mnist"] = "mnist"

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


def _flag(train: bool) -> bool:
    if not isinstance(train, bool):
        raise DtypeError(f"train must be True (the training part) or False (the test part), got {train!r}")
    return train


def _scaled(images: np.ndarray, top: float) -> Tensor:
    return new_tensor(images[:, None].astype(np.float32) / np.float32(top))
