"""The pytest plugin: its fixture, marker, options and summary, in runs of pytest of their own."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.filterwarnings("default")

RIGHT = """
    import numpy as np
    import pytest

    def f_vjp(x, dy):
        return dy * (1 - np.tanh(x) ** 2)

    X = np.linspace(-1, 1, 5)

    def test_right(grad_check):
        grad_check(np.tanh, [X], vjp=f_vjp)
        grad_check.jvp(np.tanh, [X], jvp=lambda x, v: v * (1 - np.tanh(x) ** 2))
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> object:
    """Pytest with our plugin and no other, whether its entry point is installed or not."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("CI", raising=False)
    for name in ("PYTEST_ADDOPTS", "HYPOTHESIS_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def run(source: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        return pytester.runpytest("-p", "tinynet.testing.plugin", *options)

    return run


def test_right_passes_and_is_counted(run) -> None:
    result = run(RIGHT, "--grad-seed=4")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["gradient checks (full, --grad-seed=4): 2 pass; 39 comparisons, 0 of them unresolved"])


def test_wrong_fails_with_the_report(run) -> None:
    result = run(
        RIGHT
        + """
    def test_wrong(grad_check):
        grad_check(np.tanh, [X], vjp=lambda x, dy: -dy)
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: gradient of tanh: fail*", "*to reproduce:", "*1 fail, 2 pass;*"])
    assert "plugin.py" not in result.stdout.str()  # the plugin's own frames are not shown


def test_unresolved_is_no_pass(run) -> None:
    source = """
        import numpy as np
        def test_kinks(grad_check):
            grad_check(lambda x: np.maximum(x, 0), [np.zeros(4)], vjp=lambda x, dy: dy * (x > 0), resamples=0)
    """
    result = run(source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["gradient checks*: 1 unresolved; 21 comparisons, * of them unresolved"])


def test_workers_share_a_seed_and_are_counted_together(run) -> None:
    pytest.importorskip("xdist")
    source = (
        RIGHT
        + """
    @pytest.mark.parametrize("k", range(3))
    def test_seed(grad_check, k):
        print("the run's seed:", grad_check._run.seed)
        grad_check(np.tanh, [X], vjp=f_vjp)
        assert k < 2
    """
    )
    result = run(source, "-p", "xdist.plugin", "-n", "2", "-rP")
    result.assert_outcomes(passed=3, failed=1)
    (summary,) = [line for line in result.outlines if line.startswith("gradient checks")]
    assert "): 5 pass; " in summary
    seed = summary.partition("--grad-seed=")[2].partition(")")[0]
    assert {line for line in result.outlines if line.startswith("the run's seed")} == {f"the run's seed: {seed}"}


def test_budgets(run) -> None:
    result = run(RIGHT, "--grad-budget=fast")
    result.stdout.fnmatch_lines(["gradient checks (fast, *): 2 pass; 11 comparisons*"])
    result = run(RIGHT, "--grad-budget=soak")
    result.stdout.fnmatch_lines(["gradient checks (soak, *): 20 pass; *"])
    assert run(RIGHT, "--grad-budget=huge").ret == pytest.ExitCode.USAGE_ERROR


def test_marker(run) -> None:
    source = """
        import numpy as np
        import pytest

        @pytest.mark.grad(budget="soak", seed=7, rtol=1e-3)
        def test_marked(grad_check):
            assert (grad_check.budget, grad_check.seed) == ("soak", 7)
            report = grad_check(np.tanh, [np.ones(2)], vjp=lambda x, dy: 1.0001 * dy * (1 - np.tanh(x) ** 2))
            assert report.seed == 16

        @pytest.mark.grad(budgets="soak")
        def test_misspelt(grad_check):
            pass
    """
    result = run(source, "--strict-markers")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*grad: got budgets, expected options among budget, seed*"])
    assert run(source, "-m", "grad", "-k", "marked").ret == 0


SEEDS = """
    def test_seed(grad_check):
        print("seed", grad_check.seed)
"""


def seed_of(result: pytest.RunResult) -> str:
    return next(line for line in result.outlines if line.startswith("seed") or " seed " in line)


def test_profiles(run, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = {seed_of(run(SEEDS, "-s", "--grad-profile=ci")) for _ in range(2)}
    drawn = {seed_of(run(SEEDS, "-s", "--grad-profile=dev")) for _ in range(3)}
    repeated = {seed_of(run(SEEDS, "-s", "--grad-seed=5")) for _ in range(2)}
    assert (len(fixed), len(drawn), len(repeated)) == (1, 3, 1)
    monkeypatch.setenv("CI", "true")
    assert seed_of(run(SEEDS, "-s")) in fixed


def test_ci_profile_derandomises_hypothesis(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from hypothesis import given, settings, strategies as st

        @given(st.integers())
        def test_draws(k):
            assert settings.default.derandomize and settings.default.database is None
        """
    )
    command = [sys.executable, "-m", "pytest", "-p", "tinynet.testing.plugin", "--grad-profile=ci", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=pytester.path, env=environment(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def environment() -> dict[str, str]:
    import os

    path = os.pathsep.join(p for p in sys.path if p)
    return {**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def test_other_peoples_runs_load_nothing(pytester: pytest.Pytester) -> None:
    """With the plugin, a run without gradient checks imports no array, no engine, no strategies, and prints nothing."""
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            heavy = {"numpy", "numba", "scipy", "hypothesis", "torch", "jax", "tinynet._tensor", "tinynet.testing.gradients"}
            assert not heavy & set(sys.modules), heavy & set(sys.modules)
        """
    )
    command = [sys.executable, "-m", "pytest", "-p", "tinynet.testing.plugin", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=pytester.path, env=environment(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gradient" not in done.stdout


def test_entry_point_is_declared() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"tinynet": "tinynet.testing.plugin"}
    assert "import numpy" not in (Path(__file__).parents[2] / "tinynet/testing/plugin.py").read_text()
    found = [e for e in importlib.metadata.entry_points(group="pytest11") if e.name == "tinynet"]
    assert all(e.value == "tinynet.testing.plugin" for e in found)
