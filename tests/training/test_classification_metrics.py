"""Metrics of classification, by hand and by their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
from tests.examples import examples
from tinynet.errors import DtypeError, OptionError, RangeError, ShapeError
from tinynet.training import confusion_matrix, precision_recall_f1, roc_auc, top_k_accuracy


def test_confusion_matrix():
    targets, predictions = ["a", "b", "b", "c"], ["a", "a", "b", "b"]
    assert confusion_matrix(targets, predictions).tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert confusion_matrix(targets, predictions, ["b", "a", "z"]).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert confusion_matrix(tn.tensor([1, 0]), [1, 1], normalize="all").tolist() == [[0, 0.5], [0, 0.5]]
    assert confusion_matrix([1, 0], [1, 1], normalize="pred").tolist() == [[0, 0.5], [0, 0.5]]
    assert confusion_matrix([1, 0, 1], [1, 1, 0], normalize="true").tolist() == [[0, 1], [0.5, 0.5]]
    with pytest.raises(OptionError, match="normalize"):
        confusion_matrix([1], [1], normalize="rows")
    with pytest.raises(OptionError, match="different"):
        confusion_matrix([1], [1], [1, 1])


def test_top_k():
    scores = tn.tensor([[0.1, 0.5, 0.4], [0.7, 0.2, 0.1], [0.3, 0.3, 0.3]])
    assert top_k_accuracy([1, 1, 2], scores, 1) == pytest.approx(2 / 3)
    assert top_k_accuracy([2, 1, 0], scores, 2) == pytest.approx(2 / 3)
    assert top_k_accuracy([2, 1, 0], scores, 3) == 1
    with pytest.raises(OptionError, match="there are 3 classes"):
        top_k_accuracy([2, 1, 0], scores, 4)
    with pytest.raises(RangeError, match=r"lie in 0 … 3"):
        top_k_accuracy([3, 1, 0], scores, 1)
    with pytest.raises(DtypeError, match="integers"):
        top_k_accuracy([0.5, 1, 0], scores, 1)
    with pytest.raises(ShapeError, match="N, C"):
        top_k_accuracy([1], scores, 1)


def test_averages():
    targets, predictions = [0, 0, 0, 1], [0, 0, 1, 1]
    each = precision_recall_f1(targets, predictions, None)
    np.testing.assert_allclose(each, [(1, 1 / 2), (2 / 3, 1), (4 / 5, 2 / 3)])
    weighted = precision_recall_f1(targets, predictions, "weighted")
    assert weighted == pytest.approx((7 / 8, 3 / 4, (3 * 4 / 5 + 2 / 3) / 4))


@examples(60)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=12))
def test_roc_auc_is_the_probability_to_rank_right(samples):
    ups, downs = ([s for t, s in samples if t is truth] for truth in (True, False))
    targets, scores = zip(*samples, strict=True)
    if not ups or not downs:
        with pytest.raises(OptionError, match="expected some of both"):
            roc_auc(targets, scores)
        return
    wins = np.mean([(a > b) + (a == b) / 2 for a in ups for b in downs])
    assert roc_auc(tn.tensor(targets), tn.tensor(scores)) == pytest.approx(wins)
    assert roc_auc(targets, scores, positive=False) == pytest.approx(1 - wins)


def test_roc_auc_of_classes():
    targets, scores = [0, 1, 2, 2], np.array([[3, 1, 0], [4, 2, 1], [1, 3, 5], [0, 0, 0.5]])
    areas = roc_auc(targets, scores, None)
    assert areas == pytest.approx([2 / 3, 2 / 3, 3 / 4])
    assert roc_auc(targets, scores) == pytest.approx(areas.mean())
    assert roc_auc(targets, scores, "weighted") == pytest.approx(areas @ [1 / 4, 1 / 4, 1 / 2])
    for call, error in (
        (lambda: roc_auc([0, 1, 2, 3], scores), RangeError),
        (lambda: roc_auc([0, 1], [0.5, np.nan]), DtypeError),
        (lambda: roc_auc([0, 1], [0.5]), ShapeError),
        (lambda: roc_auc(targets, scores, "binary"), OptionError),
    ):
        with pytest.raises(error, match="roc_auc"):
            call()
