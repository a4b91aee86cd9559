"""Families of activation functions, whose members differ by numbers alone: pieces of polynomials, exponentials below
zero, softplus; and mish.

Each is one pass over the elements. Parallel over chunks of 4096 elements; every element is computed alone, in the
dtype of the arrays, so nothing accumulates. Floor: x and y once forward; dy, x and dx once backward.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .activation import run_backward, run_forward
from .arrays import Array
from .jit import inner, kernel
from .vmath import exp_negative, expm1_negative, sigmoid, softplus, tanh

_CHUNK = 4096
_EXP = 8  # the work of an element with an exponential, in additions


def pieces_forward(
    x: Array, *, low: float, high: float, below: tuple[float, ...], middle: tuple[float, ...], above: tuple[float, ...]
) -> Array:
    """``y = a + b·x`` for x ≤ low and, with other numbers, for x ≥ high; else ``a + x·(b + c·x)``, which NaN takes too.

    below, above (a, b), middle (a, b, c); where b is 0 an infinite x gives a. x of any shape → y.
    """
    return run_forward(_pieces, 1, x, _numbers(x, low, high, *below, *middle, *above))


def pieces_backward(
    dy: Array,
    x: Array,
    *,
    low: float,
    high: float,
    below: tuple[float, ...],
    middle: tuple[float, ...],
    above: tuple[float, ...],
) -> Array:
    """``dx = dy · b`` in the outer pieces, ``dy · (b + 2c·x)`` in the middle; arguments as in `pieces_forward`."""
    numbers = _numbers(x, low, high, below[1], middle[1], 2 * middle[2], above[1])
    return run_backward(_pieces_grad, 1, dy, x, numbers)


def exponential_forward(x: Array, *, slope: float, scale: float, rate: float) -> Array:
    """``y = slope · x`` for x > 0, else ``scale · (e^(rate·x) − 1)``, rate ≥ 0. x of any shape → y."""
    return run_forward(_exponential, _EXP, x, _numbers(x, slope, scale, rate))


def exponential_backward(dy: Array, x: Array, *, slope: float, scale: float, rate: float) -> Array:
    """``dx = dy · slope`` for x > 0, else ``dy · scale · rate · e^(rate·x)``."""
    return run_backward(_exponential_grad, _EXP, dy, x, _numbers(x, slope, scale * rate, rate))


def softplus_forward(x: Array, *, beta: float, threshold: float) -> Array:
    """``y = log(1 + e^(beta·x))/beta``, x itself where beta·x > threshold. x of any shape → y."""
    return run_forward(_softplus, 2 * _EXP, x, _numbers(x, beta, threshold, 1.0 / beta))


def softplus_backward(dy: Array, x: Array, *, beta: float, threshold: float) -> Array:
    """``dx = dy · σ(beta·x)``, dy itself where beta·x > threshold."""
    return run_backward(_softplus_grad, _EXP, dy, x, _numbers(x, beta, threshold))


def mish_forward(x: Array) -> Array:
    """``y = x · tanh(log(1 + eˣ))``. x of any shape → y."""
    return run_forward(_mish, 3 * _EXP, x)


def mish_backward(dy: Array, x: Array) -> Array:
    """``dx = dy · (t + x · (1 − t²) · σ(x))``, ``t = tanh(log(1 + eˣ))``."""
    return run_backward(_mish_grad, 4 * _EXP, dy, x)


def _numbers(x: Array, *values: float) -> Array:
    with np.errstate(over="ignore"):
        return np.array(values, x.dtype)


@kernel
def _pieces(x, numbers, y):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _pieces_chunk(x[lo:hi], numbers, y[lo:hi])


@inner
def _pieces_chunk(x, numbers, y):  # type: ignore[no-untyped-def]
    low, high, a0, b0, a = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    b, c, a1, b1 = numbers[5], numbers[6], numbers[7], numbers[8]
    zero = x.dtype.type(0)
    for i in range(x.size):
        v = x[i]
        below = a0 if b0 == zero else a0 + b0 * v
        above = a1 if b1 == zero else a1 + b1 * v
        y[i] = below if v <= low else above if v >= high else a + v * (b + c * v)


@kernel
def _pieces_grad(dy, x, numbers, dx):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _pieces_grad_chunk(dy[lo:hi], x[lo:hi], numbers, dx[lo:hi])


@inner
def _pieces_grad_chunk(dy, x, numbers, dx):  # type: ignore[no-untyped-def]
    low, high, b0, b, c, b1 = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    for i in range(x.size):
        v = x[i]
        dx[i] = dy[i] * (b0 if v <= low else b1 if v >= high else b + c * v)


@kernel
def _exponential(x, numbers, y):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _exponential_chunk(x[lo:hi], numbers, y[lo:hi])


@inner
def _exponential_chunk(x, numbers, y):  # type: ignore[no-untyped-def]
    slope, scale, rate = numbers[0], numbers[1], numbers[2]
    zero = x.dtype.type(0)
    for i in range(x.size):
        v = x[i]
        below = scale * expm1_negative(rate * (zero if v > zero else v))
        y[i] = slope * v if v > zero else below


@kernel
def _exponential_grad(dy, x, numbers, dx):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _exponential_grad_chunk(dy[lo:hi], x[lo:hi], numbers, dx[lo:hi])


@inner
def _exponential_grad_chunk(dy, x, numbers, dx):  # type: ignore[no-untyped-def]
    slope, scale, rate = numbers[0], numbers[1], numbers[2]
    zero = x.dtype.type(0)
    for i in range(x.size):
        v = x[i]
        below = scale * exp_negative(rate * (zero if v > zero else v))
        dx[i] = dy[i] * (slope if v > zero else below)


@kernel
def _softplus(x, numbers, y):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _softplus_chunk(x[lo:hi], numbers, y[lo:hi])


@inner
def _softplus_chunk(x, numbers, y):  # type: ignore[no-untyped-def]
    beta, threshold, scale = numbers[0], numbers[1], numbers[2]
    for i in range(x.size):
        v = beta * x[i]
        y[i] = x[i] if v > threshold else scale * softplus(v)


@kernel
def _softplus_grad(dy, x, numbers, dx):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _softplus_grad_chunk(dy[lo:hi], x[lo:hi], numbers, dx[lo:hi])


@inner
def _softplus_grad_chunk(dy, x, numbers, dx):  # type: ignore[no-untyped-def]
    beta, threshold = numbers[0], numbers[1]
    for i in range(x.size):
        v = beta * x[i]
        dx[i] = dy[i] if v > threshold else dy[i] * sigmoid(v)


@kernel
def _mish(x, y):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _mish_chunk(x[lo:hi], y[lo:hi])


@inner
def _mish_chunk(x, y):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        y[i] = x[i] * tanh(softplus(x[i]))


@kernel
def _mish_grad(dy, x, dx):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _mish_grad_chunk(dy[lo:hi], x[lo:hi], dx[lo:hi])


@inner
def _mish_grad_chunk(dy, x, dx):  # type: ignore[no-untyped-def]
    one = x.dtype.type(1)
    for i in range(x.size):
        t = tanh(softplus(x[i]))
        dx[i] = dy[i] * (t + x[i] * (one - t * t) * sigmoid(x[i]))
