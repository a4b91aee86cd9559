"""The problems of `checkers.py`: operations with right and with wrong reverse rules, each written once, in NumPy.

A rule is `vjp(*arrays, dy)` and gives one gradient per array; for several outputs dy is a tuple.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erf

Rng = np.random.Generator
Function = Callable[..., Any]
Draw = Callable[[Rng], list[Any]]


@dataclass(frozen=True)
class Problem:
    """A function with a reverse rule, made anew for each seed (some keep state), and how to draw its arguments."""

    name: str
    right: bool
    make: Callable[[], tuple[Function, Function]]
    draw: Draw
    dtype: str = "float64"

    def arguments(self, seed: int) -> list[Any]:
        """The arguments, of the problem's dtype."""
        rng = np.random.default_rng([seed, 31])
        with np.errstate(over="ignore"):
            return [np.asarray(x, self.dtype) for x in self.draw(rng)]


@dataclass(frozen=True)
class Operation:
    """A function, its right reverse rule, and its usual arguments."""

    name: str
    f: Function
    vjp: Function
    draw: Draw

    def right(self, inputs: str = "", draw: Draw | None = None, dtype: str = "float64") -> Problem:
        """The right rule, on the usual arguments or on harder ones."""
        name = f"{self.name}: {inputs}" if inputs else self.name
        return Problem(name, True, lambda: (self.f, self.vjp), draw or self.draw, dtype)

    def wrong(self, mistake: str, vjp: Function, draw: Draw | None = None) -> Problem:
        """A wrong rule."""
        return Problem(f"{self.name}: {mistake}", False, lambda: (self.f, vjp), draw or self.draw)


def normal(*shapes: tuple[int, ...], scale: float = 1.0, offset: float = 0.0) -> Draw:
    return lambda rng: [offset + scale * rng.normal(size=shape) for shape in shapes]


def uniform(low: float, high: float, *shapes: tuple[int, ...]) -> Draw:
    return lambda rng: [rng.uniform(low, high, shape) for shape in shapes]


def away_from_zero(*shapes: tuple[int, ...]) -> Draw:
    return lambda rng: [rng.choice([-1, 1], s) * rng.uniform(0.5, 2, s) for s in shapes]


def log_uniform(low: float, high: float, n: int) -> Draw:
    return lambda rng: [10.0 ** rng.uniform(low, high, n)]


def few_near_zero(n: int, few: int, reach: float) -> Draw:
    def draw(rng: Rng) -> list[Any]:
        (x,) = away_from_zero((n,))(rng)
        x[rng.choice(n, few, replace=False)] = rng.uniform(-reach, reach, few)
        return [x]

    return draw


def tampered(vjp: Function, position: int, factor: float) -> Function:
    """The rule with one entry of its gradient multiplied."""

    def changed(*args: Any) -> Any:
        g = np.array(vjp(*args))
        g.flat[position] *= factor
        return g

    return changed


def tanh_vjp(x: Any, dy: Any) -> Any:
    return dy * (1 - np.tanh(x) ** 2)


def sigmoid(x: Any) -> Any:
    return 0.5 * (1 + np.tanh(0.5 * x))


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_vjp(x: Any, dy: Any) -> Any:
    y = softmax(x)
    return y * (dy - (y * dy).sum(-1, keepdims=True))


def log_softmax(x: Any) -> Any:
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def logsumexp(x: Any) -> Any:
    m = x.max(-1, keepdims=True)
    return (m + np.log(np.exp(x - m).sum(-1, keepdims=True)))[..., 0]


def normalized(x: Any, axis: int, eps: float = 1e-5) -> tuple[Any, Any]:
    """(x - mean) / sqrt(variance + eps), and 1 / sqrt(variance + eps)."""
    rstd = 1 / np.sqrt(x.var(axis, keepdims=True) + eps)
    return (x - x.mean(axis, keepdims=True)) * rstd, rstd


def norm_vjp(x: Any, dy: Any, axis: int, eps: float = 1e-5, through_variance: bool = True) -> Any:
    y, rstd = normalized(x, axis, eps)
    g = dy - dy.mean(axis, keepdims=True)
    return rstd * (g - y * (dy * y).mean(axis, keepdims=True) if through_variance else g)


def gelu(x: Any) -> Any:
    return 0.5 * x * (1 + erf(x / np.sqrt(2.0).astype(x.dtype)))


def gelu_vjp(x: Any, dy: Any) -> Any:
    half, root = x.dtype.type(0.5), np.sqrt(2.0).astype(x.dtype)
    density = np.exp(-half * x * x) / np.sqrt(2 * np.pi).astype(x.dtype)
    return dy * (half * (1 + erf(x / root)) + x * density)


def tanh_gelu_vjp(x: Any, dy: Any) -> Any:
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x))


def windows(x: Any, k: int) -> Any:
    return np.lib.stride_tricks.sliding_window_view(x, k, axis=-1)


def conv1d(x: Any, w: Any) -> Any:
    """x (C, L), w (O, C, k) -> (O, L - k + 1)."""
    return np.einsum("clk,ock->ol", windows(x, w.shape[2]), w)


def conv1d_vjp(x: Any, w: Any, dy: Any, flip: bool = True) -> Any:
    k = w.shape[2]
    padded = windows(np.pad(dy, ((0, 0), (k - 1, k - 1))), k)
    dx = np.einsum("olk,ock->cl", padded, w[:, :, ::-1] if flip else w)
    return dx, np.einsum("clk,ol->ock", windows(x, k), dy)


def moving_sum_vjp(x: Any, dy: Any, shift: int = 0) -> Any:
    g = np.zeros_like(x)
    for j in range(3):
        start = j + shift
        stop = min(start + dy.shape[-1], x.shape[-1])
        g[..., start:stop] += dy[..., : stop - start]
    return g


def max_pool(x: Any) -> Any:
    return x.reshape(*x.shape[:-1], -1, 4).max(-1)


def max_pool_vjp(x: Any, dy: Any, first: bool = False) -> Any:
    blocks = x.reshape(*x.shape[:-1], -1, 4)
    chosen = np.zeros(blocks.shape[:-1], int) if first else blocks.argmax(-1)
    return ((np.arange(4) == chosen[..., None]) * dy[..., None]).astype(x.dtype).reshape(x.shape)


INDEX = np.array([0, 3, 3, 1, 5, 3])


def gather_vjp(x: Any, dy: Any, add: bool = True) -> Any:
    g = np.zeros_like(x)
    if add:
        np.add.at(g, INDEX, dy)
    else:
        g[INDEX] = dy
    return g


def variance_vjp(x: Any, dy: Any, ddof: int = 0) -> Any:
    return 2 * (x - x.mean(-1, keepdims=True)) * dy[..., None] / (x.shape[-1] - ddof)


def large_and_small(large: float, small: float) -> Function:
    return lambda x: np.concatenate([large * x, small * np.sin(x)])


def large_and_small_vjp(large: float, small: float, factor: float = 1.0) -> Function:
    def vjp(x: Any, dy: Any) -> Any:
        return large * dy[: x.size] + factor * small * np.cos(x) * dy[x.size :]

    return vjp


def of_the_last_forward() -> tuple[Function, Function]:
    """Saves what the last forward call was given, and differentiates there."""
    saved: list[Any] = []

    def f(x: Any) -> Any:
        saved[:] = [x]
        return np.tanh(x)

    return f, lambda x, dy: tanh_vjp(saved[0], dy)


def into_one_buffer() -> tuple[Function, Function]:
    """Adds every gradient into the same buffer."""
    buffer: list[Any] = []

    def vjp(x: Any, dy: Any) -> Any:
        if not buffer:
            buffer.append(np.zeros_like(x))
        buffer[0] += tanh_vjp(x, dy)
        return buffer[0]

    return np.tanh, vjp


SIN = Operation("sin", np.sin, lambda x, dy: dy * np.cos(x), normal((6,)))
SQUARE = Operation("square", np.square, lambda x, dy: 2 * x * dy, normal((4, 3)))
TANH = Operation("tanh", np.tanh, tanh_vjp, normal((8,)))
EXP = Operation("exp", np.exp, lambda x, dy: dy * np.exp(x), normal((6,)))
LOG = Operation("log", np.log, lambda x, dy: dy / x, uniform(0.5, 2, (6,)))
SQRT = Operation("sqrt", np.sqrt, lambda x, dy: dy / (2 * np.sqrt(x)), uniform(0.5, 2, (6,)))
SIGMOID = Operation("sigmoid", sigmoid, lambda x, dy: dy * sigmoid(x) * (1 - sigmoid(x)), normal((6,)))
RELU = Operation("relu", lambda x: np.maximum(x, 0), lambda x, dy: dy * (x > 0), away_from_zero((20,)))
LEAKY = Operation(
    "leaky relu",
    lambda x: np.where(x > 0, x, x.dtype.type(0.01) * x),
    lambda x, dy: np.where(x > 0, dy, x.dtype.type(0.01) * dy),
    away_from_zero((10,)),
)
GELU = Operation("gelu", gelu, gelu_vjp, normal((10,)))
SCALE = Operation("scale by 1e-6", lambda x: 1e-6 * x, lambda x, dy: 1e-6 * dy, normal((6,)))
PENALTY = Operation(
    "loss with a penalty of 1e-6",
    lambda x, w: np.tanh(x).sum() + 1e-6 * (w * w).sum(),
    lambda x, w, dy: (tanh_vjp(x, dy), 2e-6 * w * dy),
    away_from_zero((5,), (3,)),
)
DIVIDE = Operation(
    "division", lambda a, b: a / b, lambda a, b, dy: (dy / b, -dy * a / b**2), away_from_zero((5,), (5,))
)
ADD = Operation("add a row", lambda x, b: x + b, lambda x, b, dy: (dy.copy(), dy.sum(0)), normal((4, 4), (4,)))
MATMUL = Operation("matmul", lambda a, b: a @ b, lambda a, b, dy: (dy @ b.T, a.T @ dy), normal((4, 4), (4, 4)))
SUM = Operation("sum of squares", lambda x: (x * x).sum(-1), lambda x, dy: 2 * x * dy[..., None], normal((3, 4)))
MEAN = Operation(
    "mean", lambda x: x.mean(-1), lambda x, dy: np.zeros_like(x) + dy[..., None] / x.shape[-1], normal((3, 4))
)
VARIANCE = Operation("variance", lambda x: x.var(-1), variance_vjp, normal((3, 5)))
CUMSUM = Operation("cumsum", np.cumsum, lambda x, dy: np.cumsum(dy[::-1])[::-1].copy(), normal((6,)))
NORM = Operation(
    "euclidean norm",
    lambda x: np.sqrt((x * x).sum(-1)),
    lambda x, dy: x * (dy / np.sqrt((x * x).sum(-1)))[..., None],
    normal((3, 4)),
)
SOFTMAX = Operation("softmax", softmax, softmax_vjp, normal((3, 5)))
LOG_SOFTMAX = Operation(
    "log softmax", log_softmax, lambda x, dy: dy - softmax(x) * dy.sum(-1, keepdims=True), normal((3, 5))
)
LOGSUMEXP = Operation("logsumexp", logsumexp, lambda x, dy: dy[..., None] * softmax(x), normal((3, 5)))
LAYER_NORM = Operation("layer norm", lambda x: normalized(x, -1)[0], lambda x, dy: norm_vjp(x, dy, -1), normal((3, 6)))
BATCH_NORM = Operation("batch norm", lambda x: normalized(x, 0)[0], lambda x, dy: norm_vjp(x, dy, 0), normal((6, 3)))
CONV = Operation("conv1d", conv1d, conv1d_vjp, normal((2, 7), (3, 2, 3)))
MOVING_SUM = Operation("moving sum", lambda x: windows(x, 3).sum(-1), moving_sum_vjp, normal((2, 9)))
MAX_POOL = Operation("max pool", max_pool, max_pool_vjp, normal((3, 8)))
GATHER = Operation("gather", lambda x: x[INDEX], gather_vjp, normal((6,)))
MAX = Operation(
    "max",
    lambda x: x.max(-1),
    lambda x, dy: dy[..., None] * (x == x.max(-1, keepdims=True)),
    normal((5, 8)),
)
SIN_COS = Operation(
    "sin and cos", lambda x: (np.sin(x), np.cos(x)), lambda x, dy: dy[0] * np.cos(x) - dy[1] * np.sin(x), normal((5,))
)
MILD = Operation("outputs of 1 and 1e-3", large_and_small(1, 1e-3), large_and_small_vjp(1, 1e-3), normal((5,)))
WIDE = Operation("outputs of 1e3 and 1e-3", large_and_small(1e3, 1e-3), large_and_small_vjp(1e3, 1e-3), normal((5,)))

OPERATIONS: Sequence[Operation] = (
    SIN, SQUARE, TANH, EXP, LOG, SQRT, SIGMOID, RELU, LEAKY, GELU, SCALE, PENALTY, DIVIDE, ADD, MATMUL, SUM, MEAN,
    VARIANCE, CUMSUM, NORM, SOFTMAX, LOG_SOFTMAX, LOGSUMEXP, LAYER_NORM, BATCH_NORM, CONV, MOVING_SUM, MAX_POOL, GATHER,
    MAX, SIN_COS, MILD, WIDE,
)  # fmt: skip

WRONG: Sequence[Problem] = (
    SIN.wrong("sign flipped", lambda x, dy: -dy * np.cos(x)),
    SQUARE.wrong("factor 2 missing", lambda x, dy: x * dy),
    SQUARE.wrong("right for a cotangent of ones only", lambda x, dy: 2 * x),
    TANH.wrong("1 - y", lambda x, dy: dy * (1 - np.tanh(x))),
    TANH.wrong("off by 1 %", lambda x, dy: 1.01 * tanh_vjp(x, dy)),
    TANH.wrong("off by 1e-4", lambda x, dy: 1.0001 * tanh_vjp(x, dy)),
    TANH.wrong("one of 50 entries zeroed", tampered(tanh_vjp, 17, 0.0), normal((50,))),
    TANH.wrong("one of 200 entries zeroed", tampered(tanh_vjp, 137, 0.0), normal((10, 20))),
    TANH.wrong("one of 200 entries off by 1 %", tampered(tanh_vjp, 42, 1.01), normal((10, 20))),
    EXP.wrong("absolute value of the cotangent", lambda x, dy: np.exp(x) * np.abs(dy)),
    SIGMOID.wrong("y", lambda x, dy: dy * sigmoid(x)),
    RELU.wrong("gated by the cotangent", lambda x, dy: dy * (dy > 0)),
    LEAKY.wrong("slope 0.001 for 0.01", lambda x, dy: np.where(x > 0, dy, 0.001 * dy)),
    GELU.wrong("gradient of the tanh form", tanh_gelu_vjp),
    SCALE.wrong("given as 0", lambda x, dy: 0 * dy),
    PENALTY.wrong("penalty forgotten", lambda x, w, dy: (tanh_vjp(x, dy), 0 * w)),
    DIVIDE.wrong("sign of db", lambda a, b, dy: (dy / b, dy * a / b**2)),
    ADD.wrong("mean for sum", lambda x, b, dy: (dy.copy(), dy.mean(0))),
    ADD.wrong("summed over the wrong axis", lambda x, b, dy: (dy.copy(), dy.sum(1))),
    ADD.wrong("broadcasting not undone", lambda x, b, dy: (dy.copy(), dy.copy())),
    MATMUL.wrong("transposes missing", lambda a, b, dy: (dy @ b, a @ dy)),
    MATMUL.wrong("cotangent transposed", lambda a, b, dy: (dy.T @ b.T, a.T @ dy)),
    SUM.wrong("mean for sum", lambda x, dy: 2 * x * dy[..., None] / x.shape[-1]),
    MEAN.wrong("1/n missing", lambda x, dy: np.zeros_like(x) + dy[..., None]),
    VARIANCE.wrong("ddof 1 for 0", lambda x, dy: variance_vjp(x, dy, ddof=1)),
    CUMSUM.wrong("not reversed", lambda x, dy: np.cumsum(dy)),
    NORM.wrong("not divided by the norm", lambda x, dy: x * dy[..., None]),
    SOFTMAX.wrong("sum missing", lambda x, dy: softmax(x) * (1 - softmax(x)) * dy),
    SOFTMAX.wrong("one of 200 entries zeroed", tampered(softmax_vjp, 199, 0.0), normal((10, 20))),
    LOG_SOFTMAX.wrong("right for one-hot cotangents only", lambda x, dy: dy - softmax(x)),
    LOGSUMEXP.wrong("sigmoid for softmax", lambda x, dy: dy[..., None] * sigmoid(x)),
    LAYER_NORM.wrong("a term dropped", lambda x, dy: norm_vjp(x, dy, -1, through_variance=False)),
    LAYER_NORM.wrong("epsilon dropped", lambda x, dy: norm_vjp(x, dy, -1, eps=0.0)),
    BATCH_NORM.wrong("statistics as constants", lambda x, dy: dy * normalized(x, 0)[1]),
    CONV.wrong("kernel not flipped", lambda x, w, dy: conv1d_vjp(x, w, dy, flip=False)),
    MOVING_SUM.wrong("window off by one", lambda x, dy: moving_sum_vjp(x, dy, shift=1)),
    MAX_POOL.wrong("to the window's first entry", lambda x, dy: max_pool_vjp(x, dy, first=True)),
    GATHER.wrong("overwrites where it must add", lambda x, dy: gather_vjp(x, dy, add=False)),
    SIN_COS.wrong("second output forgotten", lambda x, dy: dy[0] * np.cos(x)),
    MILD.wrong("the small one off by 1 %", large_and_small_vjp(1, 1e-3, 1.01)),
    WIDE.wrong("the small one off by 1 %", large_and_small_vjp(1e3, 1e-3, 1.01)),
    Problem("tanh: at the last forward's argument", False, of_the_last_forward, normal((8,))),
    Problem("tanh: adds into one buffer", False, into_one_buffer, normal((8,))),
)

HARD: Sequence[Problem] = (
    RELU.right("two of 60 within 1e-7 of 0", few_near_zero(60, 2, 1e-7)),
    RELU.right("all within 1e-7 of 0", uniform(-1e-7, 1e-7, (20,))),
    Operation("sum of relu", lambda x: np.maximum(x, 0).sum(), lambda x, dy: dy * (x > 0), normal((60,))).right(),
    SIN.right("at 1e8", normal((10,), scale=1e8)),
    SIN.right("float32", normal((10,)), "float32"),
    Operation(
        "fast oscillation", lambda x: np.sin(1e4 * x), lambda x, dy: 1e4 * dy * np.cos(1e4 * x), normal((10,))
    ).right(),
    TANH.right("saturated", normal((20,), scale=20)),
    TANH.right("float32", dtype="float32"),
    Operation("1e8 + tanh", lambda x: 1e8 + np.tanh(x), tanh_vjp, normal((8,))).right(),
    EXP.right("up to e^300", uniform(-300, 300, (20,))),
    EXP.right("float32", dtype="float32"),
    LOG.right("near 0", log_uniform(-8, 0, 20)),
    SQRT.right("near 0", log_uniform(-10, 0, 20)),
    Operation("reciprocal", lambda x: 1 / x, lambda x, dy: -dy / x**2, log_uniform(-6, 2, 20)).right(),
    DIVIDE.right("by small numbers", lambda rng: [rng.normal(size=8), 10.0 ** rng.uniform(-4, 0, 8)]),
    SQUARE.right("from 1e-3 to 1e8", log_uniform(-3, 8, 12)),
    GELU.right("on [-5, 5]", uniform(-5, 5, (20,))),
    GELU.right("on [-9, 9]", uniform(-9, 9, (20,))),
    GELU.right("float32", dtype="float32"),
    SIGMOID.right("saturated", normal((20,), scale=20)),
    MAX.right("two entries 1e-5 apart", lambda rng: [np.arange(8.0) + np.append(np.zeros(7), -0.99999)]),
    SOFTMAX.right("saturated", normal((3, 5), scale=100)),
    SOFTMAX.right("float32", normal((3, 5), scale=3), "float32"),
    LOG_SOFTMAX.right("float32", normal((3, 5), scale=3), "float32"),
    LOGSUMEXP.right("near 1e4", normal((3, 5), scale=30, offset=1e4)),
    LAYER_NORM.right("float32", normal((3, 8)), "float32"),
    LAYER_NORM.right("of tiny variance", normal((3, 6), scale=1e-3)),
    BATCH_NORM.right("float32", dtype="float32"),
    VARIANCE.right("around 1e3", normal((3, 5), offset=1e3)),
    MATMUL.right("float32, 8 × 100 by 100 × 2", normal((8, 100), (100, 2)), "float32"),
    CONV.right("float32", dtype="float32"),
    MEAN.right("of 2,000", normal((1, 2000))),
    MEAN.right("float32, of 200", normal((2, 200)), "float32"),
    NORM.right("near 0", normal((3, 4), scale=1e-6)),
)

RIGHT: Sequence[Problem] = (*(operation.right() for operation in OPERATIONS), *HARD)
PROBLEMS: Sequence[Problem] = (*WRONG, *RIGHT)
