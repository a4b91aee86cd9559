"""Metrics of classification: accuracy, confusion matrix, precision and recall, area under the ROC curve."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from .._tensor import Tensor
from ..errors import DtypeError, OptionError, RangeError, ShapeError, whole_number

Array = np.ndarray[Any, Any]
Average = Literal["binary", "macro", "micro", "weighted"]


class Scores(NamedTuple):
    """Precision, recall and their harmonic mean: numbers, or arrays of one number a label."""

    precision: Any
    recall: Any
    f1: Any


def accuracy(targets: Any, predictions: Any) -> float:
    """The share of predictions that are right. Lists, arrays or tensors of labels, (N,)."""
    t, p = _labels("accuracy", targets, predictions)
    return float(np.mean(t == p))


def top_k_accuracy(targets: Any, scores: Any, k: int = 5) -> float:
    """The share of samples whose class is among the k classes of largest score.

    targets  (N,) class numbers; scores (N, C). Of equal scores the later class counts as the larger one.

    Raises RangeError for a class number outside of 0 … C − 1, OptionError for k > C.
    """
    where = "top_k_accuracy"
    t, s = _array(targets), _array(scores)
    if s.ndim != 2 or t.shape != s.shape[:1] or not t.size:
        raise ShapeError(f"{where}: expected targets (N,) and scores (N, C), N ≥ 1, got {t.shape} and {s.shape}")
    k = whole_number(where, "k", k, 1)
    if k > s.shape[1]:
        raise OptionError(f"{where}: k is {k}, and there are {s.shape[1]} classes")
    if t.dtype.kind not in "iu":
        raise DtypeError(f"{where}: targets must be integers, got {t.dtype}")
    if t.min() < 0 or t.max() >= s.shape[1]:
        raise RangeError(f"{where}: targets lie in {t.min()} … {t.max()}, expected 0 … {s.shape[1] - 1}")
    best = np.argsort(s, axis=1, kind="stable")[:, -k:]
    return float(np.mean((best == t[:, None]).any(axis=1)))


def confusion_matrix(
    targets: Any,
    predictions: Any,
    labels: Any = None,
    *,
    normalize: Literal["true", "pred", "all"] | None = None,
) -> Array:
    """Counts of samples, (L, L): row the true label, column the predicted one.

    targets, predictions  lists, arrays or tensors of labels (numbers or strings), (N,)
    labels                the rows and columns in order; by default all labels that occur, sorted. Samples with another
                          label are left out
    normalize             divide by the sums of rows ("true"), of columns ("pred"), or by all (0/0 = 0)
    """
    where = "confusion_matrix"
    t, p = _labels(where, targets, predictions)
    names = np.union1d(t, p) if labels is None else _array(labels)
    if len(np.unique(names)) != len(names) or not len(names):
        raise OptionError(f"{where}: labels must be different ones, at least one, got {names.tolist()}")
    order = np.argsort(names)

    def places(x: Array) -> tuple[Array, Array]:
        k = order[np.minimum(np.searchsorted(names, x, sorter=order), len(names) - 1)]
        return k, names[k] == x

    (rows, known), (columns, too) = places(t), places(p)
    both = known & too
    n = len(names)
    counts = np.bincount(rows[both] * n + columns[both], minlength=n * n).reshape(n, n)
    if normalize is None:
        return counts
    if normalize not in ("true", "pred", "all"):
        raise OptionError(f"{where}: normalize must be None, 'true', 'pred' or 'all', got {normalize!r}")
    axis = {"true": 1, "pred": 0, "all": None}[normalize]
    return counts / np.maximum(counts.sum(axis=axis, keepdims=True), 1)


def precision_recall_f1(
    targets: Any,
    predictions: Any,
    average: Average | None = "binary",
    *,
    positive: Any = 1,
    zero_division: float = 0.0,
) -> Scores:
    """Precision TP/(TP + FP), recall TP/(TP + FN), and F₁ = 2 TP/(2 TP + FP + FN).

    targets, predictions  lists, arrays or tensors of labels (numbers or strings), (N,)
    average               "binary": of the label `positive`; "macro": the mean over all labels that occur; "weighted":
                          that mean, each label weighted by how often it is true; "micro": of the sums over all labels,
                          where each mistake is a false positive of one label and a false negative of another, so that
                          all three are the accuracy; None: an array of one number for each label that occurs, sorted
    zero_division         what 0/0 gives

    Raises OptionError for "binary" with more than two labels, or without `positive` among them.
    """
    where = "precision_recall_f1"
    t, p = _labels(where, targets, predictions)
    labels = np.union1d(t, p)
    if average == "binary":
        if len(labels) > 2:
            raise OptionError(f"{where}: there are {len(labels)} labels; use average='macro', 'micro' or 'weighted'")
        if positive not in labels.tolist() and len(labels) == 2:
            raise OptionError(f"{where}: positive is {positive!r}, but the labels are {labels.tolist()}")
        labels = np.array([positive])
    elif average not in ("macro", "micro", "weighted", None):
        raise OptionError(f"{where}: average must be 'binary', 'macro', 'micro', 'weighted' or None, got {average!r}")
    hits = np.array([np.count_nonzero((t == label) & (p == label)) for label in labels])
    claimed = np.array([np.count_nonzero(p == label) for label in labels])
    there = np.array([np.count_nonzero(t == label) for label in labels])
    weights = there if average == "weighted" else None
    if average == "micro":
        hits, claimed, there = (counts.sum(keepdims=True) for counts in (hits, claimed, there))

    def ratio(part: Array, whole: Array) -> Any:
        shares = np.where(whole > 0, part / np.maximum(whole, 1), zero_division)
        return shares if average is None else float(np.average(shares, weights=weights))

    return Scores(ratio(hits, claimed), ratio(hits, there), ratio(2 * hits, claimed + there))


def roc_auc(
    targets: Any, scores: Any, average: Literal["macro", "micro", "weighted"] | None = "macro", *, positive: Any = 1
) -> Any:
    """The area under the ROC curve: the probability that a positive sample scores above a negative one (ties: ½).

    (R − n₊(n₊ + 1)/2)/(n₊ n₋) with R the sum of the positive samples' ranks, the mean rank for ties (Mann and Whitney).

    targets  (N,) labels; scores (N,): of being `positive`. Or scores (N, C) and targets (N,) in 0 … C − 1: each class
             against the rest
    average  over the classes: "macro", the mean; "weighted", by how often each is true; "micro", all pairs of sample
             and class as one problem; None, an array (C,)

    Raises OptionError if positive or negative samples are missing, of any class; DtypeError for NaN or strings.
    Source: Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology 143 (1982).
    """
    where = "roc_auc"
    t, s = _array(targets), _array(scores)
    if s.ndim not in (1, 2) or t.shape != s.shape[:1] or not t.size:
        raise ShapeError(f"{where}: expected targets (N,) and scores (N,) or (N, C), got {t.shape} and {s.shape}")
    if s.dtype.kind not in "biuf" or np.isnan(s).any():
        raise DtypeError(f"{where}: scores must be numbers and not NaN")
    if s.ndim == 1:
        return _area(where, t == positive, s)
    classes = np.arange(s.shape[1])
    if not np.isin(t, classes).all():
        raise RangeError(f"{where}: targets must lie in 0 … {s.shape[1] - 1}, got {np.setdiff1d(t, classes).tolist()}")
    truth = t[:, None] == classes
    if average == "micro":
        return _area(where, truth.ravel(), s.ravel())
    areas = np.array([_area(where, truth[:, c], s[:, c]) for c in classes])
    if average is None:
        return areas
    if average not in ("macro", "weighted"):
        raise OptionError(f"{where}: average must be 'macro', 'micro', 'weighted' or None, got {average!r}")
    return float(np.average(areas, weights=truth.sum(axis=0) if average == "weighted" else None))


def _area(where: str, truth: Array, scores: Array) -> float:
    ups = int(truth.sum())
    downs = len(truth) - ups
    if not ups or not downs:
        raise OptionError(f"{where}: there are {ups} positive and {downs} negative samples, expected some of both")
    _, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # the mean of the ranks that equal scores share
    return float((ranks[which][truth].sum() - ups * (ups + 1) / 2) / (ups * downs))


def _array(x: Any) -> Array:
    return np.asarray(x.array if isinstance(x, Tensor) else x)


def _labels(where: str, targets: Any, predictions: Any) -> tuple[Array, Array]:
    t, p = (_array(x) for x in (targets, predictions))
    if t.ndim != 1 or t.shape != p.shape:
        raise ShapeError(
            f"{where}: targets and predictions must have one dimension and one length, got {t.shape} and {p.shape}"
        )
    if not t.size:
        raise ShapeError(f"{where}: expected at least one label")
    if (t.dtype.kind in "US") != (p.dtype.kind in "US"):
        raise DtypeError(f"{where}: targets are {t.dtype} and predictions {p.dtype}; both must be numbers or strings")
    return t, p
