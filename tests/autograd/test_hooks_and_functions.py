"""Hooks, retained gradients, custom Functions, anomaly mode."""

import numpy as np
import pytest

import tinynet as tn
from tinynet.autograd import Function, detect_anomaly, grad, once_differentiable
from tinynet.errors import DtypeError, GraphError, ShapeError
from tinynet.testing import check_grad, check_vjp


def leaf(*shape, seed=0):
    return tn.from_numpy(np.random.default_rng(seed).normal(size=shape)).requires_grad_()


def test_hooks_see_and_replace_gradients_in_order():
    x = leaf(2)
    seen = []
    y = x * 3
    y.register_hook(lambda g: seen.append(("y", g.tolist())))
    handle = x.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: seen.append(("x", g.tolist())))
    y.sum().backward()
    assert seen == [("y", [1.0, 1.0]), ("x", [6.0, 6.0])]
    assert x.grad.tolist() == [6.0, 6.0]
    handle.remove()
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    y = x * 3
    y.register_hook(lambda g: g.sum())
    with pytest.raises(ShapeError, match="tensor hook"):
        y.sum().backward()
    with pytest.raises(GraphError, match="register_hook"):
        tn.ones(2).register_hook(print)


def test_retain_grad():
    x = leaf(2)
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    (y * y).sum().backward()
    np.testing.assert_allclose(y.grad.numpy(), 2 * y.detach().numpy())
    assert y.retains_grad
    assert not x.retains_grad


class Cube(Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x)
        ctx.scale = scale
        return x * x * x * scale

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * 3 * ctx.scale * x * x, None


def test_a_function_at_every_order():
    x = np.random.default_rng(0).normal(size=(2, 3))
    assert check_vjp(lambda t: Cube.apply(t, 2.0), [x]).verdict == "pass"
    assert check_grad(lambda t: Cube.apply(t, 2.0), [x], order=[2]).verdict == "pass"


def test_a_function_with_several_outputs_and_none_gradients():
    class Both(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(x, y)
            return x + y, x * y

        @staticmethod
        def backward(ctx, ds, dp):
            x, y = ctx.saved_tensors
            dx = dy = 0.0
            if ds is not None:
                dx, dy = dx + ds, dy + ds
            if dp is not None:
                dx, dy = dx + dp * y, dy + dp * x
            return dx, dy

    a, b = leaf(3), leaf(3, seed=1)
    s, p = Both.apply(a, b)
    assert grad(p.sum(), a, retain_graph=True)[0].tolist() == b.tolist()
    assert grad(s.sum() + 2 * p.sum(), b)[0].tolist() == (1 + 2 * a.detach()).tolist()


def test_saving_an_output_makes_no_cycle():
    import gc
    import weakref

    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, dy):
            (y,) = ctx.saved_tensors
            return dy * y

    gc.collect()
    gc.disable()
    try:
        x = leaf(3)
        y = Exp.apply(x)
        gone = weakref.ref(y)
        y.sum().backward()
        del y
        assert gone() is None
    finally:
        gc.enable()
    np.testing.assert_allclose(x.grad.numpy(), np.exp(x.detach().numpy()))
    assert check_grad(lambda t: Exp.apply(t), [np.array([0.3, -1.0])], order=[2]).verdict == "pass"


def test_setup_context_non_differentiable_and_dirty():
    class Split(Function):
        @staticmethod
        def forward(x):
            return x * 2, (x > 0).double()

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.mark_non_differentiable(output[1])

        @staticmethod
        def backward(ctx, dy, _):
            return dy * 2

    x = leaf(3)
    y, positive = Split.apply(x)
    assert y.requires_grad
    assert not positive.requires_grad

    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, dy):
            return dy * 2

    h = x * 1.0
    part = h[1:]
    out = Double.apply(part)
    assert out is part
    h.sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 2.0]


def test_what_a_function_gets_wrong_is_named():
    class Wrong(Function):
        result = None

        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            return Wrong.result(dy)

    x = leaf(3)
    for result, error, message in (
        (lambda dy: (dy, dy), ShapeError, r"returned 2 gradients for 1 arguments"),
        (lambda dy: dy.sum(), ShapeError, r"Wrong: the gradient of input 0 has shape \(\)"),
        (lambda dy: 3.0, DtypeError, "must be a Tensor or None, got float"),
    ):
        Wrong.result = staticmethod(result)
        with pytest.raises(error, match=message):
            Wrong.apply(x).sum().backward()
    Wrong.result = staticmethod(lambda dy: (dy, None))
    Wrong.apply(x).sum().backward()


def test_once_differentiable():
    class Once(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            return 2 * x * dy

    x = leaf(2)
    w = leaf(2, seed=1)
    Once.apply(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * x.detach().numpy())
    (g,) = grad((Once.apply(x) * w).sum(), x, create_graph=True)
    with pytest.raises(GraphError, match="once_differentiable"):
        g.sum().backward()


def test_anomaly_mode_names_operation_line_and_index():
    x = tn.tensor([1.0, -1.0, 4.0], requires_grad=True)
    with detect_anomaly():
        y = (x * 1.0).sqrt()  # the line
        with pytest.raises(RuntimeError, match=r"backward of sqrt made NaN .* first at index \(1,\).*# the line"):
            y.sum().backward()
    x.sqrt().sum().backward()


def test_anomaly_mode_adds_a_note_to_errors():
    class Fails(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            raise ArithmeticError("inside")

    with detect_anomaly():
        y = Fails.apply(leaf(2)).sum()
        with pytest.raises(ArithmeticError) as caught:
            y.backward()
    assert "Fails" in caught.value.__notes__[0]
    assert "test_hooks_and_functions.py" in caught.value.__notes__[0]
