"""What `tinynet check` does: one function that is named, or every recorded operation of a checkout."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

ENGINES = ("tinynet", "torch", "jax", "autograd")


def loaded(target: str, option: str) -> Any:
    """The object that `module:name` names; the current folder is looked in first, as `python -m` does."""
    module, _, name = target.partition(":")
    if not module or not name:
        raise click.UsageError(f"{option}: got {target!r}, expected module:function")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        value: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise click.UsageError(f"{option}: no module named {error.name!r}") from error
    for part in name.split("."):
        if not hasattr(value, part):
            raise click.UsageError(f"{option}: {module} has no {name!r}")
        value = getattr(value, part)
    if not callable(value):
        raise click.UsageError(f"{option}: {target} is of type {type(value).__name__}, expected a function")
    return value


def shape_of(text: str) -> tuple[int, ...]:
    """`3,4` is (3, 4); `()` is 0-d."""
    inner = text.strip().removeprefix("(").removesuffix(")").rstrip(",")
    try:
        shape = tuple(int(part) for part in inner.split(",")) if inner else ()
    except ValueError:
        shape = (-1,)
    if any(size < 0 for size in shape):
        raise click.UsageError(f"--shapes: got {text!r}, expected sizes such as 3,4 (or '()' for a single number)")
    return shape


def arguments(shapes: Sequence[str], dtype: str, low: float, high: float, seed: int) -> list[Any]:
    """An array of each shape, uniform between the bounds."""
    if not low < high:
        raise click.UsageError(f"--low {low:g} is not below --high {high:g}")
    rng = np.random.default_rng([seed, 11])
    return [np.asarray(rng.uniform(low, high, shape_of(text)), dtype) for text in shapes]


def engine_of(function: Any, engine: str | None) -> Any:
    """The adapter that was asked for, or that the function's own package suggests."""
    import tinynet.testing as kit

    if engine is None:
        package = str(getattr(function, "__module__", None) or type(function).__module__).partition(".")[0]
        engine = package if package in ENGINES else "tinynet"
    return getattr(kit, f"{engine}_adapter")


def check_one(
    function: Callable[..., Any],
    args: list[Any],
    *,
    vjp: str | None,
    engine: str | None,
    order: int,
    png: Path | None,
    **options: Any,
) -> Any:
    """The report of one function; its Jacobian map is drawn if wanted."""
    from tinynet.testing import check_grad, check_vjp, jacobian_map

    if vjp is not None:
        if engine is not None or order != 1:
            raise click.UsageError("--vjp is for a function of NumPy arrays: leave --engine and --order away")
        rule = {"vjp": loaded(vjp, "--vjp")}
        report = check_vjp(function, args, **rule, **options)
    else:
        rule = {"adapter": engine_of(function, engine)}
        report = check_grad(function, args, order=order, **rule, **options)
    if png is not None:
        jacobian_map(function, args, **rule).save(png)
    return report


def records_of_checkout() -> Any:
    """The sweep over the records of the checkout that this package lies in, or that is the current folder; or None."""
    import tinynet

    for root in (Path(tinynet.__file__).resolve().parents[1], Path.cwd()):
        if (root / "tests" / "op_records" / "sweep.py").is_file():
            sys.path.insert(0, str(root))
            return importlib.import_module("tests.op_records.sweep")
    return None
