"""What a gradient is compared with: each oracle rejects what is wrong, passes what is right, and knows its limits."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinynet.errors import OptionError
from tinynet.testing import check_grad, check_vjp, vjp_of
from tinynet.testing._numerical import NumericalSide
from tinynet.testing.derivative import Direction, complex_step
from tinynet.testing.subject import NumpyPair

X = np.random.default_rng(0).normal(size=(3, 4))
W = np.random.default_rng(1).normal(size=(4, 2))


def tanh_vjp(x: Any, dy: Any) -> Any:
    return dy * (1 - np.tanh(x) ** 2)


def matmul(x: Any, w: Any) -> Any:
    return np.tanh(x @ w)


def matmul_vjp(x: Any, w: Any, dy: Any) -> Any:
    d = dy * (1 - np.tanh(x @ w) ** 2)
    return d @ w.T, x.T @ d


def matmul_jvp(x: Any, w: Any, v: Any, u: Any) -> Any:
    return (v @ w + x @ u) * (1 - np.tanh(x @ w) ** 2)


@pytest.mark.parametrize("oracle", ["auto", "complex-step", "richardson", "forward", "taylor", matmul_vjp])
def test_right_and_wrong_by_every_oracle(oracle: Any) -> None:
    options: dict[str, Any] = {"oracle": oracle, "jvp": matmul_jvp, "shrink": False}
    for seed in range(10):
        assert check_vjp(matmul, [X, W], vjp=matmul_vjp, seed=seed, **options).verdict == "pass"

        def dropped(x: Any, w: Any, dy: Any) -> Any:
            return dy @ w.T, x.T @ dy

        def off(x: Any, w: Any, dy: Any) -> Any:
            dx, dw = matmul_vjp(x, w, dy)
            return 1.0001 * dx, dw

        for wrong in (dropped, off):
            assert check_vjp(matmul, [X, W], vjp=wrong, seed=seed, **options).verdict == "fail"


def test_taylor_reports_an_order() -> None:
    right = check_vjp(np.tanh, [X], vjp=tanh_vjp, oracle="taylor").arguments[0].worst
    wrong = check_vjp(np.tanh, [X], vjp=lambda x, dy: 1.01 * tanh_vjp(x, dy), oracle="taylor").arguments[0].worst
    assert right is not None
    assert wrong is not None
    assert right.order == pytest.approx(2, abs=0.1)
    assert wrong.order == pytest.approx(1, abs=0.1)
    linear = check_vjp(lambda x: 3 * x, [X], vjp=lambda x, dy: 3 * dy, oracle="taylor")
    assert linear.verdict == "pass"
    assert check_vjp(lambda x: 3 * x, [X], vjp=lambda x, dy: 2 * dy, oracle="taylor").verdict == "fail"


def test_complex_step_is_used_only_where_it_is_right() -> None:
    """Of |x|, and of a real part, the complex step gives 0: differences have to find that out."""
    v = np.ones(X.shape)

    def side(f: Callable[..., Any]) -> NumericalSide:
        return NumericalSide(NumpyPair(f, None, "f"), [X])

    assert side(np.tanh).analytic(0, v)
    assert side(lambda x: np.exp(x).sum()).analytic(0, v)
    for f in (np.abs, lambda x: np.real(x) ** 2, lambda x: x.astype(np.float64), lambda x: np.hypot(x, 1.0)):
        assert not side(f).analytic(0, v)
    report = check_vjp(np.abs, [X], vjp=lambda x, dy: 0 * dy, oracle="complex-step")
    assert report.verdict == "unresolved"
    assert "not analytic" in report.notes[0]
    assert check_vjp(np.abs, [X], vjp=lambda x, dy: 0 * dy).verdict == "fail"  # what the complex step would pass
    assert check_vjp(np.abs, [X], vjp=lambda x, dy: dy * np.sign(x)).verdict == "pass"


def test_complex_step_is_exact() -> None:
    x = np.array([1e-3, 0.3, 2.0, -1.5])
    found = complex_step(np.exp, np.exp(x), x, [Direction((k,), np.ones(())) for k in range(4)])
    assert found is not None
    np.testing.assert_allclose(np.diag(found.value), np.exp(x), rtol=4e-16)


def test_one_entry_that_is_not_analytic_is_seen() -> None:
    """f is |x| in one entry of twenty: the complex step is not taken, and the wrong gradient there is found."""

    def f(x: Any) -> Any:
        y = np.sin(x)
        y[3] = np.abs(x[3])
        return y

    def vjp(x: Any, dy: Any) -> Any:
        g = dy * np.cos(x)
        g[3] = 0.0  # what the complex step gives
        return g

    x = np.random.default_rng(2).normal(size=20)
    report = check_vjp(f, [x], vjp=vjp)
    assert report.verdict == "fail"
    assert report.arguments[0].first_failed is not None
    assert report.arguments[0].first_failed.index == (3,)


def test_second_implementation() -> None:
    import tinynet as tn

    reference = vjp_of(lambda x, w: tn.tanh(x @ w))
    assert check_vjp(matmul, [X, W], vjp=matmul_vjp, oracle=reference).verdict == "pass"
    assert check_vjp(lambda x: tn.tanh(x), [X], oracle=tanh_vjp).verdict == "pass"
    small = [X.astype(np.float32)]
    assert check_vjp(lambda x: tn.tanh(x), small, oracle=tanh_vjp).verdict == "pass"
    report = check_vjp(lambda x: tn.tanh(x), small, oracle=lambda x, dy: 1.001 * tanh_vjp(x, dy))
    assert report.verdict == "fail"
    with pytest.raises(OptionError, match=r"the oracle's gradient of argument 0 has shape \(4, 3\)"):
        check_vjp(np.tanh, [X], vjp=tanh_vjp, oracle=lambda x, dy: tanh_vjp(x, dy).T)
    with pytest.raises(OptionError, match="returned 1 gradients, expected one per argument: 2"):
        check_vjp(matmul, [X, W], vjp=matmul_vjp, oracle=lambda x, w, dy: dy)


def test_bad_oracles() -> None:
    with pytest.raises(OptionError, match="oracle is 'exact', expected a callable or one of auto, complex-step"):
        check_vjp(np.tanh, [X], vjp=tanh_vjp, oracle="exact")
    with pytest.raises(OptionError, match="no jvp is given"):
        check_vjp(np.tanh, [X], vjp=tanh_vjp, oracle="forward")
    with pytest.raises(OptionError, match=r"jvp gives tangents of shapes \[\(4, 3\)\], expected one per output"):
        check_vjp(np.tanh, [X], vjp=tanh_vjp, oracle="forward", jvp=lambda x, v: v.T)


def test_orders() -> None:
    import tinynet as tn

    def f(a: Any, b: Any) -> Any:
        return tn.sin(a) * b

    report = check_grad(f, [X, X + 1], order=3)
    assert report.verdict == "pass", report
    assert report.name == "the gradient of the gradient of f"
    assert len(report.arguments) == 5  # both, the cotangent of f, those of its two gradients
    for order in (0, [0, 1], []):
        with pytest.raises(OptionError, match="expected at least 1"):
            check_grad(f, [X, X], order=order)
    with pytest.raises(OptionError, match="got vjp"):
        check_grad(np.tanh, [X], vjp=tanh_vjp)


def test_the_order_at_which_it_is_wrong() -> None:
    import tinynet as tn

    class Cube(tn.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            (x,) = ctx.saved_tensors
            return 3 * x.detach() * x * dy  # right, but its own derivative lacks a term

    assert check_grad(Cube.apply, [X], order=1).verdict == "pass"
    report = check_grad(Cube.apply, [X], order=3, name="cube")
    assert report.verdict == "fail"
    assert report.name == "the gradient of cube"
