"""Activation functions of every element: relu, sigmoid, tanh, silu, gelu.

Each is one pass over the elements. Parallel over chunks of 4096 elements; every element is computed alone, in the
dtype of the arrays, so nothing accumulates. Floor: x and y once forward; two arrays read and one written backward.
relu, sigmoid and tanh read their derivative off the result y, so that x need not be kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from .arrays import Array, contiguous
from .jit import inner, kernel
from .memory import empty
from .vmath import normal_cdf, normal_pdf, sigmoid, tanh

_CHUNK = 4096
_EXP = 8  # the work of an element with an exponential, in additions
_CUBIC, _SLOPE = 0.044715, float(np.sqrt(8 / np.pi))


def relu_forward(x: Array) -> Array:
    """``y = max(x, 0)``; NaN and −0 stay. x of any shape → y."""
    return run_forward(_relu, 1, x)


def relu_backward(dy: Array, y: Array) -> Array:
    """``dx = dy · [y > 0]``, and dy where y is NaN."""
    return run_backward(_relu_grad, 1, dy, y)


def sigmoid_forward(x: Array) -> Array:
    """``y = 1 / (1 + e⁻ˣ)``. x of any shape → y."""
    return run_forward(_sigmoid, _EXP, x)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    """``dx = dy · (1 − y) · y``."""
    return run_backward(_sigmoid_grad, 1, dy, y)


def tanh_forward(x: Array) -> Array:
    """``y = tanh x``. x of any shape → y."""
    return run_forward(_tanh, _EXP, x)


def tanh_backward(dy: Array, y: Array) -> Array:
    """``dx = dy · (1 − y²)``."""
    return run_backward(_tanh_grad, 1, dy, y)


def silu_forward(x: Array) -> Array:
    """``y = x · σ(x)``. x of any shape → y."""
    return run_forward(_silu, _EXP, x)


def silu_backward(dy: Array, x: Array) -> Array:
    """``dx = dy · σ(x) · (1 + x · (1 − σ(x)))``."""
    return run_backward(_silu_grad, _EXP, dy, x)


def gelu_forward(x: Array, *, approximate: str) -> Array:
    """``y = x · Φ(x)``; for approximate "tanh" ``y = x · σ(2u)``, ``u = √(2/π) · (x + 0.044715 x³)``.

    ½(1 + tanh u) is σ(2u), which costs one exponential and loses nothing where x is negative. x of any shape → y.
    """
    return run_forward(_gelu_tanh if approximate == "tanh" else _gelu, 2 * _EXP, x)


def gelu_backward(dy: Array, x: Array, *, approximate: str) -> Array:
    """``dx = dy · (Φ(x) + x · φ(x))``; for "tanh" ``dx = dy · s · (1 + x · (1 − s) · 2u′)``, ``s = σ(2u)``."""
    return run_backward(_gelu_tanh_grad if approximate == "tanh" else _gelu_grad, 2 * _EXP, dy, x)


def run_forward(run: Any, cost: int, x: Array, *numbers: Array) -> Array:
    """``run(x, *numbers, y)`` over flat arrays, `cost` the work of an element."""
    y = empty(x.shape, x.dtype)
    run(x.size * cost, contiguous(x).reshape(-1), *numbers, y.reshape(-1))
    return y


def run_backward(run: Any, cost: int, dy: Array, v: Array, *numbers: Array) -> Array:
    """``run(dy, v, *numbers, dx)``, the same."""
    dx = empty(v.shape, v.dtype)
    run(v.size * cost, contiguous(dy).reshape(-1), contiguous(v).reshape(-1), *numbers, dx.reshape(-1))
    return dx


@kernel
def _relu(x, y):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        _relu_chunk(x[chunk * _CHUNK : (chunk + 1) * _CHUNK], y[chunk * _CHUNK : (chunk + 1) * _CHUNK])


@inner
def _relu_chunk(x, y):  # type: ignore[no-untyped-def]
    zero = x.dtype.type(0)
    for i in range(x.size):
        y[i] = zero if x[i] < zero else x[i]


@kernel
def _relu_grad(dy, y, dx):  # type: ignore[no-untyped-def]
    for chunk in prange((y.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _relu_grad_chunk(dy[lo:hi], y[lo:hi], dx[lo:hi])


@inner
def _relu_grad_chunk(dy, y, dx):  # type: ignore[no-untyped-def]
    zero = y.dtype.type(0)
    for i in range(y.size):
        dx[i] = zero if y[i] <= zero else dy[i]


@kernel
def _sigmoid(x, y):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        _sigmoid_chunk(x[chunk * _CHUNK : (chunk + 1) * _CHUNK], y[chunk * _CHUNK : (chunk + 1) * _CHUNK])


@inner
def _sigmoid_chunk(x, y):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        y[i] = sigmoid(x[i])


@kernel
def _sigmoid_grad(dy, y, dx):  # type: ignore[no-untyped-def]
    for chunk in prange((y.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _sigmoid_grad_chunk(dy[lo:hi], y[lo:hi], dx[lo:hi])


@inner
def _sigmoid_grad_chunk(dy, y, dx):  # type: ignore[no-untyped-def]
    one = y.dtype.type(1)
    for i in range(y.size):
        dx[i] = dy[i] * (one - y[i]) * y[i]


@kernel
def _tanh(x, y):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        _tanh_chunk(x[chunk * _CHUNK : (chunk + 1) * _CHUNK], y[chunk * _CHUNK : (chunk + 1) * _CHUNK])


@inner
def _tanh_chunk(x, y):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        y[i] = tanh(x[i])


@kernel
def _tanh_grad(dy, y, dx):  # type: ignore[no-untyped-def]
    for chunk in prange((y.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _tanh_grad_chunk(dy[lo:hi], y[lo:hi], dx[lo:hi])


@inner
def _tanh_grad_chunk(dy, y, dx):  # type: ignore[no-untyped-def]
    one = y.dtype.type(1)
    for i in range(y.size):
        dx[i] = dy[i] * (one - y[i] * y[i])


@kernel
def _silu(x, y):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        _silu_chunk(x[chunk * _CHUNK : (chunk + 1) * _CHUNK], y[chunk * _CHUNK : (chunk + 1) * _CHUNK])


@inner
def _silu_chunk(x, y):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        y[i] = x[i] * sigmoid(x[i])


@kernel
def _silu_grad(dy, x, dx):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _silu_grad_chunk(dy[lo:hi], x[lo:hi], dx[lo:hi])


@inner
def _silu_grad_chunk(dy, x, dx):  # type: ignore[no-untyped-def]
    one = x.dtype.type(1)
    for i in range(x.size):
        s = sigmoid(x[i])
        dx[i] = dy[i] * (s * (one + x[i] * (one - s)))


@kernel
def _gelu(x, y):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        _gelu_chunk(x[chunk * _CHUNK : (chunk + 1) * _CHUNK], y[chunk * _CHUNK : (chunk + 1) * _CHUNK])


@inner
def _gelu_chunk(x, y):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        y[i] = x[i] * normal_cdf(x[i])


@kernel
def _gelu_grad(dy, x, dx):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _gelu_grad_chunk(dy[lo:hi], x[lo:hi], dx[lo:hi])


@inner
def _gelu_grad_chunk(dy, x, dx):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        dx[i] = dy[i] * (normal_cdf(x[i]) + x[i] * normal_pdf(x[i]))


@kernel
def _gelu_tanh(x, y):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        _gelu_tanh_chunk(x[chunk * _CHUNK : (chunk + 1) * _CHUNK], y[chunk * _CHUNK : (chunk + 1) * _CHUNK])


@inner
def _gelu_tanh_chunk(x, y):  # type: ignore[no-untyped-def]
    one, slope, cubic = x.dtype.type(1), x.dtype.type(_SLOPE), x.dtype.type(_CUBIC)
    for i in range(x.size):
        y[i] = x[i] * sigmoid(slope * x[i] * (one + cubic * x[i] * x[i]))


@kernel
def _gelu_tanh_grad(dy, x, dx):  # type: ignore[no-untyped-def]
    for chunk in prange((x.size + _CHUNK - 1) // _CHUNK):
        lo, hi = chunk * _CHUNK, (chunk + 1) * _CHUNK
        _gelu_tanh_grad_chunk(dy[lo:hi], x[lo:hi], dx[lo:hi])


@inner
def _gelu_tanh_grad_chunk(dy, x, dx):  # type: ignore[no-untyped-def]
    one, slope, cubic = x.dtype.type(1), x.dtype.type(_SLOPE), x.dtype.type(_CUBIC)
    steep = x.dtype.type(3 * _CUBIC)
    for i in range(x.size):
        square = x[i] * x[i]
        s = sigmoid(slope * x[i] * (one + cubic * square))
        dx[i] = dy[i] * (s * (one + x[i] * (one - s) * (slope * (one + steep * square))))
