"""utils.checkpoint: the same results and gradients, with less kept."""

from __future__ import annotations

import numpy as np
import pytest

import tinynet as tn
from tinynet import nn
from tinynet.utils.checkpoint import checkpoint, checkpoint_sequential


def close(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("reentrant", [True, False])
def test_values_and_gradients(reentrant):
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 2))
    x = tn.randn(5, 3, requires_grad=True)

    def run(call):
        tn.manual_seed(3)
        y = call(x * 2)
        after = tn.rand(2)
        gradients = tn.autograd.grad((y * y).sum(), [x, *model.parameters()])
        return [y, after, *gradients]

    close(run(lambda h: checkpoint(model, h, use_reentrant=reentrant)), run(model))
    close(run(lambda h: checkpoint_sequential(model, 2, h, use_reentrant=reentrant)), run(model))
    for p in model.parameters():
        p.grad = None
    checkpoint(model, x, use_reentrant=reentrant).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_structures_second_order_and_no_gradient():
    w, x = tn.tensor([0.5, 2.0], requires_grad=True), tn.tensor([1.0, 3.0], requires_grad=True)

    def f(pair, scale=1.0):
        a, b = pair["a"], pair["b"]
        return {"y": tn.tanh(a * w) * scale, "rest": [b.sum(), 7]}

    def run(call):
        out = call(f, {"a": x * 1, "b": x.detach()}, scale=2.0)
        assert out["rest"][1] == 7
        g = tn.autograd.grad(out["y"].sum() + out["rest"][0], [x, w], create_graph=True)
        return [out["y"], *g, *tn.autograd.grad(sum((t * t).sum() for t in g), [x, w])]

    found = run(lambda f, *a, **k: checkpoint(f, *a, use_reentrant=False, **k))
    close(found, run(lambda f, *a, **k: f(*a, **k)))
    with tn.no_grad():
        assert not checkpoint(tn.exp, x, use_reentrant=False).requires_grad


def test_the_graph_within_is_not_kept():
    x, held = tn.ones(3, requires_grad=True), []

    def f(x):
        y = x.exp()
        y.register_hook(lambda g: held.append(g))
        return y.sin()

    z = checkpoint(f, x, use_reentrant=False)
    assert z.grad_fn.name().startswith("Recomputed") or "ecomputed" in z.grad_fn.name()
    z.sum().backward()
    assert len(held) == 1  # the hook of the second run alone
    np.testing.assert_allclose(x.grad.numpy(), np.cos(np.e) * np.e * np.ones(3), rtol=1e-6)


def test_what_is_refused():
    x = tn.ones(2, requires_grad=True)
    y = x * 2
    with pytest.raises(NotImplementedError, match="MulBackward; pass it as an argument"):
        checkpoint(lambda a: a * y, x, use_reentrant=False)
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad"):
        assert not checkpoint(nn.Linear(2, 1), tn.ones(2), use_reentrant=True).requires_grad
    with pytest.warns(UserWarning, match="pass use_reentrant explicitly"):
        checkpoint(tn.exp, x)
    with pytest.raises(ValueError, match="unexpected keyword"):
        checkpoint(tn.exp, x, use_reentrant=True, scale=2)
    with pytest.raises(NotImplementedError, match="debug"):
        checkpoint(tn.exp, x, use_reentrant=False, debug=True)
