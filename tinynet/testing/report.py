"""What a gradient check found, and how it says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

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

    def __str__(self) -> str:
        where = "along a dense random direction" if self.index is None else f"at index {self.index}"
        text = (
            f"argument {self.argument}, {where} (cotangent {self.cotangent}): got {self.got:.10g}, "
            f"expected {self.expected:.10g}, apart {self.error:.3g}, bound {self.bound:.3g}"
        )
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
    stopped : whether the comparisons ended early, after enough failures
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
    stopped: bool = False

    @property
    def unresolved_share(self) -> float:
        """The share of entry comparisons that could not be decided."""
        total = self.passed + self.failed + self.unresolved
        return self.unresolved / total if total else 0.0

    def add(self, comparison: Comparison) -> None:
        """Count one comparison."""
        kind = "" if comparison.index is not None else "directions_"
        key = kind + {"pass": "passed", "fail": "failed", "unresolved": "unresolved"}[comparison.verdict]
        setattr(self, key, getattr(self, key) + 1)
        self.kinks += comparison.kink and comparison.index is not None
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
        text = (
            f"argument {self.argument} {self.dtype}{list(self.shape)}: {self.passed} passed, {self.failed} failed, "
            f"{self.unresolved} unresolved ({self.kinks} at kinks; {entries}); directions: {self.directions_passed} "
            f"passed, {self.directions_failed} failed, {self.directions_unresolved} unresolved"
        )
        return text if self.worst is None else f"{text}\n    worst: {self.worst}"


@dataclass(frozen=True)
class GradientReport:
    """The outcome of `check_vjp`.

    Attributes
    ----------
    name : the function's name
    verdict : "pass", "fail", or "unresolved": too many comparisons could not be decided
    arguments : one `ArgumentReport` per checked argument
    problems : what failed beside the comparisons: shape, dtype, linearity, mutation, determinism …
    warnings : what is suspicious but may be intended: gradients that share memory
    notes : what was not checked, and in which precision the numerical side ran
    seed : the seed of cotangents, directions and samples
    """

    name: str
    verdict: Verdict
    arguments: tuple[ArgumentReport, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int = field(default=0)

    @property
    def passed(self) -> bool:
        """Whether the verdict is "pass"."""
        return self.verdict == "pass"

    def __str__(self) -> str:
        lines = [f"gradient of {self.name}: {self.verdict} (seed {self.seed})"]
        for title, texts in (("problem", self.problems), ("warning", self.warnings), ("note", self.notes)):
            lines += [f"  {title}: {text}" for text in texts]
        return "\n".join(lines + [f"  {argument}" for argument in self.arguments])

    def raise_if_failed(self, *, allow_unresolved: bool = False) -> None:
        """Raise AssertionError with the whole report unless the check passed.

        Parameters
        ----------
        allow_unresolved : accept the verdict "unresolved" too
        """
        __tracebackhide__ = True
        if self.verdict == "fail" or (self.verdict == "unresolved" and not allow_unresolved):
            raise AssertionError(str(self))
