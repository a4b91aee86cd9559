"""PyTorch's path to autocast."""

from tinynet.amp import autocast as autocast
