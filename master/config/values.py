"""Checks the texts under the keys of spe.yaml: one small function a kind, each saying what it
wants.

They take what yaml_file.py read (mappings, lists and texts as written) or what the command line
gave, return the value, and raise WrongValue. Names and paths are checked in names.py, results in
results.py, parameters in parameters.py. Which key is of which kind is said in config.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..model import Licence, Times
from ..record import record
from . import units

_TIMES = re.compile(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*x\s*\Z")
_STOP_AFTER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(%?)(?:\s*failed)?\s*(,\s*now)?\s*\Z")
_LICENCE = re.compile(r"\s*([0-9]{1,9})(?:\s+of\s+([0-9]{1,9}))?\s*\Z")
_LISTEN = re.compile(r"(?:(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/]+):)?([0-9]{1,5})\Z")


class WrongValue(ValueError):
    """The fault of a value: what was found and what is wanted.

    `path` leads from the key to the place.
    """

    def __init__(self, what: str, todo: str = "", path: Sequence[str | int] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.todo = todo
        self.path = tuple(path)

    def below(self, place: str | int) -> WrongValue:
        """Return the same fault as the block above sees it, of the same class."""
        return type(self)(self.what, self.todo, (place, *self.path))


@record
class StopAfter:
    """The limit of failed sets after which a sweep is given up: a number, or a share of all.

    `now`: what runs is ended, too.
    """

    count: int | None = None
    share: float | None = None
    now: bool = False


@record
class Listen:
    """The address of `[ADDRESS:]PORT`.

    Without an address the master chooses; port 0 is a free one.
    """

    address: str | None
    port: int


def shown(value: Any, limit: int = 60) -> str:
    """Return a value for a message, cut where it gets long."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    # "found ''" would look like a value.
    if value == "":
        return "nothing"
    written = repr(value)
    if len(written) > limit:
        return written[: limit - 1] + "…"
    return written


def wrong(value: Any, wanted: str, *path: str | int, todo: str = "") -> WrongValue:
    """Return the usual fault: found this, wanted that."""
    return WrongValue(f"found {shown(value)}, wanted {wanted}", todo, path)


def did_you_mean(near: str) -> str:
    """Return the hint with the known word that is nearest; empty where none is near."""
    return f"Did you mean {near}?" if near else ""


def text(value: Any, wanted: str = "a text") -> str:
    """Return a text as it is written."""
    if isinstance(value, (Mapping, list, tuple)) or value is None:
        raise wrong(value, wanted)
    return str(value)


def flag(value: Any) -> bool:
    """Return true or false."""
    # The words of YAML 1.1, which people have seen in other files.
    choices = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    word = text(value, "true or false").lower()
    if word not in choices:
        raise wrong(value, "true or false")
    return choices[word]


def count(value: Any, least: int = 1, most: int = 1_000_000_000) -> int:
    """Return a whole number."""
    wanted = f"a whole number from {least}"
    digits = text(value, wanted)
    # int() alone would take `1_000`, ` 5 ` and other digits than ours; 12 of them bound its time.
    if not re.match(r"[-+]?[0-9]{1,12}\Z", digits) or not least <= int(digits) <= most:
        if most < 1_000_000_000:
            wanted = f"{wanted} to {most}"
        raise wrong(value, wanted)
    return int(digits)


def nice(value: Any) -> int:
    """Return a niceness."""
    return count(value, 0, 19)


def real(value: Any) -> float:
    """Return a finite number."""
    try:
        number = float(text(value, "a number"))
    except ValueError:
        raise wrong(value, "a number") from None
    if not math.isfinite(number):  # float() takes `nan` and `inf`
        raise wrong(value, "a number")
    return number


def positive(value: Any) -> float:
    """Return a number greater than 0."""
    number = real(value)
    if number <= 0:
        raise wrong(value, "a number greater than 0")
    return number


def seconds(value: Any) -> float:
    """Return the seconds of a duration."""
    wanted = "a duration such as 30, 90s, 10min or 2h"
    try:
        return units.duration(text(value, wanted))
    except WrongValue:
        raise
    except ValueError:
        raise wrong(value, wanted) from None


def timeout(value: Any) -> float | Times:
    """Return seconds, or how many times the median of what finished."""
    wanted = "a duration such as 10min, 0 for none, or 3x for three times the median"
    match = _TIMES.match(value) if isinstance(value, str) else None
    if match:
        return _times(float(match[1]), value)
    try:
        return seconds(value)
    except WrongValue:
        # The fault of `seconds` names durations alone, and `3x` is allowed as well.
        raise wrong(value, wanted) from None


def _times(number: float, value: Any) -> Times:
    """Return how many times the median. Raises WrongValue."""
    # Half of all sets take longer than the median, so 1x would end them.
    if number <= 1:
        raise wrong(value, "more than 1x: half of all sets take longer than the median")
    return Times(number)


def size(value: Any) -> int:
    """Return the bytes of a size."""
    wanted = "a size such as 64 kB, 10 GB or 2 GiB"
    try:
        found = units.size(text(value, wanted))
    except WrongValue:
        raise
    except ValueError:
        found = 0
    if found < 1:
        raise wrong(value, wanted)
    return found


def stop_after(value: Any) -> StopAfter:
    """Return the limit of failed sets."""
    wanted = "a share of all sets such as 5% failed, or a number such as 20 failed; or 20, now"
    match = _STOP_AFTER.match(text(value, wanted))
    if not match or float(match[1]) <= 0:
        raise wrong(value, wanted)
    if not match[2]:
        return StopAfter(count=count(match[1]), now=bool(match[3]))
    # More than all would never be reached, and look like a limit.
    if float(match[1]) > 100:
        raise wrong(value, wanted)
    return StopAfter(share=float(match[1]) / 100, now=bool(match[3]))


def any_count(value: Any) -> int:
    """Return a whole number that may be 0."""
    return count(value, 0)


def licences(value: Any) -> tuple[Licence, ...]:
    """Return the licences that each task takes, as in `{abaqus: 1 of 3}`."""
    given = mapping(value, "licences such as {abaqus: 1 of 3}")
    return tuple(_licence(str(name), wanted) for name, wanted in given.items())


def _licence(name: str, value: Any) -> Licence:
    """Return one licence. Raises WrongValue."""
    found = _LICENCE.match(value) if isinstance(value, str) else None
    if not found:
        raise wrong(value, "licences such as 1 of 3", name)
    takes, of = int(found[1]), found[2]
    if of is None:
        # Only a farm knows how many licences there are, and there is no farm yet.
        todo = f"Write how many there are: `{name}: {takes} of 3`. Without it they are counted by a farm,"
        raise wrong(value, "the number of all licences, too", name, todo=f"{todo} which spe does not have yet.")
    if not 1 <= takes <= int(of):
        raise wrong(value, "from 1 up to as many licences as there are", name)
    return Licence(name, takes, int(of))


def listen(value: Any) -> Listen:
    """Return address and port."""
    wanted = "[ADDRESS:]PORT such as 8080 or 192.168.1.5:8080, 0 for a free port"
    match = _LISTEN.match(text(value, wanted))
    if not match or int(match[2]) > 65535:
        raise wrong(value, wanted)
    address = None
    if match[1]:
        address = match[1].strip("[]")  # an IPv6 address stands in brackets
    return Listen(address, int(match[2]))


def separator(value: Any) -> str:
    """Return the sign between the cells of the parameter file."""
    wanted = 'one sign such as ";", or tab'
    sign = {"tab": "\t"}.get(text(value, wanted), str(value))
    # A name has letters, digits and _, and a quoted cell may hold line ends.
    if len(sign) != 1 or sign.isalnum() or sign in '_"\r\n\0':
        raise wrong(value, wanted)
    return sign


def command(value: Any) -> str:
    """Return the command as one text."""
    todo = "Write it in one line: ./simulate --seed {{ seed }}."

    if isinstance(value, (list, tuple)):
        raise wrong(value, "one text, split into words as a shell would", todo=todo)
    if not text(value, "a command").strip():
        raise wrong(value, "a command", todo=todo)
    return text(value)


def words(value: Any) -> tuple[str, ...]:
    """Return one text or a list of texts as a tuple."""
    if isinstance(value, Mapping):
        raise wrong(value, "a list")
    if isinstance(value, (list, tuple)):
        return tuple(text(entry) for entry in value)
    return (text(value),)


def control(value: Any) -> str:
    """Return the way in which a client hears of orders: by a long poll, or by asking again and
    again.
    """
    if value not in ("hold", "poll"):
        raise wrong(value, "hold or poll")
    return str(value)


def order(value: Any) -> str:
    """Return which waiting sets begin first: the longest, or those that are given first."""
    if value not in ("longest", "given"):
        raise wrong(value, "longest or given")
    return str(value)


def by_exit_code(value: Any) -> dict[str, int]:
    """Return attempts by exit code, as in `{75: 5}`; one number is for any of them."""
    # More attempts than that are rare, and exit codes with a meaning are mostly greater.
    return _by_code(value, "exit code", 20)


def by_signal(value: Any) -> dict[str, int]:
    """Return attempts by signal, as in `{9: 5}`; one number is for any of them."""
    # Signals that end a program are 6, 9, 11 and 15, which are small numbers.
    return _by_code(value, "signal", 5)


def _by_code(value: Any, noun: str, most: int) -> dict[str, int]:
    if isinstance(value, Mapping):
        return {_code(key): count(limit) for key, limit in value.items()}
    attempts = count(value)
    if attempts > most:
        what = f"{attempts} alone means {attempts} attempts for every {noun}"
        todo = f"For {noun} {attempts} write {{{attempts}: 5}}, for any one {{any: {attempts}}}."
        raise WrongValue(what, todo)
    return {"any": attempts}


def _code(key: Any) -> str:
    """Return an exit code or the number of a signal as outcomes have it: `075` is 75."""
    if key == "any":
        return "any"
    return str(count(key, 0, 255))  # an exit status has one byte


def mapping_or(key: str, value: Any, wanted: str) -> Any:
    """Return a text as {key: text}, and a mapping as it is."""
    if isinstance(value, str):
        return {key: value}
    if not isinstance(value, Mapping):
        raise wrong(value, wanted)
    return value


def one_of(value: Any, choices: Collection[str]) -> Any:
    """Return a mapping that has exactly one of the keys, or one with unknown keys, which others
    report.
    """
    # Unknown keys first: `fiel: x` has a hint, and "one of text and file" would hide it.
    if isinstance(value, Mapping) and not set(value) - set(choices) and len(value) != 1:
        raise wrong(value, f"one of {' and '.join(choices)}")
    return value


def mapping(value: Any, wanted: str) -> Mapping[str, Any]:
    """Return a mapping."""
    if not isinstance(value, Mapping):
        raise wrong(value, wanted)
    return value
