"""MNIST and its relatives: 28 × 28 images, of ten classes (EMNIST: more), 60,000 to train on and 10,000 to test on.

Sources: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86 (1998); H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for
benchmarking machine learning algorithms", arXiv:1708.07747 (2017); T. Clanuwat et al., "Deep learning for classical
Japanese literature", arXiv:1812.01718 (2018); G. Cohen et al., "EMNIST: an extension of MNIST to handwritten letters",
arXiv:1702.05373 (2017).
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tinynet.data.download import cache_folder
from tinynet.data.download import download as fetch
from tinynet.data.idx import read_idx
from tinynet.errors import DataError, OptionError
from tinynet.files import atomic_open

MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "fashion-mnist": (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    "kmnist": ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
}
EMNIST_URL = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
EMNIST_MD5 = "58c8d27c78d21e728a6bc7b3cc06412e"
EMNIST_LABELS = {  # the labels of each split: from … to
    "byclass": (0, 61),
    "bymerge": (0, 46),
    "balanced": (0, 46),
    "letters": (1, 26),
    "digits": (0, 9),
    "mnist": (0, 9),
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
    "kmnist": {
        "train-images-idx3-ubyte.gz": "bdb82020997e1d708af4cf47b453dcf7",
        "train-labels-idx1-ubyte.gz": "e144d726b3acfaa3e44228e80efcd344",
        "t10k-images-idx3-ubyte.gz": "5c965bf0a639b31b8f53240b1b52f4d7",
        "t10k-labels-idx1-ubyte.gz": "7320c461ea6c1c855c0b718fb2a4b134",
    },
}


def load_mnist(
    folder: str | os.PathLike[str] | None = None,
    *,
    train: bool = True,
    name: Literal["mnist", "fashion-mnist", "kmnist"] = "mnist",
    download: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read MNIST, Fashion-MNIST, KMNIST, or other files of the same names and format.

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
    return _pair(images_path, labels_path, 0, 9)


def load_emnist(
    folder: str | os.PathLike[str] | None = None, *, split: str, train: bool = True, download: bool = False
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read EMNIST: handwritten letters and digits in MNIST's format, as its files have them.

    **The files hold each image transposed** (columns where MNIST has rows), and so does the result:
    `images.swapaxes(1, 2)` stands upright.

    Parameters
    ----------
    folder : holds `emnist-<split>-train-images-idx3-ubyte` and its like, plain or with .gz; by default
        `cache_folder()` / emnist
    split : "byclass" (62 classes), "bymerge", "balanced" (47), "letters" (labels 1 to 26), "digits" or "mnist" (10)
    train : the training part, else the test part
    download : fetch the archive (560 MB), checked by its published MD5 sum, and take the split's files out of it

    Returns
    -------
    images : (N, 28, 28) uint8, transposed
    labels : (N,) int64

    Raises
    ------
    FileNotFoundError, DataError
        as `load_mnist`
    OptionError
        an unknown split
    """
    if split not in EMNIST_LABELS:
        raise OptionError(f"load_emnist: split is {split!r}, expected one of {', '.join(EMNIST_LABELS)}")
    home = cache_folder() / "emnist" if folder is None else Path(folder)
    stem = f"emnist-{split}-{'train' if train else 'test'}"
    try:
        paths = _find(home, f"{stem}-images", "idx3", "", False), _find(home, f"{stem}-labels", "idx1", "", False)
    except FileNotFoundError:
        if not download:
            raise
        archive = fetch(EMNIST_URL, "gzip.zip", md5=EMNIST_MD5, folder=home)
        with zipfile.ZipFile(archive) as file:
            for member in file.infolist():
                plain = PurePosixPath(member.filename).name
                if plain.startswith(f"emnist-{split}-") and plain.endswith("-ubyte.gz"):
                    with atomic_open(home / plain) as out:
                        out.write(file.read(member))
        paths = _find(home, f"{stem}-images", "idx3", "", False), _find(home, f"{stem}-labels", "idx1", "", False)
    return _pair(*paths, *EMNIST_LABELS[split])


def _pair(images_path: Path, labels_path: Path, least: int, most: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images and labels of two files that fit together."""
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
    wrong = np.flatnonzero((labels < least) | (labels > most))
    if wrong.size:
        raise DataError(
            f"load_mnist: {labels_path} has label {labels[wrong[0]]} at {wrong[0]}, expected {least} to {most}"
        )
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
