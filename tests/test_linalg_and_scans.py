"""What the records of linear algebra and scans cannot say by their own arguments."""

import numpy as np

import tinynet as tn


def test_the_gradient_of_cholesky_is_symmetric():
    a = np.random.default_rng(0).standard_normal((3, 3))
    x = tn.tensor(a @ a.T + 3 * np.eye(3), requires_grad=True)
    w = tn.tensor(np.tril(np.arange(1.0, 10.0).reshape(3, 3)))
    (tn.linalg.cholesky(x) * w).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), x.grad.numpy().T, rtol=1e-12)
    h = 1e-6  # a step in the direction of both (0, 1) and (1, 0), since the function sees half of the matrix
    step = np.zeros((3, 3))
    step[0, 1] = step[1, 0] = h
    lower, upper = (np.linalg.cholesky(x.detach().numpy() + s * step) for s in (-1, 1))
    slope = ((upper - lower) * w.numpy()).sum() / (2 * h)
    np.testing.assert_allclose(x.grad.numpy()[0, 1] + x.grad.numpy()[1, 0], slope, rtol=1e-6)


def test_a_zero_in_the_cotangent_of_logcumsumexp_spoils_no_second_derivative():
    x = tn.tensor([0.5, -1.0, 2.0], dtype=tn.float64, requires_grad=True)
    dz = tn.tensor([1.0, 0.0, -2.0], dtype=tn.float64, requires_grad=True)
    (dx,) = tn.autograd.grad(tn.logcumsumexp(x, 0), x, dz, create_graph=True)
    dxx, ddz = tn.autograd.grad(dx.sum(), [x, dz])
    weights = np.exp(x.detach().numpy())
    shares = np.tril(weights[None] / np.cumsum(weights)[:, None])  # e^(xₛ − zₜ)
    np.testing.assert_allclose(dx.detach().numpy(), dz.detach().numpy() @ shares, rtol=1e-12)
    np.testing.assert_allclose(ddz.numpy(), shares.sum(1), rtol=1e-12)  # all of e^(xₛ − zₜ) over s is 1
    np.testing.assert_allclose(dxx.numpy(), np.zeros(3), atol=1e-12)  # and so it does not depend on x


def test_gradients_through_equal_eigenvalues_and_singular_values() -> None:
    """What does not use the vectors has a gradient where values are equal; what uses them has none that is finite."""
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    x = tn.tensor(2 * turned, requires_grad=True)
    (norm,) = tn.autograd.grad(tn.linalg.matrix_norm(x, "nuc"), x)
    assert np.allclose(norm.numpy(), turned)  # U Vᵀ
    one = tn.eye(3, dtype=tn.float64).requires_grad_()
    (slope,) = tn.autograd.grad((tn.linalg.eigvalsh(one) ** 2).sum(), one)
    assert np.allclose(slope.numpy(), 2 * np.eye(3))
    weights = tn.tensor(np.arange(9.0).reshape(3, 3))
    with np.errstate(all="ignore"):
        (vectors,) = tn.autograd.grad((tn.linalg.eigh(one)[1] * weights).sum(), one)
    assert not np.isfinite(vectors.numpy()).all()


def test_the_gradient_of_symmetric_factors_is_symmetric() -> None:
    x = np.random.default_rng(1).normal(size=(2, 3, 3))
    leaf = tn.tensor(x + x.swapaxes(-1, -2), requires_grad=True)
    weights = tn.tensor(np.random.default_rng(2).normal(size=(2, 3, 3)))
    (dx,) = tn.autograd.grad((tn.linalg.eigh(leaf)[1] * weights).sum(), leaf)
    assert np.allclose(dx.numpy(), dx.numpy().swapaxes(-1, -2))
    assert np.abs(dx.numpy()).max() > 0.1
