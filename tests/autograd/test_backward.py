"""backward and grad: accumulation, retention, orders, inputs, errors."""

import numpy as np
import pytest

import tinynet as tn
from tinynet.autograd import grad
from tinynet.errors import GraphError, ShapeError


def leaf(*shape, seed=0):
    return tn.from_numpy(np.random.default_rng(seed).normal(size=shape)).requires_grad_()


def test_gradients_accumulate_and_keep_their_memory():
    x = leaf(3)
    (x * x).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    assert x.grad is first
    np.testing.assert_allclose(x.grad.numpy(), 4 * x.detach().numpy())


def test_a_gradient_shares_memory_with_nothing():
    x, y = leaf(3), leaf(3, seed=1)
    g = tn.ones(3, dtype=tn.float64)
    (x + y).backward(g)
    g.fill_(7.0)
    x.grad.mul_(5.0)
    assert y.grad.tolist() == [1.0, 1.0, 1.0]
    assert x.grad.tolist() == [5.0, 5.0, 5.0]


def test_the_gradient_may_be_left_out_only_for_one_element():
    x = leaf(2)
    with pytest.raises(RuntimeError, match="only for one element"):
        (x * 2).backward()
    with pytest.raises(ShapeError, match=r"gradient 0 has shape \(3,\)"):
        (x * 2).backward(tn.ones(3, dtype=tn.float64))


def test_a_graph_is_freed_unless_retained():
    x = leaf(2)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        y.backward()


def test_what_requires_no_gradient_cannot_go_backward():
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        tn.ones(1).backward()


def test_backward_into_chosen_inputs_leaves_the_others_alone():
    x, y = leaf(2), leaf(2, seed=1)
    h = x * y
    (h * h).sum().backward(inputs=[x, h])
    assert y.grad is None
    np.testing.assert_allclose(h.grad.numpy(), 2 * h.detach().numpy())
    np.testing.assert_allclose(x.grad.numpy(), (2 * h * y).detach().numpy())


def test_grad_of_unused_inputs():
    x, y = leaf(2), leaf(2)
    out = (x * x).sum()
    with pytest.raises(GraphError, match="input 1 was not used"):
        grad(out, (x, y), retain_graph=True)
    assert grad(out, (x, y), retain_graph=True, allow_unused=True)[1] is None
    assert grad(out, (x, y), materialize_grads=True)[1].tolist() == [0.0, 0.0]
    assert x.grad is None


def test_the_fifth_derivative_of_a_product():
    x = leaf(4)
    g = tn.sin(x) * x**3
    for _ in range(5):
        (g,) = grad(g.sum(), x, create_graph=True)
    a = x.detach().numpy()
    expected = (a**3 - 60 * a) * np.cos(a) + (15 * a**2 - 60) * np.sin(a)
    np.testing.assert_allclose(g.detach().numpy(), expected, rtol=1e-9)


def test_create_graph_makes_gradients_that_can_be_differentiated():
    x = leaf(3)
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    (gg,) = grad(x.grad.sum(), x)
    np.testing.assert_allclose(gg.numpy(), 6 * x.detach().numpy())


def test_one_tensor_passed_twice_counts_twice():
    x = leaf(3, 3)
    (x @ x).sum().backward()
    a = x.detach().numpy()
    ones = np.ones((3, 3))
    np.testing.assert_allclose(x.grad.numpy(), ones @ a.T + a.T @ ones)


def test_one_tensor_passed_twice_to_a_fused_operation_at_second_order():
    x = leaf(3, 3)
    y = tn.nn.functional.linear(x, x)
    (g,) = grad((y * y).sum(), x, create_graph=True)
    (h,) = grad((g * g).sum(), x)

    def f(a):
        b = tn.from_numpy(a).requires_grad_()
        z = b @ b.t()
        (k,) = grad((z * z).sum(), b)
        return float((k * k).sum())

    a, eps, numeric = x.detach().numpy().copy(), 1e-6, np.zeros((3, 3))
    for i in np.ndindex(3, 3):
        up, down = a.copy(), a.copy()
        up[i] += eps
        down[i] -= eps
        numeric[i] = (f(up) - f(down)) / (2 * eps)
    np.testing.assert_allclose(h.numpy(), numeric, rtol=1e-5, atol=1e-5)


def test_a_backward_inside_a_backward():
    x = leaf(2)

    def hook(g):
        with tn.enable_grad():
            inner = leaf(2, seed=3)
            (inner * inner).sum().backward()
        return g * inner.grad

    y = x * 1.0
    y.register_hook(hook)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * leaf(2, seed=3).detach().numpy())


def test_broadcasts_are_undone():
    x, y = leaf(3, 1), leaf(2, 1, 4, seed=1)
    w = np.random.default_rng(2).normal(size=(2, 3, 4))
    (x * y).backward(tn.from_numpy(w))
    np.testing.assert_allclose(x.grad.numpy(), (w * y.detach().numpy()).sum(axis=(0, 2))[:, None])
    np.testing.assert_allclose(y.grad.numpy(), (w * x.detach().numpy()).sum(axis=1, keepdims=True))


def test_gradients_come_in_the_dtype_of_the_leaf():
    x = tn.ones(2, requires_grad=True)
    y = tn.ones(2, dtype=tn.float64, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.dtype is tn.float32
    assert y.grad.dtype is tn.float64


def test_modes():
    x = leaf(2)
    with tn.no_grad():
        assert not (x * 2).requires_grad
        with tn.enable_grad():
            assert (x * 2).requires_grad
    with tn.inference_mode():
        assert tn.is_inference_mode_enabled()
        assert not (x * 2).requires_grad
    with tn.set_grad_enabled(False):
        assert not tn.is_grad_enabled()
    assert tn.is_grad_enabled()

    @tn.no_grad()
    def f():
        return x * 2

    @tn.no_grad
    def g():
        return x * 2

    @tn.no_grad()
    def steps():
        yield x * 2
        yield x * 2

    assert not f().requires_grad
    assert not g().requires_grad
    assert [y.requires_grad for y in steps()] == [False, False]
    assert tn.is_grad_enabled()


def test_modes_belong_to_their_thread():
    import threading

    seen = []
    with tn.no_grad():
        t = threading.Thread(target=lambda: seen.append(tn.is_grad_enabled()))
        t.start()
        t.join()
    assert seen == [True]


def test_integers_have_no_gradient():
    with pytest.raises(TypeError, match="only floating-point"):
        tn.arange(3).requires_grad_()
    x = leaf(2)
    assert not x.long().requires_grad
    assert not (x > 0).requires_grad


def test_leaf_rules_of_requires_grad():
    x = leaf(2)
    y = x * 2
    assert x.is_leaf
    assert not y.is_leaf
    with pytest.raises(RuntimeError, match="only leaf tensors"):
        y.requires_grad_(False)
    assert not x.requires_grad_(False).requires_grad
    assert y.grad_fn.name() == "MulBackward"


def test_deepcopy_and_pickle_make_new_leaves():
    import copy
    import pickle

    x = leaf(2)
    (x * x).sum().backward()
    for other in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert other.is_leaf
        assert other.requires_grad
        other.data.fill_(0.0)
        assert x.detach().numpy().all()
    with pytest.raises(RuntimeError, match="only leaf tensors"):
        copy.deepcopy(x * 2)
