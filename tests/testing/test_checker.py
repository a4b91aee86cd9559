"""The checker's own interface: reports, options, adapters, numerical derivatives, imports."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from tinynet.errors import DtypeError, OptionError
from tinynet.testing import assert_vjp, check_grad, check_jvp, check_vjp, torch_adapter
from tinynet.testing.derivative import BASES, Direction, differentiate

X = np.random.default_rng(0).normal(size=(3, 4))


def tanh_vjp(x: Any, dy: Any) -> Any:
    return dy * (1 - np.tanh(x) ** 2)


class Box:
    """The smallest engine that can be adapted: products and sines of whole arrays, with gradients of gradients."""

    def __init__(self, array: Any, requires_grad: bool = False, parents: Sequence[tuple["Box", Any]] = ()) -> None:
        self.array = np.asarray(array)
        self.parents = [(p, g) for p, g in parents if p.requires_grad]
        self.requires_grad = requires_grad or bool(self.parents)

    def __mul__(self, other: "Box") -> "Box":
        return Box(self.array * other.array, parents=[(self, lambda d: d * other), (other, lambda d: d * self)])

    def __add__(self, other: "Box") -> "Box":
        return Box(self.array + other.array, parents=[(self, lambda d: d), (other, lambda d: d)])

    def sin(self, shift: float = 0.0) -> "Box":
        return Box(np.sin(self.array + shift), parents=[(self, lambda d: d * self.sin(shift + np.pi / 2))])

    def wrong_sin(self) -> "Box":
        return Box(np.sin(self.array), parents=[(self, lambda d: d * self.sin())])


def pull(y: Box, dy: Box, leaves: Sequence[Box]) -> list[Box | None]:
    if y in leaves:
        return [dy if y is leaf else None for leaf in leaves]
    total: list[Box | None] = [None] * len(leaves)
    for parent, rule in y.parents:
        total = [add(a, b) for a, b in zip(total, pull(parent, rule(dy), leaves), strict=True)]
    return total


def add(a: Box | None, b: Box | None) -> Box | None:
    return b if a is None else a if b is None else a + b


class BoxAdapter:
    """The adapter protocol, spelled out by hand."""

    name = "boxes"

    def from_numpy(self, array: Any, requires_grad: bool) -> Box:
        return Box(array.copy(), requires_grad)

    def to_numpy(self, value: Any) -> Any:
        return value.array

    def vjp(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        cotangents: Sequence[Any],
        wrt: Sequence[int],
        create_graph: bool = False,
    ) -> list[Box | None]:
        for i in wrt:
            args[i].requires_grad = True
        y, leaves = f(*args), [args[i] for i in wrt]
        total: list[Box | None] = [None] * len(leaves)
        for output, dy in zip(y if isinstance(y, tuple) else (y,), cotangents, strict=True):
            total = [add(a, b) for a, b in zip(total, pull(output, dy, leaves), strict=True)]
        return total


def test_adapter_of_ones_own_engine() -> None:
    report = assert_vjp(lambda a, b: (a * b).sin() + a, [X, X[::-1]], adapter=BoxAdapter())
    assert [a.passed for a in report.arguments] == [36, 36]
    assert check_vjp(lambda a: a.wrong_sin(), [X], adapter=BoxAdapter()).verdict == "fail"
    unused = check_vjp(lambda a, b: a.sin(), [X, X], adapter=BoxAdapter())
    assert unused.verdict == "pass"  # None means 0 from an engine


def test_second_order() -> None:
    report = check_grad(lambda a, b: (a * b).sin(), [X, X + 1], order=[2], adapter=BoxAdapter())
    assert report.verdict == "pass", report
    assert len(report.arguments) == 3

    def f(a: Box) -> Box:  # its gradient is right, the gradient of its gradient is not
        return Box(
            np.sin(a.array), parents=[(a, lambda d: d * Box(np.cos(a.array), parents=[(a, lambda e: e * a.sin())]))]
        )

    assert check_vjp(f, [X], adapter=BoxAdapter()).verdict == "pass"
    assert check_grad(f, [X], order=[2], adapter=BoxAdapter()).verdict == "fail"


def test_torch_adapter() -> None:
    torch = pytest.importorskip("torch")
    assert_vjp(lambda a, b: torch.tanh(a @ b), [X, X.T.copy()], adapter=torch_adapter)
    assert_vjp(lambda a: torch.nn.functional.gelu(a), [X.astype(np.float32)], adapter=torch_adapter)
    assert_vjp(lambda a: torch.sort(a), [X], adapter=torch_adapter)  # its second output are integers
    report = check_grad(lambda a, b: torch.tanh(a @ b), [X, X.T.copy()], order=[2], adapter=torch_adapter)
    assert report.verdict == "pass", report
    linear = check_grad(lambda a: 2 * a, [X], order=[2], adapter=torch_adapter)
    assert linear.verdict == "pass", linear

    def wrong(a: Any) -> Any:
        return torch.tanh(a) + (torch.sin(a).detach() - torch.sin(a).detach()) + torch.cos(a).detach()

    assert check_vjp(wrong, [X], adapter=torch_adapter).verdict == "fail"
    weight = torch.ones(4, dtype=torch.float32)  # does not mix with float64: the numerical side falls back
    report = check_vjp(lambda a: torch.mv(a, weight).sin(), [X.astype(np.float32)], adapter=torch_adapter)
    assert report.verdict == "pass", report
    assert "own dtype" in report.notes[0]


def test_tinynet_is_the_default() -> None:
    assert_vjp(lambda a: a * a, [X])
    assert_vjp(lambda a: a * a, [X.astype(np.float32)])


def test_report_names_argument_index_and_bound() -> None:
    def vjp(x: Any, w: Any, dy: Any) -> Any:
        dw = x * dy
        dw[1, 2] = 0.0
        return w * dy, dw

    report = check_vjp(np.multiply, [X, X + 3], vjp=vjp, name="product")
    assert not report.passed
    first, second = report.arguments
    assert first.failed == 0
    assert second.failed == 3
    assert second.worst is not None
    assert (second.worst.argument, second.worst.index, second.worst.got) == (1, (1, 2), 0.0)
    assert second.worst.expected == pytest.approx(X[1, 2] * np.sign(second.worst.expected * X[1, 2]), rel=0.6)
    with pytest.raises(AssertionError, match=r"gradient of product: fail(.|\n)*argument 1, at index \(1, 2\)"):
        report.raise_if_failed()


def test_unresolved_is_not_a_pass() -> None:
    zeros = np.zeros(4)
    options: dict[str, Any] = {"vjp": lambda x, dy: dy * (x > 0), "resamples": 0}
    report = check_vjp(lambda x: np.maximum(x, 0), [zeros], **options)
    assert report.verdict == "unresolved"
    assert report.arguments[0].unresolved_share == 1
    assert report.arguments[0].kinks == 12
    report.raise_if_failed(allow_unresolved=True)
    with pytest.raises(AssertionError, match="unresolved"):
        assert_vjp(lambda x: np.maximum(x, 0), [zeros], **options)
    assert check_vjp(lambda x: np.maximum(x, 0), [zeros], max_unresolved=1.0, **options).passed


def test_kinks_are_resampled() -> None:
    """Entries at a kink are moved off it and compared there."""
    report = assert_vjp(lambda x: np.maximum(x, 0), [np.zeros(4)], vjp=lambda x, dy: dy * (x > 0))
    assert (report.arguments[0].resampled, report.arguments[0].unresolved, report.arguments[0].passed) == (12, 0, 12)
    leaky = check_vjp(lambda x: np.maximum(x, 0), [np.zeros(4)], vjp=lambda x, dy: dy * np.where(x > 0, 1.0, 0.1))
    assert leaky.verdict == "fail"
    assert "after this entry was moved off a kink" in str(leaky)


def test_noise_is_unresolved_unless_allowed_for() -> None:
    rng = np.random.default_rng(0)
    noise = {x: rng.normal() for x in range(1000)}

    def noisy(x: Any) -> Any:  # deterministic, and as rough as a sum in another order
        return np.tanh(x) + 1e-6 * np.array([noise[hash(float(v)) % 1000] for v in x.ravel()]).reshape(x.shape)

    assert check_vjp(noisy, [X], vjp=tanh_vjp).verdict == "unresolved"
    assert check_vjp(noisy, [X], vjp=tanh_vjp, atol=1e-3).verdict == "pass"


def test_atol_is_allowed_in_the_cotangent_too() -> None:
    def rounded(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
        return np.round(dy * (1 - np.tanh(x) ** 2), 4)

    report = check_vjp(np.tanh, [X], vjp=rounded)
    assert any("not linear in the cotangent" in problem for problem in report.problems)
    assert check_vjp(np.tanh, [X], vjp=rounded, atol=1e-4).verdict == "pass"
    assert check_jvp(np.tanh, [X], jvp=rounded).verdict == "fail"
    assert check_jvp(np.tanh, [X], jvp=rounded, atol=1e-4).verdict == "pass"


def test_none_means_not_differentiable() -> None:
    def vjp(x: Any, target: Any, dy: Any) -> Any:
        return 2 * dy * (x - target), None

    def loss(x: Any, target: Any) -> Any:
        return (x - target) ** 2

    report = assert_vjp(loss, [X, X + 1], vjp=vjp)
    assert "argument 1 is not checked" in report.notes[0]
    assert check_vjp(loss, [X, X + 1], vjp=vjp, wrt=[0, 1]).verdict == "fail"  # asked for, None is 0


def test_other_arguments_are_passed_on() -> None:
    report = assert_vjp(
        lambda x, k, power, name: x[k] ** power,
        [X, np.array([2, 0]), 3, None],
        vjp=lambda x, k, power, name, dy: (_scatter(x, k, dy * power * x[k] ** (power - 1)), None, None, None),
    )
    assert [a.argument for a in report.arguments] == [0]


def _scatter(x: Any, k: Any, g: Any) -> Any:
    dx = np.zeros_like(x)
    np.add.at(dx, k, g)
    return dx


def test_shared_memory_is_a_warning() -> None:
    report = check_vjp(np.add, [X, X + 1], vjp=lambda x, y, dy: (dy, dy))
    assert report.verdict == "pass"
    assert "the gradient of argument 0 shares memory with the gradient of argument 1" in report.warnings
    assert "the gradient of argument 0 shares memory with cotangent 0" in report.warnings


def test_a_changed_argument_is_put_back() -> None:
    x = X.copy()

    def f(x: Any) -> Any:
        x += 1
        return x.copy()

    report = check_vjp(f, [x], vjp=tanh_vjp)
    assert "argument 0 was changed in place by the function" in report.problems[0]
    np.testing.assert_array_equal(x, X)


def test_read_only_and_strided_arguments() -> None:
    x = np.broadcast_to(X[:1], X.shape)
    assert_vjp(np.tanh, [x], vjp=tanh_vjp)
    assert_vjp(np.tanh, [X.T[::-1, ::2]], vjp=tanh_vjp)


def test_seeds_change_the_cotangents_and_repeat() -> None:
    worst = [check_vjp(np.tanh, [X], vjp=tanh_vjp, seed=s).arguments[0].worst for s in (0, 0, 1)]
    assert worst[0] == worst[1] != worst[2]


def test_options() -> None:
    with pytest.raises(OptionError, match="both vjp and adapter"):
        check_vjp(np.tanh, [X], vjp=tanh_vjp, adapter=torch_adapter)
    with pytest.raises(OptionError, match="no argument is a NumPy array of floating dtype"):
        check_vjp(np.tanh, [np.arange(3)], vjp=tanh_vjp)
    with pytest.raises(OptionError, match=r"wrt holds 1, expected positions of floating arrays: \[0\]"):
        check_vjp(np.tanh, [X], vjp=tanh_vjp, wrt=1)
    with pytest.raises(OptionError, match="cotangents is 0"):
        check_vjp(np.tanh, [X], vjp=tanh_vjp, cotangents=0)
    with pytest.raises(DtypeError, match="complex128"):
        check_vjp(lambda x: x + 1j, [X], vjp=tanh_vjp)


@pytest.mark.parametrize(
    ("f", "exact", "x"),
    [
        (np.sin, np.cos, 1.3),
        (np.exp, np.exp, 3.0),
        (lambda x: np.exp(-50 * x * x), lambda x: -100 * x * np.exp(-50 * x * x), 0.3),
        (lambda x: 1 / (1 + 1e4 * x * x), lambda x: -2e4 * x / (1 + 1e4 * x * x) ** 2, 0.01),
        (lambda x: 1e6 + np.sin(x), np.cos, 0.5),
        (np.sqrt, lambda x: 0.5 / np.sqrt(x), 1e-3),
        (np.cbrt, lambda x: x ** (-2 / 3) / 3, 1e-4),
    ],
)
def test_the_error_bound_holds_where_the_ladder_converged(f: Any, exact: Any, x: float) -> None:
    point = np.array([x])
    good = 0
    for base in BASES:
        with np.errstate(all="ignore"):
            d = differentiate(f, f(point), point, [Direction(None, np.ones(1))], base, np.full(1, 2.0**-52))
        error = abs(d.value[0, 0] - exact(x))
        if d.error[0, 0] < 1e-3 * abs(exact(x)):
            good += 1
            assert error <= d.error[0, 0] + 0.55 * d.jump[0, 0]
    assert good >= 2


def test_the_jump_of_the_slope() -> None:
    for x, jump in ((0.0, 2.0), (0.7, 0.0)):
        point, one = np.array([x]), [Direction(None, np.ones(1))]
        d = differentiate(np.abs, np.abs(point), point, one, 0.25, np.full(1, 2.0**-52))
        assert d.jump[0, 0] == pytest.approx(jump, abs=1e-12)


def test_import_loads_no_engine() -> None:
    code = (
        "import sys, tinynet.testing\n"
        "heavy = {'numba', 'scipy', 'hypothesis', 'torch', 'jax', 'tinynet._tensor', 'tinynet_kernels'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "tinynet.testing.strategies.shapes()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
