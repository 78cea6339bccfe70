"""A body with the reports of many tickets, as `POST /results` takes it: each part is named TICKET/NAME.

All small, so that it is read at once. What the reports mean is arrivals.py's business.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Collection, Mapping

from .arrivals import Report
from .extract import Part
from .intake import SIDE_PARTS, BodyRefused, Spool
from .parthead import BadParts, boundary_of
from .parts import TooMuch, whole

LARGEST = 4 * 1024 * 1024  # bytes of a body; a client that has more to bring uses /complete
MOST_PARTS = 10_000
NAME = re.compile(r"([1-9][0-9]{0,17})/(.+)", re.DOTALL)
REASON = "reason"  # the part that tells a failure
SIDE = tuple(f"/{name}" for name in (*SIDE_PARTS, REASON))
LONGEST_REASON = 1000


async def reports(body: bytes, content_type: str, files: Collection[str], limit: int, into: Spool) -> list[Report]:
    """The reports of a body, in its order. Results named in `files` are put into files.

    Raises BodyRefused: 400 for what is no such body, 413 for too much of it, or a part over `limit` bytes (0: any).
    """
    try:
        parts = whole(body, boundary_of(content_type), MOST_PARTS)
    except TooMuch as error:
        raise BodyRefused(413, str(error)) from error
    except BadParts as error:
        raise BodyRefused(400, str(error)) from error
    if limit and any(len(content) > limit for name, content in parts.items() if not name.endswith(SIDE)):
        raise BodyRefused(413, f"a result is larger than max_result, {limit} bytes")
    found = _by_ticket(parts)
    if any(name in files for own in found.values() for name in own):
        await asyncio.to_thread(_to_files, found, files, into)
    return [_report(ticket, own) for ticket, own in found.items()]


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
