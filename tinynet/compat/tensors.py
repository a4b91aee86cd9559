"""PyTorch's old tensor types (`FloatTensor`, …) and `autograd.Variable`: each is an ordinary Tensor."""

from __future__ import annotations

from typing import Any

from tinynet import dtypes
from tinynet._tensor import Tensor, new_tensor
from tinynet.ops.creation import legacy


class _TensorType(type):
    """The class of the old types: calling one makes a Tensor, and a Tensor of its dtype is an instance of it."""

    dtype: dtypes.dtype

    def __call__(cls, *data: Any, device: Any = None) -> Tensor:
        array, memory = legacy(cls.__name__, data, cls.dtype, device)
        out = new_tensor(array)
        out.memory = memory
        return out

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, Tensor) and value.dtype is cls.dtype


def _type(name: str) -> _TensorType:
    kind = dtypes.OLD_NAMES[name]
    text = f"A Tensor of dtype {kind.name}: of sizes, `{name}(2, 3)`, its elements not set, or of a sequence."
    return _TensorType(name, (), {"__doc__": text, "__module__": "tinynet", "dtype": kind})


BoolTensor = _type("BoolTensor")
ByteTensor = _type("ByteTensor")
CharTensor = _type("CharTensor")
ShortTensor = _type("ShortTensor")
IntTensor = _type("IntTensor")
LongTensor = _type("LongTensor")
HalfTensor = _type("HalfTensor")
BFloat16Tensor = _type("BFloat16Tensor")
FloatTensor = _type("FloatTensor")
DoubleTensor = _type("DoubleTensor")


def set_default_tensor_type(t: Any) -> None:
    """Set the default dtype to that of an old type, given as the class or by name (`"torch.DoubleTensor"`)."""
    old = dtypes.OLD_NAMES.get(t.rpartition(".")[2]) if isinstance(t, str) else getattr(t, "dtype", t)
    if isinstance(t, str) and t.split(".")[-2:-1] == ["cuda"]:
        from tinynet._device import check_device

        check_device("cuda", "set_default_tensor_type")
    dtypes.set_default_dtype(old)  # type: ignore[arg-type]


class _VariableType(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, Tensor)


class Variable(metaclass=_VariableType):
    """The old name of a Tensor in the graph: `Variable(data)` is a tensor over the memory of `data`."""

    def __new__(cls, data: Tensor, requires_grad: bool = False) -> Any:
        """A leaf over the memory of `data`, requiring a gradient if told."""
        return data.detach().requires_grad_(requires_grad)
