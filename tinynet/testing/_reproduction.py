"""A program that repeats a failed check, to be pasted into a file."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinynet.testing.subject import EngineFunction, NumpyPair, Subject

_ADAPTERS = {name: f"{name}_adapter" for name in ("torch", "jax", "autograd")}


def reproduction(subject: Subject, args: Sequence[Any], options: dict[str, Any], check: str = "check_vjp") -> str:
    """The program, with every number written out. Where a function has no name to import, a line says where it stands."""
    assert isinstance(subject, NumpyPair | EngineFunction)
    imports, missing = ["import numpy as np"], []
    sources: list[str] = []
    names = [check]

    def expression(function: Callable[..., Any], fallback: str) -> str:
        name = _importable(function)
        if name is None and (source := _class_source(function)):
            imports.extend(part for part in source if part.startswith(("import ", "from ")))
            sources.extend(part for part in source if part not in [*imports, *sources])
            return f"{function.__self__.__name__}.{function.__name__}"  # type: ignore[attr-defined]
        if name is None and (source := _source(function, set())):
            imports.extend(part for part in source if part.startswith(("import ", "from ")))
            sources.extend(part for part in source if part not in [*imports, *sources])
            return str(function.__name__)
        if name is None:
            missing.append(f"# {fallback}: put the function here that stands at {_place(function)}")
            return fallback
        module = name.partition(":")[0]
        if module != "numpy":
            imports.append(f"import {module}")
        return name.replace(":", ".").replace("numpy.", "np.") if module == "numpy" else name.replace(":", ".")

    given = [expression(subject.f, "f")]
    keywords = {}
    if isinstance(subject, NumpyPair):
        keywords = {key: expression(rule, key) for key, rule in (("vjp", subject.vjp), ("jvp", subject.jvp)) if rule}
    elif subject.adapter.name in _ADAPTERS:
        names.append(_ADAPTERS[subject.adapter.name])
        keywords["adapter"] = names[-1]
    elif subject.adapter.name != "tinynet":
        missing.append(f"# adapter: put your adapter of {subject.adapter.name} here")
        keywords["adapter"] = "adapter"
    keywords |= {key: expression(value, key) if callable(value) else repr(value) for key, value in options.items()}
    arrays = [f"    {_written(a)},".replace("\n", "\n    ") for a in args]
    text = "\n".join(arrays)
    special = [n for n in ("nan", "inf") if re.search(rf"\b{n}\b", text)]
    call = ", ".join([*given, "args", *(f"{key}={value}" for key, value in keywords.items())])
    program = "\n".join(
        [
            *dict.fromkeys(imports),
            f"from tinynet.testing import {', '.join(sorted(names))}",
            *missing,
            *("\n\n" + part + "\n\n" if "\n" in part else part for part in sources),
            *(f"{n} = np.{n}" for n in special),
            "args = [",
            text,
            "]",
            f"print({check}({call}))",
        ]
    )
    return re.sub("\n{3,}", "\n\n\n", program)


def _importable(function: Callable[..., Any]) -> str | None:
    """module:name under which the very same function can be imported."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if inspect.isclass(owner := getattr(function, "__self__", None)):  # Gelu.apply
        module, name = owner.__module__, f"{owner.__qualname__}.{getattr(function, '__name__', '')}"
    candidates = [(module, name), *(((m, getattr(function, "__name__", None))) for m in ("numpy", "tinynet", "torch"))]
    for module, name in candidates:
        if not module or not name or module == "__main__" or "<" in name:
            continue
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is not None and (found is function or (hasattr(function, "__self__") and found == function)):
            return f"{module}:{name}"
    return None


def _source(function: Any, seen: set[str]) -> list[str]:
    """The text of a plain function, after the imports and the functions of its own module that it uses; or nothing.

    Lambdas, methods and functions over variables of another function cannot be written down by themselves.
    """
    if not inspect.isfunction(function) or function.__name__ == "<lambda>" or function.__closure__:
        return []
    seen.add(function.__name__)
    parts = []
    for name in _names(function.__code__):
        value = function.__globals__.get(name)
        if inspect.ismodule(value):
            parts.append(f"import {value.__name__} as {name}" if value.__name__ != name else f"import {name}")
        elif inspect.isfunction(value) and value.__module__ == function.__module__:
            used = [] if name in seen else _source(value, seen)
            if not used and name not in seen:
                return []
            parts += used
        elif value is not None and not hasattr(value, "__module__"):
            parts.append(f"{name} = {value!r}")
        elif value is not None:
            parts.append(f"from {value.__module__} import {name}")
    try:
        text = textwrap.dedent(inspect.getsource(function)).rstrip()
    except (OSError, TypeError):
        return []  # typed into a console: there is no file to read it from
    return [*parts, text]


def _class_source(function: Any) -> list[str]:
    """The text of the class whose class method this is, after the imports that it uses; or nothing."""
    owner = getattr(function, "__self__", None)
    if not inspect.isclass(owner):
        return []
    try:
        text = textwrap.dedent(inspect.getsource(owner)).rstrip()
    except (OSError, TypeError):
        return []  # typed into a console
    parts, known = [], vars(sys.modules[owner.__module__]) if owner.__module__ in sys.modules else {}
    for name in dict.fromkeys(re.findall(r"\b[A-Za-z_]\w*\b", text)):
        if inspect.ismodule(value := known.get(name)):
            parts.append(f"import {value.__name__} as {name}" if value.__name__ != name else f"import {name}")
    return [*parts, text]


def _names(code: Any) -> list[str]:
    inner = [name for constant in code.co_consts if inspect.iscode(constant) for name in _names(constant)]
    return list(dict.fromkeys([*code.co_names, *inner]))


def _place(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    if code is None:
        return repr(function)
    return f"line {code.co_firstlineno} of {code.co_filename}"


def _written(a: Any) -> str:
    if not isinstance(a, np.ndarray):
        return repr(a)
    if 0 in a.shape:
        return f"np.zeros({a.shape}, {a.dtype.name!r})"
    if a.size > 200:
        return (
            f"np.full({a.shape}, 0.0, {a.dtype.name!r})  # {a.size} numbers are too many to write out: put yours here"
        )
    numbers = a.astype(np.float64) if a.dtype.name == "bfloat16" else a
    dtype = "ml_dtypes.bfloat16" if a.dtype.name == "bfloat16" else repr(a.dtype.name)
    return f"np.array({numbers.tolist()}, {dtype})"
