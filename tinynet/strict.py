"""Strict mode: what PyTorch only warns of is an error."""

_strict = False


def set_strict(strict: bool) -> None:
    """Raise (True) or warn (False, as PyTorch does) where shapes broadcast in a loss like MSE."""
    global _strict
    _strict = bool(strict)


def is_strict() -> bool:
    """Whether strict mode is on."""
    return _strict
