"""Optimizer: parameter groups, state, and a step; with PyTorch's behaviour."""

from __future__ import annotations

import itertools
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .._tensor import Tensor, changed, clear_grad, new_tensor
from ..autograd.modes import enable_grad, modes, no_grad
from ..autograd.views import check_memory
from ..errors import DtypeError, GraphError, OptionError
from ..strict import is_strict
from .batch import Array, Batch, Launch, arrays_of, check_shapes, make_batch


def check(where: str, name: str, ok: bool, value: Any, expected: str) -> None:
    """Raise OptionError naming the option unless `ok`."""
    if not ok:
        raise OptionError(f"{where}: {name} must be {expected}, got {value!r}")


def options(where: str, *, differentiable: bool, capturable: bool | None = None, **own: Any) -> dict[str, Any]:
    """The defaults of an optimizer: its own options, those that every one has, and those that are not supported."""
    if differentiable or capturable:
        raise NotImplementedError(f"{where}: differentiable=True and capturable=True are not supported")
    for name in ("lr", "eps", "weight_decay"):
        if name in own:
            check(where, name, own[name] >= 0, own[name], "≥ 0")
    if "betas" in own:
        betas = own["betas"]
        check(where, "betas", len(betas) == 2 and all(0 <= b < 1 for b in betas), betas, "two numbers in [0, 1)")
    return {**own, **({} if capturable is None else {"capturable": False}), "differentiable": False}


def descent(p: Array, g: Array, group: dict[str, Any]) -> Array:
    """The gradient to descend along: negated under `maximize`, and with weight_decay·p added.

    Where the group has `decoupled_weight_decay` set, p ← (1 − lr·weight_decay)·p instead.
    """
    d = -g if group["maximize"] else g
    if not group["weight_decay"]:
        return d
    if group.get("decoupled_weight_decay"):
        p *= 1.0 - group["lr"] * group["weight_decay"]
        return d
    return d + p * group["weight_decay"]


class Optimizer:
    """Parameters in groups, each with its options. A subclass defines `slots`, `update` (definition), `launch` (kernel).

    has_kernel  False: `update` runs always, and there is no `launch`
    """

    has_kernel = True

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._batches: dict[int, Batch] = {}
        if isinstance(params, Tensor):
            raise DtypeError(f"{self._name}: params must be an iterable of Tensors or dicts, got a Tensor")
        groups = list(params)
        if not groups:
            raise OptionError(f"{self._name}: got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Train more parameters: a dict with "params" and the options that differ from the defaults."""
        if not isinstance(param_group, dict):
            raise DtypeError(f"{self._name}: a parameter group must be a dict, got {type(param_group).__name__}")
        group = dict(param_group)
        params = group.get("params")
        items = [params] if isinstance(params, Tensor) else list(params or ())
        if items and all(isinstance(i, tuple) for i in items):  # named_parameters()
            group["param_names"], items = [n for n, _ in items], [p for _, p in items]
        seen = {id(p) for g in self.param_groups for p in g["params"]}
        for p in items:
            if not isinstance(p, Tensor):
                raise DtypeError(f"{self._name}: can only optimize Tensors, got {type(p).__name__}")
            if not p.is_leaf:
                raise GraphError(f"{self._name}: can only optimize leaf tensors")
            if id(p) in seen:
                raise OptionError(f"{self._name}: a parameter appears in more than one group, or twice")
            seen.add(id(p))
        unknown = set(group) - set(self.defaults) - {"params", "param_names", "initial_lr", "name"}
        if unknown and is_strict():  # as in PyTorch, a program may keep its own things there
            raise OptionError(f"{self._name}: unknown options {', '.join(sorted(unknown))}")
        group["params"] = items
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients (or set them to zero)."""
        for group in self.param_groups:
            for p in group["params"]:
                clear_grad(p, set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; a closure is called first, and its loss returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        params, grads = [], []
        for p in group["params"]:
            g = p.grad
            if g is not None:
                params.append(p)
                grads.append(g.array)
        if not params:
            return
        batch = self._batch(params, group)
        if [(g.shape, g.dtype) for g in grads] != batch.kinds:
            for p in params:
                check_shapes(self._name, p, {})
            raise DtypeError(f"{self._name}.step: a gradient has another dtype than its parameter")
        for launch in batch.launches:
            every = len(launch.numbers) == len(grads)
            self.launch(launch, grads if every else [grads[i] for i in launch.numbers], group)
            launch.done()
        if batch.others:
            with np.errstate(all="ignore"):  # a step that diverges gives inf and NaN, not warnings
                for i, fresh in batch.others.items():
                    self.update(params[i].array, grads[i], self.state[params[i]], group, fresh)
                    batch.others[i] = False
        for p in params:
            changed(p)

    def _batch(self, params: list[Tensor], group: dict[str, Any]) -> Batch:
        """The last step's, if it is over the same parameters, arrays and slots."""
        slots, old = self.slots(group), self._batches.get(id(group))
        by_definition = modes.definitions or not self.has_kernel
        if (
            old is not None
            and old.by_definition == by_definition
            and old.slots == slots
            and _same(params, old.params)
            and _same(arrays_of(params, self.state, slots) or [], old.arrays)
        ):
            return old
        self._check_memory(params, slots)
        new = make_batch(self._name, params, self.state, slots, by_definition)
        self._batches[id(group)] = new
        return new

    def _check_memory(self, params: list[Tensor], slots: tuple[str, ...]) -> None:
        """Raise GraphError where a parameter, or a tensor of its state, cannot be changed in place."""
        numbers = self._numbers()
        for p in params:
            where = f"{self._name}.step: parameter {numbers[id(p)]} of shape {tuple(p.array.shape)}"
            check_memory(p, where)
            for name in slots:
                if isinstance(v := self.state[p].get(name), Tensor):
                    check_memory(v, f"{where}, its {name}")

    def _numbers(self) -> dict[int, int]:
        """The number of each parameter, by its id, counted over the groups."""
        return {id(p): i for i, p in enumerate(itertools.chain(*(g["params"] for g in self.param_groups)))}

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The names of the state tensors: of the parameter's shape, in the order of the kernel's rows; or "step"."""
        raise NotImplementedError(f"{self._name}.slots must be overridden")

    def launch(self, launch: Launch, grads: list[Array], group: dict[str, Any]) -> None:
        """One step of all parameters of a launch, by kernel."""
        raise NotImplementedError(f"{self._name}.launch must be overridden")

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any], fresh: bool) -> None:
        """One step of one parameter by its definition in NumPy; the slots are filled, with zeros where `fresh`."""
        raise NotImplementedError(f"{self._name}.update must be overridden")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_batches": {}}  # they hold addresses

    # state

    def state_dict(self) -> dict[str, Any]:
        """State and groups, with parameters replaced by their numbers."""
        number = self._numbers()
        groups = [
            {**{k: v for k, v in g.items() if k != "params"}, "params": [number[id(p)] for p in g["params"]]}
            for g in self.param_groups
        ]
        return {"state": {number[id(p)]: dict(s) for p, s in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state_dict of an optimizer with the same groups. Raises OptionError where they differ."""
        groups, state = state_dict["param_groups"], state_dict["state"]
        if [len(g["params"]) for g in groups] != [len(g["params"]) for g in self.param_groups]:
            raise OptionError(f"{self._name}.load_state_dict: the parameter groups differ in number or size")
        by_number: dict[int, Tensor] = {}
        for mine, theirs in zip(self.param_groups, groups, strict=True):
            mine.update({k: v for k, v in theirs.items() if k != "params"})
            by_number.update(zip(theirs["params"], mine["params"], strict=True))
        self.state.clear()
        for number, values in state.items():
            p = by_number[int(number) if not isinstance(number, int) else number]
            for name, v in values.items():
                if isinstance(v, Tensor) and v.ndim and v.array.shape != p.array.shape:
                    raise OptionError(
                        f"{self._name}.load_state_dict: {name} has shape {tuple(v.shape)} for a parameter of "
                        f"shape {tuple(p.shape)}"
                    )
            self.state[p] = {n: _own(v, p) for n, v in values.items()}

    def __repr__(self) -> str:
        lines = [f"{self._name} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {k}: {group[k]}" for k in sorted(group) if k != "params"]
        return "\n".join([*lines, ")"])


def _own(value: Any, p: Tensor) -> Any:
    """A copy of a state tensor in the parameter's dtype (step counts as they are)."""
    if not isinstance(value, Tensor):
        return value
    return new_tensor(value.array.astype(p.array.dtype if value.ndim else value.array.dtype, order="C"))


def _same(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(map(operator.is_, a, b))


Params = Iterable[Any]
