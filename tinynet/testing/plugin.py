"""The pytest plugin: gradient checks as a fixture, with one budget and one source of seeds for a whole run.

    def test_softplus(grad_check):
        grad_check(softplus, [np.linspace(-3, 3, 7)], vjp=softplus_vjp)

    pytest --grad-budget=soak

Loaded by its entry point in every run of pytest where tinynet is installed; it imports nothing until a test asks for
the fixture.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest

BUDGETS: dict[str, dict[str, Any]] = {
    "fast": {"cotangents": 1, "directions": 1, "max_entries": 64, "repeats": 1},
    "full": {"cotangents": 3, "directions": 3, "max_entries": 256, "repeats": 1},
    "soak": {"cotangents": 4, "directions": 8, "max_entries": 4096, "repeats": 10},
}
"""What a check costs: `repeats` is the number of seeds, the rest are options of `check_vjp`."""

PROFILES = ("ci", "dev")
_MARKER_OPTIONS = ("budget", "seed", "max_unresolved", "rtol", "atol")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options --grad-budget, --grad-profile and --grad-seed."""
    group = parser.getgroup("gradients", "gradient checks (tinynet)")
    group.addoption(
        "--grad-budget",
        choices=list(BUDGETS),
        default="full",
        help="effort of each check: fast (one cotangent), full (the default), soak (ten seeds, every entry)",
    )
    group.addoption(
        "--grad-profile",
        choices=PROFILES,
        default=None,
        help="ci: seeds follow from the tests' names, so every run is the same (the default where CI is set); given by "
        "name, Hypothesis is derandomised too. dev: drawn anew in each run",
    )
    group.addoption("--grad-seed", type=int, default=None, help="the run's seed, to repeat one of the dev profile")


def pytest_configure(config: pytest.Config) -> None:
    """The marker, and the run's budget and seed."""
    config.addinivalue_line(
        "markers", f"grad({', '.join(f'{o}=...' for o in _MARKER_OPTIONS)}): checks gradients, with options of its own"
    )
    profile = config.getoption("--grad-profile") or ("ci" if os.environ.get("CI") else "dev")
    if config.getoption("--grad-profile") == "ci" and not config.getoption("--hypothesis-profile", None):
        _derandomise()
    seed = config.getoption("--grad-seed")
    if seed is not None and seed < 0:
        raise pytest.UsageError(f"--grad-seed: got {seed}, expected at least 0")
    if seed is None and hasattr(config, "workerinput"):  # under pytest-xdist all workers share the controller's seed
        seed = config.workerinput["tinynet_grad_seed"]
    elif seed is None and profile == "dev":
        seed = int.from_bytes(os.urandom(4), "big")
    config.stash[_RUN] = Run(config.getoption("--grad-budget"), seed)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist, on the controller: a worker is about to start."""
    node.workerinput["tinynet_grad_seed"] = node.config.stash[_RUN].seed


def pytest_sessionfinish(session: pytest.Session) -> None:
    """On a worker of pytest-xdist: hand the counts to the controller."""
    if hasattr(session.config, "workeroutput"):
        run = session.config.stash[_RUN]
        session.config.workeroutput["tinynet_grad_counts"] = [run.verdicts, run.comparisons, run.unresolved]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: Any) -> None:
    """pytest-xdist, on the controller: a worker has ended; one that crashed has no counts to give."""
    counts = getattr(node, "workeroutput", {}).get("tinynet_grad_counts")
    if counts is not None:
        node.config.stash[_RUN].add_counts(*counts)


def _derandomise() -> None:
    try:
        from hypothesis import settings
    except ImportError:
        return  # then nothing here draws at random but our own seeds
    settings.register_profile(
        "tinynet-ci", settings.get_profile("default"), derandomize=True, database=None, deadline=None
    )
    settings.load_profile("tinynet-ci")


class Run:
    """What the checks of one run of pytest have in common, and how they ended."""

    def __init__(self, budget: str, seed: int | None) -> None:
        self.budget, self.seed = budget, seed
        self.verdicts: dict[str, int] = {}
        self.comparisons = self.unresolved = 0

    def seed_of(self, name: str) -> int:
        """The seed of a test: of its name alone in the ci profile (and so the same on every machine)."""
        return zlib.crc32(name.encode()) ^ (self.seed or 0)

    def add(self, report: Any) -> None:
        """Count a report."""
        unresolved = sum(a.unresolved + a.directions_unresolved for a in report.arguments)
        compared = sum(a.passed + a.failed + a.directions_passed + a.directions_failed for a in report.arguments)
        self.add_counts({report.verdict: 1}, compared + unresolved, unresolved)

    def add_counts(self, verdicts: dict[str, int], comparisons: int, unresolved: int) -> None:
        """Count several reports."""
        for verdict, count in verdicts.items():
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + count
        self.comparisons += comparisons
        self.unresolved += unresolved


_RUN = pytest.StashKey[Run]()


class GradCheck:
    """The fixture `grad_check`: each call is an assertion, with the run's budget and the test's seed.

    Called itself, it is `vjp`. Options given to a call win over the marker's, and those over the run's.
    """

    def __init__(self, run: Run, name: str, options: dict[str, Any]) -> None:
        self._run, self._options = run, dict(options)
        self.budget = self._options.pop("budget", run.budget)
        if self.budget not in BUDGETS:
            raise pytest.UsageError(f"grad: budget is {self.budget!r}, expected one of {', '.join(BUDGETS)}")
        self.seed = self._options.pop("seed", run.seed_of(name))

    def __call__(self, f: Callable[..., Any], args: Sequence[Any], **options: Any) -> Any:
        """Assert that a reverse rule is right: `tinynet.testing.check_vjp`, or with `order=n` `check_grad`."""
        __tracebackhide__ = True
        return self.grad(f, args, **options) if "order" in options else self.vjp(f, args, **options)

    def vjp(self, f: Callable[..., Any], args: Sequence[Any], **options: Any) -> Any:
        """`tinynet.testing.check_vjp`."""
        __tracebackhide__ = True
        from tinynet.testing import check_vjp

        return self._assert(check_vjp, f, args, options, ("cotangents", "directions", "max_entries"))

    def grad(self, f: Callable[..., Any], args: Sequence[Any], **options: Any) -> Any:
        """`tinynet.testing.check_grad`, with `order=n`."""
        __tracebackhide__ = True
        from tinynet.testing import check_grad

        return self._assert(check_grad, f, args, options, ("cotangents", "directions", "max_entries"))

    def jvp(self, f: Callable[..., Any], args: Sequence[Any], **options: Any) -> Any:
        """`tinynet.testing.check_jvp`."""
        __tracebackhide__ = True
        from tinynet.testing import check_jvp

        return self._assert(check_jvp, f, args, options, ("directions",))

    def hvp(self, f: Callable[..., Any], args: Sequence[Any], **options: Any) -> Any:
        """`tinynet.testing.check_hvp`."""
        __tracebackhide__ = True
        from tinynet.testing import check_hvp

        return self._assert(check_hvp, f, args, options, ("directions",))

    def subgradient(self, f: Callable[..., Any], args: Sequence[Any], **options: Any) -> Any:
        """`tinynet.testing.check_subgradient`."""
        __tracebackhide__ = True
        from tinynet.testing import check_subgradient

        return self._assert(check_subgradient, f, args, options, ("cotangents",))

    def _assert(
        self, check: Callable[..., Any], f: Any, args: Sequence[Any], options: dict[str, Any], takes: tuple[str, ...]
    ) -> Any:
        __tracebackhide__ = True
        budget = BUDGETS[self.budget]
        marked = {k: v for k, v in self._options.items() if k != "max_unresolved" or check.__name__ != "check_hvp"}
        given = {key: budget[key] for key in takes} | marked | options
        first = int(given.pop("seed", self.seed))
        for k in range(budget["repeats"]):
            report = check(f, args, seed=first + k, **given)
            self._run.add(report)
            report.raise_if_failed()
        return report


@pytest.fixture
def grad_check(request: pytest.FixtureRequest) -> GradCheck:
    """Check gradients of your own operations (tinynet.testing): grad_check(f, args, vjp=...), .jvp, .grad, .hvp."""
    marker = request.node.get_closest_marker("grad")
    options = dict(marker.kwargs) if marker is not None else {}
    if marker is not None and (marker.args or set(options) - set(_MARKER_OPTIONS)):
        wrong = [*map(repr, marker.args), *sorted(set(options) - set(_MARKER_OPTIONS))]
        raise pytest.UsageError(f"grad: got {', '.join(wrong)}, expected options among {', '.join(_MARKER_OPTIONS)}")
    return GradCheck(request.config.stash[_RUN], request.node.nodeid, options)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """One line with the verdicts of all checks; nothing where none ran."""
    run = config.stash[_RUN]
    if not run.verdicts:
        return
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(run.verdicts.items()))
    seeds = "seeds of the tests' names" if run.seed is None else f"--grad-seed={run.seed}"
    terminalreporter.write_line(
        f"gradient checks ({run.budget}, {seeds}): {counts}; {run.comparisons} comparisons, "
        f"{run.unresolved} of them unresolved"
    )
