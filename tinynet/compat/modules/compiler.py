"""PyTorch's `compiler`: nothing is compiled but the kernels, so its decorators return the function."""

from __future__ import annotations

from typing import Any

from tinynet.compat.switches import compile as compile


def is_compiling() -> bool:
    """Whether a graph is being captured: False."""
    return False


def disable(fn: Any = None, recursive: bool = True, **options: Any) -> Any:
    """The function itself."""
    return (lambda f: f) if fn is None else fn


def reset() -> None:
    """Forget compiled graphs: there are none."""
