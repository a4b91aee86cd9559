"""GPT: causality, the cache, generation with and without it, parameters, learning, errors."""

import math

import numpy as np
import pytest

import tinynet as tn
import tinynet.nn.functional as F
from tinynet import optim
from tinynet.errors import DtypeError, OptionError, RangeError, ShapeError
from tinynet.models import GPT, beam_search, generate


@pytest.fixture(autouse=True)
def _seed():
    tn.manual_seed(0)


def small(dtype="float64", **options):
    model = GPT(**{"vocab": 19, "context": 24, "layers": 2, "width": 16, "heads": 4, **options})
    for p in model.parameters():  # weights of a size at which every part matters
        p.data = p.data + tn.randn(p.shape) * 0.2
    return model.to(getattr(tn, dtype))


def tokens(n, t, vocab=19):
    return tn.randint(0, vocab, (n, t))


def test_the_future_does_not_leak():
    model, ids = small(), tokens(2, 12)
    y = model(ids).detach()
    for cut in (1, 6, 11):
        z = model(tn.cat([ids[:, :cut], tokens(2, 12 - cut)], 1)).detach()
        np.testing.assert_allclose(z[:, :cut].numpy(), y[:, :cut].numpy(), atol=1e-12)
        assert not np.allclose(z[:, cut:].numpy(), y[:, cut:].numpy())


def test_shapes_and_the_number_of_parameters():
    for tied in (True, False):
        model = GPT(50, 10, 3, 8, 2, tied=tied)
        assert model(tokens(4, 10, 50)).shape == (4, 10, 50)
        assert model(tokens(4, 0, 50)).shape == (4, 0, 50)
        block = 4 * 8 * 8 + 4 * 8 + 2 * 4 * 8 * 8 + 4 * 8 + 8 + 4 * 8
        assert sum(p.numel() for p in model.parameters()) == 60 * 8 + 3 * block + 16 + (0 if tied else 400)


def test_weights_start_as_described():
    model = GPT(500, 64, 8, 64, 4)
    w = dict(model.named_parameters())
    assert float(w["tokens.weight"].std()) == pytest.approx(0.02, rel=0.05)
    assert float(w["blocks.3.up.weight"].std()) == pytest.approx(0.02, rel=0.05)
    assert float(w["blocks.3.down.weight"].std()) == pytest.approx(0.02 / 4, rel=0.05)
    assert float(w["blocks.3.attention.project.weight"].std()) == pytest.approx(0.02 / 4, rel=0.05)
    assert float(w["blocks.0.attention.qkv.bias"].abs().max()) == 0
    loss = F.cross_entropy(model(tokens(4, 64, 500)).flatten(0, 1), tokens(4, 64, 500).flatten())
    assert float(loss) == pytest.approx(math.log(500), rel=0.02)


# the cache


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("parts", [[1] * 24, [24], [7, 1, 1, 9, 6], [20, 1, 1, 1, 1]], ids=str)
def test_steps_give_the_logits_of_the_whole(dtype, tolerance, parts):
    model, ids = small(dtype), tokens(3, 24)
    whole = model(ids).detach().numpy()
    state, end = None, 0
    for n in parts:
        scores, state = model.step(ids[:, end : end + n], state)
        end += n
        assert scores.shape == (3, 19)
        np.testing.assert_allclose(scores.numpy(), whole[:, end - 1], atol=tolerance, rtol=tolerance)


def test_a_half_keeps_its_dtype_in_steps():
    model, ids = small("float16"), tokens(2, 6)
    whole = model(ids).detach()
    _, state = model.step(ids[:, :5])
    scores, _ = model.step(ids[:, 5:], state)
    assert scores.dtype is tn.float16
    np.testing.assert_allclose(scores.numpy(), whole[:, -1].numpy(), atol=0.05)


def test_an_older_state_can_be_continued_again():
    model, ids = small(), tokens(2, 24)
    _, state = model.step(ids[:, :10])
    first = [model.step(ids[:, 10:11], state)]
    first.append(model.step(ids[:, 11:12], first[0][1]))
    other = tokens(2, 5)
    for k in range(5):
        model.step(other[:, k:], state)
    scores, after = model.step(ids[:, 10:11], state)
    np.testing.assert_array_equal(scores.numpy(), first[0][0].numpy())
    np.testing.assert_allclose(model.step(ids[:, 11:12], after)[0].numpy(), first[1][0].numpy(), atol=1e-13)
    np.testing.assert_allclose(
        model.step(ids[:, 12:13], first[1][1])[0].numpy(), model(ids)[:, 12].detach().numpy(), atol=1e-12
    )


def test_reorder_takes_rows():
    model, ids = small(), tokens(3, 9)
    _, state = model.step(ids[:, :8])
    for index in ([2, 0, 2, 1], [1], [0, 1, 2], []):
        scores, _ = model.step(ids[index, 8:], model.reorder(state, index))
        np.testing.assert_allclose(scores.numpy(), model(ids)[index, -1].detach().numpy(), atol=1e-12)


def test_greedy_text_is_that_of_the_model_without_a_cache():
    model = small(context=64)
    ids = [3, 1, 4]
    for _ in range(40):
        ids.append(int(model(tn.tensor([ids]))[0, -1].argmax()))
    assert list(generate(model, ids[:3], 40, greedy=True)) == ids[3:]
    assert list(generate(model, ids[:3], 22 + 40, greedy=True, overflow="stop"))[:40] == ids[3:]
    assert len(set(ids[3:])) >= 3


def test_sliding_reads_the_newer_half_anew():
    model = small(context=8)
    text = [5, 6]
    window = list(text)
    for _ in range(20):
        token = int(model(tn.tensor([window]))[0, -1].argmax())
        text.append(token)
        window = [*window, token] if len(window) < 8 else [*window, token][-4:]
    assert list(generate(model, [5, 6], 20, greedy=True, overflow="slide")) == text[2:]


def test_beams_are_scored_by_the_model():
    model = small()
    found = beam_search(model, [1, 2], 5, beams=3, stop=[0])
    for h in found:
        ids = [*h.ids, 0] if len(h.ids) < 5 else h.ids
        log_p = F.log_softmax(model(tn.tensor([[1, 2, *ids]])), -1)[0, 1:-1].detach().numpy()
        assert h.score == pytest.approx(sum(log_p[k, i] for k, i in enumerate(ids)))


def test_steps_record_no_graph_and_drop_nothing():
    model, ids = small(dropout=0.5), tokens(2, 6)
    model.blocks[1].eval()
    modes = [m.training for m in model.modules()]
    one, two = (model.step(ids)[0] for _ in range(2))
    assert (one == two).all()
    assert not one.requires_grad
    assert [m.training for m in model.modules()] == modes
    assert model(ids).requires_grad
    with pytest.raises(ShapeError):
        model.step(tokens(1, 25))
    assert [m.training for m in model.modules()] == modes


def test_dropout_acts_in_training_alone():
    model, ids = small(dropout=0.3), tokens(2, 6)
    assert not (model(ids) == model(ids)).all()
    model.eval()
    assert (model(ids) == model(ids)).all()


# learning


def test_it_learns_to_repeat():
    """A text of random tokens that comes twice: the second half can be known, and is."""
    model = GPT(11, 16, 2, 32, 4)
    optimizer = optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(150):
        half = tokens(32, 8, 11)
        ids = tn.cat([half, half], 1)
        loss = F.cross_entropy(model(ids[:, :-1])[:, 7:].flatten(0, 1), ids[:, 8:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss) < 0.2
    assert list(generate(model, [3, 1, 4, 1, 5, 9, 2, 6], 8, greedy=True)) == [3, 1, 4, 1, 5, 9, 2, 6]


# errors


def test_bad_sizes_and_inputs_are_refused():
    with pytest.raises(OptionError, match="width must be a multiple of heads, got 10 and 3"):
        GPT(5, 4, 1, 10, 3)
    with pytest.raises(OptionError, match="layers must be an integer ≥ 1"):
        GPT(5, 4, 0, 8, 2)
    model = small()
    with pytest.raises(ShapeError, match="25 positions do not fit into the context of 24"):
        model(tokens(1, 25))
    with pytest.raises(RangeError, match="index 19"):
        model(tn.tensor([[19]]))
    with pytest.raises(ShapeError, match=r"ids must have shape \(N, T\), got \(4,\)"):
        model(tokens(1, 4)[0])
    with pytest.raises(DtypeError, match="ids must be a Tensor of integers, got"):
        model(tn.rand(1, 4))
    with pytest.raises(DtypeError, match="got list"):
        model([[1]])
    with pytest.raises(ShapeError, match="at least one step"):
        model.step(tokens(1, 0))
    _, state = model.step(tokens(1, 24))
    with pytest.raises(ShapeError, match="25 positions do not fit"):
        model.step(tokens(1, 1), state)
    with pytest.raises(OptionError, match="do not fit into the context of 24"):
        generate(model, [0], 25)
