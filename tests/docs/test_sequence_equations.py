"""docs/equations.md, proven: the equations of sequences, written out in plain NumPy as in test_equations.py."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet
import tinynet.nn.functional as F
from tests.docs.test_equations import close, few, normal, seeds, sizes, way  # noqa: F401
from tinynet import nn
from tinynet.models import GPT, NNLM, NGram, RecurrentLM, beam_search


def softmax(s):
    return np.exp(s) / np.exp(s).sum()


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def double(array):
    return tinynet.tensor(np.array(array, np.float64))


# E8: the chain rule

MODELS = {
    "gpt": lambda: GPT(3, 5, 1, 4, 2),
    "lstm": lambda: RecurrentLM(3, 4, 4),
    "nnlm": lambda: NNLM(3, 3, 4, 4),
}


def wild(name):
    """A model with large random weights, and its log probabilities of the words that follow each beginning."""
    tinynet.manual_seed(0)
    model = MODELS[name]().double()
    for p in model.parameters():
        p.data = tinynet.randn(p.shape, dtype=tinynet.float64)

    def log_p(text):
        y = model(tinynet.tensor([text]))
        return F.log_softmax(y[0] if isinstance(y, tuple) else y, -1)[0].detach().numpy()

    return model, log_p


@pytest.mark.parametrize("name", MODELS)
def test_e8_chain_rule(name):
    model, log_p = wild(name)
    total, known = 0.0, {}
    for rest in itertools.product(range(3), repeat=4):  # every text that begins with word 1
        text, p = [1, *rest], 1.0
        for t in range(1, 5):
            p *= math.exp(log_p(text)[t - 1, text[t]])
        known[rest] = p
        total += p
    assert total == pytest.approx(1)
    for h in beam_search(model, [1], 4, beams=81):
        assert math.exp(h.score) == pytest.approx(known[tuple(h.ids)])


def test_e8_counts():
    model = NGram(3, 3).fit([0, 1, 2, 1, 0, 0, 2, 1, 1, 0, 1, 2])
    total = 0.0
    for text in itertools.product(range(3), repeat=4):
        p = math.prod(math.exp(float(model.log_probabilities(text[:t])[text[t]].item())) for t in range(4))
        assert math.exp(-model.score(text)) == pytest.approx(p)
        total += p
    assert total == pytest.approx(1)


@pytest.mark.parametrize("name", MODELS)
def test_e8_perplexity(name):
    model, log_p = wild(name)
    text = [1, 0, 2, 2, 0]
    product = 1.0
    for t in range(1, 5):
        product *= math.exp(log_p(text)[t - 1, text[t]])
    y = model(tinynet.tensor([text]))
    loss = F.cross_entropy((y[0] if isinstance(y, tuple) else y)[0, :-1], tinynet.tensor(text[1:]))
    close(loss.exp(), product ** (-1 / 4))


# E9: the neural language model


@few
@given(seed=seeds, vocab=sizes, order=st.integers(2, 4), features=sizes, hidden=sizes, direct=st.booleans())
def test_e9_neural_language_model(seed, vocab, order, features, hidden, direct):
    C, H, d, U, b, W = normal(
        seed, (vocab + 1, features), (hidden, (order - 1) * features), (hidden,), (vocab, hidden), (vocab,),
        (vocab, (order - 1) * features),
    )  # fmt: skip
    model = NNLM(vocab, order, features, hidden, direct).double()
    weights = {"embedding.weight": C, "hidden.weight": H, "hidden.bias": d, "output.weight": U, "output.bias": b}
    weights |= {"direct.weight": W} if direct else {}
    model.load_state_dict({name: tinynet.tensor(w.copy()) for name, w in weights.items()})
    words = np.random.default_rng(seed).integers(0, vocab, (2, 5))
    expected = np.empty((2, 5, vocab))
    for n, t in np.ndindex(2, 5):
        before = [words[n, k] if k >= 0 else vocab for k in range(t - order + 2, t + 1)]
        x = np.concatenate([C[w] for w in before])
        expected[n, t] = softmax(b + (W @ x if direct else 0) + U @ np.tanh(d + H @ x))
    close(F.softmax(model(tinynet.tensor(words)), -1), expected)


# E20: gates


def gated(kind, gates, seed, steps, features, hidden):
    """A layer with random weights, its input, and W, V, b, b′ by gate in the layer's order."""
    X, W, V, b, c = normal(
        seed, (steps, features), (gates, hidden, features), (gates, hidden, hidden), (gates, hidden), (gates, hidden)
    )
    layer = kind(features, hidden, dtype=tinynet.float64)
    weights = {"weight_ih_l0": W, "weight_hh_l0": V, "bias_ih_l0": b, "bias_hh_l0": c}
    layer.load_state_dict({k: tinynet.tensor(w.reshape(gates * hidden, *w.shape[2:])) for k, w in weights.items()})
    return layer, X, list(zip(W, V, b, c, strict=True))


@few
@given(seed=seeds, steps=sizes, features=sizes, hidden=sizes)
def test_e20_lstm(seed, steps, features, hidden):
    layer, X, gates = gated(nn.LSTM, 4, seed, steps, features, hidden)
    h, c, expected = np.zeros(hidden), np.zeros(hidden), []
    for x in X:
        i, f, g, o = (W @ x + V @ h + b + b2 for W, V, b, b2 in gates)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        expected.append(h)
    found, (last_h, last_c) = layer(tinynet.tensor(X))
    close(found, expected)
    close(last_h[0], h)
    close(last_c[0], c)


@few
@given(seed=seeds, steps=sizes, features=sizes, hidden=sizes)
def test_e20_gru(seed, steps, features, hidden):
    layer, X, gates = gated(nn.GRU, 3, seed, steps, features, hidden)
    h, expected = np.zeros(hidden), []
    for x in X:
        r, z = (sigmoid(W @ x + V @ h + b + b2) for W, V, b, b2 in gates[:2])
        W, V, b, b2 = gates[2]
        n = np.tanh(W @ x + b + r * (V @ h + b2))
        h = (1 - z) * n + z * h
        expected.append(h)
    close(layer(tinynet.tensor(X))[0], expected)


# E21: attention


@few
@given(seed=seeds, queries=sizes, keys=sizes, q_size=sizes, k_size=sizes, hidden=sizes)
def test_e21_additive(seed, queries, keys, q_size, k_size, hidden):
    Q, K, Wq, Wk, v = normal(seed, (queries, q_size), (keys, k_size), (hidden, q_size), (hidden, k_size), (1, hidden))
    layer = nn.AdditiveAttention(q_size, k_size, hidden, dtype=tinynet.float64)
    layer.load_state_dict({"q_proj.weight": double(Wq), "k_proj.weight": double(Wk), "score.weight": double(v)})
    Y = np.empty((queries, k_size))
    for i in range(queries):
        a = softmax([v[0] @ np.tanh(Wq @ Q[i] + Wk @ K[j]) for j in range(keys)])
        Y[i] = sum(a[j] * K[j] for j in range(keys))
    close(layer(tinynet.tensor(Q), tinynet.tensor(K))[0], Y)


def attention(Q, K, V, causal):
    Y = np.empty((len(Q), V.shape[1]))
    for i in range(len(Q)):
        seen = range(i + 1 if causal else len(K))
        a = softmax([Q[i] @ K[j] / math.sqrt(Q.shape[1]) for j in seen])
        Y[i] = sum(a[j] * V[j] for j in seen)
    return Y


@few
@given(seed=seeds, length=sizes, size=sizes, width=sizes, causal=st.booleans())
def test_e21_dot_product(seed, length, size, width, causal):
    Q, K, V = normal(seed, (length, size), (length, size), (length, width))
    found = F.scaled_dot_product_attention(*map(tinynet.tensor, (Q, K, V)), is_causal=causal)
    close(found, attention(Q, K, V, causal))


@few
@given(seed=seeds, length=sizes, heads=sizes, size=sizes)
def test_e21_heads(seed, length, heads, size):
    width = heads * size
    X, W, b, Wo, c = normal(seed, (length, width), (3, heads, size, width), (3, heads, size), (width, width), (width,))
    layer = nn.MultiheadAttention(width, heads, dtype=tinynet.float64)
    names = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    flat = (W.reshape(3 * width, width), b.reshape(3 * width), Wo, c)
    layer.load_state_dict({k: double(w) for k, w in zip(names, flat, strict=True)})
    found = [attention(*(X @ W[k, h].T + b[k, h] for k in range(3)), False) for h in range(heads)]
    x = tinynet.tensor(X)
    close(layer(x, x, x)[0], np.concatenate(found, 1) @ Wo.T + c)


# E22: positions


@few
@given(seed=seeds, length=sizes, pairs=sizes)
def test_e22_added_to_the_input(seed, length, pairs):
    X, table = normal(seed, (length, 2 * pairs), (7, 2 * pairs))
    expected = X.copy()
    for t, i in np.ndindex(length, pairs):
        angle = t / 10000 ** (2 * i / (2 * pairs))
        expected[t, 2 * i] += math.sin(angle)
        expected[t, 2 * i + 1] += math.cos(angle)
    close(nn.SinusoidalPositionalEncoding(2 * pairs, 7, dtype=tinynet.float64)(tinynet.tensor(X)), expected)
    learned = nn.LearnedPositionalEncoding(2 * pairs, 7, dtype=tinynet.float64)
    learned.load_state_dict({"weight": double(table)})
    close(learned(tinynet.tensor(X)), X + table[:length])


@few
@given(seed=seeds, length=sizes, power=st.integers(0, 3))
def test_e22_added_to_the_score(seed, length, power):
    heads = 2**power
    Q, K, V = normal(seed, *[(heads, length, 3)] * 3)
    Y = np.empty((heads, length, 3))
    for h, i in np.ndindex(heads, length):
        slope = 2.0 ** (-8 * (h + 1) / heads)
        a = softmax([Q[h, i] @ K[h, j] / math.sqrt(3) - slope * abs(i - j) for j in range(length)])
        Y[h, i] = sum(a[j] * V[h, j] for j in range(length))
    bias = nn.alibi_bias(heads, length, causal=False, dtype=tinynet.float64)
    close(F.scaled_dot_product_attention(*map(tinynet.tensor, (Q, K, V)), bias), Y)
