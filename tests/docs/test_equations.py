"""docs/equations.md, proven: each equation written out in plain NumPy, against tinynet in float64.

The right side of every test is the equation as it stands in the docs: loops where the docs have a sum, one line where
they have a product. The left side is what a user calls. Each test runs by kernels and by definitions.
"""

from __future__ import annotations

import contextlib
import itertools
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinynet
import tinynet.nn.functional as F

few = settings(
    max_examples=25, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
sizes = st.integers(1, 4)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True, params=["kernels", "definitions"])
def way(request):
    """Every equation holds for the kernels, and for the definitions that they are compared with."""
    with tinynet.use_definitions() if request.param == "definitions" else contextlib.nullcontext():
        yield


def normal(seed, *shapes):
    """Arrays of float64 numbers from a normal distribution."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def leaf(array):
    """A tensor with a copy of `array`, which asks for a gradient."""
    return tinynet.tensor(array.copy(), requires_grad=True)


def close(tensor, expected):
    expected = np.asarray(expected)
    assert tuple(tensor.shape) == expected.shape
    np.testing.assert_allclose(tensor.detach().numpy(), expected, rtol=1e-10, atol=1e-10)


def far(a, b):
    """Whether two arrays clearly differ: what the articles print is not the gradient."""
    return np.shape(a) != np.shape(b) or not np.allclose(a, b, rtol=1e-3, atol=1e-3)


# E1, E2: forward


@few
@given(seed=seeds, batch=st.integers(0, 4), features=sizes, units=sizes)
def test_e1_affine(seed, batch, features, units):
    A, W, b = normal(seed, (batch, features), (units, features), (units,))
    Z = np.empty((batch, units))
    for n in range(batch):  # the equation, for one column vector after the other
        Z[n] = W @ A[n] + b
    close(F.linear(*map(tinynet.tensor, (A, W, b))), Z)


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def phi(z):
    """The standard normal distribution."""
    return (1 + math.erf(z / math.sqrt(2))) / 2


# f, and f′ by hand
ACTIVATIONS = {
    "relu": (lambda z: max(z, 0), lambda z: float(z > 0)),
    "leaky_relu": (lambda z: z if z > 0 else 0.01 * z, lambda z: 1 if z > 0 else 0.01),
    "elu": (lambda z: z if z > 0 else math.exp(z) - 1, lambda z: 1 if z > 0 else math.exp(z)),
    "tanh": (math.tanh, lambda z: 1 - math.tanh(z) ** 2),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "softplus": (lambda z: math.log(1 + math.exp(z)), sigmoid),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) + z * sigmoid(z) * (1 - sigmoid(z))),
    "gelu": (lambda z: z * phi(z), lambda z: phi(z) + z * math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@few
@given(z=st.lists(st.floats(-10, 10), min_size=1, max_size=5))
def test_e2_activation(name, z):
    f, slope = ACTIVATIONS[name]
    x = leaf(np.array(z))
    a = getattr(F, name)(x)
    close(a, [f(v) for v in z])
    a.sum().backward()
    close(x.grad, [slope(v) for v in z])


# E3, E4, E5: backward, in a network of two layers with L = Σ (a₂ − y)²


def two_layers(seed, batch, features, hidden, outputs):
    """The network in tinynet after loss.backward(), and the same backward pass by hand, both as dictionaries."""
    X, Y, W1, b1, W2, b2 = normal(
        seed, (batch, features), (batch, outputs), (hidden, features), (hidden,), (outputs, hidden), (outputs,)
    )

    t = {"W1": leaf(W1), "b1": leaf(b1), "W2": leaf(W2), "b2": leaf(b2)}
    t["z1"] = F.linear(tinynet.tensor(X), t["W1"], t["b1"])
    t["a1"] = F.tanh(t["z1"])
    t["z2"] = F.linear(t["a1"], t["W2"], t["b2"])
    t["a2"] = F.sigmoid(t["z2"])
    for name in ("z1", "a1", "z2", "a2"):
        t[name].retain_grad()
    F.mse_loss(t["a2"], tinynet.tensor(Y), reduction="sum").backward()

    a1 = np.tanh(X @ W1.T + b1)
    a2 = 1 / (1 + np.exp(-(a1 @ W2.T + b2)))
    h = {name: np.zeros_like(value) for name, value in (("W1", W1), ("b1", b1), ("W2", W2), ("b2", b2))}
    for name, like in (("z1", a1), ("a1", a1), ("z2", a2), ("a2", a2)):
        h[name] = np.zeros_like(like)
    for n in range(batch):
        h["a2"][n] = 2 * (a2[n] - Y[n])
        h["z2"][n] = h["a2"][n] * a2[n] * (1 - a2[n])  # E3: δ = ∂L/∂a ⊙ f′(z)
        h["a1"][n] = W2.T @ h["z2"][n]  # E3, second half: ∂L/∂a of the layer below = Wᵀ δ
        h["z1"][n] = h["a1"][n] * (1 - a1[n] ** 2)
        h["W2"] += np.outer(h["z2"][n], a1[n])  # E4: δ aᵀ, summed over the batch
        h["W1"] += np.outer(h["z1"][n], X[n])
        h["b2"] += h["z2"][n]  # E5: δ, summed over the batch
        h["b1"] += h["z1"][n]
    return t, h, {"slope2": a2 * (1 - a2), "a1": a1}


networks = {"seed": seeds, "batch": st.integers(1, 4), "features": sizes, "hidden": sizes, "outputs": sizes}


@few
@given(**networks)
def test_e3_delta(**network):
    t, h, _ = two_layers(**network)
    for name in ("a2", "z2", "a1", "z1"):
        close(t[name].grad, h[name])


@few
@given(**networks)
def test_e4_weight_gradient(**network):
    t, h, _ = two_layers(**network)
    close(t["W2"].grad, h["W2"])
    close(t["W1"].grad, h["W1"])


@few
@given(**networks)
def test_e5_bias_gradient(**network):
    t, h, _ = two_layers(**network)
    close(t["b2"].grad, h["b2"])
    close(t["b1"].grad, h["b1"])


def test_e3_e4_e5_as_printed_are_wrong():
    t, _, v = two_layers(seed=0, batch=3, features=4, hidden=5, outputs=2)
    da, dz = t["a2"].grad.numpy(), t["z2"].grad.numpy()
    assert far(dz * v["slope2"], da)  # E3 with the two gradients exchanged
    assert far(np.einsum("no,nh->oh", da, v["a1"]), t["W2"].grad.numpy())  # E4 with ∂L/∂a in place of δ
    assert far(da.sum(0), t["b2"].grad.numpy())  # E5 likewise
    assert far(dz, t["b2"].grad.numpy())  # and without the sum over the batch


# E6, E7: gradient descent


@few
@given(seed=seeds, alpha=st.floats(0, 1), units=sizes, features=sizes)
def test_e6_e7_gradient_descent(seed, alpha, units, features):
    W, b, dW, db = normal(seed, (units, features), (units,), (units, features), (units,))
    layer = {"W": leaf(W), "b": leaf(b)}
    layer["W"].grad, layer["b"].grad = tinynet.tensor(dW), tinynet.tensor(db)
    tinynet.optim.SGD(layer.values(), lr=alpha).step()
    close(layer["W"], W - alpha * dW)  # E6
    close(layer["b"], b - alpha * db)  # E7
    close(layer["W"].grad, dW)  # a step reads the gradient, and leaves it as it is


# E10, E16, E19: convolution


def convolution_19(x, w, b, s, pad, d):
    """E19 with all its sums: batch, output channel, row, column; input channel, kernel row, kernel column."""
    N, C, H, W = x.shape
    O, _, U, V = w.shape
    P, Q = (H + 2 * pad - d * (U - 1) - 1) // s + 1, (W + 2 * pad - d * (V - 1) - 1) // s + 1
    y = np.zeros((N, O, P, Q))
    for n, o, p, q in itertools.product(range(N), range(O), range(P), range(Q)):
        y[n, o, p, q] = b[o]
        for c, u, v in itertools.product(range(C), range(U), range(V)):
            i, j = p * s + u * d - pad, q * s + v * d - pad
            if 0 <= i < H and 0 <= j < W:  # outside lies the padding, which is 0
                y[n, o, p, q] += x[n, c, i, j] * w[o, c, u, v]
    return y


@few
@given(
    seed=seeds,
    batch=st.integers(1, 2),
    channels=st.integers(1, 3),
    maps=st.integers(1, 3),
    size=st.tuples(st.integers(5, 7), st.integers(5, 7)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
)
def test_e19_convolution(seed, batch, channels, maps, size, kernel, stride, padding, dilation):
    x, w, b = normal(seed, (batch, channels, *size), (maps, channels, *kernel), (maps,))
    y = F.conv2d(*map(tinynet.tensor, (x, w, b)), stride=stride, padding=padding, dilation=dilation)
    close(y, convolution_19(x, w, b, stride, padding, dilation))


def convolution(x, w, b, stride):
    """E10 in any number of dimensions: each output is the product of the kernel and one window of the input."""
    kernel = w.shape[2:]
    out = [(n - k) // stride + 1 for n, k in zip(x.shape[2:], kernel, strict=True)]
    y = np.empty((x.shape[0], w.shape[0], *out))
    for n, o, *place in itertools.product(range(x.shape[0]), range(w.shape[0]), *map(range, out)):
        window = tuple(slice(p * stride, p * stride + k) for p, k in zip(place, kernel, strict=True))
        y[(n, o, *place)] = np.sum(x[(n, slice(None), *window)] * w[o]) + b[o]
    return y


def convolution_gradients(dy, x, w, stride):
    """The transpose of each line of `convolution`: what y took from x, w and b, it gives back times dy."""
    kernel, dx, dw, db = w.shape[2:], np.zeros_like(x), np.zeros_like(w), np.zeros(w.shape[0])
    for n, o, *place in np.ndindex(dy.shape):
        window = tuple(slice(p * stride, p * stride + k) for p, k in zip(place, kernel, strict=True))
        g = dy[(n, o, *place)]
        dx[(n, slice(None), *window)] += g * w[o]
        dw[o] += g * x[(n, slice(None), *window)]
        db[o] += g
    return dx, dw, db


def check_convolution(rank, seed, channels, maps, kernel, stride):
    x, w, b = normal(seed, (2, channels, *(5,) * rank), (maps, channels, *(kernel,) * rank), (maps,))
    expected = convolution(x, w, b, stride)
    (dy,) = normal(seed + 1, expected.shape)
    inputs = leaf(x), leaf(w), leaf(b)
    y = (F.conv1d, F.conv2d, F.conv3d)[rank - 1](*inputs, stride=stride)
    close(y, expected)
    y.backward(tinynet.tensor(dy))
    for tensor, gradient in zip(inputs, convolution_gradients(dy, x, w, stride), strict=True):
        close(tensor.grad, gradient)


geometry = {
    "seed": seeds,
    "channels": st.integers(1, 2),
    "maps": st.integers(1, 2),
    "kernel": st.integers(1, 3),
    "stride": st.integers(1, 2),
}


@few
@given(rank=st.integers(1, 3), **geometry)
def test_e10_convolution(rank, **case):
    check_convolution(rank, **case)


@few
@given(**geometry)
def test_e16_convolution_3d(**case):
    check_convolution(3, **case)


# E11: pooling


@few
@given(
    seed=seeds, batch=st.integers(1, 2), channels=st.integers(1, 3), kernel=st.integers(1, 3), step=st.integers(1, 3)
)
def test_e11_max_pooling(seed, batch, channels, kernel, step):
    x, spread = normal(seed, (batch, channels, 6, 7), (batch, channels, 6, 7))
    t = leaf(x)
    p = F.max_pool2d(t, kernel, step)
    expected, dx = np.empty(p.shape), np.zeros_like(x)
    dy = spread[:, :, : p.shape[2], : p.shape[3]]
    for n, c, i, j in np.ndindex(*p.shape):
        window = x[n, c, i * step : i * step + kernel, j * step : j * step + kernel]
        expected[n, c, i, j] = np.max(window)
        u, v = np.unravel_index(np.argmax(window), window.shape)  # the whole gradient goes to the largest element
        dx[n, c, i * step + u, j * step + v] += dy[n, c, i, j]
    close(p, expected)
    p.backward(tinynet.tensor(dy))
    close(t.grad, dx)


@few
@given(
    seed=seeds, batch=st.integers(1, 2), channels=st.integers(1, 3), kernel=st.integers(1, 3), step=st.integers(1, 3)
)
def test_e11_average_pooling(seed, batch, channels, kernel, step):
    x, spread = normal(seed, (batch, channels, 6, 7), (batch, channels, 6, 7))
    t = leaf(x)
    p = F.avg_pool2d(t, kernel, step)
    expected, dx = np.empty(p.shape), np.zeros_like(x)
    dy = spread[:, :, : p.shape[2], : p.shape[3]]
    for n, c, i, j in np.ndindex(*p.shape):
        window = (n, c, slice(i * step, i * step + kernel), slice(j * step, j * step + kernel))
        expected[n, c, i, j] = np.mean(x[window])
        dx[window] += dy[n, c, i, j] / kernel**2  # every element gets the same share
    close(p, expected)
    p.backward(tinynet.tensor(dy))
    close(t.grad, dx)


# E14, E15: the recurrent network


@few
@given(seed=seeds, relu=st.booleans(), steps=sizes, batch=sizes, features=sizes, hidden=sizes, outputs=sizes)
def test_e14_e15_recurrent(seed, relu, steps, batch, features, hidden, outputs):
    X, W, b, V, c, start = normal(
        seed, (steps, batch, features), (hidden, hidden + features), (hidden,), (outputs, hidden), (outputs,),
        (1, batch, hidden),
    )  # fmt: skip
    f = (lambda v: np.maximum(v, 0)) if relu else np.tanh
    H, Y = np.empty((steps, batch, hidden)), np.empty((steps, batch, outputs))
    for n in range(batch):
        h = start[0, n]
        for t in range(steps):
            h = H[t, n] = f(W @ np.concatenate([h, X[t, n]]) + b)  # E14
            Y[t, n] = f(V @ h + c)  # E15
    network = tinynet.nn.RNN(features, hidden, nonlinearity="relu" if relu else "tanh", dtype=tinynet.float64)
    weights = {
        "weight_hh_l0": W[:, :hidden],
        "weight_ih_l0": W[:, hidden:],
        "bias_hh_l0": b / 4,
        "bias_ih_l0": 3 * b / 4,
    }
    network.load_state_dict({name: tinynet.tensor(w.copy()) for name, w in weights.items()})
    found, last = network(tinynet.tensor(X), tinynet.tensor(start))
    close(found, H)
    close(last, H[-1:])
    activation = F.relu if relu else F.tanh
    close(activation(F.linear(found, *map(tinynet.tensor, (V, c)))), Y)


# E23: losses


@few
@given(seed=seeds, batch=st.integers(1, 4), outputs=sizes)
def test_e23_mean_squared_error(seed, batch, outputs):
    x, y = normal(seed, (batch, outputs), (batch, outputs))
    t = leaf(x)
    loss = F.mse_loss(t, tinynet.tensor(y))
    close(loss, sum((x[i] - y[i]) ** 2 for i in np.ndindex(x.shape)) / x.size)
    loss.backward()
    close(t.grad, 2 * (x - y) / x.size)


@few
@given(seed=seeds, batch=st.integers(1, 4), classes=st.integers(2, 5))
def test_e23_cross_entropy(seed, batch, classes):
    (x,) = normal(seed, (batch, classes))
    labels = np.random.default_rng(seed).integers(0, classes, batch)
    one_hot = np.zeros((batch, classes))
    one_hot[np.arange(batch), labels] = 1

    softmax = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    expected = 0.0
    for n in range(batch):
        expected -= math.log(softmax[n, labels[n]]) / batch

    for target in (labels, one_hot):  # "sparse" and "categorical": two ways to write the same target
        t = leaf(x)
        loss = F.cross_entropy(t, tinynet.tensor(target))
        close(loss, expected)
        loss.backward()
        close(t.grad, (softmax - one_hot) / batch)


# E24: Adam and AdamW


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@few
@given(
    seed=seeds,
    alpha=st.floats(1e-4, 0.1),
    beta1=st.floats(0, 0.99),
    beta2=st.floats(0.5, 0.999),
    decay=st.sampled_from([0.0, 0.1]),
)
def test_e24_adam(name, seed, alpha, beta1, beta2, decay):
    W, *gradients = normal(seed, *[(3, 2)] * 6)
    eps = 1e-8
    p = leaf(W)
    optimizer = getattr(tinynet.optim, name)([p], lr=alpha, betas=(beta1, beta2), eps=eps, weight_decay=decay)
    m, v = np.zeros_like(W), np.zeros_like(W)
    for t, g in enumerate(gradients, start=1):
        p.grad = tinynet.tensor(g)
        optimizer.step()

        if name == "AdamW":
            W = W - alpha * decay * W  # decoupled: the weights shrink by themselves
        else:
            g = g + decay * W  # L2: the decay passes through m and v, too
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        W = W - alpha * m_hat / (np.sqrt(v_hat) + eps)
        close(p, W)
