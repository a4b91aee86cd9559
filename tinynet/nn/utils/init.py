"""Modules whose initial values do not matter."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from ...errors import OptionError
from ...random import get_rng_state, set_rng_state
from ..module import Module

_M = TypeVar("_M", bound=Module)


def skip_init(module_cls: type[_M], *args: Any, **kwargs: Any) -> _M:
    """A module whose parameters are to be overwritten: it leaves the stream of random numbers where it was.

    Raises OptionError for a class without a `device` argument, as PyTorch does.
    """
    if not issubclass(module_cls, Module):
        raise OptionError(f"skip_init: expected a Module's class, got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise OptionError(f"skip_init: {module_cls.__name__} takes no device")
    state = get_rng_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        set_rng_state(state)
