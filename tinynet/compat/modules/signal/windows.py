"""PyTorch's `signal.windows`, symmetric by default; SciPy's functions of the same names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinynet.compat.windows import window
from tinynet.errors import OptionError


def bartlett(M: int, *, sym: bool = True, **options: Any) -> Any:
    """1 − |2n/(M − 1) − 1|."""
    return window("bartlett", M, sym, (), **options)


def blackman(M: int, *, sym: bool = True, **options: Any) -> Any:
    """0.42 − 0.5 cos(2πn/(M − 1)) + 0.08 cos(4πn/(M − 1))."""
    return window("blackman", M, sym, (), **options)


def cosine(M: int, *, sym: bool = True, **options: Any) -> Any:
    """sin(π(n + ½)/M)."""
    return window("cosine", M, sym, (), **options)


def exponential(M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, **options: Any) -> Any:
    """exp(−|n − center| / tau); the center is the middle by default, and cannot be given if `sym`."""
    if sym and center is not None:
        raise OptionError(f"exponential: center must be None with sym=True, got {center}")
    return window("exponential", M, sym, (center, tau), **options)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **options: Any) -> Any:
    """exp(−(n − (M − 1)/2)² / (2 std²))."""
    return window("gaussian", M, sym, (std,), **options)


def general_cosine(M: int, *, a: Iterable[float], sym: bool = True, **options: Any) -> Any:
    """Σ (−1)ⁱ aᵢ cos(2πin/(M − 1))."""
    weights = list(a)
    if not weights:
        raise OptionError("general_cosine: a must hold at least one coefficient, got none")
    return window("general_cosine", M, sym, (weights,), **options)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **options: Any) -> Any:
    """α − (1 − α) cos(2πn/(M − 1))."""
    return window("general_hamming", M, sym, (alpha,), **options)


def hamming(M: int, *, sym: bool = True, **options: Any) -> Any:
    """0.54 − 0.46 cos(2πn/(M − 1))."""
    return window("hamming", M, sym, (), **options)


def hann(M: int, *, sym: bool = True, **options: Any) -> Any:
    """½ − ½ cos(2πn/(M − 1))."""
    return window("hann", M, sym, (), **options)


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **options: Any) -> Any:
    """I₀(β √(1 − (2n/(M − 1) − 1)²)) / I₀(β)."""
    return window("kaiser", M, sym, (beta,), **options)


def nuttall(M: int, *, sym: bool = True, **options: Any) -> Any:
    """The four-term cosine window with the least side lobes among those with a continuous first derivative."""
    return window("nuttall", M, sym, (), **options)
