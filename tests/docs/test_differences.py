"""docs/differences.md is true: its tables, its missing names, and what it says of PyTorch."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

import tinynet
import tinynet.nn.functional as F
from tinynet import errors

PAGE = (Path(__file__).parents[2] / "docs/differences.md").read_text(encoding="utf-8")


def leaf(*shape):
    return tinynet.ones(*shape, requires_grad=True)


def weighted_bce(name):
    return F.binary_cross_entropy_with_logits(leaf(2), tinynet.ones(2), **{name: leaf(2)})


def optimize(kind, option):
    return getattr(tinynet.optim, kind)([leaf(1)], **{option: True})


# the first column of the table -> what raises
UNSUPPORTED = {
    "`Tensor.view(dtype)`": [lambda: tinynet.ones(2).view(tinynet.int32)],
    "`zeros_like(memory_format=…)` and its like": [
        lambda: tinynet.zeros_like(tinynet.ones(1, 2, 3, 4), memory_format=tinynet.channels_last)
    ],
    "`norm`": [lambda: tinynet.ones(2, 2).norm("nuc")],
    "`pad`": [
        lambda mode=mode: F.pad(tinynet.ones(2, 3, 3, 3), (1, 1), mode=mode)
        for mode in ("reflect", "replicate", "circular")
    ],
    "`embedding`, `embedding_bag`, `nn.Embedding`, `nn.EmbeddingBag`": [
        lambda: F.embedding_bag(tinynet.tensor([[0]]), leaf(2, 2), max_norm=1.0),
        lambda: F.embedding_bag(tinynet.tensor([[0]]), leaf(2, 2), sparse=True),
        lambda: tinynet.nn.EmbeddingBag(2, 2, max_norm=1.0),
        lambda: tinynet.nn.EmbeddingBag(2, 2, sparse=True),
        lambda: F.embedding(tinynet.tensor([0]), leaf(2, 2), max_norm=1.0),
        lambda: F.embedding(tinynet.tensor([0]), leaf(2, 2), sparse=True),
        lambda: tinynet.nn.Embedding(2, 2, max_norm=1.0),
        lambda: tinynet.nn.Embedding(2, 2, sparse=True),
    ],
    "`binary_cross_entropy_with_logits`": [lambda: weighted_bce("weight"), lambda: weighted_bce("pos_weight")],
    "the optimizers": [
        lambda name=name, option=option: optimize(name, option)
        for name in (
            "SGD",
            "Adam",
            "AdamW",
            "RMSprop",
            "Adagrad",
            "Adadelta",
            "Adamax",
            "ASGD",
            "NAdam",
            "RAdam",
            "Rprop",
        )
        for option in ("differentiable", "capturable")
        if option == "differentiable" or name not in ("SGD", "Adagrad")
    ],
    "`register_forward_hook`": [lambda: tinynet.nn.Linear(1, 1).register_forward_hook(print, always_call=True)],
    "`autograd.grad`": [
        lambda: tinynet.autograd.grad(leaf(1).sum(), leaf(1), is_grads_batched=True),
        lambda: tinynet.autograd.grad(leaf(1).sum(), leaf(1), only_inputs=False),
    ],
    "`autograd.backward`": [lambda: tinynet.autograd.backward(leaf(1).sum(), grad_variables=tinynet.ones(()))],
    "`functional.jacobian`, `functional.hessian`": [
        lambda: tinynet.autograd.functional.jacobian(tinynet.exp, leaf(1), vectorize=True),
        lambda: tinynet.autograd.functional.jacobian(tinynet.exp, leaf(1), strategy="forward-mode"),
        lambda: tinynet.autograd.functional.hessian(tinynet.sum, leaf(1), vectorize=True),
        lambda: tinynet.autograd.functional.hessian(tinynet.sum, leaf(1), outer_jacobian_strategy="forward-mode"),
    ],
    "`load`": [
        lambda: tinynet.load(io.BytesIO(), pickle_module=object()),
        lambda: tinynet.load(io.BytesIO(), weights_only=False),
        lambda: tinynet.load(io.BytesIO(b"\x80\x02")),
    ],
    "`DataLoader`": [
        lambda: tinynet.data.DataLoader([1], num_workers=1, multiprocessing_context="fork"),
        lambda: tinynet.data.DataLoader([1], num_workers=1, multiprocessing_context="forkserver"),
    ],
}


def table(after):
    """The rows of the first table after a line of the page."""
    lines = PAGE.split(after)[1].lstrip("\n*").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_table_of_unsupported_options_is_the_one_tested():
    assert [row[0] for row in table("Options that raise NotImplementedError")] == list(UNSUPPORTED)


@pytest.mark.parametrize("where", UNSUPPORTED)
def test_unsupported_options_raise(where):
    for call in UNSUPPORTED[where]:
        with pytest.raises(NotImplementedError):
            call()


def test_error_classes():
    rows = {row[0].strip("`"): set(row[1].split(", ")) for row in table("## Errors")}
    assert set(rows) == {name for name in vars(errors) if name.endswith("Error")}
    for name, parents in rows.items():
        found = {c.__name__ for c in getattr(errors, name).__mro__}
        assert parents <= found
        assert found & {"ValueError", "TypeError", "IndexError", "RuntimeError"} == parents


def test_missing_names_are_missing():
    paragraph = PAGE.split("**Names that are missing**")[1].split("\n\n")[0]
    names = re.findall(r"`tinynet\.(\w+)`", paragraph)
    assert len(names) > 5
    there = [name for name in names if hasattr(tinynet, name)]
    layers = re.findall(r"`nn\.(\w+)`", paragraph)
    assert len(layers) == 4
    layers = [name for name in layers if hasattr(tinynet.nn, name)]
    assert there + layers == [], "docs/differences.md calls these missing: take them off its list"


def test_a_schedule_before_its_optimizer_does_not_warn():
    optimizer = tinynet.optim.SGD([leaf(1)], lr=0.1)
    tinynet.optim.lr_scheduler.StepLR(optimizer, 1).step()  # warnings are errors here


# what the page says of PyTorch


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch")
    if not torch.__version__.startswith("2.13"):
        pytest.skip("the page describes PyTorch 2.13")
    return torch


def test_pytorch_refuses_to_change_many_outputs(torch):
    y = torch.arange(4.0, requires_grad=True) * 1
    for outputs in (y.split(2), y.chunk(2), y.unbind(0)):
        with pytest.raises(RuntimeError, match="multiple views"):
            outputs[0].mul_(3)


def test_pytorch_refuses_to_change_an_older_view(torch):
    base, w = torch.zeros(3), torch.ones(3, requires_grad=True)
    view = base[:2]
    base += w
    with pytest.raises(RuntimeError):
        view *= 5
    for engine in (torch, tinynet):  # a view of a leaf
        base = engine.zeros(3)
        view = base[:2]
        base.requires_grad_()
        with pytest.raises(RuntimeError):
            view.mul_(5)


def test_pytorch_keeps_inference_tensors_apart(torch):
    with torch.inference_mode():
        x = torch.ones(2)
    for use in (lambda: torch.ones(2, requires_grad=True) * x, lambda: x.add_(1), x.requires_grad_):
        with pytest.raises(RuntimeError, match="nference"):
            use()


def test_attention_to_nothing(torch):
    for engine, nan in ((torch, True), (tinynet, False)):
        x, nobody = engine.ones(2, 1, 4), engine.ones(1, 2, dtype=engine.bool)
        layer = engine.nn.MultiheadAttention(4, 2)
        y, weights = layer(x, x, x, key_padding_mask=nobody)
        assert bool(y.isnan().all()) is nan
        assert bool(weights.isnan().all()) is nan
        assert bool((weights == 0).all()) is not nan
        assert not layer(x, x, x, key_padding_mask=nobody, need_weights=False)[0].isnan().any()


def test_unfold_copies(torch):
    for engine, copied in ((torch, False), (tinynet, True)):
        x = engine.zeros(4)
        x.unfold(0, 2, 2).fill_(1)
        assert bool((x == 0).all()) is copied


def test_equal_extremes_that_do_not_take_part(torch):
    for engine, share in ((torch, 0.5), (tinynet, 1.0)):
        v = engine.ones(1, requires_grad=True)
        y = engine.ones(1).scatter_reduce(0, engine.tensor([0]), v, "amax", include_self=False)
        assert engine.autograd.grad(y.sum(), v)[0].item() == share


def test_frequencies_in_embedding_bag(torch):
    for engine in (torch, tinynet):
        w = engine.zeros(3, 1, requires_grad=True)
        k = engine.tensor([[0, 0, 0, 1, 1, 2]])
        y = engine.nn.functional.embedding_bag(k, w, mode="sum", scale_grad_by_freq=True)
        (g,) = engine.autograd.grad(y.sum(), w)
        assert (g.flatten().tolist() == [1.0, 1.0, 1.0]) is (engine is tinynet)


def test_what_lies_behind_the_last_offset(torch):
    for engine, total in ((torch, 3.0), (tinynet, 1.0)):
        w = engine.tensor([[1.0], [2.0]], dtype=engine.float64)
        k, ends = engine.tensor([0, 1]), engine.tensor([0, 1])
        y = engine.nn.functional.embedding_bag(k, w, ends, mode="sum", include_last_offset=True)
        assert y.item() == total


def test_labels_of_probability_zero(torch):
    for engine, nan in ((torch, True), (tinynet, False)):
        x = engine.tensor([[[0.0, 0.0, -float("inf")]]] * 2, requires_grad=True)
        logp = x.detach().log_softmax(-1).requires_grad_()
        y = engine.nn.functional.ctc_loss(logp, engine.tensor([[1]]), (2,), (1,))
        (g,) = engine.autograd.grad(y, logp, create_graph=True)
        assert bool(g.isnan().any()) is nan
        if nan:
            with pytest.raises(RuntimeError, match="not implemented"):
                g[0, 0, 0].backward()
        else:
            g[0, 0, 0].backward()


def test_lazy_layers_take_a_state_dict_after_their_first_input():
    state, layer = tinynet.nn.Linear(2, 3).state_dict(), tinynet.nn.LazyLinear(3)
    with pytest.raises(errors.OptionError, match="size mismatch"):
        layer.load_state_dict(state)
    layer(tinynet.ones(1, 2))
    layer.load_state_dict(state)


def test_the_gradient_of_a_singular_determinant():
    x = tinynet.zeros(2, 2, requires_grad=True)
    with pytest.raises(errors.OptionError, match="invertible"):
        x.det().backward()


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_the_encoder_at_padded_places(torch):
    for engine, zero in ((torch, True), (tinynet, False)):
        layer = engine.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        encoder = engine.nn.TransformerEncoder(layer, 1).eval()
        x, padded = engine.ones(1, 3, 4), engine.tensor([[False, False, True]])
        x[0, 0, 0] = 2
        with engine.no_grad():
            y = encoder(x, src_key_padding_mask=padded)
        assert bool((y[0, 2] == 0).all()) is zero
        assert not (y[0, :2] == 0).any()


def test_is_causal_is_a_hint(torch):
    for engine, same in ((torch, False), (tinynet, True)):
        engine.manual_seed(0)
        layer = engine.nn.MultiheadAttention(4, 2, add_bias_kv=True)
        x = engine.randn(3, 1, 4)
        mask = engine.nn.Transformer.generate_square_subsequent_mask(3)
        y, z = (layer(x, x, x, attn_mask=mask, need_weights=False, is_causal=hint)[0] for hint in (False, True))
        assert engine.allclose(y, z) is same


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("relu", True, False),
        ("leaky_relu", True, True),
        ("max_pool2d", True, False),
        ("avg_pool2d", True, False),
        ("clamp", False, False),
        ("maximum", False, False),
        ("amax", False, False),
        ("x * 2", False, False),
        ("tanh", True, True),
        ("nll_loss", True, True),
    ],
)
def test_which_gradients_require_a_gradient(torch, name, theirs, ours):
    for engine, expected in ((torch, theirs), (tinynet, ours)):
        x = engine.ones(1, 1, 2, 2, requires_grad=True)
        y = {
            "relu": engine.nn.functional.relu,
            "leaky_relu": engine.nn.functional.leaky_relu,
            "max_pool2d": lambda x, F=engine.nn.functional: F.max_pool2d(x, 2),
            "avg_pool2d": lambda x, F=engine.nn.functional: F.avg_pool2d(x, 2),
            "clamp": lambda x: x.clamp(min=0.0),
            "maximum": lambda x, zeros=engine.zeros: x.maximum(zeros(())),
            "amax": lambda x: x.amax(),
            "x * 2": lambda x: x * 2,
            "tanh": engine.tanh,
            "nll_loss": lambda x, e=engine: e.nn.functional.nll_loss(x, e.zeros(1, 2, 2).long()),
        }[name](x)
        (g,) = engine.autograd.grad(y.sum(), x, create_graph=True)
        assert g.requires_grad is expected
