"""Attention and Transformer layers agree with PyTorch: values, gradients, layers with their state."""

import itertools

import numpy as np
import pytest

import tinynet as tn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:Support for mismatched")


def both(arrays, f, order=1):
    """The value, gradients for a fixed cotangent and (order 2) their own, in PyTorch and in tinynet."""
    found = []
    for t in (torch, tn):
        inputs = [
            t.from_numpy(a.copy()).requires_grad_() if a is not None and a.dtype.kind == "f" else t.from_numpy(a)
            for a in arrays
        ]
        y = f(t, *inputs)
        leaves = [x for x in inputs if x.requires_grad]
        dy = t.from_numpy(np.random.default_rng(1).normal(size=tuple(y.shape)).astype(arrays[0].dtype))
        first = t.autograd.grad(y, leaves, dy, create_graph=order == 2)
        values = [y, *first]
        if order == 2:
            again = sum(
                (g * g * t.from_numpy(np.cos(np.arange(g.numel())).reshape(tuple(g.shape)))).sum() for g in first
            )
            values += t.autograd.grad(again, leaves)
        found.append([v.detach().numpy() for v in values])
    for theirs, ours in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)


def geometry(rng):
    """Random shapes of query, key and value (leading axes broadcast), and of a mask that fits."""
    lead = tuple(rng.integers(1, 4, size=rng.integers(0, 3)))
    length, keys = rng.integers(1, 150, size=2)
    size, out = rng.choice([1, 3, 8, 16, 20, 33], size=2)

    def shrunk(n):
        return tuple(1 if rng.random() < 0.3 else i for i in n)

    shapes = [(*shrunk(lead), length, size), (*shrunk(lead), keys, size), (*shrunk(lead), keys, out)]
    batch = np.broadcast_shapes(*(s[:-2] for s in shapes))
    mask = shrunk((*batch, length, keys))[rng.integers(0, len(batch) + 1) :]
    return shapes, mask


@pytest.mark.parametrize("seed", range(30))
def test_scaled_dot_product_attention(seed):
    rng = np.random.default_rng(seed)
    shapes, mask_shape = geometry(rng)
    arrays = [rng.normal(size=s) for s in shapes]
    kind = ("none", "bool", "float", "causal")[seed % 4]
    options = {"scale": float(rng.normal())} if rng.random() < 0.3 else {}
    if kind == "bool":
        arrays.append(rng.random(mask_shape) < rng.choice([0.1, 0.7]))
    elif kind == "float":
        arrays.append(np.where(rng.random(mask_shape) < 0.2, -np.inf, rng.normal(size=mask_shape)))
    elif kind == "causal":
        options["is_causal"] = True
    both(
        arrays,
        lambda t, *inputs: t.nn.functional.scaled_dot_product_attention(*inputs, **options),
        order=2 if shapes[0][-2] * shapes[1][-2] < 900 and kind != "float" else 1,
    )


@pytest.mark.parametrize(("heads", "of_value", "masked"), [(2, 2, False), (1, 1, True), (2, 4, False), (2, 1, True)])
def test_grouped_queries(heads, of_value, masked):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(2, 4, 9, 5)), rng.normal(size=(2, heads, 7, 5)), rng.normal(size=(2, of_value, 7, 6))]
    arrays += [rng.random((4, 9, 7)) < 0.6] if masked else []
    both(arrays, lambda t, *xs: t.nn.functional.scaled_dot_product_attention(*xs, enable_gqa=True), order=2)


def test_float32_is_as_close_to_float64_as_pytorch():
    rng = np.random.default_rng(0)
    for length, size, causal in itertools.product((70, 300), (32, 40), (False, True)):
        arrays = [3 * rng.standard_normal((2, 3, length, size), np.float32) for _ in range(4)]
        results = []
        for t, dtype in ((torch, np.float64), (torch, np.float32), (tn, np.float32)):
            q, k, v, dy = (t.from_numpy(a.astype(dtype)) for a in arrays)
            for x in (q, k, v):
                x.requires_grad_()
            y = t.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
            y.backward(dy)
            results.append([y.detach().numpy(), q.grad.numpy(), k.grad.numpy(), v.grad.numpy()])
        for exact, theirs, ours in zip(*results, strict=True):
            limit = max(2 * np.abs(theirs - exact).max(), 3e-6 * np.abs(exact).max())
            assert np.abs(ours - exact).max() <= limit


# layers


def exchanged(make):
    """PyTorch's layer and ours, with the same parameters: theirs to ours, and back."""
    theirs, ours = make(torch).double(), make(tn).double()
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    rng = np.random.default_rng(3)
    state = {k: rng.normal(size=tuple(v.shape)) * 0.4 for k, v in theirs.state_dict().items()}
    ours.load_state_dict({k: tn.from_numpy(v) for k, v in state.items()})
    theirs.load_state_dict({k: torch.from_numpy(v.numpy()) for k, v in ours.state_dict().items()})
    return theirs, ours


def compare(make, arrays, run):
    """Outputs, gradients of inputs and of all parameters."""
    theirs, ours = exchanged(make)
    results = []
    for t, layer in ((torch, theirs), (tn, ours)):
        inputs = [t.from_numpy(a.copy()).requires_grad_() for a in arrays]
        outputs = run(t, layer, *inputs)
        outputs = [y for y in (outputs if isinstance(outputs, tuple) else (outputs,)) if y is not None]
        rng = np.random.default_rng(1)
        sum((y * t.from_numpy(rng.normal(size=tuple(y.shape)))).sum() for y in outputs).backward()
        found = {f"output {i}": y for i, y in enumerate(outputs)}
        found |= {f"input {i}": x.grad for i, x in enumerate(inputs)}
        found |= {n: p.grad for n, p in layer.named_parameters()}
        results.append({n: None if v is None else v.detach().numpy() for n, v in found.items()})
    assert results[0].keys() == results[1].keys()
    for name, expected in results[0].items():
        value = results[1][name]
        assert (value is None) == (expected is None), name
        if expected is not None:
            np.testing.assert_allclose(value, expected, rtol=1e-7, atol=1e-9, err_msg=name)


N, L, S, E, H = 3, 5, 7, 12, 3


def additive(t, mask):
    return t.zeros(mask.shape, dtype=t.float64).masked_fill(mask, float("-inf"))


def padding(t, rows=N, size=S):
    mask = np.arange(size) >= np.array([size, size - 1, size - 3])[:rows, None]
    return t.from_numpy(mask)


def later(t, rows=L, size=L):
    return t.from_numpy(~np.tri(rows, size, dtype=bool))


MHA_OPTIONS = [
    {},
    {"bias": False},
    {"batch_first": True},
    {"add_bias_kv": True},
    {"add_zero_attn": True, "batch_first": True},
    {"kdim": 8, "vdim": 10},
    {"kdim": 8, "vdim": 10, "add_bias_kv": True, "add_zero_attn": True, "bias": False},
]
CALLS = {
    "plain": lambda t: {},
    "no weights": lambda t: {"need_weights": False},
    "weights of heads": lambda t: {"average_attn_weights": False},
    "padding": lambda t: {"key_padding_mask": padding(t)},
    "padding, no weights": lambda t: {"key_padding_mask": padding(t), "need_weights": False},
    "padding added": lambda t: {"key_padding_mask": additive(t, padding(t)), "need_weights": False},
    "mask": lambda t: {"attn_mask": later(t, L, S)},
    "mask and padding": lambda t: {
        "attn_mask": later(t, L, S), "key_padding_mask": padding(t), "need_weights": False
    },
    "mask of heads": lambda t: {
        "attn_mask": additive(t, t.from_numpy((np.arange(N * H * L * S) % 5 == 2).reshape(N * H, L, S))),
        "need_weights": False,
    },
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("options", MHA_OPTIONS, ids=str)
def test_multihead_attention(options, call):
    def shape(length, size):
        return (N, length, size) if options.get("batch_first") else (length, N, size)

    rng = np.random.default_rng(0)
    sizes = [shape(L, E), shape(S, options.get("kdim", E)), shape(S, options.get("vdim", E))]
    compare(
        lambda t: t.nn.MultiheadAttention(E, H, **options),
        [rng.normal(size=s) for s in sizes],
        lambda t, layer, q, k, v: layer(q, k, v, **CALLS[call](t)),
    )


@pytest.mark.parametrize("need_weights", [True, False])
def test_multihead_attention_to_itself_without_a_batch(need_weights):
    compare(
        lambda t: t.nn.MultiheadAttention(E, H),
        [np.random.default_rng(0).normal(size=(L, E))],
        lambda t, layer, x: layer(
            x, x, x, need_weights=need_weights, attn_mask=later(t), is_causal=True, key_padding_mask=padding(t, 1, L)[0]
        ),
    )


def test_multihead_attention_functional_with_static_keys():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s) for s in ((L, N, E), (3 * E, E), (3 * E,), (E, E), (N * H, S, E // H))]
    both(
        arrays,
        lambda t, x, w, b, o, static: t.nn.functional.multi_head_attention_forward(
            x, x, x, E, H, w, b, None, None, False, 0.0, o, None, static_k=static, static_v=static * 2
        )[0],
    )


LAYER_OPTIONS = [
    {},
    {"norm_first": True, "batch_first": True},
    {"activation": "gelu", "bias": False},
    {"layer_norm_eps": 0.1, "batch_first": True},
]


@pytest.mark.parametrize("options", LAYER_OPTIONS, ids=str)
def test_transformer(options):
    """Encoder, decoder and both, with every mask."""
    first = options.get("batch_first", False)

    def shape(length):
        return (N, length, E) if first else (length, N, E)

    def encoder(t):
        layer = t.nn.TransformerEncoderLayer(E, H, 16, 0.0, **options)
        return t.nn.TransformerEncoder(layer, 2, t.nn.LayerNorm(E), enable_nested_tensor=False)

    def decoder(t):
        return t.nn.TransformerDecoder(t.nn.TransformerDecoderLayer(E, H, 16, 0.0, **options), 2)

    def whole(t):
        return t.nn.Transformer(E, H, 1, 2, 16, 0.0, **options)

    rng = np.random.default_rng(0)
    src, tgt = rng.normal(size=shape(S)), rng.normal(size=shape(L))
    compare(encoder, [src], lambda t, m, x: m(x, mask=additive(t, later(t, S, S)), src_key_padding_mask=None))
    compare(encoder, [src], lambda t, m, x: m(x, mask=later(t, S, S), src_key_padding_mask=padding(t)))
    compare(
        decoder,
        [tgt, src],
        lambda t, m, y, x: m(y, x, tgt_mask=later(t), memory_key_padding_mask=padding(t), memory_mask=None),
    )
    compare(
        whole,
        [src, tgt],
        lambda t, m, x, y: m(
            x,
            y,
            tgt_mask=t.nn.Transformer.generate_square_subsequent_mask(L, dtype=t.float64),
            memory_mask=later(t, L, S),
            src_key_padding_mask=additive(t, padding(t)),
            memory_key_padding_mask=additive(t, padding(t)),
        ),
    )


def test_layers_with_an_activation_of_ones_own():
    for name in ("TransformerEncoderLayer", "TransformerDecoderLayer"):
        exchanged(lambda t, name=name: getattr(t.nn, name)(E, H, activation=t.nn.GELU()))
    compare(
        lambda t: t.nn.TransformerEncoderLayer(E, H, 16, 0.0, activation=lambda x: x * x),
        [np.random.default_rng(0).normal(size=(L, E))],
        lambda t, m, x: m(x),
    )


def test_initial_parameters_have_pytorchs_distribution():
    """Bounds and zeros are the same; the streams are not."""
    for make in (
        lambda t: t.nn.MultiheadAttention(48, 4, add_bias_kv=True),
        lambda t: t.nn.MultiheadAttention(48, 4, kdim=16, vdim=24),
        lambda t: t.nn.Transformer(32, 4, 1, 1, 64),
    ):
        theirs, ours = make(torch), make(tn)
        for (name, p), q in zip(theirs.named_parameters(), ours.parameters(), strict=True):
            a, b = p.detach().numpy(), q.detach().numpy()
            assert (not a.any()) == (not b.any()), name
            if a.size > 500:
                np.testing.assert_allclose(np.abs(b).max(), np.abs(a).max(), rtol=0.05, err_msg=name)
            np.testing.assert_allclose(b.std(), a.std(), rtol=0.15, atol=0.05, err_msg=name)
