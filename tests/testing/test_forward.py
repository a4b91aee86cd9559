"""Forward mode and Hessian products: right rules pass, wrong ones of every kind do not."""

from typing import Any

import numpy as np
import pytest

from tinynet.errors import OptionError
from tinynet.testing import check_hvp, check_jvp

X = np.random.default_rng(0).normal(size=(3, 4))
W = np.random.default_rng(1).normal(size=(4, 2))


def f(x: Any, w: Any) -> Any:
    return np.tanh(x @ w), x.sum()


def jvp(x: Any, w: Any, v: Any, u: Any) -> Any:
    return (v @ w + x @ u) * (1 - np.tanh(x @ w) ** 2), v.sum()


def test_right() -> None:
    for seed in range(20):
        report = check_jvp(f, [X, W], jvp=jvp, seed=seed)
        assert report.verdict == "pass", report
        assert [a.passed for a in report.arguments] == [21, 21]
    assert str(report).startswith("jvp of f: pass")


def first(change: Any) -> Any:
    def wrong(x: Any, w: Any, v: Any, u: Any) -> Any:
        y, s = jvp(x, w, v, u)
        return change(np.array(y), v), s

    return wrong


def entry(y: Any, v: Any) -> Any:
    y[2, 1] *= 1.001
    return y


def changes_the_argument(x: Any, w: Any, v: Any, u: Any) -> Any:
    x += 1
    return jvp(x, w, v, u)


WRONG = {
    "sign": (first(lambda y, v: -y), ""),
    "one output off by 0.1 %": (first(entry), "tangent of output number 5"),
    "the tangent of one argument forgotten": (lambda x, w, v, u: jvp(x, w, v, 0 * u), "argument 1"),
    "second output forgotten": (lambda x, w, v, u: (jvp(x, w, v, u)[0], 0.0), "output number 6"),
    "square of the tangent": (first(lambda y, v: y * np.abs(y)), "not linear"),
    "an added constant": (first(lambda y, v: y + 1e-3), "tangent 0"),
    "float32": (first(lambda y, v: y.astype(np.float32)), "dtype float32"),
    "changes its argument": (changes_the_argument, "argument 0 was changed"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name: str) -> None:
    rule, says = WRONG[name]
    for seed in range(10):
        report = check_jvp(f, [X.copy(), W], jvp=rule, seed=seed)
        assert report.verdict == "fail", report
        assert says in str(report), report


def test_one_wrong_entry_of_the_jacobian() -> None:
    n = 40

    def cumsum_jvp(x: Any, v: Any) -> Any:
        y = np.cumsum(v)
        y[17:] -= v[3]
        y[18:] += v[3]  # output 17 does not see entry 3
        return y

    report = check_jvp(np.cumsum, [np.linspace(1, 2, n)], jvp=cumsum_jvp)
    assert report.verdict == "fail"
    assert report.arguments[0].first_failed is not None
    assert report.arguments[0].first_failed.index == (17,)


def test_kinks_and_saturation_raise_no_alarm() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    for seed in range(10):
        for function, rule in (
            (lambda x: np.maximum(x, 0), lambda x, v: v * (x > 0)),
            (lambda x: np.tanh(30 * x), lambda x, v: 30 * v * (1 - np.tanh(30 * x) ** 2)),
            (lambda x: np.floor(x), lambda x, v: 0 * v),
            (lambda x: np.log(np.abs(x)), lambda x, v: v / x),
        ):
            assert check_jvp(function, [x], jvp=rule, seed=seed).verdict != "fail"
    at_zero = check_jvp(lambda x: np.maximum(x, 0), [np.zeros(9)], jvp=lambda x, v: v * (x > 0))
    assert at_zero.verdict == "unresolved"


def test_empty_and_integer_arguments() -> None:
    assert check_jvp(lambda x, k: x[k], [X, np.array([2, 0])], jvp=lambda x, k, v, _: v[k]).verdict == "pass"
    assert check_jvp(np.tanh, [np.zeros((0, 3))], jvp=lambda x, v: v).verdict == "pass"


def test_engine() -> None:
    import tinynet as tn

    assert check_hvp(lambda x, w: tn.tanh(x @ w).sum(), [X, W]).verdict == "pass"
    assert check_hvp(lambda x: (3 * x).sum(), [X]).verdict == "pass"  # its Hessian is 0


def test_hvp() -> None:
    def cube(x: Any, w: Any) -> Any:
        return (x**3).sum() + (x @ w).sum() ** 2

    def grad(x: Any, w: Any) -> Any:
        s = 2 * (x @ w).sum()
        return 3 * x * x + s * w.sum(1), s * np.repeat(x.sum(0)[:, None], w.shape[1], 1)

    def hvp(x: Any, w: Any, v: Any, u: Any) -> Any:
        s, ds = 2 * (x @ w).sum(), 2 * ((v @ w).sum() + (x @ u).sum())
        dx = 6 * x * v + ds * w.sum(1) + s * u.sum(1)
        return dx, np.repeat((ds * x.sum(0) + s * v.sum(0))[:, None], w.shape[1], 1)

    assert check_hvp(cube, [X, W], grad=grad, hvp=hvp).verdict == "pass"
    wrong = check_hvp(cube, [X, W], grad=grad, hvp=lambda x, w, v, u: (hvp(x, w, v, 0 * u)[0], hvp(x, w, v, u)[1]))
    assert wrong.verdict == "fail"
    assert "not symmetric" in str(wrong)
    first_order = check_hvp(cube, [X, W], grad=lambda x, w: (grad(x, w)[0], 0 * w), hvp=hvp)
    assert first_order.verdict == "fail"
    assert first_order.name == "cube"


def test_bad_use() -> None:
    with pytest.raises(OptionError, match="expected one number"):
        check_hvp(np.tanh, [X], grad=lambda x: x, hvp=lambda x, v: v)
    with pytest.raises(OptionError, match="both grad and hvp"):
        check_hvp(np.sum, [X], grad=lambda x: x)
    with pytest.raises(OptionError, match="directions is 0"):
        check_jvp(f, [X, W], jvp=jvp, directions=0)
    with pytest.raises(OptionError, match="expected one per output"):
        check_jvp(f, [X, W], jvp=lambda *args: jvp(*args)[0])
    with pytest.raises(TypeError, match="jvp returned None"):
        check_jvp(f, [X, W], jvp=lambda *args: None)
