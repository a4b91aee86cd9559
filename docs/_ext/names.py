"""The directive `names`: the public names of a module, each with the first line of its docstring.

    ```{names} tinynet.nn
    ```

`tinynet.ops.shape` and its like list the names that `tinynet` itself takes from there (`tinynet.TABLE`).
"""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import tinynet


def public_names(module: str) -> dict[str, Any]:
    """The public names of a module, in alphabetical order."""
    inner = module.removeprefix("tinynet.")
    if inner in tinynet.TABLE:
        return {name: getattr(tinynet, name) for name in sorted(tinynet.TABLE[inner].split())}
    home = importlib.import_module(module)
    listed = getattr(home, "__all__", None)
    found = {name: getattr(home, name) for name in sorted(listed or dir(home)) if not name.startswith("_")}
    own = "tinynet" if listed or hasattr(home, "__path__") else module  # a package offers what its modules define
    return {
        name: value
        for name, value in found.items()
        if not isinstance(value, ModuleType) and getattr(value, "__module__", "").startswith(own)
    }


def summary(value: Any) -> str:
    """The first sentence, or line, that the docstring says."""
    if not (inspect.isroutine(value) or inspect.isclass(value)):
        return f"A {type(value).__name__}."
    lines = (inspect.getdoc(value) or "").split("\n\n")[0].splitlines()
    text = lines[0] if lines else ""
    for line in lines[1:]:
        if text.endswith((".", ";")):
            break
        text += " " + line
    return text


class Names(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        items = nodes.definition_list(classes=["names"])
        for name, value in public_names(self.arguments[0]).items():
            text = nodes.paragraph()
            for i, piece in enumerate(summary(value).split("`")):  # `code` in docstrings
                text += nodes.literal(piece, piece) if i % 2 else nodes.Text(piece)
            term = nodes.term("", "", nodes.literal(name, name))
            items += nodes.definition_list_item("", term, nodes.definition("", text))
        if not items.children:
            raise self.error(f"{self.arguments[0]} has no public names")
        return [items]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("names", Names)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
