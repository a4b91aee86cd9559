"""IDX files: what is written comes back, and nothing else is believed."""

import gzip
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinynet.data import read_idx, write_idx
from tinynet.errors import DataError, DtypeError

DTYPES = ["uint8", "int8", "int16", "int32", "float32", "float64"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data(), compress=st.booleans())
def test_round_trip(tmp_path: Path, data: Any, compress: bool) -> None:
    dtype = data.draw(st.sampled_from(DTYPES))
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    array = data.draw(hnp.arrays(dtype, shape))
    write_idx(tmp_path / "x", array, compress=compress)
    got = read_idx(tmp_path / "x")
    assert got.dtype == np.dtype(dtype)
    assert got.dtype.isnative
    assert got.shape == array.shape
    assert got.tobytes() == array.tobytes()


def test_the_bytes_are_those_of_the_format(tmp_path: Path) -> None:
    write_idx(tmp_path / "x", np.array([[1, -2, 3]], np.int16))
    assert (tmp_path / "x").read_bytes() == bytes.fromhex("00 00 0b 02 00000001 00000003 0001 fffe 0003")


@pytest.mark.parametrize(("code", "dtype"), list(zip((8, 9, 11, 12, 13, 14), DTYPES, strict=True)))
def test_every_type_code(tmp_path: Path, code: int, dtype: str) -> None:
    numbers = np.array([0, 1, 100], dtype)
    content = bytes((0, 0, code, 1)) + struct.pack(">I", 3) + numbers.astype(numbers.dtype.newbyteorder(">")).tobytes()
    (tmp_path / "x").write_bytes(content)
    np.testing.assert_array_equal(read_idx(tmp_path / "x"), numbers, strict=True)


def test_gzip_is_told_by_content_and_written_by_name(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    write_idx(tmp_path / "x.gz", array)
    assert (tmp_path / "x.gz").read_bytes()[:2] == b"\x1f\x8b"
    (tmp_path / "x.gz").rename(tmp_path / "plain-name")
    np.testing.assert_array_equal(read_idx(tmp_path / "plain-name"), array)
    write_idx(tmp_path / "y.gz", array, compress=False)
    np.testing.assert_array_equal(read_idx(tmp_path / "y.gz"), array)


HEADER = bytes((0, 0, 8, 2)) + struct.pack(">II", 2, 3)
BAD = {
    "empty": (b"", "begins with nothing"),
    "short magic": (b"\0\0\x08", "begins with 00 00 08"),
    "bad magic": (b"\x89PNG1234", "begins with 89 50 4e 47"),
    "unknown type": (bytes((0, 0, 0x0A, 1)) + struct.pack(">I", 1) + b"\0", "type code"),
    "short header": (HEADER[:-1], "ends inside its header: 11 bytes, expected 12"),
    "no content": (HEADER, "is truncated: 0 bytes of numbers, expected 6"),
    "truncated": (HEADER + bytes(5), "is truncated: 5 bytes of numbers, expected 6"),
    "trailing": (HEADER + bytes(7), "goes on after its 6 bytes"),
    "lying sizes": (bytes((0, 0, 14, 3)) + b"\xff" * 12 + bytes(100), "is truncated: 100 bytes"),
    "overflow beside 0": (bytes((0, 0, 14, 4)) + bytes(4) + b"\xff" * 12, "NumPy cannot hold"),
    "rank 255": (bytes((0, 0, 8, 255)) + struct.pack(">I", 1) * 255 + b"x", "NumPy cannot hold"),
}


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path: Path, name: str, compress: bool) -> None:
    content, message = BAD[name]
    path = tmp_path / "bad-file"
    path.write_bytes(gzip.compress(content) if compress else content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=message) as raised:
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20  # a lying header costs nothing
    finally:
        tracemalloc.stop()
    assert "bad-file" in str(raised.value)


@pytest.mark.parametrize("cut", [3, 9, 15, -1, -9])
def test_cut_gzip(tmp_path: Path, cut: int) -> None:
    write_idx(tmp_path / "x.gz", np.arange(200, dtype=np.int32))
    content = (tmp_path / "x.gz").read_bytes()
    (tmp_path / "x.gz").write_bytes(content[:cut])
    with pytest.raises(DataError, match=r"x\.gz is no whole gzip file"):
        read_idx(tmp_path / "x.gz")


def test_damaged_gzip(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(HEADER + bytes(6)))
    content[-6] ^= 1  # its checksum
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match="no whole gzip"):
        read_idx(tmp_path / "x")


def test_wrong_rank(tmp_path: Path) -> None:
    write_idx(tmp_path / "x", np.zeros((2, 3), np.uint8))
    assert read_idx(tmp_path / "x", ndim=2).shape == (2, 3)
    with pytest.raises(DataError, match="rank 2, expected rank 3"):
        read_idx(tmp_path / "x", ndim=3)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "x")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(tmp_path / "x", np.zeros(3, np.uint8))
    before = (tmp_path / "x").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_idx(tmp_path / "x", np.ones(3, np.uint8))
    assert (tmp_path / "x").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_dtypes_that_the_format_lacks(tmp_path: Path) -> None:
    with pytest.raises(DtypeError, match="int64"):
        write_idx(tmp_path / "x", np.zeros(3, np.int64))
