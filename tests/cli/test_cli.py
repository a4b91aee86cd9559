"""The command line: what it prints, its exit codes, its errors."""

import json
import os

import pytest

import tinynet as tn
from tinynet.cli import main


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    tn.set_strict(False)
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def test_train_eval_and_the_default_folder(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "train", "mlp", "--epochs", "1", "--threads", "1", "--lr", "0.1", "--batch-size", "64")
    assert code == 0
    assert out.startswith("test accuracy ")
    assert "mlp on digits, seed 0: runs/mlp-digits-seed0" in err
    config = json.loads((tmp_path / "runs/mlp-digits-seed0/config.json").read_text())
    assert (config["lr"], config["batch_size"], config["threads"]) == (0.1, 64, 1)
    assert run(capsys, "train", "mlp", "--epochs", "1")[0] == 0
    assert (tmp_path / "runs/mlp-digits-seed0-2").is_dir()
    code, out, _ = run(capsys, "eval", "runs/mlp-digits-seed0")
    assert code == 0
    assert "360 test samples" in out
    assert "class 9:" in out


def test_info(capsys):
    code, out, _ = run(capsys, "info")
    assert code == 0
    for word in ("tinynet", "numpy", "numba", "processor", "threads", "blas", "cache"):
        assert f"\n{word}" in f"\n{out}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "Missing argument"),
        (["train", "vgg"], "'vgg' is not one of"),
        (["train", "mlp", "--epochs", "0"], "--epochs"),
        (["train", "mlp", "--lr", "x"], "--lr"),
        (["train", "mlp", "--lr", "-1"], "lr must be positive"),
        (["train", "mlp", "--data", "mnist", "--data-dir", "nowhere"], "nowhere"),
        (["train", "mlp", "--data-dir", "somewhere"], "data_dir"),
        (["train", "mlp", "--resume", "nowhere"], "nowhere is not a folder"),
        (["eval", "nowhere"], "nowhere is not a folder"),
        (["frobnicate"], "No such command"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_errors_are_one_line_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    lines = err.strip().splitlines()
    assert lines[-1].startswith("tinynet: error: ")
    assert message in lines[-1]
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "eval", "nowhere", "--debug")
    assert code == 2
    assert "Traceback" in err


def test_resume_refuses_other_settings(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "train", "mlp", "--epochs", "1", "--out", "r")[0] == 0
    for extra in (["--lr", "0.5"], ["--seed", "4"], ["--out", "s"]):
        code, _, err = run(capsys, "train", "mlp", "--resume", "r", *extra)
        assert code == 2
        assert "--resume" in err
    code, _, err = run(capsys, "train", "mlp", "--out", "r")
    assert code == 2
    assert "holds a run already" in err
    assert run(capsys, "train", "mlp", "--resume", "r", "--threads", "1")[0] == 0


def test_mnist_files(capsys, tmp_path):
    folder = os.environ.get("TINYNET_DATA")
    if not folder:
        pytest.skip("TINYNET_DATA names no folder with real data")
    code, out, err = run(
        capsys,
        "train",
        "mlp",
        "--data",
        "mnist",
        "--data-dir",
        f"{folder}/mnist",
        "--epochs",
        "1",
        "--out",
        str(tmp_path / "r"),
    )
    assert code == 0, err
    assert float(out.split()[2].rstrip("%")) > 85


def test_without_a_command_there_is_help(capsys):
    code, out, _ = run(capsys)
    assert code == 0
    assert "Commands:" in out


def test_a_diverged_run_is_no_success(capsys, tmp_path):
    code, _, err = run(capsys, "train", "mlp", "--lr", "1e30", "--epochs", "1", "--out", str(tmp_path / "r"))
    assert code == 1
    assert "diverged" in err


def test_a_finished_run_says_so(capsys, tmp_path):
    folder = str(tmp_path / "r")
    assert run(capsys, "train", "mlp", "--epochs", "1", "--out", folder)[0] == 0
    code, out, err = run(capsys, "train", "mlp", "--resume", folder)
    assert code == 0
    assert "finished already" in err
    assert out.startswith("test accuracy")


def test_a_changed_configuration_is_refused(capsys, tmp_path):
    folder = tmp_path / "r"
    assert run(capsys, "train", "mlp", "--epochs", "1", "--out", str(folder))[0] == 0
    config = json.loads((folder / "config.json").read_text())
    for change, message in (
        ({"seed": 4}, "other settings"),
        ({"epochs": "9"}, "epochs must be a number"),
        ({"x": 1}, "unknown"),
    ):
        (folder / "config.json").write_text(json.dumps(config | change))
        code, _, err = run(capsys, "train", "mlp", "--resume", str(folder))
        assert code == 2
        assert message in err


@pytest.mark.parametrize("out", ["afile", "afile/x"])
def test_an_unusable_folder_is_named(capsys, tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afile").write_text("")
    code, _, err = run(capsys, "train", "mlp", "--epochs", "1", "--out", out)
    assert code == 2
    assert f"cannot make the run's folder {out}" in err


OPERATIONS = """
import numpy as np

def softplus(x):
    return np.log1p(np.exp(x))

def softplus_vjp(x, dy):
    return dy / (1 + np.exp(-x))

def wrong_vjp(x, dy):
    return dy * np.exp(-x)

def product(x, w):
    return x @ w

NUMBER = 3
"""


@pytest.fixture
def operations(tmp_path, monkeypatch):
    """A folder with a module of one's own operations, as the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"operations_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(OPERATIONS)
    return name


def test_check_a_numpy_pair(capsys, operations, tmp_path):
    pair = f"{operations}:softplus"
    code, out, _ = run(capsys, "check", pair, "--vjp", f"{operations}:softplus_vjp", "--shapes", "3,4")
    assert code == 0
    assert out.startswith("gradient of softplus: pass (seed 0)\n  argument 0 float64[3, 4]: 36 passed")
    options = ("--shapes", "2,3", "--seed", "4", "--dtype", "float32", "--low", "0.5", "--high", "3", "--png", "j.png")
    code, out, _ = run(capsys, "check", pair, "--vjp", f"{operations}:wrong_vjp", *options)
    assert code == 1
    assert "gradient of softplus: fail (seed 4)" in out
    assert f"check_vjp({operations}.softplus, args, vjp={operations}.wrong_vjp, seed=4)" in out
    assert (tmp_path / "j.png").read_bytes().startswith(b"\x89PNG")


def test_check_a_function_of_tensors(capsys, operations):
    for shapes in (("3,4", "4,5"), ("(3,4)", "(4,)")):
        code, out, _ = run(capsys, "check", f"{operations}:product", "--shapes", *shapes, "--order", "2")
        assert code == 0
        assert out.startswith("gradient of the gradient of product: pass")
    assert run(capsys, "check", "tinynet:sin", "--shapes", "()")[0] == 0
    assert run(capsys, "check", "tinynet:relu", "--shapes", "9", "--oracle", "taylor")[0] == 0


def test_check_all_of_a_checkout(capsys):
    code, out, _ = run(capsys, "check", "--all", "--checks", "8", "--only", "softmax")
    assert code == 0
    assert "log_softmax" in out
    assert " checks of " in out.splitlines()[-1]
    assert " 0 failed, 0 unresolved" in out.splitlines()[-1]


def test_check_all_outside_of_a_checkout(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tn, "__file__", str(tmp_path / "site-packages" / "tinynet" / "__init__.py"))
    code, _, err = run(capsys, "check", "--all")
    assert code == 2
    assert err == (
        "tinynet: error: --all needs the records of a checkout of tinynet, which an installed package has not "
        "(see 'tinynet check --help')\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "got 0 functions, expected one as module:function"),
        (["tinynet:sin"], "--shapes is missing"),
        (["tinynet", "--shapes", "3"], "got 0 functions"),
        (["nowhere:f", "--shapes", "3"], "no module named 'nowhere'"),
        (["tinynet:sinus", "--shapes", "3"], "tinynet has no 'sinus'"),
        (["OPERATIONS:NUMBER", "--shapes", "3"], "is of type int, expected a function"),
        (["tinynet:sin", "--shapes", "3,x"], "got '3,x', expected sizes such as 3,4"),
        (["tinynet:sin", "--shapes", "3,-1"], "got '3,-1', expected sizes"),
        (["tinynet:sin", "--shapes", "3", "--low", "2", "--high", "1"], "--low 2 is not below --high 1"),
        (["tinynet:sin", "--shapes", "3", "--checks", "9"], "--checks and --only go with --all"),
        (["tinynet:sin", "--all"], "leave tinynet:sin away"),
        (["--all", "--only", "frobnicate"], "no differentiable operation has 'frobnicate' in its name"),
        (["tinynet:sin", "--shapes", "3", "--vjp", "tinynet:cos", "--order", "2"], "leave --engine and --order away"),
        (["tinynet:matmul", "--shapes", "3,4", "5,6"], "matmul"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_check_errors_are_one_line(capsys, operations, arguments, message):
    code, _, err = run(capsys, "check", *[a.replace("OPERATIONS", operations) for a in arguments])
    assert code == 2
    assert err.startswith("tinynet: error: ")
    assert message in err
    assert err.count("\n") == 1


def test_warmup_says_where_the_kernels_are(capsys, monkeypatch):
    from tinynet.cli import warmup

    ran = []
    monkeypatch.setattr(warmup, "BATCHES", (2,))
    train = warmup._train
    monkeypatch.setattr(warmup, "_train", lambda *args: (ran.append(args), train(*args)))
    code, out, _ = run(capsys, "warmup")
    assert code == 0
    assert out.startswith("kernels are ready after ")
    assert len(ran) == len(warmup.NETWORKS)
