"""A line of a watcher: read as untrusted input.

The host may be anybody's: a line may be long, deep, of other types, or hold numbers that are none.
A part that is wrong makes the whole line wrong: half a picture would be taken for a whole one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

from ...text import printable
from .seen import Client, Program, Seen

MOST_LINE = 64 * 1024  # bytes
MOST_TEXT = 64  # characters
MOST_ITEMS = 200
MOST_NUMBER = 2**53
MOST_CORES = 100_000
VERSION = 1


class WrongLine(Exception):
    """A line that no watcher of this spe sends; the message says what is wrong with it."""


def read_line(line: bytes) -> Seen:
    """Return what a line tells. Raises WrongLine."""
    if len(line) > MOST_LINE:
        raise WrongLine(f"a line of {len(line)} bytes")
    try:
        raw = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise WrongLine("a line that is no JSON") from error
    if not isinstance(raw, dict):
        raise WrongLine("a line that is no JSON object")
    if raw.get("version") != VERSION:
        raise WrongLine("a line of another version")
    return _seen(raw)


def _seen(raw: dict[str, Any]) -> Seen:
    memory = [_whole(one) for one in _items(raw, "memory", 2, none_is=(0, 0))]
    return Seen(
        boot=_text(raw.get("boot")),
        platform=_text(raw.get("platform")),
        cores=min(MOST_CORES, _whole(raw.get("cores"))),
        load=tuple(_number(one) for one in _items(raw, "load", 3, none_is=())),
        memory=memory[0],
        free=memory[1],
        people=_whole(raw.get("people")),
        span=_number(raw.get("span")),
        accounts={_text(name): _number(cores) for name, cores in _mapping(raw, "accounts").items()},
        clients=tuple(_client(one) for one in _items(raw, "clients")),
        top=tuple(_program(one) for one in _items(raw, "top")),
        sees_others=_truth(raw.get("sees_others")),
    )


def _client(raw: object) -> Client:
    account, slots, job = _tuple(raw, 3)
    return Client(_text(account), _whole(slots), _text(job))


def _program(raw: object) -> Program:
    account, name, cores, memory = _tuple(raw, 4)
    return Program(_text(account), _text(name), _number(cores), _whole(memory))


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _items(
    raw: dict[str, Any], name: str, count: int = 0, none_is: Sequence[Any] | None = None
) -> Sequence[Any]:
    found = raw.get(name)
    if found is None and none_is is not None:
        return none_is
    if not isinstance(found, list) or len(found) > MOST_ITEMS or (count and len(found) != count):
        raise WrongLine(f"{name} that is no list of the right length")
    return found


def _mapping(raw: dict[str, Any], name: str) -> dict[str, Any]:
    found = raw.get(name)
    if not isinstance(found, dict) or len(found) > MOST_ITEMS:
        raise WrongLine(f"{name} that is no object of the right size")
    return found


def _tuple(raw: object, count: int) -> list[Any]:
    if not isinstance(raw, list) or len(raw) != count:
        raise WrongLine(f"a list that has not {count} parts")
    return raw


def _text(raw: object) -> str:
    if not isinstance(raw, str) or len(raw) > MOST_TEXT:
        raise WrongLine("what should be a short text")
    return printable(raw)


def _whole(raw: object) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw <= MOST_NUMBER:
        raise WrongLine("what should be a whole number")
    return raw


def _number(raw: object) -> float:
    if not isinstance(raw, int | float) or isinstance(raw, bool):
        raise WrongLine("what should be a number")
    # The bounds first: a huge int has no float. They also refuse 1e999, which JSON reads as inf.
    if not 0 <= raw <= MOST_NUMBER or math.isnan(raw):
        raise WrongLine("a number out of its bounds")
    return float(raw)


def _truth(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise WrongLine("what should be true or false")
    return raw
