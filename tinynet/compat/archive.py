"""Files of `torch.save`: a zip archive whose record `data.pkl` describes the objects, beside one record a storage.

    archive/data.pkl        a pickle, in which a tensor is (storage, offset, size, stride)
    archive/data/0, 1, …    the storages' bytes, not compressed
    archive/byteorder       "little" or "big"; archive/version

The pickle is not unpickled: `_Machine` interprets the few opcodes that describe data, and knows the names of `_NAMES`
alone. What a file asks for beside these is refused by its name, and nothing of it is imported or called.

Source: PyTorch, torch/serialization.py and torch/_weights_only_unpickler.py (what `weights_only=True` admits); Python,
pickletools (the opcodes).
"""

from __future__ import annotations

import io
import math
import pickletools
import struct
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from tinynet import dtypes
from tinynet._device import check_device, device
from tinynet._tensor import Size, Tensor, new_tensor
from tinynet.errors import DataError, DeviceError, OptionError
from tinynet.nn.parameter import Parameter


def read(where: str, data: bytes, map_location: Any = None) -> Any:
    """The objects of an archive. Raises DataError if it is damaged or asks for more than data."""
    archive = _Archive(where, data)
    if f"{archive.prefix}/constants.pkl" in archive.names:
        raise NotImplementedError(
            f"load: {where} is a TorchScript archive; save the model's state_dict with torch.save"
        )
    order = archive.record("byteorder") if f"{archive.prefix}/byteorder" in archive.names else b"little"
    if order not in (b"little", b"big"):
        raise DataError(f"load: {where} is damaged: its byte order is {order[:20]!r}")
    if not archive.record("version").strip().isdigit():
        raise DataError(f"load: {where} is damaged: its version is no number")
    storages: dict[str, Storage] = {}

    def storage(kind: Any, key: str, location: str, numel: int) -> Storage:
        if key not in storages:
            raw = archive.record(f"data/{key}")
            storages[key] = _placed(Storage(where, key, kind, location, numel, raw, order == b"big"), map_location)
        return storages[key]

    pickle = archive.record("data.pkl")
    try:
        return _Machine(where, storage).run(pickle)
    except DataError:
        raise
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        if isinstance(error, DeviceError | OptionError):
            raise
        raise DataError(f"load: {where} has a damaged structure ({error!r})") from None


class _Archive:
    """The records of a zip archive."""

    def __init__(self, where: str, data: bytes) -> None:
        self.where = where
        try:
            self.zip = zipfile.ZipFile(io.BytesIO(data))
            self.names = set(self.zip.namelist())
        except (zipfile.BadZipFile, ValueError, struct.error, OSError, NotImplementedError) as error:
            raise DataError(f"load: {where} is a truncated or damaged zip archive ({error})") from None
        found = sorted(n for n in self.names if n.count("/") == 1 and n.endswith("/data.pkl"))
        if len(found) != 1:
            raise DataError(f"load: {where} is a zip archive, but not one of torch.save: it has no record 'data.pkl'")
        self.prefix = found[0].removesuffix("/data.pkl")

    def record(self, name: str) -> bytes:
        path = f"{self.prefix}/{name}"
        if path not in self.names:
            raise DataError(f"load: {self.where} is damaged: the record {name!r} is missing")
        if self.zip.getinfo(path).compress_type != zipfile.ZIP_STORED:
            raise DataError(f"load: the record {name!r} of {self.where} is compressed, which torch.save does not do")
        try:
            return self.zip.read(path)
        except (zipfile.BadZipFile, ValueError, EOFError, struct.error, OSError, RuntimeError) as error:
            raise DataError(f"load: {self.where} is damaged at the record {name!r} ({error})") from None


class Storage:
    """The numbers that tensors of a file share; what a function given as `map_location` gets."""

    def __init__(self, where: str, key: str, kind: Any, location: str, numel: int, raw: bytes, swap: bool) -> None:
        if not isinstance(kind, _StorageKind):
            raise DataError(f"load: {where} is damaged: storage {key!r} has no type")
        if kind.dtype is None:
            raise NotImplementedError(f"load: {where} has a {kind.name}, whose dtype tinynet does not have")
        if not isinstance(location, str) or not isinstance(numel, int) or len(raw) != numel * kind.dtype.itemsize:
            raise DataError(f"load: {where} is damaged: storage {key!r} has {len(raw)} bytes, not its {numel} numbers")
        word = np.frombuffer(bytearray(raw), f"{'>' if swap else '<'}u{kind.dtype.itemsize}")
        word = word.astype(word.dtype.newbyteorder("="), copy=False)
        self.location, self.dtype = location, kind.dtype
        self.array = word != 0 if kind.dtype is dtypes.bool_ else word.view(kind.dtype.numpy)
        self.memory = [0, 0]  # one count of changes for all tensors over these numbers

    @property
    def device(self) -> device:
        return device("cpu")

    def cpu(self) -> Storage:
        """This storage: it is on the CPU."""
        return self

    def __len__(self) -> int:
        return self.array.size


def _placed(storage: Storage, map_location: Any) -> Storage:
    """The storage, if `map_location` or the place that it was saved from is the CPU; raises DeviceError if not."""
    target = storage.location
    if isinstance(map_location, dict):
        target = map_location.get(target, target)
    elif callable(map_location):
        found = map_location(storage, target)
        if found is not None and found is not storage:
            raise OptionError("load: a function as map_location must return the storage that it is given, or None")
        target = target if found is None else "cpu"
    elif map_location is not None:
        target = map_location
    try:
        check_device(target, "load")
    except DeviceError as error:
        raise DeviceError(f"{error}; give map_location='cpu'") from None
    return storage


class _StorageKind:
    """`torch.FloatStorage` and its like."""

    def __init__(self, name: str, dtype: dtypes.dtype | None) -> None:
        self.name, self.dtype = name, dtype


class _Known:
    """A callable that a file may name, and what stands for it here."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call


def _tensor(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: bool = False, hooks: Any = None, meta: Any = None
) -> Tensor:
    """A view of a storage: element (i, j, …) is number offset + i·stride₀ + j·stride₁ + …"""
    if not isinstance(storage, Storage) or len(size) != len(stride):
        raise DataError("load: a tensor of the file is damaged")
    if any(not isinstance(n, int) or n < 0 for n in (offset, *size, *stride)):
        raise DataError(f"load: a tensor of the file has offset {offset}, size {size} and stride {stride}")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if 0 not in size and last >= storage.array.size:
        raise DataError(f"load: a tensor of the file reaches to number {last} of a storage of {storage.array.size}")
    width = storage.array.itemsize
    start = storage.array[offset if math.prod(size) else 0 :]
    out = new_tensor(np.lib.stride_tricks.as_strided(start, size, [s * width for s in stride]))
    out.memory = storage.memory
    return out.requires_grad_() if requires_grad else out


def _tensor_of_dtype(*args: Any) -> Tensor:
    raise NotImplementedError(f"load: the file has a tensor of dtype {_shown(args[6])}, which tinynet does not have")


def _shown(kind: Any) -> str:
    return kind.name if isinstance(kind, _StorageKind) else str(kind)


def _parameter(data: Tensor, requires_grad: bool, hooks: Any = None) -> Parameter:
    return Parameter(data, requires_grad)


def _parameter_with_state(data: Tensor, requires_grad: bool, hooks: Any, state: Any) -> Tensor:
    return _attributes(_parameter(data, requires_grad), state)


def _of_type(function: Any, kind: Any, args: Any, state: Any) -> Tensor:
    """A tensor with attributes of its own."""
    if kind not in (_NAMES["torch.Tensor"], _NAMES["torch.nn.parameter.Parameter"]):
        raise DataError("load: the file has a tensor of a class that is unknown")
    return _attributes(function.call(*args), state)


def _attributes(x: Tensor, state: Any) -> Tensor:
    for part in state if isinstance(state, tuple) else (state,):
        for name, value in (part or {}).items():
            if hasattr(x, name):
                raise DataError(f"load: a tensor of the file sets the attribute {name!r}")
            setattr(x, name, value)
    return x


def _keys(values: Any) -> Any:
    """What can be keys of a dict: the hash of a deep tuple would take for ever, or more of the stack than there is."""
    for value in values:
        for part in value if isinstance(value, tuple) else (value,):
            if not isinstance(part, str | bytes | int | float | complex | None | dtypes.dtype | device):
                raise DataError(f"load: the file has a key of type {type(part).__name__}")
    return values


def _ordered(items: Any = ()) -> OrderedDict[Any, Any]:
    _keys([key for key, _ in items])
    return OrderedDict(items)


def _counter(counts: Any = ()) -> Counter[Any]:
    _keys(counts)
    return Counter(counts)


def _set(items: Any) -> set[Any]:
    return set(_keys(items))


def _encode(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise DataError(f"load: the file asks for the encoding {encoding!r}")
    return text.encode(encoding)


def _unsupported(name: str) -> Callable[..., Any]:
    def refuse(*args: Any) -> Any:
        raise NotImplementedError(f"load: the file needs {name}, which tinynet does not have")

    return refuse


_STORAGES = {
    "Float": dtypes.float32,
    "Double": dtypes.float64,
    "Half": dtypes.float16,
    "BFloat16": dtypes.bfloat16,
    "Long": dtypes.int64,
    "Int": dtypes.int32,
    "Short": dtypes.int16,
    "Char": dtypes.int8,
    "Byte": dtypes.uint8,
    "Bool": dtypes.bool_,
    **dict.fromkeys(("ComplexDouble", "ComplexFloat", "QUInt8", "QInt8", "QInt32", "QUInt4x2", "QUInt2x4")),
}
_NAMES: dict[str, Any] = {
    "collections.OrderedDict": _Known(_ordered),
    "collections.Counter": _Known(_counter),
    "_codecs.encode": _Known(_encode),
    "torch.Size": _Known(Size),
    "torch.device": _Known(device),
    "torch.Tensor": _Known(_unsupported("the class torch.Tensor")),
    "torch.nn.parameter.Parameter": _Known(_unsupported("the class Parameter")),
    "torch._utils._rebuild_tensor": _Known(_tensor),
    "torch._utils._rebuild_tensor_v2": _Known(_tensor),
    "torch._utils._rebuild_tensor_v3": _Known(_tensor_of_dtype),
    "torch._utils._rebuild_parameter": _Known(_parameter),
    "torch._utils._rebuild_parameter_with_state": _Known(_parameter_with_state),
    "torch._tensor._rebuild_from_type_v2": _Known(_of_type),
    "torch.storage.UntypedStorage": _StorageKind("UntypedStorage", dtypes.uint8),
    **{f"torch.{name}Storage": _StorageKind(f"{name}Storage", kind) for name, kind in _STORAGES.items()},
    **{f"torch.{kind.name}": kind for kind in dtypes.ALL},
    **{f"torch.{n}": _StorageKind(n, None) for n in ("uint16", "uint32", "uint64", "complex64", "complex128")},
    **{f"{home}.set": _Known(_set) for home in ("builtins", "__builtin__")},
    **{f"{home}.bytearray": _Known(bytearray) for home in ("builtins", "__builtin__")},
    **{f"{home}.complex": _Known(complex) for home in ("builtins", "__builtin__")},
    "torch.serialization._get_layout": _Known(_unsupported("layouts of sparse tensors")),
    "torch._utils._rebuild_sparse_tensor": _Known(_unsupported("sparse tensors")),
    "torch._utils._rebuild_nested_tensor": _Known(_unsupported("nested tensors")),
    "torch._utils._rebuild_qtensor": _Known(_unsupported("quantized tensors")),
    "torch._utils._rebuild_meta_tensor_no_storage": _Known(_unsupported("tensors without data (device 'meta')")),
}

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
_VALUES = {
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "LONG4",
    "BINFLOAT",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BINBYTES8",
}
_ACTIONS = {"TUPLE", "APPEND", "APPENDS", "ADDITEMS", "SETITEM", "SETITEMS", "BINPERSID", "REDUCE", "BUILD"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Machine:
    """The opcodes that describe data. A name becomes what `_NAMES` has for it, and nothing else is ever called."""

    def __init__(self, where: str, storage: Callable[..., Storage]) -> None:
        self.where, self.storage = where, storage
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self, pickle: bytes) -> Any:
        value: Any
        for opcode, value, _ in pickletools.genops(pickle):
            name = opcode.name
            if name == "STOP":
                return self.stack.pop()
            if name in _VALUES:
                self.stack.append(value)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _EMPTY:
                self.stack.append(_EMPTY[name]())
            elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
                self.memo[len(self.memo) if name == "MEMOIZE" else value] = self.stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                self.stack.append(self.memo[value])
            elif name in ("GLOBAL", "STACK_GLOBAL"):
                self.named(value.replace(" ", ".", 1) if name == "GLOBAL" else ".".join(self.pop(2)))
            elif name in _TUPLES:
                self.stack.append(tuple(self.pop(_TUPLES[name])))
            elif name == "MARK":
                self.marks.append(self.stack)
                self.stack = []
            elif name in _ACTIONS:
                getattr(self, name.lower())()
            elif name not in ("PROTO", "FRAME"):
                raise DataError(f"load: {self.where} has the pickle opcode {name}, which torch.save does not write")
        raise DataError(f"load: {self.where} has a damaged structure (it does not end)")

    def pop(self, n: int) -> list[Any]:
        if len(self.stack) < n:
            raise DataError(f"load: {self.where} has a damaged structure (a value is missing)")
        found = self.stack[len(self.stack) - n :]
        del self.stack[len(self.stack) - n :]
        return found

    def marked(self) -> list[Any]:
        found, self.stack = self.stack, self.marks.pop()
        return found

    def named(self, name: str) -> None:
        if name not in _NAMES:
            raise DataError(
                f"load: {self.where} asks for {name}, which is not among the names that describe tensors and plain data; "
                "nothing of it was run. Save a state_dict"
            )
        self.stack.append(_NAMES[name])

    # opcodes

    def tuple(self) -> None:
        items = self.marked()
        self.stack.append(tuple(items))

    def append(self) -> None:
        self.extend([self.stack.pop()])

    def appends(self) -> None:
        self.extend(self.marked())

    def extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise DataError(f"load: {self.where} has a damaged structure (items of no list)")
        self.stack[-1].extend(items)

    def additems(self) -> None:
        items = self.marked()
        if not isinstance(self.stack[-1], set):
            raise DataError(f"load: {self.where} has a damaged structure (items of no set)")
        self.stack[-1].update(_keys(items))

    def setitem(self) -> None:
        self.update(self.pop(2))

    def setitems(self) -> None:
        self.update(self.marked())

    def update(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict) or len(items) % 2:
            raise DataError(f"load: {self.where} has a damaged structure (items of no dict)")
        self.stack[-1].update(zip(_keys(items[::2]), items[1::2], strict=True))

    def binpersid(self) -> None:
        kind, *rest = self.stack.pop()
        if kind != "storage":
            raise DataError(f"load: {self.where} has a persistent id of kind {kind!r}, expected 'storage'")
        self.stack.append(self.storage(*rest))

    def reduce(self) -> None:
        function, args = self.pop(2)
        if not isinstance(function, _Known) or not isinstance(args, tuple):
            raise DataError(f"load: {self.where} has a damaged structure (a call of what is no function)")
        self.stack.append(function.call(*args))

    def build(self) -> None:
        """The `_metadata` of a state dict; other objects have no attributes."""
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is not OrderedDict or set(state) != {"_metadata"}:
            raise DataError(f"load: {self.where} sets attributes of a {type(target).__name__}")
        target._metadata = state["_metadata"]  # type: ignore[attr-defined]
