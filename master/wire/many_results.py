"""Reads the body of `POST /results`: reports of many tickets, each part named TICKET/NAME.

The whole body is in memory, because all of it is small. What becomes of a report is
desk/arrivals.py's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ..desk.arrivals import Report
from .intake import BodyRefused, Intake
from .multipart import TooMuch, whole
from .multipart_head import BadParts, boundary_of

LARGEST = 4 * 1024 * 1024  # bytes of a body; a client with larger results sends each to /complete
MOST_PARTS = 10_000
TICKET = re.compile(r"[1-9][0-9]{0,17}")
REASON = "reason"  # name of the part that makes a report a failure
LONGEST_REASON = 1000


async def reports(body: bytes, content_type: str, intake: Callable[[], Intake]) -> list[Report]:
    """Return the reports in a body, in its order. Each goes through an intake of its own.

    Raises BodyRefused: 400 for a malformed body, 413 for too many parts.
    """
    try:
        parts = whole(body, boundary_of(content_type), MOST_PARTS)
    except TooMuch as error:
        raise BodyRefused(413, str(error)) from error
    except BadParts as error:
        raise BodyRefused(400, str(error)) from error
    return [await _report(ticket, own, intake()) for ticket, own in _by_ticket(parts).items()]


def _by_ticket(parts: Mapping[str, bytes]) -> dict[int, dict[str, bytes]]:
    """Return the parts of each ticket. Raises BodyRefused for other names than TICKET/NAME."""
    found: dict[str, dict[str, bytes]] = {}
    for full, content in parts.items():
        ticket, _, name = full.partition("/")
        own = found.get(ticket)  # by its text: a hundred parts share few tickets
        if own is None and TICKET.fullmatch(ticket):
            own = found[ticket] = {}
        if own is None or not name:
            raise BodyRefused(400, "a part of a batch is named TICKET/NAME")
        own[name] = content
    return {int(ticket): own for ticket, own in found.items()}


async def _report(ticket: int, parts: dict[str, bytes], intake: Intake) -> Report:
    """Return the report of one ticket: a result, or a failure where there is a reason."""
    reason = parts.pop(REASON, None)
    try:
        await intake.all(parts)
    finally:
        intake.close()  # on NFS an open file would keep its folder from being removed
    if reason is None:
        return Report(ticket, intake.parts)
    text = reason[: 4 * LONGEST_REASON].decode("utf-8", "replace")
    return Report(ticket, intake.parts, " ".join(text.split())[:LONGEST_REASON])
