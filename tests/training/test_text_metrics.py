"""Metrics of text, by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
from tests.examples import examples
from tinynet.errors import DtypeError, OptionError, ShapeError
from tinynet.training import accuracy, bits_per_character, corpus_bleu, perplexity, precision_recall_f1
from tinynet.training.text_metrics import _tokenize_13a


def test_perplexity_and_bits():
    assert perplexity(math.log(65)) == pytest.approx(65)
    assert perplexity(0) == 1
    assert perplexity(1e9) == math.inf
    assert math.isnan(perplexity(math.nan))
    assert bits_per_character(100 * math.log(2), 50) == pytest.approx(2)
    with pytest.raises(OptionError, match="mean_nll must be ≥ 0"):
        perplexity(-0.1)
    with pytest.raises(OptionError, match="characters must be an integer ≥ 1, got 0"):
        bits_per_character(1.0, 0)


def test_bleu_by_hand():
    # 7 tokens, of which "the" counts twice at most; pairs "the cat", "on the" … of 6; a reference of 6 tokens
    found = corpus_bleu(["the the the cat on the mat"], ["the cat is on the mat"], "none", "none")
    assert found.matches == (5, 3, 1, 0)
    assert found.totals == (7, 6, 5, 4)
    assert (found.hypothesis_length, found.reference_length, found.brevity_penalty) == (7, 6, 1.0)
    assert found.score == 0.0
    smoothed = corpus_bleu(["the the the cat on the mat"], ["the cat is on the mat"], "none")
    precisions = [5 / 7, 3 / 6, 1 / 5, 1 / (2 * 4)]
    assert smoothed.precisions == pytest.approx([100 * p for p in precisions])
    assert float(smoothed) == smoothed.score == pytest.approx(100 * math.prod(precisions) ** 0.25)


def test_bleu_penalises_brevity_and_takes_the_closest_reference():
    found = corpus_bleu(["a b c d", "a"], [["a b c d e f", "a"], ["a b", "b b b b"]], "none")
    assert (found.hypothesis_length, found.reference_length) == (5, 3)  # 2 is as close to 4 as 6 is, and shorter
    short = corpus_bleu(["a b c d"], ["a b c d e f"], "none")
    assert short.score == pytest.approx(100 * math.exp(1 - 6 / 4))
    assert corpus_bleu([""], ["a b"]).score == 0
    assert corpus_bleu([""], ["a b"]).brevity_penalty == 0
    assert corpus_bleu(["x"], ["y"]).score == 0


@examples(60)
@given(st.lists(st.lists(st.text("abcd.,1-'", min_size=1, max_size=4), min_size=4, max_size=8), min_size=1, max_size=4))
def test_what_is_equal_has_a_hundred(words):
    sentences = [" ".join(w) for w in words]
    assert corpus_bleu(sentences, sentences).score == pytest.approx(100)


def test_13a():
    text = '"Hello," he said (3.14, 1,000-fold); it\'s 5-6 &lt;b&gt; &quot;a&amp;b&quot; well-known<skipped> end.'
    expected = '" Hello , " he said ( 3.14 , 1,000 - fold ) ; it\'s 5 - 6 < b > " a & b " well-known end .'
    assert " ".join(_tokenize_13a(text).split()) == expected


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: corpus_bleu(["a"], ["a", "b"]), ShapeError, "set 0 of references has 2 sentences, and there are 1"),
        (lambda: corpus_bleu([], []), ShapeError, "at least one hypothesis"),
        (lambda: corpus_bleu("a", ["a"]), DtypeError, "hypotheses must be a sequence of strings"),
        (lambda: corpus_bleu(["a"], "a"), DtypeError, "references must be a sequence"),
        (lambda: corpus_bleu(["a"], [[1]]), DtypeError, "set 0 of references must be"),
        (lambda: corpus_bleu(["a"], ["a"], "zh"), NotImplementedError, "tokenize='zh' is not supported"),
        (lambda: corpus_bleu(["a"], ["a"], smooth="more"), OptionError, "smooth must be one of exp, floor"),
        (lambda: corpus_bleu(["a"], ["a"], max_order=0), OptionError, "max_order"),
        (lambda: accuracy([1, 2], [1]), ShapeError, r"got \(2,\) and \(1,\)"),
        (lambda: accuracy([], []), ShapeError, "at least one label"),
        (lambda: accuracy(["a"], [1]), DtypeError, "both must be numbers or strings"),
        (lambda: precision_recall_f1([0, 1, 2], [0, 1, 2]), OptionError, "there are 3 labels"),
        (lambda: precision_recall_f1([0, 2], [0, 2]), OptionError, r"positive is 1, but the labels are \[0, 2\]"),
        (lambda: precision_recall_f1([0, 1], [0, 1], "all"), OptionError, "average must be"),
    ],
)
def test_metrics_refuse(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_classification_by_hand():
    targets, predictions = [1, 1, 1, 0, 0], [1, 1, 0, 1, 0]
    assert accuracy(targets, predictions) == pytest.approx(0.6)
    assert precision_recall_f1(targets, predictions) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert precision_recall_f1(targets, predictions, positive=0) == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert precision_recall_f1(targets, predictions, "macro") == pytest.approx((7 / 12, 7 / 12, 7 / 12))
    assert precision_recall_f1(tn.tensor([0, 0]), np.array([0, 0])) == (0, 0, 0)
    assert precision_recall_f1([0, 0], [0, 0], zero_division=1.0) == (1, 1, 1)
    assert precision_recall_f1(["a", "b"], ["a", "a"], positive="a").recall == 1


@examples(60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_micro_is_accuracy(pairs):
    targets, predictions = zip(*pairs, strict=True)
    share = accuracy(targets, predictions)
    assert precision_recall_f1(targets, predictions, "micro") == pytest.approx((share,) * 3)
