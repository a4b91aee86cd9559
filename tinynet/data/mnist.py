"""MNIST and Fashion-MNIST: 28 × 28 images of ten classes, 60,000 to train on and 10,000 to test on.

Sources: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86 (1998); H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for
benchmarking machine learning algorithms", arXiv:1708.07747 (2017).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tinynet.data.download import cache_folder
from tinynet.data.download import download as fetch
from tinynet.data.idx import read_idx
from tinynet.errors import DataError, OptionError

MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "fashion-mnist": (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
}

MD5 = {
    "mnist": {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    },
}


def load_mnist(
    folder: str | os.PathLike[str] | None = None,
    *,
    train: bool = True,
    name: Literal["mnist", "fashion-mnist"] = "mnist",
    download: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read MNIST, Fashion-MNIST, or other files of the same names and format.

    Parameters
    ----------
    folder : holds the four files under their usual names (`train-images-idx3-ubyte` or `train-images.idx3-ubyte`, …),
        plain or with .gz; by default `cache_folder()` / name. Any number of images is accepted: a subset reads too
    train : the training part, else the test part
    name : which data set; matters for the default folder and for `download`
    download : fetch the part's two files if they are not there, checked by their published MD5 sums

    Returns
    -------
    images : (N, 28, 28) uint8, 0 (background) to 255
    labels : (N,) int64, 0 to 9

    Raises
    ------
    FileNotFoundError
        no such folder, or a file is missing in it
    DataError
        a file is corrupt, the counts differ, an image is not 28 × 28, a label is not below 10
    OptionError
        an unknown name
    """
    if name not in MIRRORS:
        raise OptionError(f"load_mnist: name is {name!r}, expected one of {', '.join(MIRRORS)}")
    home = cache_folder() / name if folder is None else Path(folder)
    part = "train" if train else "t10k"
    images_path = _find(home, f"{part}-images", "idx3", name, download)
    labels_path = _find(home, f"{part}-labels", "idx1", name, download)
    images, labels = read_idx(images_path, ndim=3), read_idx(labels_path, ndim=1)
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        raise DataError(f"load_mnist: {images_path} holds {images.dtype} {images.shape}, expected uint8 (N, 28, 28)")
    if labels.dtype != np.uint8:
        raise DataError(f"load_mnist: {labels_path} holds {labels.dtype}, expected uint8")
    if len(images) != len(labels):
        raise DataError(
            f"load_mnist: {images_path} has {len(images)} images and {labels_path} {len(labels)} labels, expected "
            "as many"
        )
    if labels.size and labels.max() > 9:
        worst = int(labels.argmax())
        raise DataError(f"load_mnist: {labels_path} has label {labels[worst]} at {worst}, expected 0 to 9")
    return images, labels.astype(np.int64)


def _find(home: Path, stem: str, kind: str, name: str, download: bool) -> Path:
    names = [f"{stem}{mark}{kind}-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    for candidate in names:
        if (home / candidate).is_file():
            return home / candidate
    if download:
        published = f"{stem}-{kind}-ubyte.gz"
        return fetch([mirror + published for mirror in MIRRORS[name]], published, md5=MD5[name][published], folder=home)
    if not home.is_dir():
        raise FileNotFoundError(
            f"load_mnist: there is no folder {home}; name the folder that has them, or none, with download=True"
        )
    raise FileNotFoundError(
        f"load_mnist: {home} has none of {', '.join(names)}; name the folder that has them, or none, with download=True"
    )
