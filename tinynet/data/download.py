"""Fetch a file once: resumed after an interruption, checked before it takes its name.

A download goes to `<filename>.part`. Only when its checksum is right is it renamed, so a file under its final name is
whole and true. An interruption keeps the part, and the next call goes on behind it.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import re
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from tinynet.errors import DataError, OptionError
from tinynet.files import publish

try:
    import fcntl
except ImportError:  # not POSIX: concurrent callers are not kept apart there
    fcntl = None  # type: ignore[assignment]

_CHUNK = 1 << 16
_PAUSE = 0.5  # seconds before the second round; doubles
_NETWORK = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


def cache_folder() -> Path:
    """Where data sets are kept: $TINYNET_CACHE_DIR/datasets, else $XDG_CACHE_HOME/tinynet/datasets (~/.cache)."""
    own = os.environ.get("TINYNET_CACHE_DIR")
    if own:
        return Path(own).expanduser() / "datasets"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "tinynet" / "datasets"


def download(
    urls: str | Sequence[str],
    filename: str,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = True,
    timeout: float = 30.0,
    retries: int = 3,
) -> Path:
    """Fetch a file over HTTP or HTTPS, unless it is there already, and check it.

    Mirrors are tried in order; one that answers 4xx, or whose content has another checksum, is not asked again. An
    interrupted transfer is resumed (HTTP Range, accepted only as a 206 whose Content-Range begins where the part
    ends; a server that ignores it is read from the start). Callers at the same time wait for the first (on POSIX).

    Parameters
    ----------
    urls : one address, or mirrors of the same file
    filename : the name it gets in `folder`
    sha256, md5 : the checksums, in hexadecimal; at least one
    folder : by default `cache_folder()`; made if missing
    progress : show a bar, if standard error is a terminal
    timeout : seconds without an answer after which a transfer counts as interrupted
    retries : rounds over the mirrors

    Returns
    -------
    pathlib.Path
        the file

    Raises
    ------
    DataError
        the content's checksum is wrong on every mirror that answers; the part is deleted
    ConnectionError
        no mirror gave the whole file; what came is kept for the next call
    OSError
        it cannot be written (a full disk); nothing stands under the final name
    OptionError
        no checksum, an address that is neither http nor https, or a file name with a folder in it
    """
    mirrors = [urls] if isinstance(urls, str) else list(urls)
    sums = {kind: value.lower() for kind, value in (("sha256", sha256), ("md5", md5)) if value is not None}
    if not sums:
        raise OptionError(f"download: no checksum for {filename}; expected sha256 or md5")
    if not mirrors or retries < 1:
        raise OptionError(
            f"download: got {len(mirrors)} addresses and {retries} retries, expected at least one of each"
        )
    for url in mirrors:
        if urlsplit(url).scheme not in ("http", "https"):
            raise OptionError(f"download: address {url!r} is neither http nor https")
    if filename in ("", ".", "..") or re.search(r"[/\\\0]", filename):
        raise OptionError(f"download: filename is {filename!r}, expected a plain name")

    target = (cache_folder() if folder is None else Path(folder)) / filename
    if _is_right(target, sums):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(filename + ".part")
    with _opened_alone(part) as file:
        if _is_right(target, sums):  # another caller was first
            part.unlink(missing_ok=True)
            return target
        try:
            _fetch_checked(mirrors, file, part, sums, progress, timeout, retries)
            _disk(part, os.fsync, file.fileno())
        finally:
            if part.exists() and part.stat().st_size == 0:
                part.unlink()
        publish(part, target)
    return target


def _fetch_checked(
    mirrors: list[str],
    file: IO[bytes],
    part: Path,
    sums: dict[str, str],
    progress: bool,
    timeout: float,
    retries: int,
) -> None:
    """Fill the part with the whole, right content from some mirror."""
    failures: dict[str, str] = {}
    wrong: DataError | None = None
    for attempt in range(retries):
        if attempt:
            time.sleep(_PAUSE * 2 ** (attempt - 1))
        for url in list(mirrors):
            try:
                resumed = _fetch(url, file, part, progress, timeout)
                if resumed and _sums(file, sums) != sums:  # perhaps the part was of something else: once from the start
                    _truncate(file, part)
                    _fetch(url, file, part, progress, timeout)
            except _NETWORK as error:
                failures[url] = str(error) or repr(error)
                if (
                    isinstance(error, urllib.error.HTTPError)
                    and 400 <= error.code < 500
                    and error.code not in (408, 429)
                ):
                    mirrors.remove(url)
                continue
            found = _sums(file, sums)
            if found == sums:
                return
            kind = next(kind for kind in sums if found[kind] != sums[kind])
            wrong = DataError(f"download: {url} has {kind} {found[kind]}, expected {sums[kind]}; it was deleted")
            _truncate(file, part)
            mirrors.remove(url)
        if not mirrors:
            break
    if wrong is not None:
        raise wrong
    reasons = "; ".join(f"{url}: {reason}" for url, reason in failures.items())
    kept = f"; {part} keeps the first {part.stat().st_size} bytes" if part.stat().st_size else ""
    raise ConnectionError(f"download: no mirror gave {part.stem} ({reasons}){kept}")


def _fetch(url: str, file: IO[bytes], part: Path, progress: bool, timeout: float) -> bool:
    """Append to the part what is missing; whether something was there already. Raises on a short transfer."""
    offset = file.seek(0, os.SEEK_END)
    try:
        response = _request(url, offset, timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        error.close()
        if error.headers.get("Content-Range", "") == f"bytes */{offset}":  # the part is the whole
            return True
        _truncate(file, part)
        offset = 0
        response = _request(url, 0, timeout)
    with response:
        if offset and response.status == 206:
            found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            if found is None or int(found[1]) != offset:
                _truncate(file, part)
                raise ConnectionError(
                    f"asked for bytes from {offset}, got Content-Range {response.headers.get('Content-Range')!r}"
                )
        elif offset:  # the server ignores ranges
            _truncate(file, part)
            offset = 0
        length = response.headers.get("Content-Length")
        total = offset + int(length) if length is not None and length.isdigit() else None
        with _bar(part.stem, offset, total, progress) as bar:
            size = offset
            while chunk := response.read(_CHUNK):
                _disk(part, file.write, chunk)
                size += len(chunk)
                if bar is not None:
                    bar.update(len(chunk))
            _disk(part, file.flush)
    if total is not None and size < total:
        raise ConnectionError(f"the connection ended after {size} of {total} bytes")
    return offset > 0


class _HttpOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise urllib.error.URLError(f"redirected to {newurl!r}, which is neither http nor https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _request(url: str, offset: int, timeout: float) -> Any:
    headers = {"User-Agent": "tinynet", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    opener = urllib.request.build_opener(_HttpOnly)
    return opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)


@contextmanager
def _opened_alone(part: Path) -> Iterator[IO[bytes]]:
    """The part opened for appending, by one caller at a time."""
    while True:
        with open(part, "a+b") as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
                # While we waited, the part may have become the target, or gone: then we hold another file.
                try:
                    current = os.stat(part)
                except FileNotFoundError:
                    continue
                if not os.path.samestat(os.fstat(file.fileno()), current):
                    continue
            yield file
            return


def _truncate(file: IO[bytes], part: Path) -> None:
    _disk(part, file.truncate, 0)
    file.seek(0)


def _disk(part: Path, action: Any, *args: Any) -> None:
    """Run one write, and say what a full disk means here."""
    try:
        action(*args)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                error.errno, f"download: no space left on the disk for {part.stem}; what came is kept in", str(part)
            ) from error
        raise


def _sums(file: IO[bytes], kinds: dict[str, str]) -> dict[str, str]:
    digests = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
    file.seek(0)
    while chunk := file.read(1 << 20):
        for digest in digests.values():
            digest.update(chunk)
    return {kind: digest.hexdigest() for kind, digest in digests.items()}


def _is_right(path: Path, sums: dict[str, str]) -> bool:
    try:
        with open(path, "rb") as file:
            return _sums(file, sums) == sums
    except FileNotFoundError:
        return False


@contextmanager
def _bar(name: str, start: int, total: int | None, progress: bool) -> Iterator[Any]:
    if not progress or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=name, initial=start, total=total, unit="B", unit_scale=True, unit_divisor=1024) as bar:
        yield bar
