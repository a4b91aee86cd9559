"""Tensor: an array, its gradient, its place in the graph. No arithmetic: `methods` gives it the operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import dtypes
from ._device import CPU, device
from .autograd.node import Leaf, Node, Part, tick
from .errors import DtypeError, GraphError, OptionError, RangeError, ShapeError


class Size(tuple):  # type: ignore[type-arg]
    """The shape of a tensor: a tuple that prints as PyTorch's and counts its elements."""

    __slots__ = ()

    def numel(self) -> int:
        return math.prod(self)

    def __repr__(self) -> str:
        return f"tinynet.Size({list(self)})"


class Handle:
    """What registering a hook returns: `remove()` takes the hook away; also a context manager."""

    def __init__(self, hooks: dict[int, Any]) -> None:
        self.hooks, self.id = hooks, tick()

    def remove(self) -> None:
        self.hooks.pop(self.id, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class Tensor:
    """A multi-dimensional array with a gradient. Make one with `tinynet.tensor`, `zeros`, `randn`, `from_numpy`, …

    array   the NumPy array
    grad    the accumulated gradient, a Tensor, or None
    node    its place in the graph; a gradient is required exactly when it is not None
    view    None, or (base, path of view operations from the base, count of changes when last described, recorded)
    memory  [time of the last in-place change, count of changes], shared by all tensors over the same memory
    """

    _copies_grad = True  # by deepcopy; a Parameter's copy starts without, as in PyTorch
    __array_ufunc__ = None  # NumPy's operators defer to ours
    __hash__ = object.__hash__

    array: np.ndarray[Any, Any]
    memory: list[int]
    _grad: Tensor | None = None
    node: Node | Leaf | Part | None = None
    view_of: tuple[Tensor, tuple[Any, ...], int, bool] | None = None

    def __init__(self, *data: Any, device: Any = None) -> None:
        """Of sizes, `Tensor(2, 3)`, its elements not set; of a sequence, its numbers in the default dtype."""
        from .ops.creation import legacy

        self.array, self.memory = legacy("Tensor", data, dtypes.get_default_dtype(), device)

    @property
    def shape(self) -> Size:
        return Size(self.array.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.FROM_NUMPY[self.array.dtype]

    @property
    def device(self) -> device:
        return CPU

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def itemsize(self) -> int:
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        return self.array.nbytes

    @property
    def is_cuda(self) -> bool:
        return False

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient: a Tensor of this shape and dtype, or None."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise DtypeError(f"Tensor.grad: expected a Tensor or None, got {type(value).__name__}")
            if value.array.shape != self.array.shape:
                raise ShapeError(
                    f"Tensor.grad: a gradient of shape {tuple(value.array.shape)} does not fit a tensor of shape "
                    f"{tuple(self.array.shape)}"
                )
            if value.array.dtype != self.array.dtype:
                raise DtypeError(f"Tensor.grad: expected dtype {self.dtype}, got {value.dtype}")
        self._grad = value

    @property
    def requires_grad(self) -> bool:
        return current_node(self) is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    @property
    def is_leaf(self) -> bool:
        node = current_node(self)
        return node is None or type(node) is Leaf

    @property
    def grad_fn(self) -> Node | Part | None:
        node = current_node(self)
        return None if type(node) is Leaf else node  # type: ignore[return-value]

    @property
    def output_nr(self) -> int:
        return self.node.index if type(self.node) is Part else 0

    @property
    def _version(self) -> int:
        return self.memory[1]

    @property
    def _base(self) -> Tensor | None:
        return self.view_of[0] if self.view_of is not None else None

    @property
    def data(self) -> Tensor:
        """A tensor over the same memory outside the graph, whose changes the graph does not see."""
        return new_tensor(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise DtypeError(f"Tensor.data: expected a Tensor, got {type(value).__name__}")
        if value.array.dtype != self.array.dtype and self.node is not None:
            raise DtypeError(f"Tensor.data: expected dtype {self.dtype}, got {value.dtype}")
        self.array, self.view_of = value.array, None
        if type(self.node) is Leaf:
            self.node.shape = value.array.shape

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of dimension `dim`."""
        return self.shape if dim is None else self.shape[wrap_dim(dim, self.ndim, "size")]

    def dim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    nelement = numel

    def element_size(self) -> int:
        """Bytes an element."""
        return self.array.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """The step, in elements, along each dimension or along `dim`."""
        strides = tuple(s // self.array.itemsize for s in self.array.strides)
        return strides if dim is None else strides[wrap_dim(dim, self.ndim, "stride")]

    def data_ptr(self) -> int:
        """The address of the first element."""
        return int(self.array.__array_interface__["data"][0])

    def is_contiguous(self) -> bool:
        """Whether the elements lie in row-major order without gaps."""
        return bool(self.array.flags.c_contiguous)

    def is_floating_point(self) -> bool:
        """Whether the dtype is one of float16, bfloat16, float32, float64."""
        return self.array.dtype.char in dtypes.FLOAT_CHARS

    def is_complex(self) -> bool:
        """False: there are no complex dtypes."""
        return False

    # the graph

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for a gradient of this leaf (or, with False, no longer). Raises GraphError on a result of the graph."""
        node = current_node(self)
        if node is not None and type(node) is not Leaf:
            if not requires_grad:
                raise GraphError("requires_grad_: only leaf tensors can be switched off; use detach()")
        elif not requires_grad:
            self.node = None
        elif node is None:
            if not self.is_floating_point():
                raise DtypeError(f"requires_grad_: only floating-point tensors have gradients, got {self.dtype}")
            self.node = Leaf(self)
        return self

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add the gradient of this tensor into `.grad` of the leaves (or of `inputs`) that it was computed from.

        gradient      dL/d(self), of this tensor's shape; may be left out when it has one element (then it is 1)
        retain_graph  keep what is saved, to go backward again (default: the value of create_graph)
        create_graph  record the backward pass itself, so that the gradients can be differentiated again
        inputs        tensors to accumulate into; all leaves by default
        """
        from .autograd.engine import backward

        backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def detach(self) -> Tensor:
        """A tensor over the same memory outside the graph; changes in place through it are noticed by the graph."""
        out = new_tensor(self.array)
        out.memory = self.memory
        return out

    def detach_(self) -> Tensor:
        """Leave the graph: this tensor becomes a leaf that requires no gradient."""
        if self.view_of is not None:
            raise GraphError("detach_: cannot detach a view in place; use detach()")
        self.node = None
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of this non-leaf tensor in `.grad`, too."""
        import weakref

        node = current_node(self)
        if node is None:
            raise GraphError("retain_grad: this tensor does not require a gradient")
        if type(node) is Leaf or self.__dict__.get("_retains") is node:
            return
        me = weakref.ref(self)

        def keep(g: Tensor) -> None:
            tensor = me()
            if tensor is not None:
                held = g if g.node is not None else new_tensor(g.array.copy())
                tensor.grad = held if tensor.grad is None else tensor.grad + held  # type: ignore[operator]

        add_hook(node, keep)
        self._retains = node

    @property
    def retains_grad(self) -> bool:
        return "_retains" in self.__dict__

    def register_hook(self, hook: Callable[[Tensor], Any]) -> Handle:
        """Call `hook(gradient)` when the gradient of this tensor is known; a Tensor that it returns replaces it."""
        node = current_node(self)
        if node is None:
            raise GraphError("register_hook: this tensor does not require a gradient")
        return add_hook(node, hook)

    # to Python and NumPy

    def item(self) -> Any:
        """The single element, as a Python number. Raises ShapeError for more or fewer elements."""
        if self.array.size != 1:
            raise ShapeError(f"item: expected a tensor of one element, got shape {tuple(self.array.shape)}")
        value = self.array.item()
        return float(value) if self.is_floating_point() else value

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        if self.array.dtype == dtypes.bfloat16.numpy:
            return self.array.astype(np.float32).tolist()
        return self.array.tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """The array over the same memory. Raises GraphError if a gradient is required (`force=True` detaches)."""
        if not force and current_node(self) is not None:
            raise GraphError("numpy: this tensor requires a gradient; use detach().numpy()")
        return self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        if current_node(self) is not None:
            raise GraphError("__dlpack__: this tensor requires a gradient; use detach()")
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    def __len__(self) -> int:
        if self.array.ndim == 0:
            raise DtypeError("len: a 0-d tensor has no length")
        return self.array.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self.array.ndim == 0:
            raise DtypeError("iter: a 0-d tensor cannot be iterated over")
        return (self[i] for i in range(self.array.shape[0]))  # type: ignore[index]

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise ShapeError(f"bool: a tensor of shape {tuple(self.array.shape)} has no single truth value")
        return bool(self.array.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.category == 2 or self.array.size != 1:
            raise DtypeError(f"index: expected an integer tensor of one element, got {self.dtype} {tuple(self.shape)}")
        return int(self.array.item())

    def __contains__(self, value: Any) -> bool:
        return bool((self.array == (value.array if isinstance(value, Tensor) else value)).any())

    def __format__(self, spec: str) -> str:
        if not spec and (self.array.ndim or type(self) is not Tensor):
            return str(self)
        if self.array.ndim:
            raise DtypeError(f"format: {spec!r} goes with a 0-d tensor, got shape {tuple(self.array.shape)}")
        return format(self.item(), spec)

    def __repr__(self) -> str:
        from .printing import tensor_repr

        return tensor_repr(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) in memo:
            return memo[id(self)]  # type: ignore[no-any-return]
        if not self.is_leaf:
            raise GraphError("deepcopy: only leaf tensors can be copied; use detach().clone()")
        out = type(self).__new__(type(self))
        out.array, out.memory = self.array.copy(), [0, 0]
        memo[id(self)] = out
        if self.node is not None:
            out.node = Leaf(out)
        if self._grad is not None and self._copies_grad:
            out._grad = new_tensor(self._grad.array.copy())
        return out

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if not self.is_leaf:
            raise GraphError("pickle: only leaf tensors can be pickled; use detach()")
        return (_rebuild, (type(self), np.asarray(self.array, order="C"), self.requires_grad))


def _rebuild(kind: type[Tensor], array: np.ndarray[Any, Any], requires_grad: bool) -> Tensor:
    out = kind.__new__(kind)
    out.array, out.memory = array, [0, 0]
    return out.requires_grad_(requires_grad)


def new_tensor(array: Any) -> Tensor:
    """A tensor over `array`, outside the graph. NumPy's scalars become 0-d arrays."""
    out: Tensor = object.__new__(Tensor)
    out.array = array if type(array) is np.ndarray else np.asarray(array)
    out.memory = [0, 0]
    return out


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


def changed(x: Tensor) -> None:
    """Note the time of a change of x's memory."""
    x.memory[0] = tick()
    x.memory[1] += 1


def clear_grad(p: Tensor, set_to_none: bool) -> None:
    """Forget a gradient, or set it to zero."""
    if p.grad is None:
        return
    if set_to_none:
        p.grad = None
    else:
        from .autograd.views import check_memory

        check_memory(p.grad, "zero_grad")
        p.grad = p.grad.detach()
        p.grad.array[...] = 0


def current_node(x: Tensor) -> Node | Leaf | Part | None:
    """The tensor's node; a view whose base was changed in place since is first described again."""
    view = x.view_of
    if view is not None and view[2] != x.memory[1]:
        from .autograd.views import describe

        describe(x)
    return x.node


def add_hook(node: Node | Leaf | Part, hook: Callable[[Tensor], Any]) -> Handle:
    """Register `hook` on the gradient that arrives at `node`."""
    if node.hooks is None:
        node.hooks = {}
    handle = Handle(node.hooks)
    node.hooks[handle.id] = hook
    return handle


def wrap_dim(dim: Any, ndim: int, where: str) -> int:
    """`dim` counted from the front. Raises RangeError outside [-ndim, ndim-1] (a 0-d tensor counts as one axis)."""
    try:
        d = dim.__index__()
    except AttributeError:
        raise DtypeError(f"{where}: dim must be an integer, got {dim!r}") from None
    n = max(ndim, 1)
    if not -n <= d < n:
        raise RangeError(
            f"{where}: dim {d} is out of range for a tensor of {ndim} dimensions (expected {-n} to {n - 1})"
        )
    return d + n if d < 0 else d  # type: ignore[no-any-return]


def wrap_dims(dim: Any, ndim: int, where: str) -> tuple[int, ...]:
    """Several dims, counted from the front; None means all. Raises OptionError if one comes twice."""
    if dim is None:
        return tuple(range(ndim))
    dims = tuple(wrap_dim(d, ndim, where) for d in (dim if isinstance(dim, tuple | list) else (dim,)))
    if len(set(dims)) < len(dims):
        raise OptionError(f"{where}: dim {tuple(dim)} names a dimension twice")
    return dims if ndim else ()
