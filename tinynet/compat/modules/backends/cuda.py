"""CUDA's libraries: not there. Their switches can be set, and change nothing."""

from types import SimpleNamespace

matmul = SimpleNamespace(
    allow_tf32=False, allow_fp16_reduced_precision_reduction=True, allow_bf16_reduced_precision_reduction=True
)


def is_built() -> bool:
    """Whether there is a build for GPUs: False."""
    return False
