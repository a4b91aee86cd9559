"""Many arrays as one vector: their common norm, and their scaling in place, each in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinynet_kernels import available, kernels_for

from ..autograd.modes import modes

Array = np.ndarray[Any, Any]


class Foreach:
    """Arrays of any dtypes: by kernel, a launch for each dtype, where the kernels serve them; else by NumPy."""

    def __init__(self, arrays: Sequence[Array]) -> None:
        self._tables: list[tuple[Any, Any]] = []
        self._others: list[Array] = []
        by_dtype: dict[Any, list[Array]] = {}
        distinct = len({id(x) for x in arrays}) == len(arrays)  # an array that comes twice is scaled twice
        for x in arrays:
            if distinct and not modes.definitions and available(x.dtype) and x.flags.carray:
                by_dtype.setdefault(x.dtype, []).append(x)
            else:
                self._others.append(x)
        for chosen in by_dtype.values():
            k = kernels_for(*chosen)
            self._tables.append((k, k.Table([chosen])))

    def norm(self, order: float) -> float:
        """(Σ |x|^order)^(1/order) of the same norms of the arrays.

        For the order inf the largest |x|, for −inf the smallest; for 0 how many norms, each the number of elements that
        are not 0, are not 0: as PyTorch has it.
        """
        by_kernel = order in (1.0, 2.0, math.inf)
        found = [_norm(x, order) for x in self._others]
        for k, table in self._tables:
            found += [k.table_norm(table, order=order)] if by_kernel else [_norm(x, order) for x in table.rows[0]]
        return float(_norm(np.array(found, np.float64), order))

    def scale_(self, factor: Any) -> None:
        """Multiply each array by the factor, in the array's dtype."""
        for x in self._others:
            x[...] *= x.dtype.type(factor)
        for k, table in self._tables:
            k.table_scale_(table, factor=float(factor))


def _norm(a: Array, p: float) -> Any:
    """The definition."""
    a = np.abs(a.astype(np.float64) if a.dtype.itemsize == 2 else a).reshape(-1)
    if a.size == 0:
        return 0.0
    if p == math.inf:
        return a.max()
    if p == -math.inf:
        return a.min()
    if p == 0.0:
        return float(np.count_nonzero(a))
    if p == 2.0:
        return np.sqrt(np.sum(np.square(a, dtype=np.float64)))
    return np.sum(a**p, dtype=np.float64) ** (1.0 / p)
