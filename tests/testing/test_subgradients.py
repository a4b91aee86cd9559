"""The gradient at a kink is the documented one, and lies between the one-sided derivatives."""

from typing import Any

import numpy as np
import pytest

from tinynet.errors import OptionError, RangeError
from tinynet.testing import check_subgradient

X = np.random.default_rng(0).normal(size=(5, 6))


def relu(x: Any) -> Any:
    return np.maximum(x, 0)


def at_zero(value: float) -> Any:
    return lambda x, dy: dy * np.where(x == 0, value, x > 0)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_relu_at_zero(value: float) -> None:
    for seed in range(10):
        assert check_subgradient(relu, [X], vjp=at_zero(value), at=0.0, seed=seed).verdict == "pass"
        report = check_subgradient(relu, [X], vjp=at_zero(value), at=0.0, seed=seed, expected=at_zero(0.0))
        assert report.verdict == ("pass" if value == 0 else "fail"), report
        assert value == 0 or "not the documented gradient: argument 0" in report.problems[0]


@pytest.mark.parametrize("value", [-0.2, 1.2])
def test_outside_of_the_one_sided_derivatives(value: float) -> None:
    for seed in range(10):
        assert check_subgradient(relu, [X], vjp=at_zero(value), at=0.0, seed=seed).verdict == "fail"


def test_both_zeros() -> None:
    """A rule that looks at the sign bit gives -0.0 another gradient than 0.0."""

    def signbit(x: Any, dy: Any) -> Any:
        return dy * np.where(x == 0, ~np.signbit(x), x > 0)

    assert check_subgradient(relu, [X], vjp=signbit, at=0.0, expected=at_zero(1.0)).verdict == "fail"
    assert check_subgradient(relu, [X], vjp=signbit, at=0.0, expected=at_zero(0.0)).verdict == "fail"


def shares(x: Any, dy: Any) -> Any:
    ties = x == x.max(-1, keepdims=True)
    return dy[:, None] * ties / ties.sum(-1, keepdims=True)


def first(x: Any, dy: Any) -> Any:
    return dy[:, None] * (np.arange(x.shape[1]) == x.argmax(-1)[:, None])


def everyone(x: Any, dy: Any) -> Any:
    return dy[:, None] * (x == x.max(-1, keepdims=True))


def test_ties_of_a_maximum() -> None:
    for seed in range(10):
        options: dict[str, Any] = {"ties": 1, "seed": seed}
        assert check_subgradient(lambda x: x.max(-1), [X], vjp=shares, expected=shares, **options).verdict == "pass"
        assert check_subgradient(lambda x: x.max(-1), [X], vjp=first, **options).verdict == "pass"
        assert check_subgradient(lambda x: x.max(-1), [X], vjp=first, expected=shares, **options).verdict == "fail"
        assert check_subgradient(lambda x: x.max(-1), [X], vjp=everyone, **options).verdict == "fail"


def test_ties_between_arguments() -> None:
    def half(a: Any, b: Any, dy: Any) -> Any:
        return dy * np.where(a == b, 0.5, a > b), dy * np.where(a == b, 0.5, b > a)

    def both(a: Any, b: Any, dy: Any) -> Any:
        return dy * (a >= b), dy * (b >= a)

    for seed in range(10):
        args = [X, X + np.where(X > 0, 0.25, -0.25)]
        assert check_subgradient(np.maximum, args, vjp=half, ties="arguments", seed=seed).verdict == "pass"
        assert check_subgradient(np.maximum, args, vjp=both, ties="arguments", seed=seed).verdict == "fail"


def test_tinynet_gives_what_it_documents() -> None:
    import tinynet as tn

    def half(a: Any, b: Any, dy: Any) -> Any:
        return dy * np.where(a == b, 0.5, a > b), dy * np.where(a == b, 0.5, b > a)

    def sign(x: Any, dy: Any) -> Any:
        return dy * np.sign(x)

    assert check_subgradient(tn.relu, [X], at=0.0, expected=at_zero(0.0)).verdict == "pass"
    assert check_subgradient(tn.abs, [X], at=0.0, expected=sign).verdict == "pass"
    assert check_subgradient(tn.maximum, [X, X[::-1]], ties="arguments", expected=half).verdict == "pass"
    assert check_subgradient(lambda x: tn.amax(x, -1), [X], ties=-1, expected=shares).verdict == "pass"
    assert check_subgradient(lambda x: tn.max(x, -1).values, [X], ties=-1, expected=first).verdict == "pass"


def test_no_kink_is_no_pass() -> None:
    report = check_subgradient(np.tanh, [X], vjp=lambda x, dy: dy * (1 - np.tanh(x) ** 2), at=0.0)
    assert report.verdict == "unresolved"
    assert "nothing was checked" in report.notes[-1]


def test_bad_use() -> None:
    with pytest.raises(RangeError, match=r"ties is axis 2, but argument 0 has shape \(5, 6\)"):
        check_subgradient(relu, [X], vjp=at_zero(0.0), ties=2)
    with pytest.raises(OptionError, match=r"argument 1 has shape \(6,\), expected \(5, 6\)"):
        check_subgradient(np.maximum, [X, X[0]], vjp=lambda a, b, dy: (dy, dy.sum(0)), ties="arguments")
