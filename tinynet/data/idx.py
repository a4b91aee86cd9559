"""IDX, the file format of MNIST and its relatives: an n-dimensional array of one number type, big-endian.

    2 zero bytes | type code | rank n | n sizes, uint32 big-endian | the numbers, C order, big-endian

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinynet.errors import DataError, DtypeError, ShapeError
from tinynet.files import atomic_open

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(dtype).newbyteorder("="): code for code, dtype in _DTYPES.items()}
_CHUNK = 1 << 20


def read_idx(path: str | os.PathLike[str], *, ndim: int | None = None) -> NDArray[Any]:
    """Read an IDX file, plain or compressed with gzip (told by its first bytes, not by its name).

    Never more memory is taken than the file has content: a header that claims more is an error.

    Parameters
    ----------
    path : the file
    ndim : the rank that the array must have; by default any

    Returns
    -------
    numpy.ndarray
        in native byte order and C order: uint8, int8, int16, int32, float32 or float64

    Raises
    ------
    DataError
        not an IDX file, truncated, followed by more bytes, corrupt compression, another rank than `ndim`
    FileNotFoundError, OSError
        the file cannot be read
    """
    path = Path(path)
    try:
        with open(path, "rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not compressed:
                return _read(raw, path, ndim)
            with gzip.open(raw, "rb") as file:
                return _read(file, path, ndim)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"read_idx: {path} is no whole gzip file: {error}") from error


def write_idx(path: str | os.PathLike[str], array: ArrayLike, *, compress: bool | None = None) -> None:
    """Write an array as an IDX file; it appears whole or not at all.

    Parameters
    ----------
    path : the file; one that exists is replaced
    array : of dtype uint8, int8, int16, int32, float32 or float64, rank 0 to 255
    compress : with gzip; by default where the name ends in .gz

    Raises
    ------
    DtypeError, ShapeError
        a dtype or a size that the format cannot hold
    """
    path, array = Path(path), np.asarray(array)
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        raise DtypeError(f"write_idx: array has dtype {array.dtype}, expected one of {', '.join(map(str, _CODES))}")
    if any(size >= 2**32 for size in array.shape):
        raise ShapeError(f"write_idx: array has shape {array.shape}, expected sizes below 2**32")
    header = bytes((0, 0, code, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    content = header + array.astype(_DTYPES[code]).tobytes()
    with atomic_open(path) as file:
        file.write(
            gzip.compress(content, mtime=0) if compress or (compress is None and path.suffix == ".gz") else content
        )


def _read(file: BinaryIO | gzip.GzipFile, path: Path, ndim: int | None) -> NDArray[Any]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        codes = ", ".join(f"{code:02x}" for code in _DTYPES)
        raise DataError(
            f"read_idx: {path} begins with {magic.hex(' ') or 'nothing'}, expected an IDX file's 00 00, a type code of "
            f"{codes}, and the rank"
        )
    dtype, rank = np.dtype(_DTYPES[magic[2]]), magic[3]
    if ndim is not None and rank != ndim:
        raise DataError(f"read_idx: {path} holds an array of rank {rank}, expected rank {ndim}")
    header = file.read(4 * rank)
    if len(header) < 4 * rank:
        raise DataError(f"read_idx: {path} ends inside its header: {4 + len(header)} bytes, expected {4 + 4 * rank}")
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
    expected = math.prod(shape) * dtype.itemsize  # a Python integer: it cannot overflow

    content = bytearray()  # grown by what comes, since the header may lie
    while len(content) < expected:
        chunk = file.read(min(_CHUNK, expected - len(content)))
        if not chunk:
            raise DataError(
                f"read_idx: {path} is truncated: {len(content)} bytes of numbers, expected {expected} for {dtype.name} "
                f"{shape}"
            )
        content += chunk
    if file.read(1):
        raise DataError(f"read_idx: {path} goes on after its {expected} bytes of {dtype.name} {shape}")
    try:
        return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))
    except ValueError as error:  # rank above NumPy's, or sizes that overflow beside a size of 0
        raise DataError(f"read_idx: {path} claims shape {shape}, which NumPy cannot hold: {error}") from error
