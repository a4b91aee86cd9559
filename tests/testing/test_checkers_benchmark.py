"""The problems on which gradient checkers are compared: ours decides all of them, on a few seeds."""

import numpy as np
import pytest

from benchmarks.checkers_problems import OPERATIONS, PROBLEMS, RIGHT, WRONG, Problem
from tinynet.testing import check_vjp


def test_the_table_is_large_and_its_names_differ() -> None:
    assert len(OPERATIONS) >= 15
    assert len(WRONG) >= 27
    assert len(RIGHT) >= 20
    assert len({p.name for p in PROBLEMS}) == len(PROBLEMS)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_ours_decides(problem: Problem) -> None:
    for seed in range(3):
        with np.errstate(all="ignore"):
            f, vjp = problem.make()
            report = check_vjp(f, problem.arguments(seed), vjp=vjp, seed=seed, name=problem.name)
        assert report.verdict == ("pass" if problem.right else "fail"), report
