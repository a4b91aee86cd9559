"""A convolutional network with batch normalisation and dropout."""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn
from .._tensor import Tensor


class CNN(nn.Module):
    """Blocks of convolution – batch norm – relu – pooling, then the mean over the image, dropout and an affine layer.

    Source of the block: Ioffe and Szegedy, ICML 2015; of the mean over the image: Lin, Chen, Yan, ICLR 2014.
    """

    def __init__(
        self,
        in_shape: Sequence[int] = (1, 28, 28),
        classes: int = 10,
        widths: Sequence[int] = (32, 64),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        channels = in_shape[0]
        for width in widths:
            blocks += [
                nn.Conv2d(channels, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            channels = width
        self.features = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → logits (N, classes)."""
        return self.head(self.features(x))
