"""What is changed: single places in the source of a rule, and the arrays that a rule returns."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

import numpy as np

from tests.mutation.source import Function

Array = np.ndarray[Any, Any]
Change = tuple[str, ast.AST]  # (kind, what stands there instead)

RENAMED = {
    "add": "sub", "sub": "add", "mul": "div", "div": "mul", "sin": "cos", "cos": "sin", "log": "exp", "exp": "log",
    "gt": "ge", "ge": "gt", "lt": "le", "le": "lt", "eq": "ne", "ne": "eq", "logical_and": "logical_or",
    "logical_or": "logical_and", "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum",
    "zeros": "ones", "zeros_like": "ones_like", "_window_add": "_window_sum",
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt,), ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt,), ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}  # fmt: skip
# Calls whose first argument is no candidate for the result
STRUCTURE = {
    "range", "prange", "len", "tuple", "list", "zip", "enumerate", "int", "float", "iter", "sum", "getattr", "type",
    "asarray", "float64",
}  # fmt: skip
METHODS = {"reshape", "transpose", "astype", "copy"}  # x.reshape(…): what is left without the call is x
# What decides where and how fast something is computed, or in which width, and never what
SPEED = {"isinstance", "kernels_for", "contiguous", "gemm_address", "errstate", "ascontiguousarray", "may_share_memory"}
BLOCKS = {"_CHUNK", "_CHUNKS", "_ROWS", "_COLUMNS", "_PARTIAL_SUMS", "work"}
SPEEDY_NAMES = {"work", "itemsize", "HALVES", "tile", "chunks", "blocks", "step", "direct", "by_rows", "dtype", "kind"}


def mentions(node: ast.AST, names: set[str]) -> bool:
    return any(
        isinstance(n, ast.Name) and n.id in names or isinstance(n, ast.Attribute) and n.attr in names
        for n in ast.walk(node)
    )


def is_skipped(node: ast.AST) -> bool:
    """Whole parts that are left alone: refusals, tests for None, and what is about speed or width."""
    if isinstance(node, ast.Raise | ast.Assert | ast.arguments | ast.JoinedStr | ast.Global | ast.Try):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If):
        early = isinstance(node.body[0], ast.Return) and mentions(node.test, {"size"})  # where there is nothing to do
        return (
            early
            or all(isinstance(s, ast.Raise) for s in node.body)
            or mentions(node.test, SPEEDY_NAMES | {"isinstance"})
        )
    if isinstance(node, ast.BoolOp):  # an early end where there is nothing to do
        return all(isinstance(v, ast.Attribute) and v.attr == "size" for v in node.values)
    if isinstance(node, ast.Compare):
        return any(isinstance(o, ast.Is | ast.IsNot) for o in node.ops)
    if isinstance(node, ast.Call):
        return getattr(node.func, "id", getattr(node.func, "attr", "")) in SPEED
    if isinstance(node, ast.IfExp):
        return mentions(node.test, SPEEDY_NAMES)
    if isinstance(node, ast.keyword):
        return node.arg in ("dtype", "out", "strict", "order", "casting", "weights", "minlength")
    if isinstance(node, ast.Assign):
        return any(mentions(t, SPEEDY_NAMES) for t in node.targets) or mentions(node.value, BLOCKS)
    return isinstance(node, ast.BinOp) and mentions(node, BLOCKS)


def is_of_blocks(node: ast.Call) -> bool:
    """min(lo + _CHUNK, x.size): the end of a block."""
    return getattr(node.func, "id", "") in ("min", "max") and any(mentions(a, BLOCKS) for a in node.args)


def is_launch(node: ast.AST) -> bool:
    """`_kernel(work, …)`: marked by `mutations`, which knows the names of kernels."""
    return isinstance(node, ast.Call) and hasattr(node, "launch")


def places(tree: Function) -> Iterator[ast.AST]:
    """The nodes that may be changed, in the order of the source."""
    stack: list[ast.AST] = [tree.body] if isinstance(tree, ast.Lambda) else list(reversed(tree.body))
    while stack:
        node = stack.pop()
        if is_skipped(node):
            continue
        yield node
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.If) and mentions(node.test, {"transposed"}):  # the other branch is the forward
            forward = node.body if isinstance(node.test, ast.UnaryOp) else node.orelse
            children = [c for c in children if c not in forward]
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Attribute):
            children.remove(node.func)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "reshape":  # -1 is as good as -2
            children = [c for c in children if ast.unparse(c) != "-1"]
        if is_launch(node):
            children.remove(node.args[0])  # type: ignore[attr-defined]
        if isinstance(node, ast.AugAssign | ast.For):
            children.remove(node.target)
        stack += reversed(children)


def changes(node: ast.AST) -> Iterator[Change]:
    """Everything that may stand in place of a node."""
    if isinstance(node, ast.BinOp):
        yield from _operator(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield ("sign" if isinstance(node.op, ast.USub) else "condition"), node.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARISONS.get(type(node.ops[0]), ()):
            yield "comparison", ast.Compare(node.left, [other()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        for k in range(len(node.values)):
            rest = node.values[:k] + node.values[k + 1 :]
            yield "condition", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.IfExp):
        if not mentions(node.test, {"needs"}):  # a gradient that nobody needs may be there
            yield "condition", node.body
        yield "condition", node.orelse
    elif isinstance(node, ast.If):
        yield "condition", ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.Call):
        yield from _call(node)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        yield "constant", ast.Constant(_other(node.value))
    elif isinstance(node, ast.Slice):
        one = ast.Constant(1)
        if node.lower is not None:
            yield "window", ast.Slice(ast.BinOp(node.lower, ast.Add(), one), node.upper, node.step)
        if node.upper is not None:
            yield "window", ast.Slice(node.lower, ast.BinOp(node.upper, ast.Sub(), one), node.step)
    elif isinstance(node, ast.AugAssign):
        yield "overwrite", ast.Assign([node.target], node.value)
        if isinstance(node.op, ast.Add | ast.Sub):
            other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            yield "sign", ast.AugAssign(node.target, other, node.value)
        yield "drop", ast.Pass()
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        yield "drop", ast.Pass()
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        names = list(node.targets[0].elts)
        values = node.value.elts if isinstance(node.value, ast.Tuple) else []
        if len(values) > 1 and ast.dump(values[0]) == ast.dump(values[1]):
            return
        swapped = ast.Tuple([names[1], names[0], *names[2:]], ast.Store())
        yield "arguments", ast.Assign([swapped], node.value)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) or isinstance(node, ast.Continue):
        yield "drop", ast.Pass()


def _operator(node: ast.BinOp) -> Iterator[Change]:
    if isinstance(node.op, ast.Add | ast.Sub):
        other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield "sign", ast.BinOp(node.left, other, node.right)
        yield "drop", node.left
        if isinstance(node.op, ast.Add):
            yield "drop", node.right
    elif isinstance(node.op, ast.Mult | ast.Div):
        other_: ast.operator = ast.Div() if isinstance(node.op, ast.Mult) else ast.Mult()
        yield "scale", ast.BinOp(node.left, other_, node.right)
        yield "drop", node.left
        if isinstance(node.op, ast.Mult):
            yield "drop", node.right
    elif isinstance(node.op, ast.FloorDiv | ast.Mod):
        yield "drop", node.left


def _call(node: ast.Call) -> Iterator[Change]:
    if is_of_blocks(node):
        return
    if is_launch(node):
        work, first, second, *rest = node.args
        if not isinstance(second, ast.Starred) and not isinstance(first, ast.Starred):
            yield "arguments", ast.Call(node.func, [work, second, first, *rest], node.keywords)
        return
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    plain = [a for a in node.args if not isinstance(a, ast.Starred)]
    if name in RENAMED:
        other = RENAMED[name]
        func = ast.Name(other, ast.Load()) if isinstance(node.func, ast.Name) else copy.deepcopy(node.func)
        if isinstance(func, ast.Attribute):
            func.attr = other
        yield "function", ast.Call(func, node.args, node.keywords)
    if name in ("range", "prange") and len(plain) == len(node.args):
        stop = 0 if len(plain) == 1 else 1
        fewer = [*node.args[:stop], ast.BinOp(node.args[stop], ast.Sub(), ast.Constant(1)), *node.args[stop + 1 :]]
        yield "loop", ast.Call(node.func, fewer, [])
        if stop:
            later = [ast.BinOp(node.args[0], ast.Add(), ast.Constant(1)), *node.args[1:]]
            yield "loop", ast.Call(node.func, later, [])
    elif isinstance(node.func, ast.Attribute) and name in METHODS:
        yield "drop", node.func.value
    elif plain and plain[0] is node.args[0] and name not in STRUCTURE:
        if name == "where" and len(plain) == 3:
            yield "mask", plain[1]
            yield "mask", plain[2]
            yield "mask", ast.Call(node.func, [plain[0], plain[2], plain[1]], node.keywords)
        else:
            is_turn = name in ("swap", "permute", "inverse", "_stored")
            yield ("transpose" if is_turn else "drop"), node.args[0]
            if name in ("mul", "add", "min", "max", "logical_and", "logical_or") and len(plain) == 2:
                yield "drop", node.args[1]
            elif len(plain) == len(node.args) > 1 and name not in ("eq", "ne"):
                first, second, *rest = node.args
                if ast.dump(first) != ast.dump(second):
                    yield "arguments", ast.Call(node.func, [second, first, *rest], node.keywords)
    for k, keyword in enumerate(node.keywords):
        if keyword.arg in ("keepdims", "axes", "axis") and not is_skipped(node):
            yield "reduction", ast.Call(node.func, node.args, node.keywords[:k] + node.keywords[k + 1 :])


def _other(value: float) -> float:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return 2 * value if value else 1.0


class _Put(ast.NodeTransformer):
    def __init__(self, place: ast.AST, new: ast.AST) -> None:
        self.place, self.new = place, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.place else self.generic_visit(node)


def mutations(
    tree: Function, known: Collection[str], kernels: Collection[str] = ()
) -> list[tuple[str, str, Callable[[], Function]]]:
    """(kind, what became what, how to make the changed tree), one by one; texts that come again are numbered.

    known    the names that the function can call: another function has to be one of them
    kernels  the names of functions whose first argument is their amount of work
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in kernels:
            node.launch = True  # type: ignore[attr-defined]
    out: list[tuple[str, str, Callable[[], Function]]] = []
    seen: dict[str, int] = {}
    for node in places(tree):
        texts = {f"{_short(node)} → {_short(new)}": (kind, new) for kind, new in changes(node)}
        for text, (kind, new) in texts.items():
            if kind == "function" and isinstance(new, ast.Call) and getattr(new.func, "id", "") not in {"", *known}:
                continue
            seen[text] = seen.get(text, 0) + 1
            out.append((kind, text if seen[text] == 1 else f"{text} #{seen[text]}", partial(_changed, tree, node, new)))
    return out


def _changed(tree: Function, node: ast.AST, new: ast.AST) -> Function:
    """A copy of the tree with `new` in place of `node`."""
    memo: dict[int, Any] = {}
    clone = copy.deepcopy(tree, memo)
    return ast.fix_missing_locations(_Put(memo[id(node)], copy.deepcopy(new)).visit(clone))  # type: ignore[no-any-return]


def _short(node: ast.AST) -> str:
    if isinstance(node, ast.Pass):
        return "nothing"
    text = ast.unparse(node if hasattr(node, "lineno") else ast.fix_missing_locations(copy.deepcopy(node)))
    if isinstance(node, ast.If | ast.For | ast.While):
        text = text.splitlines()[0]
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:40]} … {text[-17:]}"


# arrays that a rule returns; each takes the gradient and gives another of its shape


def _edit(g: Array, key: Any, value: float) -> Array:
    out = g.copy()
    if out.size:
        out[key] = value
    return out


def _turned(g: Array) -> Array:
    return g.swapaxes(-1, -2).copy() if g.ndim > 1 and g.shape[-1] == g.shape[-2] else g


def _rolled(g: Array, axis: int) -> Array:
    return np.roll(g, 1, axis) if g.ndim else g


def _last(g: Array, axis: int) -> Array:
    return _edit(g, (*(slice(None),) * (axis % g.ndim), -1), 0) if g.ndim else g


VALUES: dict[str, Callable[[Array], Array]] = {
    "sign": lambda g: -g,
    "twice": lambda g: 2 * g,
    "one percent too large": lambda g: g * 1.01,
    "a mean for a sum": lambda g: g / max(g.size, 1),
    "one added": lambda g: g + 1,
    "absolute": lambda g: np.abs(g),
    "zero": lambda g: np.zeros_like(g),
    "first entry zero": lambda g: _edit(g, (0,) * g.ndim, 0),
    "end of the first axis zero": lambda g: _last(g, 0),
    "end of the last axis zero": lambda g: _last(g, -1),
    "transposed": _turned,
    "rolled along the first axis": lambda g: _rolled(g, 0),
    "rolled along the last axis": lambda g: _rolled(g, -1),
    "reversed": lambda g: g[::-1].copy() if g.ndim else g,
    "the first row for all": lambda g: np.broadcast_to(g[:1], g.shape).copy() if g.ndim and g.size else g,
}
