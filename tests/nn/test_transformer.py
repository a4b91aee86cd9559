"""Attention, Transformer layers and position encodings: what holds of them without another library to compare with."""

import copy
import math
import tracemalloc

import numpy as np
import pytest

import tinynet as tn
import tinynet.nn.functional as F
from tinynet import nn
from tinynet.errors import OptionError, ShapeError
from tinynet_kernels import available


@pytest.fixture(autouse=True)
def _seed():
    tn.manual_seed(0)


def bits(x):
    return x.detach().numpy().tobytes()


@pytest.mark.parametrize("length", [5, 70, 200])
def test_the_future_does_not_leak(length):
    """Other future tokens leave the past the same bits."""
    layer = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True), 2).eval()
    x = tn.randn(2, length, 16)
    mask = nn.Transformer.generate_square_subsequent_mask(length)
    for cut in (1, length // 2, length - 1):
        other = tn.cat([x[:, :cut], tn.randn(2, length - cut, 16) * 9], 1)
        for options in ({}, {"is_causal": True}):
            y, z = layer(x, mask, **options), layer(other, mask, **options)
            assert bits(y[:, :cut].contiguous()) == bits(z[:, :cut].contiguous())
            assert not tn.allclose(y[:, cut:], z[:, cut:])


def test_gradients_do_not_come_from_the_future():
    q, k, v = (tn.randn(1, 100, 8, requires_grad=True) for _ in range(3))
    F.scaled_dot_product_attention(q, k, v, is_causal=True)[:, :40].sum().backward()
    for x in (k, v):
        assert (x.grad[:, 40:] == 0).all()
        assert (x.grad[:, :40] != 0).any()


def test_self_attention_is_equivariant_under_permutations():
    layer = nn.MultiheadAttention(12, 3, batch_first=True).double()
    x = tn.randn(2, 9, 12, dtype=tn.float64)
    order = tn.randperm(9)
    for need in (True, False):
        y = layer(x, x, x, need_weights=need)[0][:, order]
        z = x[:, order]
        assert tn.allclose(layer(z, z, z, need_weights=need)[0], y, atol=1e-12)


def test_keys_and_values_in_any_order_give_the_same():
    q, k, v = tn.randn(2, 5, 8), tn.randn(2, 150, 8), tn.randn(2, 150, 8)
    order = tn.randperm(150)
    y = F.scaled_dot_product_attention(q, k, v)
    assert tn.allclose(F.scaled_dot_product_attention(q, k[:, order], v[:, order]), y, atol=1e-6)


def test_padding_does_not_matter():
    """What stands in padded places changes no bit; a shorter batch gives the same values."""
    layer = nn.TransformerEncoderLayer(16, 4, 32, 0.0, batch_first=True).eval()
    x = tn.randn(2, 10, 16)
    padded = tn.arange(10) >= tn.tensor([[10], [6]])
    y = layer(x, src_key_padding_mask=padded)
    other = tn.where(padded.unsqueeze(-1), tn.randn(2, 10, 16), x)
    z = layer(other, src_key_padding_mask=padded)
    assert bits(y[1, :6].contiguous()) == bits(z[1, :6].contiguous())
    assert tn.allclose(layer(x[1:, :6]), y[1:, :6], atol=1e-5)


@pytest.mark.parametrize("need_weights", [True, False])
def test_rows_that_may_look_at_nothing_are_zero(need_weights):
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    x = tn.randn(2, 3, 8, requires_grad=True)
    nobody = tn.tensor([[False] * 3, [True] * 3])
    y, weights = layer(x, x, x, key_padding_mask=nobody, need_weights=need_weights)
    assert tn.allclose(y[1], layer.out_proj.bias.expand(3, 8))
    if need_weights:
        assert (weights[1] == 0).all()
        assert tn.allclose(weights[0].sum(-1), tn.ones(3))
    y.sum().backward()
    assert (x.grad[1] == 0).all()
    assert all(p.grad.isfinite().all() for p in layer.parameters())
    for create_graph in (False, True):
        q = tn.randn(3, 4, requires_grad=True)
        z = F.scaled_dot_product_attention(q, q, q, tn.tensor([[True], [False], [True]]))
        assert (z[1] == 0).all()
        (g,) = tn.autograd.grad((z * z).sum(), q, create_graph=create_graph)
        assert g.isfinite().all()
    g.sum().backward()
    assert q.grad.isfinite().all()


def test_weights_are_what_is_used():
    layer = nn.MultiheadAttention(12, 3, kdim=5, vdim=7)
    q, k, v = tn.randn(4, 2, 12), tn.randn(6, 2, 5), tn.randn(6, 2, 7)
    y, weights = layer(q, k, v)
    _, each = layer(q, k, v, average_attn_weights=False)
    assert weights.shape == (2, 4, 6)
    assert each.shape == (2, 3, 4, 6)
    assert tn.allclose(weights.sum(-1), tn.ones(2, 4), atol=1e-6)
    assert tn.allclose(each.mean(1), weights, atol=1e-6)
    z, nothing = layer(q, k, v, need_weights=False)
    assert nothing is None
    assert tn.allclose(y, z, atol=1e-5)


def test_dropout_keeps_the_mean_and_stops_in_evaluation():
    layer = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)
    x = tn.randn(1, 200, 8)
    assert not tn.allclose(layer(x, x, x, need_weights=False)[0], layer(x, x, x, need_weights=False)[0])
    layer.eval()
    assert bits(layer(x, x, x, need_weights=False)[0]) == bits(layer(x, x, x, need_weights=False)[0])
    v = tn.ones(50, 600, 1)
    kept = F.scaled_dot_product_attention(tn.zeros(50, 30, 1), tn.zeros(50, 600, 1), v, dropout_p=0.25)
    assert abs(kept.mean().item() - 1) < 0.01
    assert 0.01 < kept.std().item() < 0.05  # √(p/(1 − p)/600) = 0.024


def test_a_result_changed_in_place_is_noticed():
    q = tn.randn(2, 3, 4, requires_grad=True)
    y = F.scaled_dot_product_attention(q, q, q)
    y.mul_(2.0)
    if available(np.float32):
        with pytest.raises(RuntimeError, match=r"its output.*changed since"):
            y.sum().backward()


@pytest.mark.skipif(not available(np.float32), reason="of the kernels: the definition has an L × S array")
def test_memory_is_linear_in_the_length():
    def peak(length):
        q, k, v = (tn.randn(1, 1, length, 16, requires_grad=True) for _ in range(3))
        tn.release_memory()
        tracemalloc.start()
        before = tn.memory_stats()["held_bytes"]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        y.backward(y.detach())
        made = tn.memory_stats()["held_bytes"] - before
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return max(top, made)

    peak(64)  # compiles
    short, long = peak(2048), peak(8192)
    assert long < 6 * short
    assert long < 8192 * 8192 * 4 / 4


def test_layers_of_a_stack_are_copies():
    layer = nn.TransformerDecoderLayer(8, 2, 16)
    stack = nn.TransformerDecoder(layer, 3)
    assert len({id(p) for p in stack.parameters()}) == 3 * len(list(layer.parameters()))
    again = copy.deepcopy(stack)
    again.load_state_dict(stack.state_dict())
    again.eval(), stack.eval()
    x, memory = tn.randn(4, 2, 8), tn.randn(5, 2, 8)
    assert bits(again(x, memory)) == bits(stack(x, memory))


def test_a_transformer_learns_to_copy():
    model = nn.Transformer(16, 2, 1, 1, 32, 0.0, batch_first=True)
    table, head = nn.Embedding(6, 16), nn.Linear(16, 6)
    place = nn.SinusoidalPositionalEncoding(16, 10, batch_first=True)
    parameters = [p for m in (model, table, head) for p in m.parameters()]
    optimizer = tn.optim.Adam(parameters, lr=1e-2)
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    losses = []
    for _ in range(120):
        source = tn.randint(0, 5, (16, 5))
        begun = tn.cat([tn.full((16, 1), 5), source[:, :-1]], 1)
        hidden = model(place(table(source)), place(table(begun)), tgt_mask=mask)
        loss = F.cross_entropy(head(hidden).reshape(-1, 6), source.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 1.3
    assert losses[-1] < 0.4


def test_refusals():
    with pytest.raises(OptionError, match="multiple of num_heads"):
        nn.MultiheadAttention(10, 3)
    with pytest.raises(OptionError, match="'relu' or 'gelu'"):
        nn.TransformerEncoderLayer(8, 2, activation="swish")
    x = tn.randn(4, 2, 8)
    with pytest.raises(OptionError, match="hint about attn_mask"):
        nn.MultiheadAttention(8, 2)(x, x, x, is_causal=True)
    model = nn.Transformer(8, 2, 1, 1, 16)
    with pytest.raises(ShapeError, match="batch"):
        model(x, x[:, :1])
    with pytest.raises(ShapeError, match="8 features"):
        model(x[..., :6], x)
    with pytest.raises(ShapeError, match="key_padding_mask"):
        nn.MultiheadAttention(8, 2)(x, x, x, key_padding_mask=tn.ones(4, 2, dtype=tn.bool))


# additive attention


def test_additive_attention_is_its_equation():
    layer = nn.AdditiveAttention(4, 5, 6, bias=True).double()
    q, k, v = (tn.randn(2, *s, dtype=tn.float64) for s in ((3, 4), (7, 5), (7, 2)))
    mask = tn.rand(2, 3, 7) < 0.6
    mask[0, 1] = False
    y, weights = layer(q, k, v, mask)
    wq, wk, b, u = (
        p.detach().numpy() for p in (layer.q_proj.weight, layer.k_proj.weight, layer.q_proj.bias, layer.score.weight)
    )
    for n in range(2):
        for i in range(3):
            s = np.array([u[0] @ np.tanh(wq @ q.numpy()[n, i] + b + wk @ k.numpy()[n, j]) for j in range(7)])
            a = np.exp(s) * mask.numpy()[n, i]
            a = a / (a.sum() or 1)
            np.testing.assert_allclose(weights.detach().numpy()[n, i], a, atol=1e-12)
            np.testing.assert_allclose(y.detach().numpy()[n, i], a @ v.numpy()[n], atol=1e-12)
    y.sum().backward()
    assert all(p.grad.isfinite().all() for p in layer.parameters())
    assert layer(q, k)[0].shape == (2, 3, 5)
    assert layer(q[0], k[0])[1].shape == (3, 7)
    assert repr(layer).startswith("AdditiveAttention(\n  query_dim=4, key_dim=5, hidden_dim=6\n  (q_proj)")
    with pytest.raises(ShapeError, match="length"):
        layer(q, k, v[:, :4])
    with pytest.raises(OptionError, match="boolean"):
        layer(q, k, v, tn.ones(3, 7))


# positions


def test_sinusoidal_encoding():
    layer = nn.SinusoidalPositionalEncoding(6, 50)
    y = layer(tn.zeros(4, 2, 6), start=3).numpy()
    for t in range(4):
        for i in range(3):
            angle = (t + 3) / 10000 ** (2 * i / 6)
            np.testing.assert_allclose(y[t, :, 2 * i], math.sin(angle), atol=1e-6)
            np.testing.assert_allclose(y[t, :, 2 * i + 1], math.cos(angle), atol=1e-6)
    assert list(layer.state_dict()) == []
    first = nn.SinusoidalPositionalEncoding(5, 50, batch_first=True)
    assert tn.allclose(first(tn.zeros(2, 4, 5))[1], first(tn.zeros(4, 5)))
    with pytest.raises(ShapeError, match="outside the table's 50"):
        layer(tn.zeros(4, 2, 6), start=47)
    with pytest.raises(ShapeError, match="must be"):
        layer(tn.zeros(4, 2, 5))


def test_learned_encoding():
    layer = nn.LearnedPositionalEncoding(6, 9, batch_first=True)
    x = tn.randn(2, 4, 6)
    y = layer(x, start=2)
    assert tn.allclose(y - x, layer.weight[2:6].expand(2, 4, 6), atol=1e-6)
    y.sum().backward()
    assert layer.weight.grad.sum(1).tolist() == [0, 0, 12, 12, 12, 12, 0, 0, 0]
    assert list(layer.state_dict()) == ["weight"]


@pytest.mark.parametrize("interleaved", [True, False])
def test_rotary_products_depend_on_distances_alone(interleaved):
    layer = nn.RotaryEmbedding(6, interleaved=interleaved)
    q, k = tn.randn(1, 8, dtype=tn.float64), tn.randn(1, 8, dtype=tn.float64)

    def product(i, j):
        return (layer(q, start=i) * layer(k, start=j)).sum().item()

    assert abs(product(3, 7) - product(103, 107)) < 1e-12
    assert abs(product(3, 7) - product(3, 8)) > 1e-6
    assert tn.allclose(layer(q), q)
    x = tn.randn(2, 3, 5, 8, dtype=tn.float64)
    y = layer(x)
    assert tn.allclose(y.norm(dim=-1), x.norm(dim=-1))
    assert tn.allclose(y[..., 6:], x[..., 6:])
    assert tn.allclose(layer(x, positions=tn.arange(4, 9)), layer(x, start=4))
    angle = 2 / 10000 ** (2 / 6)
    a, b = (2, 3) if interleaved else (1, 4)
    turned = x[0, 0, 2, a] * math.cos(angle) - x[0, 0, 2, b] * math.sin(angle)
    assert abs((y[0, 0, 2, a] - turned).item()) < 1e-12
    with pytest.raises(OptionError, match="even"):
        nn.RotaryEmbedding(5)
    with pytest.raises(ShapeError, match="at least 6"):
        layer(tn.zeros(3, 4))


def test_alibi():
    bias = nn.alibi_bias(8, 4).numpy()
    assert bias.shape == (8, 4, 4)
    for h in range(8):
        for i in range(4):
            for j in range(4):
                assert bias[h, i, j] == (-(2.0 ** -(h + 1)) * (i - j) if j <= i else -np.inf)
    six = -nn.alibi_bias(6, 2, causal=False).numpy()[:, 1, 0]
    np.testing.assert_allclose(six, [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3], rtol=1e-6)
    whole = nn.alibi_bias(4, 7)
    np.testing.assert_array_equal(nn.alibi_bias(4, 2, start=5).numpy(), whole[:, 5:].numpy())
    q, k, v = tn.randn(4, 7, 8), tn.randn(4, 7, 8), tn.randn(4, 7, 8)
    y = F.scaled_dot_product_attention(q, k, v, whole)
    one = F.scaled_dot_product_attention(q[:, 5:], k, v, nn.alibi_bias(4, 2, start=5))
    assert tn.allclose(y[:, 5:], one, atol=1e-6)
