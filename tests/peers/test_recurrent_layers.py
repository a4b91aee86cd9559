"""Recurrent layers agree with PyTorch: values, states, all gradients, second derivatives, packing, state dicts."""

import random

import numpy as np
import pytest

import tinynet as tn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")

KINDS = ("RNN", "RNN relu", "LSTM", "GRU")


def build(t, kind, *sizes, dtype, **options):
    if kind == "RNN relu":
        options["nonlinearity"] = "relu"
    return getattr(t.nn, kind.split()[0])(*sizes, **options).to(getattr(t, dtype))


def pair(kind, *sizes, dtype="float64", back=False, **options):
    """A layer in both engines; the weights are PyTorch's, or (`back`) ours."""
    theirs, ours = (build(t, kind, *sizes, dtype=dtype, **options) for t in (torch, tn))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [tuple(v.shape) for v in ours.state_dict().values()] == [
        tuple(v.shape) for v in theirs.state_dict().values()
    ]
    assert [len(group) for group in ours.all_weights] == [len(group) for group in theirs.all_weights]
    target, source, t = (theirs, ours, torch) if back else (ours, theirs, tn)
    target.load_state_dict({k: t.from_numpy(v.detach().numpy().copy()) for k, v in source.state_dict().items()})
    return theirs, ours


def geometry(seed):
    """Options, sizes and lengths at random."""
    r = random.Random(seed)
    kind = KINDS[seed % 4]
    hidden = r.randint(1, 9)
    options = {
        "num_layers": r.randint(1, 3),
        "bias": r.random() < 0.7,
        "batch_first": r.random() < 0.5,
        "bidirectional": r.random() < 0.5,
    }
    if kind == "LSTM" and hidden > 1 and r.random() < 0.4:
        options["proj_size"] = r.randint(1, hidden - 1)
    t, b = r.randint(1, 6), r.choice([1, 1, 2, 3, 17, 35])
    packed = r.choice([None, "sorted", "unsorted"])
    lengths = [r.randint(1, t) for _ in range(b)]
    if packed == "sorted":
        lengths.sort(reverse=True)
    return kind, (r.randint(1, 7), hidden), options, (t, b), packed, lengths, r.random() < 0.5


def results(t, layer, x, start, packed, lengths, seed):
    """Outputs, states, and the gradients of everything for random cotangents, in one list of arrays."""
    rnn = t.nn.utils.rnn
    v = t.from_numpy(x.copy()).requires_grad_()
    hx = [t.from_numpy(s.copy()).requires_grad_() for s in start]
    given = None if not hx else tuple(hx) if len(hx) == 2 else hx[0]
    first = layer.batch_first
    inputs = v if packed is None else rnn.pack_padded_sequence(v, lengths, first, packed == "sorted")
    y, final = layer(inputs, given)
    more = []
    if packed:
        y, counts = rnn.pad_packed_sequence(y, first, padding_value=0.5, total_length=x.shape[1 if first else 0])
        more = [counts.numpy()]
    outputs = [y, *(final if isinstance(final, tuple) else (final,))]
    rng = np.random.default_rng(seed)
    us = [t.from_numpy(rng.normal(size=tuple(o.shape)).astype(x.dtype)) for o in outputs]
    wanted = [v, *hx, *layer.parameters()]
    gradients = t.autograd.grad(outputs, wanted, us)
    return [a.detach().numpy() for a in (*outputs, *gradients)] + more


def compare(seed, dtype, tolerance):
    kind, sizes, options, (t, b), packed, lengths, given = geometry(seed)
    theirs, ours = pair(kind, *sizes, dtype=dtype, back=seed % 3 == 0, **options)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(b, t, sizes[0]) if options["batch_first"] else (t, b, sizes[0])).astype(dtype)
    runs = options["num_layers"] * (2 if options["bidirectional"] else 1)
    start = []
    if given:
        widths = [options.get("proj_size", 0) or sizes[1], sizes[1]][: 2 if kind == "LSTM" else 1]
        start = [rng.normal(size=(runs, b, w)).astype(dtype) for w in widths]
    expected, found = (results(e, m, x, start, packed, lengths, seed) for e, m in ((torch, theirs), (tn, ours)))
    assert len(expected) == len(found)
    for i, (a, f) in enumerate(zip(expected, found, strict=True)):
        np.testing.assert_allclose(f, a, rtol=tolerance, atol=tolerance * max(1.0, np.abs(a).max(initial=0)),
                                   err_msg=f"{i}: {geometry(seed)}")  # fmt: skip


@pytest.mark.parametrize("group", range(8))
def test_random_geometries(group):
    for seed in range(group * 10, group * 10 + 10):
        compare(seed, "float64", 1e-10)


@pytest.mark.parametrize("group", range(2))
def test_random_geometries_in_float32(group):
    for seed in range(1000 + group * 10, 1010 + group * 10):
        compare(seed, "float32", 2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_of_practice_in_float32(kind):
    theirs, ours = pair(kind, 40, 96, dtype="float32", num_layers=2, bidirectional=True)
    x = np.random.default_rng(0).normal(size=(30, 50, 40)).astype(np.float32)
    expected, found = (results(e, m, x, [], None, [], 0) for e, m in ((torch, theirs), (tn, ours)))
    for a, f in zip(expected, found, strict=True):
        assert np.abs(f - a).max() <= 2e-5 * max(1.0, np.abs(a).max())


@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives(kind):
    theirs, ours = pair(kind, 2, 3, bidirectional=True)
    x = np.random.default_rng(0).normal(size=(3, 2, 2))
    found = []
    for t, layer in ((torch, theirs), (tn, ours)):
        v = t.from_numpy(x.copy()).requires_grad_()
        y, _ = layer(v)
        wanted = [v, *layer.parameters()]
        first = t.autograd.grad((y * y * y).sum(), wanted, create_graph=True)
        again = t.autograd.grad(sum((g * g).sum() for g in first), wanted)
        found.append([g.detach().numpy() for g in (*first, *again)])
    for a, f in zip(*found, strict=True):
        np.testing.assert_allclose(f, a, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_no_sequences(kind):
    theirs, ours = pair(kind, 2, 3)
    x = np.zeros((4, 0, 2))
    for a, b in zip(theirs(torch.from_numpy(x)), ours(tn.from_numpy(x)), strict=True):
        for p, q in zip(a if isinstance(a, tuple) else (a,), b if isinstance(b, tuple) else (b,), strict=True):
            assert tuple(p.shape) == tuple(q.shape)
    for engine, layer in ((torch, theirs), (tn, ours)):
        with pytest.raises(RuntimeError):
            layer(engine.from_numpy(np.zeros((0, 2, 2))))


@pytest.mark.parametrize("name", ["RNNCell", "RNNCell relu", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("bias", [True, False])
def test_cells(name, bias):
    options = {"bias": bias} | ({"nonlinearity": "relu"} if "relu" in name else {})
    theirs, ours = (getattr(t.nn, name.split()[0])(4, 3, **options).double() for t in (torch, tn))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: tn.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    rng = np.random.default_rng(0)
    for shape in ((4,), (5, 4)):
        xs, found = rng.normal(size=(3, *shape)), []
        for t, cell in ((torch, theirs), (tn, ours)):
            v, hx = t.from_numpy(xs.copy()).requires_grad_(), None
            for i in range(3):
                hx = cell(v[i], hx)
            states = hx if isinstance(hx, tuple) else (hx,)
            gradients = t.autograd.grad(sum((s * s).sum() for s in states), [v, *cell.parameters()])
            found.append([a.detach().numpy() for a in (*states, *gradients)])
        for a, f in zip(*found, strict=True):
            np.testing.assert_allclose(f, a, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_packing(seed):
    """Every field of a packed sequence, with trailing dimensions or none, of any dtype; and back."""
    r, rng = random.Random(seed), np.random.default_rng(seed)
    t, b = r.randint(1, 6), r.randint(1, 6)
    lengths = [r.randint(1, t) for _ in range(b)]
    first, tail = r.random() < 0.5, r.choice([(), (2,), (2, 3)])
    x = (10 * rng.normal(size=((b, t) if first else (t, b)) + tail)).astype(r.choice(["float32", "int64", "float64"]))
    found = []
    for e in (torch, tn):
        rnn = e.nn.utils.rnn
        packed = rnn.pack_padded_sequence(e.from_numpy(x), e.tensor(lengths), first, enforce_sorted=False)
        padded, counts = rnn.pad_packed_sequence(packed, not first, 7, t + 1)
        pieces = rnn.unpack_sequence(packed)
        once_more = rnn.pack_sequence(pieces, enforce_sorted=False)
        lines = [rnn.pad_sequence(pieces, b_first, 3, side) for b_first in (True, False) for side in ("left", "right")]
        parts = rnn.unpad_sequence(lines[1], counts, batch_first=True)
        found.append([v.numpy() for v in (*packed, padded, counts, *pieces, *once_more, *lines, *parts)])
    for a, f in zip(*found, strict=True):
        assert a.dtype == f.dtype
        np.testing.assert_array_equal(f, a)


def test_the_same_calls_are_refused():
    for e in (torch, tn):
        rnn, x = e.nn.utils.rnn, e.ones(3, 2, 1)
        for lengths in ([1, 2], [2, 0], [3]):
            with pytest.raises(RuntimeError):
                rnn.pack_padded_sequence(x, lengths)
        with pytest.raises((RuntimeError, ValueError)):
            rnn.pad_packed_sequence(rnn.pack_padded_sequence(x, [3, 1]), total_length=2)
        layer, hidden = e.nn.GRU(1, 2), e.ones(1, 3, 2)
        for bad in (
            lambda layer=layer, x=x, h=hidden: layer(x, h),
            lambda layer=layer, x=x, h=hidden: layer(x[0, 0], h),
        ):
            with pytest.raises((RuntimeError, ValueError)):
                bad()
        with pytest.warns(UserWarning, match="dropout option adds dropout after all but last recurrent layer"):
            e.nn.LSTM(1, 2, dropout=0.5)
