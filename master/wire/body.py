"""Reads the body of a request: at once when it is small, else in chunks as they arrive.

A sender that is too slow is cut off. How the bytes are parsed is multipart.py's business, where the
parts are stored intake.py's.
"""

from __future__ import annotations

import asyncio
import logging
import select
from collections.abc import Awaitable, Collection, Mapping
from typing import NoReturn, TypeVar

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from ..errors import Lost
from ..results.extract import Part
from ..results.trees import MOST_FILES
from .intake import SIDE_LIMIT, SIDE_PARTS, BodyRefused, Intake, Spool, spool
from .multipart import Parser, TooMuch, whole
from .multipart_head import BadParts, boundary_of

__all__ = ["MAX_PARTS", "SIDE_LIMIT", "SIDE_PARTS", "BodyRefused", "Spool", "receive", "spool"]
log = logging.getLogger("spe.receive")
T = TypeVar("T")
MAX_PARTS = 1000
HEADS = 16 * 1024 * 1024  # bytes for all that is not content
AT_ONCE = 256 * 1024  # bytes of a body that is read as a whole
# Linux alone tells of a closed connection also while unread bytes are left.
HUNG_UP = getattr(select, "POLLRDHUP", 0)
PATIENCE = 30.0  # seconds of waiting for a sender, within which PROGRESS bytes must arrive
PROGRESS = 3000


class Source:
    """The body of one request while it arrives: its size, and how long its sender keeps us waiting."""

    def __init__(self, request: web.Request, limit: int, most: int) -> None:
        """Allow `limit` bytes of one part and `most` bytes of all; 0 for any."""
        self.request = request
        self.limit = limit
        self.most = most
        self._waited = 0.0  # seconds of waiting since `_mark`
        self._mark = 0  # bytes that had arrived when the wait was set back
        if most and (request.content_length or 0) > most:
            raise self._too_much()

    def _too_much(self) -> BodyRefused:
        what = f"the body is larger than all results of {self.limit} bytes, max_result, together"
        return BodyRefused(413, what)

    @property
    def is_small(self) -> bool:
        """Tell whether the body is to be read at once.

        A compressed one is not: it may unpack to much.
        """
        length = self.request.content_length
        return (
            length is not None
            and length <= AT_ONCE
            and "Content-Encoding" not in self.request.headers
        )

    async def all(self) -> bytes:
        """Return the whole body.

        Mostly it arrived together with the head, with nothing to wait for.
        """
        content = self.request.content
        pieces: list[bytes] = []
        while not content.is_eof():
            pieces.append(await self._get(content.readany()))
        return b"".join([*pieces, content.read_nowait()])

    async def piece(self) -> bytes:
        """Return the next chunk, empty at the end of the body."""
        content = self.request.content
        # Data that is there needs no wait, and a wait costs a timer.
        there = content.read_nowait()
        if there or content.is_eof():
            return there
        return await self._get(content.readany())

    async def _get(self, coming: Awaitable[T]) -> T:
        """Return the next chunk. Cuts off a sender that is too slow; it may send again."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(max(0.0, PATIENCE - self._waited)):
                found = await coming
        except TimeoutError:
            log.info("a body from %s came too slowly", self.request.remote)
            cut(self.request, "the body came too slowly")
        self._waited += clock() - began
        total = self.request.content.total_bytes
        if total - self._mark >= PROGRESS:
            self._waited = 0.0
            self._mark = total
        if self.most and total > self.most:
            raise self._too_much()
        return found

    def gone(self) -> bool:
        """Tell whether the sender has hung up."""
        transport = self.request.transport
        return transport is None or transport.is_closing() or _has_hung_up(transport)


def _has_hung_up(transport: asyncio.BaseTransport) -> bool:
    """Tell whether the other end has closed its connection.

    The system is asked. The event loop hears nothing of a body that is not read on because the disk
    is full.
    """
    connection = transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), HUNG_UP)
    return bool(poll.poll(0))


def cut(request: web.Request, why: str) -> NoReturn:
    """Close the connection without an answer, so that the client sends again."""
    request.protocol.force_close()
    raise ConnectionResetError(why)


async def receive(
    request: web.Request,
    wanted: Mapping[str, bool],
    limit: int,
    into: Spool,
    trees: Collection[str] = (),
) -> dict[str, Part]:
    """Return all parts of the body by name: the results in `wanted`, the end of the side parts.

    `wanted` tells for each result whether it becomes a file even when it is small. `trees`: results
    of several files, whose parts have one name.

    Raises BodyRefused: 400 for a malformed or incomplete body, 413 for a part over `limit` bytes.
    """
    # Before anything of the body is read.
    if not request.content_type.startswith("multipart/form-data"):
        raise BodyRefused(400, f"the body must be multipart/form-data, not {request.content_type}")
    most = 0
    if limit:
        most = limit * (len(wanted) + len(trees) + len(SIDE_PARTS)) + HEADS
    source = Source(request, limit, most)
    intake = Intake(wanted, limit, into, source.gone, trees)
    try:
        await _read(source, boundary_of(request.headers["Content-Type"]), intake, trees)
        await intake.finish()
    except (ClientPayloadError, web.RequestPayloadError) as error:
        # The network's fault, not the master's: the client sends again.
        raise ConnectionResetError("the connection was cut within a body") from error
    except Lost as error:
        cut(request, str(error))
    except BadParts as error:
        status = 413 if isinstance(error, TooMuch) else 400
        raise BodyRefused(status, str(error)) from error
    except HttpProcessingError as error:
        raise BodyRefused(400, f"not a multipart body: {error}") from error
    finally:
        intake.close()
    return intake.parts


async def read_batch(request: web.Request, most: int) -> bytes:
    """Return a body as a whole.

    Raises BodyRefused 413 over `most` bytes and for unknown lengths.
    """
    if "Content-Encoding" in request.headers:
        raise BodyRefused(400, "a batch is not packed")
    if request.content_length is None or request.content_length > most:
        raise BodyRefused(413, f"a batch has a Content-Length, of at most {most} bytes")
    try:
        return await Source(request, 0, 0).all()
    except (ClientPayloadError, web.RequestPayloadError) as error:
        raise ConnectionResetError("the connection was cut within a body") from error


class _Repeatable:
    """The names that several parts may have: results of several files, and what nobody wants.

    An attempt that began before a result was renamed still brings it under its old name.
    """

    def __init__(self, intake: Intake, trees: Collection[str]) -> None:
        self._intake, self._trees = intake, trees

    def __contains__(self, name: object) -> bool:
        return name in self._trees or not self._intake.wants(str(name))


async def _read(source: Source, boundary: bytes, intake: Intake, trees: Collection[str]) -> None:
    """Parse the body and hand its parts to the intake."""
    many = _Repeatable(intake, trees)
    if source.is_small and not trees:
        await intake.all(whole(await source.all(), boundary, MAX_PARTS, many))
        return
    parser = Parser(boundary, MAX_PARTS + MOST_FILES if trees else MAX_PARTS, many)
    while piece := await source.piece():
        for event in parser.feed(piece):
            await intake.take(event)
    parser.close()
