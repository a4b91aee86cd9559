"""Silence NumPy's floating-point warnings for one call: 1/0 is inf and 0/0 is NaN here, as in PyTorch.

`np.errstate` costs more than a small operation does; its context variable costs a quarter of that. Where a NumPy
version has no such variable, the public functions do the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class _Public:
    def set(self, value: Any) -> Any:
        return np.seterr(all="ignore")

    def reset(self, token: Any) -> None:
        np.seterr(**token)


ERRORS: Any
QUIET: Any
try:
    from numpy._core.umath import _extobj_contextvar as ERRORS
    from numpy._core.umath import _make_extobj

    QUIET = _make_extobj(all="ignore")
except ImportError:
    ERRORS, QUIET = _Public(), None
