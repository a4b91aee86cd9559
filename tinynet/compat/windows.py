"""Windows of spectral analysis, as PyTorch's functions of the package give them: periodic by default."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet import dtypes
from tinynet._device import check_device
from tinynet._tensor import Tensor, new_tensor
from tinynet.errors import DtypeError, OptionError


def window(
    name: str,
    length: int,
    symmetric: bool,
    shape: tuple[Any, ...],
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """SciPy's window `name` with its parameters `shape`, as a tensor (length,) of a floating dtype."""
    from scipy.signal import windows

    if not isinstance(length, int) or length < 0:
        raise OptionError(f"{name}: the length must be an integer ≥ 0, got {length!r}")
    kind = dtypes.get_default_dtype() if dtype is None else dtype
    if not kind.is_floating_point:
        raise DtypeError(f"{name}: dtype must be a floating-point one, got {kind}")
    check_device(device, name)
    values = getattr(windows, name)(length, *shape, sym=symmetric) if length else np.empty(0)
    return new_tensor(values.astype(kind.numpy)).requires_grad_(requires_grad)


def bartlett_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """The triangle from 0 to 0; periodic windows are the symmetric ones of one more point, less the last."""
    return window("bartlett", window_length, not periodic, (), **options)


def blackman_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """Blackman's window."""
    return window("blackman", window_length, not periodic, (), **options)


def hann_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """Hann's window."""
    return window("hann", window_length, not periodic, (), **options)


def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, **options: Any
) -> Tensor:
    """alpha − beta cos(2πn/N)."""
    if window_length == 1:
        alpha, beta = 1.0, 0.0
    return window("general_cosine", window_length, not periodic, ([alpha, beta],), **options)


def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, **options: Any) -> Tensor:
    """Kaiser's window."""
    return window("kaiser", window_length, not periodic, (beta,), **options)
