"""The benchmark package: what it validates, writes and compares. No test looks at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.cases import FAMILIES, Maker, disagreement, load
from benchmarks.report import plot_ratios, read_json, summary
from benchmarks.runner import Row
from tinynet.cli import main as command
from tinynet_kernels import available

ROOT = Path(__file__).resolve().parents[2]


with_kernels = pytest.mark.skipif(not available("float32"), reason="without the JIT there is nothing to time")


@with_kernels
def test_a_quick_family_of_tinynet_alone(tmp_path, capsys):
    path = tmp_path / "out.json"
    assert (
        main(["engine", "--quick", "--peers", "tinynet", "--json", str(path), "--plot", str(tmp_path / "out.png")]) == 0
    )
    out = capsys.readouterr().out
    assert "## engine" in out
    assert "roofline: " in out
    data = json.loads(path.read_text())
    assert {"date", "processor", "threads", "vector_lanes", "blas", "versions", "roofline"} <= data["header"].keys()
    (row,) = data["rows"]
    assert row.keys() == set(Row.__dataclass_fields__)
    assert row["error"] is None
    assert row["seconds"]["tinynet"] > 0
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


@with_kernels
def test_a_failing_case_is_reported_and_the_exit_code_says_so(tmp_path, capsys):
    path = tmp_path / "out.json"
    family = "tests.benchmarks.wrong_family"
    assert main([family, "--quick", "--peers", "tinynet,numpy", "--json", str(path)]) == 1
    rows = {r.case: r for r in read_json(path)[1]}
    assert set(rows) == {"right", "wrong", "lacking"}  # "long" is not for a quick run
    assert rows["right"].error is None
    assert rows["right"].roofline_share is not None
    assert "tinynet disagrees with the definition in float64: y: relative error 0.0005" in rows["wrong"].error
    assert "AttributeError" in rows["lacking"].error
    assert "frobnicate" in rows["lacking"].error
    assert not rows["wrong"].seconds
    out = capsys.readouterr().out
    assert "| wrong | FAILED: tinynet disagrees" in out


@with_kernels
def test_a_peer_that_is_missing_is_one_line(monkeypatch, tmp_path, capsys):
    from benchmarks import runner

    monkeypatch.setattr(runner, "installed", lambda name: name != "torch")
    family = "tests.benchmarks.wrong_family"
    assert main([family, "--quick", "--only", "right", "--peers", "tinynet,torch"]) == 0
    assert "left out, not installed: torch\n" in capsys.readouterr().out


def test_compare(tmp_path, capsys):
    header = {"processor": "p", "threads": 1, "vector_lanes": 8, "versions": {}}
    before = [row("a", 4.0, 0.1), row("b", 1.0, 0.5), row("gone", 1.0, 0.1)]
    after = [row("a", 2.0, 0.1), row("b", 1.1, 0.5)]
    write(tmp_path / "a.json", header, before)
    write(tmp_path / "b.json", {**header, "threads": 2}, after)
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0
    out = capsys.readouterr().out
    assert "threads differs: 1 and 2" in out
    assert "| f: a | 4 s | 2 s | 2.00 | 3.00 | 3.00 | faster |" in out
    assert "| f: b | 1 s | 1.1 s | 0.91 | 3.00 | 3.00 |  |" in out
    assert "only before: f: gone" in out


def row(case, seconds, iqr):
    return Row("f", case, {"tinynet": seconds, "torch": 3 * seconds}, {"tinynet": iqr, "torch": iqr}, {"torch": 3.0})


def write(path, header, rows):
    from benchmarks.report import write_json

    write_json(path, header, rows)


def test_the_summary_names_what_is_slower(tmp_path):
    slow = Row("f", "slow", {"tinynet": 2.0, "torch": 1.0}, {}, {"torch": 0.5}, floor_seconds=0.25)
    fast = Row("f", "fast", {"tinynet": 1.0, "torch": 2.0}, {}, {"torch": 2.0})
    assert summary([slow, fast, Row("f", "broken", error="why")]) == [
        "geometric mean of torch/tinynet: 1.00 over 2 cases",
        "  below 1.0: 0.50  slow: tinynet 2 s, torch 1 s, floor 250 ms",
        "  FAILED: broken: why",
    ]
    plot_ratios(tmp_path / "x.png", [slow, fast])
    assert (tmp_path / "x.png").exists()


def test_disagreement_finds_each_kind():
    good = {"y": np.array([1.0, np.inf, 2.0])}
    assert disagreement(good, good, 1e-6) is None
    assert "values" in disagreement({}, good, 1e-6)
    assert "shape" in disagreement({"y": np.ones(2)}, good, 1e-6)
    assert "finite" in disagreement({"y": np.array([1.0, 2.0, 2.0])}, good, 1e-6)
    assert "relative error" in disagreement({"y": np.array([1.0, np.inf, 2.1])}, good, 1e-2)


@pytest.mark.parametrize("family", [*FAMILIES, "curves"])
def test_families_have_cases_with_names_of_their_own(family):
    cases = load(family)
    assert len(cases) >= 3
    assert any(case.quick for case in cases.values())
    if family not in ("steps", "language", "engine", "curves"):
        assert all(case.flops or case.bytes for case in cases.values())


def test_makers_give_every_engine_the_same_numbers():
    import tinynet

    narrow, wide = Maker(tinynet), Maker(tinynet, "float64")
    for make in (lambda m: m.leaf(3, 4), lambda m: m.data(2), lambda m: m.integers(9, 5), lambda m: m.data()):
        np.testing.assert_array_equal(make(narrow).detach().numpy(), make(wide).detach().numpy())
    layers = [m.model(tinynet.nn.Linear(3, 2)) for m in (narrow, wide)]
    np.testing.assert_allclose(layers[0].weight.detach().numpy(), layers[1].weight.detach().numpy(), rtol=1e-6)
    assert layers[1].weight.dtype is tinynet.float64


@pytest.mark.parametrize("script", ["engine.py", "accuracy.py", "checkers.py"])
def test_scripts_still_compile(script):
    compile((ROOT / "benchmarks" / script).read_text(encoding="utf-8"), script, "exec")


def test_without_kernels_there_is_nothing_to_time(monkeypatch):
    from benchmarks import runner

    monkeypatch.setattr(runner, "available", lambda dtype: False)
    with pytest.raises(SystemExit, match="NUMBA_DISABLE_JIT"):
        main(["engine", "--quick", "--peers", "tinynet"])


def test_a_worker_that_ends_is_an_error():
    from benchmarks.runner import Peer, WorkerError

    peer = Peer("numpy", 1)
    with pytest.raises(WorkerError, match=r"numpy: AttributeError"):
        peer.ask("frobnicate")
    peer.process.kill()
    with pytest.raises(WorkerError, match="numpy: the worker ended"):
        peer.ask("drop")
    peer.close()


def test_unknown_families_and_peers_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["frobnicate"])
    assert "no family 'frobnicate'" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="unknown tensorflow"):
        main(["engine", "--peers", "tensorflow"])


@with_kernels
def test_the_command_line_runs_the_checkout(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tinynet", "bench", "tests.benchmarks.wrong_family", "--quick", "--peers", "tinynet"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])},
        check=False,
    )
    assert done.returncode == 1
    assert "FAILED" in done.stdout


def test_the_command_line_elsewhere(tmp_path, monkeypatch, capsys):
    import tinynet

    monkeypatch.setattr(tinynet, "__file__", str(tmp_path / "site-packages" / "tinynet" / "__init__.py"))
    with pytest.raises(SystemExit) as stop:
        command(["bench", "engine"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("tinynet: error: the benchmarks are in a checkout of tinynet")
