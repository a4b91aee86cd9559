"""PyTorch's `quantization`: not supported."""

from tinynet.compat.switches import unsupported

quantize, quantize_dynamic, quantize_qat, prepare, prepare_qat, convert, fuse_modules = (
    unsupported(f"quantization.{name}", "there are no quantized dtypes")
    for name in ("quantize", "quantize_dynamic", "quantize_qat", "prepare", "prepare_qat", "convert", "fuse_modules")
)
