"""Number types and PyTorch's rules of promotion.

Source: PyTorch documentation, "Tensor Attributes", type promotion. A tensor with dimensions outranks a 0-d tensor, and a
0-d tensor outranks a Python number, unless the lower one is of a higher category (bool < integer < floating point).
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from .errors import DtypeError, OptionError


class dtype:
    """A number type: `tinynet.float32` and its kin. Two are equal when they are the same object."""

    __slots__ = ("category", "itemsize", "name", "numpy")

    def __init__(self, name: str, numpy: np.dtype[Any], category: int) -> None:
        self.name, self.numpy, self.category, self.itemsize = name, numpy, category, numpy.itemsize

    @property
    def is_floating_point(self) -> bool:
        return self.category == 2

    @property
    def is_complex(self) -> bool:
        return False

    @property
    def is_signed(self) -> bool:
        return self.name not in ("uint8", "bool")

    def __repr__(self) -> str:
        return f"tinynet.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_by_name, (self.name,))


def _make(name: str, category: int, numpy: Any = None) -> dtype:
    return dtype(name, np.dtype(numpy or name), category)


bool_ = _make("bool", 0)
uint8, int8, int16, int32, int64 = (_make(n, 1) for n in ("uint8", "int8", "int16", "int32", "int64"))
float16, float32, float64 = (_make(n, 2) for n in ("float16", "float32", "float64"))
bfloat16 = _make("bfloat16", 2, ml_dtypes.bfloat16)

ALL = (bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64)
FROM_NUMPY: dict[np.dtype[Any], dtype] = {d.numpy: d for d in ALL}
FLOAT_CHARS = frozenset(d.numpy.char for d in ALL if d.category == 2)
HALVES = (float16.numpy, bfloat16.numpy)
OLD_NAMES = {  # of the tensor types that PyTorch had before it had dtypes
    "BoolTensor": bool_,
    "ByteTensor": uint8,
    "CharTensor": int8,
    "ShortTensor": int16,
    "IntTensor": int32,
    "LongTensor": int64,
    "HalfTensor": float16,
    "BFloat16Tensor": bfloat16,
    "FloatTensor": float32,
    "DoubleTensor": float64,
}
_BY_NAME = {d.name: d for d in ALL}
_PYTHON = {bool: bool_, int: int64}
_default = float32


def _by_name(name: str) -> dtype:
    return _BY_NAME[name]


def get_default_dtype() -> dtype:
    """The floating-point dtype of new tensors made from Python numbers (float32 unless changed)."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Set the floating-point dtype of new tensors. Raises DtypeError for a dtype that is not floating point."""
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise DtypeError(f"set_default_dtype: d must be a floating-point dtype, got {d!r}")
    _default = d


def as_dtype(value: Any, where: str = "dtype") -> dtype:
    """The tinynet dtype for a tinynet dtype, NumPy dtype, or the Python types float, int and bool."""
    if isinstance(value, dtype):
        return value
    if value is float:
        return _default
    if value in _PYTHON:
        return _PYTHON[value]
    try:
        return FROM_NUMPY[np.dtype(value)]
    except (TypeError, KeyError):
        raise DtypeError(f"{where}: expected one of {', '.join(_BY_NAME)}, got {value!r}") from None


def promote_types(a: dtype, b: dtype) -> dtype:
    """The smallest dtype that PyTorch gives for an operation on tensors of dtypes `a` and `b`."""
    if a is b:
        return a
    if a.category != b.category:
        return a if a.category > b.category else b
    if {a, b} == {float16, bfloat16}:
        return float32
    if a.category == 2:
        return a if a.itemsize > b.itemsize else b
    return FROM_NUMPY[np.promote_types(a.numpy, b.numpy)]


def scalar_dtype(value: Any) -> dtype:
    """The dtype of a Python or NumPy number, which promotes only across categories."""
    if isinstance(value, bool | np.bool_):
        return bool_
    if isinstance(value, int | np.integer):
        return int64
    if isinstance(value, float | np.floating):
        return _default
    raise DtypeError(f"expected a Tensor or a number, got {type(value).__name__}")


def _combine(higher: dtype | None, lower: dtype | None) -> dtype | None:
    if higher is None or lower is None:
        return higher or lower
    if higher.category == 2:
        return higher
    if higher.category == 0 or lower.category == 2:
        return promote_types(higher, lower)
    return higher


def result_dtype(*values: Any) -> dtype:
    """The dtype of an operation on `values`: arrays (by `.ndim` and `.dtype`) and numbers."""
    ranks: list[dtype | None] = [None, None, None]  # tensors with dimensions, 0-d tensors, numbers
    for v in values:
        if hasattr(v, "ndim") and not isinstance(v, np.generic):
            d = v.dtype if isinstance(v.dtype, dtype) else FROM_NUMPY[v.dtype]
            rank = 0 if v.ndim else 1
        else:
            d, rank = scalar_dtype(v), 2
        seen = ranks[rank]
        ranks[rank] = d if seen is None else promote_types(seen, d)
    result = _combine(ranks[0], _combine(ranks[1], ranks[2]))
    assert result is not None
    return result


def finfo(type: dtype | None = None) -> Any:
    """The limits of a floating-point dtype: eps, max, min, tiny, …"""
    d = get_default_dtype() if type is None else type
    if d.category != 2:
        raise DtypeError(f"finfo: expected a floating-point dtype, got {d}")
    return ml_dtypes.finfo(d.numpy)


def iinfo(type: dtype) -> Any:
    """The limits of an integer dtype: min and max."""
    if type.category != 1:
        raise DtypeError(f"iinfo: expected an integer dtype, got {type}")
    return np.iinfo(type.numpy)


def check_fits(values: np.ndarray[Any, Any], target: np.dtype[Any], where: str) -> None:
    """Raise OptionError if Python numbers do not fit into an integer dtype (as PyTorch does; casts of tensors wrap)."""
    if target.kind not in "iu" or values.dtype.kind == "b" or values.size == 0:
        return
    limits = np.iinfo(target)
    if values.dtype.kind == "O" or not np.all((values >= limits.min) & (values <= limits.max)):
        raise OptionError(
            f"{where}: a value does not fit into {FROM_NUMPY[target]}, which holds {limits.min} to {limits.max}"
        )
