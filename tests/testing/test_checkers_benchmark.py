"""The problems on which gradient checkers are compared: ours decides all of them, on a few seeds."""

from typing import Any

import numpy as np
import pytest

from benchmarks.checkers_problems import OPERATIONS, PROBLEMS, RIGHT, WRONG, Problem
from tinynet.testing import check_vjp

KNOWN = {
    "outputs of 1e3 and 1e-3: the small one off by 1 %": "below rtol times what the large output contributes",
    "relu: all within 1e-7 of 0": "unresolved just below the kink, where no step keeps to one side and moves the output",
    "gelu: on [-9, 9]": "a false alarm where f cancels to far below its intermediate values",
    "sigmoid: saturated": "unresolved, or a false alarm, where 1 + tanh cancels",
}


def test_the_table_is_large_and_its_names_differ() -> None:
    assert len(OPERATIONS) >= 15
    assert len(WRONG) >= 27
    assert len(RIGHT) >= 20
    assert len({p.name for p in PROBLEMS}) == len(PROBLEMS)
    assert set(KNOWN) <= {p.name for p in PROBLEMS}


def marked(problem: Problem) -> Any:
    marks = [pytest.mark.xfail(reason=KNOWN[problem.name], strict=True)] if problem.name in KNOWN else []
    return pytest.param(problem, marks=marks, id=problem.name)


@pytest.mark.parametrize("problem", [marked(p) for p in PROBLEMS])
def test_ours_decides(problem: Problem) -> None:
    for seed in range(3):
        with np.errstate(all="ignore"):
            f, vjp = problem.make()
            report = check_vjp(f, problem.arguments(seed), vjp=vjp, seed=seed, name=problem.name)
        assert report.verdict == ("pass" if problem.right else "fail"), report
