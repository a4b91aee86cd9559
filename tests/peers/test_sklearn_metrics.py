"""Metrics of classification against scikit-learn's."""

import numpy as np
import pytest

from tinynet.training import accuracy, confusion_matrix, precision_recall_f1, roc_auc, top_k_accuracy

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
RNG = np.random.default_rng(0)
SCORES = RNG.integers(0, 6, (60, 4)) / 5
SCORES = (SCORES + 0.01) / (SCORES + 0.01).sum(axis=1, keepdims=True)
TARGETS = np.concatenate([np.arange(4), RNG.integers(0, 4, 56)])
PREDICTIONS = np.where(RNG.random(60) < 0.5, TARGETS, RNG.integers(0, 3, 60))


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])
def test_precision_recall_f1(average):
    for targets, predictions in ((TARGETS, PREDICTIONS), (TARGETS[:5], PREDICTIONS[:5])):
        theirs = metrics.precision_recall_fscore_support(targets, predictions, average=average, zero_division=0)
        np.testing.assert_allclose(precision_recall_f1(targets, predictions, average), np.array(theirs[:3]))
    assert accuracy(TARGETS, PREDICTIONS) == pytest.approx(metrics.accuracy_score(TARGETS, PREDICTIONS))


@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
@pytest.mark.parametrize("labels", [None, [2, 0, 7]])
def test_confusion_matrix(labels, normalize):
    theirs = metrics.confusion_matrix(TARGETS, PREDICTIONS, labels=labels, normalize=normalize)
    np.testing.assert_allclose(confusion_matrix(TARGETS, PREDICTIONS, labels, normalize=normalize), theirs)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_accuracy(k):
    assert top_k_accuracy(TARGETS, SCORES, k) == pytest.approx(metrics.top_k_accuracy_score(TARGETS, SCORES, k=k))


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])
def test_roc_auc(average):
    theirs = metrics.roc_auc_score(TARGETS, SCORES, average=average, multi_class="ovr")
    np.testing.assert_allclose(roc_auc(TARGETS, SCORES, average), theirs)
    binary = metrics.roc_auc_score(TARGETS == 2, SCORES[:, 2])
    assert roc_auc(TARGETS, SCORES[:, 2], positive=2) == pytest.approx(binary)
