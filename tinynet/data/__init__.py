"""Data sets and the readers of their files, with NumPy only."""

from tinynet.data.digits import load_digits
from tinynet.data.idx import read_idx, write_idx
from tinynet.data.mnist import load_mnist

__all__ = ["load_digits", "load_mnist", "read_idx", "write_idx"]
