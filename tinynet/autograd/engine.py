"""The engine: from a result back to the leaves.

    collect the nodes, newest first (every node is newer than its inputs, so this is a topological order)
    for each node with a gradient: run its hooks; at a leaf, accumulate; else ask its operation for one gradient per
    input, fit each to that input's shape and dtype, and add it to what has arrived there

The same loop serves both modes. Without `create_graph` gradients are arrays; with it they are Tensors, and the
operations that make them are recorded. All state is local to a call, so a backward inside a backward is fine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from .._tensor import Tensor, changed, current_node, new_tensor
from ..errors import DtypeError, GraphError, ShapeError
from .basis import add, cast, clone, sum_to
from .modes import modes
from .node import FREED, Leaf, Node, Part, anomaly
from .quiet import ERRORS, QUIET

AnyNode = Node | Leaf | Part
newest_first = attrgetter("seq")
ndarray = np.ndarray


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of `tensors`, weighted by `grad_tensors`, into `.grad` of the leaves, or of `inputs`."""
    if grad_variables is not None:
        raise NotImplementedError("backward: grad_variables is PyTorch's old name; pass grad_tensors")
    tensors, weights = pair_up("backward", tensors, grad_tensors)
    targets = None if inputs is None else as_targets(inputs, "backward")
    run(tensors, weights, targets, create_graph if retain_graph is None else retain_graph, create_graph, True)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs`, weighted by `grad_outputs`, with respect to `inputs`; no `.grad` is touched.

    An input that the outputs do not depend on raises GraphError, or gives None under `allow_unused`, or zeros under
    `materialize_grads`.
    """
    if is_grads_batched:
        raise NotImplementedError("grad: is_grads_batched=True is not supported; call grad once per cotangent")
    if not only_inputs:
        raise NotImplementedError("grad: only_inputs=False is not supported; use backward")
    if materialize_grads and allow_unused is False:
        raise ValueError("grad: materialize_grads=True needs allow_unused to be True or left out")
    outputs, weights = pair_up("grad", outputs, grad_outputs)
    targets = as_targets(inputs, "grad")
    retain = create_graph if retain_graph is None else retain_graph
    found = run(outputs, weights, targets, retain, create_graph, False)
    for i, g in enumerate(found):
        if g is None and materialize_grads:
            found[i] = new_tensor(np.zeros_like(targets[i].array))
        elif g is None and not allow_unused:
            raise GraphError(f"grad: input {i} was not used to compute the outputs; pass allow_unused=True to get None")
    return tuple(found)


def pair_up(where: str, outputs: Any, weights: Any) -> tuple[tuple[Tensor, ...], tuple[Any, ...]]:
    """The outputs and, for each, the gradient that starts there (None for 1)."""
    outputs = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    if weights is None:
        return outputs, (None,) * len(outputs)
    weights = tuple(weights) if isinstance(weights, tuple | list) else (weights,)
    if len(weights) != len(outputs):
        raise ShapeError(f"{where}: {len(outputs)} outputs but {len(weights)} gradients for them")
    return outputs, weights


def as_targets(inputs: Any, where: str) -> tuple[Tensor, ...]:
    """The tensors whose gradients are asked for; raises unless each requires one."""
    targets = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    if not targets:
        raise GraphError(f"{where}: inputs is empty")
    for i, t in enumerate(targets):
        if not isinstance(t, Tensor):
            raise DtypeError(f"{where}: input {i} must be a Tensor, got {type(t).__name__}")
        if current_node(t) is None:
            raise GraphError(f"{where}: input {i} does not require a gradient")
    return targets


def run(
    tensors: Sequence[Tensor],
    gradients: Sequence[Any],
    targets: tuple[Tensor, ...] | None,
    retain: bool,
    graph: bool,
    accumulating: bool,
) -> list[Tensor | None]:
    """The one backward pass. Returns the gradients of `targets`; accumulates into `.grad` if `accumulating`."""
    arrived: dict[AnyNode, Any] = {}  # the gradient of each node so far
    owned: set[AnyNode] = set()  # nodes whose gradient array is nobody else's: it may be added into, or kept
    roots = []
    for i, (t, g) in enumerate(zip(tensors, gradients, strict=True)):
        node = current_node(t)
        if node is None:
            raise GraphError(f"backward: tensor {i} does not require a gradient: nothing that it depends on does")
        roots.append(node)
        deliver(node, seed(t, g, i, graph), False, arrived, owned, graph)
    order = collect(roots)
    wanted: dict[AnyNode, list[int]] = {}
    if targets is not None:
        for i, t in enumerate(targets):
            wanted.setdefault(t.node, []).append(i)  # type: ignore[arg-type]
        needed = prune(order, wanted)
    found: list[Tensor | None] = [None] * len(targets or ())

    before, modes.recording = modes.recording, graph
    token = ERRORS.set(QUIET)
    try:
        for node in order:
            dz = arrived.pop(node, None)
            if dz is None or (targets is not None and node not in needed):
                continue
            mine = node in owned
            if node.hooks:
                dz, mine = run_hooks(node, dz, graph), False
            for i in wanted.get(node, ()):
                assert targets is not None
                if accumulating:
                    accumulate(targets[i], dz, False, graph)
                else:
                    found[i] = dz if graph else new_tensor(dz.copy())
            if type(node) is Leaf:
                if targets is None:
                    tensor = node.tensor()
                    if tensor is not None:
                        accumulate(tensor, dz, mine, graph)
                continue
            if type(node) is Part:
                parent = node.edges[0]
                arrived.setdefault(parent, [None] * parent.op.outputs)[node.index] = dz
                continue
            assert type(node) is Node
            edges = node.edges
            needs = [e is not None and (targets is None or e in needed) for e in edges]
            try:
                results = node.op.backward(node, dz, needs, graph)
            except Exception as error:
                if node.site:
                    error.add_note(f"in the backward of {node.op.name}, called at {node.site}")
                raise
            if not retain and any(s is not None for s in node.saved):
                node.saved = FREED
            for i, g in enumerate(results):
                if g is None or not needs[i]:
                    continue
                edge = edges[i]
                if graph or type(g) is not ndarray or g.shape != edge.shape or g.dtype is not edge.dtype:
                    g = fit(node, i, g, edge, graph)
                if anomaly.detect and anomaly.check_nan:
                    check_nan(node, i, g)
                fresh = not graph and g is not dz and node.op.fresh and (g.base is None or node.op.fused)
                deliver(edge, g, fresh, arrived, owned, graph)
    finally:
        ERRORS.reset(token)
        modes.recording = before
    return found


def seed(t: Tensor, g: Any, i: int, graph: bool) -> Any:
    """The gradient that starts the pass: 1 for a single element, else what the caller gave, checked."""
    if g is None:
        if t.array.size != 1:
            raise GraphError(
                f"backward: tensor {i} has shape {tuple(t.array.shape)}; a gradient can be left out only for one element"
            )
        g = new_tensor(np.ones(t.array.shape, t.array.dtype))
    elif not isinstance(g, Tensor):
        g = new_tensor(np.asarray(g, t.array.dtype))
    if g.array.shape != t.array.shape:
        raise ShapeError(
            f"backward: gradient {i} has shape {tuple(g.array.shape)}, its tensor has shape {tuple(t.array.shape)}"
        )
    if g.array.dtype != t.array.dtype:
        g = cast(g, dtype=t.array.dtype)
    return g if graph else g.array


def collect(roots: Iterable[AnyNode]) -> list[AnyNode]:
    """Every node that the roots were computed from, newest first."""
    seen: set[AnyNode] = set()
    order: list[AnyNode] = []
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            order.append(node)
            for edge in node.edges:
                if edge is not None:
                    stack.append(edge)
    order.sort(key=newest_first, reverse=True)
    return order


def prune(order: list[AnyNode], targets: dict[AnyNode, list[int]]) -> set[AnyNode]:
    """The nodes through which a gradient must pass to reach a target."""
    needed: set[AnyNode] = set()
    for node in reversed(order):
        if node in targets or any(e in needed for e in node.edges):
            needed.add(node)
    return needed


def deliver(node: AnyNode, g: Any, fresh: bool, arrived: dict[AnyNode, Any], owned: set[AnyNode], graph: bool) -> None:
    """Add `g` to what has arrived at `node`."""
    before = arrived.get(node)
    if before is None:
        arrived[node] = g
        if fresh:
            owned.add(node)
    elif graph:
        arrived[node] = add(before, g)
    elif node in owned:
        np.add(before, g, out=before)
    else:
        arrived[node] = np.asarray(np.add(before, g))
        owned.add(node)


def fit(node: Node, i: int, g: Any, edge: AnyNode, graph: bool) -> Any:
    """Undo a broadcast, turn scalars into 0-d arrays, cast to the input's dtype; raise on any other shape."""
    if not graph and type(g) is not np.ndarray:
        g = np.asarray(g)
    if g.shape != edge.shape:
        try:
            fits = np.broadcast_shapes(g.shape, edge.shape) == g.shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(
                f"backward of {node.op.name}: the gradient of input {i} has shape {tuple(g.shape)}, "
                f"the input has shape {tuple(edge.shape)}"
            )
        g = sum_to(g, shape=edge.shape)
    if graph:
        return g if g.array.dtype == edge.dtype else cast(g, dtype=edge.dtype)
    return g if g.dtype == edge.dtype else g.astype(edge.dtype)


def run_hooks(node: AnyNode, dz: Any, graph: bool) -> Any:
    """Pass the gradient through the hooks, in the order of their registration."""
    if isinstance(dz, list):
        return dz
    g = dz if graph else new_tensor(dz)
    for hook in list((node.hooks or {}).values()):
        result = hook(g)
        if result is None:
            continue
        if not isinstance(result, Tensor):
            raise DtypeError(f"tensor hook: expected a Tensor or None, got {type(result).__name__}")
        if result.array.shape != node.shape:
            raise ShapeError(f"tensor hook: returned shape {tuple(result.shape)} for a gradient of {tuple(node.shape)}")
        g = result
    return g if graph else g.array


def accumulate(tensor: Tensor, g: Any, mine: bool, graph: bool) -> None:
    """Add `g` into `tensor.grad`, which never shares memory with anything else."""
    held = tensor._grad
    if held is None:
        tensor._grad = clone(g) if graph else new_tensor(g if mine else np.array(g, order="C"))
    elif held.array.shape != g.shape:
        raise ShapeError(
            f"backward: .grad has shape {held.array.shape}, its tensor now {g.shape}; set .grad to None first"
        )
    elif graph:
        tensor._grad = add(held, g)
    else:
        np.add(held.array, g, out=held.array)
        changed(held)


def check_nan(node: Node, i: int, g: Any) -> None:
    """Anomaly mode: raise at the first NaN in a gradient, naming the operation, where it was called, and the index."""
    array = g.array if isinstance(g, Tensor) else g
    bad = np.isnan(array)
    if bad.any():
        index = tuple(int(k) for k in np.argwhere(bad)[0])
        raise GraphError(
            f"backward of {node.op.name} made NaN in the gradient of input {i}, first at index {index}; "
            f"the operation was called at {node.site}"
        )
