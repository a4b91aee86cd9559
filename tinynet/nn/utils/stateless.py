"""A module as a function of its parameters and buffers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._tensor import Tensor
from ...errors import DtypeError, OptionError
from ..module import Module


def functional_call(
    module: Module,
    parameters_and_buffers: Mapping[str, Tensor],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """module(*args, **kwargs) with the given tensors in the places of its parameters and buffers, by dotted name.

    tie_weights  a tensor that the module has in several places is replaced in all of them
    strict       all parameters and buffers must be given

    Raises OptionError for names that the module has not. The module is left as it was, but for buffers changed in place.
    """
    if not isinstance(parameters_and_buffers, Mapping):
        raise DtypeError(f"functional_call: expected a dict, got {type(parameters_and_buffers).__name__}")
    places: dict[str, tuple[dict[str, Any], str]] = {}
    for path, owner in module.named_modules(remove_duplicate=False):
        for table in (owner._parameters, owner._buffers):
            places.update({f"{path}.{name}" if path else name: (table, name) for name in table})
    unknown = [name for name in parameters_and_buffers if name not in places]
    values, given = dict(parameters_and_buffers), {}
    for name, value in parameters_and_buffers.items():
        if name in places:
            table, key = places[name]
            given[id(table[key])] = value
    for name, (table, key) in places.items():
        if tie_weights and table[key] is not None and id(table[key]) in given:
            values.setdefault(name, given[id(table[key])])
    missing = [name for name, (table, key) in places.items() if table[key] is not None and name not in values]
    if unknown or (strict and missing):
        raise OptionError(f"functional_call: unexpected names {unknown}, missing names {missing if strict else []}")
    before = [(table, key, table[key]) for table, key in (places[name] for name in values)]
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    try:
        for name, value in values.items():
            table, key = places[name]
            table[key] = value
        return module(*arguments, **(kwargs or {}))
    finally:
        for table, key, value in before:
            table[key] = value
