"""A sample of mutants among the slow tests; all of them under HYPOTHESIS_PROFILE=thorough, and by `python -m tests.mutation`."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import settings

from tests.mutation import kernels
from tests.mutation.__main__ import FLOOR, report, score
from tests.mutation.calls import FEW, TABLE, Case, all_cases, cases_of, reached
from tests.mutation.mutants import Mutant, all_mutants, sample
from tests.mutation.run import checks_for, fails, try_mutant
from tests.mutation.source import code_of
from tests.mutation.survivors import EQUIVALENT, reason
from tests.mutation.targets import backward_launchers, differentiable, operations, rules, sites
from tinynet_kernels import available

THOROUGH = settings.get_current_profile_name() == "thorough"
SAMPLED = 40
pytestmark = pytest.mark.skipif(not available("float64"), reason="the JIT is off: no fused operation runs")


def records_for(mutants: list[Mutant]) -> set[str]:
    """Few records, of which each reaches one of the mutants' operations most directly."""
    return {name for m in mutants for op in m.operations[:2] for name in reached().get(op, ())[:2]} | {"used_again"}


def cases_for(mutants: list[Mutant]) -> tuple[Case, ...]:
    if THOROUGH:
        return all_cases()
    return tuple(c for name in sorted(records_for(mutants)) for c in cases_of(name, FEW))


def test_every_operation_is_reached_by_a_record() -> None:
    assert set(differentiable()) - set(reached()) == set()


def test_every_rule_has_mutants() -> None:
    mutated = {name for m in all_mutants() for name in m.operations}
    assert set(differentiable()) <= mutated
    functions = {id(s.function) for s in sites()}
    assert all(id(f) in functions for op in differentiable().values() for f in rules(op).values())


def test_there_are_many_of_every_kind() -> None:
    assert len(all_mutants()) >= 300
    assert {m.kind for m in sample(SAMPLED)} == {m.kind for m in all_mutants()}


@pytest.mark.slow
def test_most_of_a_sample_is_killed() -> None:
    mutants = sample(SAMPLED)
    outcomes = [try_mutant(m, cases_for(mutants)) for m in mutants]
    assert score(outcomes) >= FLOOR, report(outcomes)


@pytest.mark.slow
@pytest.mark.skipif(not THOROUGH, reason="all mutants take an hour: under the thorough profile")
def test_most_of_all_are_killed() -> None:
    """In a process of its own: what some mutants do to memory must not reach the other tests."""
    done = subprocess.run([sys.executable, "-m", "tests.mutation"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_right_rule_is_never_killed() -> None:
    """The checks that the mutants go through, with the kernels as they are and as plain Python."""
    mutants = sample(SAMPLED)
    cases = cases_for(mutants)
    done: set[str] = set()
    for m in mutants if THOROUGH else mutants[::4]:
        for check in checks_for(m, cases):
            key = f"{check[0]} {check[1]}"
            if key not in done and len(done) < (10_000 if THOROUGH else 120):
                done.add(key)
                assert fails(check) is None, key
                if m.family in ("kernel", "rule"):
                    with kernels.exchanged(list(backward_launchers())):
                        assert fails(check) is None, f"{key}, with plain kernels"
    assert len(done) >= 100


def test_the_right_rule_is_put_back() -> None:
    before = {s.name: code_of(s.function) for s in sites()}
    launchers = {n: getattr(kernels.cpu, n) for n in backward_launchers()}
    for m in sample(SAMPLED):
        with pytest.raises(KeyError, match="inside"), m.switched(m):
            raise KeyError("inside")
    assert {s.name: code_of(s.function) for s in sites()} == before
    assert {n: getattr(kernels.cpu, n) for n in backward_launchers()} == launchers
    assert not [n for n, op in operations().items() if "backward" in vars(op)]


def test_a_mutant_changes_what_it_says() -> None:
    """Switched on, the source is another; and names are the same in every run."""
    functions = {s.name: s.function for s in sites()}
    for m in sample(SAMPLED):
        if m.family != "value":
            function = functions[m.name.split(": ")[0] if m.family != "engine" else ": ".join(m.name.split(": ")[:2])]
            before = code_of(function)
            with m.switched(m):
                assert code_of(function) != before, m.name
    assert [m.name for m in sample(SAMPLED)] == [m.name for m in sample(SAMPLED)]


def test_every_reason_is_needed() -> None:
    names = [m.name for m in all_mutants()]
    assert [part for part, _ in EQUIVALENT if not any(part in f"{n}$" for n in names)] == []
    assert len([n for n in names if reason(n)]) <= 0.055 * len(names)


def test_names_of_the_table_are_unique() -> None:
    names = [r.names[0] for r in TABLE]
    assert len(set(names)) == len(names)
