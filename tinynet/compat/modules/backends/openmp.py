"""OpenMP: not used; the kernels' threads are Numba's."""


def is_available() -> bool:
    """Whether it is used: False."""
    return False
