"""The Jacobian of a function by its reverse rule beside the numerical one, entry by entry: text, or a picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinynet.errors import OptionError
from tinynet.testing._numerical import NumericalSide, default_rtol, flatten
from tinynet.testing.adapters import Adapter
from tinynet.testing.derivative import Direction, Floats, differentiate
from tinynet.testing.subject import Subject, subject_of

LEGEND = "· both 0   + agree   - opposite signs   o given as 0   ! should be 0   x differ   ? not known"


@dataclass(frozen=True)
class JacobianMap:
    """Both Jacobians of the outputs (rows) with respect to one argument (columns).

    Attributes
    ----------
    argument : its position
    given : (K, N) by the reverse rule, one row of it per unit cotangent
    numerical : (K, N) by extrapolated central differences
    error : (K, N) their error bounds, with half the jump at a kink in it
    rtol : the relative tolerance of `marks`
    """

    argument: int
    given: Floats
    numerical: Floats
    error: Floats
    rtol: float

    @property
    def marks(self) -> list[str]:
        """One line per output, one sign per entry of the argument (`LEGEND` says which)."""
        scale = np.max(np.abs(self.numerical), initial=0.0)
        noise = self.error + self.rtol * np.abs(self.numerical) + 1e-12 * scale
        rows = []
        for given, expected, allowed in zip(self.given, self.numerical, noise, strict=True):
            row = ""
            for g, e, a in zip(given.tolist(), expected.tolist(), allowed.tolist(), strict=True):
                if not a < max(1e-3 * abs(e), 1e-6 * scale, 1e-300):
                    row += "+" if g == e else "?"
                elif abs(g - e) <= a:
                    row += "·" if abs(e) <= a else "+"
                elif g == 0:
                    row += "o"
                elif abs(e) <= a:
                    row += "!"
                else:
                    row += "-" if abs(g + e) <= 10 * a else "x"
            rows.append(row)
        return rows

    def __str__(self) -> str:
        k, n = self.given.shape
        title = f"argument {self.argument}: {k} outputs (rows) by {n} entries (columns)"
        return "\n".join([title, *self.marks, LEGEND])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Draw the given Jacobian, the numerical one and their difference; the format follows the file's ending."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        from tinynet.files import atomic_open

        ending = os.path.splitext(os.fspath(path))[1].removeprefix(".") or "png"
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        limit = float(np.max(np.abs(np.nan_to_num([self.given, self.numerical])), initial=1e-300))
        parts = (("given", self.given), ("numerical", self.numerical), ("difference", self.given - self.numerical))
        for axes, (title, values) in zip(figure.subplots(1, 3), parts, strict=True):
            image = axes.imshow(values, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
            axes.set(title=title, xlabel=f"entries of argument {self.argument}", ylabel="outputs")
        figure.colorbar(image, ax=figure.axes)
        with atomic_open(path) as file:
            canvas.print_figure(file, format=ending)


def jacobian_map(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    vjp: Callable[..., Any] | None = None,
    adapter: Adapter | None = None,
    argument: int | None = None,
    max_entries: int = 4096,
) -> JacobianMap:
    """Both Jacobians of f with respect to one argument: ∂f_k/∂x_i by the reverse rule, and numerically.

    Parameters
    ----------
    f, args, vjp, adapter : as in `check_vjp`
    argument : its position; by default the first of floating dtype
    max_entries : the largest number of entries that the Jacobian may have

    Raises
    ------
    OptionError
        no such argument, or a larger Jacobian than `max_entries`

    Examples
    --------
    >>> import numpy as np
    >>> print(jacobian_map(np.cumsum, [np.ones(3)], vjp=lambda x, dy: np.cumsum(dy)))
    argument 0: 3 outputs (rows) by 3 entries (columns)
    +oo
    !+o
    !!+
    · both 0   + agree   - opposite signs   o given as 0   ! should be 0   x differ   ? not known
    """
    subject, given, indices = subject_of(f, args, vjp, adapter, argument, "jacobian_map")
    outputs = subject.forward(given)
    size = flatten(outputs).size * given[indices[0]].size
    if size > max_entries:
        raise OptionError(f"jacobian_map: the Jacobian has {size} entries, expected at most {max_entries}")
    return jacobian_of(subject, given, indices[0])


def jacobian_of(subject: Subject, args: Sequence[Any], i: int) -> JacobianMap:
    """The map of argument i, whatever its size."""
    side = NumericalSide(subject, args)
    outputs = subject.forward(args)
    x, f = side.args[i], side.along(i)
    given = np.zeros((side.f0.size, x.size))
    row = 0
    zeros = [np.zeros_like(y) if y.dtype in side.dtypes else None for y in outputs]
    for k, y in enumerate(outputs):
        for flat in range(y.size if zeros[k] is not None else 0):
            us = [None if z is None else z.copy() for z in zeros]
            us[k].flat[flat] = 1  # type: ignore[union-attr]
            (g,), _ = subject.gradients(args, us, [i])
            given[row] = 0 if g is None else np.asarray(g, np.float64).ravel()
            row += 1
    numerical, error = np.zeros_like(given), np.full_like(given, np.inf)
    one = np.ones(())
    directions = [Direction(index, one) for index in np.ndindex(x.shape)]
    for base in (2.0**-2, 2.0**-9, 2.0**-16) if directions else ():
        ladder = differentiate(f, side.f0, x, directions, base, side.eps)
        bound = (ladder.error + 0.55 * ladder.jump).T
        better = bound < error
        numerical, error = np.where(better, ladder.value.T, numerical), np.where(better, bound, error)
    return JacobianMap(i, given, numerical, error, max(default_rtol([args[i].dtype, *side.dtypes]), side.rtol))
