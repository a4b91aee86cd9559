"""Random programs of views, changes in place and backward, against a model of what they mean.

    from hypothesis.stateful import run_state_machine_as_test
    from tinynet.testing.stateful import view_machine

    TestViews = view_machine(my_engine).TestCase          # for pytest or unittest
    run_state_machine_as_test(view_machine(my_engine))    # or at once

The model has no graph: memory holds numbers and, beside them, derivatives by complex steps. After every step every
live tensor must have the model's values and flags, and every gradient must be the model's. What an engine may refuse
is foreseen: each refusal has its reason, and any other error is a failure. A failing program is printed as one.
"""

from __future__ import annotations

try:
    from hypothesis import strategies as st
    from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule
except ImportError as error:  # pragma: no cover
    raise ImportError("tinynet.testing.stateful needs Hypothesis: pip install 'tinynet-engine[test]'") from error

from collections.abc import Callable
from contextlib import nullcontext
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from tinynet.testing._memory import Floats, Memory, Ref, strided
from tinynet.testing.strategies import basic_indices, shapes

__all__ = ["view_machine"]

_LARGEST = 64.0  # products of products stay where rounding is far below the tolerance
_MOST = 10  # live tensors
_RTOL = 1e-9

_UNARY: dict[str, Callable[..., Any]] = {"sin": np.sin, "tanh": np.tanh, "neg": np.negative}
_BINARY: dict[str, Callable[..., Any]] = {"add": np.add, "sub": np.subtract, "mul": np.multiply}
_NUMBERS = st.sampled_from([2.0, -1.5, 0.5])


class _ViewMachine(RuleBasedStateMachine):
    """The machine, for the class attributes `engine` and `aliased`."""

    engine: ClassVar[ModuleType]
    aliased: ClassVar[bool]

    tensors: Bundle[Ref] = Bundle("tensors")

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()
        self.program: list[str] = []
        self.drawn = 0

    # rules

    @initialize(target=tensors, shape=shapes(max_dims=2, min_side=1, max_side=3))
    def leaf(self, shape: tuple[int, ...]) -> Ref:
        """Every program has a leaf."""
        return self._create(shape, True)

    @precondition(lambda self: len(self.memory.refs) < _MOST)
    @rule(target=tensors, shape=shapes(max_dims=2, min_side=1, max_side=3), requires_grad=st.booleans())
    def create(self, shape: tuple[int, ...], requires_grad: bool) -> Ref:
        """A leaf."""
        return self._create(shape, requires_grad and len(self.memory.leaves) < 3)

    @precondition(lambda self: len(self.memory.refs) < _MOST)
    @rule(target=tensors, x=tensors, data=st.data())
    def view(self, x: Ref, data: st.DataObject) -> Any:
        """A tensor in the memory of another."""
        kind = data.draw(st.sampled_from(_VIEWS))
        name, args, places = _arrange(kind, x, data)
        if name == "view" and not strided(places):
            self._refused(x, name, args, "the memory of this tensor cannot be seen in this shape")
            return multiple()
        if name == "reshape" and not strided(places):
            out = self.memory.result(self.memory.run(lambda a: a.reshape(len(a), *args[0]), x), (x,), False)
        else:
            out = self.memory.detach(x) if name == "detach" else self.memory.view(x, places)
        out.tensor = self._call(x, name, args, out)
        return out

    @precondition(lambda self: len(self.memory.refs) < _MOST)
    @rule(target=tensors, x=tensors, data=st.data())
    def compute(self, x: Ref, data: st.DataObject) -> Any:
        """A result in memory of its own."""
        kinds = [*_UNARY, *_BINARY, "clone", "sum", *(["matmul"] if len(x.shape) == 2 else [])]
        name = data.draw(st.sampled_from(kinds))
        args: tuple[Any, ...] = ()
        if name in _UNARY:
            f = _UNARY[name]
        elif name in _BINARY:
            f = _BINARY[name]
            args = (data.draw(_NUMBERS | st.sampled_from(self._fitting(x, _broadcast))),)
        elif name == "matmul":
            f = np.matmul
            fitting = self._fitting(x, lambda a, b: len(b) == 2 and a[1] == b[0])
            if not fitting:
                return multiple()
            args = (data.draw(st.sampled_from(fitting)),)
        else:
            f = _sum if name == "sum" else np.copy
        lanes = self.memory.run(f, x, *args)
        if _too_large(lanes):
            return multiple()
        out = self.memory.result(lanes, (x, *args), name in ("sin", "tanh", "mul", "matmul"))
        out.tensor = self._call(x, name, args, out)
        return out

    @rule(x=tensors, data=st.data(), recorded=st.sampled_from([True, True, True, False]))
    def change(self, x: Ref, data: st.DataObject, recorded: bool) -> None:
        """A change in place."""
        name = data.draw(st.sampled_from(_CHANGES))
        part, key = x, None
        if name in ("setitem", "augment"):
            key = data.draw(st.just(Ellipsis) | basic_indices(x.shape, new_axes=False))
            part = Ref(x.base, np.asarray(x.places[_ellipsis(key)]), "", is_base=False, early=x.early)
        args: tuple[Any, ...] = ()
        if name in ("sin_", "tanh_", "neg_"):
            f = _UNARY[name[:-1]]
        elif name in ("zero_", "fill_"):
            args = () if name == "zero_" else (data.draw(_NUMBERS),)
            number = args[0] if args else 0.0
            f = _filled(number)
        else:
            fitting = self._fitting(part, _into, aliased=self.aliased)
            near = [y for y in fitting if y.base.storage is x.base.storage]  # where most can go wrong
            sources = [st.sampled_from(some) for some in (fitting, near) if some]
            if name == "copy_" and not sources:
                return
            args = (data.draw(st.one_of(*sources, *([] if name == "copy_" else [_NUMBERS]))),)
            f = _BINARY.get(name.rstrip("_"), np.add if name == "augment" else _second)
        lanes = self.memory.run(f, part, *args)
        if _too_large(lanes) or (name == "augment" and x.early and not x.base.requires and _requires(args)):
            return  # of the last, PyTorch does the first half, and refuses the assignment
        reason, must = self._foreseen(x, part, args, recorded, name)
        call = (name, args) if key is None else (name, (key, *args))
        done = self._try(x, call, recorded, reason)
        if done and must:
            self._fail(f"this must be refused: {reason}")
        if done:
            self.memory.write(part, lanes, args, recorded)

    @rule(x=tensors, accumulate=st.booleans())
    def differentiate(self, x: Ref, accumulate: bool) -> None:
        """Gradients of <u, x> for a dense u, by `backward` or by `autograd.grad`."""
        if not x.base.requires:
            return
        u = self._numbers(x.shape)
        slopes = self.memory.slopes(x)
        ranks = tuple(range(1, slopes.ndim))
        found = (slopes * u).sum(axis=ranks)
        sizes = np.abs(slopes * u).sum(axis=ranks) + 1.0
        leaves = self.memory.leaves
        cotangent = self._tensor(u, False)
        shown = f"tensor({u.tolist()}, dtype=float64)"
        if accumulate:
            self.program.append(f"{x}.backward({shown}, retain_graph=True)")
        else:
            names = ", ".join(leaf.ref.name for leaf in leaves)
            self.program.append(f"autograd.grad({x}, [{names}], {shown}, retain_graph=True, allow_unused=True)")
        try:
            if accumulate:
                x.tensor.backward(cotangent, retain_graph=True)
                gradients = [leaf.ref.tensor.grad for leaf in leaves]
            else:
                inputs = [leaf.ref.tensor for leaf in leaves]
                gradients = self.engine.autograd.grad(x.tensor, inputs, cotangent, retain_graph=True, allow_unused=True)
        except RuntimeError as error:
            if not x.stale:
                self._fail(f"the gradient was refused, though nothing that it needs was changed: {error}", error)
            self.program[-1] += "  # refused: a number that it needs was changed"
            if accumulate:  # it may have reached some leaves before
                for leaf in leaves:
                    leaf.ref.tensor.grad = leaf.grad = None
            return
        except Exception as error:
            self._fail(f"raised {error!r}", error)
        for leaf, gradient in zip(leaves, gradients, strict=True):
            expected = found[leaf.rows].reshape(leaf.ref.shape)
            size = sizes[leaf.rows].reshape(leaf.ref.shape)
            if accumulate and leaf.grad is not None:
                size = size + np.abs(leaf.grad)
                expected = expected + leaf.grad
            if accumulate:
                leaf.grad = expected
            self._compare(f"the gradient of {leaf.ref}", gradient, expected, size)

    # what must always hold

    @invariant()
    def agree(self) -> None:
        """Every live tensor has the model's values and flags; every leaf's `.grad` the model's sum."""
        for x in self.memory.refs:
            self._compare(f"the value of {x}", x.tensor.detach(), x.values, np.abs(x.values) + 1.0)
            requires = x.base.requires
            for flag, expected in (
                ("requires_grad", requires),
                ("is_leaf", not requires or (x.base.leaf and x.is_base)),
            ):
                try:
                    got = getattr(x.tensor, flag)
                except Exception as error:
                    self._fail(f"{x}.{flag} raised {error!r}", error)
                if got is not expected:
                    self._fail(f"{x}.{flag} is {got}, expected {expected}")
        for leaf in self.memory.leaves:
            if leaf.grad is not None:
                self._compare(f"{leaf.ref}.grad", leaf.ref.tensor.grad, leaf.grad, np.abs(leaf.grad) + 1.0)

    # the engine

    def _create(self, shape: tuple[int, ...], requires_grad: bool) -> Ref:
        values = self._numbers(shape)
        x = self.memory.new_leaf(values) if requires_grad else self.memory.new(values, False)
        x.tensor = self._tensor(values, requires_grad)
        option = ", requires_grad=True" if requires_grad else ""
        self.program.append(f"{x} = tensor({values.tolist()}, dtype=float64{option})")
        return x

    def _tensor(self, values: Floats, requires_grad: bool) -> Any:
        tensor = self.engine.tensor(np.array(values))
        return tensor.requires_grad_() if requires_grad else tensor

    def _numbers(self, shape: tuple[int, ...]) -> Floats:
        """The next numbers of a sequence without repetition: nothing drawn, so that only shapes have to shrink."""
        n = int(np.prod(shape))
        k = np.arange(self.drawn + 1, self.drawn + n + 1)
        self.drawn += n
        return np.round(3 * ((k * 0.6180339887) % 1) - 1.4871, 3).reshape(shape)

    def _call(self, x: Ref, name: str, args: tuple[Any, ...], out: Ref) -> Any:
        """The engine's x.name(*args), which must work; and its line in the program."""
        self.program.append(f"{out} = {_line(x, name, args)}")
        try:
            return _invoke(x, name, args)
        except Exception as error:
            self._fail(f"raised {error!r}", error)

    def _refused(self, x: Ref, name: str, args: tuple[Any, ...], reason: str) -> None:
        self.program.append(f"{_line(x, name, args)}  # refused: {reason}")
        try:
            _invoke(x, name, args)
        except RuntimeError:
            return
        self._fail(f"this must be refused: {reason}")

    def _try(self, x: Ref, call: tuple[str, tuple[Any, ...]], recorded: bool, reason: str) -> bool:
        """Whether the engine did it; if it refused without a reason that was foreseen, fail."""
        line = _line(x, *call)
        self.program.append(line if recorded else f"with no_grad(): {line}")
        try:
            with nullcontext() if recorded else self.engine.no_grad():
                _invoke(x, *call)
        except RuntimeError as error:
            if not reason:
                self._fail(f"refused without a reason: {error}", error)
            self.program[-1] += f"  # refused: {reason}"
            return False
        except Exception as error:
            self._fail(f"raised {error!r}", error)
        return True

    def _foreseen(self, x: Ref, part: Ref, args: tuple[Any, ...], recorded: bool, name: str) -> tuple[str, bool]:
        """Why an engine refuses a change in place, and whether it has to. "" for no reason."""
        # a change of nothing may be refused or not, and so may an assignment of a part to itself
        same = name == "setitem" and isinstance(y := args[0], Ref) and np.array_equal(y.places, part.places)
        may = part.places.size == 0 or (same and y.base.storage is part.base.storage)
        if recorded and x.base.leaf:
            return "a leaf that requires a gradient, or a view of one", not may
        if x.overlaps:
            # where every element becomes the same number, or only single places are written, there is no harm
            return "several elements lie in one place", not may and part.overlaps and name not in ("zero_", "fill_")
        if recorded and x.early and x.base.requires:
            return "a view from before its base required a gradient", False
        return "", False

    # choices

    def _fitting(self, x: Ref, fits: Callable[..., bool], aliased: bool = True) -> list[Ref]:
        return [
            y for y in self.memory.refs if fits(x.shape, y.shape) and (aliased or y.base.storage is not x.base.storage)
        ]

    # verdicts

    def _compare(self, what: str, tensor: Any, expected: Floats, size: Floats) -> None:
        got = np.zeros(expected.shape) if tensor is None else np.asarray(tensor.detach().numpy())
        if got.shape != expected.shape:
            self._fail(f"{what} has shape {got.shape}, expected {expected.shape}")
        wrong = ~(np.abs(got - expected) <= _RTOL * size)
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            self._fail(f"{what} at {at} is {got[at]!r}, expected {expected[at]!r}")

    def _fail(self, message: str, cause: BaseException | None = None) -> Any:
        __tracebackhide__ = True
        lines = "\n".join(f"    {line}" for line in self.program)
        raise AssertionError(f"{message}\n\nthe program, with the names of {self.engine.__name__}:\n{lines}") from cause


_VIEWS = [
    "index",
    "transpose",
    "permute",
    "view",
    "reshape",
    "expand",
    "unsqueeze",
    "squeeze",
    "narrow",
    "detach",
    "detach",
]
_CHANGES = ["add_", "mul_", "sub_", "setitem", "augment", "copy_", "sin_", "tanh_", "neg_", "zero_", "fill_"]


def _arrange(kind: str, x: Ref, data: st.DataObject) -> tuple[str, tuple[Any, ...], Any]:
    """A view of a kind: the method, its arguments, and the places of its elements."""
    places, rank = x.places, len(x.shape)
    if kind == "index":
        key = data.draw(basic_indices(x.shape))
        return "getitem", (key,), np.asarray(places[_ellipsis(key)])
    if kind == "transpose" and rank:
        i, j = (data.draw(st.integers(0, rank - 1)) for _ in range(2))
        return "transpose", (i, j), places.swapaxes(i, j)
    if kind == "permute" and rank:
        order = tuple(data.draw(st.permutations(range(rank))))
        return "permute", order, places.transpose(order)
    if kind in ("view", "reshape"):
        shape = data.draw(st.sampled_from(_shapes_of(places.size)))
        return kind, (shape,), places.reshape(shape)
    if kind == "expand":
        lead = data.draw(st.sampled_from([(), (2,)])) if rank < 3 else ()
        shape = (*lead, *(data.draw(st.sampled_from([1, 2])) if n == 1 else n for n in x.shape))
        return "expand", (shape,), np.broadcast_to(places, shape)
    if kind == "unsqueeze" and rank < 4:
        axis = data.draw(st.integers(0, rank))
        return "unsqueeze", (axis,), np.expand_dims(places, axis)
    if kind == "squeeze":
        return "squeeze", (), places.squeeze()
    if kind == "narrow" and rank:
        axis = data.draw(st.integers(0, rank - 1))
        start = data.draw(st.integers(0, x.shape[axis]))
        length = data.draw(st.integers(0, x.shape[axis] - start))
        return "narrow", (axis, start, length), places[(slice(None),) * axis + (slice(start, start + length),)]
    return "detach", (), places


def _shapes_of(n: int) -> list[tuple[int, ...]]:
    """Shapes of n elements."""
    pairs = [(k, n // k) for k in range(1, n + 1) if n % k == 0] if n else [(0, 2)]
    return [(n,), *pairs, *([()] if n == 1 else [])]


def _invoke(x: Ref, name: str, args: tuple[Any, ...]) -> Any:
    t = x.tensor
    values = [a.tensor if isinstance(a, Ref) else a for a in args]
    if name == "getitem":
        return t[values[0]]
    if name == "setitem":
        t[values[0]] = values[1]
        return t
    if name == "augment":
        t[values[0]] += values[1]
        return t
    return getattr(t, name)(*values)


def _line(x: Ref, name: str, args: tuple[Any, ...]) -> str:
    shown = [_key(args[0]) if name in ("getitem", "setitem", "augment") else repr(args[0]) for _ in args[:1]]
    shown += [repr(a) for a in args[1:]]
    if name == "getitem":
        return f"{x}[{shown[0]}]"
    if name in ("setitem", "augment"):
        return f"{x}[{shown[0]}] {'=' if name == 'setitem' else '+='} {shown[1]}"
    return f"{x}.{name}({', '.join(shown)})"


def _key(key: Any) -> str:
    """An index as one writes it."""
    if isinstance(key, tuple):
        return f"{', '.join(map(_key, key))}{',' if len(key) == 1 else ''}" if key else "()"
    if isinstance(key, slice):
        bounds = ["" if b is None else str(b) for b in (key.start, key.stop)]
        return ":".join([*bounds, *([str(key.step)] if key.step is not None else [])])
    return "..." if key is Ellipsis else repr(key)


def _ellipsis(key: Any) -> tuple[Any, ...]:
    """The key with an Ellipsis, so that NumPy gives an array and no scalar."""
    parts = key if isinstance(key, tuple) else (key,)
    return parts if any(k is Ellipsis for k in parts) else (*parts, Ellipsis)


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(n == m or 1 in (n, m) for n, m in zip(reversed(a), reversed(b), strict=False))


def _into(target: tuple[int, ...], source: tuple[int, ...]) -> bool:
    """Whether `source` broadcasts to `target`."""
    return len(source) <= len(target) and all(
        m in (n, 1) for n, m in zip(reversed(target), reversed(source), strict=False)
    )


def _too_large(lanes: Any) -> bool:
    return bool(lanes.size) and float(np.abs(lanes.real).max()) > _LARGEST


def _requires(args: tuple[Any, ...]) -> bool:
    return any(isinstance(a, Ref) and a.base.requires for a in args)


def _sum(a: Any) -> Any:
    return a.sum(axis=tuple(range(1, a.ndim)))


def _second(a: Any, b: Any) -> Any:
    return b + np.zeros_like(a)


def _filled(number: float) -> Callable[[Any], Any]:
    return lambda a, *_: np.full_like(a, number)


def view_machine(engine: ModuleType | None = None, *, aliased: bool = True) -> type[RuleBasedStateMachine]:
    """A Hypothesis state machine that checks an engine's views, changes in place and gradients.

    A program creates leaves, takes views of them (indices, transposes, reshapes, expansions, detach), computes, changes
    tensors in place (recorded and under `no_grad`, whole and by index) and goes backward. Checked after every step:

    - the value, `requires_grad` and `is_leaf` of every tensor, so that a change reaches all views of its memory;
    - every gradient, each entry of every leaf: it must be right, or refused where a number that it needs was changed;
    - `.grad`, which sums up;
    - that nothing else is refused. A change in place must be refused for a leaf that requires a gradient, a view of
      one, and where several elements lie in one place; it may be for a view taken before its base required a gradient.

    Parameters
    ----------
    engine : a module with PyTorch's names: `tensor` (of a float64 array), `no_grad`, `autograd.grad` and the methods of
        its tensors; by default tinynet
    aliased : whether the source of a change may lie in the memory that it changes (`x.add_(x.t())`); PyTorch leaves
        that undefined

    Returns
    -------
    a subclass of `hypothesis.stateful.RuleBasedStateMachine`, for `run_state_machine_as_test` or by its `TestCase`

    Notes
    -----
    Not covered: gradients of tensors that are no leaves, views made under `no_grad`, hooks, `create_graph`, dtypes
    beside float64, `.data`, threads.
    """
    if engine is None:
        import tinynet as engine
    return type("ViewMachine", (_ViewMachine,), {"engine": engine, "aliased": aliased})
