"""The training loop: resumption to the same bits, Ctrl-C, kill −9, threads, run folders."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tinynet as tn
from tinynet import nn, optim
from tinynet.data import DataLoader, TensorDataset, transforms
from tinynet.data.dataset import Mapped
from tinynet.errors import DataError, OptionError
from tinynet.training import Config, Interrupted, Trainer, evaluate, evaluate_run, read_config, train


def small_run(folder, stop_after=None, epochs=3, workers=0):
    """Three epochs with everything that has state: dropout, momentum, a schedule, augmentation, shuffling."""
    tn.manual_seed(11)
    images, labels = tn.rand(50, 1, 6, 6), tn.randint(0, 3, (50,))
    data = Mapped(
        images, labels, transforms.Compose([transforms.RandomCrop(6, padding=1), transforms.RandomHorizontalFlip()])
    )
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 3)
    )
    optimizer = optim.Adam(model.parameters(), 0.01)
    loss_fn = nn.CrossEntropyLoss()
    trainer = Trainer(model, optimizer, loss_fn, optim.lr_scheduler.StepLR(optimizer, 1, 0.5), folder)
    if stop_after is not None:
        count = 0

        def counting(*args):
            nonlocal count
            count += model.training
            if count == stop_after:
                trainer._stop = True
            return loss_fn(*args)

        trainer.loss_fn = counting
    elif (folder / "last.safetensors").exists():
        trainer.load_checkpoint()
    trainer.fit(DataLoader(data, 8, shuffle=True, num_workers=workers), DataLoader(data, 50), epochs)
    return trainer


def state(folder):
    saved = tn.load(folder / "last.safetensors")
    for row in saved["history"]:
        del row["seconds"], row["samples_per_second"]
    return saved


def assert_same(a, b):
    if isinstance(a, tn.Tensor):
        assert a.numpy().tobytes() == b.numpy().tobytes()
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for k in a:
            assert_same(a[k], b[k])
    elif isinstance(a, list | tuple):
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


@pytest.mark.parametrize(("stop_after", "workers"), [(1, 0), (7, 0), (9, 2), (14, 0), (21, 0)])
def test_a_resumed_run_gives_the_same_bits(tmp_path, stop_after, workers):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    small_run(whole)
    with pytest.raises(Interrupted):
        small_run(parts, stop_after)
    small_run(parts, workers=workers)
    assert_same(state(whole), state(parts))


def test_evaluate():
    x = tn.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0]])
    y = tn.tensor([0, 1, 1])
    model = nn.Sequential(nn.Dropout(0.5)).train()
    result = evaluate(model, DataLoader(TensorDataset(x, y), 2), nn.CrossEntropyLoss())
    assert model.training
    assert result.accuracy == pytest.approx(2 / 3)
    assert result.confusion.tolist() == [[1, 0], [1, 1]]
    assert result.recall().tolist() == [1.0, 0.5]
    assert result.loss == pytest.approx(nn.functional.cross_entropy(x, y).item())
    with pytest.raises(ValueError, match="no samples"):
        evaluate(model, [], nn.CrossEntropyLoss())


def test_a_run_folder(tmp_path):
    config = Config(model="mlp", epochs=2, seed=3)
    folder = tmp_path / "run"
    result = train(config, folder)
    assert sorted(p.name for p in folder.iterdir()) == [
        "best.safetensors",
        "config.json",
        "confusion.json",
        "confusion.png",
        "curves.png",
        "last.safetensors",
        "metrics.jsonl",
    ]
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [r["epoch"] for r in rows] == [1, 2]
    assert rows == result.history
    assert result.best.accuracy == max(r["test_accuracy"] for r in rows) > 0.7
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert np.sum(json.loads((folder / "confusion.json").read_text())) == 360
    assert read_config(folder) == config
    _, epoch, again = evaluate_run(folder)
    assert (epoch, again.accuracy) == (result.best_epoch, result.best.accuracy)
    with pytest.raises(OptionError, match="holds a run already"):
        train(config, folder)


def test_damaged_runs_are_refused(tmp_path):
    with pytest.raises(DataError, match="is not a folder"):
        read_config(tmp_path / "none")
    with pytest.raises(DataError, match="holds no run"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text('{"model": "mlp"}')
    with pytest.raises(FileNotFoundError):
        evaluate_run(tmp_path)
    tn.save({"model": {}}, tmp_path / "best.safetensors")
    with pytest.raises(DataError, match="not a training checkpoint"):
        evaluate_run(tmp_path)
    for bad, message in (
        ({"model": "vgg"}, "model must be one of"),
        ({"epochs": 0}, "epochs"),
        ({"threads": 0}, "threads"),
    ):
        with pytest.raises(OptionError, match=message):
            Config(**bad)


BITS = """
import hashlib, sys, tinynet as tn
from tinynet.training import Config, train
tn.set_num_threads(int(sys.argv[1]))
train(Config(model=sys.argv[2], epochs=1, batch_size=100), sys.argv[3])
state = tn.load(sys.argv[3] + "/last.safetensors")
h = hashlib.sha256()
for t in state["model"].values():
    h.update(t.numpy().tobytes())
print(tn.get_num_threads(), h.hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lenet", "cnn"])
def test_the_same_bits_for_1_2_and_4_threads(tmp_path, model):
    seen = set()
    for threads in (1, 2, 4):
        out = subprocess.run(
            [sys.executable, "-c", BITS, str(threads), model, str(tmp_path / str(threads))],
            env={**os.environ, "NUMBA_NUM_THREADS": "4"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        assert out[0] == str(threads)
        seen.add(out[1])
    assert len(seen) == 1


def start(folder, *extra):
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tinynet",
            "train",
            "mlp",
            *(() if "--resume" in extra and "--epochs" not in extra else ("--epochs", "6")),
            *extra,
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )


def wait_for(path: Path, child):
    limit = time.monotonic() + 120
    while not path.exists():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path):
    child = start(tmp_path, "--out", "run", "--epochs", "5000")
    wait_for(tmp_path / "run" / "last.safetensors", child)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "go on with: tinynet train mlp --resume run" in err
    last = tmp_path / "run" / "last.safetensors"
    epoch, written = tn.load(last)["epoch"], last.stat().st_mtime_ns
    child = start(tmp_path, "--resume", "run", "--epochs", "5000")
    while last.stat().st_mtime_ns == written:
        assert child.poll() is None, child.communicate()
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    assert tn.load(last)["epoch"] > epoch


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_kill_9_leaves_a_run_that_goes_on_to_the_same_bits(tmp_path):
    child = start(tmp_path, "--out", "whole")
    assert child.wait(timeout=300) == 0
    child.communicate()
    child = start(tmp_path, "--out", "killed")
    wait_for(tmp_path / "killed" / "last.safetensors", child)
    time.sleep(0.05)
    child.kill()
    child.communicate()
    child = start(tmp_path, "--resume", "killed")
    assert child.wait(timeout=300) == 0
    child.communicate()
    assert_same(state(tmp_path / "whole"), state(tmp_path / "killed"))
    assert not [p for p in (tmp_path / "killed").iterdir() if p.name.endswith(".png.tmp")]
