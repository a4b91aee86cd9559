"""PyTorch's `func`: gradients, Jacobians and Hessians as functions. `vmap` raises NotImplementedError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinynet import autograd
from tinynet.autograd import functional
from tinynet.autograd.basis import alias
from tinynet.autograd.modes import enable_grad
from tinynet.compat.switches import unsupported
from tinynet.errors import ShapeError
from tinynet.nn.utils.stateless import functional_call as functional_call

vmap = unsupported("func.vmap", "write the batch dimension out")


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


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """(func(*primals), the function v ↦ vᵀJ), and what else `func` returns with `has_aux`.

    The second takes one cotangent an output, and returns one gradient, or a tuple for several primals.
    """
    with enable_grad():
        fresh = [alias(x) if x.requires_grad else x.detach().requires_grad_() for x in primals]
        out = func(*fresh)
        value, aux = out if has_aux else (out, None)
    outputs = list(value) if isinstance(value, tuple | list) else [value]

    def pull(*cotangents: Any, retain_graph: bool | None = None, create_graph: bool | None = None) -> Any:
        given = cotangents[0] if len(cotangents) == 1 and isinstance(cotangents[0], tuple | list) else cotangents
        found = autograd.grad(outputs, fresh, list(given), retain_graph=True, materialize_grads=True)
        return found if len(fresh) > 1 else found[0]

    shown = tuple(y.detach() for y in outputs) if isinstance(value, tuple | list) else value.detach()
    return (shown, pull, aux) if has_aux else (shown, pull)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any) -> tuple[Any, Any]:
    """(func(*primals), J · tangents)."""
    return functional.jvp(func, tuple(primals), tuple(tangents))


def jacrev(func: Callable[..., Any], argnums: Any = 0, **options: Any) -> Callable[..., Any]:
    """The function x ↦ ∂func/∂x, of the output's shape and then the argument's; for several argnums a tuple."""
    return _derivative("jacrev", functional.jacobian, func, argnums, options)


def jacfwd(func: Callable[..., Any], argnums: Any = 0, **options: Any) -> Callable[..., Any]:
    """`jacrev`: there is no forward mode."""
    return _derivative("jacfwd", functional.jacobian, func, argnums, options)


def hessian(func: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
    """The function x ↦ ∂²func/∂x², for a func that returns one number."""
    return _derivative("hessian", functional.hessian, func, argnums, {})


def _derivative(where: str, rule: Any, func: Any, argnums: Any, options: dict[str, Any]) -> Callable[..., Any]:
    for name, value in options.items():
        if value:
            raise NotImplementedError(f"func.{where}: {name}={value!r} is not supported")
    several = isinstance(argnums, tuple | list)

    def wrapper(*args: Any, **more: Any) -> Any:
        chosen = [n % len(args) for n in (argnums if several else (argnums,))]

        def of_chosen(*xs: Any) -> Any:
            values = list(args)
            for n, x in zip(chosen, xs, strict=True):
                values[n] = x
            return func(*values, **more)

        picked = tuple(args[n] for n in chosen)
        nested = any(x.requires_grad for x in picked)
        return rule(of_chosen, picked if several else picked[0], create_graph=nested)

    return wrapper
