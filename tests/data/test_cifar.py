"""CIFAR's binary form, EMNIST's files, and folders of images."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

import tinynet as tn
from tinynet.compat.vision import datasets
from tinynet.data import CIFAR10, CIFAR100, EMNIST, KMNIST, ImageFolder, load_cifar, load_emnist, write_idx
from tinynet.data import cifar as module
from tinynet.data import mnist as mnist_module
from tinynet.errors import DataError, OptionError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (10, 3, 32, 32), np.uint8)
LABELS = np.arange(10, dtype=np.uint8)


def records(*labels, images=IMAGES):
    return np.concatenate([np.stack(labels, 1), images.reshape(len(images), -1)], axis=1).tobytes()


def write(folder: Path) -> Path:
    home = folder / "cifar-10-batches-bin"
    home.mkdir(parents=True)
    for i in range(5):
        part = slice(2 * i, 2 * i + 2)
        (home / f"data_batch_{i + 1}.bin").write_bytes(records(LABELS[part], images=IMAGES[part]))
    (home / "test_batch.bin").write_bytes(records(LABELS))
    (home / "batches.meta.txt").write_text("\n".join("abcdefghij") + "\n\n")
    return home


def test_cifar10(tmp_path):
    home = write(tmp_path)
    for folder in (tmp_path, home):
        for train in (True, False):
            images, labels = load_cifar(folder, train=train)
            np.testing.assert_array_equal(images, IMAGES, strict=True)
            np.testing.assert_array_equal(labels, LABELS.astype(np.int64), strict=True)
    image, label = CIFAR10(tmp_path)[3]
    assert (image.dtype, label) == (tn.float32, 3)
    np.testing.assert_allclose(image.numpy(), IMAGES[3] / np.float32(255))
    pictures = datasets.CIFAR10(tmp_path, train=False)
    assert pictures.class_to_idx["c"] == 2
    np.testing.assert_array_equal(np.asarray(pictures[4][0]), IMAGES[4].transpose(1, 2, 0))


def test_cifar100(tmp_path):
    (tmp_path / "train.bin").write_bytes(records(LABELS, LABELS * 9))
    assert load_cifar(tmp_path, name="cifar100")[1].tolist() == (LABELS.astype(int) * 9).tolist()
    assert CIFAR100(tmp_path)[1][1] == 9
    (tmp_path / "train.bin").write_bytes(records(LABELS + 11, LABELS))
    with pytest.raises(DataError, match=r"train\.bin has label 20 in record 9, expected 0 to 19"):
        load_cifar(tmp_path, name="cifar100")


def test_damaged_and_missing_files(tmp_path):
    home = write(tmp_path)
    path = home / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"data_batch_3\.bin has 6145 bytes, expected a multiple of 3073"):
        load_cifar(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="has no data_batch_3"):
        load_cifar(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no train"):
        load_cifar(tmp_path, name="cifar100")
    with pytest.raises(OptionError, match="cifar1000"):
        load_cifar(tmp_path, name="cifar1000")
    (tmp_path / "cifar-100-python").mkdir()
    (tmp_path / "cifar-100-python" / "train").write_bytes(b"\x80\x02")
    with pytest.raises(NotImplementedError, match=r"Python form.*pickles.*cifar-100-binary\.tar\.gz"):
        load_cifar(tmp_path, name="cifar100")
    with pytest.raises(RuntimeError, match="download=True"):
        datasets.MNIST(tmp_path)


def test_an_archive_is_unpacked(tmp_path, monkeypatch):
    home = write(tmp_path / "published")
    archive = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(home, "cifar-10-batches-bin")
        stray = tarfile.TarInfo("../data_batch_1.txt")
        file.addfile(stray, io.BytesIO())
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    monkeypatch.setitem(module.LAYOUTS, "cifar10", module.LAYOUTS["cifar10"]._replace(md5=md5))
    images, _ = load_cifar(tmp_path, download=True)  # the archive is there: no server is asked
    np.testing.assert_array_equal(images, IMAGES)
    assert len(list((tmp_path / "cifar-10-batches-bin").iterdir())) == 7


def test_emnist(tmp_path, monkeypatch):
    images, labels = IMAGES[:, 0, :28, :28], LABELS + 1
    inner = tmp_path / "inner"
    inner.mkdir()
    for part in ("train", "test"):
        write_idx(inner / f"emnist-letters-{part}-images-idx3-ubyte.gz", images)
        write_idx(inner / f"emnist-letters-{part}-labels-idx1-ubyte.gz", labels)
    raw = tmp_path / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    with zipfile.ZipFile(raw / "gzip.zip", "w") as file:
        for path in inner.iterdir():
            file.write(path, f"gzip/{path.name}")
    md5 = hashlib.md5((raw / "gzip.zip").read_bytes()).hexdigest()
    monkeypatch.setattr(mnist_module, "EMNIST_MD5", md5)
    found = load_emnist(raw, split="letters", download=True)
    np.testing.assert_array_equal(found[0], images)
    data = EMNIST(raw, "letters", train=False)
    assert (data.classes, data[0][1]) == (26, 1)
    np.testing.assert_allclose(data[0][0].numpy()[0], images[0].T / np.float32(255))
    theirs = datasets.EMNIST(tmp_path, "letters", train=True)
    assert theirs.classes[theirs[1][1]] == "b"
    np.testing.assert_array_equal(np.asarray(theirs[1][0]), images[1])
    write_idx(raw / "emnist-letters-train-labels-idx1-ubyte", labels - 1)
    with pytest.raises(DataError, match="label 0 at 0, expected 1 to 26"):
        load_emnist(raw, split="letters")
    with pytest.raises(OptionError, match="split"):
        load_emnist(raw, split="words")
    write_idx(inner / "train-images-idx3-ubyte", images)
    write_idx(inner / "train-labels-idx1-ubyte", LABELS)
    assert KMNIST(inner)[9][1] == 9


def test_image_folder(tmp_path):
    Image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    for place in ("b/2.png", "b/deep/1.PNG", "a/1.png", "b/.hidden.png", ".git/x.png", "a/notes.txt"):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(IMAGES[len(place) % 10, 0]).save(path, "png")
    data = ImageFolder(tmp_path, transform=lambda x: x.size, target_transform=lambda t: t * 10)
    assert (data.classes, data.class_to_idx, data.targets) == (["a", "b"], {"a": 0, "b": 1}, [0, 1, 1])
    assert [Path(p).relative_to(tmp_path).as_posix() for p, _ in data.imgs] == ["a/1.png", "b/2.png", "b/deep/1.PNG"]
    assert data[2] == ((32, 32), 10)
    assert ImageFolder(tmp_path)[0][0].mode == "RGB"
    path = tmp_path / "a" / "1.png"
    for content in (path.read_bytes()[:200], b"text"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"a/1\.png is no whole image"):
            ImageFolder(tmp_path)[0]
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"class a .* has no files that end in \.jpg"):
        ImageFolder(tmp_path)
    assert len(ImageFolder(tmp_path, allow_empty=True)) == 2
    with pytest.raises(FileNotFoundError, match="no subfolders"):
        ImageFolder(tmp_path / "a")
