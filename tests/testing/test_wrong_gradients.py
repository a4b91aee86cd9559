"""The checker must reject wrong reverse rules: a table of the mistakes that people make, each on 20 random inputs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tinynet.testing import check_vjp

SEEDS = range(20)
Rng = np.random.Generator


@dataclass(frozen=True)
class Wrong:
    """A function, a wrong reverse rule for it (made anew for each seed), and how to draw its arguments."""

    name: str
    f: Callable[..., Any]
    make_vjp: Callable[[], Callable[..., Any]]
    draw: Callable[[Rng], list[Any]]
    says: str = ""


def normal(*shapes: tuple[int, ...], dtype: str = "float64") -> Callable[[Rng], list[Any]]:
    return lambda rng: [rng.normal(size=shape).astype(dtype) for shape in shapes]


def away_from_zero(*shapes: tuple[int, ...]) -> Callable[[Rng], list[Any]]:
    return lambda rng: [rng.choice([-1, 1], s) * rng.uniform(0.5, 2, s) for s in shapes]


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_vjp(x: Any, dy: Any) -> Any:
    y = softmax(x)
    return y * (dy - (y * dy).sum(-1, keepdims=True))


def layer_norm(x: Any) -> Any:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def log_softmax_vjp(x: Any, dy: Any) -> Any:
    return dy - softmax(x) * dy.sum(-1, keepdims=True)


def conv1d(x: Any, w: Any) -> Any:
    """x (C, L), w (K, C, k) -> (K, L - k + 1)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2], axis=1)
    return np.einsum("clk,ock->ol", windows, w)


def conv1d_vjp(x: Any, w: Any, dy: Any, flip: bool = True) -> Any:
    k = w.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(x, k, axis=1)
    padded = np.pad(dy, ((0, 0), (k - 1, k - 1)))
    dwindows = np.lib.stride_tricks.sliding_window_view(padded, k, axis=1)
    dx = np.einsum("olk,ock->cl", dwindows, w[:, :, ::-1] if flip else w)
    return dx, np.einsum("clk,ol->ock", windows, dy)


def tampered(vjp: Callable[..., Any], change: Callable[[Any], Any]) -> Callable[[], Callable[..., Any]]:
    return lambda: lambda *args: change(np.array(vjp(*args)))


def put(position: int, factor: float) -> Callable[[Any], Any]:
    def change(g: Any) -> Any:
        g.flat[position] *= factor
        return g

    return change


def rule(vjp: Callable[..., Any]) -> Callable[[], Callable[..., Any]]:
    return lambda: vjp


def tanh_vjp(x: Any, dy: Any) -> Any:
    return dy * (1 - np.tanh(x) ** 2)


def mutates_input(x: Any, dy: Any) -> Any:
    g = dy * 2 * x
    x *= 1.5
    return g


def mutates_cotangent(x: Any, dy: Any) -> Any:
    dy *= 2 * x
    return dy.copy()


def every_second_call_wrong() -> Callable[..., Any]:
    calls = [0]

    def vjp(x: Any, dy: Any) -> Any:
        calls[0] += 1
        return tanh_vjp(x, dy) * (1 + (calls[0] % 2) * 0.5)

    return vjp


def noisy() -> Callable[..., Any]:
    rng = np.random.default_rng(0)
    return lambda x, dy: tanh_vjp(x, dy) + 1e-9 * rng.normal(size=x.shape)


def accumulates_into_a_buffer() -> Callable[..., Any]:
    buffer: list[Any] = []

    def vjp(x: Any, dy: Any) -> Any:
        if not buffer:
            buffer.append(np.zeros_like(x))
        buffer[0] += tanh_vjp(x, dy)
        return buffer[0]

    return vjp


class SavedForward:
    """Saves the input of the last forward call, and differentiates there, whatever it is asked."""

    saved: Any = None

    def __call__(self, x: Any) -> Any:
        SavedForward.saved = x
        return np.tanh(x)

    @staticmethod
    def vjp(x: Any, dy: Any) -> Any:
        return tanh_vjp(SavedForward.saved, dy)


WRONG = [
    Wrong("sin: sign flipped", np.sin, rule(lambda x, dy: -dy * np.cos(x)), normal((5,))),
    Wrong("square: missing factor 2", np.square, rule(lambda x, dy: dy * x), normal((4, 3))),
    Wrong("tanh: 1 - y", np.tanh, rule(lambda x, dy: dy * (1 - np.tanh(x))), normal((6,))),
    Wrong("sigmoid: y", lambda x: 1 / (1 + np.exp(-x)), rule(lambda x, dy: dy / (1 + np.exp(-x))), normal((6,))),
    Wrong("exp: of the cotangent", np.exp, rule(lambda x, dy: np.exp(x) * np.abs(dy)), normal((6,))),
    Wrong(
        "log: of |x| forgotten",
        lambda x: np.log(np.abs(x)),
        rule(lambda x, dy: dy / np.abs(x)),
        lambda rng: [np.concatenate([rng.uniform(0.5, 2, 5), -rng.uniform(0.5, 2, 1)])],
    ),
    Wrong("sqrt: 1 / sqrt(x)", np.sqrt, rule(lambda x, dy: dy / np.sqrt(x)), lambda rng: [rng.uniform(0.1, 2, 5)]),
    Wrong(
        "matmul: not transposed", lambda a, b: a @ b, rule(lambda a, b, dy: (dy @ b, a @ dy)), normal((4, 4), (4, 4))
    ),
    Wrong("matmul: swapped", lambda a, b: a @ b, rule(lambda a, b, dy: (a.T @ dy, dy @ b.T)), normal((4, 4), (4, 4))),
    Wrong("matmul: dy.T", lambda a, b: a @ b, rule(lambda a, b, dy: (dy.T @ b.T, a.T @ dy)), normal((3, 3), (3, 3))),
    Wrong("sum: over the wrong axis", lambda x: x.sum(0), rule(lambda x, dy: 0 * x + dy[:, None]), normal((4, 4))),
    Wrong("add: wrong axis summed", lambda x, b: x + b, rule(lambda x, b, dy: (dy, dy.sum(1))), normal((4, 4), (4,))),
    Wrong(
        "add: broadcasting not undone",
        lambda x, b: x + b,
        rule(lambda x, b, dy: (dy, dy)),
        normal((4, 3), (3,)),
        "has shape (4, 3), expected the argument's (3,)",
    ),
    Wrong(
        "add: mean, not sum, over rows",
        lambda x, b: x + b,
        rule(lambda x, b, dy: (dy, dy.mean(0))),
        normal((4, 3), (3,)),
    ),
    Wrong("mean: without 1/n", lambda x: x.mean(-1), rule(lambda x, dy: 0 * x + dy[:, None]), normal((3, 4))),
    Wrong("tanh: one zeroed entry of 50", np.tanh, tampered(tanh_vjp, put(17, 0.0)), normal((50,))),
    Wrong("tanh: one zeroed entry of 200", np.tanh, tampered(tanh_vjp, put(137, 0.0)), normal((10, 20))),
    Wrong("softmax: one zeroed entry of 200", softmax, tampered(softmax_vjp, put(199, 0.0)), normal((10, 20))),
    Wrong(
        "sum of squares: one zeroed entry of 200",
        lambda x: (x * x).sum(),
        tampered(lambda x, dy: 2 * x * dy, put(42, 0.0)),
        away_from_zero((200,)),
    ),
    Wrong(
        "square: one zeroed entry of 2,000",
        np.square,
        tampered(lambda x, dy: 2 * x * dy, put(1234, 0.0)),
        away_from_zero((2000,)),
    ),
    Wrong("tanh: off by 1 %", np.tanh, rule(lambda x, dy: 1.01 * tanh_vjp(x, dy)), normal((8,))),
    Wrong("tanh: off by 1e-4", np.tanh, rule(lambda x, dy: 1.0001 * tanh_vjp(x, dy)), normal((8,))),
    Wrong("tanh: one entry of 50 off by 1e-4", np.tanh, tampered(tanh_vjp, put(3, 1.0001)), normal((50,))),
    Wrong(
        "tanh float32: off by 1 %",
        np.tanh,
        rule(lambda x, dy: (1.01 * tanh_vjp(x, dy)).astype(x.dtype)),
        normal((8,), dtype="float32"),
    ),
    Wrong("scale: 1e-6 given as 0", lambda x: 1e-6 * x, rule(lambda x, dy: 0 * dy), normal((5,))),
    Wrong("scale: 1e-20 given as 0", lambda x: 1e-20 * x, rule(lambda x, dy: 0 * dy), normal((5,))),
    Wrong("scale: 1e-20 off by 1 %", lambda x: 1e-20 * x, rule(lambda x, dy: 1.01e-20 * dy), normal((5,))),
    Wrong(
        "penalty: 1e-6 beside values of 1 given as 0",
        lambda x, w: np.tanh(x).sum() + 1e-6 * (w * w).sum(),
        rule(lambda x, w, dy: (tanh_vjp(x, dy), 0 * w)),
        away_from_zero((5,), (3,)),
    ),
    Wrong(
        "scale float32: 1e-6 given as 0",
        lambda x: x * x.dtype.type(1e-6),
        rule(lambda x, dy: 0 * dy),
        normal((5,), dtype="float32"),
    ),
    Wrong(
        "tanh: float64 for float32",
        np.tanh,
        rule(lambda x, dy: tanh_vjp(x, dy).astype(np.float64)),
        normal((5,), dtype="float32"),
        "dtype",
    ),
    Wrong(
        "tanh: square of the cotangent",
        np.tanh,
        rule(lambda x, dy: dy * np.abs(dy) * (1 - np.tanh(x) ** 2)),
        normal((5,)),
        "not linear",
    ),
    Wrong(
        "tanh: clipped at 5",
        np.tanh,
        rule(lambda x, dy: np.clip(tanh_vjp(x, dy), -5, 5)),
        lambda rng: [rng.uniform(-0.5, 0.5, 5)],
        "not linear",
    ),
    Wrong("tanh: an added constant", np.tanh, rule(lambda x, dy: tanh_vjp(x, dy) + 1e-5), normal((5,)), "cotangent 0"),
    Wrong("square: changes its input", np.square, rule(mutates_input), normal((5,)), "argument 0 was changed"),
    Wrong("square: changes the cotangent", np.square, rule(mutates_cotangent), normal((5,)), "cotangent 0 was changed"),
    Wrong("tanh: every second call wrong", np.tanh, every_second_call_wrong, normal((5,)), "two calls"),
    Wrong("tanh: noise", np.tanh, noisy, normal((5,)), "two calls"),
    Wrong("tanh: adds into one buffer", np.tanh, accumulates_into_a_buffer, normal((5,)), "two calls"),
    Wrong("tanh: state of the last forward", SavedForward(), rule(SavedForward.vjp), normal((5,)), "hidden state"),
    Wrong("softmax: missing sum", softmax, rule(lambda x, dy: softmax(x) * (1 - softmax(x)) * dy), normal((3, 5))),
    Wrong(
        "softmax: sum over all rows",
        softmax,
        rule(lambda x, dy: softmax(x) * (dy - (softmax(x) * dy).sum())),
        normal((3, 5)),
    ),
    Wrong(
        "log softmax: right for a one-hot cotangent only",
        lambda x: np.log(softmax(x)),
        rule(lambda x, dy: dy - softmax(x)),
        normal((3, 5)),
    ),
    Wrong("prod: right for all-ones cotangent only", lambda x: x * x, rule(lambda x, dy: 2 * x), normal((5,))),
    Wrong(
        "transpose: right for symmetric cotangents only",
        lambda x: x.T + 0,
        rule(lambda x, dy: dy.copy()),
        normal((4, 4)),
    ),
    Wrong("cumsum: not reversed", np.cumsum, rule(lambda x, dy: np.cumsum(dy)), normal((6,))),
    Wrong(
        "max: all ties get all",
        lambda x: x.max(-1),
        rule(lambda x, dy: dy[:, None] * (x == x.max(-1, keepdims=True))),
        lambda rng: [np.concatenate([np.full((6, 3), 4.0), rng.normal(size=(6, 12))], axis=1)],
    ),
    Wrong(
        "max: the first entry gets all",
        lambda x: x.max(-1),
        rule(lambda x, dy: dy[:, None] * (np.arange(x.shape[1]) == 0)),
        lambda rng: [np.sort(rng.normal(size=(3, 6)))],
    ),
    Wrong("relu: 0.5 everywhere", lambda x: np.maximum(x, 0), rule(lambda x, dy: dy * 0.5), away_from_zero((6,))),
    Wrong(
        "relu: of the cotangent's sign",
        lambda x: np.maximum(x, 0),
        rule(lambda x, dy: dy * (dy > 0)),
        away_from_zero((20,)),
    ),
    Wrong(
        "relu at 0: outside of [0, 1]",
        lambda x: np.maximum(x, 0),
        rule(lambda x, dy: dy * np.where(x == 0, -0.5, x > 0)),
        lambda rng: [np.append(rng.normal(size=40), 0.0)],
    ),
    Wrong(
        "division: sign of db",
        lambda a, b: a / b,
        rule(lambda a, b, dy: (dy / b, dy * a / b**2)),
        away_from_zero((4,), (4,)),
    ),
    Wrong("power: n x^n", lambda x: x**3, rule(lambda x, dy: dy * 3 * x**3), away_from_zero((4,))),
    Wrong(
        "layer norm: statistics as constants",
        layer_norm,
        rule(lambda x, dy: dy / np.sqrt(x.var(-1, keepdims=True) + 1e-5)),
        normal((3, 6)),
    ),
    Wrong(
        "conv1d: kernel not flipped",
        conv1d,
        rule(lambda x, w, dy: conv1d_vjp(x, w, dy, flip=False)),
        normal((2, 7), (3, 2, 3)),
    ),
    Wrong(
        "gather: assigns where it must add",
        lambda x: x[[0, 1, 1, 2]],
        rule(lambda x, dy: np.array([dy[0], dy[2], dy[3]])),
        normal((3,)),
    ),
    Wrong(
        "two outputs: the second forgotten",
        lambda x: (np.sin(x), np.cos(x)),
        rule(lambda x, dy: dy[0] * np.cos(x)),
        normal((4,)),
    ),
    Wrong("0-d: a wrong factor", np.tanh, rule(lambda x, dy: 0.9 * tanh_vjp(x, dy)), normal(())),
    Wrong("nan in one entry", np.tanh, tampered(tanh_vjp, put(2, float("nan"))), normal((5,))),
    Wrong(
        "one gradient for two arguments",
        lambda a, b: a * b,
        rule(lambda a, b, dy: dy * b),
        normal((3,), (3,)),
        "one per argument",
    ),
]


def test_the_table_is_large_and_its_names_differ() -> None:
    assert len(WRONG) >= 25
    assert len({w.name for w in WRONG}) == len(WRONG)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: w.name)
def test_wrong_gradient_is_rejected(wrong: Wrong) -> None:
    for seed in SEEDS:
        args = wrong.draw(np.random.default_rng([seed, 99]))
        report = check_vjp(wrong.f, args, vjp=wrong.make_vjp(), seed=seed, name=wrong.name)
        assert report.verdict == "fail", report
        assert wrong.says in str(report), report
        with pytest.raises(AssertionError):
            report.raise_if_failed()
