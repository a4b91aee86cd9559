"""What a gradient check found, and how it says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["pass", "fail", "unresolved"]


@dataclass(frozen=True)
class Comparison:
    """One comparison of the gradient with the numerical derivative.

    Attributes
    ----------
    argument : the argument's position
    index : the entry's index, or None for a dense random direction over the whole argument
    cotangent : which of the random cotangents
    got : <gradient, v>; for an entry, the gradient there
    expected : the numerical derivative of <cotangent, f> along v
    bound : how far the two may be apart: tolerance + error bound of `expected`
    error_bound : error bound of `expected`, in it half the jump of the slope at a kink
    kink : whether the one-sided derivatives disagree here
    verdict : "pass", "fail", or "unresolved": the numerical derivative is not known well enough to tell
    moved : whether this entry was moved off a kink before it was compared
    order : for a Taylor remainder, the order at which it vanishes: 2 where the gradient is right
    output : for forward mode, whose index is that of an output, and `cotangent` the number of the direction
    """

    argument: int
    index: tuple[int, ...] | None
    cotangent: int
    got: float
    expected: float
    bound: float
    error_bound: float
    kink: bool
    verdict: Verdict
    moved: bool = False
    order: float | None = None
    output: bool = False

    @property
    def error(self) -> float:
        """|got - expected|."""
        return abs(self.got - self.expected)

    @property
    def ratio(self) -> float:
        """The error as a multiple of its bound."""
        if self.error == 0:
            return 0.0
        return self.error / self.bound if self.bound > 0 and self.error == self.error else float("inf")

    @property
    def relative_error(self) -> float:
        """|got - expected| / max(|got|, |expected|): 2 for a wrong sign, 1 for a missing gradient."""
        largest = max(abs(self.got), abs(self.expected))
        return self.error / largest if largest > 0 else 0.0

    def __str__(self) -> str:
        where = "along a dense random direction" if self.index is None else f"at index {self.index}"
        where = f"{where} (cotangent {self.cotangent})"
        if self.output and self.index is not None:
            where = f"tangent of output number {self.index[0]} along direction {self.cotangent}"
        text = (
            f"argument {self.argument}, {where}: got {self.got:.10g}, expected "
            f"{self.expected:.10g} ± {self.error_bound:.2g}, apart {self.error:.3g} ({self.relative_error:.2g} of it), "
            f"allowed {self.bound:.3g}"
        )
        if self.order is not None:
            text += f", the Taylor remainder is of order {self.order:.2f}, expected 2"
        if self.moved:
            text += ", after this entry was moved off a kink"
        return text + " (the one-sided derivatives disagree here)" if self.kink else text


@dataclass
class ArgumentReport:
    """The counts of one argument, and its worst comparison.

    Attributes
    ----------
    argument : its position
    shape, dtype : its shape and dtype
    exhaustive : whether every entry was compared (else a random sample, beside the dense directions)
    passed, failed, unresolved : comparisons of single entries, one per entry and cotangent
    kinks : how many of those met one-sided derivatives that disagree
    directions_passed, directions_failed, directions_unresolved : comparisons along dense random directions
    worst : the comparison with the largest error relative to its bound, failed ones first
    first_failed : the first entry that failed, in the order of the array
    stopped : whether the comparisons ended early, after enough failures
    resampled : how many of the passed and failed comparisons were made after the entry was moved off a kink
    got, expected : (C, *shape) the gradients for each cotangent and the numerical ones, NaN where not compared
    """

    argument: int
    shape: tuple[int, ...]
    dtype: str
    exhaustive: bool = True
    passed: int = 0
    failed: int = 0
    unresolved: int = 0
    kinks: int = 0
    directions_passed: int = 0
    directions_failed: int = 0
    directions_unresolved: int = 0
    worst: Comparison | None = None
    first_failed: Comparison | None = None
    stopped: bool = False
    resampled: int = 0
    got: NDArray[Any] = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)
    expected: NDArray[Any] = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)

    @classmethod
    def empty(
        cls, argument: int, shape: tuple[int, ...], dtype: str, cotangents: int, exhaustive: bool
    ) -> ArgumentReport:
        """A report with nothing compared yet."""
        got, expected = (np.full((cotangents, *shape), np.nan) for _ in range(2))
        return cls(argument, shape, dtype, exhaustive, got=got, expected=expected)

    @property
    def unresolved_share(self) -> float:
        """The share of entry comparisons that could not be decided."""
        total = self.passed + self.failed + self.unresolved
        return self.unresolved / total if total else 0.0

    def add(self, comparison: Comparison) -> None:
        """Count one comparison, and keep its numbers."""
        self.count(comparison)
        if comparison.index is not None:
            self.got[(comparison.cotangent, *comparison.index)] = comparison.got
            self.expected[(comparison.cotangent, *comparison.index)] = comparison.expected

    def count(self, comparison: Comparison) -> None:
        """Count one comparison."""
        kind = "" if comparison.index is not None else "directions_"
        key = kind + {"pass": "passed", "fail": "failed", "unresolved": "unresolved"}[comparison.verdict]
        setattr(self, key, getattr(self, key) + 1)
        self.kinks += comparison.kink and comparison.index is not None
        self.note(comparison)

    def add_judged(self, indices: list[tuple[int, ...]], judgement: Any) -> NDArray[np.bool_]:
        """Count those of many entries that passed for all cotangents (a judgement's fields are (C, E)): which these are.

        What is known of the others is kept for `got` and `expected`.
        """
        passed = np.asarray(judgement.passed.all(axis=0))
        known = judgement.bound <= 1e-3 * np.abs(judgement.expected)
        where = (slice(None), *np.array(indices).T) if self.shape else (slice(None), None)
        self.got[where] = judgement.got
        self.expected[where] = np.where(known | passed, judgement.expected, np.nan)
        if passed.any():
            through = judgement.at(passed)
            self.passed += through.got.size
            self.kinks += int(through.kink.sum())
            with np.errstate(all="ignore"):
                ratio = np.nan_to_num(np.abs(through.got - through.expected) / through.limit)
            c, e = np.unravel_index(int(ratio.argmax()), ratio.shape)
            self.note(through.comparison(self.argument, indices[int(np.flatnonzero(passed)[e])], int(c), int(e)))
        return passed

    def settle(self, comparison: Comparison) -> None:
        """Replace one unresolved comparison of an entry by what a moved point says of it."""
        self.unresolved -= comparison.verdict != "unresolved"
        self.resampled += 1
        if comparison.verdict == "fail":
            self.failed += 1
        else:
            self.passed += 1
        self.note(comparison)

    def note(self, comparison: Comparison) -> None:
        """Remember the worst comparison, and the first that failed."""
        if comparison.verdict == "fail" and comparison.index is not None:
            first = self.first_failed
            if first is None or first.index is None or comparison.index < first.index:
                self.first_failed = comparison
        if self.worst is None or self._rank(comparison) > self._rank(self.worst):
            self.worst = comparison

    @staticmethod
    def _rank(comparison: Comparison) -> tuple[bool, bool, float]:
        # An entry says more than a direction: where both fail, name the entry.
        failed = comparison.verdict == "fail"
        return failed, failed and comparison.index is not None, comparison.ratio

    def verdict(self, max_unresolved: float) -> Verdict:
        """Fail on any failure; unresolved where too much could not be decided."""
        if self.failed or self.directions_failed:
            return "fail"
        if self.unresolved_share > max_unresolved:
            return "unresolved"
        directions = self.directions_passed + self.directions_unresolved
        if not self.exhaustive and 2 * self.directions_unresolved > directions:
            return "unresolved"  # beyond the sample, only the directions see an entry
        return "pass"

    def __str__(self) -> str:
        entries = "every entry" if self.exhaustive else "a sample of the entries"
        if self.stopped:
            entries = "stopped early"
        moved = f", {self.resampled} after a move off them" if self.resampled else ""
        text = (
            f"argument {self.argument} {self.dtype}{list(self.shape)}: {self.passed} passed, {self.failed} failed, "
            f"{self.unresolved} unresolved ({self.kinks} at kinks{moved}; {entries}); directions: "
            f"{self.directions_passed} passed, {self.directions_failed} failed, {self.directions_unresolved} unresolved"
        )
        lines = [text]
        if self.first_failed is not None and self.first_failed is not self.worst:
            lines.append(f"    first: {self.first_failed}")
        if self.worst is not None:
            lines.append(f"    worst: {self.worst}")
        return "\n".join(lines)


@dataclass(frozen=True)
class GradientReport:
    """The outcome of a check.

    Attributes
    ----------
    name : the function's name
    verdict : "pass", "fail", or "unresolved": too many comparisons could not be decided
    arguments : one `ArgumentReport` per checked argument
    problems : what failed beside the comparisons: shape, dtype, linearity, mutation, determinism …
    warnings : what is suspicious but may be intended: gradients that share memory
    notes : what was not checked, and in which precision the numerical side ran
    seed : the seed of cotangents, directions and samples
    cause : of a failure, what it looks like: a missing factor, a sign, a transpose …; "" where nothing fits
    smallest : the smallest arguments found that fail in the same way
    jacobian : the Jacobian there, as text, entry by entry (`tinynet.testing.jacobian_map`)
    reproduction : a program that fails in the same way
    what : what was checked: "gradient", or "jvp"
    """

    name: str
    verdict: Verdict
    arguments: tuple[ArgumentReport, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int = 0
    cause: str = ""
    smallest: tuple[Any, ...] | None = field(default=None, compare=False)
    jacobian: str = ""
    reproduction: str = ""
    what: str = "gradient"

    @property
    def passed(self) -> bool:
        """Whether the verdict is "pass"."""
        return self.verdict == "pass"

    def __str__(self) -> str:
        lines = [f"{self.what} of {self.name}: {self.verdict} (seed {self.seed})"]
        for title, texts in (("problem", self.problems), ("warning", self.warnings), ("note", self.notes)):
            lines += [f"  {title}: {text}" for text in texts]
        lines += [f"  {argument}" for argument in self.arguments]
        if self.cause:
            lines.append(f"  it looks as if {self.cause}")
        for title, block in (("the Jacobian", self.jacobian), ("to reproduce", self.reproduction)):
            if block:
                lines += [f"  {title}:", *(f"    {line}".rstrip() for line in block.splitlines())]
        return "\n".join(lines)

    def raise_if_failed(self, *, allow_unresolved: bool = False) -> None:
        """Raise AssertionError with the whole report unless the check passed.

        Parameters
        ----------
        allow_unresolved : accept the verdict "unresolved" too
        """
        __tracebackhide__ = True
        if self.verdict == "fail" or (self.verdict == "unresolved" and not allow_unresolved):
            raise AssertionError(str(self))
