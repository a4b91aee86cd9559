"""What the tests know about one public operation: the row of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

KINDS = ("primitive", "composite", "fused", "creation")


@dataclass(frozen=True)
class Call:
    """Arguments of one call: arrays (which become tensors) and whatever else by position, options by name."""

    args: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:  # NumPy's arithmetic makes scalars of 0-d arrays
        object.__setattr__(self, "args", tuple(np.asarray(a) if isinstance(a, np.generic) else a for a in self.args))

    def __repr__(self) -> str:
        return f"call({', '.join([*map(_show, self.args), *(f'{k}={v!r}' for k, v in self.options.items())])})"

    def arrays(self) -> list[int]:
        """The positions of the arrays."""
        return [i for i, a in enumerate(self.args) if isinstance(a, np.ndarray)]

    def map(self, change: Callable[[np.ndarray], np.ndarray]) -> Call:
        """The same call with each array changed."""
        return Call(tuple(change(a) if isinstance(a, np.ndarray) else a for a in self.args), self.options)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


def _show(a: Any) -> str:
    return f"array({a.tolist()}, {a.dtype})" if isinstance(a, np.ndarray) else repr(a)


def call(*args: Any, **options: Any) -> Call:
    return Call(args, options)


@dataclass(frozen=True)
class Refusal:
    """A call that must be refused: the class of the error, and what its message must say (a regular expression)."""

    call: Call
    error: type[Exception]
    message: str


def refused(message: str, error: type[Exception], *args: Any, **options: Any) -> Refusal:
    return Refusal(Call(args, options), error, message)


@dataclass(frozen=True)
class Tolerance:
    """|result − reference| ≤ roundings · ε · (|reference| + scale · S) with S the largest finite |reference| and |input|.

    roundings  how many roundings of the dtype the result may be away
    scale      0 where every element is computed alone; 1 where terms cancel within one
    reason     where the roundings come from
    """

    roundings: float
    scale: float
    reason: str


EXACT = Tolerance(0, 0, "elements are moved, compared or rounded, never computed with")
ROUNDED = Tolerance(4, 0, "one correctly rounded operation, or a library function within a few units in the last place")
SUMMED = Tolerance(64, 1, "a sum of up to some tens of terms of both signs: rounding relative to the largest")
COMPOSED = Tolerance(16, 1, "several rounded operations in a row, of which two may cancel")


@dataclass(frozen=True)
class Subgradient:
    """A call at a kink, and the gradients that the operation is documented to give for a cotangent of ones."""

    call: Call
    gradients: tuple[Any, ...]


@dataclass(frozen=True, repr=False)
class OpRecord:
    """One public operation (with its aliases).

    names           the public names: "exp" is tinynet.exp, "F.pad" is tinynet.nn.functional.pad, "Tensor.view" a method
    reference       the same function over NumPy arrays, computed in float64, independent of tinynet
    inputs          valid calls of every option of the signature, special values and kinks included
    smooth          calls at which the derivative exists; `inputs` if None
    kind            "primitive", "composite", "fused" (then its definition runs under `use_definitions`), "creation"
    differentiable  the positions of the arguments that get a gradient
    edges           calls with 0-d, size-0, size-1 and broadcast shapes; by name where one of these is not allowed
    refusals        calls that are refused, with the error
    integers        integer calls, if it takes them
    only_integers   whether it takes nothing else (and booleans)
    result          the dtype of floating results: "kept", or "bool", "int64"; for several outputs one each
    result_of_integers  the dtype for integer inputs: "kept", "float32" (the default), "int64", "bool"; None: refused
    broadcasts      whether the shapes of its arrays are broadcast
    promotes        whether arrays of different dtypes are brought to their common one (else they are refused, or unrelated)
    halves          whether float16 and bfloat16 are accepted
    numbers         the positions at which a number may stand for a tensor
    operator        the name in Python's `operator`, if it has one
    invoke          how the function takes the arrays: `invoke(function, *args, **options)`
    layouts         whether the memory layout of the input does not matter
    check           instead of a reference: a test of the result of a call
    subgradients    calls at kinks with the gradients that the documentation promises
    """

    names: tuple[str, ...]
    function: Callable[..., Any]
    reference: Callable[..., Any] | None
    inputs: st.SearchStrategy[Call]
    kind: str = "composite"
    differentiable: tuple[int, ...] = (0,)
    smooth: st.SearchStrategy[Call] | None = None
    edges: tuple[Call, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    tolerance: Tolerance = ROUNDED
    integers: st.SearchStrategy[Call] | None = None
    result: str | tuple[str, ...] = "kept"
    result_of_integers: str | tuple[str, ...] | None = "kept"
    broadcasts: bool = False
    promotes: bool = False
    halves: bool = True
    only_integers: bool = False
    numbers: tuple[int, ...] = ()
    operator: str | None = None
    layouts: bool = True
    invoke: Callable[..., Any] | None = None
    check: Callable[[Call, Any], None] | None = None
    subgradients: tuple[Subgradient, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.names}: kind is {self.kind!r}, expected one of {KINDS}")
        if self.reference is None and self.check is None:
            raise ValueError(f"{self.names}: neither a reference nor a check")

    @property
    def points(self) -> st.SearchStrategy[Call]:
        """Calls at which the derivative exists."""
        return self.inputs if self.smooth is None else self.smooth

    @property
    def name(self) -> str:
        """The first public name, without its module, as its messages say it."""
        name = self.names[0].rpartition(".")[2]
        return "index" if name in ("__getitem__", "__setitem__") else name

    def __repr__(self) -> str:
        return self.names[0]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.names[0])

    def __call__(self, *args: Any, **options: Any) -> Any:
        """The operation on tensors."""
        if self.invoke is None:
            return self.function(*args, **options)
        return self.invoke(self.function, *args, **options)

    def expected(self, c: Call) -> tuple[np.ndarray, ...]:
        """The reference's results, in float64 where they are floating."""
        assert self.reference is not None
        with np.errstate(all="ignore"):
            result = self.reference(*c.map(_wide).args, **c.options)
        return tuple(np.asarray(y) for y in (result if isinstance(result, tuple | list) else (result,)))


def _wide(a: np.ndarray) -> np.ndarray:
    return a.copy() if a.dtype.kind in "biu" else a.astype(np.float64)
