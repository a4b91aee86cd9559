"""PyTorch's path to autocast."""

from . import autocast as autocast
