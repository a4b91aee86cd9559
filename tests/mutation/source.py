"""From a function to its syntax tree, and from a changed tree back into the function, in place."""

from __future__ import annotations
import __future__

import ast
import contextlib
import copy
import dis
import functools
import inspect
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

Function = ast.FunctionDef | ast.Lambda


@functools.cache
def parsed(path: str) -> ast.Module:
    with open(path, encoding="utf-8") as file:
        return ast.parse(file.read())


def tree_of(function: Callable[..., Any]) -> Function:
    """The definition of a function, or the lambda, in its file."""
    code = code_of(function)
    marks = [(line, column) for line, _, column, end in code.co_positions() if line and column is not None and end]
    found: list[Function] = []
    for node in ast.walk(parsed(code.co_filename)):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first == code.co_firstlineno:
                found.append(node)
        elif isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and node.lineno == code.co_firstlineno:
            body = node.body
            start, end = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
            names = [a.arg for a in (*node.args.args, *node.args.kwonlyargs)]
            if all(start <= m < end for m in marks) and names == list(code.co_varnames[: len(names)]):
                found.append(node)
    if len(found) != 1:
        raise LookupError(f"{code.co_filename}:{code.co_firstlineno}: {len(found)} definitions of {code.co_name}")
    return found[0]


def code_of(function: Callable[..., Any]) -> CodeType:
    assert isinstance(function, FunctionType), function
    return function.__code__


class _Bounded(ast.NodeTransformer):
    """Every `while` counts its turns: a changed step may never end."""

    def visit_While(self, node: ast.While) -> ast.While:
        self.generic_visit(node)
        count = ast.Expr(ast.Call(ast.Name("next", ast.Load()), [ast.Name("turns", ast.Load())], []))
        node.body.insert(0, count)
        return node


def compiled(tree: Function, filename: str) -> CodeType:
    """The code of a definition: without decorators, annotations and defaults, which stay the function's own."""
    tree = copy.deepcopy(tree)
    scope: dict[str, Any] = {}
    flags = __future__.annotations.compiler_flag
    if isinstance(tree, ast.Lambda):
        expression = ast.fix_missing_locations(ast.Expression(tree))
        return code_of(eval(compile(expression, filename, "eval", flags, True), scope))
    tree.decorator_list, tree.returns = [], None
    bounded = any(isinstance(n, ast.While) for n in ast.walk(tree))
    if bounded:
        tree = _Bounded().visit(tree)
        tree.body.insert(0, ast.parse("turns = iter(range(100_000))").body[0])
    tree.args.defaults = [ast.Constant(None) for _ in tree.args.defaults]
    tree.args.kw_defaults = [d and ast.Constant(None) for d in tree.args.kw_defaults]
    for argument in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs):
        argument.annotation = None
    module = ast.fix_missing_locations(ast.Module([tree], []))
    exec(compile(module, filename, "exec", flags, True), scope)
    return code_of(scope[tree.name])


@contextlib.contextmanager
def replaced(function: Callable[..., Any], tree: Function) -> Iterator[None]:
    """The function runs the changed tree, for all who hold it; at the end it is what it was."""
    assert isinstance(function, FunctionType)
    before = function.__code__
    assert not before.co_freevars, f"{function.__qualname__} is a closure"
    function.__code__ = compiled(tree, before.co_filename)
    try:
        yield
    finally:
        function.__code__ = before


def globals_read(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    """The global names that a function and its inner functions read, with their values where they have one."""
    names: list[str] = []
    stack = [code_of(function)]
    while stack:
        code = stack.pop()
        names += [i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
        stack += [c for c in code.co_consts if inspect.iscode(c)]
    scope = function.__globals__
    return [(n, scope[n]) for n in dict.fromkeys(names) if n in scope]
