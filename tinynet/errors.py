"""The errors that tinynet raises for bad input.

Each is both the class that Python users expect (ValueError, TypeError, IndexError) and RuntimeError, which PyTorch
raises in the same place: a program that catches either works. What is not supported raises NotImplementedError.
"""

from __future__ import annotations

import operator
from typing import Any


class ShapeError(ValueError, RuntimeError):
    """Shapes (or sizes, or ranks) that do not fit the operation."""


class OptionError(ValueError, RuntimeError):
    """An option outside its domain (a negative stride, an unknown reduction, …)."""


class DtypeError(TypeError, RuntimeError):
    """A dtype that the operation does not accept, or a cast that would lose the kind of number."""


class RangeError(IndexError, RuntimeError):
    """An index, a class label or a dimension outside its range."""


class DeviceError(ValueError, RuntimeError):
    """A device that does not exist here, or two devices in one operation."""


class GraphError(RuntimeError):
    """A misuse of the graph: a freed graph, a leaf changed in place, a saved array changed, no gradient to give."""


class DataError(ValueError, RuntimeError):
    """A file that is corrupt, truncated, or not of the format that its reader expects."""


def whole_number(where: str, name: str, value: Any, least: int) -> int:
    """`value` as an int. Raises DtypeError if it is a bool or no integer, OptionError below `least`."""
    message = f"{where}: {name} must be an integer ≥ {least}, got {value!r}"
    try:
        number = operator.index(value)
    except TypeError:
        raise DtypeError(message) from None
    if isinstance(value, bool):
        raise DtypeError(message)
    if number < least:
        raise OptionError(message)
    return number
