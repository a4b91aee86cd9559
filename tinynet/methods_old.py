"""Methods of Tensor that PyTorch has beside the operations: changes of its own shape, questions, and old forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ._layout import strided
from ._tensor import Tensor, changed, new_tensor
from .autograd import views
from .autograd.modes import modes
from .errors import OptionError, ShapeError
from .ops import creation, elementwise, piecewise, shape, special
from .ops import primitives as P
from .ops.checks import tensor_of


def _reshaping(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The method `name_`, by which a tensor becomes what `name`, a view of it, would be."""

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        if modes.recording:
            views.check_writeable(self, f"{name}_")
        view = function(self, *args, **options)
        self.array, self.node = view.array, view.node
        if self.view_of is not None:
            self.view_of = view.view_of
        return self

    method.__name__ = method.__qualname__ = f"{name}_"
    method.__doc__ = (
        f"Become what `{name}` gives: the same memory. Raises GraphError on a leaf that requires a gradient."
    )
    return method


def resize_(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Become a tensor of another shape: the first elements stay, further ones are not set."""
    new = tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    n = math.prod(new)
    if self.requires_grad:
        raise OptionError("resize_: a tensor that requires a gradient cannot be resized")
    flat = np.ascontiguousarray(self.array).reshape(-1)
    array = np.empty(n, flat.dtype)
    array[: min(n, flat.size)] = flat[:n]
    if n == flat.size and self.array.flags.c_contiguous:
        array = flat  # the same memory, so that its views follow
    self.array = array.reshape(new)
    changed(self)
    return self


def resize_as_(self: Tensor, other: Tensor, *, memory_format: Any = None) -> Tensor:
    """`resize_` to the shape of another tensor."""
    return resize_(self, *other.shape)


def where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """The elements of this tensor where `condition` holds, else those of `other`."""
    return elementwise.where(condition, self, other)


def polygamma(self: Tensor, n: int) -> Tensor:
    """The n-th derivative of the digamma function."""
    return special.polygamma(n, self)


def polygamma_(self: Tensor, n: int) -> Tensor:
    """`polygamma` in place."""
    return views.inplace("polygamma_", self, lambda x: special.polygamma(n, x))


def split_with_sizes(self: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of the sizes listed, as views."""
    return shape.split(self, list(split_sizes), dim)


def narrow_copy(self: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`length` elements of a dimension from `start`, copied."""
    return P.clone(shape.narrow(self, dim, start, length))


def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """The sum over what broadcasting to this tensor's shape would repeat."""
    from .ops.reduction import sum

    new = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
    lead = self.ndim - len(new)
    if lead < 0 or any(n not in (1, m) for n, m in zip(new, self.array.shape[lead:], strict=True)):
        raise ShapeError(f"sum_to_size: {new} cannot be broadcast to {tuple(self.array.shape)}")
    axes = [i for i in range(self.ndim) if i < lead or new[i - lead] == 1 and self.array.shape[i] != 1]
    return P.reshape(sum(self, axes) if axes else self, shape=new)


def adjoint(self: Tensor) -> Tensor:
    """The last two dimensions exchanged (numbers are real), as a view."""
    if self.ndim < 2:
        raise ShapeError(f"adjoint: expected at least 2 dimensions, got shape {tuple(self.array.shape)}")
    return P.swap(self)


def itself(self: Tensor) -> Tensor:
    """The tensor itself: it is real, dense, on the CPU and in this process."""
    return self


def isreal(self: Tensor) -> Tensor:
    """True for every element: there are no complex numbers."""
    return new_tensor(np.ones(self.array.shape, np.bool_))


def hardshrink(self: Tensor, lambd: float = 0.5) -> Tensor:
    """`nn.functional.hardshrink`."""
    return piecewise.hardshrink(self, lambd)


def prelu(self: Tensor, weight: Tensor) -> Tensor:
    """`nn.functional.prelu`."""
    return piecewise.prelu(self, weight)


def apply_(self: Tensor, function: Callable[[Any], Any]) -> Tensor:
    """Replace each element by what a Python function makes of it."""
    values = np.array([function(v) for v in self.array.reshape(-1).tolist()], self.array.dtype)
    return views.copy_(self, new_tensor(values.reshape(self.array.shape)))


def map_(self: Tensor, other: Tensor, function: Callable[[Any, Any], Any]) -> Tensor:
    """Replace each element by what a Python function makes of it and of that of `other`, broadcast."""
    pairs = zip(
        self.array.reshape(-1).tolist(), np.broadcast_to(other.array, self.array.shape).reshape(-1), strict=True
    )
    values = np.array([function(a, b.item()) for a, b in pairs], self.array.dtype)
    return views.copy_(self, new_tensor(values.reshape(self.array.shape)))


def new(self: Tensor, *data: Any, device: Any = None) -> Tensor:
    """A tensor of this dtype, of sizes (its elements not set) or of a sequence."""
    array, memory = creation.legacy("new", data, self.dtype, device)
    out = new_tensor(array)
    out.memory = memory
    return out


# questions


def get_device(self: Tensor) -> int:
    """−1: the CPU."""
    return -1


def storage_offset(self: Tensor) -> int:
    """How many elements into its memory the tensor begins."""
    base = self.array
    while isinstance(base.base, np.ndarray):
        base = base.base
    return (self.data_ptr() - int(base.__array_interface__["data"][0])) // self.array.itemsize


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether another tensor is over the same memory, with the same shape and strides."""
    same = self.array.shape == tensor.array.shape and self.array.strides == tensor.array.strides
    return same and self.data_ptr() == tensor.data_ptr()


def is_signed(self: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    return self.dtype.is_signed


def is_nonzero(self: Tensor) -> bool:
    """Whether the one element is not 0. Raises ShapeError for more or fewer elements."""
    return bool(self)


def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Whether another tensor has this shape."""
    return self.shape == tensor_of("is_same_size", "other", other).shape


def no(self: Tensor) -> bool:
    """False: tensors are dense, real, pageable, and in this process."""
    return False


def dim_order(self: Tensor) -> tuple[int, ...]:
    """The dimensions from the outermost to the innermost in memory."""
    return tuple(sorted(range(self.ndim), key=lambda i: -self.array.strides[i]))


def _layout(self: Tensor) -> Any:
    """`strided`, the only one."""
    return strided


def _yes(self: Tensor) -> bool:
    """True: tensors are on the CPU."""
    return True


def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements lie in row-major order, or in that of a memory format, without gaps."""
    if memory_format is None or not memory_format.order:
        return bool(self.array.flags.c_contiguous)
    order = memory_format.order
    return self.ndim == len(order) and bool(self.array.transpose(order).flags.c_contiguous)


FALSE = "is_conj is_neg is_pinned is_shared is_inference is_distributed is_coalesced"
FALSE_PROPERTIES = """is_sparse is_sparse_csr is_quantized is_meta is_mps is_mkldnn is_xpu is_nested is_vulkan is_xla
    is_ipu is_maia is_mtia"""
SAME = "conj conj_physical resolve_conj resolve_neg pin_memory share_memory_ to_dense"
METHODS: dict[str, Any] = {
    **{f.__name__: f for f in (resize_, resize_as_, where, polygamma, polygamma_, split_with_sizes, narrow_copy)},
    **{f.__name__: f for f in (sum_to_size, adjoint, isreal, hardshrink, prelu, apply_, map_, new, get_device)},
    **{f.__name__: f for f in (storage_offset, is_set_to, is_signed, is_nonzero, is_same_size, dim_order)},
    **dict.fromkeys(FALSE.split(), no),
    **dict.fromkeys(SAME.split(), itself),
    **{name: property(no) for name in FALSE_PROPERTIES.split()},
    **{
        f"{name}_": _reshaping(name, getattr(shape, name))
        for name in ("unsqueeze", "squeeze", "transpose", "t", "swapaxes", "swapdims")
    },
    "unsafe_split": shape.split,
    "unsafe_chunk": shape.chunk,
    "const_data_ptr": Tensor.data_ptr,
    "is_contiguous": is_contiguous,
    "is_cpu": property(_yes),
    "layout": property(_layout),
    "real": property(itself),
    "H": property(adjoint),
    "mH": property(adjoint),
}
