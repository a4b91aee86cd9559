"""The recurrent and the neural probabilistic language model: steps, states, learning, errors."""

import numpy as np
import pytest

import tinynet as tn
import tinynet.nn.functional as F
from tinynet import optim
from tinynet.errors import OptionError, RangeError
from tinynet.models import NNLM, RecurrentLM, beam_search, generate

MAKERS = {
    "rnn": lambda: RecurrentLM(13, 6, 8, layers=2, kind="rnn", dropout=0.3),
    "lstm": lambda: RecurrentLM(13, 6, 8, layers=2, dropout=0.3),
    "gru": lambda: RecurrentLM(13, 8, 8, kind="gru", tied=True),
    "nnlm 2": lambda: NNLM(13, 2, 5, 8),
    "nnlm 4": lambda: NNLM(13, 4, 5, 8, direct=True),
}


@pytest.fixture(autouse=True)
def _seed():
    tn.manual_seed(0)


@pytest.fixture(params=MAKERS)
def model(request):
    model = MAKERS[request.param]().double().eval()
    for p in model.parameters():
        p.data = p.data + tn.randn(p.shape).double() * 0.4
    return model


def tokens(n, t, vocab=13):
    return tn.randint(0, vocab, (n, t))


def logits(model, ids):
    y = model(ids)
    return (y[0] if isinstance(y, tuple) else y).detach().numpy()


@pytest.mark.parametrize("parts", [[1] * 9, [9], [1, 5, 3], [6, 1, 1, 1]], ids=str)
def test_steps_give_the_logits_of_the_whole(model, parts):
    ids = tokens(3, 9)
    whole = logits(model, ids)
    assert whole.shape == (3, 9, 13)
    state, end = None, 0
    for n in parts:
        scores, state = model.step(ids[:, end : end + n], state)
        end += n
        np.testing.assert_allclose(scores.numpy(), whole[:, end - 1], atol=1e-12)
    scores, _ = model.step(ids[[2, 2, 0], :1], model.reorder(state, [2, 2, 0]))
    longer = logits(model, tn.cat([ids, ids[:, :1]], 1))
    np.testing.assert_allclose(scores.numpy(), longer[[2, 2, 0], -1], atol=1e-12)


def test_the_future_does_not_leak(model):
    ids = tokens(2, 8)
    other = tn.cat([ids[:, :5], (ids[:, 5:] + 1) % 13], 1)
    np.testing.assert_allclose(logits(model, other)[:, :5], logits(model, ids)[:, :5], atol=1e-13)
    assert not np.allclose(logits(model, other)[:, 5:], logits(model, ids)[:, 5:])


def test_generation_and_beams_serve_every_model(model):
    ids = [4, 7]
    for _ in range(10):
        ids.append(int(logits(model, tn.tensor([ids]))[0, -1].argmax()))
    assert model.context is None
    assert list(generate(model, ids[:2], 10, greedy=True)) == ids[2:]
    assert beam_search(model, [4, 7], 10, beams=1)[0].ids == ids[2:]
    best = beam_search(model, [4, 7], 4, beams=13**3)[0]
    log_p = F.log_softmax(tn.from_numpy(logits(model, tn.tensor([[4, 7, *best.ids]]))), -1)[0, 1:-1].numpy()
    assert best.score == pytest.approx(sum(log_p[k, i] for k, i in enumerate(best.ids)))


def test_steps_drop_nothing():
    model, ids = MAKERS["lstm"](), tokens(2, 6)
    one, two = (model.step(ids)[0] for _ in range(2))
    assert (one == two).all()
    assert not one.requires_grad
    assert model.training
    assert model.recurrent.training
    assert not (logits(model, ids) == logits(model, ids)).all()


def test_a_text_in_two_halves_is_a_text():
    model, ids = MAKERS["lstm"]().double().eval(), tokens(2, 10)
    whole, end = model(ids)
    first, state = model(ids[:, :4])
    second, after = model(ids[:, 4:], tuple(s.detach() for s in state))
    np.testing.assert_allclose(tn.cat([first, second], 1).detach().numpy(), whole.detach().numpy(), atol=1e-13)
    for a, b in zip(after, end, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-13)


@pytest.mark.parametrize("order", [2, 3, 5])
def test_nnlm_looks_at_the_last_words_alone(order):
    model, ids = NNLM(13, order, 5, 8).double(), tokens(1, 12)
    whole = logits(model, ids)
    for t in range(12):
        changed = ids.clone()
        changed[:, : max(t - order + 2, 0)] = (changed[:, : max(t - order + 2, 0)] + 1) % 13
        np.testing.assert_allclose(logits(model, changed)[:, t], whole[:, t], atol=1e-14)
        if t >= order - 2:
            changed[:, t - order + 2] = (changed[:, t - order + 2] + 1) % 13
            assert not np.allclose(logits(model, changed)[:, t], whole[:, t])


def test_tied_weights_are_one_parameter():
    model = MAKERS["gru"]()
    assert model.head.weight is model.embedding.weight
    assert len([p for p in model.parameters() if p.shape == (13, 8)]) == 1
    model.double()
    assert model.head.weight is model.embedding.weight
    other = MAKERS["gru"]().double()
    other.load_state_dict(model.state_dict())
    ids = tokens(2, 5)
    np.testing.assert_array_equal(logits(other, ids), logits(model, ids))


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "nnlm"])
def test_they_learn_a_language(kind):
    """Of 6 words, each pair of words decides the next one."""
    model = NNLM(6, 3, 8, 32) if kind == "nnlm" else RecurrentLM(6, 8, 32, kind=kind)
    table = tn.randint(0, 6, (6, 6)).numpy()
    text = [0, 1]
    for k in range(600):
        text.append(int(table[text[-2], text[-1]]) if k % 5 else k * 7 // 5 % 6)
    text = np.array(text)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    windows = np.lib.stride_tricks.sliding_window_view(text, 13)[::5]
    ids, targets = tn.tensor(windows[:, :-1].copy()), tn.tensor(windows[:, 1:].copy())
    known = tn.tensor(((np.arange(len(windows))[:, None] * 5 + np.arange(1, 13) - 2) % 5 != 0) & (np.arange(12) > 0))
    for _ in range(60):
        y = model(ids)
        y = y[0] if isinstance(y, tuple) else y
        loss = F.cross_entropy(y[known], targets[known])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss) < 0.15


def test_bad_options_are_refused():
    with pytest.raises(OptionError, match="kind must be one of rnn, lstm, gru, got 'lstn'"):
        RecurrentLM(5, 4, 4, kind="lstn")
    with pytest.raises(OptionError, match="tied=True needs embedding = hidden, got 4 and 6"):
        RecurrentLM(5, 4, 6, tied=True)
    with pytest.raises(OptionError, match="order must be an integer ≥ 2"):
        NNLM(5, 1, 4, 4)
    for wrong in (5, -1):
        with pytest.raises(RangeError, match=f"ids must lie in 0 … 4, got {wrong}"):
            NNLM(5, 3, 4, 4)(tn.tensor([[0, wrong]]))
    with pytest.raises(RangeError):
        RecurrentLM(5, 4, 4)(tn.tensor([[5]]))
