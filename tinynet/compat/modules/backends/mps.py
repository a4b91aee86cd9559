"""Apple's GPUs: not supported."""


def is_available() -> bool:
    """Whether tensors can live there: False."""
    return False


def is_built() -> bool:
    """Whether there is a build for them: False."""
    return False
