"""Kernels: pure functions on arrays, that know nothing of tensors.

`kernels_for(*arrays)` is the only place that decides which module computes. Importing this package loads no compiler:
`tinynet_kernels.cpu` (and with it Numba) is imported at the first call that needs it.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

import numpy as np
from numpy.typing import DTypeLike

__all__ = ["available", "kernels_for"]

_DTYPES = frozenset({np.dtype(np.float32), np.dtype(np.float64)})
_cpu: ModuleType | None = None


def kernels_for(*arrays: object) -> ModuleType:
    """The module whose kernels take these arrays: `tinynet_kernels.cpu` for NumPy arrays.

    Raises
    ------
    TypeError
        An argument is an array of another library (the message names its type).
    """
    global _cpu
    for array in arrays:
        if not isinstance(array, np.ndarray):
            kind = type(array)
            raise TypeError(f"no kernels for arrays of type {kind.__module__}.{kind.__qualname__}")
    if _cpu is None:
        from . import cpu

        _cpu = cpu
    return _cpu


def available(dtype: DTypeLike) -> bool:
    """Whether kernels exist for `dtype`: float32 and float64, while Numba's JIT is on."""
    return np.dtype(dtype) in _DTYPES and not _jit_disabled()


def _jit_disabled() -> bool:
    # Numba reads its environment when it is imported; until then the variable itself is the truth.
    numba = sys.modules.get("numba")
    if numba is not None:
        return bool(numba.config.DISABLE_JIT)
    return os.environ.get("NUMBA_DISABLE_JIT", "0").strip() not in ("", "0")
