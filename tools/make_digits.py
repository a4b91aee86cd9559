"""Make tinynet/data/digits.npz from scikit-learn's copy of the UCI digits: `python tools/make_digits.py`.

The same bytes come out each time: the split depends on a fixed seed, and NumPy stamps no date into the archive.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "tinynet" / "data" / "digits.npz"
TEST = 360


def stratified_order(labels: np.ndarray, test: int, seed: int = 0) -> np.ndarray:
    """A shuffled order of all indices whose last `test` have each class in proportion, to within one."""
    rng = np.random.default_rng(seed)
    counts = np.bincount(labels)
    share = counts * test / labels.size
    take = np.floor(share).astype(int)
    take[np.argsort(take - share, kind="stable")[: test - take.sum()]] += 1  # largest remainders
    by_class = [rng.permutation(np.flatnonzero(labels == label)) for label in range(counts.size)]
    last = np.concatenate([indices[:n] for indices, n in zip(by_class, take, strict=True)])
    first = np.concatenate([indices[n:] for indices, n in zip(by_class, take, strict=True)])
    return np.concatenate([rng.permutation(first), rng.permutation(last)])


def main() -> None:
    """Write the file."""
    source = load_digits()
    images = source.images.astype(np.uint8)
    assert (images == source.images).all()
    labels = source.target.astype(np.uint8)
    order = stratified_order(labels, TEST).astype(np.uint16)
    np.savez_compressed(TARGET, images=images, labels=labels, order=order)
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
