"""PyTorch's `xpu`: Intel's GPUs, which are not supported."""


def is_available() -> bool:
    """Whether tensors can live there: False."""
    return False


def device_count() -> int:
    """How many can be used: 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed their generator: nothing to do without one."""


def empty_cache() -> None:
    """Give unused memory back: nothing to do without one."""
