"""vjp, jvp, hvp, vhp, jacobian, hessian against their definitions."""

import numpy as np
import pytest

import tinynet as tn
from tinynet.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp
from tinynet.errors import GraphError, ShapeError

rng = np.random.default_rng(0)
A = rng.normal(size=(3, 2))


def f(x, y):
    return tn.tanh(tn.from_numpy(A) @ x) * y, (x * x).sum() + y.sum()


def rows(x, y):
    """The Jacobians of f's first output, by hand."""
    t = np.tanh(A @ x)
    return ((1 - t**2) * y)[:, None] * A, np.diag(t)


X, Y = rng.normal(size=2), rng.normal(size=3)


def tensors():
    return tn.from_numpy(X.copy()), tn.from_numpy(Y.copy())


def test_jacobian():
    (jx, jy), (sx, sy) = jacobian(f, tensors())
    expected = rows(X, Y)
    np.testing.assert_allclose(jx.numpy(), expected[0])
    np.testing.assert_allclose(jy.numpy(), expected[1], atol=1e-15)
    np.testing.assert_allclose(sx.numpy(), 2 * X)
    np.testing.assert_allclose(sy.numpy(), np.ones(3))
    single = jacobian(lambda x: x * 2, tensors()[0])
    np.testing.assert_allclose(single.numpy(), 2 * np.eye(2))


def test_products_with_vectors():
    u, v, w = rng.normal(size=3), rng.normal(size=2), rng.normal(size=3)
    jx, jy = rows(X, Y)
    _, (gx, gy) = vjp(f, tensors(), (tn.from_numpy(u), tn.tensor(2.0, dtype=tn.float64)))
    np.testing.assert_allclose(gx.numpy(), u @ jx + 4 * X)
    np.testing.assert_allclose(gy.numpy(), u @ jy + 2)
    (out, _), (t1, t2) = jvp(f, tensors(), (tn.from_numpy(v), tn.from_numpy(w)))
    np.testing.assert_allclose(out.numpy(), np.tanh(A @ X) * Y)
    np.testing.assert_allclose(t1.numpy(), jx @ v + jy @ w)
    np.testing.assert_allclose(t2.item(), 2 * X @ v + w.sum())


def g(x):
    return (tn.sin(x) * x).sum() + (x[0] * x[1]) ** 2


def test_hessian_and_its_products():
    x = tn.from_numpy(X.copy())
    h = hessian(g, x).numpy()
    a, b = X
    expected = np.diag(2 * np.cos(X) - X * np.sin(X)) + np.array([[2 * b * b, 4 * a * b], [4 * a * b, 2 * a * a]])
    np.testing.assert_allclose(h, expected)
    v = rng.normal(size=2)
    value, product = hvp(g, x, tn.from_numpy(v))
    np.testing.assert_allclose(value.item(), g(x).item())
    np.testing.assert_allclose(product.numpy(), expected @ v)
    np.testing.assert_allclose(vhp(g, x, tn.from_numpy(v))[1].numpy(), v @ expected)


def test_results_leave_the_graph_unless_asked():
    x = tn.from_numpy(X.copy()).requires_grad_()
    assert not jacobian(g, x).requires_grad
    j = jacobian(g, x, create_graph=True)
    assert j.requires_grad
    (third,) = tn.autograd.grad(hessian(g, x, create_graph=True).sum(), x)
    assert third.shape == (2,)


def test_errors():
    with pytest.raises(ShapeError, match="v may be left out"):
        vjp(lambda x: x * 2, tn.ones(2))
    with pytest.raises(ShapeError, match=r"v\[0\] has shape"):
        jvp(lambda x: x * 2, tn.ones(2), tn.ones(3))
    with pytest.raises(ShapeError, match="one element"):
        hvp(lambda x: x * 2, tn.ones(2), tn.ones(2))
    with pytest.raises(GraphError, match="strict"):
        jacobian(lambda x: tn.ones(2), tn.ones(2), strict=True)
    assert jacobian(lambda x: tn.ones(2), tn.ones(2)).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(NotImplementedError, match="vectorize"):
        jacobian(g, tn.ones(2), vectorize=True)
