"""A training step of an `nn.Sequential` as one compiled JAX function: forward, cross-entropy, backward and AdamW."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import Maker, Program


def jax_step(network: Callable[[Any], Any], inputs: Callable[[Maker], tuple[Any, Any]]) -> Any:
    """The builder of a case: tinynet makes the network and its numbers, JAX does all that is timed.

    Running statistics of batch norm, which no training step reads, are left out.
    """

    def build(_: Maker, jax: Any) -> Program:
        import tinynet

        m = Maker(tinynet)
        model = m.model(network(tinynet))
        x, y = (jax.numpy.asarray(v.numpy()) for v in inputs(m))
        layers = [_layer(jax, name, layer) for name, layer in model.named_children()]

        def loss(params: Any, x: Any, y: Any) -> Any:
            for layer in layers:
                x = layer(params, x)
            return -jax.numpy.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1).mean()

        step = jax.jit(_adamw(jax, jax.value_and_grad(loss)))
        params = {n: jax.numpy.asarray(p.detach().numpy()) for n, p in model.named_parameters()}
        zeros = jax.tree.map(jax.numpy.zeros_like, params)
        state = [params, zeros, zeros, 1.0]

        def run() -> Any:
            value, grads, *state[:3] = jax.block_until_ready(step(*state, x, y))
            state[3] += 1.0
            return value, grads

        def values() -> dict[str, Any]:
            value, grads = run()
            found = {"loss 0": np.asarray(value), **{f"grad {n}": np.asarray(g) for n, g in grads.items()}}
            return found | {f"loss {i}": np.asarray(run()[0]) for i in (1, 2)}

        return Program(run, values)

    return build


def _adamw(jax: Any, value_and_grad: Any) -> Any:
    def step(params: Any, first: Any, second: Any, t: Any, x: Any, y: Any) -> Any:
        value, grads = value_and_grad(params, x, y)
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grads)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, grads)
        params = jax.tree.map(
            lambda p, m, v: p * (1 - 1e-5)
            - 1e-3 * (m / (1 - 0.9**t)) / (jax.numpy.sqrt(v / (1 - 0.999**t)) + 1e-8),
            params, first, second,
        )  # fmt: skip
        return value, grads, params, first, second

    return step


def _layer(jax: Any, name: str, layer: Any) -> Callable[[Any, Any], Any]:
    """A layer as a function of all parameters and its input."""
    kind, jnp = type(layer).__name__, jax.numpy
    weight, bias = f"{name}.weight", f"{name}.bias"
    if kind.startswith("Conv"):
        n = len(layer.kernel_size)
        spec = ("NCDHW"[:2] + "DHW"[3 - n :], "OI" + "DHW"[3 - n :], "NC" + "DHW"[3 - n :])
        padding = [(p, p) for p in layer.padding]

        def conv(params: Any, x: Any) -> Any:
            y = jax.lax.conv_general_dilated(x, params[weight], layer.stride, padding, dimension_numbers=spec)
            return y + params[bias].reshape(-1, *(1,) * n) if bias in params else y

        return conv
    if kind.startswith("MaxPool"):
        size = layer.kernel_size

        def pool(params: Any, x: Any) -> Any:
            window = (1, 1, *(size if isinstance(size, tuple) else (size,) * (x.ndim - 2)))
            return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")

        return pool
    if kind == "BatchNorm2d":

        def norm(params: Any, x: Any) -> Any:
            mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
            y = (x - mean) * jax.lax.rsqrt(var + layer.eps)
            return y * params[weight][:, None, None] + params[bias][:, None, None]

        return norm
    if kind == "Linear":
        return lambda params, x: x @ params[weight].T + params[bias]
    simple: dict[str, Callable[[Any], Any]] = {
        "ReLU": jax.nn.relu,
        "Flatten": lambda x: x.reshape(x.shape[0], -1),
        "AdaptiveAvgPool2d": lambda x: x.mean((2, 3), keepdims=True),
    }
    return lambda params, x: simple[kind](x)
