"""Write the stubs `tinynet/__init__.pyi` and `tinynet/_tensor.pyi`, which show an IDE and mypy what is there at run time.

Names of the package load lazily, and Tensor gets its methods from the operations; neither can be read off the source.
Run it after a change of `TABLE` or of a method; a test compares the committed stubs with what it would write.
"""

from __future__ import annotations

import functools
import inspect
import re
from pathlib import Path
from typing import Any

import tinynet
import tinynet.methods  # gives Tensor its methods
from tinynet import _tensor
from tinynet.files import write_text

PACKAGE = Path(tinynet.__file__).parent
HEADER = '"""Written by tools/make_stubs.py."""\n\n'
SHADOWED = ("float", "int", "bool", "type")  # Tensor has methods of these names


def annotation(text: Any) -> str:
    """An annotation as the stub needs it: builtins that a method hides are spelled out."""
    if text is inspect.Parameter.empty:
        return "Any"
    name = text if isinstance(text, str) else getattr(text, "__name__", str(text))
    name = re.sub(r"\b(creation|dtypes|device)\.", r"_\1.", name.strip("'\""))
    name = re.sub(r"(?<![.\w])device(?![.\w])", "_Device", name)
    return re.sub(rf"(?<![.\w])({'|'.join(SHADOWED)})(?![\w.])", r"builtins.\1", name)


def parameters(function: Any, method: bool) -> str:
    """The parameter list of a function, its first one being `self` for a method."""
    parts: list[str] = []
    star = False
    for i, p in enumerate(inspect.signature(function).parameters.values()):
        if method and i == 0:
            parts.append("self")
            continue
        text = f"{p.name}: {annotation(p.annotation)}"
        if p.default is not p.empty:
            text += f" = {p.default!r}" if isinstance(p.default, int | float | str | None) else " = ..."
        if p.kind is p.VAR_POSITIONAL:
            text, star = f"*{text}", True
        elif p.kind is p.VAR_KEYWORD:
            text = f"**{text}"
        elif p.kind is p.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        parts.append(text)
    return ", ".join(parts)


def definition(name: str, function: Any, method: bool, indent: str) -> str:
    result = annotation(inspect.signature(function).return_annotation)
    ignore = "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""
    return f"{indent}def {name}({parameters(function, method)}) -> {result}: ...{ignore}"


def class_stub(kind: type) -> list[str]:
    bases = ", ".join(
        "tuple[builtins.int, ...]" if b is tuple else b.__name__ for b in kind.__bases__ if b is not object
    )
    lines = [f"class {kind.__name__}({bases}):" if bases else f"class {kind.__name__}:"]
    if kind is _tensor.Handle:
        lines.append("    id: builtins.int")
    for name, text in inspect.get_annotations(kind).items():
        lines.append(f"    {name}: {annotation(text)}")
    for name, value in sorted(vars(kind).items()):
        if isinstance(value, property):
            lines.append(f"    @property\n{definition(name, value.fget, True, '    ')}")
            if value.fset is not None:
                lines.append(f"    @{name}.setter\n{definition(name, value.fset, True, '    ')}")
        elif isinstance(value, functools.partialmethod):
            lines.append(f"    def {name}(self, other: Any) -> Tensor: ...")
        elif inspect.isfunction(value):
            lines.append(definition(name, value, True, "    "))
    return [*lines, ""]


def tensor_stub() -> str:
    """What `tinynet/_tensor.pyi` should hold."""
    imports = [
        "import builtins",
        "from collections.abc import Callable, Iterator, Sequence",
        "from typing import Any",
        "",
        "import numpy as np",
        "",
        "from . import dtypes as _dtypes",
        "from ._device import device as _Device",
        "from .autograd.node import Leaf, Node, Part",
        "from .ops.decomposition import old_svd_result, qr_result",
        "from .ops.reduction import max_result",
        "from .random import Generator",
        "",
    ]
    lines = []
    for kind in (_tensor.Size, _tensor.Handle, _tensor.Tensor):
        lines += class_stub(kind)
    for name, value in vars(_tensor).items():
        if inspect.isfunction(value) and value.__module__ == _tensor.__name__:
            lines.append(definition(name, value, False, ""))
    return HEADER + "\n".join(imports + lines) + "\n"


def package_stub() -> str:
    """What `tinynet/__init__.pyi` should hold."""
    lines = [f"from . import {name} as {name}" for name in tinynet.MODULES]
    lines += [f"from .compat.modules import {name} as {name}" for name in tinynet.OLD_MODULES]
    for module, names in tinynet.TABLE.items():
        lines += [f"from .{module} import {name} as {name}" for name in names.split()]
    for alias, (module, name) in tinynet.ALIASES.items():
        home = f"compat.modules.{module}" if module in tinynet.OLD_MODULES else module
        lines.append(f"from .{home} import {name} as {alias}")
    lines += [
        "",
        "from builtins import float as _float",
        "TABLE: dict[str, str]",
        "ALIASES: dict[str, tuple[str, str]]",
        "MODULES: tuple[str, ...]",
        "OLD_MODULES: tuple[str, ...]",
        "newaxis: None",
        "__version__: str",
    ]
    lines += [f"{name}: _float" for name in ("pi", "e", "inf", "nan")]
    return HEADER + "\n".join(lines) + "\n"


STUBS = {PACKAGE / "__init__.pyi": package_stub, PACKAGE / "_tensor.pyi": tensor_stub}

if __name__ == "__main__":
    for path, make in STUBS.items():
        write_text(path, make())
