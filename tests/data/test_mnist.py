"""MNIST's reader on small files of its format, and its download from a local server."""

import hashlib
import http.server
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tinynet.data import load_mnist, write_idx
from tinynet.data import mnist as module
from tinynet.errors import DataError, OptionError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 28, 28), np.uint8)
LABELS = RNG.integers(0, 10, 12, np.uint8)


def write(folder: Path, part: str = "train", mark: str = "-", end: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_idx(folder / f"{part}-images{mark}idx3-ubyte{end}", IMAGES)
    write_idx(folder / f"{part}-labels{mark}idx1-ubyte{end}", LABELS)
    return folder


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_every_spelling(tmp_path: Path, train: bool, mark: str, end: str) -> None:
    images, labels = load_mnist(write(tmp_path, "train" if train else "t10k", mark, end), train=train)
    np.testing.assert_array_equal(images, IMAGES, strict=True)
    np.testing.assert_array_equal(labels, LABELS.astype(np.int64), strict=True)


def test_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYNET_CACHE_DIR", str(tmp_path))
    write(tmp_path / "datasets" / "fashion-mnist")
    assert len(load_mnist(name="fashion-mnist")[0]) == 12
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*mnist"):
        load_mnist()


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"has none of t10k-images-idx3-ubyte, t10k-images-idx3-ubyte\.gz"):
        load_mnist(write(tmp_path), train=False)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        load_mnist(tmp_path / "nowhere")
    with pytest.raises(OptionError, match="qmnist"):
        load_mnist(tmp_path, name="qmnist")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES, LABELS[:-1], "12 images .* 11 labels"),
        (IMAGES, np.append(LABELS[:-1], np.uint8(10)), "label 10 at 11, expected 0 to 9"),
        (IMAGES[:, :27], LABELS, r"\(12, 27, 28\), expected uint8 \(N, 28, 28\)"),
        (IMAGES.astype(np.int16), LABELS, "int16"),
        (IMAGES[0], LABELS, "rank 2, expected rank 3"),
        (IMAGES, LABELS.astype(np.int32), "int32, expected uint8"),
        (IMAGES, LABELS[:, None], "rank 2, expected rank 1"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, images: np.ndarray, labels: np.ndarray, message: str) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", images)
    write_idx(tmp_path / "train-labels-idx1-ubyte", labels)
    with pytest.raises(DataError, match=message):
        load_mnist(tmp_path)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = write(tmp_path / "published", end=".gz")
    sums = {p.name: hashlib.md5(p.read_bytes()).hexdigest() for p in published.iterdir()}
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=published)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setitem(module.MIRRORS, "mnist", (f"http://127.0.0.1:{server.server_address[1]}/",))
        monkeypatch.setitem(module.MD5, "mnist", sums)
        images, _ = load_mnist(tmp_path / "new", download=True)
        server.shutdown()
        thread.join()
    np.testing.assert_array_equal(images, IMAGES)
    load_mnist(tmp_path / "new", download=True)  # there already: no server is asked


def test_published_sums_are_whole() -> None:
    for sums in module.MD5.values():
        assert len(sums) == 4
        assert all(len(value) == 32 and int(value, 16) for value in sums.values())
    assert set(module.MD5) == set(module.MIRRORS)
