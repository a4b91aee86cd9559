"""Wrong gradients of numbers of every size and precision fail, right ones pass; NaN is never a gradient."""

from typing import Any

import numpy as np
import pytest

import tinynet as tn
from tinynet.errors import OptionError
from tinynet.testing import check_grad, check_vjp, torch_adapter

ONE = np.array([1.0, 2.0])
Case = tuple[Any, Any, Any]
CASES: dict[str, Case] = {
    "3 x": (lambda x: 3 * x, lambda x, dy: 3 * dy, lambda x, dy: 3.03 * dy),
    "x²": (lambda x: x * x, lambda x, dy: 2 * x * dy, lambda x, dy: 2.01 * x * dy),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [1e-100, 1e-20, 1e-8, 1.0, 1e5, 1e11, 1e13, 1e20, 1e100])
def test_any_magnitude(name: str, size: float) -> None:
    f, right, wrong = CASES[name]
    for seed in range(3):
        options: dict[str, Any] = {"seed": seed, "shrink": False}
        assert check_vjp(f, [ONE * size], vjp=right, **options).verdict == "pass"
        assert check_vjp(f, [ONE * size], vjp=wrong, **options).verdict == "fail"
        assert check_vjp(f, [ONE * size], vjp=lambda x, dy: 0 * dy, **options).verdict == "fail"


def test_magnitudes_mixed() -> None:
    x = np.array([1e100, 2.0])
    assert check_vjp(lambda x: (x * x).sum(), [x], vjp=lambda x, dy: 2 * x * dy).verdict == "pass"
    assert check_vjp(lambda x: (x * x).sum(), [x], vjp=lambda x, dy: 0 * x, shrink=False).verdict == "fail"


@pytest.mark.parametrize("size", [0.1, 10, 100, 1000])
def test_halves_of_any_magnitude(size: float) -> None:
    x = (np.random.default_rng(0).random(50) * size).astype(np.float16)
    half = np.float16
    assert check_vjp(lambda x: x.sum(), [x], vjp=lambda x, dy: np.zeros_like(x) + dy).verdict == "pass"
    assert check_vjp(lambda x: x.sum(), [x], vjp=lambda x, dy: np.zeros_like(x), shrink=False).verdict == "fail"
    assert check_vjp(lambda x: 3 * x, [x], vjp=lambda x, dy: (3 * dy).astype(half)).verdict == "pass"
    assert check_vjp(lambda x: 3 * x, [x], vjp=lambda x, dy: (2.7 * dy).astype(half), shrink=False).verdict == "fail"


def test_extended_precision() -> None:
    x = np.linspace(-1, 1, 6).astype(np.longdouble).reshape(2, 3)
    assert check_vjp(np.sin, [x], vjp=lambda x, dy: dy * np.cos(x)).verdict == "pass"
    assert check_vjp(np.sin, [x], vjp=lambda x, dy: dy, shrink=False).verdict == "fail"


@pytest.mark.filterwarnings("ignore:invalid value")
def test_nan_at_a_kink() -> None:
    """The norm's rule divides by 0 at 0, where each one-sided derivative is finite."""

    def norm(x: Any) -> Any:
        return np.sqrt((x * x).sum())

    report = check_vjp(norm, [np.zeros(3)], vjp=lambda x, dy: dy * x / norm(x), shrink=False)
    assert report.verdict == "fail"


def test_arguments_that_require_a_gradient_alone() -> None:
    torch = pytest.importorskip("torch")

    class Product(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, a: Any, b: Any) -> Any:
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            a, b = ctx.saved_tensors
            return dy * b, dy * a if all(ctx.needs_input_grad) else None

    report = check_vjp(Product.apply, [ONE, ONE + 1], adapter=torch_adapter, shrink=False)
    assert report.verdict == "fail"
    assert "argument 1 is another one where no other argument requires a gradient" in report.problems[0]


def test_bfloat16_of_torch() -> None:
    torch = pytest.importorskip("torch")
    x = torch.linspace(-1, 1, 5, dtype=torch.bfloat16)
    assert check_vjp(torch.sin, [x], adapter=torch_adapter).verdict == "pass"
    assert check_vjp(lambda x: torch.sin(x) + x.detach(), [x], adapter=torch_adapter, shrink=False).verdict == "fail"


def test_programs_of_classes_and_of_higher_orders() -> None:
    class Cube(tn.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            (x,) = ctx.saved_tensors
            return 3 * x.detach() * x * dy

    program = check_grad(Cube.apply, [ONE], order=2).reproduction
    assert "class Cube(tn.autograd.Function):" in program
    assert "import tinynet as tn\n" in program
    assert program.endswith("print(check_grad(Cube.apply, args, order=[2], seed=0))")


def test_what_has_no_gradient_is_refused() -> None:
    with pytest.raises(OptionError, match=r"no output is of floating dtype \(the outputs are int64\)"):
        check_vjp(lambda x: x.argmax(), [ONE], vjp=lambda x, dy: 0 * x)
    with pytest.raises(TypeError, match="the oracle returned None"):
        check_vjp(np.tanh, [ONE], vjp=lambda x, dy: dy, oracle=lambda x, dy: None)
    with pytest.raises(TypeError, match="for a function of NumPy arrays give vjp="):
        check_vjp(np.tanh, [ONE])
