"""The GPU, as PyTorch's programs ask for it. There is none in this build: `is_available()` is False."""


def is_available() -> bool:
    """Whether tensors can live on a GPU: False in this build."""
    return False


def device_count() -> int:
    """How many GPUs can be used: 0 in this build."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed the GPU's generator: nothing to do without one."""


def manual_seed_all(seed: int) -> None:
    """Seed every GPU's generator: nothing to do without one."""
