"""Classification of texts: padding and lengths, pooling by its formula, learning, errors."""

import numpy as np
import pytest

import tinynet as tn
import tinynet.nn.functional as F
from tinynet import optim
from tinynet.errors import OptionError, ShapeError
from tinynet.models import SequenceClassifier

KINDS, POOLS = ("rnn", "lstm", "gru"), ("last", "mean", "attention")


@pytest.fixture(autouse=True)
def _seed():
    tn.manual_seed(0)


def texts(lengths, vocab=10):
    ids = tn.randint(1, vocab, (len(lengths), max(lengths)))
    return tn.where(tn.arange(max(lengths)) < tn.tensor([[n] for n in lengths]), ids, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_does_not_matter(kind, pool, bidirectional):
    model = SequenceClassifier(10, 3, 5, 6, kind, pool, layers=2, bidirectional=bidirectional).double().eval()
    lengths = [4, 7, 1, 6]
    ids = texts(lengths)
    together = model(ids).detach().numpy()
    assert together.shape == (4, 3)
    longer = model(tn.cat([ids, tn.zeros(4, 3, dtype=tn.int64)], 1)).detach().numpy()
    np.testing.assert_allclose(longer, together, atol=1e-13)
    np.testing.assert_array_equal(model(ids, lengths).detach().numpy(), together)
    np.testing.assert_array_equal(model(ids, tn.tensor(lengths)).detach().numpy(), together)
    for k, n in enumerate(lengths):
        np.testing.assert_allclose(model(ids[k : k + 1, :n]).detach().numpy()[0], together[k], atol=1e-12)


def test_padding_gets_no_gradient():
    for pool in POOLS:
        model = SequenceClassifier(10, 3, 5, 6, pool=pool)
        F.cross_entropy(model(texts([2, 6])), tn.tensor([0, 2])).backward()
        assert (model.embedding.weight.grad[0] == 0).all()


@pytest.mark.parametrize("pool", POOLS)
def test_pooling_is_its_formula(pool):
    model = SequenceClassifier(10, 3, 5, 6, "lstm", pool).double()
    ids = texts([5])
    h = model.recurrent(model.embedding(ids))[0][0]
    if pool == "last":
        pooled = h[-1]
    elif pool == "mean":
        pooled = h.mean(0)
    else:
        e = [float((model.score.weight[0] * F.tanh(model.hidden(v))).sum()) for v in h]
        a = np.exp(e) / np.exp(e).sum()
        pooled = sum(float(w) * v for w, v in zip(a, h, strict=True))
    np.testing.assert_allclose(model(ids)[0].detach().numpy(), model.head(pooled).detach().numpy(), atol=1e-12)


def test_a_pad_inside_a_text_is_a_word():
    model = SequenceClassifier(10, 3, 5, 6).double()
    y = model(tn.tensor([[4, 0, 5, 0]]))
    np.testing.assert_array_equal(y.detach().numpy(), model(tn.tensor([[4, 0, 5]])).detach().numpy())
    assert not np.allclose(y.detach().numpy(), model(tn.tensor([[4, 5]])).detach().numpy())


@pytest.mark.parametrize("pool", POOLS)
def test_it_learns_which_word_is_there(pool):
    model = SequenceClassifier(10, 2, 8, 16, "gru", pool)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    lengths = tn.randint(3, 9, (96,)).tolist()
    ids = tn.where(texts(lengths) == 9, 1, texts(lengths))
    labels = tn.randint(0, 2, (96,))
    for k in range(96):
        if int(labels[k]):
            ids[k, int(tn.randint(0, lengths[k], ()))] = 9
    labels = (ids == 9).any(1).long()
    for _ in range(60):
        loss = F.cross_entropy(model(ids), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float((model(ids).argmax(1) == labels).float().mean()) > 0.95


def test_bad_options_and_inputs_are_refused():
    for options, message in (
        ({"kind": "cnn"}, "kind must be one of rnn, lstm, gru"),
        ({"pool": "max"}, "pool must be one of last, mean, attention, got 'max'"),
        ({"pad_id": 10}, "pad_id must lie in 0 … 9"),
        ({"classes": 0}, "classes must be an integer ≥ 1"),
    ):
        with pytest.raises(OptionError, match=message):
            SequenceClassifier(**{"vocab": 10, "classes": 2, "embedding": 4, "hidden": 4, **options})
    model = SequenceClassifier(10, 2, 4, 4)
    with pytest.raises(ShapeError, match="text 1 has 0 words, expected 1 … 3"):
        model(tn.tensor([[1, 2, 3], [0, 0, 0]]))
    with pytest.raises(ShapeError, match="text 0 has 4 words, expected 1 … 3"):
        model(tn.tensor([[1, 2, 3]]), [4])
    with pytest.raises(ShapeError, match=r"lengths must have shape \(1,\), got \(2,\)"):
        model(tn.tensor([[1, 2, 3]]), [1, 2])
