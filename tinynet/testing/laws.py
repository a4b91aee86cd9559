"""Laws that relate a function's results at related inputs: no expected values are needed.

    check_batch_independence(lambda x: layer_norm(x), [x], adapter=tinynet_adapter).raise_if_failed()

Each check takes a function of NumPy arrays, or, with an adapter, of an engine's tensors; it returns one array or tensor.
Arguments that are no arrays are passed on. Data is drawn from `seed`. Two numbers agree within
rtol · (|expected| + S), S the largest finite |result|; rtol is by default 256 roundings of the coarsest dtype involved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinynet.errors import DtypeError, OptionError, RangeError, ShapeError
from tinynet.testing.adapters import Adapter
from tinynet.testing.derivative import epsilon, finfo, is_float
from tinynet.testing.subject import as_arrays

__all__ = [
    "LawReport",
    "check_adjoint",
    "check_batch_independence",
    "check_causality",
    "check_linearity",
    "check_permutation_equivariance",
    "check_shift_equivariance",
    "check_shift_invariance",
]

Array = NDArray[Any]
_ROUNDINGS = 256
_PLACES = 8  # items, or moments, of an axis that are tried


@dataclass(frozen=True)
class LawReport:
    """What a check found.

    Attributes
    ----------
    law : its name
    verdict : "pass" or "fail"
    message : for a failure what was compared, the first wrong index, both values and the tolerance
    seed : of the data that the check drew
    """

    law: str
    verdict: Literal["pass", "fail"]
    message: str
    seed: int

    @property
    def passed(self) -> bool:
        """Whether the verdict is "pass"."""
        return self.verdict == "pass"

    def __str__(self) -> str:
        return f"{self.law}: {self.verdict} (seed {self.seed}){': ' if self.message else ''}{self.message}"

    def raise_if_failed(self) -> None:
        """Raise AssertionError with the message if the law does not hold."""
        __tracebackhide__ = True
        if not self.passed:
            raise AssertionError(str(self))


class _Broken(Exception):
    """The law does not hold: why."""


class _Check:
    """One check: its function, its arguments as arrays, and how results are compared."""

    def __init__(
        self,
        law: str,
        f: Callable[..., Any],
        args: Sequence[Any],
        which: Sequence[int] | None,
        adapter: Adapter | None,
        seed: int,
        rtol: float | None,
    ) -> None:
        if not callable(f):
            raise DtypeError(f"{law}: expected a function, got {type(f).__name__}")
        if isinstance(args, np.ndarray):
            raise DtypeError(f"{law}: args must be a sequence of arguments, got one array; put it in a list")
        if rtol is not None and not rtol >= 0:
            raise OptionError(f"{law}: rtol must be ≥ 0, got {rtol}")
        self.law, self.f, self.adapter, self.seed, self.rtol = law, f, adapter, seed, rtol
        self.args = [np.array(a) if isinstance(a, np.ndarray) else a for a in as_arrays(args, adapter)]
        arrays = [i for i, a in enumerate(self.args) if isinstance(a, np.ndarray)]
        self.which = arrays if which is None else list(which)
        if wrong := [i for i in self.which if i not in arrays]:
            raise RangeError(f"{law}: which names argument {wrong[0]}, but the arrays are arguments {arrays}")
        if not self.which:
            raise ShapeError(f"{law}: no argument is an array")
        self.rng = np.random.default_rng(seed)

    def __call__(self, args: Sequence[Any], f: Callable[..., Any] | None = None) -> Array:
        """The function at these arguments, of which it gets copies."""
        given = [np.array(a) if isinstance(a, np.ndarray) else a for a in args]
        if self.adapter is not None:
            given = [self.adapter.from_numpy(a, False) if isinstance(a, np.ndarray) else a for a in given]
        with np.errstate(all="ignore"):
            y = (f or self.f)(*given)
        if isinstance(y, tuple | list):
            raise DtypeError(f"{self.law}: the function must return one array or tensor, got {type(y).__name__}")
        return np.array(y if self.adapter is None else self.adapter.to_numpy(y))

    def changed(self, change: Callable[[Array], Array]) -> list[Any]:
        """The arguments, with those of `which` changed."""
        return [np.asarray(change(a)) if i in self.which else a for i, a in enumerate(self.args)]

    def axis(self, axis: int, array: Array, what: str) -> int:
        """`axis`, counted from the front."""
        if not -array.ndim <= axis < array.ndim:
            raise RangeError(f"{self.law}: axis {axis} is out of range for {what} of shape {array.shape}")
        return axis % array.ndim

    def length(self, axis: int, least: int = 2) -> int:
        """The one size of all of `which` along `axis`."""
        sizes = {self.args[i].shape[self.axis(axis, self.args[i], f"argument {i}")] for i in self.which}
        if len(sizes) > 1:
            raise ShapeError(f"{self.law}: the arguments have sizes {sorted(sizes)} along axis {axis}; choose by which")
        if (n := sizes.pop()) < least:
            raise ShapeError(f"{self.law}: size {n} along axis {axis} shows nothing, expected at least {least}")
        return n

    def places(self, n: int) -> list[int]:
        """The first, the last and some other places of an axis."""
        if n <= _PLACES:
            return list(range(n))
        return sorted({0, n - 1, *self.rng.choice(n, _PLACES - 2, replace=False).tolist()})

    def fresh(self, a: Array) -> Array:
        """Other data like `a`: normal numbers of its size, or its own elements in another order."""
        if is_float(a.dtype):
            size = np.abs(a[np.isfinite(a)].astype(np.float64)).max(initial=0.0) or 1.0
            return np.asarray((self.rng.standard_normal(a.shape) * size).astype(a.dtype))
        return self.rng.permutation(a.reshape(-1)).reshape(a.shape)

    def same(self, got: Array, expected: Array, what: str, *, size: float = 0.0, factor: float = 1.0) -> None:
        """Raise _Broken unless both agree; `size` is of numbers that went into them, if larger than they are."""
        if got.shape != expected.shape:
            raise _Broken(f"{what}: shape {got.shape}, expected {expected.shape}")
        eps = max(_eps(a) for a in (got, expected, *(self.args[i] for i in self.which)))
        rtol = (_ROUNDINGS * eps if self.rtol is None else self.rtol) * factor
        a, b = (np.asarray(v, np.float64) for v in (got, expected))
        with np.errstate(all="ignore"):
            finite = np.abs(np.concatenate([v[np.isfinite(v)] for v in (a, b)]))
            limit = rtol * (np.abs(b) + max(float(finite.max(initial=0.0)), size))
            limit = np.where(np.isfinite(b), limit, 0.0)
            wrong = ~((a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= limit))
        wrong |= np.isfinite(a) != np.isfinite(b)
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise _Broken(
                f"{what}: {int(wrong.sum())} of {wrong.size} elements differ, first at {at}: got {float(a[at])!r}, "
                f"expected {float(b[at])!r} (tolerance {float(limit[at]):.3g})"
            )

    def report(self, run: Callable[[], None]) -> LawReport:
        """The verdict of a run."""
        try:
            run()
        except _Broken as broken:
            return LawReport(self.law, "fail", str(broken), self.seed)
        return LawReport(self.law, "pass", "", self.seed)


def check_batch_independence(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    axis: int = 0,
    out_axis: int | None = None,
    which: Sequence[int] | None = None,
    adapter: Adapter | None = None,
    seed: int = 0,
    rtol: float | None = None,
) -> LawReport:
    """f(x)[i] = f(x[i : i + 1])[0]: an item's result is its own, whatever else is in the batch.

    Single items, both halves, and a batch in which one item is replaced are compared with the whole batch.

    Parameters
    ----------
    f : the function, of arrays (or, with an adapter, tensors)
    args : its arguments
    axis : the batch's axis in the arguments, of one size ≥ 2
    out_axis : in the result, if it is another one
    which : the arguments that have a batch; by default all arrays (name them where weights are arguments)
    adapter : the engine's adapter
    seed : of the replaced item
    rtol : relative tolerance

    Raises
    ------
    ShapeError, RangeError, DtypeError : arguments that do not have the axis, or no two items along it
    """
    check = _Check("batch independence", f, args, which, adapter, seed, rtol)
    n = check.length(axis)
    out = axis if out_axis is None else out_axis

    def run() -> None:
        y = check(check.args)
        o = check.axis(out, y, "the result")
        if y.shape[o] != n:
            raise _Broken(f"the result has shape {y.shape}, expected size {n} along axis {out}")
        parts = [slice(i, i + 1) for i in check.places(n)] + [slice(0, n // 2), slice(n // 2, n)]
        for part in parts:
            alone = check(check.changed(lambda a: _take(a, part, axis)))  # noqa: B023
            check.same(alone, _take(y, part, o), f"items {part.start} to {part.stop - 1} alone")
        for i in check.places(n):
            others = np.delete(np.arange(n), i)
            other = check(check.changed(lambda a: _put(a, slice(i, i + 1), axis, check.fresh)))  # noqa: B023
            check.same(np.take(other, others, o), np.take(y, others, o), f"the other items, when item {i} is another")

    return check.report(run)


def check_permutation_equivariance(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    axis: int,
    out_axis: int | None = None,
    invariant: bool = False,
    which: Sequence[int] | None = None,
    adapter: Adapter | None = None,
    seed: int = 0,
    rtol: float | None = None,
) -> LawReport:
    """f(P x) = P f(x) for permutations P along an axis, or, if `invariant`, f(P x) = f(x).

    Parameters
    ----------
    axis, out_axis : the axis in the arguments (of one size ≥ 2), and in the result
    invariant : whether the result must not change at all
    f, args, which, adapter, seed, rtol : as in `check_batch_independence`; `which` are permuted, all alike
    """
    check = _Check(
        "permutation invariance" if invariant else "permutation equivariance", f, args, which, adapter, seed, rtol
    )
    n = check.length(axis)
    out = axis if out_axis is None else out_axis

    def run() -> None:
        y = check(check.args)
        for order in [np.arange(n)[::-1], np.roll(np.arange(n), 1), *(check.rng.permutation(n) for _ in range(3))]:
            other = check(check.changed(lambda a: np.take(a, order, axis)))  # noqa: B023
            expected = y if invariant else _reordered(y, order, check.axis(out, y, "the result"), n)
            check.same(other, expected, f"order {order.tolist()}")

    return check.report(run)


def check_shift_equivariance(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    axis: int,
    shifts: Sequence[int] = (1, 2, -1),
    circular: bool = True,
    stride: int = 1,
    margin: int = 0,
    out_axis: int | None = None,
    which: Sequence[int] | None = None,
    adapter: Adapter | None = None,
    seed: int = 0,
    rtol: float | None = None,
) -> LawReport:
    """f(S^(stride·k) x) = S^k f(x) for shifts S along an axis.

    Parameters
    ----------
    shifts : the k, in places of the result
    circular : whether what leaves at one end enters at the other; else other numbers enter, and only the places of the
        result that come from places inside are compared
    stride : places of the argument for one of the result
    margin : how many places at both ends of the result not to compare (those that padding reaches), if not circular
    axis, out_axis, f, args, which, adapter, seed, rtol : as in `check_permutation_equivariance`
    """
    check = _Check("shift equivariance", f, args, which, adapter, seed, rtol)
    n = check.length(axis)
    if stride < 1 or margin < 0:
        raise OptionError(f"shift equivariance: expected stride ≥ 1 and margin ≥ 0, got {stride} and {margin}")
    if not any(shifts):
        raise OptionError("shift equivariance: shifts has no shift but 0")
    if not circular and max(map(abs, shifts)) * stride >= n:
        raise OptionError(
            f"shift equivariance: shifting by {max(map(abs, shifts)) * stride} leaves nothing of size {n}"
        )
    out = axis if out_axis is None else out_axis

    def moved(a: Array, by: int) -> Array:
        b = np.roll(a, by, axis)
        if circular:
            return b
        return _put(b, slice(0, by) if by >= 0 else slice(n + by, n), axis, check.fresh)

    def run() -> None:
        y = check(check.args)
        o = check.axis(out, y, "the result")
        m = y.shape[o]
        for k in shifts:
            other = check(check.changed(lambda a: moved(a, k * stride)))  # noqa: B023
            expected = np.roll(y, k, o)
            if not circular:
                first, last = margin + max(k, 0), m - margin + min(k, 0)
                if first >= last:
                    raise ShapeError(f"shift equivariance: a shift by {k} leaves nothing of {m} results to compare")
                inside = slice(first, last)
                check.same(_take(other, inside, o), _take(expected, inside, o), f"shift {k}, inside")
            else:
                check.same(other, expected, f"shift {k}")

    return check.report(run)


def check_shift_invariance(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    shifts: Sequence[float] = (1.0, -3.0, 16.0),
    axis: int | None = None,
    which: Sequence[int] | None = None,
    adapter: Adapter | None = None,
    seed: int = 0,
    rtol: float | None = None,
) -> LawReport:
    """f(x + c) = f(x), as for softmax.

    Parameters
    ----------
    shifts : the constants c. The tolerance grows with them, as x + c is rounded
    axis : with an axis, c is multiplied by a random number for each line along it
    f, args, which, adapter, seed, rtol : as in `check_batch_independence`; c is added to each of `which`
    """
    check = _Check("shift invariance", f, args, which, adapter, seed, rtol)
    for i in check.which:
        if not is_float(check.args[i].dtype):
            raise DtypeError(f"shift invariance: argument {i} has dtype {check.args[i].dtype}, expected floating")

    def shifted(a: Array, c: float) -> Array:
        if axis is None:
            return np.asarray((a + c).astype(a.dtype))
        lines = np.ones_like(_take(a, slice(0, 1), check.axis(axis, a, "an argument")), np.float64)
        return np.asarray((a + c * check.rng.uniform(0.5, 1.0, lines.shape)).astype(a.dtype))

    def run() -> None:
        y = check(check.args)
        for c in shifts:
            other = check(check.changed(lambda a: shifted(a, c)))  # noqa: B023
            check.same(other, y, f"{c} added", factor=1.0 + abs(c))

    return check.report(run)


def check_causality(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    axis: int,
    out_axis: int | None = None,
    which: Sequence[int] | None = None,
    poison: bool = True,
    vjp: Callable[..., Any] | None = None,
    adapter: Adapter | None = None,
    seed: int = 0,
    rtol: float | None = None,
) -> LawReport:
    """f(x) up to t depends on x up to t only, and at t it does depend on x at t.

    What comes after t is replaced by other numbers, and by the largest numbers, inf and NaN: a mask that multiplies by
    0 lets NaN through. The second half guards against functions that ignore their arguments. With an adapter (or `vjp`)
    gradients are held to the same: of <u, f(x) up to t>, zero after t, and not zero at t.

    Parameters
    ----------
    axis, out_axis : the time axis in the arguments `which` (of one size ≥ 2), and in the result
    poison : whether to put the largest numbers, inf and NaN after t
    vjp : for functions of arrays, the reverse rule: `vjp(*args, dy)` gives one gradient per argument
    f, args, which, adapter, seed, rtol : as in `check_batch_independence`
    """
    check = _Check("causality", f, args, which, adapter, seed, rtol)
    n = check.length(axis)
    out = axis if out_axis is None else out_axis
    if vjp is not None and adapter is not None:
        raise OptionError("causality: pass a vjp for functions of arrays, or an adapter, not both")

    def after(a: Array, t: int, value: float | None) -> Array:
        if value is None or not is_float(a.dtype):
            return _put(a, slice(t + 1, n), axis, check.fresh)
        big = float(finfo(a.dtype).max) / 4
        return _put(a, slice(t + 1, n), axis, lambda part: np.full_like(part, big if value == 1 else value))

    def gradients(y: Array, o: int, t: int) -> None:
        u = np.zeros(y.shape)
        u[(slice(None),) * o + (slice(0, t + 1),)] = check.rng.standard_normal(_take(y, slice(0, t + 1), o).shape)
        floats = [i for i in check.which if is_float(check.args[i].dtype)]
        if vjp is not None:
            given = vjp(*check.args, u.astype(y.dtype))
            found = [np.asarray(given[i]) for i in floats]
        else:
            assert adapter is not None
            tensors = [
                adapter.from_numpy(a, i in floats) if isinstance(a, np.ndarray) else a for i, a in enumerate(check.args)
            ]
            given = adapter.vjp(f, tensors, [adapter.from_numpy(u.astype(y.dtype), False)], floats)
            found = [
                np.zeros(check.args[i].shape) if g is None else adapter.to_numpy(g)
                for i, g in zip(floats, given, strict=True)
            ]
        for i, g in zip(floats, found, strict=True):
            late = _take(g, slice(t + 1, n), axis)
            check.same(late, np.zeros_like(late), f"the gradient of argument {i} after {t}", factor=0.0)
        if floats and not any(_take(g, slice(t, t + 1), axis).any() for g in found):
            raise _Broken(f"the gradient at {t} is zero, for the results up to {t}")

    def run() -> None:
        y = check(check.args)
        o = check.axis(out, y, "the result")
        if y.shape[o] != n:
            raise _Broken(f"the result has shape {y.shape}, expected size {n} along axis {out}")
        for t in check.places(n):
            past = _take(y, slice(0, t + 1), o)
            if t + 1 < n:
                for value in (None, *((1.0, np.inf, -np.inf, np.nan) if poison else ())):
                    other = check(check.changed(lambda a: after(a, t, value)))  # noqa: B023
                    name = {None: "other numbers", 1.0: "the largest numbers"}.get(value, str(value))
                    check.same(_take(other, slice(0, t + 1), o), past, f"the results up to {t} with {name} after it")
            moved = check(check.changed(lambda a: _put(a, slice(t, t + 1), axis, check.fresh)))  # noqa: B023
            if np.array_equal(_take(moved, slice(t, t + 1), o), _take(y, slice(t, t + 1), o), equal_nan=True):
                raise _Broken(f"the result at {t} does not depend on the arguments at {t}")
            if (adapter is not None or vjp is not None) and is_float(y.dtype):
                gradients(y, o, t)

    return check.report(run)


def check_adjoint(
    f: Callable[..., Any],
    g: Callable[..., Any],
    x: Array | tuple[int, ...],
    y: Array | tuple[int, ...],
    *,
    draws: int = 3,
    adapter: Adapter | None = None,
    seed: int = 0,
    rtol: float | None = None,
) -> LawReport:
    """<f(x), y> = <x, g(y)>: g is the transpose of the linear f, as a transposed convolution is of a convolution.

    Parameters
    ----------
    f, g : functions of one array (or, with an adapter, tensor)
    x, y : shapes of the arguments of f and of g (then float64), or arrays, whose shape and dtype are kept
    draws : how many random pairs are tried
    adapter, seed, rtol : as in `check_batch_independence`; the tolerance is relative to |f(x)|·|y| + |x|·|g(y)|
    """
    if draws < 1:
        raise OptionError(f"adjoint: draws must be ≥ 1, got {draws}")
    given = [v if isinstance(v, np.ndarray) else np.zeros(v) for v in (x, y)]
    if wrong := [v.dtype for v in given if not is_float(v.dtype)]:
        raise DtypeError(f"adjoint: expected floating arrays, got dtype {wrong[0]}")
    check = _Check("adjoint", f, given, None, adapter, seed, rtol)
    if not callable(g):
        raise DtypeError(f"adjoint: expected a function, got {type(g).__name__}")

    def run() -> None:
        for k in range(draws):
            a, b = given if k == 0 and all(v.any() for v in given) else [check.fresh(v) for v in given]
            fa, gb = check([a]), check([b], g)
            if fa.shape != b.shape or gb.shape != a.shape:
                raise _Broken(f"f gives shape {fa.shape}, expected {b.shape}; g gives {gb.shape}, expected {a.shape}")
            wide = [v.astype(np.float64) for v in (a, b, fa, gb)]
            left, right = float((wide[2] * wide[1]).sum()), float((wide[0] * wide[3]).sum())
            norms = [float(np.linalg.norm(v)) for v in wide]
            size = norms[2] * norms[1] + norms[0] * norms[3]
            check.same(
                np.array(left, fa.dtype), np.array(right, fa.dtype), f"<f(x), y> and <x, g(y)>, draw {k}", size=size
            )

    return check.report(run)


def check_linearity(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    which: Sequence[int] | None = None,
    adapter: Adapter | None = None,
    seed: int = 0,
    rtol: float | None = None,
) -> LawReport:
    """f(a·x + b·x') = a·f(x) + b·f(x'), in each of `which` while the others stay; and f is 0 at 0.

    Parameters
    ----------
    f, args, which, adapter, seed, rtol : as in `check_batch_independence`; the arguments in `which` are floating
    """
    check = _Check("linearity", f, args, which, adapter, seed, rtol)
    for i in check.which:
        if not is_float(check.args[i].dtype):
            raise DtypeError(f"linearity: argument {i} has dtype {check.args[i].dtype}, expected floating")

    def run() -> None:
        for i in check.which:
            x, other = check.args[i], check.fresh(check.args[i])
            a, b = 0.75, -1.5  # few bits, so that their products round little

            def at(v: Array, i: int = i) -> Array:
                return check([*check.args[:i], v, *check.args[i + 1 :]])

            fx, fo = at(x), at(other)
            size = float(np.abs(fx).max(initial=0.0)) + float(np.abs(fo).max(initial=0.0))
            zero = at(np.zeros_like(x))
            check.same(zero, np.zeros_like(zero), f"argument {i} at 0", size=size)
            mixed = at(np.asarray((a * x + b * other).astype(x.dtype)))
            check.same(mixed, np.asarray((a * fx + b * fo).astype(fx.dtype)), f"argument {i}, a·x + b·x'", size=size)

    return check.report(run)


def _take(a: Array, part: slice, axis: int) -> Array:
    return np.asarray(a[(slice(None),) * (axis % a.ndim) + (part,)])


def _put(a: Array, part: slice, axis: int, change: Callable[[Array], Array]) -> Array:
    """A copy of `a` with a part of it changed."""
    out = np.array(a)
    at = (slice(None),) * (axis % a.ndim) + (part,)
    out[at] = change(out[at])
    return out


def _reordered(y: Array, order: Any, axis: int, n: int) -> Array:
    if y.shape[axis] != n:
        raise _Broken(f"the result has shape {y.shape}, expected size {n} along axis {axis}")
    return np.take(y, order, axis)


def _eps(a: Array) -> float:
    return epsilon(a.dtype) if is_float(a.dtype) else 2.0**-52
