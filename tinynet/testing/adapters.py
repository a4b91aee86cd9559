"""Engines as the gradient checker sees them. An engine is imported when its adapter is first used, never before."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinynet.errors import DtypeError
from tinynet.testing.derivative import is_float

Array = NDArray[Any]


class Adapter(Protocol):
    """What the checker needs of an engine.

    Two more methods are optional: `jvp`, without which there are no forward-mode checks (see `ForwardAdapter`), and
    `call(f, args)`, where the engine needs more than f(*args) to run f on its tensors.
    """

    @property
    def name(self) -> str:
        """The engine's name, for reports."""
        ...

    def from_numpy(self, array: Array, requires_grad: bool) -> Any:
        """A new tensor with the array's values and dtype, sharing no memory with it."""
        ...

    def to_numpy(self, value: Any) -> Array:
        """The tensor's values, outside of any graph."""
        ...

    def vjp(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        cotangents: Sequence[Any],
        wrt: Sequence[int],
        create_graph: bool = False,
    ) -> Sequence[Any]:
        """The gradients of Σ_k <cotangents[k], f(*args)[k]> with respect to args[i], i in wrt.

        `cotangents` has one entry per output, None for an output without a gradient (integers). The result has one
        entry per index in `wrt`, None where the engine gives no gradient.
        """
        ...


class ForwardAdapter(Adapter, Protocol):
    """An adapter of an engine that can also push tangents forward."""

    def jvp(self, f: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any], wrt: Sequence[int]) -> list[Any]:
        """The tangents Σ_i J_ki tangents[i], one per output k, None for outputs that are not floating.

        `tangents` has one entry per index in `wrt`. Raises NotImplementedError where the engine has no rule.
        """
        ...


class _Engine:
    """What the adapters share: a package that is imported on first use."""

    def __init__(self, name: str, package: str) -> None:
        self.name = name
        self._package = package

        self._loaded: dict[str, ModuleType] = {}

    def _load(self, module: str = "") -> ModuleType:
        if module not in self._loaded:
            self._loaded[module] = self._imported(module)
        return self._loaded[module]

    def _imported(self, module: str) -> ModuleType:
        try:
            package = import_module(self._package)
        except ModuleNotFoundError as error:
            if error.name != self._package:
                raise
            message = f"tinynet.testing: the {self.name} adapter needs {self._package}: pip install {self._package}"
            raise ImportError(message, name=self._package) from error
        return import_module(f"{self._package}.{module}") if module else package

    def __repr__(self) -> str:
        return f"<tinynet.testing adapter of {self.name}>"


class _Graph(_Engine):
    """The adapter of an engine with PyTorch's names: `tensor`, `requires_grad_`, `autograd.grad`, `detach`."""

    def from_numpy(self, array: Array, requires_grad: bool) -> Any:
        tensor = self._load().from_numpy(np.array(array, order="C"))
        return tensor.requires_grad_() if requires_grad else tensor

    def to_numpy(self, value: Any) -> Array:
        return np.asarray(value.detach().numpy()) if hasattr(value, "detach") else np.asarray(value)

    def vjp(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        cotangents: Sequence[Any],
        wrt: Sequence[int],
        create_graph: bool = False,
    ) -> Sequence[Any]:
        args = [a.detach().requires_grad_() if i in wrt and not a.requires_grad else a for i, a in enumerate(args)]
        pairs = [
            (y, u)
            for y, u in zip(outputs_of(f(*args)), cotangents, strict=True)
            if u is not None and getattr(y, "requires_grad", False)
        ]
        if not pairs:  # no output depends on an argument that requires a gradient
            return [None] * len(wrt)
        outputs, grad_outputs = zip(*pairs, strict=True)
        return tuple(
            self._load().autograd.grad(
                list(outputs),
                [args[i] for i in wrt],
                list(grad_outputs),
                allow_unused=True,
                create_graph=create_graph,
            )
        )

    def jvp(self, f: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any], wrt: Sequence[int]) -> list[Any]:
        """By two backwards: u ↦ uᵀJ is linear, and its gradient with respect to u is J v."""
        grad = self._load().autograd.grad
        args = [a.detach().requires_grad_() if i in wrt else a for i, a in enumerate(args)]
        outputs = outputs_of(f(*args))
        zeros = [self._zeros(y) for y in outputs]
        live = [k for k, y in enumerate(outputs) if zeros[k] is not None and y.requires_grad]
        if not live:  # every output is constant
            return zeros
        us = [self._zeros(outputs[k]).requires_grad_() for k in live]
        gradients = grad([outputs[k] for k in live], [args[i] for i in wrt], us, allow_unused=True, create_graph=True)
        # A rule computed outside of the graph would give the tangent 0. For u = 0 nothing tells it from a gradient
        # that is 0 for every u, as floor's; for u = 1 the values do.
        if any(g is not None and not g.requires_grad for g in gradients):
            ones = [self.from_numpy(np.ones_like(self.to_numpy(u)), False) for u in us]
            values = self.vjp(f, args, [ones[live.index(k)] if k in live else None for k in range(len(outputs))], wrt)
            for i, g, value in zip(wrt, gradients, values, strict=True):
                if g is not None and not g.requires_grad and np.any(self.to_numpy(value)):
                    raise NotImplementedError(
                        f"{self.name}: no forward mode for this function: the gradient of argument {i} has no graph, "
                        "and two backwards cannot give J v"
                    )
        pairs = [(g, v) for g, v in zip(gradients, tangents, strict=True) if g is not None and g.requires_grad]
        if pairs:
            gs, vs = zip(*pairs, strict=True)
            found = grad(list(gs), us, list(vs), allow_unused=True)
            for k, tangent in zip(live, found, strict=True):
                if tangent is not None:
                    zeros[k] = tangent
        return zeros

    def _zeros(self, value: Any) -> Any:
        """Zeros like the tensor, outside of the graph; None for a tensor that is not floating."""
        array = self.to_numpy(value)
        return self.from_numpy(np.zeros_like(array), False) if is_float(array.dtype) else None


class _Tinynet(_Graph):
    """tinynet, imported in plain sight."""

    def _load(self, module: str = "") -> ModuleType:
        import tinynet

        return tinynet


class _Torch(_Graph):
    """PyTorch, whose lazily zero, conjugate or negative tensors only `force` turns into arrays."""

    def from_numpy(self, array: Array, requires_grad: bool) -> Any:
        if array.dtype.name != "bfloat16":
            return super().from_numpy(array, requires_grad)
        tensor = super().from_numpy(array.astype(np.float32), False).bfloat16()  # NumPy and PyTorch share no bfloat16
        return tensor.requires_grad_() if requires_grad else tensor

    def to_numpy(self, value: Any) -> Array:
        if not hasattr(value, "detach"):
            return np.asarray(value)
        if str(value.dtype) == "torch.bfloat16":
            import ml_dtypes

            return np.asarray(value.float().numpy(force=True)).astype(ml_dtypes.bfloat16)
        return np.asarray(value.numpy(force=True))

    def jvp(self, f: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any], wrt: Sequence[int]) -> list[Any]:
        """By dual numbers, or by two backwards where an operation has no forward rule."""
        forward = self._load("autograd.forward_ad")
        try:
            with forward.dual_level():
                with warnings.catch_warnings():  # the first call loads code of PyTorch's that PyTorch deprecates
                    warnings.simplefilter("ignore", DeprecationWarning)
                    found = [forward.make_dual(args[i].detach(), v) for i, v in zip(wrt, tangents, strict=True)]
                duals = _replaced(args, wrt, found)
                found = []
                for y in outputs_of(f(*duals)):
                    primal, tangent = forward.unpack_dual(y) if hasattr(y, "is_floating_point") else (y, None)
                    found.append(self._zeros(primal) if tangent is None else tangent)
                return found
        except (NotImplementedError, RuntimeError) as error:
            if not isinstance(error, NotImplementedError) and "forward mode AD" not in str(error):
                raise  # the function's own error: a custom function without a jvp is a RuntimeError too
        return super().jvp(f, args, tangents, wrt)


class _Functional(_Engine):
    """The adapter of an engine that transforms functions of arrays: its gradients nest, and no tensor asks for one."""

    def call(self, f: Callable[..., Any], args: Sequence[Any]) -> Any:
        """f(*args)."""
        with self._precision(args):
            return f(*args)

    def vjp(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        cotangents: Sequence[Any],
        wrt: Sequence[int],
        create_graph: bool = False,
    ) -> Sequence[Any]:
        floating = [k for k, u in enumerate(cotangents) if u is not None]
        if not floating or not wrt:
            return [None] * len(wrt)

        def chosen(*xs: Any) -> tuple[Any, ...]:
            outputs = outputs_of(f(*_replaced(args, wrt, xs)))
            return tuple(outputs[k] for k in floating)

        with self._precision([*args, *cotangents]):
            return self._pull(chosen, [args[i] for i in wrt], [cotangents[k] for k in floating])

    def jvp(self, f: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any], wrt: Sequence[int]) -> list[Any]:
        floating: list[bool] = []

        def chosen(*xs: Any) -> tuple[Any, ...]:
            outputs = outputs_of(f(*_replaced(args, wrt, xs)))
            floating[:] = [is_float(np.dtype(getattr(y, "dtype", type(y)))) for y in outputs]
            return tuple(y for y, kept in zip(outputs, floating, strict=True) if kept)

        with self._precision([*args, *tangents]):
            found = iter(self._push(chosen, [args[i] for i in wrt], list(tangents)))
        return [next(found) if kept else None for kept in floating]

    def _precision(self, values: Sequence[Any]) -> AbstractContextManager[Any]:
        return nullcontext()

    def _pull(self, f: Callable[..., tuple[Any, ...]], xs: Sequence[Any], us: Sequence[Any]) -> Sequence[Any]:
        raise NotImplementedError

    def _push(self, f: Callable[..., tuple[Any, ...]], xs: Sequence[Any], vs: Sequence[Any]) -> Sequence[Any]:
        raise NotImplementedError


class _Jax(_Functional):
    """JAX. Where 64-bit arrays take part, they are 64-bit for the call's duration; the user's setting stays."""

    def from_numpy(self, array: Array, requires_grad: bool) -> Any:
        make = self._load("numpy").array
        try:
            with self._precision([array]):
                return make(array)
        except TypeError as error:
            message = f"jax_adapter.from_numpy: array has dtype {array.dtype}, expected one that JAX has"
            raise DtypeError(message) from error

    def to_numpy(self, value: Any) -> Array:
        return np.array(value)

    def _precision(self, values: Sequence[Any]) -> AbstractContextManager[Any]:
        if all(getattr(getattr(x, "dtype", None), "itemsize", 0) < 8 for x in values):
            return nullcontext()
        jax = self._load()
        if hasattr(jax, "enable_x64"):
            return jax.enable_x64(True)
        return self._load("experimental").enable_x64()  # before JAX 0.8

    def _pull(self, f: Callable[..., tuple[Any, ...]], xs: Sequence[Any], us: Sequence[Any]) -> Sequence[Any]:
        _, pull = self._load().vjp(f, *xs)
        return tuple(pull(tuple(us)))

    def _push(self, f: Callable[..., tuple[Any, ...]], xs: Sequence[Any], vs: Sequence[Any]) -> Sequence[Any]:
        try:
            return tuple(self._load().jvp(f, tuple(xs), tuple(vs))[1])
        except TypeError as error:
            if "custom_vjp" not in str(error):
                raise
            raise NotImplementedError(f"{self.name}: no forward mode for this function: {error}") from error


class _Autograd(_Functional):
    """HIPS autograd. It differentiates with respect to one value: here a tuple of arguments, to a tuple of outputs."""

    def from_numpy(self, array: Array, requires_grad: bool) -> Any:
        return np.array(array)

    def to_numpy(self, value: Any) -> Array:
        return np.array(value)

    def _pull(self, f: Callable[..., tuple[Any, ...]], xs: Sequence[Any], us: Sequence[Any]) -> Sequence[Any]:
        pack = self._load("builtins").tuple
        with _independent_outputs_allowed():
            pull, _ = self._load("core").make_vjp(lambda x: pack(f(*(x[i] for i in range(len(xs))))), pack(xs))
        gradients = pull(pack(us))
        return tuple(gradients[i] for i in range(len(xs)))

    def _push(self, f: Callable[..., tuple[Any, ...]], xs: Sequence[Any], vs: Sequence[Any]) -> Sequence[Any]:
        pack = self._load("builtins").tuple
        push = self._load("core").make_jvp(lambda x: pack(f(*(x[i] for i in range(len(xs))))), pack(xs))
        try:
            with _independent_outputs_allowed():
                outputs, found = push(pack(vs))
        except NotImplementedError as error:
            raise NotImplementedError(f"{self.name}: no forward mode for this function: {error}") from error
        return tuple(found[k] for k in range(len(outputs)))


tinynet_adapter: ForwardAdapter = _Tinynet("tinynet", "tinynet")
torch_adapter: ForwardAdapter = _Torch("torch", "torch")
jax_adapter: ForwardAdapter = _Jax("JAX", "jax")
autograd_adapter: ForwardAdapter = _Autograd("autograd", "autograd")


def call(adapter: Adapter, f: Callable[..., Any], args: Sequence[Any]) -> Any:
    """f(*args) over the adapter's tensors, in its own `call` where it has one."""
    return adapter.call(f, args) if hasattr(adapter, "call") else f(*args)


def device_of(value: Any) -> str | None:
    """The device of a tensor as a string, None for a value without one."""
    device = getattr(value, "device", None)
    return None if device is None else str(device)


def outputs_of(result: Any) -> tuple[Any, ...]:
    """A function's outputs as a tuple, whether it returns one or several."""
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def _replaced(args: Sequence[Any], wrt: Sequence[int], xs: Sequence[Any]) -> list[Any]:
    """The arguments, with xs at the positions wrt."""
    full = list(args)
    for i, x in zip(wrt, xs, strict=True):
        full[i] = x
    return full


@contextmanager
def _independent_outputs_allowed() -> Iterator[None]:
    """autograd warns where no output depends on the arguments: for a checker that is a gradient of 0, as any other."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Output seems independent of input")
        yield
