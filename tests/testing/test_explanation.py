"""What a failed check says: the smallest arguments, the cause, the Jacobian, and a program that fails in the same way."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinynet.errors import DtypeError, OptionError
from tinynet.testing import check_vjp, jacobian_map
from tinynet.testing._shrink import shrunk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 6))
S = RNG.normal(size=(5, 5))


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def tanh_vjp(x: Any, dy: Any) -> Any:
    return dy * (1 - np.tanh(x) ** 2)


def without_the_sum(x: Any, dy: Any) -> Any:
    return softmax(x) * dy


def layer_norm(x: Any) -> Any:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def layer_norm_vjp(x: Any, dy: Any) -> Any:
    y = layer_norm(x)
    return (dy - y * (dy * y).mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def edited(change: Any) -> Any:
    def vjp(x: Any, dy: Any) -> Any:
        g = tanh_vjp(x, dy)
        change(g)
        return g

    return vjp


def zero(*index: Any) -> Any:
    def change(g: Any) -> None:
        g[index] = 0

    return edited(change)


CAUSES = {
    "the sign is wrong": (np.sin, lambda x, dy: -dy * np.cos(x), X),
    "it is 0 everywhere": (np.sin, lambda x, dy: 0 * dy, X),
    "a constant factor 0.5 is too much": (np.square, lambda x, dy: dy * x, X),
    "a factor 6 too much: an axis has that size, so a sum may stand for a mean": (
        lambda x: x.mean(-1),
        lambda x, dy: np.repeat(dy[:, None], 6, 1),
        X,
    ),
    "a factor 1/5 too much: an axis has that size, so a mean may stand for a sum": (
        lambda x: x.sum(0),
        lambda x, dy: np.repeat(dy[None] / 5, 5, 0),
        X,
    ),
    "a transpose is missing or too much": (np.tanh, lambda x, dy: tanh_vjp(x, dy).T, S),
    "shifted by 1 along axis 1": (np.tanh, lambda x, dy: np.roll(tanh_vjp(x, dy), 1, 1), X),
    "reversed along axis 0": (np.tanh, lambda x, dy: tanh_vjp(x, dy)[::-1].copy(), X),
    "averaged over axis 1": (np.tanh, lambda x, dy: np.repeat(tanh_vjp(x, dy).mean(1, keepdims=True), 6, 1), X),
    "is 0 in 1 of 30 entries alone, the first at (2, 3)": (np.tanh, zero(2, 3), X),
    "is 0 at index 4 of axis 0 alone": (np.tanh, zero(4), X),
    "some signs are wrong": (np.abs, lambda x, dy: dy, X),
    "constant along axis 1: a mean or a sum over it": (layer_norm, layer_norm_vjp, X),
    "depends on x but not on dy": (np.exp, lambda x, dy: dy * (1 + x), X),
    "the cotangent dy is not used": (np.square, lambda x, dy: 2 * x, X),
    "NaN where the function is smooth": (np.tanh, lambda x, dy: np.where(x > 1, np.nan, tanh_vjp(x, dy)), X),
}


@pytest.mark.parametrize("says", CAUSES)
def test_cause(says: str) -> None:
    f, vjp, x = CAUSES[says]
    for seed in range(5):
        report = check_vjp(f, [x], vjp=vjp, seed=seed)
        assert says in report.cause, report


def test_no_cause_is_made_up() -> None:
    assert check_vjp(softmax, [X], vjp=without_the_sum).cause == ""


def test_smallest_arguments() -> None:
    def matmul_vjp(a: Any, b: Any, dy: Any) -> Any:
        return dy @ b.T, a.T @ dy * (1 + 0.5 * (a.shape[1] > 2))

    report = check_vjp(np.matmul, [X, RNG.normal(size=(6, 4))], vjp=matmul_vjp)
    assert report.smallest is not None
    a, b = report.smallest
    assert (a.shape, b.shape) == ((1, 3), (3, 1))
    assert set(a.ravel()) | set(b.ravel()) <= {1.0, 0.5}
    assert not check_vjp(np.matmul, [a, b], vjp=matmul_vjp, shrink=False).passed
    quick = check_vjp(np.matmul, [X, X.T.copy()], vjp=lambda a, b, dy: (dy, dy), shrink=False)
    assert quick.smallest is None
    assert quick.reproduction == ""


def test_shrinking_keeps_what_fails() -> None:
    tried = []

    def fails(args: Any) -> bool:
        tried.append(args)
        return bool(args[0].size >= 4 and np.abs(args[0]).max() > 2)

    (smallest,) = shrunk([np.arange(60.0).reshape(4, 15)], fails)
    assert smallest.size == 4
    assert len(tried) <= 120


def test_jacobian_map(tmp_path: Path) -> None:
    def vjp(x: Any, dy: Any) -> Any:
        g = np.cumsum(dy[::-1])[::-1].copy()
        g[0] = -g[0]
        g[2] = 0
        g[3] += 0.5 * dy[0] + dy[3]
        return g

    found = jacobian_map(np.cumsum, [np.ones(4)], vjp=vjp)
    assert found.marks == ["-··!", "-+··", "-+o·", "-+ox"]
    np.testing.assert_allclose(found.numerical, np.tril(np.ones((4, 4))), atol=1e-10)
    assert str(found).startswith("argument 0: 4 outputs (rows) by 4 entries (columns)\n-··!\n")
    found.save(tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    kink = jacobian_map(lambda x: np.maximum(x, 0), [np.array([0.0, 1.0])], vjp=lambda x, dy: dy * (x > 0))
    assert kink.marks == ["?·", "·+"]
    with pytest.raises(OptionError, match="the Jacobian has 900 entries, expected at most 100"):
        jacobian_map(np.tanh, [X], vjp=tanh_vjp, max_entries=100)
    assert jacobian_map(lambda k, x: x[k], [np.array([1]), X[0]], vjp=lambda k, x, dy: (None, dy)).argument == 1


def run(program: str, folder: Path) -> str:
    path = folder / "reproduce.py"
    path.write_text(program)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True, env=env)
    return done.stdout


def test_the_program_fails_in_the_same_way(tmp_path: Path) -> None:
    report = check_vjp(softmax, [X], vjp=without_the_sum, seed=3, name="softmax")
    assert "test_explanation.softmax, args, vjp=" in report.reproduction
    assert "gradient of softmax: fail (seed 3)" in run(report.reproduction, tmp_path)


def test_functions_of_a_script_are_written_out(tmp_path: Path) -> None:
    script = """
import numpy as np
from tinynet.testing import check_vjp

SCALE = 2.0

def inner(x):
    return SCALE * x

def f(x):
    return np.tanh(inner(x))

def f_vjp(x, dy):
    return dy * (1 - f(x) ** 2)

report = check_vjp(f, [np.linspace(-1, 1, 7)], vjp=f_vjp)
print(report.reproduction)
"""
    program = run(script, tmp_path)
    assert "SCALE = 2.0\n\n\ndef inner(x):" in program
    assert "gradient of f: fail (seed 0)" in run(program, tmp_path)


def test_special_numbers_and_integers_in_the_program(tmp_path: Path) -> None:
    x = np.array([np.nan, np.inf, 0.5, 1.0])
    k = np.array([2, 3, 3])
    report = check_vjp(take, [x, k, 2.5, None], vjp=take_vjp)
    assert report.verdict == "fail"
    assert "argument 0" in run(report.reproduction, tmp_path)


def take(x: Any, k: Any, scale: Any, nothing: Any) -> Any:
    return scale * x[k]


def take_vjp(x: Any, k: Any, scale: Any, nothing: Any, dy: Any) -> Any:
    g = np.zeros_like(x)
    g[k] = scale * dy  # overwrites
    return g, None, None, None


def test_lambdas_leave_a_place_to_fill() -> None:
    report = check_vjp(np.tanh, [X], vjp=lambda x, dy: dy)
    assert "# vjp: put the function here that stands at line" in report.reproduction
    assert "check_vjp(np.tanh, args, vjp=vjp)" in report.reproduction


def test_bad_use() -> None:
    with pytest.raises(TypeError, match=r"nothing: returned NoneType, expected an array or a tuple of arrays"):
        check_vjp(nothing, [X], vjp=tanh_vjp)
    with pytest.raises(TypeError, match="f is of type str, expected a callable"):
        check_vjp("tanh", [X], vjp=tanh_vjp)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="args is of type ndarray, expected a list or tuple"):
        check_vjp(np.tanh, X, vjp=tanh_vjp)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"no argument is a NumPy array of floating dtype.*the arguments are int64"):
        check_vjp(np.tanh, [np.arange(3)], vjp=tanh_vjp)
    with pytest.raises(DtypeError, match="argument 0 has dtype complex128, expected real numbers"):
        check_vjp(np.tanh, [X + 0j], vjp=tanh_vjp)
    with pytest.raises(DtypeError, match="output 0 has dtype complex128, expected real numbers"):
        check_vjp(lambda x: x + 0j, [X], vjp=tanh_vjp)
    rng = np.random.default_rng(0)
    with pytest.raises(OptionError, match="two calls with the same arguments give different values of output 0"):
        check_vjp(lambda x: x * rng.random(x.shape), [X], vjp=lambda x, dy: dy)


def nothing(x: Any) -> None:
    np.tanh(x)


def test_an_engines_tensor_is_an_argument() -> None:
    import tinynet as tn

    assert check_vjp(lambda x: x * x, [tn.ones(3, dtype=tn.float64)]).verdict == "pass"
