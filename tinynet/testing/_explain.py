"""What is done with a failure, so that it can be mended: smaller arguments, a cause, a picture, a program."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinynet.testing._cause import cause_of
from tinynet.testing._reproduction import reproduction
from tinynet.testing._shrink import shrunk
from tinynet.testing.jacobian import jacobian_of
from tinynet.testing.report import GradientReport
from tinynet.testing.subject import Subject

_DRAWN = 400  # the largest Jacobian that a report draws


def explained(
    report: GradientReport,
    subject: Subject,
    args: Sequence[Any],
    check: Callable[[Sequence[Any]], GradientReport],
    options: dict[str, Any],
    name: str = "check_vjp",
) -> GradientReport:
    """The failed report with its cause, the smallest arguments that fail, the Jacobian there, and a program.

    Parameters
    ----------
    check : the same check of other arguments
    options : what it was given beside the function, by name, for the program
    """
    with np.errstate(all="ignore"):  # a wrong rule may divide by what the right one does not
        return _explained(report, subject, args, check, options, name)


def _explained(
    report: GradientReport,
    subject: Subject,
    args: Sequence[Any],
    check: Callable[[Sequence[Any]], GradientReport],
    options: dict[str, Any],
    name: str,
) -> GradientReport:
    wanted = _kind(report)
    args = tuple(np.array(a) if isinstance(a, np.ndarray) else a for a in args)  # what fails may change them, too

    def fails(smaller: Sequence[Any]) -> bool:
        try:
            return _kind(check(smaller)) == wanted
        except Exception:  # the function does not take these: that is no failure of its gradient
            return False

    smallest = shrunk(args, fails)
    sizes: set[int] = set()
    for a in (*args, *subject.forward(args)):
        sizes |= set(np.shape(a)) | {int(np.size(a))} if isinstance(a, np.ndarray) else set()
    picture = ""
    failed = next((r.argument for r in report.arguments if r.failed or r.directions_failed), None)
    if failed is not None and not report.problems:
        outputs = sum(y.size for y in subject.forward(smallest))
        if 0 < outputs * smallest[failed].size <= _DRAWN:
            picture = str(jacobian_of(subject, smallest, failed))
    return dataclasses.replace(
        report,
        cause=cause_of(report.arguments, sorted(sizes)),
        smallest=smallest,
        jacobian=picture,
        reproduction=reproduction(subject, smallest, options, name),
    )


def _kind(report: GradientReport) -> tuple[Any, ...]:
    """What failed: comparisons, of which arguments, and which problems, their numbers left out."""
    arguments = tuple(r.argument for r in report.arguments if r.failed or r.directions_failed)
    problems = sorted("".join(ch for ch in p.split(":")[0] if not ch.isdigit())[:40] for p in report.problems)
    return report.verdict == "fail", arguments if not problems else (), tuple(problems)
