"""Pruning: a parameter times a mask of zeros and ones, by PyTorch's names.

A pruned parameter `weight` becomes the parameter `weight_orig`, the buffer `weight_mask`, and the plain attribute
`weight` = weight_orig ⊙ weight_mask, made anew before every forward. Pruning again multiplies masks.
Source: Han, Pool, Tran, Dally, "Learning both weights and connections", 2015.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..._tensor import Tensor, new_tensor
from ...errors import DtypeError, OptionError, ShapeError
from ...ops import primitives as P
from ...ops.creation import _stream
from ..module import Module

Array = np.ndarray[Any, Any]


def _count(amount: float, size: int) -> int:
    """How many of `size` units an amount is: itself if an integer, else that share, rounded."""
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise DtypeError(f"prune: amount must be a number, got {type(amount).__name__}")
    if amount < 0 or (isinstance(amount, float) and amount > 1):
        raise OptionError(f"prune: amount must be an integer ≥ 0 or a share from 0 to 1, got {amount}")
    if isinstance(amount, int) and amount > size:
        raise OptionError(f"prune: amount {amount} is more than the {size} units there are")
    return amount if isinstance(amount, int) else round(amount * size)


class BasePruningMethod(ABC):
    """A way to choose what becomes 0; a subclass gives `PRUNING_TYPE` and `compute_mask`."""

    PRUNING_TYPE = ""
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask of `t`, whose elements that count are those of ones in `default_mask`."""

    def apply_mask(self, module: Module) -> Tensor:
        """The parameter times its mask."""
        original = getattr(module, self._tensor_name + "_orig")
        return P.mul(original, getattr(module, self._tensor_name + "_mask"))

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """`t` times its mask, without changing it."""
        mask = new_tensor(np.ones_like(t.array)) if default_mask is None else default_mask
        return P.mul(t, self.compute_mask(_like("prune", importance_scores, t), mask))

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune a parameter of the module, once more if it is pruned already; returns the method."""
        method = cls(*args, **kwargs)
        method._tensor_name = name
        before = _hook(module, name)
        if before:
            original, mask = getattr(module, name + "_orig"), getattr(module, name + "_mask")
        else:
            original = module._parameters.get(name)
            if original is None:
                raise OptionError(f"prune: {type(module).__name__} has no parameter {name!r}")
            mask = new_tensor(np.ones_like(original.array))
        scores = _like("prune", importance_scores, original)
        hook: BasePruningMethod = method
        if before:
            hook = PruningContainer(before[1], method)
            del module._forward_pre_hooks[before[0]]
        new = hook.compute_mask(scores, mask)
        if not before:
            del module._parameters[name]
            module.register_parameter(name + "_orig", original)
            module.register_buffer(name + "_mask", new)
        else:
            module._buffers[name + "_mask"] = new
        module.register_forward_pre_hook(hook)
        setattr(module, name, hook.apply_mask(module))
        return hook

    def remove(self, module: Module) -> None:
        """Make the pruned values the parameter, and forget the mask."""
        name = self._tensor_name
        original = module._parameters[name + "_orig"]
        assert original is not None
        original.data = self.apply_mask(module).detach()
        del module._parameters[name + "_orig"], module._buffers[name + "_mask"]
        if name in module.__dict__:
            delattr(module, name)
        module.register_parameter(name, original)


def _hook(module: Module, name: str) -> tuple[Any, BasePruningMethod] | None:
    """The pruning hook of a parameter, and where it stands."""
    for key, (hook, _) in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return key, hook
    return None


def _like(where: str, scores: Tensor | None, t: Tensor) -> Tensor:
    if scores is not None and scores.array.shape != t.array.shape:
        raise ShapeError(
            f"{where}: importance_scores must have shape {tuple(t.array.shape)}, got {tuple(scores.array.shape)}"
        )
    return t if scores is None else scores


class PruningContainer(BasePruningMethod):
    """Methods one after another; each looks at what those before have left."""

    def __init__(self, *methods: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        for method in methods:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod) -> None:
        """Append a method of the same parameter."""
        if not isinstance(method, BasePruningMethod):
            raise DtypeError(f"PruningContainer: expected a BasePruningMethod, got {type(method).__name__}")
        inner = method._pruning_methods if isinstance(method, PruningContainer) else (method,)
        if self._pruning_methods and method._tensor_name != self._tensor_name:
            raise OptionError(f"PruningContainer: prunes {self._tensor_name!r}, the method {method._tensor_name!r}")
        self._pruning_methods += inner
        self._tensor_name = method._tensor_name

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Any:
        return iter(self._pruning_methods)

    def __getitem__(self, i: int) -> BasePruningMethod:
        return self._pruning_methods[i]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask of the last method, over the elements that are left; the others stay 0."""
        method, left = self._pruning_methods[-1], default_mask.array != 0
        chosen: Any
        if method.PRUNING_TYPE == "unstructured":
            chosen = left
        elif method.PRUNING_TYPE == "structured":
            axes = tuple(i for i in range(t.ndim) if i != method.dim % t.ndim)  # type: ignore[attr-defined]
            kept = left.any(axis=axes)
            chosen = tuple(kept if i == method.dim % t.ndim else slice(None) for i in range(t.ndim))  # type: ignore[attr-defined]
        else:
            chosen = (slice(None),) * t.ndim
        mask = default_mask.array.copy()
        part = method.compute_mask(new_tensor(t.array[chosen]), new_tensor(mask[chosen]))
        mask[chosen] = part.array
        return new_tensor(mask)


class Identity(BasePruningMethod):
    """Nothing becomes 0."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask as it was."""
        return default_mask


class CustomFromMask(BasePruningMethod):
    """A given mask."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The given mask where the other is 1."""
        if self.mask.array.shape != default_mask.array.shape:
            raise ShapeError(f"prune: mask must have shape {tuple(t.array.shape)}, got {tuple(self.mask.array.shape)}")
        return new_tensor(default_mask.array * self.mask.array.astype(default_mask.array.dtype))


class _Amount(BasePruningMethod):
    def __init__(self, amount: float) -> None:
        _count(amount, 1 << 62)
        self.amount = amount


class RandomUnstructured(_Amount):
    """Elements drawn at random."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Zeros at as many drawn places as `amount` says."""
        return _without(default_mask, np.argsort(_stream(None).uniform((t.array.size,), np.dtype(np.float64))), self)


class L1Unstructured(_Amount):
    """The elements of the smallest size."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Zeros where |t| is smallest; of equal ones, at the first."""
        return _without(default_mask, np.argsort(np.abs(t.array).reshape(-1), kind="stable"), self)


def _without(mask: Tensor, order: Array, method: _Amount) -> Tensor:
    new = mask.array.copy().reshape(-1)
    new[order[: _count(method.amount, order.size)]] = 0
    return new_tensor(new.reshape(mask.array.shape))


class _Structured(_Amount):
    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def scores(self, t: Array, axes: tuple[int, ...]) -> Array:
        """How much each slice along `dim` counts."""
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Zeros in the slices along `dim` that count least."""
        if t.ndim < 2 or not -t.ndim <= self.dim < t.ndim:
            raise ShapeError(
                f"prune: expected at least 2 dimensions and dim {self.dim} among them, got {tuple(t.shape)}"
            )
        d = self.dim % t.ndim
        count = _count(self.amount, t.array.shape[d])
        order = np.argsort(self.scores(t.array, tuple(i for i in range(t.ndim) if i != d)), kind="stable")
        mask = default_mask.array.copy()
        np.moveaxis(mask, d, 0)[order[:count]] = 0
        return new_tensor(mask)


class RandomStructured(_Structured):
    """Slices along a dimension, drawn at random."""

    def scores(self, t: Array, axes: tuple[int, ...]) -> Array:
        """Draws."""
        return _stream(None).uniform(
            (t.size // max(1, int(np.prod([t.shape[i] for i in axes]))),), np.dtype(np.float64)
        )


class LnStructured(_Structured):
    """The slices along a dimension that have the smallest n-norm."""

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def scores(self, t: Array, axes: tuple[int, ...]) -> Array:
        """The norms."""
        if self.n == "fro":
            return np.asarray(np.sqrt((t.astype(np.float64) ** 2).sum(axis=axes)))
        if isinstance(self.n, str):
            raise NotImplementedError(f"prune: n={self.n!r} is not supported; use a number or 'fro'")
        d = next(i for i in range(t.ndim) if i not in axes)
        rows = np.moveaxis(t, d, 0).reshape(t.shape[d], -1).astype(np.float64)
        return np.asarray(np.linalg.norm(rows, ord=float(self.n), axis=1))


def identity(module: Module, name: str) -> Module:
    """Mark a parameter as pruned without changing it."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Set `amount` elements (a number, or a share) drawn at random to 0."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Module, name: str, amount: float, importance_scores: Tensor | None = None) -> Module:
    """Set the `amount` elements of the smallest size (or score) to 0."""
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Set `amount` slices along `dim` drawn at random to 0."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module, name: str, amount: float, n: Any, dim: int, importance_scores: Tensor | None = None
) -> Module:
    """Set the `amount` slices along `dim` of the smallest n-norm (of values, or scores) to 0."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune by a given mask."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune several parameters, (module, name) each, as if they were one: the smallest of all become 0."""
    pairs = list(parameters)
    if not pairs:
        raise OptionError("global_unstructured: expected at least one (module, name), got none")
    scores = importance_scores or {}
    values = [getattr(m, n + "_orig", None) if n not in m._parameters else m._parameters[n] for m, n in pairs]
    if any(v is None for v in values):
        raise OptionError(f"global_unstructured: not a parameter among {[n for _, n in pairs]}")
    flat = [scores.get(pair, v).array.reshape(-1) for pair, v in zip(pairs, values, strict=True)]  # type: ignore[union-attr]
    masks = [
        getattr(m, n + "_mask").array.reshape(-1) if hasattr(m, n + "_mask") else np.ones(v.size, v.dtype)
        for (m, n), v in zip(pairs, flat, strict=True)
    ]
    method = pruning_method(**kwargs)
    method._tensor_name = "temp"
    if method.PRUNING_TYPE != "unstructured":
        raise OptionError(f"global_unstructured: expected an unstructured method, got {pruning_method.__name__}")
    container = PruningContainer(method)
    mask = container.compute_mask(new_tensor(np.concatenate(flat)), new_tensor(np.concatenate(masks))).array
    at = 0
    for (module, name), v in zip(pairs, values, strict=True):
        assert v is not None
        custom_from_mask(module, name, new_tensor(mask[at : at + v.array.size].reshape(v.array.shape)))
        at += v.array.size


def remove(module: Module, name: str) -> Module:
    """Make the pruned values of a parameter permanent."""
    found = _hook(module, name)
    if found is None:
        raise OptionError(f"prune.remove: parameter {name!r} of {type(module).__name__} is not pruned")
    found[1].remove(module)
    del module._forward_pre_hooks[found[0]]
    return module


def is_pruned(module: Module) -> bool:
    """Whether a parameter of the module, or of one in it, is pruned."""
    return any(isinstance(h, BasePruningMethod) for m in module.modules() for h, _ in m._forward_pre_hooks.values())


__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]
