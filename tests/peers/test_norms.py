"""Normalisation agrees with PyTorch: values, gradients, second derivatives, layers with their state."""

import numpy as np
import pytest

import tinynet as tn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.normal(size=shape)


CASES = {
    "layer_norm": (
        (normal(3, 4, 5), normal(4, 5), normal(4, 5)),
        lambda F, x, w, b: F.layer_norm(x, (4, 5), w, b, 1e-3),
    ),
    "layer_norm plain": ((normal(7, 6),), lambda F, x: F.layer_norm(x, (6,))),
    "rms_norm": ((normal(3, 4, 5), normal(5)), lambda F, x, w: F.rms_norm(x, (5,), w)),
    "rms_norm eps": ((normal(3, 4, 5),), lambda F, x: F.rms_norm(x, (4, 5), eps=0.1)),
    "group_norm": ((normal(2, 6, 3, 4), normal(6), normal(6)), lambda F, x, w, b: F.group_norm(x, 3, w, b)),
    "group_norm of rows": ((normal(5, 6), normal(6)), lambda F, x, w: F.group_norm(x, 2, w)),
    "instance_norm": (
        (normal(2, 3, 4, 5), normal(3), normal(3)),
        lambda F, x, w, b: F.instance_norm(x, weight=w, bias=b, eps=1e-3),
    ),
    "batch_norm": ((normal(6, 3), normal(3), normal(3)), lambda F, x, w, b: F.batch_norm(x, None, None, w, b, True)),
}


def derivatives(t, f, arrays):
    """The value, its gradients for a fixed cotangent, and the gradients of these."""
    inputs = [t.from_numpy(a.copy()).requires_grad_() for a in arrays]
    y = f(t.nn.functional, *inputs)
    cotangent = np.random.default_rng(1).normal(size=tuple(y.shape)).astype(arrays[0].dtype)
    first = t.autograd.grad(y, inputs, t.from_numpy(cotangent), create_graph=True)
    again = sum((g * g * t.from_numpy(np.cos(np.arange(g.numel())).reshape(tuple(g.shape)))).sum() for g in first)
    second = t.autograd.grad(again, inputs, allow_unused=True)
    return [v.detach().numpy() for v in (y, *first, *second) if v is not None]


@pytest.mark.parametrize("name", CASES)
def test_values_and_two_derivatives(name):
    arrays, f = CASES[name]
    expected, found = derivatives(torch, f, arrays), derivatives(tn, f, arrays)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("shape", [(2048, 128), (64, 768), (3, 5000), (64, 8, 32, 32), (512, 300)])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_float32_is_as_close_to_float64_as_pytorch(shape, offset):
    """Large enough for every block and chunk; a large offset costs no more digits than in PyTorch."""
    x = (normal(*shape) + offset).astype(np.float32)
    dy = normal(*shape).astype(np.float32)
    if len(shape) == 2:
        forms = [
            lambda F, x: F.layer_norm(x, shape[1:]),
            lambda F, x: F.rms_norm(x, shape[1:]),
            lambda F, x: F.batch_norm(x, None, None, training=True),
        ]
    else:
        forms = [
            lambda F, x: F.group_norm(x, 4),
            lambda F, x: F.instance_norm(x),
            lambda F, x: F.batch_norm(x, None, None, training=True),
        ]
    for f in forms:
        results = []
        for t, dtype in ((torch, np.float64), (torch, np.float32), (tn, np.float32)):
            v = t.from_numpy(x.astype(dtype)).requires_grad_()
            y = f(t.nn.functional, v)
            y.backward(t.from_numpy(dy.astype(dtype)))
            results.append((y.detach().numpy(), v.grad.numpy()))
        for exact, theirs, ours in zip(*results, strict=True):
            scale = np.abs(exact).max()
            assert np.abs(ours - exact).max() <= max(2 * np.abs(theirs - exact).max(), 3e-6 * scale)


LAYERS = {
    "LayerNorm": (lambda nn: nn.LayerNorm([3, 4]), (2, 3, 4)),
    "LayerNorm bias=False": (lambda nn: nn.LayerNorm(4, bias=False), (2, 3, 4)),
    "LayerNorm plain": (lambda nn: nn.LayerNorm(4, elementwise_affine=False), (2, 3, 4)),
    "RMSNorm": (lambda nn: nn.RMSNorm(4), (2, 3, 4)),
    "RMSNorm eps": (lambda nn: nn.RMSNorm((3, 4), eps=1e-3, elementwise_affine=False), (2, 3, 4)),
    "GroupNorm": (lambda nn: nn.GroupNorm(2, 4), (3, 4, 5)),
    "GroupNorm bias=False": (lambda nn: nn.GroupNorm(2, 4, bias=False), (3, 4, 5)),
    "InstanceNorm1d": (lambda nn: nn.InstanceNorm1d(4), (3, 4, 5)),
    "InstanceNorm1d single": (lambda nn: nn.InstanceNorm1d(4, affine=True), (4, 5)),
    "InstanceNorm2d": (
        lambda nn: nn.InstanceNorm2d(3, affine=True, track_running_stats=True, momentum=0.3),
        (2, 3, 4, 5),
    ),
    "InstanceNorm3d": (lambda nn: nn.InstanceNorm3d(2, track_running_stats=True, momentum=None), (2, 2, 2, 3, 2)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    make, shape = LAYERS[name]
    theirs, ours = make(torch.nn).double(), make(tn.nn).double()
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for _ in range(3):
        x = normal(*shape)
        np.testing.assert_allclose(
            ours(tn.from_numpy(x)).detach().numpy(), theirs(torch.from_numpy(x)).detach().numpy(), rtol=1e-9, atol=1e-12
        )
    for (key, v), w in zip(theirs.state_dict().items(), ours.state_dict().values(), strict=True):
        np.testing.assert_allclose(w.numpy(), v.numpy(), rtol=1e-9, atol=1e-12, err_msg=key)
    x = normal(*shape)
    np.testing.assert_allclose(
        ours.eval()(tn.from_numpy(x)).detach().numpy(), theirs.eval()(torch.from_numpy(x)).detach().numpy(), rtol=1e-9
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_rms_norm_of_halves_takes_the_epsilon_of_float32(dtype):
    found = [
        t.nn.functional.rms_norm(t.full((1, 2), 1e-3, dtype=getattr(t, dtype)), (2,)).float().tolist()
        for t in (torch, tn)
    ]
    assert found[0] == found[1]
