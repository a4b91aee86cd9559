"""PyTorch's `func`: derivatives as functions."""

from __future__ import annotations

import numpy as np
import pytest

import tinynet as tn
from tinynet import func


def test_jacobians_and_hessians() -> None:
    x, w = tn.tensor([0.5, -1.0, 2.0]), tn.tensor([[1.0, 2.0, 3.0], [0.0, -1.0, 1.0]])
    slope = 1 - np.tanh(w.numpy() @ x.numpy()) ** 2
    expected = slope[:, None] * w.numpy()
    for rule in (func.jacrev, func.jacfwd):
        np.testing.assert_allclose(rule(lambda v: (w @ v).tanh())(x).numpy(), expected, rtol=1e-5)
    by_w, by_x = func.jacrev(lambda a, v: (a @ v).tanh(), argnums=(0, 1))(w, x)
    assert tuple(by_w.shape) == (2, 2, 3)
    np.testing.assert_allclose(by_x.numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(func.hessian(lambda v: (v**3).sum())(x).numpy(), np.diag(6 * x.numpy()), rtol=1e-5)


def test_vjp_and_jvp() -> None:
    x = tn.tensor([0.5, -1.0])
    y, pull = func.vjp(lambda v: v**2, x)
    assert y.tolist() == [0.25, 1.0]
    assert pull(tn.tensor([1.0, 10.0])).tolist() == [1.0, -20.0]
    assert pull(tn.ones(2)).tolist() == [1.0, -2.0]
    value, pull, aux = func.vjp(lambda a, b: (a * b, "aux"), x, x + 1, has_aux=True)
    assert (value.tolist(), aux) == ([0.75, 0.0], "aux")
    assert [g.tolist() for g in pull(tn.ones(2))] == [[1.5, 0.0], [0.5, -1.0]]
    y, slope = func.jvp(lambda v: v**2, (x,), (tn.ones(2),))
    assert slope.tolist() == [1.0, -2.0]


def test_functional_call_and_what_is_missing() -> None:
    layer = tn.nn.Linear(2, 1)
    y = func.functional_call(layer, {"weight": tn.ones(1, 2), "bias": tn.zeros(1)}, (tn.ones(3, 2),))
    assert y.tolist() == [[2.0]] * 3
    with pytest.raises(NotImplementedError, match="vmap"):
        func.vmap(tn.sin)
    with pytest.raises(NotImplementedError, match="chunk_size"):
        func.jacrev(tn.sin, chunk_size=2)
