"""How many threads the kernels use. Results are the same bits for any number."""

from __future__ import annotations

from .errors import OptionError


def set_num_threads(num: int) -> None:
    """Let kernels use at most `num` threads. Raises OptionError below 1."""
    if not hasattr(num, "__index__") or int(num) < 1:
        raise OptionError(f"set_num_threads: expected an integer ≥ 1, got {num!r}")
    from tinynet_kernels import cpu

    cpu.set_num_threads(int(num))


def get_num_threads() -> int:
    """How many threads kernels may use."""
    from tinynet_kernels import cpu

    return int(cpu.get_num_threads())
