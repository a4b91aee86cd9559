"""Function: an operation of the user's own, with PyTorch's interface.

    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, dy):
            (y,) = ctx.saved_tensors
            return dy * y

    y = Exp.apply(x)

The forward runs outside the graph. The backward is recorded under `create_graph`, so it can be differentiated again.
What is saved is kept as arrays and graph places, never as Tensors, so nothing is held in a cycle.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .._tensor import Tensor, changed, current_node, new_tensor
from ..errors import DtypeError, GraphError, ShapeError
from .modes import modes, no_grad
from .node import Node, Part
from .primitive import check_saved
from .views import check_writeable, rebase


class Context:
    """What `forward` passes to `backward`: `ctx`. Plain attributes may be set on it, too."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.to_save: tuple[Any, ...] = ()
        self.dirty: tuple[Tensor, ...] = ()
        self.non_differentiable: tuple[Tensor, ...] = ()
        self.materialize_grads = True
        self.node: Any = None

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for the backward; a later change of them in place is noticed."""
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                raise DtypeError(f"save_for_backward: argument {i} must be a Tensor or None, got {type(t).__name__}")
        self.to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """PyTorch saves these for forward-mode rules, which tinynet derives from the backward: nothing is kept."""

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What was saved, in its place in the graph. Raises GraphError if it was freed or changed since."""
        if self.node is None:  # still in the forward
            return self.to_save
        node, own = self.node()
        return restore(node, own)

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Name the inputs that `forward` changed in place; they must be returned, too."""
        self.dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Name the outputs that have no gradient."""
        self.non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` receives zeros (True) or None for outputs that no gradient reached."""
        self.materialize_grads = bool(value)


class _Applied:
    """The operation of one call: the engine asks it for gradients."""

    fused = False
    fresh = False  # a user's backward may return any array

    def __init__(self, function: type[Function], ctx: Context, outputs: int) -> None:
        self.name, self.function, self.ctx, self.outputs = function.__name__, function, ctx, outputs
        self.shapes: list[tuple[tuple[int, ...], Any]] = []
        self.places: list[Any] = []
        self.several = False

    def backward(self, node: Node, dz: Any, needs: list[bool], graph: bool) -> list[Any]:
        """Call the user's backward with Tensors, and take its answers apart."""
        gradients = dz if self.several else [dz]
        args = []
        for g, (shape, dtype) in zip(gradients, self.shapes, strict=True):
            if g is None and self.ctx.materialize_grads:
                g = new_tensor(np.zeros(shape, dtype))
            args.append(g if g is None or isinstance(g, Tensor) else new_tensor(g))
        self.ctx.node = lambda: (node, self)
        result = self.function.backward(self.ctx, *args)
        results = result if isinstance(result, tuple | list) else (result,)
        if len(results) > len(needs) and all(r is None for r in results[len(needs) :]):
            results = results[: len(needs)]
        if len(results) != len(needs):
            raise ShapeError(
                f"{self.name}.backward: returned {len(results)} gradients for {len(needs)} arguments of forward"
            )
        out: list[Any] = []
        for i, (r, need) in enumerate(zip(results, needs, strict=True)):
            if r is not None and not isinstance(r, Tensor):
                raise DtypeError(f"{self.name}.backward: gradient {i} must be a Tensor or None, got {type(r).__name__}")
            out.append(None if r is None or not need else r if graph else r.array)
        return out


def restore(node: Node, applied: _Applied) -> tuple[Tensor | None, ...]:
    """The saved arrays as Tensors in their places in the graph."""
    arrays = check_saved(node, [f"saved tensor {i}" for i in range(len(applied.places))])
    out: list[Tensor | None] = []
    for array, place, cell in zip(arrays, applied.places, node.cells, strict=True):
        if array is None:
            out.append(None)
            continue
        t = new_tensor(array)
        t.node = node if place == "single" else next_part(node, place) if isinstance(place, int) else place
        if cell is not None:
            t.memory = cell
        out.append(t)
    return tuple(out)


def next_part(node: Node, index: int) -> Part:
    """Output number `index` of `node`, as a place in the graph."""
    shape, dtype = node.op.shapes[index]
    return Part(node, index, np.empty(shape, dtype))


class Function:
    """A differentiable operation: subclass it with static methods `forward` and `backward`, and call `apply`."""

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """forward(ctx, *args), or forward(*args) beside a `setup_context`."""
        raise NotImplementedError("Function.forward must be overridden by a static method")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Save for the backward, where `forward` takes no ctx."""
        raise NotImplementedError("Function.setup_context is called only where it is overridden")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """One gradient (or None) for each argument of forward."""
        raise NotImplementedError("Function.backward must be overridden by a static method")

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Forward-mode rules are not used: jvp is derived from the backward."""
        raise NotImplementedError("Function.jvp is not used; autograd.functional.jvp differentiates the backward")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`, and record this call."""
        nodes = tuple(current_node(a) if isinstance(a, Tensor) else None for a in args)
        recording = modes.recording and any(n is not None for n in nodes)
        ctx = Context(tuple(n is not None for n in nodes))
        with no_grad():
            if cls.setup_context is not Function.setup_context:
                result = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, result)
            else:
                result = cls.forward(ctx, *args, **kwargs)
        several = isinstance(result, tuple | list)
        outputs = list(result) if several else [result]
        for i, y in enumerate(outputs):
            if not several and not isinstance(y, Tensor):
                raise DtypeError(f"{cls.__name__}.forward: expected a Tensor or a tuple, got {type(y).__name__}")
            if isinstance(y, Tensor) and any(y is a for a in args) and not any(y is d for d in ctx.dirty):
                outputs[i] = y.detach()  # an input returned as it is: another tensor over its memory
        for d in ctx.dirty:
            changed(d)
        if recording:
            cls._record(ctx, args, nodes, outputs, several)
        return type(result)(outputs) if several and not hasattr(result, "_fields") else outputs[0]

    @classmethod
    def _record(
        cls, ctx: Context, args: tuple[Any, ...], nodes: tuple[Any, ...], outputs: list[Any], several: bool
    ) -> None:
        applied = _Applied(cls, ctx, len(outputs))
        applied.several = several
        tensors = [y for y in outputs if isinstance(y, Tensor)]
        applied.shapes = [
            (y.array.shape, y.array.dtype) if isinstance(y, Tensor) else ((), np.dtype(np.float32)) for y in outputs
        ]
        node = Node(applied, nodes, (), (), {}, tensors[0].array if tensors else np.empty(()))
        saved, cells = [], []
        for t in ctx.to_save:
            saved.append(None if t is None else t.array)
            cells.append(None if t is None else t.memory)
            applied.places.append(None if t is None else _place(t, args, nodes, outputs, several))
        node.saved, node.cells = tuple(saved), tuple(cells)
        ctx.to_save = ()
        for i, y in enumerate(outputs):
            plain = not isinstance(y, Tensor) or not y.is_floating_point()
            if plain or any(y is n for n in ctx.non_differentiable):
                continue
            place = Part(node, i, y.array) if several else node
            if any(y is d for d in ctx.dirty):
                check_writeable(y, cls.__name__)
                rebase(cls.__name__, y, place)
            else:
                y.node, y.view_of = place, None


def _place(t: Tensor, args: tuple[Any, ...], nodes: tuple[Any, ...], outputs: list[Any], several: bool) -> Any:
    """Where a saved tensor stands in the graph: an input's node, this call's output, or its own node."""
    for a, n in zip(args, nodes, strict=True):
        if t is a:
            return n
    for i, y in enumerate(outputs):
        if t is y:
            return i if several else "single"
    return t.node


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a backward that cannot be differentiated again: its results leave the graph, with an error on use."""

    @functools.wraps(backward)
    def wrapper(ctx: Any, *gradients: Any) -> Any:
        with no_grad():
            results = backward(ctx, *gradients)
        if not modes.recording or not any(isinstance(g, Tensor) and g.requires_grad for g in gradients):
            return results
        single = not isinstance(results, tuple | list)
        wrapped = [
            _Once.apply(r, *[g for g in gradients if isinstance(g, Tensor)]) if isinstance(r, Tensor) else r
            for r in ((results,) if single else results)
        ]
        return wrapped[0] if single else tuple(wrapped)

    return wrapper


class _Once(Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, *gradients: Tensor) -> Tensor:
        return value.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise GraphError("backward: this Function is marked once_differentiable and cannot be differentiated again")
