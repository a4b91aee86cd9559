"""Derivatives of functions: vjp, jvp, Jacobian, Hessian, and their products with vectors. PyTorch's signatures.

    vjp   vᵀ J                     one backward
    jvp   J v                      two backwards: u ↦ uᵀJ is linear, and its gradient with respect to u is J v
    hvp   H v,  vhp  vᵀ H          the gradient of ⟨∇f, v⟩

Source of the double-backward form of jvp: J. Townsend, "A new trick for calculating Jacobian vector products", 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor
from ..errors import DtypeError, GraphError, ShapeError
from .basis import alias
from .engine import grad
from .modes import enable_grad

Tensors = tuple[Tensor, ...]


def _inputs(where: str, inputs: Any, create_graph: bool) -> tuple[Tensors, bool]:
    """Fresh places in the graph for the inputs, and whether there were several."""
    several = isinstance(inputs, tuple | list)
    out = []
    for i, x in enumerate(inputs if several else (inputs,)):
        if not isinstance(x, Tensor):
            raise DtypeError(f"{where}: input {i} must be a Tensor, got {type(x).__name__}")
        out.append(alias(x) if create_graph and x.requires_grad else x.detach().requires_grad_())
    return tuple(out), several


def _outputs(where: str, outputs: Any) -> tuple[Tensors, bool]:
    several = isinstance(outputs, tuple | list)
    for i, y in enumerate(outputs if several else (outputs,)):
        if not isinstance(y, Tensor):
            raise DtypeError(f"{where}: func must return Tensors, output {i} is {type(y).__name__}")
    return tuple(outputs) if several else (outputs,), several


def _vectors(where: str, v: Any, like: Tensors, several: bool) -> Tensors:
    """The vectors, of the shapes of `like`; 1 where a single one-element tensor makes it unnecessary."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise ShapeError(f"{where}: v may be left out only for a single tensor of one element")
        return (new_tensor(np.ones_like(like[0].array)),)
    vectors = tuple(v) if isinstance(v, tuple | list) else (v,)
    if len(vectors) != len(like):
        raise ShapeError(f"{where}: expected {len(like)} vectors, got {len(vectors)}")
    for i, (a, b) in enumerate(zip(vectors, like, strict=True)):
        if a.array.shape != b.array.shape:
            raise ShapeError(f"{where}: v[{i}] has shape {tuple(a.shape)}, expected {tuple(b.shape)}")
    return vectors


def _grad(where: str, outputs: Tensors, inputs: Tensors, v: Any, create_graph: bool, strict: bool) -> Tensors:
    """Gradients with zeros where there is no dependence (or, if strict, an error)."""
    live = [(y, w) for y, w in zip(outputs, v, strict=True) if y.requires_grad]
    if not live and strict:
        raise GraphError(f"{where}: the output does not depend on the inputs, which strict=True forbids")
    found: tuple[Any, ...] = (None,) * len(inputs)
    if live:
        ys, ws = zip(*live, strict=True)
        found = grad(ys, inputs, ws, create_graph=create_graph, retain_graph=True, allow_unused=True)
    if strict and any(g is None for g in found):
        raise GraphError(f"{where}: the output does not depend on one of the inputs, which strict=True forbids")
    return tuple(new_tensor(np.zeros_like(x.array)) if g is None else g for g, x in zip(found, inputs, strict=True))


def _done(values: Tensors, several: bool, create_graph: bool) -> Any:
    values = values if create_graph else tuple(v.detach() for v in values)
    return values if several else values[0]


def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(*inputs), vᵀ J)."""
    with enable_grad():
        xs, several = _inputs("vjp", inputs, create_graph)
        ys, many = _outputs("vjp", func(*xs))
        g = _grad("vjp", ys, xs, _vectors("vjp", v, ys, many), create_graph, strict)
    return _done(ys, many, create_graph), _done(g, several, create_graph)


def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(*inputs), J v)."""
    with enable_grad():
        xs, several = _inputs("jvp", inputs, create_graph)
        vs = _vectors("jvp", v, xs, several)
        ys, many = _outputs("jvp", func(*xs))
        us = tuple(new_tensor(np.zeros_like(y.array)).requires_grad_() for y in ys)
        g = _grad("jvp", ys, xs, us, True, strict)
        out = _grad("jvp", g, us, vs, create_graph, False)
    return _done(ys, many, create_graph), _done(out, many, create_graph)


def _scalar(where: str, func: Callable[..., Any], xs: Tensors) -> Tensor:
    ys, many = _outputs(where, func(*xs))
    if many or ys[0].numel() != 1:
        raise ShapeError(f"{where}: func must return a single tensor of one element")
    return ys[0]


def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(*inputs), H v) for a func of one element; H is symmetric, so this is vhp by another name."""
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def vhp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(*inputs), vᵀ H) for a func of one element."""
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def _hessian_product(where: str, func: Any, inputs: Any, v: Any, create_graph: bool, strict: bool) -> Any:
    with enable_grad():
        xs, several = _inputs(where, inputs, create_graph)
        vs = _vectors(where, v, xs, several)
        y = _scalar(where, func, xs)
        g = _grad(where, (y,), xs, (new_tensor(np.ones_like(y.array)),), True, strict)
        out = _grad(where, g, xs, vs, create_graph, strict)
    return _done((y,), False, create_graph), _done(out, several, create_graph)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """∂func/∂inputs: for each output and input a tensor of shape (*output, *input), nested in tuples as they are."""
    if vectorize or strategy != "reverse-mode":
        raise NotImplementedError("jacobian: vectorize=True and strategy='forward-mode' are not supported")
    with enable_grad():
        xs, several = _inputs("jacobian", inputs, create_graph)
        ys, many = _outputs("jacobian", func(*xs))
        rows = tuple(_done(_jacobian_rows(y, xs, create_graph, strict), several, create_graph) for y in ys)
    return rows if many else rows[0]


def _jacobian_rows(y: Tensor, xs: Tensors, create_graph: bool, strict: bool) -> Tensors:
    from ..ops.shape import reshape, stack

    columns: list[Tensors] = []
    for i in range(y.numel()):
        unit = np.zeros(y.numel(), y.array.dtype)
        unit[i] = 1
        columns.append(_grad("jacobian", (y,), xs, (new_tensor(unit.reshape(y.array.shape)),), create_graph, strict))
    if not columns:
        return tuple(new_tensor(np.zeros((*y.array.shape, *x.array.shape), x.array.dtype)) for x in xs)
    return tuple(reshape(stack([c[k] for c in columns]), *y.array.shape, *x.array.shape) for k, x in enumerate(xs))


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """∂²func/∂inputs² of a func of one element: for each pair of inputs a tensor of shape (*input, *input)."""
    if vectorize or outer_jacobian_strategy != "reverse-mode":
        raise NotImplementedError("hessian: vectorize=True and forward-mode are not supported")
    several = isinstance(inputs, tuple | list)

    def gradient(*xs: Tensor) -> Any:
        y = _scalar("hessian", func, xs)
        return _grad("hessian", (y,), xs, (new_tensor(np.ones_like(y.array)),), True, strict)

    rows = jacobian(gradient, tuple(inputs) if several else (inputs,), create_graph, False)
    return rows if several else rows[0][0]
