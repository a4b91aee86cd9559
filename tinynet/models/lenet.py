"""LeNet-5: two convolutions with pooling, three affine layers.

Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86, 1998.
Deviations: relu in place of the scaled tanh, max pooling in place of trainable averages, full connections between the
feature maps, cross-entropy in place of radial units, dropout between the affine layers. Images smaller than 28×28 get
3×3 kernels and more feature maps, since 5×5 would see most of the image at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn
from .._tensor import Tensor
from ..nn import functional as F


class LeNet(nn.Module):
    """conv – pool – conv – pool – 120 – 84 – classes."""

    def __init__(self, in_shape: Sequence[int] = (1, 28, 28), classes: int = 10, dropout: float = 0.3) -> None:
        super().__init__()
        channels, height, width = in_shape
        small = min(height, width) < 28
        kernel, maps = (3, (32, 64)) if small else (5, (6, 16))
        self.conv1 = nn.Conv2d(channels, maps[0], kernel, padding=kernel // 2)
        self.conv2 = nn.Conv2d(maps[0], maps[1], kernel, padding=1 if small else 0)
        h, w = (n // 2 // 2 if small else (n // 2 - 4) // 2 for n in (height, width))
        self.fc1 = nn.Linear(maps[1] * h * w, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → logits (N, classes)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.flatten(1)
        x = self.dropout(F.relu(self.fc1(x)))
        x = self.dropout(F.relu(self.fc2(x)))
        return self.fc3(x)
