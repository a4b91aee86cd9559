"""Primitive operations: a forward on arrays, and one gradient per input that serves arrays and Tensors alike.

    mul = Primitive("mul", lambda x, y: np.multiply(x, y), dx=lambda dz, y: mul(dz, y), dy=lambda dz, x: mul(dz, x))

The names of a gradient's parameters say what is saved for it: inputs of the forward, `z` (the output), options, `shape`
(of the input whose gradient it is) and `i` (which input it is, for operations with any number of inputs). Called with
arrays, an operation runs its forward; called with Tensors, it also records a node. So the text of a gradient is both
the fast first-order path and, under `create_graph`, the recorded one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from .._tensor import Tensor, current_node, new_tensor
from ..dtypes import FLOAT_CHARS
from ..errors import DtypeError, GraphError
from .modes import modes
from .node import FREED, Node
from .quiet import ERRORS, QUIET

ndarray = np.ndarray
make = object.__new__
set_errors, reset_errors = ERRORS.set, ERRORS.reset

_FAST = "fd"  # float32 and float64, where NumPy's weak Python numbers do what PyTorch does


class Gradient:
    """A gradient function and where its arguments come from."""

    __slots__ = ("function", "options", "plain", "takes", "wants_index", "wants_shape")

    def __init__(self, function: Callable[..., Any], inputs: list[str], variadic: bool) -> None:
        names = list(inspect.signature(function).parameters)[1:]
        self.function = function
        slots = {name: k for k, name in enumerate([*inputs, "z"])}
        self.takes = tuple(slots[n] for n in names if n in slots and not variadic)
        self.wants_shape, self.wants_index = "shape" in names, "i" in names
        self.options = tuple(n for n in names if n not in slots and n not in ("shape", "i"))

        self.plain = not (self.options or self.wants_shape or self.wants_index)

    def __call__(self, i: int, dz: Any, saved: tuple[Any, ...], node: Node) -> Any:
        if self.plain:
            return self.function(dz, *[saved[k] for k in self.takes])
        options = {name: node.options[name] for name in self.options}
        if self.wants_shape:
            options["shape"] = node.edges[i].shape
        if self.wants_index:
            options["i"] = i
        return self.function(dz, *[saved[k] for k in self.takes], **options)


class Primitive:
    """An operation on arrays with its gradients. `promote`: None (as they come), "same" (to one dtype), or "float"
    (to one floating-point dtype). `view`: the result may share its input's memory."""

    fused = False
    fresh = True  # an array that a gradient returns is either its argument or nobody else's

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        *,
        promote: str | None = "same",
        view: bool = False,
        **gradients: Any,
    ) -> None:
        self.name, self.forward, self.promote, self.view = name, forward, promote, view
        self.inputs, others = parameters_of(forward)
        self.variadic = others and not self.inputs
        self.floats = promote == "float"
        if self.variadic:
            only = Gradient(next(iter(gradients.values())), [], True)
            self.gradients: list[Gradient | None] = [only]
        else:
            self.gradients = [
                Gradient(gradients["d" + n], self.inputs, False) if "d" + n in gradients else None for n in self.inputs
            ]
            unknown = set(gradients) - {"d" + n for n in self.inputs}
            if unknown:
                raise TypeError(f"{name}: gradients {sorted(unknown)} belong to no input; the inputs are {self.inputs}")
        self.differentiable = bool(gradients)
        self.plans = [self.plan(mask) for mask in range(1 << len(self.inputs))]

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def plan(self, mask: int) -> tuple[bool, ...]:
        """Which inputs, and whether the output (last), to save when the inputs in `mask` need a gradient."""
        wanted = {k for i, g in enumerate(self.gradients) if g and mask >> i & 1 for k in g.takes}
        return tuple(k in wanted for k in range(len(self.inputs) + 1))

    def __new__(cls, name: str, forward: Callable[..., Any], **options: Any) -> Primitive:
        """The written-out forms for one input, and for two without options, save 1.5 µs a call over the general one."""
        if cls is Primitive:
            inputs, others = parameters_of(forward)
            if len(inputs) == 1:
                cls = Unary
            elif len(inputs) == 2 and not others:
                cls = Binary
        return object.__new__(cls)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.apply(args, options)

    def apply(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Run the forward on the arrays of `args`, and record a node if one of them needs a gradient."""
        if not any(isinstance(a, Tensor) for a in args):
            return self.forward(*args, **options)
        if self.promote:
            args, arrays = coerce(self, args)
        else:
            arrays = tuple(a.array if isinstance(a, Tensor) else a for a in args)
        token = set_errors(QUIET)
        try:
            z = new_tensor(self.forward(*arrays, **options))
        except ValueError as error:
            raise broadcast_error(self, arrays, error) from None
        finally:
            reset_errors(token)
        if not (modes.recording and self.differentiable):
            return z
        nodes = tuple(current_node(a) if isinstance(a, Tensor) else None for a in args)
        if self.variadic:
            keep: tuple[bool, ...] = (False,) * (len(args) + 1)
            edges = nodes
        else:
            edges = tuple(n if self.gradients[i] else None for i, n in enumerate(nodes))
            keep = self.plans[sum(1 << i for i, n in enumerate(edges) if n is not None)]
        if any(n is not None for n in edges):
            saved = (*(a if k else None for a, k in zip(arrays, keep, strict=False)), z.array if keep[-1] else None)
            cells = (
                *(a.memory if k and isinstance(a, Tensor) else None for a, k in zip(args, keep, strict=False)),
                z.memory if keep[-1] else None,
            )
            z.node = Node(self, edges, saved, cells, options, z.array)
        return z

    # going backward

    def backward(self, node: Node, dz: Any, needs: list[bool], graph: bool) -> list[Any]:
        """One gradient per edge that needs one: arrays for arrays, recorded Tensors under `graph`."""
        saved = check_saved(node, self.inputs)
        if graph:
            saved = rebuild(node, saved)
        gradients = self.gradients * len(needs) if self.variadic else self.gradients
        return [gradients[i](i, dz, saved, node) if need else None for i, need in enumerate(needs)]  # type: ignore[misc]


class Unary(Primitive):
    """One input, with or without options."""

    def __call__(self, x: Any, **options: Any) -> Any:
        if not isinstance(x, Tensor):
            return self.forward(x, **options)
        a = x.array
        if self.floats and a.dtype.char not in FLOAT_CHARS:
            a = a.astype(dtypes.get_default_dtype().numpy)
        token = set_errors(QUIET)
        try:
            out = self.forward(a, **options)
        finally:
            reset_errors(token)
        if type(out) is not ndarray:
            out = np.asarray(out)
        z = make(Tensor)
        z.array = out
        z.memory = [0, 0]
        nx = x.node if x.view_of is None else current_node(x)
        if nx is not None and modes.recording and self.differentiable:
            sx, sz = self.plans[1]
            z.node = Node(
                self,
                (nx,),
                (a if sx else None, out if sz else None),
                (x.memory if sx else None, z.memory if sz else None),
                options,
                out,
            )
        if self.view:
            link_view(self, x, z, options)
        return z


class Binary(Primitive):
    """Two inputs, no options."""

    def __call__(self, x: Any, y: Any) -> Any:
        if isinstance(x, Tensor):
            a = x.array
            b: Any
            if isinstance(y, Tensor):
                b = y.array
                if a.dtype is b.dtype and a.dtype.char in FLOAT_CHARS:
                    nx = x.node if x.view_of is None else current_node(x)
                    ny = y.node if y.view_of is None else current_node(y)
                else:
                    return self.apply((x, y), {})
            elif type(y) is float and a.dtype.char in _FAST:
                b, nx, ny = y, x.node if x.view_of is None else current_node(x), None
            else:
                return self.apply((x, y), {})
        elif isinstance(y, Tensor):
            return self.apply((x, y), {})
        else:
            return self.forward(x, y)
        token = set_errors(QUIET)
        try:
            out = self.forward(a, b)
        except ValueError as error:
            raise broadcast_error(self, (a, b), error) from None
        finally:
            reset_errors(token)
        if type(out) is not ndarray:
            out = np.asarray(out)
        z = make(Tensor)
        z.array = out
        z.memory = [0, 0]
        if (nx is not None or ny is not None) and modes.recording and self.differentiable:
            sx, sy, sz = self.plans[(nx is not None) + 2 * (ny is not None)]
            z.node = Node(
                self,
                (nx, ny),
                (a if sx else None, b if sy else None, out if sz else None),
                (x.memory if sx else None, y.memory if sy and b is not y else None, z.memory if sz else None),
                {},
                out,
            )
        return z


def parameters_of(forward: Callable[..., Any]) -> tuple[list[str], bool]:
    """The names of a forward's array inputs (x, y, w for a ufunc), and whether it takes anything else."""
    if isinstance(forward, np.ufunc):
        return ["x", "y", "w"][: forward.nin], False
    parameters = list(inspect.signature(forward).parameters.values())
    inputs = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    return inputs, len(inputs) < len(parameters)


def check_saved(node: Node, names: list[str]) -> tuple[Any, ...]:
    """What the node saved; raises GraphError if it was freed, or changed in place since."""
    if node.saved is FREED:
        raise GraphError(
            f"backward: the graph of {node.op.name} was freed by an earlier backward; pass retain_graph=True to it"
        )
    for k, cell in enumerate(node.cells):
        if cell is not None and cell[0] > node.seq:
            what = f"its input {names[k]!r}" if k < len(names) else "its output"
            where = f" (called at {node.site})" if node.site else ""
            raise GraphError(
                f"backward: {node.op.name}{where} needs {what}, which an in-place operation has changed since "
                f"(change number {cell[1]}); use an out-of-place operation, or clone() it first"
            )
    return node.saved


def rebuild(node: Node, saved: tuple[Any, ...]) -> tuple[Any, ...]:
    """The saved arrays as Tensors in their places in the graph."""
    out = []
    for k, value in enumerate(saved):
        if isinstance(value, np.ndarray):
            tensor = new_tensor(value)
            tensor.node = node.edges[k] if k < len(node.edges) else node
            cell = node.cells[k] if k < len(node.cells) else None
            if cell is not None:
                tensor.memory = cell
            value = tensor
        out.append(value)
    return tuple(out)


def coerce(op: Primitive, args: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Bring the arguments to one dtype by PyTorch's rules. A Python number becomes a 0-d array."""
    from .basis import cast

    values = []
    for a in args:
        if isinstance(a, np.ndarray):
            a = new_tensor(a)
        elif isinstance(a, np.generic):
            a = a.item()
        values.append(a)
    try:
        target = dtypes.result_dtype(*(v.array if isinstance(v, Tensor) else v for v in values))
    except DtypeError as error:
        raise DtypeError(f"{op.name}: {error}") from None
    if op.floats and target.category < 2:
        target = dtypes.get_default_dtype()
    new, arrays = [], []
    for v in values:
        if isinstance(v, Tensor):
            if v.array.dtype != target.numpy:
                v = cast(v, dtype=target.numpy)
            arrays.append(v.array)
        else:
            arrays.append(number(v, target))
        new.append(v)
    return tuple(new), tuple(arrays)


def number(value: Any, target: dtypes.dtype) -> np.ndarray[Any, Any]:
    """A Python number as a 0-d array; integers wrap as they do in PyTorch."""
    if target.category == 1:
        return np.asarray(value, np.int64).astype(target.numpy)
    with np.errstate(over="ignore"):
        return np.asarray(value).astype(target.numpy)


def broadcast_error(op: Primitive, arrays: tuple[Any, ...], error: ValueError) -> Exception:
    """A ShapeError that names the operation and the shapes; other errors as they are."""
    if isinstance(error, RuntimeError) or "broadcast" not in str(error):
        return error
    from ..errors import ShapeError

    shapes = " and ".join(str(tuple(np.shape(a))) for a in arrays)
    return ShapeError(f"{op.name}: shapes {shapes} cannot be broadcast together")


def link_view(op: Primitive, x: Tensor, z: Tensor, options: dict[str, Any]) -> None:
    """If `z` lies in the memory of `x`, let it share the memory cell and remember the way from the base."""
    a, out = x.array, z.array
    if out is not a and (out.base is None or out.base is not a and out.base is not a.base):
        return
    z.memory = x.memory
    base, path, _, recorded = (x, (), 0, True) if x.view_of is None else x.view_of
    z.view_of = (base, (*path, (op, options)), x.memory[1], recorded and modes.recording)
