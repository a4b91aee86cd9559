"""PyTorch's path to GradScaler."""

from tinynet.amp import GradScaler as GradScaler
