"""The functions of torch.nn.functional beside the common ones give PyTorch's values and gradients, to second order."""

import itertools

import numpy as np
import pytest

import tinynet as tn
import tinynet.nn.functional as F
from tests.peers.test_functions import agree

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

rng = np.random.default_rng(0)
TABLE, BAG, STARTS = rng.normal(size=(6, 3)), np.array([1, 2, 0, 5, 2, 2, 4]), np.array([0, 3, 3, 6])
PLANES = {1: rng.normal(size=(2, 3, 7)), 2: rng.normal(size=(2, 3, 6, 4)), 3: rng.normal(size=(2, 2, 4, 4, 4))}


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag(mode):
    for padding in (None, 2, -1):
        o = {"mode": mode, "padding_idx": padding, "order": 1}
        agree("embedding_bag", BAG, TABLE, STARTS, **o)
        agree("embedding_bag", BAG, TABLE, np.array([0, 3, 3, 7]), include_last_offset=True, **o)
        agree("embedding_bag", BAG[:6].reshape(2, 3), TABLE, **o)
    if mode == "sum":
        agree("embedding_bag", BAG, TABLE, STARTS, mode=mode, per_sample_weights=rng.normal(size=7), order=1)


def test_bilinear_and_pairs():
    x, y, w, b = (rng.normal(size=s) for s in ((2, 4, 3), (2, 4, 5), (2, 3, 5), (2,)))
    agree("bilinear", x, y, w, b)
    agree("bilinear", x[0, 0], y[0, 0], w)
    agree("conv_tbc", rng.normal(size=(5, 2, 3)), rng.normal(size=(3, 3, 4)), rng.normal(size=4), 1)
    for p in (0.5, 1.0, 2.0, 3.0, np.inf):
        agree("pdist", rng.normal(size=(4, 3)), p, order=1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_pooling(n):
    x = PLANES[n]
    for p, o in itertools.product((1.0, 2.0, 3.0, np.inf, -np.inf), ({}, {"stride": 1}, {"ceil_mode": True})):
        agree(f"lp_pool{n}d", np.abs(x) + 0.1, p, 2, order=1 if np.isinf(p) else 2, **o)
    agree(f"lp_pool{n}d", x, 2.0, 2)
    agree(f"lp_pool{n}d", 0 * x[0], 2.0, 2, order=1)
    for stride in (2, 1):
        y, k = getattr(F, f"max_pool{n}d_with_indices")(tn.from_numpy(x), 2, stride)
        z, i = getattr(torch.nn.functional, f"max_pool{n}d_with_indices")(torch.from_numpy(x), 2, stride)
        np.testing.assert_array_equal(y.numpy(), z.numpy())
        np.testing.assert_array_equal(k.numpy(), i.numpy())
        agree(f"max_unpool{n}d", y.numpy(), k.numpy(), 2, stride)
        agree(f"max_unpool{n}d", y.numpy()[0], k.numpy()[0], 2, stride)
    agree(f"max_unpool{n}d", x[..., ::2].copy(), np.zeros(x[..., ::2].shape, int), 2)  # one place for all
    for size in (1, 2, 3, 4):
        agree("local_response_norm", x, size, alpha=0.5, beta=0.7, k=2.0)


def test_max_pooling_over_the_end():
    for h, w, k, stride in itertools.product((2, 3, 4, 5), (2, 3, 4, 5), (2, 3), (1, 2, 3)):
        if min(h, w) >= k:
            agree("max_pool2d", rng.normal(size=(1, 2, h, w)), k, stride, ceil_mode=True, order=1)


@pytest.mark.parametrize("align", [True, False])
def test_grids(align):
    agree("affine_grid", rng.normal(size=(2, 2, 3)), (2, 3, 4, 1), align_corners=align)
    agree("affine_grid", rng.normal(size=(2, 3, 4)), (2, 3, 4, 2, 3), align_corners=align)
    for padding, mode in itertools.product(("zeros", "border", "reflection"), ("bilinear", "nearest", "bicubic")):
        o = {"mode": mode, "padding_mode": padding, "align_corners": align, "order": 1}
        agree("grid_sample", PLANES[2], 1.5 * rng.normal(size=(2, 4, 3, 2)), **o)
        agree("grid_sample", PLANES[2][:, :, :1], 1.5 * rng.normal(size=(2, 4, 3, 2)), **o)
        if mode != "bicubic":
            agree("grid_sample", PLANES[3], 1.5 * rng.normal(size=(2, 4, 3, 2, 3)), **o)


def test_older_names_and_linear_cross_entropy():
    agree("upsample", PLANES[2], 7, order=1)
    agree("upsample_bilinear", PLANES[2], 7, order=1)
    agree("upsample_nearest", PLANES[2], None, 2, order=1)
    x, w = rng.normal(size=(4, 3)), rng.normal(size=(5, 2, 3))
    agree("linear_cross_entropy", x, w[:, 0].copy(), np.array([0, 1, 4, 2]), linear_bias=rng.normal(size=5))
    agree("linear_cross_entropy", x, w, np.array([[0, 1], [1, 2], [4, 4], [2, 1]]), label_smoothing=0.1)


IN_PLACE = {
    "relu_": (), "leaky_relu_": (0.2,), "elu_": (0.7,), "selu_": (), "celu_": (1.5,), "hardtanh_": (-1.0, 0.5),
    "threshold_": (0.1, 0.5), "rrelu_": (),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(name):
    x, found = TABLE.copy(), []
    for t, functional in ((torch, torch.nn.functional), (tn, F)):
        leaf = t.tensor(x, requires_grad=True)
        y = leaf * 1
        assert getattr(functional, name)(y, *IN_PLACE[name]) is y
        y.sum().backward()
        found.append((y.detach().numpy(), leaf.grad.numpy()))
    np.testing.assert_allclose(found[1], found[0])


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64", "int8"])
def test_integers(dtype):
    x = np.array([[-8, -1, 0, 2, 9, 3]]).astype(dtype)
    low = 0 if dtype == "uint8" else -2.5
    calls = {"hardtanh": (low, 2.5), "relu6": (), "threshold": (0.5, 2.7), "tanhshrink": ()}
    if dtype != "uint8":  # of which PyTorch computes 1 + 255 = 0
        calls["softsign"] = ()
    for name, args in calls.items():
        y = getattr(torch.nn.functional, name)(torch.from_numpy(x), *args).numpy()
        z = getattr(F, name)(tn.from_numpy(x), *args).numpy()
        assert y.dtype == z.dtype
        np.testing.assert_allclose(z, y, rtol=1e-6, err_msg=name)


def ctc(t, x, labels, lengths, wanted, **options):
    leaf = t.tensor(x, requires_grad=True)
    y = t.nn.functional.ctc_loss(leaf, t.tensor(labels), lengths, wanted, **options)
    u = t.tensor(np.asarray(np.random.default_rng(1).normal(size=tuple(y.shape))))
    return y.detach().numpy(), t.autograd.grad(y, leaf, u)[0].numpy()


@pytest.mark.parametrize("seed", range(20))
def test_ctc_loss(seed):
    """Of any inputs, normalised or not: PyTorch's gradient is exp(x) less the share of the alignments."""
    draw = np.random.default_rng(seed)
    frames, n, classes, most = draw.integers(1, 9), draw.integers(1, 4), draw.integers(2, 6), draw.integers(0, 5)
    x, blank = draw.normal(size=(frames, n, classes)), int(draw.integers(classes))
    labels = draw.integers(0, classes, (n, most))
    labels = np.where(labels == blank, (blank + 1) % classes, labels)
    lengths = tuple(draw.integers(0, frames + 1, n).tolist())
    wanted = tuple(draw.integers(0, most + 1, n).tolist())
    joined = np.concatenate([row[:k] for row, k in zip(labels, wanted, strict=True)])
    for reduction, zero, target in itertools.product(("none", "mean", "sum"), (False, True), (labels, joined)):
        o = {"blank": blank, "reduction": reduction, "zero_infinity": zero}
        (y, dx), (z, dz) = (ctc(t, x, target, lengths, wanted, **o) for t in (torch, tn))
        np.testing.assert_allclose(z, y, rtol=1e-9)
        np.testing.assert_allclose(dz, dx, rtol=1e-7, atol=1e-10)
        with tn.use_definitions():
            w, dw = ctc(tn, x, target, lengths, wanted, **o)
        np.testing.assert_allclose(w, y, rtol=1e-9)
        np.testing.assert_array_equal(np.isfinite(dw), np.isfinite(dx))
        np.testing.assert_allclose(np.where(np.isfinite(dx), dw, np.nan), dx, rtol=1e-7, atol=1e-10)


def test_ctc_loss_of_one_sample():
    x, label = rng.normal(size=(6, 4)), np.array([1, 2])
    for reduction in ("none", "mean"):
        (y, dx), (z, dz) = (ctc(t, x, label, (6,), (2,), reduction=reduction) for t in (torch, tn))
        assert y.shape == z.shape == ()
        np.testing.assert_allclose(z, y)
        np.testing.assert_allclose(dz, dx)
