"""Making tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from .._device import check_device
from .._layout import plain
from .._tensor import Size, Tensor, new_tensor
from ..errors import DtypeError, OptionError, ShapeError, whole_number
from ..random import Generator, current_generator
from . import checks
from .checks import sizes, tensor_of


def finish(where: str, array: Any, device: Any, requires_grad: bool) -> Tensor:
    """A new tensor over `array`, on a device that is checked."""
    check_device(device, where)
    out = new_tensor(array)
    return out.requires_grad_() if requires_grad else out


def _target(where: str, dtype: Any, default: dtypes.dtype | None = None) -> np.dtype[Any]:
    return (default or dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype, f"{where}: dtype")).numpy


def _array(where: str, data: Any, dtype: Any) -> np.ndarray[Any, Any]:
    """`data` as an array in a supported dtype: Python floats become the default dtype, integers int64."""
    target = None if dtype is None else dtypes.as_dtype(dtype, f"{where}: dtype").numpy
    if isinstance(data, Tensor):
        array = data.array
    elif isinstance(data, np.ndarray | np.generic):
        array = np.asarray(data)
    else:
        try:
            array = np.asarray(_plain(data))
        except ValueError as error:
            raise ShapeError(f"{where}: data must be nested sequences of equal lengths ({error})") from None
        if array.dtype == np.float64 and not _holds_arrays(data) and target is None:
            target = dtypes.get_default_dtype().numpy
        if array.size == 0 and target is None:
            target = dtypes.get_default_dtype().numpy
    if target is None:
        native = array.dtype.newbyteorder("=")
        if native not in dtypes.FROM_NUMPY:
            raise DtypeError(f"{where}: cannot make a tensor of NumPy dtype {array.dtype}")
        target = native
    elif array.dtype not in dtypes.FROM_NUMPY and array.dtype.kind not in "biuf":
        raise DtypeError(f"{where}: cannot make a tensor of NumPy dtype {array.dtype}")
    if not isinstance(data, Tensor | np.ndarray):
        dtypes.check_fits(array, target, where)
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(target)


def _plain(data: Any) -> Any:
    if isinstance(data, Tensor):
        return data.detach().array
    return [_plain(d) for d in data] if isinstance(data, list | tuple) else data


def _holds_arrays(data: Any) -> bool:
    if isinstance(data, list | tuple):
        return bool(data) and _holds_arrays(data[0])
    return isinstance(data, np.ndarray | np.generic | Tensor)


@plain
def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor with a copy of `data`: a number, nested sequences, an array or a tensor.

    Python floats become the default dtype, integers int64, booleans bool; arrays keep their dtype.
    Raises ShapeError for ragged sequences, DtypeError for what is not a number.
    """
    return finish("tensor", _array("tensor", data, dtype).copy(order="C"), device, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor over `data`, sharing its memory (and its graph) where dtype and kind allow, else a copy."""
    check_device(device, "as_tensor")
    if isinstance(data, Tensor):
        return checks.to_dtype(data, dtype, "as_tensor")
    if isinstance(data, np.ndarray) and data.dtype in dtypes.FROM_NUMPY:
        return checks.to_dtype(new_tensor(_base_array(data)), dtype, "as_tensor")
    return new_tensor(_array("as_tensor", data, dtype))


asarray = as_tensor


def _base_array(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array if type(array) is np.ndarray else array.view(np.ndarray)


def legacy(
    where: str, args: tuple[Any, ...], dtype: dtypes.dtype, device: Any
) -> tuple[np.ndarray[Any, Any], list[int]]:
    """Array and memory for PyTorch's old constructors: of sizes, of a sequence, or the same as those of a tensor."""
    check_device(device, where)
    data = args[0] if len(args) == 1 else ()
    if isinstance(data, Tensor):
        if data.dtype is not dtype:
            raise DtypeError(f"{where}: expected a tensor of dtype {dtype}, got {data.dtype}")
        return data.array, data.memory
    if isinstance(data, np.ndarray | list | tuple) and not isinstance(data, Size) and len(args) == 1:
        return _array(where, data, dtype).copy(order="C"), [0, 0]
    if isinstance(data, float):
        raise DtypeError(f"{where}: expected sizes or a sequence of numbers, got {data!r}")
    return np.empty(sizes(where, args or (0,)), dtype.numpy), [0, 0]


def from_numpy(ndarray: np.ndarray[Any, Any]) -> Tensor:
    """A tensor over the memory of a NumPy array: a change of one is a change of the other."""
    if not isinstance(ndarray, np.ndarray):
        raise DtypeError(f"from_numpy: expected a NumPy array, got {type(ndarray).__name__}")
    if ndarray.dtype not in dtypes.FROM_NUMPY:
        raise DtypeError(f"from_numpy: cannot make a tensor of NumPy dtype {ndarray.dtype}")
    return new_tensor(_base_array(ndarray))


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor over the memory of any CPU array that speaks DLPack."""
    return from_numpy(np.from_dlpack(ext_tensor))


@plain
def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros."""
    return finish("zeros", np.zeros(sizes("zeros", size), _target("zeros", dtype)), device, requires_grad)


@plain
def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones."""
    return finish("ones", np.ones(sizes("ones", size), _target("ones", dtype)), device, requires_grad)


@plain
def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor whose elements are not set."""
    return finish("empty", np.empty(sizes("empty", size), _target("empty", dtype)), device, requires_grad)


@plain
def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor filled with one number; its dtype is the number's unless given."""
    shape = sizes("full", (size,))
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    target = _target("full", dtype, dtypes.scalar_dtype(value))
    dtypes.check_fits(np.asarray(value), target, "full")
    return finish("full", np.full(shape, value, target), device, requires_grad)


@plain
def zeros_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the shape and dtype of `input`."""
    return _filled("zeros_like", input, 0, dtype, device, requires_grad)


@plain
def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the shape and dtype of `input`."""
    return _filled("ones_like", input, 1, dtype, device, requires_grad)


@plain
def empty_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the shape and dtype of `input` whose elements are not set."""
    x = tensor_of("empty_like", "input", input)
    return finish("empty_like", np.empty(x.array.shape, _target("empty_like", dtype, x.dtype)), device, requires_grad)


@plain
def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of the shape and dtype of `input` filled with one number."""
    return _filled("full_like", input, fill_value, dtype, device, requires_grad)


def _filled(where: str, input: Tensor, value: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    x = tensor_of(where, "input", input)
    target = _target(where, dtype, x.dtype)
    dtypes.check_fits(np.asarray(value), target, where)
    return finish(where, np.full(x.array.shape, value, target), device, requires_grad)


@plain
def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, … up to and without `end`; int64 if all three are integers."""
    if end is None:
        start, end = 0, start
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if not all(math.isfinite(v) for v in (start, end, step)):
        raise OptionError(f"arange: start, end and step must be finite, got {start}, {end} and {step}")
    if dtype is not None and dtypes.as_dtype(dtype, "arange: dtype").category < 2:
        start, end, step = (int(v) for v in (start, end, step))
    if step == 0 or (end - start) * step < 0:
        raise OptionError(f"arange: step {step} does not lead from {start} to {end}")
    whole = all(isinstance(v, int | np.integer) for v in (start, end, step))
    target = _target("arange", dtype, dtypes.int64 if whole else None)
    n = math.ceil((end - start) / step)
    return finish("arange", (start + step * np.arange(n)).astype(target), device, requires_grad)


def _ends(where: str, start: Any, end: Any, steps: Any) -> tuple[Any, Any, int]:
    for name, value in (("start", start), ("end", end)):
        if isinstance(value, Tensor) and value.ndim:
            raise ShapeError(f"{where}: {name} must be a number or a 0-d tensor, got shape {tuple(value.array.shape)}")
    start, end = (v.item() if isinstance(v, Tensor) else v for v in (start, end))
    return start, end, whole_number(where, "steps", steps, 0)


@plain
def linspace(
    start: float, end: float, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers evenly from `start` to `end`, both included."""
    start, end, steps = _ends("linspace", start, end, steps)
    return finish("linspace", np.linspace(start, end, steps).astype(_target("linspace", dtype)), device, requires_grad)


@plain
def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The n×m matrix with ones on its diagonal."""
    shape = sizes("eye", (n, n if m is None else m))
    return finish("eye", np.eye(*shape, dtype=_target("eye", dtype)), device, requires_grad)


@plain
def logspace(
    start: float,
    end: float,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers from base^start to base^end, both included, in equal proportions."""
    start, end, steps = _ends("logspace", start, end, steps)
    powers = np.power(float(base), np.linspace(start, end, steps)).astype(_target("logspace", dtype))
    return finish("logspace", powers, device, requires_grad)


@plain
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64, device: Any = None) -> Tensor:
    """The rows and columns, as a tensor (2, n), of the lower triangle of a row×col matrix."""
    found = np.tril_indices(*_offset("tril_indices", row, col, offset))
    return finish("tril_indices", np.stack(found).astype(_target("tril_indices", dtype)), device, False)


@plain
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64, device: Any = None) -> Tensor:
    """The rows and columns, as a tensor (2, n), of the upper triangle of a row×col matrix."""
    found = np.triu_indices(*_offset("triu_indices", row, col, offset))
    return finish("triu_indices", np.stack(found).astype(_target("triu_indices", dtype)), device, False)


def _offset(where: str, row: int, col: int, offset: int) -> tuple[int, int, int]:
    rows, columns = sizes(where, (row, col))
    return rows, offset, columns


# of the dtype of another tensor


@plain
def new_zeros(input: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of a shape, in the dtype of `input`."""
    x = tensor_of("new_zeros", "input", input)
    return zeros(*size, dtype=dtype or x.dtype, device=device, requires_grad=requires_grad)


@plain
def new_ones(input: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of a shape, in the dtype of `input`."""
    x = tensor_of("new_ones", "input", input)
    return ones(*size, dtype=dtype or x.dtype, device=device, requires_grad=requires_grad)


@plain
def new_empty(input: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of a shape, in the dtype of `input`, whose elements are not set."""
    x = tensor_of("new_empty", "input", input)
    return empty(*size, dtype=dtype or x.dtype, device=device, requires_grad=requires_grad)


@plain
def new_full(
    input: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of a shape filled with one number, in the dtype of `input`."""
    x = tensor_of("new_full", "input", input)
    return full(size, fill_value, dtype=dtype or x.dtype, device=device, requires_grad=requires_grad)


@plain
def new_tensor_like(
    input: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A copy of `data` in the dtype of `input`."""
    x = tensor_of("new_tensor", "input", input)
    return tensor(data, dtype=dtype or x.dtype, device=device, requires_grad=requires_grad)


# random tensors


def _stream(generator: Generator | None) -> Generator:
    if generator is not None and not isinstance(generator, Generator):
        raise DtypeError(f"generator must be a tinynet.Generator, got {type(generator).__name__}")
    return generator or current_generator()


def _floats(where: str, dtype: Any) -> np.dtype[Any]:
    target = _target(where, dtype)
    if target.char not in dtypes.FLOAT_CHARS:
        raise DtypeError(f"{where}: dtype must be floating point, got {dtypes.FROM_NUMPY[target]}")
    return target


@plain
def rand(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Uniform on [0, 1)."""
    draws = _stream(generator).uniform(sizes("rand", size), _floats("rand", dtype))
    return finish("rand", draws, device, requires_grad)


@plain
def randn(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Standard normal."""
    draws = _stream(generator).normal(sizes("randn", size), _floats("randn", dtype))
    return finish("randn", draws, device, requires_grad)


@plain
def rand_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform on [0, 1), of the shape and dtype of `input`."""
    x = tensor_of("rand_like", "input", input)
    return rand(x.array.shape, dtype=dtype or x.dtype, device=device, requires_grad=requires_grad)


@plain
def randn_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal, of the shape and dtype of `input`."""
    x = tensor_of("randn_like", "input", input)
    return randn(x.array.shape, dtype=dtype or x.dtype, device=device, requires_grad=requires_grad)


@plain
def randint(
    low: Any = None,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = dtypes.int64,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform integers in [low, high): `randint(high, size)` or `randint(low, high, size)`."""
    if size is None:
        low, high, size = 0, low, high
    elif high is None or low is None:
        low, high = 0, low if high is None else high
    if not isinstance(size, tuple | list):
        raise DtypeError(f"randint: size must be a tuple, got {size!r}")
    if low >= high:
        raise OptionError(f"randint: low must be below high, got low {low} and high {high}")
    draws = _stream(generator).integers(low, high, sizes("randint", (size,)))
    return finish("randint", draws.astype(_target("randint", dtype)), device, requires_grad)


@plain
def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: Any = dtypes.int64,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A random permutation of 0 … n−1."""
    if n < 0:
        raise OptionError(f"randperm: n must be ≥ 0, got {n}")
    draws = _stream(generator).permutation(n)
    return finish("randperm", draws.astype(_target("randperm", dtype)), device, requires_grad)


def bernoulli(input: Tensor, p: Tensor | float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with probability `input` (or `p`), else 0, in the dtype and shape of `input`."""
    x = (
        checks.floating("bernoulli", "input", input).array
        if p is None
        else tensor_of("bernoulli", "input", input).array
    )
    chance = x if p is None else p.array if isinstance(p, Tensor) else p
    if np.any(~((np.asarray(chance) >= 0) & (np.asarray(chance) <= 1))):
        raise OptionError("bernoulli: probabilities must lie in [0, 1]")
    draws = _stream(generator).uniform(x.shape, np.dtype(np.float64 if x.dtype == np.float64 else np.float32))
    return new_tensor((draws < chance).astype(x.dtype))
