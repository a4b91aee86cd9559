"""PyTorch's `sparse`: not supported; tensors are dense."""

from tinynet.compat.switches import unsupported

mm, addmm, sum, softmax, log_softmax = (
    unsupported(f"sparse.{name}", "tensors are dense") for name in ("mm", "addmm", "sum", "softmax", "log_softmax")
)
