"""Downloads against a local server that can misbehave in each way that servers do."""

import errno
import hashlib
import http.server
import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tinynet.data.download import cache_folder, download
from tinynet.errors import DataError, OptionError

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT at every path; the path's words say how."""

    daemon_threads = True
    requests: list[tuple[str, str | None]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.requests.append((self.path, asked))
        word = self.path.strip("/").split("/")[0]
        if word == "missing":
            return self.send_error(404)
        if word == "busy":
            return self.send_error(503)
        if word == "busy-once" and len(self.server.requests) == 1:
            return self.send_error(503)
        if word == "elsewhere":
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1/file")
            return self.end_headers()
        content = b"x" * 1000 if word == "wrong" else CONTENT
        start = 0
        if asked and word != "no-ranges":
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])  # type: ignore[index]
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                return self.end_headers()
            self.send_response(206)
            claimed = 0 if word == "lying-range" else start
            self.send_header("Content-Range", f"bytes {claimed}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        body = content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if word == "breaks" or (word == "breaks-once" and len(self.server.requests) == 1):
            body = body[: min(100_000, len(body) // 2)]
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("tinynet.data.download._PAUSE", 0.0)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.requests = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_whole(server: Server, tmp_path: Path) -> None:
    path = download(
        server.url, "file", sha256=SHA256.upper(), md5=hashlib.md5(CONTENT).hexdigest(), folder=tmp_path / "new"
    )
    assert path == tmp_path / "new" / "file"
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["file"]
    assert server.requests == [("/", None)]
    download(server.url, "file", sha256=SHA256, folder=path.parent)
    assert len(server.requests) == 1  # it is there


def test_resumes_a_part(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1234])
    assert download(server.url, "file", sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    assert server.requests == [("/", "bytes=1234-")]


def test_interruption_keeps_the_part_and_is_resumed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match=r"ended after 100000 of 512000 bytes.*keeps the first 100000 bytes"):
        download(server.url + "breaks", "file", sha256=SHA256, folder=tmp_path, retries=1)
    assert names(tmp_path) == ["file.part"]
    assert download(server.url, "file", sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    assert server.requests[-1] == ("/", "bytes=100000-")


def test_interruption_is_retried(server: Server, tmp_path: Path) -> None:
    assert download(server.url + "breaks-once", "file", sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    assert server.requests == [("/breaks-once", None), ("/breaks-once", "bytes=100000-")]


def test_keyboard_interrupt_keeps_the_part(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import http.client

    read, calls = http.client.HTTPResponse.read, []

    def interrupted(self: Any, amt: int | None = None) -> bytes:
        calls.append(amt)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return read(self, amt)

    monkeypatch.setattr(http.client.HTTPResponse, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download(server.url, "file", sha256=SHA256, folder=tmp_path)
    assert names(tmp_path) == ["file.part"]
    kept = (tmp_path / "file.part").read_bytes()
    assert kept
    assert CONTENT.startswith(kept)
    assert download(server.url, "file", sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("how", ["no-ranges", "lying-range"])
def test_servers_without_true_ranges(server: Server, tmp_path: Path, how: str) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1234])
    assert download(server.url + how, "file", sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("part", [CONTENT, CONTENT + b"more", b"y" * 1234, b"y" * len(CONTENT)])
def test_whole_too_long_and_foreign_parts(server: Server, tmp_path: Path, part: bytes) -> None:
    (tmp_path / "file.part").write_bytes(part)
    assert download(server.url, "file", sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT


def test_wrong_checksum(server: Server, tmp_path: Path) -> None:
    found = hashlib.sha256(b"x" * 1000).hexdigest()
    with pytest.raises(DataError, match=f"sha256 {found}, expected {SHA256}"):
        download(server.url + "wrong", "file", sha256=SHA256, folder=tmp_path)
    assert names(tmp_path) == []
    assert len(server.requests) == 1
    with pytest.raises(DataError, match="md5 "):
        download(server.url, "file", sha256=SHA256, md5="0" * 32, folder=tmp_path)


def test_damaged_file_is_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"damaged")
    assert download(server.url, "file", sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT


def test_missing_is_not_asked_twice(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="missing: HTTP Error 404"):
        download(server.url + "missing", "file", sha256=SHA256, folder=tmp_path)
    assert len(server.requests) == 1
    assert names(tmp_path) == []


def test_busy_is_asked_again_but_not_for_ever(server: Server, tmp_path: Path) -> None:
    assert download(server.url + "busy-once", "file", sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    server.requests.clear()
    with pytest.raises(ConnectionError, match="503"):
        download(server.url + "busy", "other", sha256=SHA256, folder=tmp_path, retries=4)
    assert len(server.requests) == 4


def test_mirrors(server: Server, tmp_path: Path) -> None:
    urls = [server.url + how for how in ("missing", "wrong", "elsewhere", "breaks", "")]
    assert download(urls, "file", sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    assert server.requests[-1] == ("/", "bytes=100000-")  # goes on where another mirror broke off


def test_redirect_to_another_scheme(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="neither http nor https"):
        download(server.url + "elsewhere", "file", sha256=SHA256, folder=tmp_path, retries=1)


@pytest.mark.skipif(os.name != "posix", reason="callers are kept apart by flock")
def test_concurrent_callers(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(download, server.url, "file", sha256=SHA256, folder=tmp_path) for _ in range(16)]
        paths = {call.result() for call in calls}
    assert paths == {tmp_path / "file"}
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert names(tmp_path) == ["file"]
    assert len(server.requests) == 1


@pytest.mark.skipif(os.name != "posix", reason="callers are kept apart by flock")
@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("look", [1, 2])
def test_part_that_vanishes_while_waiting(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: int, replaced: bool
) -> None:
    """The caller before us may publish or delete the part just before any look at it: we open it anew."""
    stat, part, looks = os.stat, tmp_path / "file.part", [0]

    def vanishing(path: object, *args: object, **options: object) -> os.stat_result:
        if path == part and not server.requests:
            looks[0] += 1
            if looks[0] == look:
                part.unlink()
                if replaced:
                    part.write_bytes(b"")
        return stat(path, *args, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr("tinynet.data.download.os.stat", vanishing)
    assert download(server.url, "file", sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    assert looks[0]
    assert names(tmp_path) == ["file"]


def test_full_disk(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left on the disk for file") as raised:
        download(server.url, "file", sha256=SHA256, folder=tmp_path)
    assert raised.value.errno == errno.ENOSPC
    assert not (tmp_path / "file").exists()
    monkeypatch.undo()
    assert download(server.url, "file", sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT


def test_bad_options(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no checksum"):
        download("http://127.0.0.1/", "file", folder=tmp_path)
    for url in ("file:///etc/hostname", "ftp://127.0.0.1/x", "x"):
        with pytest.raises(OptionError, match="neither http nor https"):
            download(url, "file", sha256=SHA256, folder=tmp_path)
    for name in ("", "..", "a/b", "a\\b"):
        with pytest.raises(OptionError, match="plain name"):
            download("http://127.0.0.1/", name, sha256=SHA256, folder=tmp_path)
    with pytest.raises(OptionError, match="at least one"):
        download([], "file", sha256=SHA256, folder=tmp_path)


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("TINYNET_CACHE_DIR", raising=False)
    assert cache_folder() == tmp_path / "xdg" / "tinynet" / "datasets"
    monkeypatch.setenv("TINYNET_CACHE_DIR", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own" / "datasets"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("TINYNET_CACHE_DIR")
    assert cache_folder() == Path.home() / ".cache" / "tinynet" / "datasets"
