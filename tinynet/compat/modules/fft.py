"""PyTorch's `fft`: transforms are not supported, for want of complex numbers; frequencies and their order are."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinynet import dtypes
from tinynet._tensor import Tensor, wrap_dims
from tinynet.compat.switches import unsupported
from tinynet.ops.arranging import roll
from tinynet.ops.checks import tensor_of
from tinynet.ops.creation import finish

_WHY = "there are no complex numbers"
fft, ifft, rfft, irfft, fft2, ifft2, rfft2, irfft2, fftn, ifftn = (
    unsupported(f"fft.{name}", _WHY)
    for name in (
        *("fft", "ifft", "rfft", "irfft", "fft2", "ifft2", "rfft2", "irfft2"),
        *("fftn", "ifftn"),
    )
)


def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None, **options: Any) -> Tensor:
    """The frequencies of a transform of n samples, d apart: 0, 1, …, −2, −1, over n·d."""
    return _frequencies("fftfreq", np.fft.fftfreq(n, d), dtype, options)


def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None, **options: Any) -> Tensor:
    """The frequencies of a transform of n real samples, d apart: 0, 1, …, n // 2, over n·d."""
    return _frequencies("rfftfreq", np.fft.rfftfreq(n, d), dtype, options)


def _frequencies(where: str, values: Any, dtype: Any, options: dict[str, Any]) -> Tensor:
    kind = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype, f"fft.{where}: dtype")
    return finish(f"fft.{where}", values.astype(kind.numpy), options.get("device"), options.get("requires_grad", False))


def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The frequency 0 moved to the middle of the dimensions `dim` (all by default)."""
    return _shifted("fftshift", input, dim, 1)


def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The frequency 0 moved from the middle to the start: `fftshift` undone."""
    return _shifted("ifftshift", input, dim, -1)


def _shifted(where: str, input: Tensor, dim: Any, sign: int) -> Tensor:
    x = tensor_of(f"fft.{where}", "input", input)
    dims = wrap_dims(dim, x.ndim, f"fft.{where}")
    by = [n // 2 if sign > 0 else (n + 1) // 2 for n in (x.array.shape[d] for d in dims)]
    return roll(x, by, list(dims)) if dims else x.clone()
