"""A softmax over many classes that computes the rare ones only where they are wanted."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._tensor import Tensor, new_tensor
from ..errors import OptionError, RangeError, ShapeError
from ..ops import primitives as P
from ..ops.activation import log_softmax
from ..ops.checks import integer, tensor_of
from .containers import ModuleList, Sequential
from .linear import Linear
from .module import Module


class ASMoutput(NamedTuple):
    """The log-probability of each target, and the mean of their negatives."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of classes in clusters: log p(c) = log p(cluster) + log p(c | cluster).

    The first cutoffs[0] classes, which should be the most frequent, stand in the head beside one entry for each cluster
    of others; cluster i is projected to in_features // div_value^(i + 1) features.
    Source: Grave, Joulin, Cissé, Grangier, Jégou, ICML 2017.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        ends = list(cutoffs)
        rising = all(a < b for a, b in itertools.pairwise([0, *ends, n_classes]))
        if not ends or not rising or any(int(c) != c for c in ends):
            raise OptionError(
                f"AdaptiveLogSoftmaxWithLoss: cutoffs must be rising integers in 1 … {n_classes - 1}, got {cutoffs!r}"
            )
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, [*ends, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = ends[0], len(ends)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(itertools.pairwise(self.cutoffs)):
            width = int(in_features // div_value ** (i + 1))
            self.tail.append(
                Sequential(
                    Linear(in_features, width, False, device, dtype), Linear(width, high - low, False, device, dtype)
                )
            )

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for layer in self.modules():
            if isinstance(layer, Linear):
                layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> ASMoutput:
        """input (N, in_features) and class numbers (N,), or (in_features,) and one: (output, loss)."""
        where = "AdaptiveLogSoftmaxWithLoss"
        x, target = tensor_of(where, "input", input_), integer(where, "target", target_).array.astype(np.int64)
        if target.ndim > 1 or x.ndim != target.ndim + 1 or x.array.shape[:-1] != target.shape:
            raise ShapeError(
                f"{where}: input must be (N, in_features) and target (N,), or without N; got shapes "
                f"{tuple(x.array.shape)} and {tuple(target.shape)}"
            )
        if target.size and (target.min() < 0 or target.max() >= self.n_classes):
            raise RangeError(
                f"{where}: target must lie in 0 … {self.n_classes - 1}, got {target.min()} … {target.max()}"
            )
        single, target = x.ndim == 1, target.reshape(-1)
        x = P.reshape(x, shape=(target.size, self.in_features))
        cluster = np.searchsorted(self.cutoffs, target, side="right")  # 0: in the head itself
        entry = np.where(cluster == 0, target, self.shortlist_size + cluster - 1)
        output = P.index(log_softmax(self.head(x), 1), index=(np.arange(target.size), entry))
        for i in range(self.n_clusters):
            (rows,) = np.nonzero(cluster == i + 1)
            if rows.size:
                logp = log_softmax(self.tail[i](P.index(x, index=(rows,))), 1)
                picked = P.index(logp, index=(np.arange(rows.size), target[rows] - self.cutoffs[i]))
                output = P.add(output, P.unindex(picked, index=(rows,), source=(target.size,)))
        loss = P.neg(P.div(P.sum_(output, axes=(0,)), float(target.size)))
        return ASMoutput(P.reshape(output, shape=()) if single else output, loss)

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes: (N, n_classes)."""
        head = log_softmax(self.head(input), 1)
        parts = [P.index(head, index=(slice(None), slice(0, self.shortlist_size)))]
        for i, tail in enumerate(self.tail):
            k = self.shortlist_size + i
            share = P.index(head, index=(slice(None), slice(k, k + 1)))
            parts.append(P.add(log_softmax(tail(input), 1), share))
        return P.cat(*parts, axis=1, sizes=tuple(p.array.shape[1] for p in parts))

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class: of the head where it leads, else of all. (N,)."""
        first = np.argmax(self.head(input).array, axis=1)
        (rows,) = np.nonzero(first >= self.shortlist_size)
        if rows.size:
            first[rows] = np.argmax(self.log_prob(P.index(input, index=(rows,))).array, axis=1)
        return new_tensor(first)
