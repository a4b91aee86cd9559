"""PyTorch's `torch.utils`: `utils.data`."""

from . import data
