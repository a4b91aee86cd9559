"""Utilities over modules: computed parameters, folded batch norm, calls with other parameters, layers of open size."""

import copy
import warnings

import numpy as np
import pytest

import tinynet as tn
from tinynet import nn
from tinynet.nn import utils
from tinynet.nn.utils import parametrize


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).t()


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x

    def right_inverse(self, y):
        return y / 2


def test_a_parametrized_weight_is_computed_and_trained():
    layer = nn.Linear(3, 3)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert type(layer).__name__ == "ParametrizedLinear"
    assert isinstance(layer, nn.Linear)
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    assert parametrize.is_parametrized(layer)
    assert parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")
    assert parametrize.type_before_parametrizations(layer) is nn.Linear
    assert (layer.weight == layer.weight.t()).all()
    layer(tn.ones(1, 3)).sum().backward()
    assert layer.parametrizations.weight.original.grad.tril(-1).abs().sum() == 0
    assert layer.weight is not layer.weight
    with parametrize.cached():
        assert layer.weight is layer.weight
    before = layer.weight.detach().clone()
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear
    assert isinstance(layer.weight, nn.Parameter)
    assert (layer.weight == before).all()


def test_several_parametrizations_and_assignment():
    layer = nn.Linear(2, 2)
    start = layer.weight.detach().clone()
    parametrize.register_parametrization(layer, "weight", Doubled())
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert tn.allclose(layer.weight, 2 * start)
    layer.weight = tn.ones(2, 2)
    assert layer.parametrizations.weight.original.tolist() == [[0.25, 0.25], [0.25, 0.25]]
    other = copy.deepcopy(layer)
    other.weight = tn.zeros(2, 2)
    assert layer.weight.tolist() == [[1, 1], [1, 1]]
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert layer.weight.tolist() == [[0.25, 0.25], [0.25, 0.25]]


def test_refusals_of_parametrizations():
    layer = nn.Linear(2, 3)
    with pytest.raises(ValueError, match="no parameter or buffer 'weights'"):
        parametrize.register_parametrization(layer, "weights", Doubled())
    with pytest.raises(ValueError, match="shape"):
        parametrize.register_parametrization(layer, "weight", nn.Flatten(0))
    with pytest.raises(ValueError, match="no parametrization"):
        parametrize.remove_parametrizations(layer, "weight")
    normed = utils.parametrizations.weight_norm(layer)
    with pytest.raises(ValueError, match="several originals"):
        parametrize.remove_parametrizations(normed, "weight", leave_parametrized=False)
    with pytest.raises(ValueError, match="orthogonal_map"):
        utils.parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="qr")
    with pytest.raises(ValueError, match="matrix"):
        utils.parametrizations.orthogonal(nn.Linear(2, 2), "bias")
    with pytest.raises(NotImplementedError, match="use_trivialization"):
        utils.parametrizations.orthogonal(nn.Linear(2, 2), use_trivialization=False).weight = tn.eye(2)


def test_norms_by_hooks_come_and_go():
    for add, remove in (
        (utils.weight_norm, utils.remove_weight_norm),
        (utils.spectral_norm, utils.remove_spectral_norm),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            layer = add(nn.Linear(5, 3))
            with pytest.raises(RuntimeError, match="already"):
                add(layer)
        layer(tn.ones(2, 5))
        weight = layer.weight.detach().clone()
        remove(layer)
        assert tn.allclose(layer.weight, weight)
        assert sorted(layer.state_dict()) == ["bias", "weight"]
        layer(tn.ones(2, 5)).sum().backward()
        with pytest.raises(ValueError, match="there is no"):
            remove(layer)


def test_spectral_norm_reaches_the_largest_singular_value():
    layer = utils.parametrizations.spectral_norm(nn.Linear(6, 4), n_power_iterations=50)
    assert abs(np.linalg.norm(layer.weight.detach().numpy(), 2) - 1) < 1e-4


def test_batch_norm_folds_into_the_layer_before_it():
    image, rows = tn.randn(3, 3, 5, 5), tn.randn(4, 5)
    for layer, norm, x, fuse in (
        (nn.Conv2d(3, 4, 2, bias=False), nn.BatchNorm2d(4), image, utils.fuse_conv_bn_eval),
        (nn.Linear(5, 4), nn.BatchNorm1d(4), rows, utils.fuse_linear_bn_eval),
    ):
        norm(layer(x))
        with pytest.raises(ValueError, match="evaluation"):
            fuse(layer, norm)
        layer.eval()
        norm.eval()
        assert tn.allclose(fuse(layer, norm)(x), norm(layer(x)), atol=1e-5)
    layer, norm = nn.ConvTranspose2d(3, 4, 2).eval(), nn.BatchNorm2d(4)
    norm(layer(image))
    assert tn.allclose(utils.fuse_conv_bn_eval(layer, norm.eval(), True)(image), norm(layer(image)), atol=1e-5)


def test_functional_call():
    tied = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    tied[1].weight = tied[0].weight
    w, x = tn.eye(3).mul(2).requires_grad_(), tn.ones(1, 3)
    call = utils.stateless.functional_call
    y = call(tied, {"0.weight": w}, (x,))
    assert y.tolist() == [[4, 4, 4]]
    y.sum().backward()
    assert w.grad is not None
    assert tied[0].weight.grad is None
    assert tn.allclose(call(tied, {"0.weight": w}, x, tie_weights=False), 2 * tied[1](x))
    with pytest.raises(ValueError, match=r"unexpected names.*'2.weight'"):
        call(tied, {"2.weight": w}, x)
    with pytest.raises(ValueError, match=r"missing names.*'bias'"):
        call(nn.Linear(3, 3), {"weight": w}, x, strict=True)


def test_total_norm_and_clipping_by_it():
    ps = [nn.Parameter(tn.ones(3)) for _ in range(2)]
    for p in ps:
        p.grad = tn.full((3,), 2.0)
    total = utils.get_total_norm([p.grad for p in ps])
    assert abs(total.item() - 24**0.5) < 1e-5
    utils.clip_grads_with_norm_(ps, 1.0, total)
    assert abs(utils.get_total_norm([p.grad for p in ps]).item() - 1) < 1e-5
    assert utils.get_total_norm([]).item() == 0
    with pytest.raises(RuntimeError, match="nan"):
        utils.get_total_norm(tn.tensor([float("nan")]), error_if_nonfinite=True)
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        utils.clip_grad_norm(ps, 1.0)


def test_skip_init_draws_nothing():
    tn.manual_seed(0)
    expected = tn.rand(3)
    tn.manual_seed(0)
    layer = utils.skip_init(nn.Linear, 3, 2)
    assert layer.weight.shape == (2, 3)
    assert tn.rand(3).tolist() == expected.tolist()
    with pytest.raises(ValueError, match="device"):
        utils.skip_init(nn.ReLU)


def test_buffers_by_assignment():
    module = nn.Module()
    module.kept, module.passing = nn.Buffer(tn.ones(2)), nn.Buffer(tn.zeros(1), persistent=False)
    assert list(module.state_dict()) == ["kept"]
    assert [n for n, _ in module.named_buffers()] == ["kept", "passing"]


def test_a_lazy_layer_trains_through_an_optimizer_made_before():
    model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(1))
    assert all(isinstance(p, nn.UninitializedParameter) for p in model.parameters())
    optimizer = tn.optim.SGD(model.parameters(), lr=0.1)
    model(tn.ones(2, 3))
    before = [p.detach().clone() for p in model.parameters()]
    model(tn.ones(2, 3)).sum().backward()
    optimizer.step()
    assert not any(isinstance(p, nn.UninitializedParameter) for p in model.parameters())
    assert any((p != q).any() for p, q in zip(model.parameters(), before, strict=True))
    assert model[0].in_features == 3


def test_older_names_of_initialisation_warn():
    with pytest.warns(FutureWarning, match="init.constant_"):
        w = nn.init.constant(tn.empty(2), 3.0)
    assert w.tolist() == [3, 3]


def test_refusals_of_layers():
    with pytest.raises(ValueError, match="cutoffs"):
        nn.AdaptiveLogSoftmaxWithLoss(4, 10, [5, 3])
    layer = nn.AdaptiveLogSoftmaxWithLoss(4, 10, [3, 5])
    with pytest.raises(IndexError, match="0 … 9"):
        layer(tn.ones(1, 4), tn.tensor([10]))
    with pytest.raises(ValueError, match="shapes"):
        layer(tn.ones(2, 4), tn.tensor([1]))
    with pytest.raises(NotImplementedError, match="max_norm"):
        nn.EmbeddingBag(2, 2, max_norm=1.0)
    with pytest.raises(IndexError, match="padding_idx"):
        nn.EmbeddingBag(2, 2, padding_idx=2)
    with pytest.raises(ValueError, match="reduction"):
        nn.CTCLoss(reduction="total")
    with pytest.raises(ValueError, match="in1_features"):
        nn.Bilinear(0, 1, 1)
    frozen = nn.EmbeddingBag.from_pretrained(tn.eye(3), mode="sum")
    assert not frozen.weight.requires_grad
    assert frozen(tn.tensor([0, 1, 1]), tn.tensor([0, 1])).tolist() == [[1, 0, 0], [0, 2, 0]]
