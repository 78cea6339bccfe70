"""Bodies as they come over a real connection: whole, too large, broken off, nonsense. The spool is empty afterwards."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from spe import full_disk
from spe.results.extract import HEAD, Part
from spe.wire.body import MAX_PARTS, SIDE_LIMIT, BodyRefused, receive, spool
from spe.wire.intake import Spool
from spe.wire.server import Server
from waiting import wait_in_loop

B = "xyzzy"
TYPE = f"multipart/form-data; boundary={B}"


def part(name: str | None, content: bytes, more: str = "") -> bytes:
    named = f'; name="{name}"' if name is not None else ""
    return f"--{B}\r\nContent-Disposition: form-data{named}\r\n{more}\r\n".encode() + content + b"\r\n"


END = f"--{B}--\r\n".encode()


class Post:
    """One server with one route; what came of each request."""

    def __init__(self, folder: Path, limit: int = 0, wanted: dict[str, bool] | None = None) -> None:
        self.folder, self.limit = folder, limit
        self.wanted = wanted or {"out": False, "file": True}
        self.parts: dict[str, bytes] = {}
        self.in_file: set[str] = set()
        self.ends: list[str] = []
        self.disk = full_disk.FullDisk()

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            with spool(self.folder, self.disk) as into:
                self._look(await receive(request, self.wanted, self.limit, into))
        except BodyRefused as refused:
            self.ends.append(f"{refused.status} {refused}")
            return web.Response(status=refused.status, text=str(refused))
        except BaseException as error:
            self.ends.append(type(error).__name__)
            raise
        self.ends.append("200")
        return web.Response()

    def _look(self, parts: dict[str, Part]) -> None:
        self.parts = {name: one.read() for name, one in parts.items()}
        self.in_file = {name for name, one in parts.items() if one.path is not None}
        assert all(one.size == len(one.read()) for one in parts.values())

    async def send(self, *pieces: bytes, kind: str = TYPE, length: int | None = None) -> int:
        """The status; 0 when the connection was cut before all was there."""
        body = b"".join(pieces)
        app = web.Application(client_max_size=2**62)
        app.router.add_post("/", self._handle)
        server = Server(app)
        await server.start("127.0.0.1", 0, None)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            size = len(body) if length is None else length
            head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"
            writer.write(head.encode() + body)
            status = 0
            if size == len(body):
                status = int((await asyncio.wait_for(reader.readline(), 20)).split()[1])
            writer.close()
            await wait_in_loop(lambda: self.ends, "the request has ended")
            return status
        finally:
            await server.stop()

    def spooled(self) -> list[Path]:
        """Files that were left lying."""
        return list(self.folder.iterdir()) if self.folder.exists() else []


@pytest.fixture
def post(tmp_path: Path) -> Callable[..., Any]:
    def send(*pieces: bytes, limit: int = 0, **more: Any) -> tuple[int, Post]:
        one = Post(tmp_path / "incoming", limit)
        status = asyncio.run(one.send(*pieces, **more))
        assert one.spooled() == [], "the spool is empty after every request"
        return status, one

    return send


def test_small_results_stay_in_memory_and_large_ones_and_files_do_not(post: Callable[..., Any]) -> None:
    large = bytes(range(256)) * 4096
    status, got = post(part("out", large), part("file", b"a,b\r\n--xyzz"), part("exit-code", b"0"), END)
    assert status == 200
    assert got.parts == {"out": large, "file": b"a,b\r\n--xyzz", "exit-code": b"0"}
    assert got.in_file == {"out", "file"}
    status, got = post(part("out", b"x" * HEAD), END)
    assert (got.parts["out"], got.in_file) == (b"x" * HEAD, set())


def test_of_side_parts_the_end_is_kept_and_unknown_parts_are_dropped(post: Callable[..., Any]) -> None:
    status, got = post(part("stderr", b"a" * 300_000 + b"end"), part("other", b"z" * 300_000), part("out", b""), END)
    assert status == 200
    assert got.parts == {"stderr": (b"a" * 300_000 + b"end")[-SIDE_LIMIT:], "out": b""}


@pytest.mark.parametrize("size", [3, 300_000])
def test_files_of_a_result_that_was_renamed_meanwhile_are_dropped_like_other_unknown_parts(
    post: Callable[..., Any], size: int
) -> None:
    """An attempt that began before still brings all of them under the old name."""
    old = [part("ps", b"a" * size, f"Content-Type: text/plain\r\nX-File: {n}\r\n") for n in range(3)]
    status, got = post(*old, part("out", b"1"), END)
    assert (status, got.parts) == (200, {"out": b"1"})


@pytest.mark.parametrize("name", ["out", "file"])
@pytest.mark.parametrize("limit", [10, HEAD - 1, HEAD + 1, 100_000, 300_000, 1_000_000])
def test_a_result_may_have_as_many_bytes_as_the_limit_and_not_one_more(
    post: Callable[..., Any], name: str, limit: int
) -> None:
    status, _ = post(part(name, b"x" * limit), END, limit=limit)
    assert status == 200
    status, got = post(part(name, b"x" * (limit + 1)), END, limit=limit)
    assert status == 413
    assert f"result {name} is larger than max_result, {limit} bytes" in got.ends[0]


@pytest.mark.parametrize(
    ("pieces", "kind", "what"),
    [
        ((b'{"out": 1}',), "application/json", "must be multipart/form-data, not application/json"),
        ((b"out=1",), "application/x-www-form-urlencoded", "must be multipart/form-data"),
        ((part("out", b"1"), END), "multipart/form-data", "not a multipart body"),
        ((part("out", b"1"), END), "multipart/form-data; boundary=" + "b" * 100, "not a multipart body"),
        ((b"nonsense",), TYPE, "multipart body"),
        ((b"",), TYPE, "body"),
        ((part("out", b"1"),), TYPE, "body"),
        ((part("out", b"1")[:-2],), TYPE, "body"),
        ((part("out", b"1" * 200_000),), TYPE, "body"),
        ((part("file", b"1" * 2_000_000),), TYPE, "body"),
        ((part("out", b"1"), part("out", b"2"), END), TYPE, "two parts are named out"),
        ((part(None, b"1"), END), TYPE, "a part has no name"),
        ((part("out", b"--q--", "Content-Type: multipart/mixed; boundary=q\r\n"), END), TYPE, "itself multipart"),
        ((part("out", b"1", "X: " + "y" * 100_000 + "\r\n"), END), TYPE, "not a multipart body"),
        ((part("out", b"1", "no colon here\r\n"), END), TYPE, "not a multipart body"),
        ((part("out", b"1", "Content-Length: -5\r\n"), END), TYPE, "has not the Content-Length"),
        ((part("out", b"12345", "Content-Length: 2\r\n"), END), TYPE, "has not the Content-Length"),
        ((part("out", b"1", "Content-Length: 100\r\n"), END), TYPE, "has not the Content-Length"),
    ],
)
def test_what_is_no_whole_multipart_body_is_refused(
    post: Callable[..., Any], pieces: tuple[bytes, ...], kind: str, what: str
) -> None:
    status, got = post(*pieces, kind=kind)
    assert (status, what in got.ends[0]) == (400, True), got.ends


def test_too_many_parts_are_refused(post: Callable[..., Any]) -> None:
    pieces = [part(f"p{n}", b"") for n in range(MAX_PARTS + 1)]
    assert post(*pieces[:-1], END)[0] == 200
    status, got = post(*pieces, END)
    assert status == 413 and f"more than {MAX_PARTS} parts" in got.ends[0]


@pytest.mark.parametrize("sent", [10, 400, 200_000, 1_500_000])
def test_a_connection_that_is_cut_leaves_nothing(post: Callable[..., Any], sent: int) -> None:
    body = part("file", b"1" * 1_000_000) + part("out", b"2" * 900_000) + END
    status, got = post(body[:sent], length=len(body))
    assert status == 0
    assert got.ends == ["ConnectionResetError"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\x00b", "ü", ""])
def test_a_parts_name_never_becomes_a_path(tmp_path: Path, name: str) -> None:
    one = Post(tmp_path / "incoming", 0, {name: True})
    asyncio.run(one.send(part(name, b"1"), END))
    assert [p.name for p in tmp_path.iterdir()] in ([], ["incoming"])


def test_a_large_file_is_written_by_the_disk_while_it_comes(
    post: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr("spe.wire.intake.SYNC_EVERY", 100_000)
    monkeypatch.setattr("os.fdatasync", lambda file: synced.append(os.fstat(file).st_size))
    status, got = post(part("file", b"x" * 1_000_000), END)
    assert (status, got.parts["file"]) == (200, b"x" * 1_000_000)
    assert 0 < min(synced) < 1_000_000


def test_a_disk_that_fails_meanwhile_is_no_accepted_result(
    post: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("spe.wire.intake.SYNC_EVERY", 100_000)
    monkeypatch.setattr("os.fdatasync", fails)
    status, got = post(part("file", b"x" * 1_000_000), END)
    assert (status, got.ends) == (500, ["OSError"])


# -- a full disk


class FullDisk:
    """A disk without room until it is let: at the opening of a file, while it is written, or when it is synced."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
        self.where, self.refused, self.room = where, 0, False
        self._new, self._fsync = Spool.new, os.fsync
        monkeypatch.setattr("spe.full_disk.PAUSE", 0.01)
        monkeypatch.setattr(Spool, "new", lambda spool: self._open(spool))
        monkeypatch.setattr(os, "fsync", self._sync)

    def _refuse(self, where: str) -> None:
        if where == self.where and not self.room:
            self.refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")

    def _open(self, spool: Spool) -> FileIO:
        self._refuse("open")
        disk, made = self, self._new(spool)

        class Full(FileIO):
            def write(self, data: Any) -> int:
                disk._refuse("write")
                return super().write(data)

        made.close()
        return Full(spool.made[-1], "w")

    def _sync(self, file: int) -> None:
        self._refuse("sync")
        self._fsync(file)


class Sender:
    """A client that sends a whole body and waits, or hangs up."""

    def __init__(self, post: Post, body: bytes) -> None:
        self.post, self.body = post, body

    async def __aenter__(self) -> Sender:
        app = web.Application(client_max_size=2**62)
        app.router.add_post("/", self.post._handle)
        self._server = Server(app)
        await self._server.start("127.0.0.1", 0, None)
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {TYPE}\r\nContent-Length: {len(self.body)}\r\n\r\n"
        self.writer.write(head.encode() + self.body)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        await self._server.stop()

    async def status(self) -> int:
        return int((await asyncio.wait_for(self.reader.readline(), 20)).split()[1])


WHERE = pytest.mark.parametrize("where", ["open", "write", "sync"])
#: The larger one is read in pieces, and while one waits for room the rest is left in the connection.
SIZE = pytest.mark.parametrize("size", [10, 1_000_000])


@WHERE
@SIZE
def test_a_sender_that_has_gone_is_not_waited_for_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, size: int
) -> None:
    """Else each try of a client that tries again would wait here for ever, with its file and its task."""
    disk, post = FullDisk(monkeypatch, where), Post(tmp_path / "incoming")

    async def run() -> None:
        async with Sender(post, part("file", b"x" * size) + END) as sender:
            await wait_in_loop(lambda: disk.refused > 2 or post.ends, "the disk refuses")
            assert post.ends == [], "it waits as long as the sender does"
            sender.writer.close()
            await wait_in_loop(lambda: post.ends, "the request has ended")

    asyncio.run(run())
    assert post.ends == ["ConnectionResetError"] and post.spooled() == []


@WHERE
@SIZE
def test_a_result_waits_for_room_as_long_as_its_sender_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, size: int
) -> None:
    disk, post = FullDisk(monkeypatch, where), Post(tmp_path / "incoming")

    async def run() -> int:
        async with Sender(post, part("file", b"x" * size) + END) as sender:
            await wait_in_loop(lambda: disk.refused > 2 or post.ends, "the disk refuses")
            disk.room = True
            if where == "sync":  # what a disk has lost after it had taken it is sent again
                await wait_in_loop(lambda: post.ends, "the request has ended")
                return 0
            return await sender.status()

    assert asyncio.run(run()) == (0 if where == "sync" else 200)
    assert post.ends == (["ConnectionResetError"] if where == "sync" else ["200"]) and post.spooled() == []
    assert where == "sync" or post.parts == {"file": b"x" * size}


def test_a_disk_that_is_sick_and_not_full_is_an_error_at_once(
    post: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.fsync", fails)
    status, got = post(part("file", b"x" * 10), END)
    assert (status, got.ends) == (500, ["OSError"])


@WHERE
def test_an_upload_that_waits_for_room_is_cut_and_removed_as_soon_as_the_run_is_told_twice_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """It does not wait for the store's last tries: what it had taken is room for those."""
    monkeypatch.setattr("spe.full_disk.LAST_TRIES", 1e6)
    disk, post = FullDisk(monkeypatch, where), Post(tmp_path / "incoming")

    async def run() -> None:
        async with Sender(post, part("file", b"x" * 1_000_000) + END):
            await wait_in_loop(lambda: disk.refused > 2, "the disk refuses")
            post.disk.end()
            await wait_in_loop(lambda: post.ends, "the request has ended")

    asyncio.run(run())
    assert post.ends == ["ConnectionResetError"] and post.spooled() == []
    assert post.disk.has_lost
