"""The Transformer that translates: padding, steps, greedy and beam search in batches, learning, errors."""

import itertools

import numpy as np
import pytest

import tinynet as tn
import tinynet.nn.functional as F
from tinynet import optim
from tinynet.errors import OptionError, RangeError, ShapeError
from tinynet.models import TranslationTransformer, beam_translate, greedy_translate

PAD, BOS, EOS = 0, 1, 2


@pytest.fixture(autouse=True)
def _seed():
    tn.manual_seed(0)


def small(dtype="float64", norm_first=False, **options):
    sizes = {"width": 16, "heads": 4, "encoder_layers": 2, "decoder_layers": 2, "feedforward": 24, **options}
    model = TranslationTransformer(11, 9, **sizes, dropout=0.0, pad_id=PAD, max_length=20, norm_first=norm_first)
    for p in model.parameters():
        p.data = p.data + tn.randn(p.shape) * 0.1
    return model.to(getattr(tn, dtype)).eval()


def sources(lengths, vocab=11):
    ids = tn.randint(3, vocab, (len(lengths), max(lengths)))
    return tn.where(tn.arange(max(lengths)) < tn.tensor([[n] for n in lengths]), ids, PAD)


def test_padding_does_not_matter():
    model = small()
    source, target = sources([7, 3, 5]), tn.randint(3, 9, (3, 6))
    together = model(source, target).detach()
    assert together.shape == (3, 6, 9)
    for k, n in enumerate([7, 3, 5]):
        alone = model(source[k : k + 1, :n], target[k : k + 1]).detach()
        np.testing.assert_allclose(alone[0].numpy(), together[k].numpy(), atol=1e-12)


def test_the_future_of_the_target_does_not_leak():
    model, source, target = small(), sources([5, 5]), tn.randint(3, 9, (2, 6))
    other = tn.cat([target[:, :4], tn.full((2, 2), PAD)], 1)
    y, z = (model(source, t).detach().numpy() for t in (target, other))
    np.testing.assert_allclose(y[:, :4], z[:, :4], atol=1e-13)
    assert not np.allclose(y[:, 4:], z[:, 4:])


def test_embeddings_of_padding_are_zero_and_stay():
    model = TranslationTransformer(11, 9, 16, 4, 1, 1, 24, pad_id=PAD)
    model(sources([5, 2]), tn.tensor([[1, 3, 0], [1, 0, 0]])).sum().backward()
    for table in (model.source_tokens, model.target_tokens):
        assert (table.weight[PAD] == 0).all()
        assert (table.weight.grad[PAD] == 0).all()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("parts", [[1] * 8, [8], [3, 1, 4]], ids=str)
def test_steps_give_the_logits_of_the_whole(dtype, tolerance, norm_first, parts):
    model, source, target = small(dtype, norm_first), sources([6, 2, 4]), tn.randint(3, 9, (3, 8))
    whole = model(source, target).detach().numpy()
    state, end = model.start(source), 0
    for n in parts:
        scores, state = model.step(target[:, end : end + n], state)
        end += n
        np.testing.assert_allclose(scores.numpy(), whole[:, end - 1], atol=tolerance, rtol=tolerance)


def test_reorder_takes_rows():
    model, source, target = small(), sources([6, 2, 4]), tn.randint(3, 9, (3, 5))
    whole = model(source, target).detach().numpy()
    _, state = model.step(target[:, :4], model.start(source))
    twice = model.reorder(state, [1, 1, 0, 0])
    for index, at in (([2, 0], state), ([1, 0, 3, 2], twice), ([0, 0, 3, 3], twice)):
        rows = np.array(index) if at is state else np.array([1, 1, 0, 0])[index]
        scores, _ = model.step(target[rows, 4:], model.reorder(at, index))
        np.testing.assert_allclose(scores.numpy(), whole[rows, -1], atol=1e-12)


def greedy_without_cache(model, source, limit):
    """One sentence, everything computed again for each token."""
    text = [BOS]
    while len(text) <= limit:
        token = int(model(source, tn.tensor([text]))[0, -1].argmax())
        if token == EOS:
            break
        text.append(token)
    return text[1:]


def test_greedy_translations_are_those_without_a_cache():
    model, source = small(), sources([6, 2, 4, 9, 1, 3])
    model.head.bias.data[EOS] += 1.0
    found = greedy_translate(model, source, 12, bos_id=BOS, eos_id=EOS)
    assert found == [greedy_without_cache(model, source[k : k + 1], 12) for k in range(6)]
    assert len({len(text) for text in found}) > 1
    assert greedy_translate(model, source[:0], 12, bos_id=BOS, eos_id=EOS) == []


def exhaustive(model, source, limit, penalty):
    """Every text, scored by one forward each, best first."""
    found = []
    for length in range(1, limit + 1):
        for text in itertools.product(range(9), repeat=length):
            if EOS in text[:-1] or (length < limit and text[-1] != EOS):
                continue
            found.append(text)
    scores = {}
    for length in range(1, limit + 1):
        texts = np.array([t for t in found if len(t) == length])
        inputs = np.concatenate([np.full((len(texts), 1), BOS), texts[:, :-1]], 1)
        y = model(tn.tensor(np.repeat(source.numpy(), len(texts), 0)), tn.tensor(inputs))
        log_p = F.log_softmax(y, -1).detach().numpy()
        total = np.take_along_axis(log_p, texts[..., None], 2).sum((1, 2)) / ((5 + length) / 6) ** penalty
        for text, score in zip(texts.tolist(), total, strict=True):
            scores[tuple(text[:-1] if text[-1] == EOS else text)] = score
    return scores


def test_enough_beams_are_an_exhaustive_search():
    model, source = small(decoder_layers=1), sources([4, 2])
    found = beam_translate(model, source, 3, bos_id=BOS, eos_id=EOS, beams=9**3, length_penalty=0.8)
    for k in range(2):
        known = exhaustive(model, source[k : k + 1], 3, 0.8)
        assert len(found[k]) == len(known)
        for h in found[k]:
            assert h.score == pytest.approx(known[tuple(h.ids)], abs=1e-10)


@pytest.mark.parametrize("beams", [1, 3, 5])
def test_beams_of_a_batch_are_those_of_each_alone(beams):
    model, source = small(), sources([6, 2, 4, 9])
    model.head.bias.data[EOS] += 1.0
    options = {"bos_id": BOS, "eos_id": EOS, "beams": beams}
    together = beam_translate(model, source, 10, **options)
    for k, n in enumerate([6, 2, 4, 9]):
        (alone,) = beam_translate(model, source[k : k + 1, :n], 10, **options)
        assert [h.ids for h in together[k]] == [h.ids for h in alone]
        np.testing.assert_allclose([h.score for h in together[k]], [h.score for h in alone], atol=1e-10)
    assert beam_translate(model, source[:0], 10, **options) == []


def test_it_learns_to_turn_a_sentence_around():
    tn.manual_seed(1)
    model = TranslationTransformer(9, 9, 32, 4, 1, 1, 64, dropout=0.0, pad_id=PAD, norm_first=True)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)

    def batch(n):
        lengths = tn.randint(2, 5, (n,)).numpy()
        source, target = np.zeros((n, 4), int), np.zeros((n, 6), int)
        for k, length in enumerate(lengths):
            words = tn.randint(3, 9, (int(length),)).numpy()
            source[k, :length] = words
            target[k, : length + 2] = [BOS, *words[::-1], EOS]
        return tn.tensor(source), tn.tensor(target)

    for _ in range(160):
        source, target = batch(64)
        loss = F.cross_entropy(model(source, target[:, :-1]).flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source, target = batch(40)
    expected = [[i for i in row if i > EOS] for row in target.tolist()]
    greedy = greedy_translate(model, source, 6, bos_id=BOS, eos_id=EOS)
    best = [h[0].ids for h in beam_translate(model, source, 6, bos_id=BOS, eos_id=EOS, beams=3)]
    for found in (greedy, best):
        assert sum(a == b for a, b in zip(found, expected, strict=True)) >= 36


def test_bad_sizes_and_inputs_are_refused():
    with pytest.raises(OptionError, match=r"pad_id must lie in 0 … 8 \(target_vocab\), got 9"):
        TranslationTransformer(11, 9, 16, 4, 1, 1, 24, pad_id=9)
    model = small()
    with pytest.raises(ShapeError, match="21 positions do not fit into the 20"):
        model(sources([21]), tn.tensor([[1]]))
    with pytest.raises(ShapeError, match="source 1 has no tokens"):
        model(tn.tensor([[3, 4], [0, 0]]), tn.tensor([[1], [1]]))
    with pytest.raises(RangeError):
        model(tn.tensor([[11]]), tn.tensor([[1]]))
    with pytest.raises(ShapeError, match=r"source must have shape \(N, T\)"):
        model.encode(tn.tensor([3, 4]))
    for search in (greedy_translate, beam_translate):
        with pytest.raises(OptionError, match="max_new_tokens 21 does not fit into the model's 20"):
            search(model, sources([3]), 21, bos_id=BOS, eos_id=EOS)
        with pytest.raises(OptionError, match="max_new_tokens must be an integer ≥ 1"):
            search(model, sources([3]), 0, bos_id=BOS, eos_id=EOS)
    with pytest.raises(OptionError, match="beams must be an integer ≥ 1"):
        beam_translate(model, sources([3]), 5, bos_id=BOS, eos_id=EOS, beams=0)
