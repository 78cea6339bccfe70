"""Reads the query of a request: numbers, texts and tickets within their limits, or HTTP 400."""

from __future__ import annotations

from aiohttp import web

from ..launch.neighbours import Neighbour, read_neighbour
from ..text import printable

MAX_WAIT = 60.0  # seconds that a request may be held
MAX_TICKETS = 4096  # in one request
MAX_TEXT = 200  # characters of a host's name, a platform, a client's ID
MAX_REMARK = 1000  # characters of what a client says to people
MOST_NEIGHBOURS = 20  # accounts that one client may report
LONGEST_NUMBER = 18  # digits: all such numbers fit into SQLite's integers


def address(request: web.Request) -> str:
    """Return the name of a host that does not say one: its IP address."""
    shown = request.remote or "unknown"
    return shown.removeprefix("::ffff:")  # an IPv4 address at a socket that hears both kinds


def is_alive(request: web.Request) -> bool:
    """Tell whether the connection of this request is still open."""
    return request.transport is not None and not request.transport.is_closing()


def short_text(request: web.Request, name: str) -> str:
    """Return one value of the query, empty where there is none. Refuses what is no name."""
    value = request.query.get(name, "")
    if len(value) > MAX_TEXT or not value.isprintable():
        raise web.HTTPBadRequest(text=f"{name} is too long or not printable")
    return value


def remark(request: web.Request, name: str) -> str:
    """Return a client's words for people, as far as they can be shown.

    They are never a reason to refuse a request: a host with an odd file name is still a host.
    """
    return printable(request.query.get(name, "")[:MAX_REMARK])


def neighbours(request: web.Request) -> list[Neighbour]:
    """Return what a client reports about others on its host, as far as it makes sense."""
    texts = request.query.getall("neighbour", [])[:MOST_NEIGHBOURS]
    return [one for text in texts if (one := read_neighbour(text))]


def number(request: web.Request, name: str, default: int) -> int:
    """Return a whole number of the query, or the default where there is none."""
    text = request.query.get(name, "")
    if not text:
        return default
    if not _is_number(text):
        raise web.HTTPBadRequest(text=f"{name} must be a whole number")
    return int(text)


def ticket(request: web.Request) -> int:
    """Return the ticket that the query names."""
    text = request.query.get("ticket", "")
    if not text:
        raise web.HTTPBadRequest(text="ticket is missing")
    return _ticket_id(text)


def tickets(request: web.Request) -> list[int]:
    """Return all tickets that the query names, in its order."""
    texts = request.query.getall("ticket", [])
    if len(texts) > MAX_TICKETS:
        raise web.HTTPBadRequest(text=f"at most {MAX_TICKETS} tickets")
    return [_ticket_id(text) for text in texts]


def _ticket_id(text: str) -> int:
    """Return the number, or 0 for what is none: no ticket is 0, so that is an unknown one."""
    return int(text) if _is_number(text) else 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER


def wait(request: web.Request) -> float | None:
    """Return the seconds that the client lets its request be held; None where it does not say."""
    text = request.query.get("wait")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise web.HTTPBadRequest(text="wait must be a number of seconds")
    return min(seconds, MAX_WAIT)


def measurement(request: web.Request, name: str, most: float) -> float | None:
    """Return a number that a client tells of its host; None for nonsense, which refuses nothing."""
    try:
        found = float(request.query.get(name, ""))
    except ValueError:
        return None
    return found if 0 <= found <= most else None
