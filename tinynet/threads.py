"""How many threads the kernels use. Results are the same bits for any number."""

from __future__ import annotations

from .errors import whole_number


def set_num_threads(num: int) -> None:
    """Let kernels use at most `num` threads. Raises DtypeError if it is no integer, OptionError below 1."""
    count = whole_number("set_num_threads", "num", num, 1)
    from tinynet_kernels import cpu

    cpu.set_num_threads(count)


def get_num_threads() -> int:
    """How many threads kernels may use."""
    from tinynet_kernels import cpu

    return int(cpu.get_num_threads())
