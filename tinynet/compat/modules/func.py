"""PyTorch's `func`: `grad` and `grad_and_value`. The rest raises NotImplementedError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinynet import autograd
from tinynet.autograd.basis import alias
from tinynet.autograd.modes import enable_grad
from tinynet.compat.switches import unsupported
from tinynet.errors import ShapeError

vmap = unsupported("func.vmap", "write the batch dimension out")
jvp = unsupported("func.jvp", "use autograd.functional.jvp")
vjp = unsupported("func.vjp", "use autograd.functional.vjp")
jacrev = unsupported("func.jacrev", "use autograd.functional.jacobian")
jacfwd = unsupported("func.jacfwd", "use autograd.functional.jacobian")
hessian = unsupported("func.hessian", "use autograd.functional.hessian")
functional_call = unsupported("func.functional_call")


def grad_and_value(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function x ↦ (∇func(x), func(x)), for a func that returns one number.

    argnums  the number of the argument, or several; has_aux: func returns (number, something else)
    """
    several = isinstance(argnums, tuple | list)

    def wrapper(*args: Any, **options: Any) -> Any:
        with enable_grad():
            chosen = [n % len(args) for n in (argnums if several else (argnums,))]
            fresh = {n: alias(args[n]) if args[n].requires_grad else args[n].detach().requires_grad_() for n in chosen}
            out = func(*(fresh.get(i, a) for i, a in enumerate(args)), **options)
            value, aux = out if has_aux else (out, None)
            if value.numel() != 1 or value.ndim:
                raise ShapeError(f"func.grad: expected a function of one number, got shape {tuple(value.shape)}")
            nested = any(getattr(a, "requires_grad", False) for a in args)
            found = autograd.grad(value, [fresh[n] for n in chosen], create_graph=True, materialize_grads=True)
        gradients = tuple(g if nested or g is None else g.detach() for g in found)
        value = value if nested else value.detach()
        return (gradients if several else gradients[0]), ((value, aux) if has_aux else value)

    return wrapper


def grad(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function x ↦ ∇func(x), for a func that returns one number."""

    def wrapper(*args: Any, **options: Any) -> Any:
        gradients, value = grad_and_value(func, argnums, has_aux)(*args, **options)
        return (gradients, value[1]) if has_aux else gradients

    return wrapper
