"""The gradient at a kink: which subgradient an operation gives, there and not beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinynet.errors import OptionError, RangeError
from tinynet.testing._numerical import NumericalSide
from tinynet.testing._oracles import reference_comparisons
from tinynet.testing._properties import draw_cotangents, gradients_of
from tinynet.testing.adapters import Adapter
from tinynet.testing.gradients import Options, check_once
from tinynet.testing.report import GradientReport, Verdict
from tinynet.testing.subject import subject_of


def check_subgradient(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    vjp: Callable[..., Any] | None = None,
    adapter: Adapter | None = None,
    wrt: int | Sequence[int] | None = None,
    at: float | None = None,
    ties: int | Literal["arguments"] | None = None,
    expected: Callable[..., Any] | None = None,
    seed: int = 0,
    cotangents: int = 3,
    rtol: float | None = None,
    name: str | None = None,
) -> GradientReport:
    """Put arguments onto a kink, and check the gradient there: relu at 0, ties of a maximum, |x| at 0.

    A gradient at a kink has to lie between the one-sided derivatives, entry by entry and along dense directions; and,
    with `expected`, it has to be the one that the operation documents.

    Parameters
    ----------
    f, args, vjp, adapter, wrt, seed, cotangents, rtol, name : as in `check_vjp`
    at : the kink: a random half of the entries of each checked argument is moved there (for 0, to both 0.0 and -0.0)
    ties : an axis: in each slice along it the largest number is repeated somewhere; or "arguments": a random half of
        the entries of the later arguments are made equal to those of the first (they have its shape).
        With neither `at` nor `ties`, the arguments are taken as they are
    expected : `expected(*args, dy)` -> the documented gradients, one per argument, as a `vjp` gives them

    Returns
    -------
    GradientReport
        "unresolved" where no entry met a kink: then nothing was checked

    Raises
    ------
    OptionError, RangeError
        as `check_vjp`; arguments of different shapes with ties="arguments", an axis that an argument does not have

    Examples
    --------
    >>> import numpy as np
    >>> relu, x = lambda x: np.maximum(x, 0), np.linspace(-1, 1, 8)
    >>> check_subgradient(relu, [x], vjp=lambda x, dy: dy * (x > 0), at=0.0, expected=lambda x, dy: dy * (x > 0)).verdict
    'pass'
    >>> check_subgradient(relu, [x], vjp=lambda x, dy: dy * (x >= 0), at=0.0, expected=lambda x, dy: dy * (x > 0)).verdict
    'fail'
    """
    subject, args, indices = subject_of(f, args, vjp, adapter, wrt, "check_subgradient", name=name)
    rng = np.random.default_rng([seed, 5])
    landed = list(args)
    for i in indices:
        if at is not None:
            landed[i] = _put(landed[i], at, rng)
        if isinstance(ties, int):
            landed[i] = _tie(landed[i], ties, i, rng)
        elif ties == "arguments" and i != indices[0]:
            first = landed[indices[0]]
            if first.shape != landed[i].shape:
                raise OptionError(
                    f"check_subgradient: ties is 'arguments', and argument {i} has shape {landed[i].shape}, expected "
                    f"{first.shape}, the shape of argument {indices[0]}"
                )
            landed[i] = np.where(rng.random(first.shape) < 0.5, first, landed[i]).astype(landed[i].dtype)
    options = Options(
        wrt=indices, oracle="richardson", seed=seed, cotangents=cotangents, rtol=rtol, max_unresolved=1.0, resamples=0
    )
    report = check_once(subject, landed, options)
    kinks = sum(r.kinks for r in report.arguments)
    problems = list(report.problems)
    if expected is not None and report.arguments:
        problems += _documented(subject, landed, expected, indices, rng, options)
    verdict: Verdict = "fail" if problems or report.verdict == "fail" else "pass" if kinks else "unresolved"
    notes = (*report.notes, f"{kinks} comparisons at kinks" if kinks else "no entry is at a kink: nothing was checked")
    return dataclasses.replace(report, verdict=verdict, problems=tuple(problems), notes=notes)


def _put(x: NDArray[Any], at: float, rng: np.random.Generator) -> NDArray[Any]:
    signs = rng.choice([-1.0, 1.0], x.shape) if at == 0 else np.ones(x.shape)
    where = rng.random(x.shape) < 0.5
    if x.size:
        where.flat[rng.integers(x.size)] = True
    return np.where(where, np.copysign(at, signs) if at == 0 else at, x).astype(x.dtype)


def _tie(x: NDArray[Any], axis: int, i: int, rng: np.random.Generator) -> NDArray[Any]:
    if not -x.ndim <= axis < x.ndim:
        raise RangeError(f"check_subgradient: ties is axis {axis}, but argument {i} has shape {x.shape}")
    y = x.copy()
    if x.size and x.shape[axis] > 1:
        place = (np.argmax(x, axis) + rng.integers(1, x.shape[axis], np.delete(x.shape, axis))) % x.shape[axis]
        np.put_along_axis(y, np.expand_dims(place, axis), x.max(axis, keepdims=True), axis)
    return y


def _documented(
    subject: Any,
    args: Sequence[Any],
    expected: Callable[..., Any],
    indices: Sequence[int],
    rng: np.random.Generator,
    options: Options,
) -> list[str]:
    outputs = subject.forward(args)
    us = [draw_cotangents(outputs, rng) for _ in range(options.cotangents)]
    gradients, _ = gradients_of(subject, args, us, indices, given=True)
    side = NumericalSide(subject, args)
    found = [
        reference_comparisons(expected, args, us, [g[i] for g in gradients], i, side, options.rtol) for i in indices
    ]
    return [f"not the documented gradient: {r.first_failed}" for r in found if r.first_failed is not None]
