"""Handwritten digits that come with tinynet: 1,797 images of 8 × 8, the UCI set's test part.

Optical Recognition of Handwritten Digits, by E. Alpaydin and C. Kaynak (1998), UCI Machine Learning Repository,
https://doi.org/10.24432/C50P49, licensed under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). Changed here:
stored as uint8, shuffled, and split. Each pixel counts the black pixels, 0 to 16, of a 4 × 4 block of a 32 × 32 bitmap.

The file is made by tools/make_digits.py from scikit-learn's copy of the set.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinynet.errors import DataError

FILE = Path(__file__).with_name("digits.npz")
TRAIN = 1437


def load_digits(*, train: bool = True) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The digits' training part (1,437 images) or test part (360), in a fixed, shuffled order.

    The split is stratified: each class has the same share of both parts, to within one image. It is random over the
    images: **the same 13 writers appear in both parts**, so accuracy on the test part says how well a model reads these
    writers, not new ones. The original set's own training part (30 other writers) is not included.

    Parameters
    ----------
    train : the training part, else the test part

    Returns
    -------
    images : (N, 8, 8) uint8, 0 (white) to 16 (black)
    labels : (N,) int64, 0 to 9

    Raises
    ------
    DataError
        the installed file is damaged

    Source: E. Alpaydin, C. Kaynak, "Cascading classifiers", Kybernetika 34 (1998). Data under CC BY 4.0, see
    digits.LICENSE.txt beside this file.
    """
    try:
        with open(FILE, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            images, labels, order = file["images"], file["labels"], file["order"]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"load_digits: {FILE} is damaged: {error}") from error
    chosen = order[:TRAIN] if train else order[TRAIN:]
    return images[chosen], labels[chosen].astype(np.int64)
