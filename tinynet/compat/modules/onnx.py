"""PyTorch's `onnx`: not supported."""

from tinynet.compat.switches import unsupported

export = unsupported("onnx.export")
