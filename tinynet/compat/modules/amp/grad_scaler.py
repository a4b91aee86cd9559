"""PyTorch's path to GradScaler."""

from . import GradScaler as GradScaler
