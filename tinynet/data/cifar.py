"""CIFAR-10 and CIFAR-100 in their binary form: 32 × 32 colour images, 50,000 to train on and 10,000 to test on.

    CIFAR-10:  label | 3 · 1024 bytes, the planes red, green, blue        data_batch_1.bin … 5, test_batch.bin
    CIFAR-100: coarse label | fine label | 3 · 1024 bytes                 train.bin, test.bin

Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError
from ..files import atomic_open
from .download import cache_folder
from .download import download as fetch


class Layout(NamedTuple):
    """Where a data set's files are, and what they hold."""

    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    names: str
    labels: tuple[int, ...]  # how many classes each label byte has; the last is the one that is read
    pickled: tuple[str, str]
    url: str
    md5: str


_HOME = "https://www.cs.toronto.edu/~kriz/"
LAYOUTS = {
    "cifar10": Layout(
        "cifar-10-batches-bin",
        tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
        ("test_batch.bin",),
        "batches.meta.txt",
        (10,),
        ("data_batch_1", "test_batch"),
        _HOME + "cifar-10-binary.tar.gz",
        "c32a1d4ab5d03f1284b67883e8d87530",
    ),
    "cifar100": Layout(
        "cifar-100-binary",
        ("train.bin",),
        ("test.bin",),
        "fine_label_names.txt",
        (20, 100),
        ("train", "test"),
        _HOME + "cifar-100-binary.tar.gz",
        "03b5dce01913d631647c71ecec9e9cb8",
    ),
}
_PIXELS = 3 * 32 * 32


def load_cifar(
    folder: str | os.PathLike[str] | None = None, *, train: bool = True, name: str = "cifar10", download: bool = False
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read CIFAR-10 or CIFAR-100 from the binary form's files.

    Parameters
    ----------
    folder : holds the .bin files, or the folder that the archive makes; by default `cache_folder()` / name. Any number of
        images a file is accepted
    train : the training part, else the test part
    name : "cifar10" or "cifar100" (its fine labels)
    download : fetch the archive (160 MB) if the files are not there, checked by its published MD5 sum, and unpack it

    Returns
    -------
    images : (N, 3, 32, 32) uint8
    labels : (N,) int64

    Raises
    ------
    FileNotFoundError
        no such folder or file
    NotImplementedError
        the folder has the Python form, whose files are pickles
    DataError
        a file is no whole number of records, or a label is too large
    OptionError
        an unknown name
    """
    layout = _layout(name)
    home = cifar_folder(folder, name, train=train, download=download)
    images, labels = [], []
    size = len(layout.labels) + _PIXELS
    for file in layout.train if train else layout.test:
        path = home / file
        if not path.is_file():
            raise FileNotFoundError(f"load_cifar: {home} has no {file}")
        content = np.fromfile(path, np.uint8)
        if not len(content) or len(content) % size:
            raise DataError(f"load_cifar: {path} has {len(content)} bytes, expected a multiple of {size}")
        records = content.reshape(-1, size)
        for i, classes in enumerate(layout.labels):
            worst = int(records[:, i].argmax())
            if records[worst, i] >= classes:
                raise DataError(
                    f"load_cifar: {path} has label {records[worst, i]} in record {worst}, expected 0 to {classes - 1}"
                )
        labels.append(records[:, len(layout.labels) - 1].astype(np.int64))
        images.append(records[:, len(layout.labels) :].reshape(-1, 3, 32, 32))
    return np.concatenate(images), np.concatenate(labels)


def cifar_folder(folder: str | os.PathLike[str] | None, name: str, *, train: bool, download: bool) -> Path:
    """The folder with the binary form's files, fetched if need be."""
    layout = _layout(name)
    home = cache_folder() / name if folder is None else Path(folder)
    first = (layout.train if train else layout.test)[0]
    for place in (home, home / layout.folder):
        if (place / first).is_file():
            return place
    if download:
        return _unpacked(fetch(layout.url, layout.url.rsplit("/", 1)[1], md5=layout.md5, folder=home), home, layout)
    for place in (home, *(home / f for f in ("cifar-10-batches-py", "cifar-100-python"))):
        if any((place / file).is_file() for file in layout.pickled):
            raise NotImplementedError(
                f"load_cifar: {place} has the Python form, whose files are pickles and are not read; get the binary form, "
                f"{layout.url}"
            )
    raise FileNotFoundError(
        f"load_cifar: there is no {first} in {home} or {home / layout.folder}; name the folder that has it, or pass "
        "download=True"
    )


def cifar_classes(folder: str | os.PathLike[str] | None = None, name: str = "cifar10") -> list[str]:
    """The names of the classes, from the text file beside the images."""
    layout = _layout(name)
    home = cache_folder() / name if folder is None else Path(folder)
    path = home / layout.names
    if not path.is_file():
        path = home / layout.folder / layout.names
    names = path.read_text(encoding="utf-8").split()
    if len(names) != layout.labels[-1]:
        raise DataError(f"cifar_classes: {path} has {len(names)} names, expected {layout.labels[-1]}")
    return names


def _layout(name: str) -> Layout:
    if name not in LAYOUTS:
        raise OptionError(f"load_cifar: name is {name!r}, expected one of {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def _unpacked(archive: Path, home: Path, layout: Layout) -> Path:
    """The wanted files out of the archive, each whole or not at all; the others stay in it."""
    target = home / layout.folder
    target.mkdir(parents=True, exist_ok=True)
    wanted = {*layout.train, *layout.test, layout.names}
    with tarfile.open(archive) as file:
        for member in file:
            plain = PurePosixPath(member.name).name
            content = file.extractfile(member) if member.isfile() and plain in wanted else None
            if content is not None:
                with content, atomic_open(target / plain) as out:
                    shutil.copyfileobj(content, out)
    return target
