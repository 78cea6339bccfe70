"""The body of a request: read at once when it is small, else piece by piece; who sends too slowly is cut off.

What its bytes mean is told by multipart.py, where the parts go by intake.py.
"""

from __future__ import annotations

import asyncio
import logging
import select
from collections.abc import Awaitable, Mapping
from typing import NoReturn, TypeVar

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from ..errors import Lost
from ..results.extract import Part
from .intake import SIDE_LIMIT, SIDE_PARTS, BodyRefused, Intake, Spool, spool
from .multipart import Parser, TooMuch, whole
from .multipart_head import BadParts, boundary_of

__all__ = ["MAX_PARTS", "SIDE_LIMIT", "SIDE_PARTS", "BodyRefused", "Spool", "receive", "spool"]
log = logging.getLogger("spe.receive")
T = TypeVar("T")
MAX_PARTS = 1000
HEADS = 16 * 1024 * 1024  # bytes for all that is not content
AT_ONCE = 256 * 1024  # bytes of a body that is read as a whole
HUNG_UP = getattr(select, "POLLRDHUP", 0)  # Linux alone tells it also while something is left to be read
PATIENCE, PROGRESS = 30.0, 3000  # within so many seconds of waiting for a sender at least so many bytes come


class Source:
    """The body of one request on its way: how large it is, and how long it keeps us waiting."""

    def __init__(self, request: web.Request, limit: int, most: int) -> None:
        """`limit`: bytes of one part, `most`: of all; 0: any."""
        self.request, self.limit, self.most = request, limit, most
        self._waited, self._mark = 0.0, 0
        if most and (request.content_length or 0) > most:
            raise self._too_much()

    def _too_much(self) -> BodyRefused:
        return BodyRefused(413, f"the body is larger than all results of {self.limit} bytes, max_result, together")

    @property
    def is_small(self) -> bool:
        """And not packed: what comes of that may be large."""
        length = self.request.content_length
        return length is not None and length <= AT_ONCE and "Content-Encoding" not in self.request.headers

    async def all(self) -> bytes:
        """The whole body. Mostly it came together with the request's head, and there is nothing to wait for."""
        content, pieces = self.request.content, list[bytes]()
        while not content.is_eof():
            pieces.append(await self._get(content.readany()))
        return b"".join([*pieces, content.read_nowait()])

    async def piece(self) -> bytes:
        """What is there of it; nothing at its end."""
        content = self.request.content
        there = content.read_nowait()
        return there if there or content.is_eof() else await self._get(content.readany())

    async def _get(self, coming: Awaitable[T]) -> T:
        """What comes next. Who sends too slowly is cut off, as if the connection had broken: it may send again."""
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
            self._waited, self._mark = 0.0, total
        if self.most and total > self.most:
            raise self._too_much()
        return found

    def gone(self) -> bool:
        """Whether the sender is."""
        transport = self.request.transport
        return transport is None or transport.is_closing() or _has_hung_up(transport)


def _has_hung_up(transport: asyncio.BaseTransport) -> bool:
    """Whether the other end has closed its connection. The system is asked: of a body that is not read on, because
    there is no room for it, the event loop hears nothing."""
    connection = transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), HUNG_UP)
    return bool(poll.poll(0))


def cut(request: web.Request, why: str) -> NoReturn:
    """Without an answer: it is to be sent again."""
    request.protocol.force_close()
    raise ConnectionResetError(why)


async def receive(request: web.Request, wanted: Mapping[str, bool], limit: int, into: Spool) -> dict[str, Part]:
    """All parts of the body by name: the results in `wanted` whole, of the side parts the last 64 kB.

    `wanted` tells for each result whether it is to be a file even when it is small.

    Raises BodyRefused: 400 for what is no complete multipart body, 413 for a part over `limit` bytes.
    """
    if not request.content_type.startswith("multipart/form-data"):
        raise BodyRefused(400, f"the body must be multipart/form-data, not {request.content_type}")
    most = limit * (len(wanted) + len(SIDE_PARTS)) + HEADS if limit else 0
    source = Source(request, limit, most)
    intake = Intake(wanted, limit, into, source.gone)
    try:
        await _read(source, boundary_of(request.headers["Content-Type"]), intake)
    except (ClientPayloadError, web.RequestPayloadError) as error:
        raise ConnectionResetError("the connection was cut within a body") from error  # no fault of the master's
    except Lost as error:
        cut(request, str(error))
    except BadParts as error:
        raise BodyRefused(413 if isinstance(error, TooMuch) else 400, str(error)) from error
    except HttpProcessingError as error:
        raise BodyRefused(400, f"not a multipart body: {error}") from error
    finally:
        intake.close()
    return intake.parts


async def read_batch(request: web.Request, most: int) -> bytes:
    """A body that is taken as a whole. Raises BodyRefused: 413 for one over `most` bytes, or of unknown length."""
    if "Content-Encoding" in request.headers:
        raise BodyRefused(400, "a batch is not packed")
    if request.content_length is None or request.content_length > most:
        raise BodyRefused(413, f"a batch has a Content-Length, of at most {most} bytes")
    try:
        return await Source(request, 0, 0).all()
    except (ClientPayloadError, web.RequestPayloadError) as error:
        raise ConnectionResetError("the connection was cut within a body") from error


async def _read(source: Source, boundary: bytes, intake: Intake) -> None:
    if source.is_small:
        return await intake.all(whole(await source.all(), boundary, MAX_PARTS))
    parser = Parser(boundary, MAX_PARTS)
    while piece := await source.piece():
        for event in parser.feed(piece):
            await intake.take(event)
    parser.close()
    return None
