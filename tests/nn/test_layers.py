"""Layers: what they add to their operations: parameters, options, running statistics, initialisation."""

import contextlib

import numpy as np
import pytest

import tinynet as tn
from tinynet import nn
from tinynet.errors import OptionError, ShapeError


def test_batch_norm_statistics_in_training_and_evaluation():
    tn.manual_seed(0)
    layer = nn.BatchNorm2d(3, momentum=0.3)
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(4):
        x = tn.randn(5, 3, 2, 4) * 2 + 1
        y = layer(x).detach().numpy()
        a = x.numpy().astype(np.float64)
        np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-6)
        mean = 0.7 * mean + 0.3 * a.mean(axis=(0, 2, 3))
        var = 0.7 * var + 0.3 * a.var(axis=(0, 2, 3), ddof=1)
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-5)
    assert layer.num_batches_tracked.item() == 4
    layer.eval()
    expected = (a - mean[:, None, None]) / np.sqrt(var[:, None, None] + 1e-5)
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    assert layer.num_batches_tracked.item() == 4


def test_batch_norm_options():
    x = tn.randn(6, 3)
    average = nn.BatchNorm1d(3, momentum=None)
    for _ in range(2):
        average(x)
    np.testing.assert_allclose(average.running_mean.numpy(), x.numpy().mean(axis=0), rtol=1e-5, atol=1e-6)
    plain = nn.BatchNorm1d(3, affine=False, track_running_stats=False)
    assert len(list(plain.parameters())) == 0
    assert tn.allclose(plain(x), plain.eval()(x))
    with pytest.raises(ShapeError, match="more than 1 value"):
        nn.BatchNorm1d(3)(tn.ones(1, 3))
    with pytest.raises(ShapeError, match="expected a 4-d input"):
        nn.BatchNorm2d(3)(x)
    with pytest.raises(ShapeError, match="expected 3 channels"):
        nn.BatchNorm1d(3)(tn.ones(2, 4))


def test_dropout_scales_and_stops_in_evaluation():
    tn.manual_seed(0)
    layer = nn.Dropout(0.25)
    x = tn.ones(100_000)
    y = layer(x)
    assert set(np.unique(y.numpy())) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(y.mean().item() - 1) < 0.01
    assert layer.eval()(x) is x
    assert (nn.Dropout(1.0)(x) == 0).all()
    with pytest.raises(OptionError, match=r"\[0, 1\]"):
        nn.Dropout(1.5)


def test_padding_modes_of_convolution():
    x = tn.randn(1, 1, 5, 6, dtype=tn.float64)
    for mode, numpy_mode in (
        ("reflect", "reflect"),
        ("replicate", "edge"),
        ("circular", "wrap"),
        ("zeros", "constant"),
    ):
        layer = nn.Conv2d(1, 2, (3, 2), padding=(1, 2), padding_mode=mode, dtype=tn.float64)
        padded = tn.from_numpy(np.pad(x.numpy(), [(0, 0), (0, 0), (1, 1), (2, 2)], numpy_mode))
        expected = nn.functional.conv2d(padded, layer.weight, layer.bias)
        assert tn.allclose(layer(x), expected)
    same = nn.Conv1d(1, 1, 4, padding="same", padding_mode="circular")
    assert same(tn.ones(1, 1, 9)).shape == (1, 1, 9)
    with pytest.raises(OptionError, match="padding_mode"):
        nn.Conv2d(1, 1, 3, padding_mode="mirror")
    with pytest.raises(OptionError, match="divisible by groups"):
        nn.Conv2d(3, 4, 3, groups=2)


def test_transposed_convolution_reaches_the_output_size_asked_for():
    layer = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    x = tn.randn(1, 2, 4, 4)
    assert layer(x).shape == (1, 3, 7, 7)
    assert layer(x, output_size=(8, 7)).shape == (1, 3, 8, 7)
    with pytest.raises(ShapeError, match="out of reach"):
        layer(x, output_size=(9, 7))


def test_default_initialisation_has_pytorchs_bounds():
    tn.manual_seed(0)
    for layer, fan_in in ((nn.Linear(50, 400), 50), (nn.Conv2d(8, 64, 5, groups=2), 100)):
        bound = fan_in**-0.5
        for p in (layer.weight, layer.bias):
            a = p.detach().numpy()
            assert np.abs(a).max() <= bound
        assert np.abs(layer.weight.detach().numpy()).max() > 0.98 * bound
    table = nn.Embedding(2000, 8, padding_idx=3)
    assert (table.weight[3] == 0).all()
    assert abs(table.weight.std().item() - 1) < 0.02


def test_init_functions():
    tn.manual_seed(0)
    w = nn.Parameter(tn.empty(64, 32, 3, 3))
    fan_in, fan_out = 32 * 9, 64 * 9
    for function, std in (
        (nn.init.xavier_uniform_, (2 / (fan_in + fan_out)) ** 0.5),
        (nn.init.xavier_normal_, (2 / (fan_in + fan_out)) ** 0.5),
        (lambda t: nn.init.kaiming_uniform_(t, nonlinearity="relu"), (2 / fan_in) ** 0.5),
        (lambda t: nn.init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"), (2 / fan_out) ** 0.5),
        (lambda t: nn.init.trunc_normal_(t, std=0.5, a=-9, b=9), 0.5),
    ):
        assert function(w) is w
        assert abs(w.detach().numpy().std() / std - 1) < 0.03
    q = nn.init.orthogonal_(tn.empty(5, 8)).numpy()
    np.testing.assert_allclose(q @ q.T, np.eye(5), atol=1e-5)
    assert w.requires_grad
    assert w.is_leaf
    with pytest.raises(ShapeError, match="at least 2 dimensions"):
        nn.init.xavier_uniform_(tn.zeros(3))
    with pytest.raises(OptionError, match="unknown nonlinearity"):
        nn.init.calculate_gain("x")


def test_flatten_and_unflatten():
    x = tn.randn(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12)
    assert nn.Unflatten(1, (3, 1))(x).shape == (2, 3, 1, 4)


def test_losses_as_layers_and_strict_mode():
    x, y = tn.randn(4, 1), tn.randn(4)
    with pytest.warns(UserWarning, match="broadcasting"):
        nn.MSELoss()(x, y)
    tn.set_strict(True)
    try:
        with pytest.raises(ShapeError, match=r"mse_loss: target has shape \(4,\), input \(4, 1\)"):
            nn.MSELoss()(x, y)
    finally:
        tn.set_strict(False)
    assert nn.CrossEntropyLoss(weight=tn.ones(3)).weight.shape == (3,)
    with pytest.raises(OptionError, match="reduction"):
        nn.MSELoss(reduction="median")
    with pytest.warns(UserWarning, match="deprecated"):
        assert nn.MSELoss(size_average=False).reduction == "sum"


def test_clipping():
    a, b = (nn.Parameter(tn.zeros(2, 2)) for _ in range(2))
    a.grad, b.grad = tn.full((2, 2), 3.0), tn.full((2, 2), 4.0)
    assert abs(nn.utils.clip_grad_norm_([a, b], 5.0).item() - 10.0) < 1e-5
    np.testing.assert_allclose(a.grad.numpy(), 1.5, rtol=1e-5)
    assert abs(nn.utils.clip_grad_norm_([a, b], 1e9, norm_type=float("inf")).item() - 2.0) < 1e-5
    nn.utils.clip_grad_value_([a, b], 1.0)
    assert (b.grad == 1).all()
    a.grad = tn.full((2, 2), float("nan"))
    with pytest.raises(RuntimeError, match="norm of the gradients is nan"):
        nn.utils.clip_grad_norm_([a], 1.0, error_if_nonfinite=True)
    assert nn.utils.clip_grad_norm_([], 1.0).item() == 0


@pytest.mark.parametrize("order", [1.0, 2.0, 3.5, float("inf")])
def test_clipping_is_its_definition(order):
    """Of several dtypes and layouts, a gradient that is no array of its own, and one that comes twice."""
    rng = np.random.default_rng(0)
    shapes = ((4, 5), (), (0, 3), (40, 700), (3, 2))
    starts = [rng.normal(size=s).astype(t) for s in shapes for t in ("f4", "f8", "f2")]
    starts[0] = np.asfortranarray(starts[0])
    found = []
    for context in (contextlib.nullcontext, tn.use_definitions):
        for bound in (0.25, 1e9):
            params = [nn.Parameter(tn.from_numpy(np.zeros_like(x))) for x in starts]
            for p, x in zip(params, starts, strict=True):
                p.grad = tn.from_numpy(x.copy(order="K"))
            with context():
                norm = nn.utils.clip_grad_norm_([*params, params[3]] if bound < 1 else params, bound, order)
            found.append([norm.numpy(), *(p.grad.numpy() for p in params)])
    whole = np.concatenate([x.astype(np.float64).ravel() for x in starts])
    np.testing.assert_allclose(found[1][0], np.linalg.norm(whole, order), rtol=1e-6)
    for x, y in zip(starts, found[1][1:], strict=True):
        np.testing.assert_array_equal(x, y)  # below the bound nothing changes
    for a, b in zip(found[:2], found[2:], strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=2e-3 if x.dtype == np.float16 else 1e-6)


def test_norm_layers_and_their_options():
    x = tn.randn(4, 6, 5)
    for layer in (nn.LayerNorm(5), nn.LayerNorm((6, 5)), nn.RMSNorm(5), nn.GroupNorm(3, 6), nn.InstanceNorm1d(6)):
        y = layer(x)
        assert y.shape == x.shape
        assert abs((y * y).mean().item() - 1) < 0.1
    layer = nn.LayerNorm(5)
    with tn.no_grad():
        layer.weight.mul_(0.0)
        layer.bias.add_(2.0)
    assert (layer(x) == 2).all()
    layer.reset_parameters()
    assert (layer.weight == 1).all()
    assert (layer.bias == 0).all()
    assert [n for n, _ in nn.GroupNorm(3, 6, bias=False).named_parameters()] == ["weight"]
    with pytest.raises(OptionError, match=r"GroupNorm.*6.*4"):
        nn.GroupNorm(4, 6)
    with pytest.raises(ShapeError, match="4-d or 3-d"):
        nn.InstanceNorm2d(6)(tn.ones(2, 6))
    with pytest.raises(ShapeError, match="expected 3 channels"):
        nn.InstanceNorm1d(3, affine=True)(x)
    with pytest.warns(UserWarning, match="num_features is 3"):
        nn.InstanceNorm1d(3)(x)


def test_instance_norm_uses_running_statistics_in_evaluation():
    layer = nn.InstanceNorm1d(6, track_running_stats=True, momentum=1.0)
    x = 3 * tn.randn(4, 6, 50) + 2
    layer(x)
    np.testing.assert_allclose(layer.running_mean.numpy(), x.mean(dim=(0, 2)).numpy(), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.numpy(), x.var(dim=2).mean(dim=0).numpy(), rtol=1e-5)
    before = layer.running_mean.clone()
    y = layer.eval()(x)
    np.testing.assert_array_equal(layer.running_mean.numpy(), before.numpy())
    assert abs(y.mean().item()) < 1e-4


def test_constant_rows_and_large_offsets():
    x = tn.full((3, 7), 1e4, requires_grad=True)
    y = nn.LayerNorm(7)(x)
    y.sum().backward()
    assert (y == 0).all()
    assert (x.grad == 0).all()
    x = tn.randn(8, 1000, dtype=tn.float64)
    exact = nn.LayerNorm(1000, dtype=tn.float64)(x)
    shifted = nn.LayerNorm(1000)((x + 1e4).float())
    assert (shifted - exact.float()).abs().max().item() < 2e-3  # the rounding of the shifted input itself
