"""What views, changes in place and gradients mean, without a graph: numbers in memory, each with its derivatives.

    Storage   the numbers, and how often they were changed
    Base      a tensor that is no view, with the derivative of each of its numbers by each element of each leaf
    Ref       a tensor: a base, and for each element its place in the storage

`detach` gives another Base over the same Storage: numbers are shared, derivatives are not. A change under `no_grad`
writes numbers and leaves derivatives alone. Derivatives are complex steps: an operation is run once as it is, and once
for each leaf element, moved by i·h; an analytic f gives f(x + i·h·v) = f(x) + i·h·f'(x)·v, exact for an h whose square
underflows. So no derivative of any operation is written down here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Lanes = NDArray[np.complex128]
Trail = frozenset[tuple["Storage", int]]

STEP = 2.0**-600


@dataclass(eq=False)
class Storage:
    """Numbers in memory. `version` counts the changes."""

    values: Floats
    version: int = 0

    @property
    def now(self) -> tuple[Storage, int]:
        """This storage, as it is at present."""
        return self, self.version


@dataclass(eq=False)
class Base:
    """A tensor that is no view.

    Attributes
    ----------
    storage : its numbers
    slopes : (leaf elements, numbers) the derivatives; rows of leaves that came later are missing, and zero
    requires : whether it requires a gradient
    leaf : whether it does so as a leaf
    trail : the storages (with their versions then) that a gradient may have to read
    """

    storage: Storage
    slopes: Floats
    requires: bool = False
    leaf: bool = False
    trail: Trail = frozenset()


@dataclass(eq=False, repr=False)
class Ref:
    """A tensor of the model, and the engine's.

    Attributes
    ----------
    base : the tensor that it is a view of, or is
    places : (*shape) where its elements lie in the storage
    name : its name in the program
    tensor : the engine's tensor
    is_base : whether it is no view
    early : whether it is a view taken before its base required a gradient
    """

    base: Base
    places: Places
    name: str
    tensor: Any = None
    is_base: bool = True
    early: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.places.shape

    @property
    def values(self) -> Floats:
        """The numbers, in this shape."""
        return np.asarray(self.base.storage.values[self.places])

    @property
    def overlaps(self) -> bool:
        """Whether two elements lie in one place."""
        return np.unique(self.places).size < self.places.size

    @property
    def stale(self) -> bool:
        """Whether a number that a gradient may have to read was changed since."""
        return any(storage.version != version for storage, version in self.base.trail)

    def __repr__(self) -> str:
        return self.name

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.name)


@dataclass(eq=False)
class Leaf:
    """A leaf that requires a gradient: its rows among the slopes, and what `.grad` must hold (None: nothing yet)."""

    ref: Ref
    rows: slice
    grad: Floats | None = None


@dataclass
class Memory:
    """All tensors of a program."""

    refs: list[Ref] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)
    rows: int = 0

    def new(self, values: Floats, requires: bool, trail: Trail = frozenset(), slopes: Floats | None = None) -> Ref:
        """A tensor in memory of its own."""
        places = np.arange(values.size, dtype=np.int64).reshape(values.shape)
        if slopes is None:
            slopes = np.zeros((self.rows, values.size))
        return self._add(Base(Storage(values.reshape(-1).copy()), slopes, requires, False, trail), places, True)

    def new_leaf(self, values: Floats) -> Ref:
        """A leaf that requires a gradient."""
        ref = self.new(values, True)
        rows = slice(self.rows, self.rows + values.size)
        self.rows += values.size
        ref.base.slopes = np.zeros((self.rows, values.size))
        ref.base.slopes[rows] = np.eye(values.size)
        ref.base.leaf = True
        self.leaves.append(Leaf(ref, rows))
        return ref

    def view(self, x: Ref, places: Places) -> Ref:
        """Elements of x, in another arrangement."""
        ref = self._add(x.base, places, False)
        ref.early = not x.base.requires or x.early
        return ref

    def detach(self, x: Ref) -> Ref:
        """The numbers of x, without their derivatives."""
        return self._add(Base(x.base.storage, np.zeros((self.rows, x.base.storage.values.size))), x.places, True)

    def _add(self, base: Base, places: Places, is_base: bool) -> Ref:
        ref = Ref(base, places, f"x{len(self.refs)}", is_base=is_base)
        self.refs.append(ref)
        return ref

    def slopes(self, x: Ref) -> Floats:
        """(leaf elements, *shape) the derivatives of the elements of x."""
        out = np.zeros((self.rows, *x.shape))
        out[: len(x.base.slopes)] = x.base.slopes[:, x.places]
        return out

    def lanes(self, x: Ref | float) -> Lanes:
        """(1 + leaf elements, *shape) x as it is, then x as each leaf element moves it."""
        if not isinstance(x, Ref):
            return np.full(1 + self.rows, x, np.complex128)
        out = np.empty((1 + self.rows, *x.shape), np.complex128)
        out.real = x.values
        out.imag[0] = 0
        out.imag[1:] = STEP * self.slopes(x)
        return out

    def run(self, f: Callable[..., Any], *args: Ref | float) -> Lanes:
        """F over lanes: it is given arrays whose first axis is the lane, ranks made equal for broadcasting."""
        rank = max(len(x.shape) for x in args if isinstance(x, Ref))
        lanes = []
        for x in args:
            a = self.lanes(x)
            lanes.append(a.reshape(len(a), *(1,) * (rank + 1 - a.ndim), *a.shape[1:]))
        return np.asarray(f(*lanes))

    def result(self, lanes: Lanes, args: tuple[Ref | float, ...], reads: bool) -> Ref:
        """A new tensor with the value and the derivatives of `lanes`; `reads`: gradients may read inputs and output."""
        refs = [x for x in args if isinstance(x, Ref)]
        requires = any(x.base.requires for x in refs)
        out = self.new(lanes[0].real, requires, slopes=(lanes[1:].imag / STEP).reshape(self.rows, -1))
        if requires:
            own = {x.base.storage.now for x in refs} | {out.base.storage.now} if reads else set()
            out.base.trail = frozenset(own).union(*(x.base.trail for x in refs))
        return out

    def write(self, x: Ref, lanes: Lanes, args: tuple[Ref | float, ...], recorded: bool) -> None:
        """Change x in place: its numbers, and while recording its derivatives."""
        base, refs = x.base, [y for y in args if isinstance(y, Ref)]
        read = {y.base.storage.now for y in refs}
        lanes = np.broadcast_to(lanes, (len(lanes), *x.shape))
        base.storage.values[x.places] = lanes[0].real
        base.storage.version += 1
        if not recorded:
            return
        slopes = np.zeros((self.rows, base.storage.values.size))
        slopes[: len(base.slopes)] = base.slopes
        slopes[:, x.places] = lanes[1:].imag / STEP
        base.slopes = slopes
        base.requires = base.requires or any(y.base.requires for y in refs)
        if base.requires:
            base.trail = base.trail.union({base.storage.now}, read, *(y.base.trail for y in refs))


def strided(places: Places) -> bool:
    """Whether one step per axis leads from each place to the next, so that an array can have these places."""
    if not places.size:
        return True
    origin = (0,) * places.ndim
    steps = [
        int(places[tuple(int(i == k) for i in range(places.ndim))] - places[origin]) if n > 1 else 0
        for k, n in enumerate(places.shape)
    ]
    grid = np.indices(places.shape)
    return bool((places == places[origin] + sum(s * g for s, g in zip(steps, grid, strict=True))).all())
