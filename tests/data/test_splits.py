"""Splits are partitions, of the sizes and the shares that they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
from tests.examples import examples
from tinynet.data import k_fold, stratified_k_fold, train_test_split
from tinynet.errors import OptionError, ShapeError


def is_partition(parts, n):
    return sorted(np.concatenate(parts).tolist()) == list(range(n))


@examples(40)
@given(st.integers(2, 60), st.floats(0.01, 0.9), st.booleans(), st.data())
def test_train_and_test(n, share, shuffle, data):
    size = -int(-share * n // 1)
    if size == n:
        with pytest.raises(OptionError, match="leave none to train"):
            train_test_split(n, share)
        return
    train, test = train_test_split(range(n), share, shuffle=shuffle)
    assert is_partition([train, test], n)
    assert len(test) == size
    if not shuffle:
        assert test.tolist() == list(range(n - size, n))
    labels = np.array(data.draw(st.lists(st.sampled_from("abc"), min_size=n, max_size=n)))
    train, test = train_test_split(n, size, stratify=labels)
    assert is_partition([train, test], n)
    assert len(test) == size
    for label in set(labels):
        assert abs((labels[test] == label).sum() - size * (labels == label).sum() / n) < 1


@examples(40)
@given(st.integers(2, 8), st.lists(st.integers(0, 9), min_size=1, max_size=3), st.booleans(), st.integers(0, 99))
def test_folds(k, extra, shuffle, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(extra)), [k + e for e in extra]))
    n = len(labels)
    for folds in (k_fold(n, k, shuffle=shuffle), stratified_k_fold(tn.tensor(labels), k, shuffle=shuffle)):
        tests = [test for _, test in folds]
        assert is_partition(tests, n)
        assert all(is_partition(pair, n) for pair in folds)
        assert {len(t) for t in tests} <= {n // k, -(-n // k)}
    for _, test in folds:
        for label, count in enumerate(np.bincount(labels)):
            assert (labels[test] == label).sum() in (count // k, -(-count // k))


def test_they_are_random_and_seeded():
    def drawn(seed):
        g = tn.Generator().manual_seed(seed)
        return [
            part.tolist()
            for pair in (
                train_test_split(20, generator=g),
                train_test_split(20, stratify=[0, 1] * 10, generator=g),
                *k_fold(20, 2, generator=g),
                *stratified_k_fold([0, 1] * 10, 2, generator=g),
            )
            for part in pair
        ]

    assert drawn(1) == drawn(1)
    assert all(a != b for a, b in zip(drawn(1), drawn(2), strict=True))


def test_bad_options():
    for call, message in (
        (lambda: train_test_split(4, 1.0), "must lie in"),
        (lambda: train_test_split(4, 1, shuffle=False, stratify=[0] * 4), "needs shuffle"),
        (lambda: k_fold(3, 4), "4 folds of 3 items"),
        (lambda: k_fold(3, 1), "k must be an integer ≥ 2"),
        (lambda: stratified_k_fold([0, 0, 1], 2), "smallest class has 1"),
    ):
        with pytest.raises(OptionError, match=message):
            call()
    with pytest.raises(ShapeError, match=r"\(4,\), got \(3,\)"):
        train_test_split(4, stratify=[0, 1, 1])
