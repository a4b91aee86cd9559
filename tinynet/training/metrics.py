"""Counting while a model is judged: loss, accuracy, confusion matrix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..autograd.modes import no_grad
from ..nn import Module


@dataclass
class Evaluation:
    """What `evaluate` found.

    loss       the mean over the samples
    accuracy   the share of samples whose largest logit is their class
    confusion  (classes, classes) counts: row the true class, column the predicted one
    """

    loss: float
    accuracy: float
    confusion: np.ndarray[Any, Any]

    @property
    def count(self) -> int:
        """How many samples were judged."""
        return int(self.confusion.sum())

    def recall(self) -> np.ndarray[Any, Any]:
        """For each class the share of its samples that were recognised (NaN for a class without samples)."""
        with np.errstate(invalid="ignore"):
            return np.diagonal(self.confusion) / self.confusion.sum(axis=1)


def evaluate(model: Module, loader: Iterable[Any], loss_fn: Any) -> Evaluation:
    """Judge a classifier on a loader of (inputs, class numbers), in evaluation mode; the mode is restored."""
    was_training = model.training
    model.eval()
    total, count, confusion = 0.0, 0, np.zeros((0, 0), np.int64)
    try:
        with no_grad():
            for inputs, labels in loader:
                logits = model(inputs)
                total += float(loss_fn(logits, labels).item()) * len(labels)
                count += len(labels)
                confusion = add_confusion(confusion, logits, labels)
    finally:
        model.train(was_training)
    if count == 0:
        raise ValueError("evaluate: the loader gave no samples")
    return Evaluation(total / count, float(np.trace(confusion)) / count, confusion)


def add_confusion(confusion: np.ndarray[Any, Any], logits: Tensor, labels: Tensor) -> np.ndarray[Any, Any]:
    """Count a batch into the confusion matrix, which grows to the number of classes."""
    classes = logits.shape[1]
    if confusion.shape != (classes, classes):
        confusion = np.zeros((classes, classes), np.int64)
    pairs = labels.array.astype(np.int64) * classes + np.argmax(logits.array, axis=1)
    return confusion + np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def correct(logits: Tensor, labels: Tensor) -> int:
    """How many samples of a batch are recognised."""
    return int((np.argmax(logits.array, axis=1) == labels.array).sum())
