"""Reading texts: plain or gzip, UTF-8 only, with errors that name the place."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Any

from ...errors import DataError, DtypeError, OptionError


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a UTF-8 file, plain or compressed with gzip (told by its first bytes, not by its name).

    Line ends stay as they are; a byte order mark at the beginning is left out.

    Raises
    ------
    DataError (a ValueError)
        bytes that are no UTF-8, with their offset; an empty file; corrupt or truncated compression
    FileNotFoundError, OSError
        the file cannot be read
    """
    content = Path(path).read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"read_text: {path} is no whole gzip file: {error}") from error
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"read_text: {path} is not UTF-8: {error.reason} at byte {error.start} "
            f"({content[error.start : error.end].hex(' ')}), in line {content.count(10, 0, error.start) + 1}"
        ) from error
    text = text.removeprefix("\ufeff")
    if not text:
        raise DataError(f"read_text: {path} is empty")
    return text


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """The lines of a text file, without their ends (\\n or \\r\\n). Errors as `read_text`'s."""
    lines = read_text(path).split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def read_pairs(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Line n of one file with line n of another: a parallel corpus. Each may be plain or gzip.

    Raises DataError (a ValueError) naming both files if they have different numbers of lines; errors as `read_text`'s.
    """
    a, b = read_lines(source), read_lines(target)
    if len(a) != len(b):
        raise DataError(f"read_pairs: {source} has {len(a)} lines and {target} {len(b)}, expected as many")
    return list(zip(a, b, strict=True))


def read_labelled(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """(label, text) of each line "label TAB text"; tabs after the first one belong to the text.

    Raises DataError (a ValueError) naming the line that has no tab, no label or no text; errors as `read_text`'s.
    """
    found = []
    for number, line in enumerate(read_lines(path), 1):
        label, tab, text = line.partition("\t")
        if not tab or not label.strip() or not text.strip():
            missing = "tab" if not tab else "label" if not label.strip() else "text"
            raise DataError(f"read_labelled: {path}, line {number} has no {missing}, expected label TAB text: {line!r}")
        found.append((label, text))
    return found


def default_text() -> str:
    """English prose that every Python has: the topics of `help()`, about half a million characters.

    It differs a little from one Python version to the next.
    """
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"


def split(sequence: Any, fraction: float) -> tuple[Any, Any]:
    """A string, list, array or tensor in two: the first ⌊fraction · length⌋ items, and the rest; neither empty.

    Raises OptionError if `fraction` is not between 0 and 1, or if a part would be empty.
    """
    if isinstance(fraction, bool) or not isinstance(fraction, int | float):
        raise DtypeError(f"split: fraction must be a number, got {fraction!r}")
    n = len(sequence)
    if not 0 < fraction < 1:
        raise OptionError(f"split: fraction must be between 0 and 1, got {fraction}")
    first = math.floor(fraction * n)
    if not 0 < first < n:
        raise OptionError(f"split: fraction {fraction} of {n} items leaves a part empty")
    return sequence[:first], sequence[first:]
