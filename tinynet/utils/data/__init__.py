"""PyTorch's path to datasets and loaders."""

from ...data import *  # noqa: F403
from ...data import __all__ as __all__
