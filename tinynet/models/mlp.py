"""The multilayer perceptron: affine layers (E1) with activations between them (E2)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from .. import nn
from .._tensor import Tensor


class MLP(nn.Module):
    """a⁽ˡ⁾ = relu(W⁽ˡ⁾a⁽ˡ⁻¹⁾ + b⁽ˡ⁾), the last layer without relu: logits.

    in_shape  the shape of one input, which is flattened
    """

    def __init__(self, in_shape: Sequence[int], classes: int, hidden: Sequence[int] = (128, 64), dropout: float = 0.0):
        super().__init__()
        sizes = [math.prod(in_shape), *hidden]
        layers: list[nn.Module] = [nn.Flatten()]
        for a, b in itertools.pairwise(sizes):
            layers += [nn.Linear(a, b), nn.ReLU()]
            if dropout:
                layers.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], classes))

    def forward(self, x: Tensor) -> Tensor:
        """(N, *in_shape) → logits (N, classes)."""
        return self.layers(x)
