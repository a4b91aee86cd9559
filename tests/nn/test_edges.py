"""Inputs at the edge: nothing, NaN, what overflows, and options of a few users."""

import math
import warnings

import numpy as np
import pytest

import tinynet as tn
import tinynet.nn.functional as F
from tinynet import nn
from tinynet.errors import GraphError, OptionError


def gradients(*rows, dtypes=None):
    params = []
    for row, dtype in zip(rows, dtypes or [tn.float32] * len(rows), strict=True):
        p = nn.Parameter(tn.zeros(len(row), dtype=dtype))
        p.grad = tn.tensor(row, dtype=dtype)
        params.append(p)
    return params


@pytest.mark.parametrize(
    ("order", "expected"),
    [(0, 2.0), (-math.inf, 0.0), (0.5, 34.554588), (1, 9.0), (2, math.sqrt(23)), (3, 3.9790576), (math.inf, 3.0)],
)
def test_orders_of_clipping(order, expected):
    for context in (tn.use_definitions(), tn.enable_grad()):
        with context:
            norm = nn.utils.clip_grad_norm_(gradients([3.0, 0.0, 3.0], [0.0, 0.0], [1.0, 2.0]), 1.0, order)
        assert norm.item() == pytest.approx(expected, rel=1e-6)


def test_clipping_of_halves_and_floats_together():
    params = gradients([3.0, 0.0, 3.0], [40000.0] * 6, dtypes=[tn.float16, tn.float32])
    norm = nn.utils.clip_grad_norm_(params, 1.0, 1.0)
    assert norm.dtype == tn.float32
    assert norm.item() == pytest.approx(240006)
    assert params[1].grad[0].item() == pytest.approx(40000 / 240006, rel=1e-5)


def test_the_bound_of_clipping():
    for bound in (np.float32(1), tn.tensor(1.0)):
        params = gradients([3.0, 4.0])
        assert nn.utils.clip_grad_norm_(params, bound).item() == 5
        np.testing.assert_allclose(params[0].grad.numpy(), [0.6, 0.8], rtol=1e-5)
    params = gradients([3.0, 4.0])
    nn.utils.clip_grad_norm_(params, math.nan)
    assert tn.isnan(params[0].grad).all()
    with pytest.raises(OptionError, match="max_norm and norm_type must be numbers, got 'much'"):
        nn.utils.clip_grad_norm_(params, "much")


def test_batch_norm_of_no_images_has_gradients_of_zero():
    for shape in ((0, 3, 4, 4), (0, 3)):
        m = nn.BatchNorm2d(3) if len(shape) == 4 else nn.BatchNorm1d(3)
        m(tn.zeros(*shape)).sum().backward()
        assert (m.weight.grad == 0).all()
        assert (m.bias.grad == 0).all()


def test_gradient_of_batch_norm_in_evaluation_does_not_depend_on_x():
    x = tn.tensor([[1.0, math.nan], [math.inf, 2.0]], requires_grad=True)
    F.batch_norm(x, tn.zeros(2), tn.ones(2), None, None, False).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.full((2, 2), 1 / math.sqrt(1 + 1e-5)), rtol=1e-6)


@pytest.mark.parametrize("dtype", [tn.float16, tn.bfloat16, tn.float32])
def test_softplus_up_to_its_threshold(dtype):
    x = tn.tensor([12.0, 15.0, 19.0, 25.0], dtype=dtype, requires_grad=True)
    y = F.softplus(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == dtype
    np.testing.assert_allclose(y.detach().float().numpy(), [12, 15, 19, 25], rtol=1e-5)
    np.testing.assert_allclose(x.grad.float().numpy(), 1, rtol=1e-4)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_loss_that_overflows_is_inf_without_a_warning(reduction):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss = F.mse_loss(tn.full((4,), 1e30), tn.zeros(4), reduction=reduction)
    assert tn.isinf(loss).all()


def test_probabilities_have_no_class_to_ignore():
    with pytest.raises(OptionError, match="ignore_index=1 needs a target of class numbers"):
        F.cross_entropy(tn.ones(2, 3), tn.ones(2, 3) / 3, ignore_index=1)


@pytest.mark.parametrize("dtype", [tn.float32, tn.float64, tn.bfloat16], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "norm", [lambda x, w: F.layer_norm(x, (1,), w), lambda x, w: F.group_norm(x, 1, w)], ids=["layer", "group"]
)
def test_gradient_of_a_row_of_one_element_is_0_unless_something_is_not_finite(norm, weighted, dtype):
    w = tn.ones(1, dtype=dtype) if weighted else None
    odd = [[math.nan], [1.0], [math.inf], [-math.inf], [1e38], [3.0]]
    ones = [[1.0]] * len(odd)
    for numbers, cotangent in ((odd, ones), (ones, odd)):
        x = tn.tensor(numbers, dtype=dtype, requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            norm(x, w).backward(tn.tensor(cotangent, dtype=dtype))
        dx = x.grad.float().flatten().tolist()
        assert np.isnan([dx[0], dx[2], dx[3]]).all()
        assert (dx[1], dx[5]) == (0, 0)
        assert dx[4] == 0 or math.isnan(dx[4])  # where 10³⁸ / √ε overflows before the difference is taken


@pytest.mark.parametrize("norm", [F.batch_norm, F.instance_norm])
@pytest.mark.parametrize("name", ["running_mean", "running_var"])
def test_running_statistics_that_cannot_be_changed_are_named(norm, name):
    given = {"running_mean": np.zeros(2, np.float32), "running_var": np.ones(2, np.float32)}
    given[name].flags.writeable = False
    options = {"training": True} if norm is F.batch_norm else {}
    with pytest.raises(GraphError, match=f"{norm.__name__}: {name}: .*read-only"):
        norm(tn.ones(3, 2, 4), **{k: tn.from_numpy(v) for k, v in given.items()}, **options)


@pytest.mark.parametrize("context", [tn.use_definitions, tn.enable_grad], ids=["definition", "kernel"])
@pytest.mark.parametrize(
    ("norm", "axes"),
    [
        (lambda x: F.batch_norm(x, None, None, training=True), (0, 2)),
        (F.instance_norm, (2,)),
        (lambda x: F.group_norm(x, 2), None),
        (lambda x: F.layer_norm(x, (500,)), (2,)),
    ],
    ids=["batch", "instance", "group", "layer"],
)
def test_a_large_mean_costs_no_digits_in_float32(norm, axes, context):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(20, 4, 500)) + 1e4).astype(np.float32)
    dy = rng.normal(size=x.shape).astype(np.float32)
    shape = (20, 2, 1000) if axes is None else x.shape
    along = {"axis": axes or (2,), "keepdims": True}
    wide, g = x.astype(np.float64).reshape(shape), dy.astype(np.float64).reshape(shape)
    mean, std = wide.mean(**along), np.sqrt(wide.var(**along) + 1e-5)
    y = (wide - mean) / std
    dx = (g - g.mean(**along) - y * (g * y).mean(**along)) / std
    v = tn.from_numpy(x).requires_grad_()
    with context():
        found = norm(v)
        found.backward(tn.from_numpy(dy))
    np.testing.assert_allclose(
        found.detach().numpy(), y.reshape(x.shape), rtol=0, atol=2e-5
    )  # by the mean's digits: 1e-3
    np.testing.assert_allclose(v.grad.numpy(), dx.reshape(x.shape), rtol=0, atol=2e-5)


@pytest.mark.parametrize("context", [tn.use_definitions, tn.enable_grad], ids=["definition", "kernel"])
@pytest.mark.parametrize("norm", [F.batch_norm, F.instance_norm])
def test_a_large_mean_costs_running_statistics_no_digits(norm, context):
    x = (np.random.default_rng(0).normal(size=(2000, 4, 5)) + 1e4).astype(np.float32)
    mean, var = tn.zeros(4, dtype=tn.float64), tn.zeros(4, dtype=tn.float64)
    with context():
        norm(tn.from_numpy(x), mean, var, momentum=1.0, **({"training": True} if norm is F.batch_norm else {}))
    axes, wide = (0, 2) if norm is F.batch_norm else 2, x.astype(np.float64)
    expected = wide.var(axis=axes, ddof=1).reshape(-1, 4).mean(axis=0)
    np.testing.assert_allclose(mean.numpy(), wide.mean(axis=(0, 2)), rtol=1e-9)
    np.testing.assert_allclose(var.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("number", [True, np.True_, 2.0, "2", None], ids=repr)
def test_the_number_of_threads_is_an_integer(number):
    before = tn.get_num_threads()
    with pytest.raises(TypeError, match="set_num_threads: num must be an integer ≥ 1, got"):
        tn.set_num_threads(number)
    with pytest.raises(ValueError, match="set_num_threads: num must be an integer ≥ 1, got 0"):
        tn.set_num_threads(0)
    assert tn.get_num_threads() == before


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("eps", [None, 1e-5])
def test_derivatives_of_rms_norm_of_one_element_are_as_good_as_their_terms(eps, dtype):
    """y = x/√(x² + ε) has y′ = ε/(x² + ε)^(3/2), which is what 1/√(x² + ε) − x²/(x² + ε)^(3/2) leaves: a few roundings
    of these terms, though all of y′ where ε is one rounding. PyTorch's are the same."""
    rng = np.random.default_rng(0)
    x, u, v = (rng.normal(size=(300, 1)).astype(dtype) for _ in range(3))
    xt, ut = (tn.from_numpy(a).requires_grad_() for a in (x, u))
    (dx,) = tn.autograd.grad(F.rms_norm(xt, (1,), eps=eps), xt, ut, create_graph=True)
    found = [dx, *tn.autograd.grad(dx, [xt, ut], tn.from_numpy(v))]
    (plain,) = tn.autograd.grad(F.rms_norm(xt, (1,), eps=eps), xt, ut.detach())
    x, u, v = (a.astype(np.float64) for a in (x, u, v))
    e = np.finfo(dtype).eps if eps is None else eps
    s = x * x + e
    expected = [u * e / s**1.5, -3 * u * v * x * e / s**2.5, v * e / s**1.5, u * e / s**1.5]
    terms = [np.abs(u) / s**0.5, np.abs(u * v) / s, np.abs(v) / s**0.5, np.abs(u) / s**0.5]
    for name, a, b, size in zip(("dx", "ddx", "du", "plain"), [*found, plain], expected, terms, strict=True):
        assert (np.abs(a.detach().numpy() - b) <= 16 * np.finfo(dtype).eps * size).all(), name


@pytest.mark.parametrize("context", [tn.use_definitions, tn.enable_grad], ids=["definition", "kernel"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(20, 3), (4, 3, 5), (2, 3, 100), (2, 3, 5000)])
@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan])
def test_running_statistics_of_infinities(odd, place, shape, dtype, context):
    """Their sum's mean, and no variance; the other channels are not touched by it. As PyTorch has it."""
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    x.reshape(-1)[place] = odd
    mean, var = (tn.from_numpy(np.full(3, v, dtype)) for v in (0, 1))
    with context(), warnings.catch_warnings():
        warnings.simplefilter("error")
        for norm, options in ((F.batch_norm, {"training": True}), (F.instance_norm, {})):
            if norm is F.instance_norm and x.ndim == 2:
                continue
            mean.fill_(0)
            var.fill_(1)
            norm(tn.from_numpy(x), mean, var, momentum=0.5, **options)
            channel = place % 3
            np.testing.assert_array_equal(mean.numpy()[channel], odd)
            assert np.isnan(var.numpy()[channel])
            assert np.isfinite(np.delete(mean.numpy(), channel)).all()
            assert np.isfinite(np.delete(var.numpy(), channel)).all()
            norm(tn.from_numpy(-x), mean, var, momentum=0.5, **options)  # +inf and −inf: NaN, and no warning
            assert np.isnan(mean.numpy()[channel])


@pytest.mark.parametrize("context", [tn.use_definitions, tn.enable_grad], ids=["definition", "kernel"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", [tn.float32, tn.bfloat16], ids=str)
def test_second_derivative_of_nll_loss_is_zeros(dtype, reduction, context):
    """The gradient does not depend on the input, and requires a gradient all the same, as in PyTorch."""
    x = tn.tensor([[1.0, math.nan], [2.0, -math.inf]], dtype=dtype, requires_grad=True)
    with context():
        y = F.nll_loss(x, tn.tensor([0, 1]), tn.tensor([0.5, 2.0], dtype=dtype), reduction=reduction)
        u = tn.ones(*y.shape, dtype=dtype, requires_grad=True)
        (g,) = tn.autograd.grad(y, x, u.detach(), create_graph=True)
        assert g.requires_grad
        (again,) = tn.autograd.grad(g.sum(), x)
        assert (again == 0).all()
        (plain,) = tn.autograd.grad(F.nll_loss(x, tn.tensor([0, 1]), reduction="sum"), x)
        assert plain.tolist() == [[-1, 0], [0, -1]]
        (g,) = tn.autograd.grad(F.nll_loss(x, tn.tensor([0, 1]), reduction=reduction), x, u, create_graph=True)
        du, dx = tn.autograd.grad(g.sum(), [u, x])
        assert (du.sum().item(), dx.tolist()) == (-2 if reduction != "mean" else -1, [[0, 0], [0, 0]])


def test_zeros_beside_what_is_not_finite_are_printed_as_numbers():
    assert str(tn.tensor([0.0, math.nan])) == "tensor([0., nan])"
    assert str(tn.tensor([math.inf, math.nan])) == "tensor([inf, nan])"
    assert str(tn.tensor([math.inf, 0.5])) == "tensor([   inf, 0.5000])"
