"""Which operations are methods of Tensor. The stub `tensor.pyi` shows them to an IDE and to mypy."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes, methods_old
from ._device import check_device, device
from ._layout import check_memory_format
from ._tensor import Tensor, new_tensor
from .autograd import views
from .errors import OptionError, ShapeError
from .ops import (
    activation,
    arranging,
    checks,
    composite,
    creation,
    decomposition,
    elementwise,
    indexing,
    linalg,
    matrix,
    matrix_equation,
    probability_functions,
    reduction,
    sampling,
    selection,
    shape,
    slicing,
    special,
    statistics,
)
from .ops import primitives as P
from .ops.creation import _stream

ELEMENTWISE = """abs absolute add allclose bitwise_and bitwise_not bitwise_or bitwise_xor ceil clamp clip cos div divide
    eq equal erf exp expm1 floor floor_divide ge greater greater_equal gt isclose isfinite isinf isnan le less less_equal
    log log10 log1p log2 logical_and logical_not logical_or logical_xor lt maximum minimum mul multiply ne neg negative
    not_equal pow reciprocal remainder round rsqrt sgn sign sin sqrt square sub subtract tan true_divide trunc"""
REDUCTION = "all amax amin any argmax argmin cumsum logsumexp max mean min norm std sum topk var"
SHAPE = """broadcast_to chunk clone contiguous expand expand_as flatten flip moveaxis movedim narrow permute reshape reshape_as
    split squeeze swapaxes swapdims t transpose tril triu unbind unflatten unsqueeze view view_as"""
INDEXING = "gather index_select masked_fill masked_select nonzero take_along_dim"
LINALG = "bmm dot ger matmul mm mv outer"
SPECIAL = """acos acosh addcdiv addcmul arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2 atanh
    bitwise_left_shift bitwise_right_shift clamp_max clamp_min copysign cosh deg2rad digamma erfc erfinv exp2 float_power
    fmax fmin fmod frac heaviside hypot isneginf isposinf ldexp lerp lgamma logaddexp logaddexp2 logit nan_to_num positive
    rad2deg signbit sinc sinh xlogy"""
STATISTICS = """aminmax argsort bincount count_nonzero cummax cummin cumprod diff histc kthvalue logcumsumexp median mode
    msort nanmean nanmedian nanquantile nansum prod quantile sort"""
SELECTION = """index_add index_copy index_fill index_put masked_scatter scatter scatter_add scatter_reduce take unique
    unique_consecutive"""
ARRANGING = """diag diag_embed diagflat diagonal dsplit fliplr flipud hsplit ravel repeat repeat_interleave
    roll rot90 tensor_split tile unfold vsplit"""
MATRIX = """addbmm addmm addmv addr baddbmm cholesky cross det dist inner inverse kron logdet matrix_power slogdet trace
    vdot"""
MATRIX_EQUATION = "cholesky_inverse cholesky_solve matrix_exp pinverse triangular_solve"
SLICING = """as_strided as_strided_scatter diagonal_scatter index_reduce put renorm select_scatter
    slice_scatter"""
PROBABILITY = "i0 igamma igammac nextafter"
COMPOSITE = "argwhere corrcoef cov fix frexp gcd lcm mvlgamma select"
ACTIVATION = "relu sigmoid softmax log_softmax tanh"
IN_PLACE = """abs absolute acos acosh addbmm addcdiv addcmul addmm addmv addr arccos arccosh arcsin arcsinh arctan
    arctan2 arctanh asin asinh atan atan2 atanh baddbmm bitwise_and bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor ceil clamp clamp_max clamp_min clip copysign cos cosh cumprod cumsum deg2rad
    digamma divide eq erf erfc erfinv exp exp2 expm1 fix float_power floor floor_divide fmod frac gcd ge greater
    greater_equal gt heaviside hypot index_add index_copy index_fill index_put lcm ldexp le lerp less less_equal
    lgamma log log10 log1p log2 logical_and
    logical_not logical_or logical_xor logit lt masked_fill masked_scatter multiply mvlgamma nan_to_num ne neg negative
    not_equal pow rad2deg reciprocal remainder round rsqrt scatter scatter_add scatter_reduce sgn sigmoid sign sin sinc sinh
    sqrt square subtract tan tanh tril triu true_divide trunc xlogy put index_reduce renorm i0 igamma igammac nextafter"""
FAMILIES = (
    (elementwise, ELEMENTWISE),
    (reduction, REDUCTION),
    (shape, SHAPE),
    (indexing, INDEXING),
    (linalg, LINALG),
    (activation, ACTIVATION),
    (special, SPECIAL),
    (statistics, STATISTICS),
    (selection, SELECTION),
    (arranging, ARRANGING),
    (matrix, MATRIX),
    (matrix_equation, MATRIX_EQUATION),
    (slicing, SLICING),
    (probability_functions, PROBABILITY),
    (composite, COMPOSITE),
)


def in_place(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The method `name_`: x ← function(x, …)."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return views.inplace(f"{name}_", self, lambda x: function(x, *args, **kwargs))

    method.__name__ = method.__qualname__ = f"{name}_"
    method.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    method.__doc__ = f"`{name}` in place. Raises GraphError on a leaf that requires a gradient."
    return method


# operators


def _arithmetic(op: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def forward(self: Tensor, other: Any) -> Tensor:
        return op(self, other)

    def reflected(self: Tensor, other: Any) -> Tensor:
        return op(other, self)

    return forward, reflected


def _guarded(op: Any) -> Callable[..., Any]:
    """A comparison, which leaves what is no number to the other operand."""

    def compare(self: Tensor, other: Any) -> Tensor:
        if not isinstance(other, Tensor | int | float | np.ndarray | np.generic):
            return NotImplemented
        return op(self, other)

    return compare


def add_(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """self ← self + alpha·other."""
    return views.operate_("add_", P.add, np.add, self, elementwise._scaled("add_", other, alpha))


def sub_(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """self ← self − alpha·other."""
    return views.operate_("sub_", elementwise.sub, np.subtract, self, elementwise._scaled("sub_", other, alpha))


def mul_(self: Tensor, other: Any) -> Tensor:
    """self ← self ⊙ other."""
    return views.operate_("mul_", P.mul, np.multiply, self, other)


def div_(self: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """self ← self / other."""
    if rounding_mode is not None:
        return views.inplace("div_", self, lambda x: elementwise.div(x, other, rounding_mode=rounding_mode))
    return views.operate_("div_", P.div, np.divide, self, other)


def relu_(self: Tensor) -> Tensor:
    """self ← max(self, 0)."""
    return views.inplace("relu_", self, activation.relu)


def uniform_(self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Any = None, **kwargs: float) -> Tensor:
    """Fill with draws from the uniform distribution on [from, to)."""
    low = kwargs.pop("from", from_)
    if kwargs:
        raise OptionError(f"uniform_: unknown options {', '.join(kwargs)}")
    if low > to:
        raise OptionError(f"uniform_: from must be ≤ to, got {low} and {to}")
    draws = _stream(generator).uniform(self.array.shape, _float_dtype("uniform_", self))
    return views.copy_(self, new_tensor(draws * (to - low) + low))


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with draws from the normal distribution."""
    if std < 0:
        raise OptionError(f"normal_: std must be ≥ 0, got {std}")
    draws = _stream(generator).normal(self.array.shape, _float_dtype("normal_", self))
    return views.copy_(self, new_tensor(draws * std + mean))


def bernoulli_(self: Tensor, p: Tensor | float = 0.5, *, generator: Any = None) -> Tensor:
    """Fill with ones with probability `p` (a number, or a tensor of this shape), else zeros."""
    return views.copy_(self, creation.bernoulli(self.detach(), p, generator=generator))


def _float_dtype(where: str, x: Tensor) -> np.dtype[Any]:
    checks.floating(where, "self", x)
    return np.dtype(np.float64) if x.array.dtype == np.float64 else np.dtype(np.float32)


# casts and devices


def to(
    self: Tensor,
    *args: Any,
    dtype: Any = None,
    device: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """This tensor in another dtype or on another device; itself if nothing changes and `copy` is False.

    to(dtype), to(device), to(device, dtype), to(other): a device other than the CPU raises DeviceError.
    """
    order = check_memory_format("to", memory_format)
    for i, a in enumerate(args):
        if isinstance(a, Tensor):
            dtype = a.dtype
        elif isinstance(a, str | _Device):
            device = a
        elif isinstance(a, bool) and i:
            if i == len(args) - 1 and len(args) == 4:
                copy = a
        elif a is not None:
            dtype = a
    check_device(device, "to")
    out = checks.to_dtype(self, dtype, "to")
    out = P.clone(out) if copy and out is self else out
    return shape.in_order("to", out, order) if order else out


_Device = device


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """This tensor in the dtype of `other`."""
    return checks.to_dtype(self, other.dtype, "type_as")


def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """This tensor in `dtype`, which may be an old type or its name; without one, the name of its own: 'torch.FloatTensor'."""
    if dtype is None:
        return next(f"torch.{name}" for name, kind in dtypes.OLD_NAMES.items() if kind is self.dtype)
    if isinstance(dtype, str) and dtype.endswith("Tensor"):
        module, _, name = dtype.rpartition(".")
        check_device("cuda" if module.endswith("cuda") else "cpu", "type")
        dtype = dtypes.OLD_NAMES.get(name, dtype)
    old = getattr(dtype, "dtype", None)
    return checks.to_dtype(self, old if isinstance(old, dtypes.dtype) else dtype, "type")


def cpu(self: Tensor) -> Tensor:
    """This tensor: it is on the CPU."""
    return self


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """Raises DeviceError: there is no GPU support in this build."""
    check_device("cuda", "cuda")
    return self


def _casting(name: str, target: dtypes.dtype) -> Callable[[Tensor], Tensor]:
    def method(self: Tensor) -> Tensor:
        return checks.to_dtype(self, target, name)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"This tensor as {target.name}."
    return method


CASTS = {
    "half": dtypes.float16,
    "bfloat16": dtypes.bfloat16,
    "float": dtypes.float32,
    "double": dtypes.float64,
    "char": dtypes.int8,
    "byte": dtypes.uint8,
    "short": dtypes.int16,
    "int": dtypes.int32,
    "long": dtypes.int64,
    "bool": dtypes.bool_,
}


def reverse_axes(self: Tensor) -> Tensor:
    """The dimensions in reverse order, as a view."""
    return P.permute(self, axes=tuple(range(self.ndim))[::-1])


def matrix_transpose(self: Tensor) -> Tensor:
    """The last two dimensions exchanged, as a view."""
    if self.ndim < 2:
        raise ShapeError(f"mT: expected at least 2 dimensions, got shape {tuple(self.array.shape)}")
    return P.swap(self)


def positive(self: Tensor) -> Tensor:
    """The tensor itself."""
    return self


def attach() -> None:
    """Give Tensor its methods and operators."""
    methods: dict[str, Any] = {}
    for module, names in FAMILIES:
        for name in names.split():
            methods[name] = getattr(module, name)
    for name in IN_PLACE.split():
        methods[name + "_"] = in_place(name, methods[name])
    for name, target in CASTS.items():
        methods[name] = _casting(name, target)
    functions: tuple[Any, ...] = (add_, sub_, mul_, div_, relu_, uniform_, normal_, bernoulli_)
    for function in (*functions, to, type_as, type, cpu, cuda, views.copy_, views.fill_, views.zero_):
        methods[function.__name__] = function
    for name in ("exponential_", "geometric_", "log_normal_", "cauchy_", "random_", "multinomial"):
        methods[name] = getattr(sampling, name)
    methods |= {"svd": decomposition.svd_old, "qr": decomposition.qr_old}
    methods["fill_diagonal_"] = arranging.fill_diagonal_
    for name in ("new_zeros", "new_ones", "new_empty", "new_full"):
        methods[name] = getattr(creation, name)
    methods |= {"bernoulli": creation.bernoulli, "new_tensor": creation.new_tensor_like}
    methods |= methods_old.METHODS
    methods["T"] = property(reverse_axes)
    methods["mT"] = property(matrix_transpose)
    operators = {
        "add": P.add,
        "sub": elementwise.sub,
        "mul": P.mul,
        "truediv": P.div,
        "floordiv": elementwise.floor_divide,
        "mod": elementwise.remainder,
        "pow": elementwise.pow,
        "and": elementwise.bitwise_and,
        "or": elementwise.bitwise_or,
        "xor": elementwise.bitwise_xor,
        "lshift": special.bitwise_left_shift,
        "rshift": special.bitwise_right_shift,
        "matmul": linalg.matmul,
    }
    for name, op in operators.items():
        methods[f"__{name}__"], methods[f"__r{name}__"] = _arithmetic(op)
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        methods[f"__{name}__"] = _guarded(getattr(P, name))
    methods |= {"__neg__": elementwise.neg, "__abs__": elementwise.abs, "__invert__": elementwise.bitwise_not}
    methods |= {"__pos__": positive, "__getitem__": indexing.getitem, "__setitem__": indexing.setitem}
    for name in ("add", "sub", "mul"):
        methods[f"__i{name}__"] = functools.partialmethod(_in_place_operator, methods[f"{name}_"])
    methods["__itruediv__"] = functools.partialmethod(_in_place_operator, div_)
    methods["__ipow__"] = functools.partialmethod(_in_place_operator, methods["pow_"])
    for name, op in (
        ("floordiv", elementwise.floor_divide),
        ("mod", elementwise.remainder),
        ("lshift", special.bitwise_left_shift),
        ("rshift", special.bitwise_right_shift),
        ("and", elementwise.bitwise_and),
        ("or", elementwise.bitwise_or),
        ("xor", elementwise.bitwise_xor),
    ):
        methods[f"__i{name}__"] = functools.partialmethod(_in_place_operator, in_place(op.__name__, op))
    for name, value in methods.items():
        setattr(Tensor, name, value)


def _in_place_operator(self: Tensor, function: Any, other: Any) -> Tensor:
    return function(self, other)


attach()
