"""save and load: nested dicts, lists, tuples, tensors, numbers and strings, in one safetensors file. No pickle.

The tensors are the file's tensors "0", "1", …; the structure around them is JSON in its metadata:

    {"tinynet": 1, "tree": …}    with containers as {"dict": [[key, value], …]}, {"list": […]}, {"tuple": […]},
                                 tensors as {"tensor": "0", "requires_grad": false}

Any safetensors reader can read the tensors. Writing is atomic: the name holds the old file or the new one, never half.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
import safetensors.numpy

from . import dtypes
from ._device import check_device, device
from ._tensor import Tensor, new_tensor
from .errors import DataError, DtypeError, OptionError
from .files import atomic_open

_KEY = "tinynet"
_VERSION = 1
_NAMES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}


def save(obj: Any, f: str | os.PathLike[str] | IO[bytes]) -> None:
    """Write `obj` to a path (atomically) or into a binary file.

    obj  a Tensor, number, string, None, or dicts, lists and tuples of these; dict keys are strings, numbers or None

    Raises DtypeError naming the place of anything else.
    """
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    try:
        tree = _encode(obj, "obj", tensors)
    except RecursionError:
        raise OptionError("save: obj is nested too deeply, or contains itself") from None
    content = {"version": _VERSION, "tree": tree, "sha256": _checksum(tree, tensors)}
    metadata = {"format": "tinynet", _KEY: json.dumps(content)}
    data = safetensors.numpy.save(tensors, metadata=metadata)
    if isinstance(f, io.TextIOBase):
        raise DtypeError("save: f must be a path or a file opened in binary mode, got a text file")
    if hasattr(f, "write"):
        f.write(data)
    else:
        with atomic_open(f) as file:
            file.write(data)


def _checksum(tree: Any, tensors: dict[str, np.ndarray[Any, Any]]) -> str:
    """SHA-256 over the structure and the tensors: a flipped bit is noticed."""
    digest = hashlib.sha256(json.dumps(tree).encode())
    for name in sorted(tensors, key=int):
        digest.update(np.asarray(tensors[name], order="C").tobytes())
    return digest.hexdigest()


def _encode(value: Any, where: str, tensors: dict[str, np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = np.asarray(value.array, order="C")
        return {"tensor": name, "requires_grad": value.is_leaf and value.requires_grad}
    if value is None or isinstance(value, bool | int | float | str):
        return value if type(value) in (bool, int, float, str, type(None)) else _plain(value)
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    if isinstance(value, dict):
        for key in value:
            if key is not None and not isinstance(key, bool | int | float | str):
                raise DtypeError(f"save: {where} has a key of type {type(key).__name__}; use strings or numbers")
        return {"dict": [[_plain(k), _encode(v, f"{where}[{k!r}]", tensors)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_encode(v, f"{where}[{i}]", tensors) for i, v in enumerate(value)]}
    raise DtypeError(
        f"save: {where} is of type {type(value).__name__}; tensors, numbers, strings, None, dicts, lists and tuples "
        "can be saved"
    )


def _plain(value: Any) -> Any:
    """A subclass of str, int or float as that type."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def load(
    f: str | os.PathLike[str] | IO[bytes],
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
) -> Any:
    """What `save` wrote, the tensors of any other safetensors file as a dict, or what PyTorch's `torch.save` wrote.

    Of a file of `torch.save` all is read that PyTorch reads with `weights_only=True`, in the dtypes that tinynet has:
    tensors, parameters, dicts, lists, tuples, sets, numbers, strings, bytes, sizes, devices and dtypes.

    f             a path, or a file opened in binary mode
    map_location  where tensors go: 'cpu'; a dict of places; or a function (storage, place) that returns the storage, or
                  None for its own place. None: where they were saved, which must be the CPU
    weights_only  True or None: nothing is unpickled in either case
    mmap          accepted, and read all the same

    Raises DataError naming the file if it is truncated, corrupt, of another format, or asks for more than data; nothing
    in it is executed. Raises DeviceError for tensors of a GPU without a `map_location`.
    """
    if pickle_module is not None:
        raise NotImplementedError("load: pickle_module is not supported; nothing is unpickled")
    if weights_only is False:
        raise NotImplementedError("load: weights_only=False is not supported; nothing is unpickled")
    if isinstance(map_location, str | device):
        check_device(map_location, "load")
    elif map_location is not None and not isinstance(map_location, dict) and not callable(map_location):
        raise DtypeError(f"load: map_location must be a device, a dict or a function, got {map_location!r}")
    if isinstance(f, io.TextIOBase):
        raise DtypeError("load: f must be a path or a file opened in binary mode, got a text file")
    if hasattr(f, "read"):
        where, data = getattr(f, "name", "the file"), f.read()
    else:
        where = str(f)
        if not Path(f).is_file():
            raise FileNotFoundError(f"load: there is no file {where}")
        data = Path(f).read_bytes()
    if data[:4] == b"PK\x03\x04":
        from .compat.archive import read

        return read(where, data, map_location)
    if data[:1] == b"\x80" and data[8:9] != b"{":  # a safetensors header, too, may have a length that begins so
        raise NotImplementedError(
            f"load: {where} is a pickle, as torch.save wrote before PyTorch 1.6; load it there and save it again"
        )
    try:
        header_size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + header_size])
        entries = dict(safetensors.deserialize(bytes(data)))
    except (safetensors.SafetensorError, ValueError) as error:
        reason = f" ({error})" if isinstance(error, safetensors.SafetensorError) else ""
        raise DataError(f"load: {where} is not a complete safetensors file{reason}") from None
    arrays = {name: _array(where, name, entry) for name, entry in entries.items()}
    text = (header.get("__metadata__") or {}).get(_KEY)
    if text is None:
        return {name: new_tensor(a) for name, a in arrays.items()}
    try:
        content = json.loads(text)
        if content["version"] > _VERSION:
            raise DataError(f"load: {where} is of format version {content['version']}; this tinynet reads {_VERSION}")
        if "sha256" in content and content["sha256"] != _checksum(content["tree"], arrays):
            raise DataError(f"load: {where} is damaged: its content does not match its checksum")
        return _decode(content["tree"], arrays)
    except DataError:
        raise
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise DataError(f"load: {where} has a damaged structure ({error!r})") from None


def _array(where: str, name: str, entry: dict[str, Any]) -> np.ndarray[Any, Any]:
    kind = _NAMES.get(entry["dtype"])
    if kind is None:
        raise DataError(f"load: tensor {name!r} in {where} has dtype {entry['dtype']}, which tinynet does not have")
    dtype = dtypes.as_dtype(getattr(dtypes, "bool_" if kind == "bool" else kind)).numpy
    return np.frombuffer(bytearray(entry["data"]), dtype).reshape(entry["shape"])


def _decode(value: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        t = new_tensor(arrays[value["tensor"]])
        return t.requires_grad_() if value["requires_grad"] else t
    if "dict" in value:
        return {k: _decode(v, arrays) for k, v in value["dict"]}
    if "list" in value:
        return [_decode(v, arrays) for v in value["list"]]
    return tuple(_decode(v, arrays) for v in value["tuple"])
