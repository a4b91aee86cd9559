"""The n-gram model: a distribution for every context, and the numbers of its definition, counted in dictionaries."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
from tests.examples import examples
from tinynet.data.text import CharTokenizer, default_text, split
from tinynet.errors import DataError, OptionError, RangeError, ShapeError
from tinynet.models import NGram
from tinynet.training import perplexity

V = 4
tokens = st.lists(st.integers(0, V - 1), max_size=40)
orders = st.integers(1, 5)


def definition(ids, order, context, word):
    """P(word ∣ context) as the module's docstring writes it: interpolated Kneser–Ney with three discounts."""
    grams = {k: Counter(tuple(ids[i : i + k]) for i in range(len(ids) - k + 1)) for k in range(1, order + 1)}
    p = 1 / V
    for k in range(1, min(order, len(context) + 1) + 1):
        counts = grams[k] if k == order else Counter(g[1:] for g in grams[k + 1])
        n = Counter(counts.values())
        y = n[1] / (n[1] + 2 * n[2]) if n[1] else 0

        def discount(c, n=n, y=y):
            c = min(c, 3)
            d = c - (c + 1) * y * n[c + 1] / n[c] if y and n[c] else 0
            return d if 0 < d < c else 0.5

        h = tuple(context[len(context) - k + 1 :])
        children = [counts[(*h, v)] for v in range(V)]
        if not sum(children):
            continue
        weight = sum(discount(c) for c in children if c) / sum(children)
        c = counts[(*h, word)]
        p = (c - discount(c) if c else 0) / sum(children) + weight * p
    return p


@examples(100)
@given(tokens, orders, tokens)
def test_every_context_has_a_distribution(ids, order, context):
    p = NGram(order, V).fit(ids).log_probabilities(context)
    assert p.shape == (V,)
    assert p.dtype is tn.float64
    assert np.exp(p.array).sum() == pytest.approx(1, abs=1e-12)
    assert np.isfinite(p.array).all()


@examples(60)
@given(tokens, orders, st.lists(st.integers(0, V - 1), max_size=6))
def test_probabilities_are_the_definitions(ids, order, context):
    found = np.exp(NGram(order, V).fit(ids).log_probabilities(context).array)
    assert found == pytest.approx([definition(ids, order, context, w) for w in range(V)], abs=1e-12)


@examples(60)
@given(tokens, orders, tokens)
def test_score_is_the_chain_rule(ids, order, text):
    model = NGram(order, V).fit(ids)
    total = sum(-float(model.log_probabilities(text[:t]).array[w]) for t, w in enumerate(text))
    assert model.score(text) == pytest.approx(total, abs=1e-9)


@examples(60)
@given(tokens, orders, st.integers(1, 3), st.data())
def test_steps_are_log_probabilities(ids, order, n, data):
    model = NGram(order, V).fit(ids)
    state, so_far = None, np.zeros((n, 0), np.int64)
    for _ in range(3):
        t = data.draw(st.integers(0, 3))
        more = np.array(data.draw(st.lists(st.integers(0, V - 1), min_size=n * t, max_size=n * t)), int).reshape(n, t)
        scores, state = model.step(tn.tensor(more), state)
        so_far = np.concatenate([so_far, more], axis=1)
        for row, context in zip(scores.array, so_far, strict=True):
            np.testing.assert_array_equal(row, model.log_probabilities(context).array)
        turned = model.reorder(state, tn.tensor([n - 1, 0]))
        assert turned.tolist() == state[[n - 1, 0]].tolist()
        assert state.shape[1] <= order - 1


def test_a_model_that_knows_nothing_is_uniform():
    model = NGram(3, 7)
    assert perplexity(model.score([0, 1, 6]) / 3) == pytest.approx(7)
    assert model.score([]) == 0
    assert model.context is None


def test_it_learns_and_is_saved(tmp_path):
    text = default_text()[:60_000]
    t = CharTokenizer.train(text)
    training, rest = split(np.array(t.encode(text)), 0.9)
    models = [NGram(n, len(t)).fit(training) for n in (1, 2, 3, 5)]
    found = [perplexity(m.score(rest) / len(rest)) for m in models]
    assert found == sorted(found, reverse=True), "more context, less perplexity"
    assert found[-1] < found[0] / 4
    models[-1].save(tmp_path / "m.safetensors")
    again = NGram.load(tmp_path / "m.safetensors")
    assert repr(again) == repr(models[-1])
    assert again.score(rest) == models[-1].score(rest)
    copy = NGram(5, len(t))
    copy.load_state_dict(again.state_dict())
    assert copy.score(rest) == again.score(rest)


def test_large_vocabularies():
    ids = np.random.default_rng(0).integers(0, 200_000, 500)
    model = NGram(6, 200_000).fit(np.tile(ids, 4))  # 200000⁶ fits no integer
    assert model.score(ids[5:50]) < 45 * math.log(3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: NGram(0, 3), OptionError, "order must be an integer ≥ 1"),
        (lambda m: NGram(2, 0), OptionError, "vocab_size must be"),
        (lambda m: m.fit([0, 1, V]), RangeError, "NGram.fit: id 4 at place 2 is out of range for vocab_size 4"),
        (lambda m: m.score([0, -1]), RangeError, "id -1 at place 1"),
        (lambda m: m.log_probabilities([[0]]), ShapeError, "one dimension"),
        (lambda m: m.step([0]), ShapeError, r"ids must be \(N, t\)"),
        (lambda m: m.step([[0]], np.zeros((2, 1), int)), ShapeError, r"state has shape \(2, 1\)"),
        (lambda m: m.step([[V]]), RangeError, "id 4"),
        (lambda m: m.load_state_dict({}), DataError, "expected"),
        (lambda m: NGram(2, 2).load_state_dict(m.state_dict()), DataError, "2-grams are damaged|1-grams are damaged"),
        (lambda m: m.load_state_dict({**m.state_dict(), "counts.1": tn.tensor([1])}), DataError, "1-grams are damaged"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(NGram(2, V).fit([0, 1, 2, 3, 2, 1]))


def test_other_files_are_refused(tmp_path):
    tn.save({"a": 1}, tmp_path / "x")
    with pytest.raises(DataError, match="x holds no n-gram model"):
        NGram.load(tmp_path / "x")
