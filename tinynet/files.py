"""Writing files so that a failure loses nothing: a temporary file, fsync, rename."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def atomic_open(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file that takes the name `path` only when it is complete and on the disk; on an error it is removed.

    Raises FileNotFoundError if the folder is missing, and whatever the disk raises (ENOSPC, …); `path` is then as before.
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"cannot write {target}: it is a folder")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {target}: the folder {target.parent} does not exist")
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _mode(target))
        publish(name, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _mode(target: Path) -> int:
    """The permissions of the file that is replaced, or the process's usual ones."""
    try:
        return target.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def publish(part: str | os.PathLike[str], target: Path) -> None:
    """Rename a finished file, already synced, and sync its folder (where folders can be), so that a crash keeps it."""
    os.replace(part, target)
    if os.name != "posix":
        return
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """`data` as the file `path`, atomically."""
    with atomic_open(path) as file:
        file.write(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """`text` in UTF-8 as the file `path`, atomically."""
    write_bytes(path, text.encode())
