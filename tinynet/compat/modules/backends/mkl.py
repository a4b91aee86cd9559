"""MKL: not used."""


def is_available() -> bool:
    """Whether it is used: False."""
    return False
