"""PyTorch's global switches, and questions about tensors: what has nothing to switch here says so and does nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinynet import dtypes
from tinynet._device import CPU, check_device, device
from tinynet._tensor import Size, Tensor
from tinynet.errors import OptionError, ShapeError, whole_number
from tinynet.ops.checks import one_of, tensor_of

_state: dict[str, Any] = {"deterministic": False, "warn_only": False, "precision": "highest", "interop": 1}


def compile(model: Any = None, **options: Any) -> Any:
    """`model` itself: the kernels are compiled already. Also a decorator, with any of PyTorch's options or none."""
    known = {"fullgraph", "dynamic", "backend", "mode", "options", "disable", "name", "recompile_limit"}
    if set(options) - known:
        raise OptionError(f"compile: unknown options {', '.join(sorted(set(options) - known))}")
    return (lambda function: function) if model is None else model


# switches


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Note the wish; results are the same bits in every run and for any number of threads in any case."""
    _state["deterministic"], _state["warn_only"] = bool(mode), bool(mode and warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """What `use_deterministic_algorithms` was last told."""
    return bool(_state["deterministic"])


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether it was told so with `warn_only`."""
    return bool(_state["warn_only"])


def set_float32_matmul_precision(precision: str) -> None:
    """Note "highest", "high" or "medium"; products of float32 are computed in float32 in any case."""
    _state["precision"] = one_of("set_float32_matmul_precision", "precision", precision, "highest", "high", "medium")


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was last told."""
    return str(_state["precision"])


def set_flush_denormal(mode: bool) -> bool:
    """False: the smallest numbers are kept, and cannot be flushed to zero."""
    return False


def set_num_interop_threads(num: int) -> None:
    """Note the number; operations run one after the other."""
    _state["interop"] = whole_number("set_num_interop_threads", "num", num, 1)


def get_num_interop_threads() -> int:
    """What `set_num_interop_threads` was last told, or 1."""
    return int(_state["interop"])


def set_default_device(device: Any) -> None:
    """Where new tensors go: the CPU, or None for the default; raises DeviceError for others."""
    check_device(device, "set_default_device")


def get_default_device() -> device:
    """The CPU."""
    return CPU


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """False: there is no autocast."""
    return False


def is_autocast_cpu_enabled() -> bool:
    """False: there is no autocast."""
    return False


# questions


def numel(input: Tensor) -> int:
    """The number of elements."""
    return tensor_of("numel", "input", input).numel()


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is one of float16, bfloat16, float32, float64."""
    return tensor_of("is_floating_point", "input", input).is_floating_point()


def is_complex(input: Tensor) -> bool:
    """False: there are no complex dtypes."""
    return tensor_of("is_complex", "input", input).is_complex()


def is_signed(input: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    return tensor_of("is_signed", "input", input).dtype.is_signed


def is_nonzero(input: Tensor) -> bool:
    """Whether the one element is not 0. Raises ShapeError for more or fewer elements."""
    return bool(tensor_of("is_nonzero", "input", input))


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one shape."""
    return tensor_of("is_same_size", "input", input).shape == tensor_of("is_same_size", "other", other).shape


def is_storage(obj: Any) -> bool:
    """False: storages are NumPy's arrays."""
    return False


def is_inference(input: Tensor) -> bool:
    """False: tensors from `inference_mode` are ordinary ones."""
    tensor_of("is_inference", "input", input)
    return False


def typename(obj: Any) -> str:
    """The name of a tensor's type as `Tensor.type()` gives it, or of another object's class, with its module."""
    if isinstance(obj, Tensor):
        return str(obj.type())
    kind = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(kind, "__module__", None) or ""
    return kind.__qualname__ if module in ("", "builtins") else f"{module}.{kind.__qualname__}"


def broadcast_shapes(*shapes: Any) -> Size:
    """The common shape of several, each a sequence of sizes or one size."""
    import numpy as np

    wanted = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    if any(n < 0 for s in wanted for n in s):
        raise ShapeError(f"broadcast_shapes: sizes must be ≥ 0, got {wanted}")
    try:
        return Size(np.broadcast_shapes(*wanted))
    except ValueError:
        raise ShapeError(f"broadcast_shapes: shapes {wanted} cannot be broadcast together") from None


def can_cast(from_: dtypes.dtype, to: dtypes.dtype) -> bool:
    """Whether PyTorch's rules let a result of `from_` be stored as `to`: not floating → integer, not number → bool."""
    return from_.category <= to.category


def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The dtype of an operation on two tensors or numbers."""
    return dtypes.result_dtype(*(v.array if isinstance(v, Tensor) else v for v in (tensor1, tensor2)))


def unsupported(name: str, why: str = "") -> Callable[..., Any]:
    """A function that raises NotImplementedError naming itself."""

    def refuse(*args: Any, **options: Any) -> Any:
        raise NotImplementedError(f"{name} is not supported{f': {why}' if why else ''}")

    refuse.__name__ = refuse.__qualname__ = name.rpartition(".")[2]
    refuse.__doc__ = f"Raises NotImplementedError: {why or 'it is not supported'}."
    return refuse
