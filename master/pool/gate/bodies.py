"""Bodies of requests: read within limits, and checked word by word."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from ...desk.untrusted_json import read_json
from ..texts import LONGEST_INFO, checked, is_host_name, is_user_name
from .heart import Unfit

LARGEST = 1_000_000  # bytes of a body
TIME = 20.0  # seconds in which a body has to arrive
MOST_HOSTS = 10_000  # names in one list
GREATEST = 2**53  # what is read as a number stays exact in JSON


async def read_body(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of a request. Raises Unfit, or 408 and 413."""
    # A compressed body may unpack to much, and nobody who talks to a farm needs one.
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Unfit("compressed bodies are not taken")
    try:
        async with asyncio.timeout(TIME):
            raw = await request.read()  # the application's client_max_size bounds it: 413
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=f"the body did not arrive within {TIME:.0f} s") from None
    try:
        found = read_json(raw or b"{}")
    except ValueError:
        raise Unfit("the body is no JSON") from None
    if not isinstance(found, dict):
        raise Unfit("the body is no JSON object")
    return found


def _text(longest: int = 100) -> Callable[[str, object], str]:
    def check(what: str, value: object) -> str:
        try:
            return checked(value, what, longest)
        except ValueError as error:
            raise Unfit(str(error)) from None

    return check


def whole(what: str, value: object, least: int = 0, most: int = GREATEST) -> int:
    """Return a whole number. Raises Unfit."""
    # True is an int in Python, and 1.0 is none here: what is sent is what is meant.
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Unfit(f"{what} is no whole number from {least} to {most}")
    return value


def _number(what: str, value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared before it is made a float, which a very long integer does not fit in. NaN is refused.
    if not is_number or not 0 <= value <= GREATEST:  # type: ignore[operator]
        raise Unfit(f"{what} is no number of at least 0")
    found = float(value)  # type: ignore[arg-type]
    assert math.isfinite(found)
    return found


def _between(least: int, most: int = GREATEST) -> Callable[[str, object], int]:
    return lambda what, value: whole(what, value, least, most)


def host_names(what: str, value: object) -> list[str]:
    """Return a list of host names. Raises Unfit."""
    if not isinstance(value, list) or len(value) > MOST_HOSTS:
        raise Unfit(f"{what} is no list of at most {MOST_HOSTS} names")
    if not all(is_host_name(one) for one in value):
        raise Unfit(f"{what} has something that is no host name")
    return value


# Word of a new job -> how it is checked. Other words are ignored: newer delegates may send them.
_OF_JOB: Mapping[str, Callable[[str, object], Any]] = {
    "name": _text(),
    "labels": _text(),
    "group": _text(),
    "info": _text(LONGEST_INFO),
    "boot": _text(),
    "licences": _text(),
    "mail": _text(),
    "priority": _between(0, 127),
    "cores": _between(1),
    "memory": _between(0),
    "gpus": _number,
    "time": _number,
    "sets": _between(0),
    "sweep": _between(0),
    "set": _between(0),
    "hosts": host_names,
    "exclude": host_names,
}


def checked_job(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a new job asks for. Raises Unfit."""
    job = {word: check(word, body[word]) for word, check in _OF_JOB.items() if word in body}
    if not job.get("name"):
        raise Unfit("a job needs a name")
    return job


def job_number(text: str) -> int:
    """Return the number of a job in a path or as a key. Raises Unfit."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise Unfit("that is no number of a job")
    return int(text)


def user_name(value: object) -> str:
    """Return the name of a user. Raises Unfit."""
    if not is_user_name(value):
        raise Unfit("that is no name of a user")
    return str(value)
