"""The adapters: the same functions, right and wrong, through every engine that is installed."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.test_layering import loaded_by
from tinynet.errors import DtypeError
from tinynet.testing import (
    assert_vjp,
    autograd_adapter,
    check_grad,
    check_vjp,
    jax_adapter,
    tinynet_adapter,
    torch_adapter,
)
from tinynet.testing.adapters import device_of, outputs_of

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4))
INDEX = np.array([2, 0, 2])


@dataclass(frozen=True)
class Engine:
    """An adapter, the functions it is tried on in the engine's names, and a way to detach."""

    adapter: Any
    np: Any
    stop: Callable[[Any], Any]
    argmax: Callable[[Any], Any]


def jax_engine() -> Engine:
    jax = pytest.importorskip("jax")
    jnp = pytest.importorskip("jax.numpy")

    return Engine(jax_adapter, jnp, jax.lax.stop_gradient, lambda x: jnp.argmax(x, -1))


def autograd_engine() -> Engine:
    pytest.importorskip("autograd")
    import autograd.numpy
    from autograd.tracer import getval

    return Engine(autograd_adapter, autograd.numpy, getval, lambda x: np.argmax(getval(x), -1))


def torch_engine() -> Engine:
    torch = pytest.importorskip("torch")
    return Engine(torch_adapter, torch, lambda x: x.detach(), lambda x: torch.argmax(x, -1))


def tinynet_engine() -> Engine:
    import tinynet

    return Engine(tinynet_adapter, tinynet, lambda x: x.detach(), lambda x: tinynet.argmax(x, -1))


ENGINES = [tinynet_engine, torch_engine, jax_engine, autograd_engine]


@pytest.fixture(params=ENGINES, ids=lambda make: make.__name__.removesuffix("_engine"))
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param()  # type: ignore[no-any-return]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_right_and_wrong_functions(engine: Engine, dtype: str) -> None:
    t = engine.np
    x, y = X.astype(dtype), Y.T.astype(dtype)
    report = assert_vjp(lambda a, b: t.tanh(a @ b), [x, y], adapter=engine.adapter)
    assert [a.dtype for a in report.arguments] == [dtype] * 2
    assert not report.notes
    wrong = check_vjp(lambda a: t.tanh(a) + engine.stop(t.cos(a)), [x], adapter=engine.adapter)
    assert wrong.verdict == "fail"


def test_values_and_dtypes_survive_the_way_there_and_back(engine: Engine) -> None:
    for dtype in ("float64", "float32", "float16", "int64", "int32", "bool"):
        array = (10 * X).astype(dtype)
        tensor = engine.adapter.from_numpy(array, False)
        back = engine.adapter.to_numpy(tensor)
        np.testing.assert_array_equal(back, array, strict=True)
        assert not np.shares_memory(back, array)
    strided = engine.adapter.to_numpy(engine.adapter.from_numpy(X.T[::-1], True))
    np.testing.assert_array_equal(strided, X.T[::-1])
    assert device_of(engine.adapter.from_numpy(X, False)) is not None
    assert device_of("text") is None


def test_integer_argument(engine: Engine) -> None:
    report = assert_vjp(lambda x, i: x[i] * 2, [X, INDEX], adapter=engine.adapter)
    assert len(report.arguments) == 1
    assert_vjp(lambda x, i: x[i] * 2, [X.astype("float32"), INDEX], adapter=engine.adapter)


def test_integer_output(engine: Engine) -> None:
    assert_vjp(lambda x: (engine.np.sin(x), engine.argmax(x)), [X], adapter=engine.adapter)


def test_several_outputs(engine: Engine) -> None:
    t = engine.np

    def f(a: Any, b: Any) -> Any:
        return t.sin(a) * b, a @ b.T, t.sum(b)

    assert_vjp(f, [X, Y], adapter=engine.adapter)
    assert_vjp(f, [X, Y], adapter=engine.adapter, wrt=1)

    def wrong(a: Any, b: Any) -> Any:
        return t.sin(a), engine.stop(a) * b

    assert check_vjp(wrong, [X, Y], adapter=engine.adapter).verdict == "fail"


def test_unused_argument_and_constant_function(engine: Engine) -> None:
    assert_vjp(lambda a, b: engine.np.sin(a), [X, Y], adapter=engine.adapter)
    assert_vjp(lambda a, b: 2 * b, [X, Y], adapter=engine.adapter, wrt=[0])
    constant = engine.adapter.from_numpy(X, False)
    assert_vjp(lambda a: constant, [X], adapter=engine.adapter)


def test_other_arguments_are_passed_on(engine: Engine) -> None:
    assert_vjp(lambda a, n, none, b: a**n * b, [X, 3, None, Y], adapter=engine.adapter)


def test_zero_dimensions_and_size_zero(engine: Engine) -> None:
    assert_vjp(lambda a, b: engine.np.sin(a) * b, [np.array(0.5), np.array(2.0)], adapter=engine.adapter)
    assert_vjp(lambda a: engine.np.sin(a), [np.zeros((0, 3))], adapter=engine.adapter)


def test_second_order(engine: Engine) -> None:
    t = engine.np
    report = check_grad(lambda a, b: t.tanh(a @ b), [X, Y.T.copy()], order=[2], adapter=engine.adapter)
    assert report.verdict == "pass", report
    assert len(report.arguments) == 3
    linear = check_grad(lambda a: 2 * a, [X], order=[2], adapter=engine.adapter)
    assert linear.verdict == "pass", linear
    outputs = check_grad(lambda a, b: (t.sin(a) * b, t.exp(b)), [X, Y], order=[2], adapter=engine.adapter)
    assert outputs.verdict == "pass", outputs
    single = check_grad(lambda a, b: t.sin(a) * b, [X, Y], order=[2], adapter=engine.adapter, wrt=0)
    assert single.verdict == "pass", single
    f32 = check_grad(lambda a: t.tanh(a), [X.astype("float32")], order=[2], adapter=engine.adapter)
    assert f32.verdict == "pass", f32


def test_second_order_finds_what_first_order_cannot(engine: Engine) -> None:
    def f(a: Any) -> Any:  # sin, whose derivative is right as a number, but is a constant to the second derivative
        c = engine.stop(a)
        return engine.np.sin(c) + (a - c) * engine.np.cos(c)

    pull = engine.adapter.vjp(f, [engine.adapter.from_numpy(X, True)], [engine.adapter.from_numpy(Y, False)], [0])
    np.testing.assert_allclose(engine.adapter.to_numpy(pull[0]), Y * np.cos(X))
    assert check_grad(f, [X], order=[2], adapter=engine.adapter).verdict == "fail"


def numerical(engine: Engine, f: Callable[..., Any], args: list[Any], tangents: list[Any], h: float) -> list[Any]:
    def at(step: float) -> list[Any]:
        moved = [x + step * v if v is not None else x for x, v in zip(args, tangents, strict=True)]
        tensors = [engine.adapter.from_numpy(x, False) if isinstance(x, np.ndarray) else x for x in moved]
        run = getattr(engine.adapter, "call", lambda f, args: f(*args))
        return [engine.adapter.to_numpy(y) for y in outputs_of(run(f, tensors))]

    return [(b - a) / (2 * h) for a, b in zip(at(-h), at(h), strict=True)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_jvp(engine: Engine, dtype: str) -> None:
    t = engine.np

    def f(a: Any, n: Any, b: Any) -> Any:
        return t.sin(a) * b, engine.argmax(b), t.sum(t.tanh(a @ b.T) ** n), t.exp(b)

    x, y = X.astype(dtype), Y.astype(dtype)
    v, w = RNG.normal(size=(2, 3, 4)).astype(dtype)
    make = engine.adapter.from_numpy
    for wrt, tangents in (([0, 2], [v, None, w]), ([2], [None, None, w]), ([0], [v, None, None])):
        expected = numerical(engine, f, [X, 2, Y], tangents, 1e-6)
        got = engine.adapter.jvp(f, [make(x, False), 2, make(y, False)], [make(tangents[i], False) for i in wrt], wrt)
        assert got[1] is None
        for k in (0, 2, 3):
            array = engine.adapter.to_numpy(got[k])
            assert array.dtype == dtype
            np.testing.assert_allclose(array, expected[k], rtol=0, atol=1e-7 if dtype == "float64" else 1e-4)


def test_jvp_of_constants_and_of_zero_gradients(engine: Engine) -> None:
    x, v = (engine.adapter.from_numpy(a, False) for a in (X, Y))
    for f in (lambda a: engine.stop(a), lambda a: 0 * a):
        (tangent,) = engine.adapter.jvp(f, [x], [v], [0])
        np.testing.assert_array_equal(engine.adapter.to_numpy(tangent), np.zeros((3, 4)))


def test_jvp_without_a_rule_says_so_torch() -> None:
    torch = pytest.importorskip("torch")

    class Square(torch.autograd.Function):  # type: ignore[misc]
        differentiable = True

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            (x,) = ctx.saved_tensors
            return (
                2 * x * dy if Square.differentiable else torch.from_numpy(2 * x.detach().numpy() * dy.detach().numpy())
            )

    x, v = torch.from_numpy(X), torch.from_numpy(Y)
    (tangent,) = torch_adapter.jvp(Square.apply, [x], [v], [0])  # by two backwards
    np.testing.assert_allclose(tangent.detach().numpy(), 2 * X * Y)
    Square.differentiable = False
    with pytest.raises(NotImplementedError, match="torch: no forward mode"):
        torch_adapter.jvp(Square.apply, [x], [v], [0])

    def broken(x: Any) -> Any:
        raise RuntimeError("the function's own")

    with pytest.raises(RuntimeError, match="the function's own"):
        torch_adapter.jvp(broken, [x], [v], [0])


def test_jvp_without_a_rule_says_so_jax() -> None:
    jax = pytest.importorskip("jax")
    square = jax.custom_vjp(lambda x: x * x)
    square.defvjp(lambda x: (x * x, x), lambda x, dy: (2 * x * dy,))
    x = jax_adapter.from_numpy(X, False)
    assert_vjp(square, [X], adapter=jax_adapter)
    with pytest.raises(NotImplementedError, match="JAX: no forward mode"):
        jax_adapter.jvp(square, [x], [x], [0])


def test_jvp_without_a_rule_says_so_autograd() -> None:
    extend = pytest.importorskip("autograd.extend")
    square = extend.primitive(lambda x: x * x)
    extend.defvjp(square, lambda ans, x: lambda dy: 2 * x * dy)
    assert_vjp(square, [X], adapter=autograd_adapter)
    with pytest.raises(NotImplementedError, match="autograd: no forward mode"):
        autograd_adapter.jvp(square, [X], [X], [0])


def test_jax_settings_stay_as_they_were() -> None:
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    seen = []

    def f(x: Any) -> Any:
        seen.append((str(x.dtype), bool(jax.config.jax_enable_x64)))
        return jax.numpy.sin(x) * jax.numpy.ones(4)

    assert_vjp(f, [X], adapter=jax_adapter)
    assert set(seen) == {("float64", True), ("complex128", True)}
    seen.clear()
    jax_adapter.vjp(f, [jax_adapter.from_numpy(X.astype("float32"), True)], [np.ones((3, 4), "float32")], [0])
    assert seen == [("float32", before)]
    assert jax.config.jax_enable_x64 == before
    jitted = jax.jit(jax.numpy.tanh)
    assert_vjp(jitted, [X], adapter=jax_adapter)
    assert_vjp(jitted, [X.astype("float32")], adapter=jax_adapter)


@pytest.mark.skipif(np.dtype(np.longdouble) == np.float64, reason="long doubles are doubles here")
def test_jax_has_no_long_double() -> None:
    pytest.importorskip("jax")
    with pytest.raises(DtypeError, match=r"has dtype (float|longdouble)"):
        jax_adapter.from_numpy(X.astype(np.longdouble), False)


@pytest.mark.parametrize(
    ("adapter", "package"), [(torch_adapter, "torch"), (jax_adapter, "jax"), (autograd_adapter, "autograd")]
)
def test_a_missing_engine_is_named(adapter: Any, package: str) -> None:
    script = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import numpy as np\n"
        f"from tinynet.testing import {package}_adapter as adapter\n"
        "try:\n    adapter.vjp(lambda x: x, [adapter.from_numpy(np.ones(2, 'float32'), False)], [np.ones(2)], [0])\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"needs {package}: pip install {package}" in done.stdout
    assert "adapter of" in repr(adapter)


def test_importing_the_kit_loads_no_engine() -> None:
    engines = {"jax", "torch", "autograd", "numba", "hypothesis", "scipy", "tinynet._tensor"}
    for code in (
        "import tinynet.testing",
        "from tinynet.testing import autograd_adapter, check_vjp, jax_adapter, torch_adapter",
    ):
        assert not engines & set(loaded_by(code)["modules"]), code


def test_every_engine_runs_on_its_own_numbers(engine: Engine) -> None:
    """No adapter leaves state behind: a check through one engine, and then again, gives the same report."""
    first, second = (
        str(check_vjp(lambda a: engine.np.tanh(a), [X], adapter=engine.adapter, name="tanh")) for _ in range(2)
    )
    assert first == second
