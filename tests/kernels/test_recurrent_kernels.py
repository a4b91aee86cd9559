"""Recurrent kernels: vector code reads and writes nothing behind its arrays; NaN stays with its own sequence."""

import numpy as np
import pytest

from .guard import ends_at_guard

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
kinds = pytest.mark.parametrize("kind", GATES)


def inputs_of(kind, normal, sizes, features, hidden, out):
    rows, states = GATES[kind] * hidden, [normal(sizes[0], out)]
    if kind == "lstm":
        states.append(normal(sizes[0], hidden))
    weights = [normal(rows, features), normal(rows, out), normal(rows), normal(rows)]
    if kind == "lstm":
        weights.append(normal(out, hidden) if out != hidden else None)
    return [normal(sum(sizes), features), *states, *weights]


def forward_and_backward(cpu, kind, inputs, sizes, guard=lambda a: a):
    options = {"sizes": sizes, "reverse": False} | ({"relu": False} if kind == "rnn" else {})
    inputs = [None if a is None else guard(a) for a in inputs]
    outputs, cache = getattr(cpu, f"{kind}_forward")(*inputs, **options)
    dys = [guard(np.cos(a)) for a in outputs]
    needs = [a is not None for a in inputs]
    found = getattr(cpu, f"{kind}_backward")(*dys, *inputs, tuple(map(guard, cache)), needs=needs, **options)
    return [*outputs, *(g for g in found if g is not None)]


@kinds
@pytest.mark.parametrize("hidden", [*range(1, 18), 33, 47, 48, 49])
def test_arrays_that_end_at_a_protected_page(cpu, kind, normal, hidden):
    for features, out in ((hidden, hidden), (1, hidden), (3, max(hidden - 1, 1) if kind == "lstm" else hidden)):
        sizes = (20, 20, 20, 5)
        inputs = inputs_of(kind, normal, sizes, features, hidden, out)
        plain = forward_and_backward(cpu, kind, inputs, sizes)
        guarded = forward_and_backward(cpu, kind, inputs, sizes, ends_at_guard)
        for a, b in zip(plain, guarded, strict=True):
            assert a.tobytes() == b.tobytes()


@kinds
def test_a_sequence_does_not_depend_on_the_others(cpu, kind, normal):
    """Its outputs and its gradients have no number of another one, not even a NaN."""
    sizes = (20,) * 5
    inputs = inputs_of(kind, normal, sizes, 7, 9, 9)
    clean = forward_and_backward(cpu, kind, inputs, sizes)
    inputs[0] = inputs[0].copy()
    inputs[0].reshape(5, 20, 7)[2, 13, 3] = np.nan
    y, again = (r[0].reshape(5, 20, -1) for r in (clean, forward_and_backward(cpu, kind, inputs, sizes)))
    assert np.isnan(again[2:, 13]).all()
    again[2:, 13] = y[2:, 13]
    assert again.tobytes() == y.tobytes()


@kinds
def test_saturated_gates(cpu, kind, normal, dtype):
    """Infinite and very large inputs give the limits of the functions, and no NaN."""
    sizes = (3, 3)
    inputs = inputs_of(kind, normal, sizes, 1, 2, 2)
    inputs[0] = np.array([1e30, -1e30, np.inf] * 2, dtype)[:, None]
    w = inputs[3 if kind == "lstm" else 2]
    w[...] = np.where(w < 0, -1, 1)
    y = forward_and_backward(cpu, kind, inputs, sizes)[0]
    assert np.isfinite(y).all()
    assert np.abs(y).max() <= 4


@pytest.mark.slow
@kinds
def test_products_of_many_rows(cpu, kind):
    """More rows than a block of a product, and more terms than a chunk of a sum: float32 beside float64."""
    rng, sizes = np.random.default_rng(0), (37,) * 9
    wide = inputs_of(kind, lambda *shape: rng.standard_normal(shape) / 8, sizes, 131, 50, 50)
    inputs = [None if a is None else a.astype(np.float32) for a in wide]
    found, expected = (forward_and_backward(cpu, kind, given, sizes) for given in (inputs, wide))
    for a, b in zip(found, expected, strict=True):
        assert np.abs(a - b).max() <= 1e-5 * np.abs(b).max()
