"""Full backward hooks of modules: identities around a forward that see the gradients of all inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._tensor import Tensor
from ..autograd.function import Function


class _Watch(Function):
    """The identity on several tensors, which calls back with all their gradients at once."""

    @staticmethod
    def forward(ctx: Any, callback: Callable[..., Any], *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.callback = callback
        ctx.set_materialize_grads(False)
        return tuple(t.detach() for t in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        result = ctx.callback(gradients)
        return (None, *(gradients if result is None else result))


def around(module: Any, run: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the module with its hooks watching the gradients of its positional tensors and of its outputs."""
    seen: dict[str, tuple[Any, ...]] = {}

    def at_output(gradients: tuple[Any, ...]) -> None:
        seen["output"] = gradients

    def at_input(gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in list(module._backward_hooks.values()):
            result = hook(module, gradients, seen.get("output", ()))
            if result is not None:
                gradients = result if isinstance(result, tuple) else (result,)
        return gradients

    places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
    watched = list(args)
    if any(args[i].requires_grad for i in places):
        for i, t in zip(places, _Watch.apply(at_input, *(args[i] for i in places)), strict=True):
            watched[i] = t
    else:  # no gradient flows into the inputs: the hook runs when the outputs' gradients are known
        at_output_only = at_output

        def at_output(gradients: tuple[Any, ...]) -> None:
            at_output_only(gradients)
            at_input(tuple(None for _ in places))

    out = run(tuple(watched), kwargs)
    if isinstance(out, Tensor):
        return _Watch.apply(at_output, out)[0]
    if isinstance(out, tuple) and all(isinstance(t, Tensor) for t in out):
        return _Watch.apply(at_output, *out)
    raise TypeError(
        f"register_full_backward_hook: {type(module).__name__} must return a Tensor or a tuple of them, "
        f"got {type(out).__name__}"
    )
