"""Sampling and beam search: distributions, streams, limits of the context, exhaustive search, errors."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
from tests.models.toys import Bigrams, best_texts
from tinynet.errors import DataError, DtypeError, OptionError
from tinynet.models import beam_search, generate, next_token_probabilities

CYCLE = np.log(np.roll(np.eye(5), 1, axis=1) * 0.96 + 0.008)  # after k comes k + 1, nearly always


# the distribution


def test_probabilities_are_the_softmax():
    x = np.random.default_rng(0).normal(size=9)
    for t in (0.3, 1.0, 4.0):
        e = np.exp(x / t)
        np.testing.assert_allclose(next_token_probabilities(x, temperature=t), e / e.sum(), rtol=1e-12)


@given(seed=st.integers(0, 999), k=st.integers(1, 12), p=st.floats(0.01, 1.0), temperature=st.floats(0.2, 5))
def test_what_is_kept_is_the_likeliest(seed, k, p, temperature):
    x = np.random.default_rng(seed).normal(size=10)
    whole = next_token_probabilities(x, temperature=temperature)
    order = np.argsort(-whole)
    first = next_token_probabilities(x, temperature=temperature, top_k=k)
    assert set(np.flatnonzero(first)) == set(order[:k])
    nucleus = next_token_probabilities(x, temperature=temperature, top_p=p)
    n = np.count_nonzero(nucleus)
    assert set(np.flatnonzero(nucleus)) == set(order[:n])
    assert whole[order[: n - 1]].sum() < p or n == 1
    assert whole[order[:n]].sum() >= p - 1e-12
    for kept in (first, nucleus):
        on = kept > 0
        np.testing.assert_allclose(kept[on], whole[on] / whole[on].sum(), rtol=1e-12)


def test_top_p_counts_what_top_k_left():
    x = np.log([0.4, 0.3, 0.2, 0.1])
    found = next_token_probabilities(x, top_k=3, top_p=0.5)
    np.testing.assert_allclose(found, [4 / 7, 3 / 7, 0, 0])
    np.testing.assert_allclose(next_token_probabilities(x, top_p=0.4), [1, 0, 0, 0])
    np.testing.assert_allclose(next_token_probabilities(np.log([0.25] * 4), top_k=2), [0.25] * 4)  # equals stay


def test_impossible_tokens_stay_impossible():
    x = np.array([-np.inf, 0.0, -np.inf, 0.0])
    np.testing.assert_array_equal(next_token_probabilities(x, top_k=3, top_p=1.0), [0, 0.5, 0, 0.5])
    model = Bigrams([[-np.inf, 0.0], [np.log(0.5), np.log(0.5)]])
    text = [0, *generate(model, [0], 300, seed=0)]
    assert (0, 0) not in set(itertools.pairwise(text))
    assert (1, 1) in set(itertools.pairwise(text))


def test_draws_follow_the_distribution():
    model = Bigrams.random(4, seed=3)
    text = list(generate(model, [0], 6000, seed=1))
    counts = np.zeros((4, 4))
    for a, b in itertools.pairwise(text):
        counts[a, b] += 1
    n = counts.sum(1, keepdims=True)
    p = np.exp(model.log_p)
    assert (np.abs(counts - n * p) <= 5 * np.sqrt(n * p * (1 - p)) + 1).all()


# the stream


def test_greedy_takes_the_best_and_reads_each_token_once():
    model = Bigrams(CYCLE)
    assert list(generate(model, [3, 1], 6, greedy=True)) == [2, 3, 4, 0, 1, 2]
    assert model.calls == [[[3, 1]], [[2]], [[3]], [[4]], [[0]], [[1]]]


def test_tokens_come_when_they_are_asked_for():
    model = Bigrams(CYCLE)
    stream = generate(model, [0], 1000, greedy=True)
    assert model.calls == []
    assert [next(stream), next(stream)] == [1, 2]
    assert len(model.calls) == 2


def test_a_seed_gives_its_text_and_leaves_the_default_stream_alone():
    model = Bigrams.random(20)
    tn.manual_seed(5)
    before = tn.get_rng_state()
    one, two, other = (list(generate(model, [0], 30, seed=s)) for s in (1, 1, 2))
    assert one == two != other
    assert (tn.get_rng_state() == before).all()
    default = list(generate(model, [0], 30))
    tn.manual_seed(5)
    assert list(generate(model, [0], 30)) == default
    assert list(generate(model, [0], 30, generator=tn.Generator().manual_seed(5))) == default


def test_a_low_temperature_is_greedy():
    model = Bigrams.random(6)
    assert list(generate(model, [0], 20, temperature=1e-4, seed=0)) == list(generate(model, [0], 20, greedy=True))
    assert list(generate(model, [0], 20, top_k=1, seed=0)) == list(generate(model, [0], 20, greedy=True))


def test_stop_tokens_end_the_text_and_are_not_given_out():
    assert list(generate(Bigrams(CYCLE), [0], 50, greedy=True, stop=[3, 4])) == [1, 2]
    assert list(generate(Bigrams(CYCLE), [3], 50, greedy=True, stop=[4])) == []
    assert list(generate(Bigrams(CYCLE), [3], 0, greedy=True)) == []


def test_prompts_in_every_form():
    for prompt in ([1, 2], (1, 2), np.array([1, 2]), tn.tensor([1, 2]), np.array([1, 2], np.uint8)):
        assert list(generate(Bigrams(CYCLE), prompt, 2, greedy=True)) == [3, 4]


# the context


def test_a_text_that_fills_the_context_exactly():
    model = Bigrams(CYCLE, context=6)
    assert list(generate(model, [0, 1], 5, greedy=True)) == [2, 3, 4, 0, 1]
    with pytest.raises(OptionError, match=r"2 tokens and 6 new ones do not fit into the context of 6.*room for 5"):
        generate(model, [0, 1], 6, greedy=True)


def test_overflow_stop_ends_with_the_last_token_that_the_context_gives():
    assert list(generate(Bigrams(CYCLE, context=6), [0, 1], 60, greedy=True, overflow="stop")) == [2, 3, 4, 0, 1]


@pytest.mark.parametrize("context", [1, 2, 5, 6])
def test_overflow_slide_goes_on_with_the_newer_half(context):
    model = Bigrams(CYCLE, context=context)
    assert list(generate(model, [0], 12, greedy=True, overflow="slide")) == [(k + 1) % 5 for k in range(12)]
    longest = max(len(ids[0]) for ids in model.calls)
    assert longest == max(1, context // 2)
    if context == 6:
        assert model.calls[5:8] == [[[0]], [[4, 0, 1]], [[2]]]


# errors


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"temperature": 0.0}, OptionError, "temperature must be > 0"),
        ({"temperature": float("nan")}, OptionError, "temperature must be > 0"),
        ({"top_k": 0}, OptionError, "top_k must be an integer ≥ 1"),
        ({"top_k": 1.5}, DtypeError, "top_k must be an integer ≥ 1"),
        ({"top_p": 0.0}, OptionError, r"top_p must lie in \(0, 1\]"),
        ({"top_p": 1.1}, OptionError, r"top_p must lie in \(0, 1\]"),
        ({"greedy": True, "top_k": 3}, OptionError, "greedy=True takes the best token"),
        ({"overflow": "cut"}, OptionError, "overflow must be one of error, stop, slide, got 'cut'"),
        ({"seed": 1, "generator": tn.Generator()}, OptionError, "a generator or a seed, not both"),
        ({"max_new_tokens": -1}, OptionError, "max_new_tokens must be an integer ≥ 0"),
        ({"prompt": []}, OptionError, "prompt is empty"),
        ({"prompt": [[1]]}, OptionError, "one-dimensional"),
        ({"prompt": [0.5]}, DtypeError, "must hold integers"),
        ({"prompt": [1] * 9}, OptionError, "prompt has 9 tokens, more than the context of 8"),
        ({"prompt": [1] * 9, "overflow": "slide"}, OptionError, "prompt has 9 tokens, more than the context of 8"),
    ],
)
def test_bad_options_are_refused_at_once(options, error, message):
    with pytest.raises(error, match=message):
        generate(Bigrams(CYCLE, context=8), **{"prompt": [0], "max_new_tokens": 3, **options})


def test_scores_that_are_not_finite_are_refused():
    model = Bigrams(np.full((2, 2), np.nan))
    with pytest.raises(DataError, match="scores are not finite"):
        next(generate(model, [0], 3))
    with pytest.raises(DataError, match="scores are not finite"):
        beam_search(Bigrams(np.full((2, 2), -np.inf)), [0], 3)


# beam search


@pytest.mark.parametrize("penalty", [0.0, 0.6, 2.0])
@given(seed=st.integers(0, 999), limit=st.integers(1, 4), vocab=st.integers(2, 4))
def test_enough_beams_are_an_exhaustive_search(penalty, seed, limit, vocab):
    model = Bigrams.random(vocab, seed)
    expected = best_texts(model.log_p, 0, limit, 1, penalty)
    found = beam_search(model, [0], limit, beams=vocab**limit, length_penalty=penalty, stop=[1])
    np.testing.assert_allclose([h.score for h in found], [score for score, _ in expected])
    assert {tuple(h.ids): pytest.approx(h.score) for h in found} == {tuple(ids): score for score, ids in expected}


@given(seed=st.integers(0, 999), beams=st.integers(1, 5))
def test_scores_are_those_of_the_texts(seed, beams):
    model = Bigrams.random(5, seed)
    known = {tuple(ids): score for score, ids in best_texts(model.log_p, 2, 5, 0, 0.7)}
    found = beam_search(model, [2], 5, beams=beams, length_penalty=0.7, stop=[0])
    assert 1 <= len(found) <= beams
    assert len({tuple(h.ids) for h in found}) == len(found)
    for h in found:
        assert h.score == pytest.approx(known[tuple(h.ids)])
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


def test_one_beam_without_an_end_is_greedy():
    for seed in range(5):
        model = Bigrams.random(7, seed)
        (found,) = beam_search(model, [3], 8, beams=1)
        assert found.ids == list(generate(model, [3], 8, greedy=True))


def test_a_search_ends_as_soon_as_nothing_better_can_come():
    log_p = np.log([[0.05, 0.9, 0.05], [0.3, 0.4, 0.3], [0.3, 0.4, 0.3]])
    model = Bigrams(log_p)
    assert beam_search(model, [0], 50, beams=1, stop=[1])[0].ids == []
    assert len(model.calls) == 1


def test_beam_search_refuses_what_does_not_fit():
    model = Bigrams(CYCLE, context=4)
    assert len(beam_search(model, [0, 1], 3, beams=2)[0].ids) == 3
    for options, message in (
        ({"max_new_tokens": 4}, "do not fit into the context of 4"),
        ({"beams": 0}, "beams must be an integer ≥ 1"),
        ({"length_penalty": -1.0}, "length_penalty must be ≥ 0"),
        ({"prompt": []}, "prompt is empty"),
    ):
        with pytest.raises(OptionError, match=message):
            beam_search(model, **{"prompt": [0, 1], "max_new_tokens": 3, **options})
