"""Recompute in the backward what the forward would have kept: less memory for more time.

The forward runs once, to find what the results depend on, and its graph is dropped. The backward runs it again, with the
same random numbers, and differentiates it.

Source: T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep nets with sublinear memory cost", 2016.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .. import random
from .._tensor import Tensor, current_node
from ..autograd.basis import alias
from ..autograd.engine import grad
from ..autograd.function import Function
from ..autograd.modes import enable_grad, modes
from ..autograd.node import Leaf, tick
from ..errors import OptionError


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Any = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs), whose inner results are not kept for the backward but computed again.

    use_reentrant       False: gradients flow into the arguments and the parameters that the function uses. True, or left
                        out (PyTorch's old form): also, but an argument must require a gradient, else there is none
    preserve_rng_state  draw the same random numbers again
    early_stop          accepted; it concerns speed alone
    context_fn, determinism_check, debug  not supported but as they are

    A tensor of the graph that the function uses must be an argument: others than leaves raise NotImplementedError.
    """
    if context_fn is not None or debug or determinism_check not in ("default", "none"):
        raise NotImplementedError("checkpoint: context_fn, debug and determinism_check are not supported")
    if use_reentrant is None:
        warnings.warn("checkpoint: pass use_reentrant explicitly; use_reentrant=False is recommended", stacklevel=2)
    reentrant = use_reentrant is not False
    if reentrant and kwargs:
        raise OptionError(
            f"checkpoint: unexpected keyword arguments {', '.join(kwargs)}; they need use_reentrant=False"
        )
    if not modes.recording:
        return function(*args, **kwargs)
    inputs: list[Tensor] = []
    _each((args, kwargs), lambda t: inputs.append(t) or t)  # type: ignore[func-returns-value]
    if reentrant and not any(t.requires_grad for t in inputs):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)
        return _each(_Run(function, args, kwargs, False).outputs(inputs), lambda t: t.detach())
    run = _Run(function, args, kwargs, preserve_rng_state)
    start = tick()
    fresh = [t.detach().requires_grad_(t.requires_grad) for t in inputs]
    result = run.outputs(fresh)
    found: list[Tensor] = []
    _each(result, lambda t: found.append(t) or t)  # type: ignore[func-returns-value]
    outputs = [t.detach() for t in found]
    leaves = [t for t in _leaves(found, start) if not any(t is f for f in fresh)]
    found.clear()
    taken = iter(_Recomputed.apply(run, outputs, leaves, *inputs, *leaves) if outputs else ())
    return _each(result, lambda t: next(taken))


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True
) -> Any:
    """A chain of functions (a Sequential, or a list) in `segments` parts, each but the last one a checkpoint."""
    chain = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(chain) // segments

    def part(first: int, last: int) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for f in chain[first:last]:
                x = f(x)
            return x

        return run

    end = 0
    for end in range(size, size * segments, size):
        run = part(end - size, end)
        input = checkpoint(run, input, use_reentrant=use_reentrant, preserve_rng_state=preserve_rng_state)
    return part(end, len(chain))(input)


class _Run:
    """The call, which can be run again on other tensors."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any, preserve: bool) -> None:
        self.function, self.preserve = function, preserve
        self.args, self.kwargs = _each((args, kwargs), lambda t: _HOLE)
        self.state = random.get_rng_state() if preserve else None

    def outputs(self, tensors: Any) -> Any:
        given = iter(tensors)
        args, kwargs = _each((self.args, self.kwargs), lambda hole: next(given), type(_HOLE))
        with enable_grad():
            return self.function(*args, **kwargs)

    def again(self, tensors: Any) -> list[Tensor]:
        """The result's tensors, with the random numbers of the first time."""
        before, found = random.get_rng_state(), []
        if self.state is not None:
            random.set_rng_state(self.state)
        try:
            _each(self.outputs(tensors), lambda t: found.append(t) or t)  # type: ignore[func-returns-value]
        finally:
            if self.state is not None:
                random.set_rng_state(before)
        return found


class _Hole:
    """The place of a tensor in the arguments."""


_HOLE = _Hole()


def _each(value: Any, change: Callable[[Any], Any], kind: type = Tensor) -> Any:
    """The same structure of lists, tuples and dicts with each Tensor changed."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, dict):
        return {k: _each(v, change, kind) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_each(v, change, kind) for v in value))
    if type(value) in (list, tuple):
        return type(value)(_each(v, change, kind) for v in value)
    return value


def _leaves(outputs: list[Tensor], start: int) -> list[Tensor]:
    """The leaves beside the arguments that the outputs depend on. What is older and no leaf is refused."""
    seen: dict[Any, None] = {}
    todo = [n for t in outputs if (n := current_node(t)) is not None]
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen[node] = None
        if not isinstance(node, Leaf) and node.seq < start:
            raise NotImplementedError(
                f"checkpoint: the function uses a result of {node.name()}; pass it as an argument"
            )
        todo += [edge for edge in node.edges if edge is not None]
    tensors = [node.tensor() for node in seen if isinstance(node, Leaf)]
    return [t for t in tensors if t is not None]


class _Recomputed(Function):
    @staticmethod
    def forward(ctx: Any, run: _Run, outputs: list[Tensor], leaves: list[Tensor], *tensors: Tensor) -> Any:
        ctx.run, ctx.leaves = run, leaves  # the leaves are themselves again in the backward
        ctx.save_for_backward(*tensors)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        graph, needs = modes.recording, ctx.needs_input_grad[3:]
        inputs = ctx.saved_tensors[: len(ctx.saved_tensors) - len(ctx.leaves)]
        with enable_grad():
            fresh = [
                alias(t) if graph and t.requires_grad else t.detach().requires_grad_(need)
                for t, need in zip(inputs, needs, strict=False)
            ]
            outputs = ctx.run.again(fresh)
            pairs = [(y, g) for y, g in zip(outputs, gradients, strict=True) if y.requires_grad]
            wanted = [(i, t) for i, t in enumerate([*fresh, *ctx.leaves]) if t.requires_grad]
            found = grad(
                [y for y, _ in pairs], [t for _, t in wanted], [g for _, g in pairs], None, graph, allow_unused=True
            )
        result: list[Any] = [None] * (3 + len(needs))
        for (i, _), g in zip(wanted, found, strict=True):
            result[3 + i] = g
        return tuple(result)
