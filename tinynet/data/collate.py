"""From items to a batch, and from arrays to tensors, through nested containers."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..errors import DtypeError, ShapeError
from ..ops.creation import as_tensor, tensor
from ..ops.shape import stack
from .dataset import Batch


def default_collate(batch: Sequence[Any]) -> Any:
    """Join items into a batch: tensors and arrays are stacked, numbers become a tensor, containers are joined inside.

    Floats become float64, strings and bytes stay a list, a tuple becomes a list, and mappings and named tuples keep
    their class.

    Raises ShapeError for tensors of different shapes and containers of different lengths, DtypeError for what it does
    not know.
    """
    if isinstance(batch, Batch):
        return list(batch)
    if not len(batch):
        raise ShapeError("default_collate: expected at least one item")
    first = batch[0]
    if isinstance(first, Tensor):
        return _stacked(batch)
    if isinstance(first, np.ndarray | np.generic) and not isinstance(first, str | bytes):
        if first.dtype.kind in "USO":
            raise DtypeError(f"default_collate: cannot join NumPy arrays of dtype {first.dtype}")
        return _stacked([as_tensor(np.asarray(b)) for b in batch])
    if isinstance(first, bool | int):
        return tensor(list(batch))
    if isinstance(first, float):
        return tensor(list(batch), dtype=np.float64)
    if isinstance(first, str | bytes):
        return list(batch)
    if isinstance(first, Mapping):
        missing = [key for key in first if any(key not in b for b in batch)]
        if missing:
            raise ShapeError(f"default_collate: not every item has the key {missing[0]!r}")
        return _mapping(first, {key: default_collate([b[key] for b in batch]) for key in first})
    if isinstance(first, Sequence):
        if any(len(b) != len(first) for b in batch):
            raise ShapeError(f"default_collate: items have different lengths {sorted({len(b) for b in batch})}")
        return _sequence(first, [default_collate(list(part)) for part in zip(*batch, strict=True)])
    raise DtypeError(
        f"default_collate: items must be tensors, arrays, numbers, strings, dicts or lists, got {type(first).__name__}"
    )


def default_convert(data: Any) -> Any:
    """The same item with tensors in place of NumPy's arrays and numbers; other things stay, tuples become lists."""
    if isinstance(data, np.ndarray | np.generic):
        return data if data.dtype.kind in "USO" else as_tensor(np.asarray(data))
    if isinstance(data, Mapping):
        return _mapping(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _sequence(data, [default_convert(value) for value in data])
    return data


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise DtypeError(f"default_collate: item 0 is a Tensor and item {i} a {type(t).__name__}")
        if t.shape != tensors[0].shape:
            raise ShapeError(
                f"default_collate: item 0 has shape {tuple(tensors[0].shape)} and item {i} {tuple(t.shape)}; tensors of "
                "one batch must have one shape (pad them, or give a collate_fn)"
            )
    return stack(list(tensors))


def _mapping(like: Mapping[Any, Any], parts: dict[Any, Any]) -> Any:
    if type(like) is dict or not isinstance(like, MutableMapping):
        return parts
    result = copy.copy(like)
    result.update(parts)
    return result


def _sequence(like: Sequence[Any], parts: list[Any]) -> Any:
    if hasattr(like, "_fields"):
        return type(like)(*parts)
    if isinstance(like, tuple | range) or type(like) is list:
        return parts
    try:
        return type(like)(parts)  # type: ignore[call-arg]
    except TypeError:  # a sequence of another constructor
        return parts
