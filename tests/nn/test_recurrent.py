"""Recurrent layers: directions, layers, states, packed sequences; and the cells."""

import numpy as np
import pytest

import tinynet as tn
from tinynet import nn
from tinynet.errors import DtypeError, OptionError, ShapeError
from tinynet.nn.utils import rnn as packing

KINDS = {
    "RNN": lambda *a, **k: nn.RNN(*a, **k),
    "RNN relu": lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k),
    "LSTM": lambda *a, **k: nn.LSTM(*a, **k),
    "LSTM projected": lambda *a, **k: nn.LSTM(*a, proj_size=2, **k),
    "GRU": lambda *a, **k: nn.GRU(*a, **k),
}
CELLS = {
    "RNN": lambda *a, **k: nn.RNNCell(*a, **k),
    "RNN relu": lambda *a, **k: nn.RNNCell(*a, nonlinearity="relu", **k),
    "LSTM": nn.LSTMCell,
    "GRU": nn.GRUCell,
}
every = pytest.mark.parametrize("kind", KINDS)
cells = pytest.mark.parametrize("kind", CELLS)


@pytest.fixture(autouse=True)
def seeded():
    tn.manual_seed(0)


def make(kind, *args, **options):
    return KINDS[kind](*args, dtype=tn.float64, **options)


def normal(*shape):
    return tn.randn(*shape, dtype=tn.float64)


def states(hx):
    return tuple(hx) if isinstance(hx, tuple) else (hx,)


def close(a, b):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12, atol=1e-13)


@every
def test_shapes_of_outputs_and_states(kind):
    layer = make(kind, 4, 3, num_layers=2, bidirectional=True)
    size = 2 if "projected" in kind else 3
    y, hx = layer(normal(6, 5, 4))
    assert tuple(y.shape) == (6, 5, 2 * size)
    assert [tuple(s.shape) for s in states(hx)] == [(4, 5, size), (4, 5, 3)][: len(states(hx))]
    y, hx = layer(normal(6, 4))
    assert tuple(y.shape) == (6, 2 * size)
    assert [tuple(s.shape) for s in states(hx)] == [(4, size), (4, 3)][: len(states(hx))]
    y, hx = layer(normal(6, 0, 4))
    assert tuple(y.shape) == (6, 0, 2 * size)


@every
def test_batch_first_is_the_transpose(kind):
    layer = make(kind, 4, 3, num_layers=2, bidirectional=True)
    x = normal(6, 5, 4)
    y, hx = layer(x)
    layer.batch_first = True
    z, again = layer(x.transpose(0, 1))
    close(z.transpose(0, 1), y)
    for a, b in zip(states(hx), states(again), strict=True):
        close(a, b)


@every
def test_unbatched_is_a_batch_of_one(kind):
    for batch_first in (False, True):
        layer = make(kind, 4, 3, batch_first=batch_first)
        axis = 0 if batch_first else 1
        x, start = normal(6, 4), states(layer(normal(2, 4))[1])
        hx = start if len(start) == 2 else start[0]
        wide = tuple(s.unsqueeze(1) for s in start)
        y, final = layer(x, hx)
        z, others = layer(x.unsqueeze(axis), wide if len(start) == 2 else wide[0])
        close(y, z.squeeze(axis))
        for a, b in zip(states(final), states(others), strict=True):
            close(a, b.squeeze(1))


@every
def test_two_directions_are_two_runs(kind):
    both = make(kind, 4, 3, bidirectional=True)
    one, other = make(kind, 4, 3), make(kind, 4, 3)
    weights = both.state_dict()
    one.load_state_dict({k: v for k, v in weights.items() if not k.endswith("_reverse")})
    other.load_state_dict({k.removesuffix("_reverse"): v for k, v in weights.items() if k.endswith("_reverse")})
    x = normal(6, 5, 4)
    y, hx = both(x)
    (a, ha), (b, hb) = one(x), other(x.flip(0))
    close(y, tn.cat([a, b.flip(0)], -1))
    for s, p, q in zip(states(hx), states(ha), states(hb), strict=True):
        close(s, tn.cat([p, q]))


@every
def test_layers_are_stacked(kind):
    deep = make(kind, 4, 3, num_layers=2)
    first, second = make(kind, 4, 3), make(kind, 2 if "projected" in kind else 3, 3)
    weights = deep.state_dict()
    first.load_state_dict({k: v for k, v in weights.items() if "l0" in k})
    second.load_state_dict({k.replace("l1", "l0"): v for k, v in weights.items() if "l1" in k})
    x = normal(6, 5, 4)
    close(deep(x)[0], second(first(x)[0])[0])


@every
def test_a_sequence_in_two_parts_is_the_sequence(kind):
    layer = make(kind, 4, 3, num_layers=2)
    x = normal(6, 5, 4)
    y, hx = layer(x)
    a, middle = layer(x[:2])
    b, final = layer(x[2:], middle)
    close(y, tn.cat([a, b]))
    for s, t in zip(states(hx), states(final), strict=True):
        close(s, t)


@every
def test_truncated_backpropagation(kind):
    """Where the state is detached, nothing before it gets a gradient; where it is not, everything does."""
    layer = make(kind, 4, 3)
    for cut in (False, True):
        x = normal(6, 5, 4).requires_grad_()
        _, hx = layer(x[:3])
        parts = tuple(s.detach() if cut else s for s in states(hx))
        y, _ = layer(x[3:], parts if len(parts) == 2 else parts[0])
        y[0].sum().backward()
        assert bool((x.grad[:3] != 0).any()) is not cut
        assert bool((x.grad[3] != 0).any())
        assert not bool((x.grad[4:] != 0).any())


@cells
def test_cell_is_one_step(kind):
    for bias in (True, False):
        layer, cell = make(kind, 4, 3, bias=bias), CELLS[kind](4, 3, bias=bias, dtype=tn.float64)
        cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
        x = normal(6, 5, 4)
        y, final = layer(x)
        hx = None
        for t in range(6):
            hx = cell(x[t], hx)
            close(states(hx)[0], y[t])
        for a, b in zip(states(hx), states(final), strict=True):
            close(a, b[0])
        single = cell(x[0, 1])
        close(states(single)[0], y[0, 1])
        again = cell(x[1, 1], single)
        close(states(again)[0], y[1, 1])


def test_dropout_between_layers():
    layer = nn.LSTM(4, 8, num_layers=2, dropout=0.5)
    x = tn.randn(6, 5, 4)

    def output(seed):
        tn.manual_seed(seed)
        return layer(x)[0].detach().numpy()

    assert (output(1) == output(1)).all()
    assert (output(1) != output(2)).any()
    layer.eval()
    assert (output(1) == output(2)).all()
    plain = nn.LSTM(4, 8, num_layers=2)
    plain.load_state_dict(layer.state_dict())
    assert (plain(x)[0].detach().numpy() == output(1)).all()
    everything = nn.GRU(4, 8, num_layers=2, dropout=1.0, bias=False)
    assert not everything(x)[0].detach().numpy().any()
    with pytest.warns(UserWarning, match="num_layers greater than 1"):
        nn.GRU(4, 8, dropout=0.5)


# packed sequences


@every
@pytest.mark.parametrize("enforce_sorted", [True, False])
def test_packed_is_each_sequence_alone(kind, enforce_sorted):
    layer = make(kind, 4, 3, num_layers=2, bidirectional=True)
    lengths = [5, 5, 3, 1] if enforce_sorted else [3, 5, 1, 5]
    xs = [normal(n, 4).requires_grad_() for n in lengths]
    start = tuple(s.detach() for s in states(layer(normal(2, 4, 4))[1]))
    packed = packing.pack_sequence(xs, enforce_sorted)
    assert packed.batch_sizes.tolist() == [4, 3, 3, 2, 2]
    y, final = layer(packed, start if len(start) == 2 else start[0])
    assert isinstance(y, packing.PackedSequence)
    outputs = packing.unpack_sequence(y)
    weights = [normal(*v.shape) for v in outputs]
    gradients = {}
    for together in (True, False):
        layer.zero_grad()
        for x in xs:
            x.grad = None
        if together:
            total = sum((v * w).sum() for v, w in zip(outputs, weights, strict=True)) + sum(
                (s * s).sum() for s in states(final)
            )
            total.backward()
        else:
            for b, x in enumerate(xs):
                own = tuple(s[:, b] for s in start)
                z, last = layer(x, own if len(own) == 2 else own[0])
                close(outputs[b], z)
                for s, t in zip(states(final), states(last), strict=True):
                    close(s[:, b], t)
                ((z * weights[b]).sum() + sum((s * s).sum() for s in states(last))).backward()
        gradients[together] = [x.grad for x in xs] + [p.grad for p in layer.parameters()]
    for a, b in zip(gradients[True], gradients[False], strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-11)


def test_pack_and_pad():
    x = tn.arange(24.0).reshape(3, 4, 2)  # 3 sequences of up to 4 steps
    packed = packing.pack_padded_sequence(x, [2, 4, 1], batch_first=True, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [3, 2, 1, 1]
    assert packed.sorted_indices.tolist() == [1, 0, 2]
    assert packed.unsorted_indices.tolist() == [1, 0, 2]
    assert packed.data[:, 0].tolist() == [8, 0, 16, 10, 2, 12, 14]
    padded, lengths = packing.pad_packed_sequence(packed, True, -1.0, 5)
    assert lengths.tolist() == [2, 4, 1]
    expected = np.full((3, 5, 2), -1.0, np.float32)
    for k, n in enumerate([2, 4, 1]):
        expected[k, :n] = x[k, :n].numpy()
    assert (padded.numpy() == expected).all()
    other, _ = packing.pad_packed_sequence(packed, False, -1.0, 5)
    assert (other.transpose(0, 1).numpy() == expected).all()
    same = packing.pack_padded_sequence(x.transpose(0, 1), tn.tensor([2, 4, 1]), enforce_sorted=False)
    assert same.data.tolist() == packed.data.tolist()


def test_packing_is_differentiable():
    x = tn.ones(3, 4, 2, requires_grad=True)
    packed = packing.pack_padded_sequence(x, [2, 4, 1], True, False)
    weights = tn.arange(14.0).reshape(7, 2)
    (packing.pad_packed_sequence(packed)[0] * 2).sum().backward()
    assert [int(g.sum().item()) for g in x.grad] == [8, 16, 4]
    assert x.grad[0, :, 0].tolist() == [2, 2, 0, 0]
    x.grad = None
    (packed.data * weights).sum().backward(retain_graph=True)
    again = packing.pack_padded_sequence(x.grad, [2, 4, 1], True, False)
    assert again.data.tolist() == weights.tolist()
    parts = [tn.ones(n, requires_grad=True) for n in (2, 1)]
    packing.pad_sequence(parts).mul(tn.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert [p.grad.tolist() for p in parts] == [[1, 3], [2]]


def test_pad_and_unpad_sequences():
    xs = [tn.arange(3.0), tn.arange(1.0) + 5]
    assert packing.pad_sequence(xs).tolist() == [[0, 5], [1, 0], [2, 0]]
    assert packing.pad_sequence(xs, True, -1.0).tolist() == [[0, 1, 2], [5, -1, -1]]
    assert packing.pad_sequence(xs, True, -1.0, "left").tolist() == [[0, 1, 2], [-1, -1, 5]]
    assert packing.pad_sequence(xs, padding_side="left").tolist() == [[0, 0], [1, 0], [2, 5]]
    back = packing.unpad_sequence(packing.pad_sequence(xs), tn.tensor([3, 1]))
    assert [b.tolist() for b in back] == [[0, 1, 2], [5]]
    assert [b.tolist() for b in packing.unpack_sequence(packing.pack_sequence(xs))] == [[0, 1, 2], [5]]
    assert [b.tolist() for b in packing.unpack_sequence(packing.pack_sequence(xs[::-1], False))] == [[5], [0, 1, 2]]


def test_packed_sequence():
    p = packing.pack_sequence([tn.ones(2, 3), tn.ones(1, 3)])
    data, sizes, order, back = p
    assert data is p.data
    assert (sizes.tolist(), order, back) == ([2, 1], None, None)
    assert p.to(tn.float32) is p
    assert p.double().data.dtype is tn.float64
    assert p.long().to(tn.float32).data.tolist() == p.data.tolist()
    assert (p.is_cuda, p.is_pinned(), p.cpu() is p) == (False, False, True)
    again = packing.PackedSequence((data, sizes), sorted_indices=tn.tensor([1, 0]))
    assert again.unsorted_indices.tolist() == [1, 0]
    assert packing.invert_permutation(tn.tensor([2, 0, 1])).tolist() == [1, 2, 0]


# refusals


def test_bad_lengths_are_refused():
    x = tn.ones(3, 2, 1)
    pack = packing.pack_padded_sequence
    with pytest.raises(OptionError, match=r"sorted in decreasing order.*\[1, 2\]"):
        pack(x, [1, 2])
    with pytest.raises(OptionError, match=r"greater than 0.*0"):
        pack(x, [2, 0])
    with pytest.raises(OptionError, match=r"greater than 0.*-1"):
        pack(x, [2, -1], enforce_sorted=False)
    with pytest.raises(ShapeError, match=r"at most 3.*got 4"):
        pack(x, [4, 1])
    with pytest.raises(ShapeError, match=r"got 1 \(batch_size=2\)"):
        pack(x, [3])
    with pytest.raises(ShapeError, match="batch_size=0"):
        pack(tn.ones(3, 0, 1), [])
    with pytest.raises(DtypeError, match="integers"):
        pack(x, [1.5, 1.0])
    with pytest.raises(ShapeError, match="at least 2 dimensions"):
        pack(tn.ones(3), [3])
    with pytest.raises(ShapeError, match=r"total_length=2.*3"):
        packing.pad_packed_sequence(pack(x, [3, 1]), total_length=2)
    with pytest.raises(DtypeError, match="PackedSequence"):
        packing.pad_packed_sequence(x)
    with pytest.raises(ShapeError, match="at least one sequence"):
        packing.pad_sequence([])
    with pytest.raises(DtypeError, match="iterable"):
        packing.pad_sequence(3)
    with pytest.raises(OptionError, match="padding_side"):
        packing.pad_sequence([x], padding_side="up")
    with pytest.raises(ShapeError, match="same dimensions"):
        packing.pad_sequence([tn.ones(2, 1), tn.ones(2, 2)])
    with pytest.raises(ShapeError, match="a length for each"):
        packing.unpad_sequence(x, [1])


@pytest.mark.parametrize(
    ("error", "message", "options"),
    [
        (OptionError, "hidden_size must be greater than zero", {"hidden_size": 0}),
        (OptionError, "input_size must be greater than zero", {"input_size": 0}),
        (OptionError, "num_layers must be greater than zero", {"num_layers": 0}),
        (OptionError, "dropout should be a number in range", {"dropout": 1.5}),
        (OptionError, "dropout should be a number in range", {"dropout": True}),
        (OptionError, "proj_size", {"proj_size": 3}),
        (OptionError, "proj_size", {"proj_size": -1}),
        (DtypeError, "bias should be of type bool, got: int", {"bias": 1}),
        (DtypeError, "batch_first should be of type bool", {"batch_first": 1}),
        (DtypeError, "hidden_size should be of type int, got: float", {"hidden_size": 2.0}),
    ],
)
def test_bad_options_are_refused(error, message, options):
    with pytest.raises(error, match=message):
        nn.LSTM(**{"input_size": 2, "hidden_size": 3, **options})


def test_bad_options_of_one_kind_are_refused():
    for kind in (nn.RNN, nn.GRU):
        with pytest.raises(OptionError, match="proj_size argument is only supported for LSTM"):
            kind(2, 3, proj_size=1)
        with pytest.raises(TypeError, match="colour"):
            kind(2, 3, colour=1)
    with pytest.raises(OptionError, match="nonlinearity 'sin'"):
        nn.RNN(2, 3, nonlinearity="sin")
    with pytest.raises(OptionError, match="RNN mode: 'ELMAN'"):
        nn.RNNBase("ELMAN", 2, 3)
    cell = nn.RNNCell(2, 3, nonlinearity="sin")
    with pytest.raises(OptionError, match="Unknown nonlinearity: sin"):
        cell(tn.ones(2))


@every
def test_bad_input_is_refused(kind):
    layer = KINDS[kind](2, 3)
    name = kind.split()[0]
    with pytest.raises(ShapeError, match=f"{name}: Expected input to be 2D or 3D, got 4D"):
        layer(tn.ones(1, 1, 1, 2))
    with pytest.raises(ShapeError, match="Expected 2, got 4"):
        layer(tn.ones(5, 1, 4))
    with pytest.raises(DtypeError, match=r"float64.*does not match weight dtype.*float32"):
        layer(tn.ones(5, 1, 2, dtype=tn.float64))
    with pytest.raises(DtypeError, match=f"{name}: input must be"):
        layer([1.0])
    one = tn.ones(1, 2, 2 if "projected" in kind else 3)
    pair = (lambda h: (h, tn.ones(1, 2, 3))) if name == "LSTM" else (lambda h: h)
    layer(tn.ones(5, 2, 2), pair(one))
    with pytest.raises(ShapeError, match=r"Expected hidden.* size \(1, 4, .*got \[1, 2"):
        layer(tn.ones(5, 4, 2), pair(one))
    with pytest.raises(ShapeError, match="should also be 3-D but got 2-D"):
        layer(tn.ones(5, 2, 2), pair(one[0]))
    with pytest.raises(ShapeError, match="should also be 2-D but got 3-D"):
        layer(tn.ones(5, 2), pair(one))
    with pytest.raises(DtypeError, match=f"{name}.*hx.*Tensor"):
        layer(tn.ones(5, 2, 2), "no state" if name != "LSTM" else one)


@cells
def test_bad_input_of_cells_is_refused(kind):
    cell = CELLS[kind](2, 3)
    name = type(cell).__name__
    with pytest.raises(ShapeError, match=f"{name}: Expected input to be 1D or 2D, got 3D"):
        cell(tn.ones(1, 1, 2))
    with pytest.raises(ShapeError, match="4 features, expected input_size 2"):
        cell(tn.ones(1, 4))
    pair = (lambda h: (h, h)) if kind == "LSTM" else (lambda h: h)
    with pytest.raises(ShapeError, match=r"of shape \(2, 3\), got \(1, 3\)"):
        cell(tn.ones(2, 2), pair(tn.ones(1, 3)))
    with pytest.raises(ShapeError, match="to be 1D or 2D, got 3D"):
        cell(tn.ones(2, 2), pair(tn.ones(1, 1, 3)))
    with pytest.raises(DtypeError, match=name):
        cell("no input")


# parameters


def test_parameters():
    layer = nn.LSTM(4, 16, num_layers=2, bidirectional=True, proj_size=3)
    names = [f"{w}_l{k}{s}" for k in (0, 1) for s in ("", "_reverse")
             for w in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")]  # fmt: skip
    assert list(layer.state_dict()) == names
    assert tuple(layer.weight_ih_l1.shape) == (64, 6)
    assert [len(group) for group in layer.all_weights] == [5] * 4
    assert layer.all_weights[0][0] is layer.weight_ih_l0
    assert layer.flatten_parameters() is None
    values = np.concatenate([p.detach().numpy().reshape(-1) for p in layer.parameters()])
    assert np.abs(values).max() <= 0.25
    assert abs(values.std() - 0.25 / np.sqrt(3)) < 0.01
    assert repr(layer) == "LSTM(4, 16, proj_size=3, num_layers=2, bidirectional=True)"
    assert repr(nn.GRUCell(2, 3, bias=False)) == "GRUCell(2, 3, bias=False)"
    assert nn.GRU(2, 3, dtype=tn.float64).weight_hh_l0.dtype is tn.float64
    layer.weight_hr_l0 = nn.Parameter(tn.zeros(3, 16))
    assert not layer(tn.ones(2, 1, 4))[1][0][0].detach().numpy().any()


def test_a_projection_of_more_than_one_panel_is_the_definition():
    """A panel of packed weights is 48 columns of float32; hidden and projected sizes beyond it, and not whole ones."""
    tn.manual_seed(5)
    layer = nn.LSTM(3, 70, proj_size=53)
    x = tn.randn(4, 2, 3)

    def run():
        y, (h, c) = layer(x)
        layer.zero_grad()
        (y.sin().sum() + h.sum() + (c * c).sum()).backward()
        return [y.detach().numpy(), *(p.grad.numpy().copy() for p in layer.parameters())]

    found = run()
    with tn.use_definitions():
        expected = run()
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5 * max(1.0, np.abs(b).max()))
