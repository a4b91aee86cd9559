"""The further layers and utilities of torch.nn: state dicts, texts, values and gradients are PyTorch's."""

import inspect
import warnings

import numpy as np
import pytest

import tinynet as tn
from tinynet.nn import utils

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

rng = np.random.default_rng(0)
X, IMAGE = rng.normal(size=(4, 5)).astype(np.float32), rng.normal(size=(2, 3, 6, 6)).astype(np.float32)
BAGS = np.array([[1, 2], [3, 3]])
THEIRS = torch.nn.utils


def same(ours, theirs):
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-4, atol=1e-4)


def agree(ours, theirs, *xs, steps=2):
    """With the same state: the same results, gradients and state, in several steps."""
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    ours.load_state_dict({k: tn.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    for _ in range(steps):
        y, z = ours(*map(tn.tensor, xs)), theirs(*map(torch.tensor, xs))
        same(y, z)
        if not y.requires_grad:
            continue
        ours.zero_grad()
        theirs.zero_grad()
        (y * y).sum().backward()
        (z * z).sum().backward()
        for (n, p), (m, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
            assert n == m
            same(p.grad, q.grad)
    for p, q in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        same(p, q)


def both(name, *args):
    return (getattr(t.nn, name)(*args) for t in (tn, torch))


LAYERS = [
    ("LPPool1d", (2, 3, 2), (abs(IMAGE[:, :, 0]),)),
    ("LPPool2d", (2.0, 2), (abs(IMAGE),)),
    ("LocalResponseNorm", (3,), (IMAGE,)),
    ("Bilinear", (5, 5, 3), (X, X)),
    ("EmbeddingBag", (6, 3), (BAGS,)),
    ("EmbeddingBag", (6, 3, None, 2.0, False, "sum", False, None, False, -1), (BAGS,)),
    ("LinearCrossEntropyLoss", (5, 3), (X, np.array([0, 2, 1, 1]))),
]


@pytest.mark.parametrize(("name", "args", "inputs"), LAYERS)
def test_layers(name, args, inputs):
    agree(*both(name, *args), *inputs)


def test_pooling_and_its_inverse():
    for n, x in ((1, IMAGE[:, :, 0]), (2, IMAGE), (3, IMAGE[:, :, None].repeat(2, 2))):
        (pool, theirs), (unpool, inverse) = both(f"MaxPool{n}d", 2, 2, 0, 1, True), both(f"MaxUnpool{n}d", 2)
        assert repr(unpool) == repr(inverse)
        same(unpool(*pool(tn.tensor(x))), inverse(*theirs(torch.tensor(x))))


def test_ctc_loss():
    ours, theirs = both("CTCLoss", 1, "sum", True)
    assert repr(ours) == repr(theirs)
    x, t = IMAGE[0].transpose(1, 0, 2).copy(), np.array([[0, 2], [3, 3], [2, 4]])
    lengths = np.array([6, 5, 6]), np.array([2, 2, 1])
    same(ours(*map(tn.tensor, (x, t, *lengths))), theirs(*map(torch.tensor, (x, t, *lengths))))


def test_adaptive_softmax():
    ours, theirs = both("AdaptiveLogSoftmaxWithLoss", 8, 10, [2, 4], 2.0, True)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: tn.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    x, t = rng.normal(size=(6, 8)).astype(np.float32), np.array([0, 9, 3, 1, 5, 2])
    y, z = ours(tn.tensor(x), tn.tensor(t)), theirs(torch.tensor(x), torch.tensor(t))
    same(y.output, z.output)
    same(y.loss, z.loss)
    y.loss.backward()
    z.loss.backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        same(p.grad, q.grad)
    same(ours.log_prob(tn.tensor(x)), theirs.log_prob(torch.tensor(x)))
    assert ours.predict(tn.tensor(5 * x)).tolist() == theirs.predict(torch.tensor(5 * x)).tolist()
    one = ours(tn.tensor(x[0]), tn.tensor(9))
    assert one.output.shape == ()
    same(one.output, z.output[0] * 0 + theirs(torch.tensor(x[0]), torch.tensor(9)).output)


@pytest.mark.parametrize("dim", [0, 1, None, -1])
def test_weight_norm(dim):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for layer, x in (("Linear", X), ("Conv2d", IMAGE)):
            sizes = (5, 3) if layer == "Linear" else (3, 4, 2)
            for a, b in ((utils, THEIRS), (utils.parametrizations, THEIRS.parametrizations)):
                agree(a.weight_norm(getattr(tn.nn, layer)(*sizes), dim=dim),
                      b.weight_norm(getattr(torch.nn, layer)(*sizes), dim=dim), x)  # fmt: skip


@pytest.mark.parametrize("layer", ["Conv2d", "ConvTranspose2d"])
def test_spectral_norm(layer):
    for a, b in ((utils, THEIRS), (utils.parametrizations, THEIRS.parametrizations)):
        for steps, mode in ((2, True), (1, False)):
            ours, theirs = (
                m.spectral_norm(getattr(t.nn, layer)(3, 4, 2), n_power_iterations=steps).train(mode)
                for m, t in ((a, tn), (b, torch))
            )
            agree(ours, theirs, IMAGE)
    vector = (m.parametrizations.spectral_norm(t.nn.Linear(5, 3), "bias") for m, t in ((utils, tn), (THEIRS, torch)))
    agree(*vector, X)


@pytest.mark.parametrize("sizes", [(5, 3), (5, 5), (5, 8)])
@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder"])
def test_orthogonal(kind, sizes):
    for trivialized in (True, False):
        options = {"orthogonal_map": kind, "use_trivialization": trivialized}
        ours = utils.parametrizations.orthogonal(tn.nn.Linear(*sizes), **options)
        theirs = THEIRS.parametrizations.orthogonal(torch.nn.Linear(*sizes), **options)
        p = theirs.parametrizations.weight.original
        with torch.no_grad():  # away from the origin; the diagonal of reflections is ±1
            p.add_(0.3 * torch.randn(p.shape) * (1 - torch.eye(*p.shape)))
        agree(ours, theirs, X)
        w = ours.weight.detach().numpy()
        w = w.T if w.shape[0] < w.shape[1] else w
        np.testing.assert_allclose(w.T @ w, np.eye(w.shape[1]), atol=1e-5)
        if trivialized or kind == "householder":
            q = np.linalg.qr(rng.normal(size=(max(sizes), min(sizes))))[0].astype(np.float32)
            q = q if sizes[1] >= sizes[0] else q.T.copy()
            ours.weight = tn.tensor(q)
            np.testing.assert_allclose(ours.weight.detach().numpy(), q, atol=1e-5)


LAZY = [
    ("Linear", (3,), X), ("Conv1d", (4, 2), IMAGE[:, :, 0]), ("Conv2d", (6, 2, 1, 0, 1, 3), IMAGE),
    ("ConvTranspose2d", (4, 2), IMAGE), ("Conv3d", (4, 2), IMAGE[:, :, None].repeat(2, 2)), ("BatchNorm1d", (), X),
    ("BatchNorm2d", (), IMAGE), ("InstanceNorm2d", (), IMAGE), ("InstanceNorm1d", (1e-5, 0.1, False), IMAGE[:, :, 0]),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize(("name", "args", "x"), LAZY)
def test_lazy_layers(name, args, x):
    ours, theirs = both(f"Lazy{name}", *args)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    mine, other = (inspect.signature(type(m)).parameters for m in (ours, theirs))
    assert list(mine) == list(other)
    held = list(ours.parameters())
    ours(tn.tensor(x))
    theirs(torch.tensor(x))
    assert all(p is q for p, q in zip(held, ours.parameters(), strict=True))
    assert type(ours) is getattr(tn.nn, name)
    agree(ours, theirs, x)
