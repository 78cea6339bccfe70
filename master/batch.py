"""A body with the reports of many tickets, as `POST /results` takes it: each part is named TICKET/NAME.

All small, so that it is read at once. What the reports mean is arrivals.py's business.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Collection, Mapping

from aiohttp import web

from .arrivals import Report
from .extract import Part
from .parthead import BadParts, boundary_of
from .parts import TooMuch, whole
from .receive import BodyRefused, Spool

LARGEST = 4 * 1024 * 1024  # bytes of a body; a client that has more to bring uses /complete
MOST_PARTS = 10_000
PATIENCE = 60.0  # seconds for the whole body
NAME = re.compile(r"([1-9][0-9]{0,17})/(.+)", re.DOTALL)
REASON = "reason"  # the part that tells a failure
LONGEST_REASON = 1000


async def reports(request: web.Request, files: Collection[str], into: Spool) -> list[Report]:
    """The reports of a request, in its order. Results named in `files` are put into files.

    Raises BodyRefused: 400 for what is no such body, 413 for too much of it.
    """
    body = await _body(request)
    try:
        parts = whole(body, boundary_of(request.headers.get("Content-Type", "")), MOST_PARTS)
    except TooMuch as error:
        raise BodyRefused(413, str(error)) from error
    except BadParts as error:
        raise BodyRefused(400, str(error)) from error
    found = _by_ticket(parts)
    if any(name in files for own in found.values() for name in own):
        await asyncio.to_thread(_to_files, found, files, into)
    return [_report(ticket, own) for ticket, own in found.items()]


async def _body(request: web.Request) -> bytes:
    length = request.content_length
    if length is None or length > LARGEST:
        raise BodyRefused(413, f"a batch has a Content-Length, of at most {LARGEST} bytes")
    try:
        async with asyncio.timeout(PATIENCE):
            return await request.read()
    except TimeoutError:
        raise ConnectionResetError("the body came too slowly") from None


def _by_ticket(parts: Mapping[str, bytes]) -> dict[int, dict[str, Part]]:
    found: dict[int, dict[str, Part]] = {}
    for full, content in parts.items():
        named = NAME.fullmatch(full)
        if named is None:
            raise BodyRefused(400, "a part of a batch is named TICKET/NAME")
        name = named[2]
        found.setdefault(int(named[1]), {})[name] = Part(name, content, None, len(content))
    return found


def _report(ticket: int, parts: dict[str, Part]) -> Report:
    reason = parts.pop(REASON, None)
    if reason is None:
        return Report(ticket, parts)
    text = reason.read(4 * LONGEST_REASON).decode("utf-8", "replace")
    return Report(ticket, parts, " ".join(text.split())[:LONGEST_REASON])


def _to_files(found: Mapping[int, dict[str, Part]], files: Collection[str], into: Spool) -> None:
    """As if each had come by itself: synced, and under a name of ours."""
    for parts in found.values():
        for name in parts.keys() & set(files):
            with into.new() as file:
                file.write(parts[name].read())
                os.fsync(file.fileno())
            parts[name] = Part(name, None, into.made[-1], parts[name].size)
