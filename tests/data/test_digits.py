"""The digits that come with the package."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinynet.data import digits, load_digits
from tinynet.errors import DataError


def test_shapes_and_values() -> None:
    for train, n in ((True, 1437), (False, 360)):
        images, labels = load_digits(train=train)
        assert images.shape == (n, 8, 8)
        assert images.dtype == np.uint8
        assert images.max() == 16
        assert labels.shape == (n,)
        assert labels.dtype == np.int64
        assert set(labels.tolist()) == set(range(10))
        assert (np.diff(labels) != 0).mean() > 0.8  # shuffled


def test_parts_are_stratified_and_apart() -> None:
    x, y = load_digits()
    x_test, y_test = load_digits(train=False)
    counts, counts_test = np.bincount(y), np.bincount(y_test)
    assert np.abs(counts_test - (counts + counts_test) * 360 / 1797).max() < 1
    with np.load(digits.FILE, allow_pickle=False) as file:
        assert sorted(file["order"].tolist()) == list(range(1797))
        assert np.concatenate([x, x_test]).sum() == file["images"].sum()
    seen = {image.tobytes() for image in x}
    assert sum(image.tobytes() in seen for image in x_test) == 0


def test_content_is_pinned() -> None:
    sums = {
        train: hashlib.sha256(b"".join(part.tobytes() for part in load_digits(train=train))).hexdigest()
        for train in (True, False)
    }
    assert sums == {
        True: "fd8598ddf58a0eb09db6caa6933880069442446de596c870b60f215562371323",
        False: "d2fc9c1bbcb150510b8d0f8ee31ec4fa48a81a8e9b18d160b8321ff8df7d5c86",
    }


def test_the_licence_comes_with_the_data() -> None:
    text = digits.FILE.with_name("digits.LICENSE.txt").read_text(encoding="utf-8")
    for word in ("Alpaydin", "Kaynak", "CC BY 4.0", "Changes"):
        assert word in text


def test_damage_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = digits.FILE.read_bytes()
    damaged = tmp_path / "digits.npz"
    monkeypatch.setattr(digits, "FILE", damaged)
    for wrong in (content[:1000], b"", b"PK" + content[2:][::-1]):
        damaged.write_bytes(wrong)
        with pytest.raises(DataError, match="is damaged"):
            load_digits()


def test_made_from_the_source(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    script = Path(__file__).parents[2] / "tools" / "make_digits.py"
    copy = tmp_path / "tools" / "make_digits.py"
    (tmp_path / "tinynet" / "data").mkdir(parents=True)
    copy.parent.mkdir()
    copy.write_bytes(script.read_bytes())
    subprocess.run([sys.executable, str(copy)], check=True, capture_output=True)
    made = np.load(tmp_path / "tinynet" / "data" / "digits.npz")
    with np.load(digits.FILE, allow_pickle=False) as kept:
        for name in kept.files:
            np.testing.assert_array_equal(made[name], kept[name], strict=True)
    made.close()


def test_reading_needs_no_engine() -> None:
    code = (
        "import sys, tinynet.data, tinynet.data.download\n"
        "tinynet.data.load_digits()\n"
        "print(sorted({'numba', 'scipy', 'tinynet.tensor', 'tqdm', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
