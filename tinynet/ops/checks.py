"""Checks of arguments that several families of operations share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .. import dtypes
from .._tensor import Tensor, new_tensor
from ..errors import DtypeError, OptionError, ShapeError
from . import primitives as P

F = TypeVar("F", bound=Callable[..., Any])


def tensor_of(where: str, name: str, x: Any) -> Tensor:
    """`x` if it is a Tensor; raises DtypeError naming the argument."""
    if not isinstance(x, Tensor):
        raise DtypeError(f"{where}: {name} must be a Tensor, got {type(x).__name__}")
    return x


def floating(where: str, name: str, x: Any) -> Tensor:
    """`x` if it is a floating-point Tensor."""
    if not tensor_of(where, name, x).is_floating_point():
        raise DtypeError(f"{where}: {name} must be of a floating-point dtype, got {x.dtype}")
    return x


def same_dtype(where: str, **tensors: Tensor | None) -> None:
    """Raise DtypeError unless all are floating-point Tensors of one dtype (None passes)."""
    present = {n: floating(where, n, t) for n, t in tensors.items() if t is not None}
    if len({t.array.dtype for t in present.values()}) > 1:
        kinds = ", ".join(f"{n} {t.dtype}" for n, t in present.items())
        raise DtypeError(f"{where}: expected one dtype, got {kinds}")


def integer(where: str, name: str, x: Any) -> Tensor:
    """`x` if it is an integer Tensor (not boolean)."""
    if tensor_of(where, name, x).dtype.category != 1:
        raise DtypeError(f"{where}: {name} must be of an integer dtype, got {x.dtype}")
    return x


def to_dtype(x: Tensor, dtype: Any, where: str) -> Tensor:
    """`x` in `dtype`; itself if it has it, or if `dtype` is None."""
    if dtype is None:
        return x
    target = dtypes.as_dtype(dtype, f"{where}: dtype").numpy
    if x.array.dtype == target:
        return x
    return P.cast(x if target.char in dtypes.FLOAT_CHARS else x.detach(), dtype=target)


def promoted(where: str, *values: Any) -> tuple[Tensor, ...]:
    """Tensors and numbers as Tensors of their common dtype."""
    wrapped = tuple(new_tensor(v) if isinstance(v, np.ndarray) else v for v in values)
    try:
        target = dtypes.result_dtype(*(v.array if isinstance(v, Tensor) else v for v in wrapped)).numpy
    except DtypeError as error:
        raise DtypeError(f"{where}: {error}") from None
    return tuple(
        new_tensor(np.asarray(v).astype(target))
        if not isinstance(v, Tensor)
        else v
        if v.array.dtype == target
        else P.cast(v, dtype=target)
        for v in wrapped
    )


def check_broadcast(where: str, *tensors: Tensor) -> tuple[int, ...]:
    """The common shape; raises ShapeError naming the operation and the shapes if there is none."""
    try:
        return np.broadcast_shapes(*(t.array.shape for t in tensors))
    except ValueError:
        shapes = " and ".join(str(tuple(t.array.shape)) for t in tensors)
        raise ShapeError(f"{where}: shapes {shapes} cannot be broadcast together") from None


def ints(where: str, name: str, value: Any, n: int, low: int = 0) -> tuple[int, ...]:
    """`value`, an integer or a sequence of n (or one), as n integers ≥ `low`."""
    items = tuple(value) if isinstance(value, tuple | list) else (value,)
    if len(items) == 1:
        items = items * n
    if len(items) != n:
        raise ShapeError(f"{where}: {name} must be an integer or {n} integers, got {value!r}")
    try:
        result = tuple(int(i.__index__()) for i in items)
    except AttributeError:
        raise DtypeError(f"{where}: {name} must be an integer or {n} integers, got {value!r}") from None
    if any(i < low for i in result):
        raise OptionError(f"{where}: {name} must be ≥ {low}, got {value!r}")
    return result


def sizes(where: str, size: tuple[Any, ...], *, negative: bool = False) -> tuple[int, ...]:
    """The shape given as several integers or one sequence of them."""
    if len(size) == 1 and isinstance(size[0], tuple | list):
        size = tuple(size[0])
    try:
        shape = tuple(int(n.__index__()) for n in size)
    except (AttributeError, TypeError):
        raise DtypeError(f"{where}: sizes must be integers, got {size!r}") from None
    if not negative and any(n < 0 for n in shape):
        raise ShapeError(f"{where}: sizes must be ≥ 0, got {shape}")
    return shape


def widened(function: F) -> F:
    """Let a reduction of a half be computed in float32 and rounded once: its sums would overflow in between."""

    @functools.wraps(function)
    def wrapper(input: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(input, Tensor) or input.array.dtype not in dtypes.HALVES or kwargs.get("dtype") is not None:
            return function(input, *args, **kwargs)
        return P.cast(function(P.cast(input, dtype=np.float32), *args, **kwargs), dtype=input.array.dtype)

    return wrapper  # type: ignore[return-value]


def numpy_names(function: F) -> F:
    """Let a function with `dim` and `keepdim` take NumPy's names for them, as PyTorch's do."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        for theirs, ours in (("axis", "dim"), ("keepdims", "keepdim")):
            if theirs in kwargs:
                kwargs[ours] = kwargs.pop(theirs)
        return function(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


def one_of(where: str, name: str, value: Any, *choices: str) -> str:
    """`value` if it is one of `choices`; raises OptionError naming them."""
    if value not in choices:
        raise OptionError(f"{where}: {name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value
