"""How the text under a key of spe.yaml becomes a value: one small function a kind, each saying what it wants.

They take what yaml_file.py read (mappings, lists and texts as written) or what the command line gave, and raise
Wanted. Names and paths are names.py, results results.py, parameters parameters.py; which key is of which
kind is config.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..model import Times
from ..record import record
from . import units


class Wanted(ValueError):
    """What was found and what is wanted; `path` leads from the key to the place."""

    def __init__(self, what: str, todo: str = "", path: Sequence[str | int] = ()) -> None:
        super().__init__(what)
        self.what, self.todo, self.path = what, todo, tuple(path)


@record
class StopAfter:
    """The failed sets after which a sweep is given up: a number, or a share of all."""

    count: int | None = None
    share: float | None = None


@record
class Listen:
    """`[ADDRESS:]PORT`; no address: chosen by where the work is; port 0: a free one."""

    address: str | None
    port: int


def shown(value: Any, limit: int = 60) -> str:
    """A value for a message."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text_ = repr(value) if value != "" else "nothing"
    return text_ if len(text_) <= limit else text_[: limit - 1] + "…"


def wrong(value: Any, wanted: str, *path: str | int, todo: str = "") -> Wanted:
    """The usual complaint."""
    return Wanted(f"found {shown(value)}, wanted {wanted}", todo, path)


def text(value: Any, wanted: str = "a text") -> str:
    if isinstance(value, (Mapping, list, tuple)) or value is None:
        raise wrong(value, wanted)
    return str(value)


def flag(value: Any) -> bool:
    choices = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    word = text(value, "true or false").lower()
    if word not in choices:
        raise wrong(value, "true or false")
    return choices[word]


def count(value: Any, least: int = 1, most: int = 1_000_000_000) -> int:
    wanted = f"a whole number from {least}"
    digits = text(value, wanted)
    if not re.match(r"[-+]?[0-9]{1,12}\Z", digits) or not least <= int(digits) <= most:
        raise wrong(value, wanted if most >= 1_000_000_000 else f"{wanted} to {most}")
    return int(digits)


def nice(value: Any) -> int:
    return count(value, 0, 19)


def real(value: Any) -> float:
    try:
        number = float(text(value, "a number"))
    except ValueError:
        raise wrong(value, "a number") from None
    if not math.isfinite(number):
        raise wrong(value, "a number")
    return number


def positive(value: Any) -> float:
    if real(value) <= 0:
        raise wrong(value, "a number greater than 0")
    return real(value)


def seconds(value: Any) -> float:
    wanted = "a duration such as 30, 90s, 10min or 2h"
    try:
        return units.duration(text(value, wanted))
    except Wanted:
        raise
    except ValueError:
        raise wrong(value, wanted) from None


def timeout(value: Any) -> float | Times:
    wanted = "a duration such as 10min, 0 for none, or 3x for three times the median"
    if isinstance(value, str) and (match := re.match(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*x\s*\Z", value)):
        if float(match[1]) <= 1:
            raise wrong(value, "more than 1x: half of all sets take longer than the median")
        return Times(float(match[1]))
    try:
        return seconds(value)
    except Wanted:
        raise wrong(value, wanted) from None


def size(value: Any) -> int:
    wanted = "a size such as 64 kB, 10 GB or 2 GiB"
    try:
        found = units.size(text(value, wanted))
    except Wanted:
        raise
    except ValueError:
        found = 0
    if found < 1:
        raise wrong(value, wanted)
    return found


def stop_after(value: Any) -> StopAfter:
    wanted = "a share of all sets such as 5% failed, or a number such as 20 failed"
    match = re.match(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(%?)(?:\s*failed)?\s*\Z", text(value, wanted))
    if not match or float(match[1]) <= 0 or (match[2] and float(match[1]) > 100):
        raise wrong(value, wanted)
    if match[2]:
        return StopAfter(share=float(match[1]) / 100)
    return StopAfter(count=count(match[1]))


def listen(value: Any) -> Listen:
    wanted = "[ADDRESS:]PORT such as 8080 or 192.168.1.5:8080, 0 for a free port"
    match = re.match(r"(?:(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/]+):)?([0-9]{1,5})\Z", text(value, wanted))
    if not match or int(match[2]) > 65535:
        raise wrong(value, wanted)
    return Listen(match[1].strip("[]") if match[1] else None, int(match[2]))


def command(value: Any) -> str:
    todo = "Write it in one line: ./simulate --seed {{ seed }}."
    if isinstance(value, (list, tuple)):
        raise wrong(value, "one text, split into words as a shell would", todo=todo)
    if not text(value, "a command").strip():
        raise wrong(value, "a command", todo=todo)
    return text(value)


def words(value: Any) -> tuple[str, ...]:
    """One text or a list of them."""
    if isinstance(value, Mapping):
        raise wrong(value, "a list")
    return tuple(text(entry) for entry in value) if isinstance(value, (list, tuple)) else (text(value),)


def control(value: Any) -> str:
    """How a client hears of orders: by a request that the master holds, or by asking again and again."""
    if value not in ("hold", "poll"):
        raise wrong(value, "hold or poll")
    return str(value)


def by_code(value: Any) -> dict[str, int]:
    """`{75: 5}`: attempts by exit code or signal, or one number for any of them."""
    if isinstance(value, Mapping):
        table = {str(count(key, 0, 255)): limit for key, limit in value.items() if key != "any"}
        table |= {"any": value["any"]} if "any" in value else {}
        return {code: count(limit) for code, limit in table.items()}
    return {"any": count(value)}


def mapping_or(key: str, value: Any, wanted: str) -> Any:
    """A text as {key: text}; a mapping as it is."""
    if isinstance(value, str):
        return {key: value}
    if not isinstance(value, Mapping):
        raise wrong(value, wanted)
    return value


def one_of(value: Any, choices: Collection[str]) -> Any:
    if isinstance(value, Mapping) and not set(value) - set(choices) and len(value) != 1:
        raise wrong(value, f"one of {' and '.join(choices)}")
    return value


def mapping(value: Any, wanted: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(value, wanted)
    return value
