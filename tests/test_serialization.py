"""save and load: round trips, foreign files, damage, full disks, kill −9."""

import io
import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
from tinynet import dtypes, files, nn
from tinynet.errors import DataError, DtypeError

numbers = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text()
keys = st.text() | st.integers() | st.none()


@st.composite
def tensors(draw):
    dtype = draw(st.sampled_from(dtypes.ALL))
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    return tn.from_numpy(np.arange(math.prod(shape)).reshape(shape).astype(dtype.numpy))


trees = st.recursive(
    numbers | tensors(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=8,
)


def same(a, b):
    assert type(a) is type(b)
    if isinstance(a, tn.Tensor):
        assert a.dtype is b.dtype
        assert a.shape == b.shape
        assert a.numpy().tobytes() == b.numpy().tobytes()
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for k in a:
            same(a[k], b[k])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b or a != a


@given(trees)
def test_round_trip(tree):
    buffer = io.BytesIO()
    tn.save(tree, buffer)
    buffer.seek(0)
    same(tree, tn.load(buffer))


def test_views_parameters_and_layouts(tmp_path):
    path = tmp_path / "x.safetensors"
    x = tn.randn(3, 4)
    tn.save({"t": x.t(), "part": x[1:, ::2], "p": nn.Parameter(x)}, path)
    back = tn.load(path)
    assert tn.equal(back["t"], x.t())
    assert tn.equal(back["part"], x[1:, ::2])
    assert back["p"].requires_grad
    back["t"].add_(1.0)


def test_any_safetensors_reader_reads_it_and_the_other_way(tmp_path):
    path = tmp_path / "x.safetensors"
    model = nn.Linear(2, 3)
    tn.save(model.state_dict(), path)
    raw = safetensors.numpy.load_file(path)
    np.testing.assert_array_equal(raw["0"], model.weight.detach().numpy())
    safetensors.numpy.save_file({"w": np.ones((2, 2), np.float32)}, path)
    assert tn.load(path)["w"].tolist() == [[1, 1], [1, 1]]


def test_what_cannot_be_saved_is_named_and_nothing_is_written(tmp_path):
    path = tmp_path / "x.safetensors"
    tn.save({"a": 1}, path)
    before = path.read_bytes()
    with pytest.raises(DtypeError, match=r"save: obj\['m'\]\[1\] is of type Linear"):
        tn.save({"m": [1, nn.Linear(1, 1)]}, path)
    with pytest.raises(DtypeError, match="key of type tuple"):
        tn.save({(1, 2): 3}, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["x.safetensors"]
    with pytest.raises(FileNotFoundError, match="does not exist"):
        tn.save(1, tmp_path / "missing" / "x")


@pytest.mark.parametrize("keep", [0, 4, 8, 60, -1])
def test_a_truncated_file_is_refused(tmp_path, keep):
    path = tmp_path / "x.safetensors"
    tn.save({"a": tn.randn(10)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"x\.safetensors is not a complete safetensors file"):
        tn.load(path)


def test_other_formats_are_refused(tmp_path):
    path = tmp_path / "x"
    for data in (b"garbage" * 9, json.dumps({"a": 1}).encode() * 5):
        path.write_bytes(data)
        with pytest.raises(DataError, match="not a complete safetensors file"):
            tn.load(path)
    path.write_bytes(b"PK\x03\x04" + bytes(50))
    with pytest.raises(DataError, match="damaged zip archive"):
        tn.load(path)
    meta = {"tinynet": json.dumps({"version": 1, "tree": {"tensor": "7", "requires_grad": False}})}
    path.write_bytes(safetensors.numpy.save({"0": np.zeros(1)}, metadata=meta))
    with pytest.raises(DataError, match="damaged structure"):
        tn.load(path)
    meta = {"tinynet": json.dumps({"version": 99, "tree": 1})}
    path.write_bytes(safetensors.numpy.save({"0": np.zeros(1)}, metadata=meta))
    with pytest.raises(DataError, match="version 99"):
        tn.load(path)
    with pytest.raises(NotImplementedError, match="weights_only"):
        tn.load(path, weights_only=False)


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    tn.save({"a": 1}, path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        tn.save({"a": 2}, path)
    monkeypatch.undo()
    assert tn.load(path) == {"a": 1}
    assert os.listdir(tmp_path) == ["x.safetensors"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_killed_while_saving_leaves_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "x.safetensors"
    program = (
        "import sys, tinynet as tn\n"
        "n = 0\n"
        "while True:\n"
        "    tn.save({'n': n, 'a': tn.full((300_000,), float(n))}, sys.argv[1])\n"
        "    n += 1\n"
        "    if n == 2: print('ready', flush=True)\n"
    )
    for delay in (0.0, 0.003, 0.011, 0.02):
        child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
        assert child.stdout.readline() == b"ready\n"
        time.sleep(delay)
        child.kill()
        child.wait()
        child.stdout.close()
        state = tn.load(path)
        assert (state["a"] == float(state["n"])).all()


def test_a_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "x.safetensors"
    tn.save({"a": tn.randn(100), "n": 3}, path)
    data = bytearray(path.read_bytes())
    data[-17] ^= 4
    path.write_bytes(data)
    with pytest.raises(DataError, match="does not match its checksum"):
        tn.load(path)


def test_files_and_locations_of_the_wrong_kind(tmp_path):
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        tn.save({}, tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        tn.load(tmp_path / "none")
    for call in (lambda: tn.save({}, io.StringIO()), lambda: tn.load(io.StringIO())):
        with pytest.raises(TypeError, match="binary mode"):
            call()
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError, match="contains itself"):
        tn.save(loop, tmp_path / "x")
    tn.save({"a": 1}, tmp_path / "x")
    assert tn.load(tmp_path / "x", map_location="cpu") == {"a": 1}
    assert tn.load(tmp_path / "x", map_location={"cuda:0": "cpu"}) == {"a": 1}
    with pytest.raises(TypeError, match="map_location"):
        tn.load(tmp_path / "x", map_location=7)
    for text in ("", "{", json.dumps({"version": 1, "tree": {"dict": [[1, 2, 3]]}})):
        (tmp_path / "x").write_bytes(safetensors.numpy.save({"0": np.zeros(1)}, metadata={"tinynet": text}))
        with pytest.raises(DataError):
            tn.load(tmp_path / "x")


def test_a_header_of_any_length_is_read():
    seen = set()
    for n in range(0, 300, 4):  # 0x80 as its first byte is how a pickle begins
        file = io.BytesIO()
        tn.save({"k" * n: tn.ones(1)}, file)
        seen.add(file.getvalue()[0])
        file.seek(0)
        assert [*tn.load(file)] == ["k" * n]
    assert 0x80 in seen
