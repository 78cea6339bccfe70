"""How the text under a key of spe.yaml becomes a value: one small function a kind, each saying what it wants.

They take what yamlfile.py read (mappings, lists and texts as written) or what the command line gave, and raise
Wanted. Which key is of which kind is config.py.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BeforeValidator

from . import units
from .model import Kind
from .paramfile import name_fault
from .steps import Steps, stepped

VALIDATORS = ("exit_zero", "non_empty", "one_line")
COLLECTORS = ("table", "concat", "concat_numbered", "blocks")
#: Parts of a POST that are not results, and so can't be names of results.
RESERVED_RESULTS = ("stderr", "exit-code", "usage")

_HOOK = re.compile(r"[\w./-]+\.py:[^\W\d]\w*\Z")
_PLATFORM = re.compile(r"any\Z|[a-z0-9_]+(-[a-z0-9_]+)?\Z")
_RESULT = re.compile(r"\w[\w .+-]{0,99}\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class Wanted(ValueError):
    """What was found and what is wanted; `path` leads from the key to the place."""

    def __init__(self, what: str, todo: str = "", path: Sequence[str | int] = ()) -> None:
        super().__init__(what)
        self.what, self.todo, self.path = what, todo, tuple(path)


@dataclass(frozen=True)
class Times:
    """`3x`: so many times the median of what finished."""

    factor: float


@dataclass(frozen=True)
class StopAfter:
    """The failed sets after which a sweep is given up: a number, or a share of all."""

    count: int | None = None
    share: float | None = None


@dataclass(frozen=True)
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


def folder_name(value: Any) -> str:
    name = text(value, "a name")
    if not name or name != clean_name(name):
        raise wrong(value, "a name that a folder can have: letters, digits, spaces, . _ + - =", todo=_suggest(name))
    return name


def clean_name(name: str) -> str:
    """A text made into the name of a folder."""
    return re.sub(r"[^\w .+=-]", "-", name).strip().lstrip(".-")[:100].rstrip(". ") or "sweep"


def _suggest(name: str) -> str:
    return f"{clean_name(name)} would do."


def safe(name: str) -> str:
    """Why a path would leave the task's directory or could not be written there; empty if it's good."""
    parts = name.split("/")
    if not name or name.startswith("/"):
        return "a relative path" if name else "a file name"
    if ".." in parts:
        return "a path without .., which stays in the task's directory"
    if "" in parts or "." in parts[1:] or parts == ["."]:
        return "the path of a file in its shortest form"
    if any(not char.isprintable() for char in name) or len(name.encode()) > 200:
        return "a path of at most 200 bytes without control characters"
    return ""


def file_path(value: Any) -> str:
    """A path below the task's directory."""
    name = text(value, "a file name").removeprefix("./")
    if fault := safe(name):
        raise wrong(value, fault)
    return name


def file_name(value: Any) -> str:
    """A file name without folders."""
    name = text(value, "a file name")
    if "/" in name or name.startswith("-") or safe(name):
        raise wrong(value, "a file name, without / and not beginning with -")
    return name


def path(value: Any) -> str:
    name = text(value, "a path")
    if not name or "\0" in name:
        raise wrong(value, "a path")
    return name


def result_name(value: Any) -> str:
    name = text(value)
    if name in RESERVED_RESULTS:
        raise Wanted(f"a result can't be called {name}: the wire uses that name", "Give it another name.")
    if not _RESULT.match(name) or ".." in name or name != name.strip():
        raise Wanted(f"{name!r} can't be the name of a result", "A name has letters, digits, spaces, . _ + - and no /.")
    return name


def source(value: Any) -> str:
    name = file_path(value)
    if name == "stderr":
        raise wrong(value, "stdout or a file", todo="The end of stderr is kept with each attempt: `spe log`.")
    return name


def kind(value: Any) -> Kind:
    word = text(value, "text, int, float, json or file")
    if word not in list(Kind):
        near = difflib.get_close_matches(word, list(Kind), 1)
        raise wrong(value, "text, int, float, json or file", todo=f"Did you mean {near[0]}?" if near else "")
    return Kind(word)


def regex(value: Any) -> str:
    try:
        re.compile(text(value, "a regular expression"))
    except re.error as error:
        raise Wanted(f"{value!r} is not a regular expression: {error}", "Quote it: regex: 'slope = (\\S+)'.") from None
    return str(value)


def result(value: Any) -> Any:
    """`x: stdout` and `x: FILE` as their long forms."""
    if isinstance(value, (list, tuple)):
        raise wrong(value, "stdout, a file, or {from: …, as: …}")
    if isinstance(value, str):
        if not value:
            raise wrong(value, "stdout, a file, or {from: …, as: …}")
        return {"from": value, "as": "text" if value == "stdout" else "file"}
    return value


def sensible(kind: Kind, regex: str | None, path: str | None, low: float | None, high: float | None) -> None:
    """What the keys of a result mean together."""
    if kind is Kind.FILE and (regex or path):
        key = "regex" if regex else "path"
        raise Wanted(f"{key} and as: file don't go together", "Take as: text, int, float or json.", (key,))
    if regex and path:
        raise Wanted("regex and path don't go together", "Keep one of them.", ("path",))
    if kind not in (Kind.INT, Kind.FLOAT) and (low is not None or high is not None):
        key = "min" if low is not None else "max"
        raise Wanted(f"{key} is for numbers, this is {kind}", "Add as: float or as: int.", (key,))
    if low is not None and high is not None and low > high:
        raise Wanted("min is greater than max", "Exchange them.", ("min",))


def _listed(value: Any, known: Sequence[str], wanted: str) -> tuple[str, ...]:
    for position, entry in enumerate(found := words(value)):
        if entry not in known and not _HOOK.match(entry):
            near = difflib.get_close_matches(entry, known, 1)
            todo = f"Did you mean {near[0]}?" if near else ""
            at = (position,) if isinstance(value, (list, tuple)) else ()
            raise wrong(entry, wanted, *at, todo=todo)
    return found


def validators(value: Any) -> tuple[str, ...]:
    return _listed(value, VALIDATORS, "exit_zero, non_empty, one_line or hooks.py:FUNCTION")


def collectors(value: Any) -> tuple[str, ...]:
    return _listed(value, COLLECTORS, "table, concat, concat_numbered, blocks or hooks.py:FUNCTION")


def words(value: Any) -> tuple[str, ...]:
    """One text or a list of them."""
    if isinstance(value, Mapping):
        raise wrong(value, "a list")
    return tuple(text(entry) for entry in value) if isinstance(value, (list, tuple)) else (text(value),)


def hosts(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, (list, tuple)):
        return words(value)
    if not isinstance(value, str) or not value:
        raise wrong(value, "a hosts file or a list of hosts")
    return value


def env(value: Any) -> dict[str, str]:
    found = {name: text(entry) for name, entry in _mapping(value, "a mapping of variables").items()}
    for name in found:
        if not _VARIABLE.match(name):
            raise Wanted(f"{name!r} is not the name of a variable", "Letters, digits and _ make one.", (name,))
        if name.startswith("SPE_"):
            raise Wanted("names that begin with SPE_ are given by spe", "Take another name.", (name,))
    return found


def by_platform(value: Any) -> dict[str, str]:
    """One text for all, or a mapping from platforms to texts."""
    if isinstance(value, str):
        return {"any": value}
    return {platform(key): text(entry) for key, entry in _mapping(value, "a text, or one by platform").items()}


def platform(key: str) -> str:
    if not _PLATFORM.match(key):
        near = f"Did you mean {key.lower()}?" if _PLATFORM.match(key.lower()) else ""
        raise Wanted(f"{key!r} is not a platform such as linux-x86_64, linux or any", near, (key,))
    return key


def for_platform(table: Mapping[str, str], platform: str) -> str | None:
    return table.get(platform, table.get(platform.split("-")[0], table.get("any")))


def by_code(value: Any) -> dict[str, int]:
    """`{75: 5}`: attempts by exit code or signal, or one number for any of them."""
    if isinstance(value, Mapping):
        table = {str(count(key, 0, 255)): limit for key, limit in value.items() if key != "any"}
        table |= {"any": value["any"]} if "any" in value else {}
        return {code: count(limit) for code, limit in table.items()}
    return {"any": count(value)}


def worker(value: Any) -> Any:
    """A path, or a mapping from platforms to paths with an optional name, as {name, files}."""
    if isinstance(value, str):
        return {"files": {"any": path(value)}}
    table = dict(_mapping(value, "a path, or a path by platform"))
    name = table.pop("name", None)
    if not table:
        raise wrong(value, "a path, or a path by platform such as linux-x86_64: PATH")
    for key, entry in table.items():
        if not isinstance(entry, str) or not entry:
            raise wrong(entry, "a path", key)
    files = {"files": {platform(key): entry for key, entry in table.items()}}
    return files if name is None else {"name": name, **files}


def rows(value: Any) -> str | tuple[dict[str, str], ...]:
    wanted = "a parameter file, or a list of mappings such as - {x: 1, y: 2}"
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, (list, tuple)) or not value:
        raise wrong(value, wanted)
    return tuple(_row(row, position, value[0]) for position, row in enumerate(value))


def _row(row: Any, position: int, first: Any) -> dict[str, str]:
    if not isinstance(row, Mapping) or not row:
        raise wrong(row, "a mapping such as {x: 1, y: 2}", position)
    for name in row:
        if fault := name_fault(name):
            raise Wanted(fault, path=(position, name))
    if missing := [name for name in first if name not in row]:
        raise Wanted(f"this row has no {missing[0]}, the first one has", "Give every row the same names.", (position,))
    if more := [name for name in row if name not in first]:
        raise Wanted(f"the first row has no {more[0]}", "Give every row the same names.", (position, more[0]))
    return {name: _cell(row[name], position, name) for name in first}


def _cell(value: Any, *at: str | int) -> str:
    try:
        return text(value)
    except Wanted:
        raise wrong(value, "one value", *at) from None


def grid(value: Any) -> dict[str, Sequence[str]]:
    return {name: _axis(name, entry) for name, entry in _named(value, "a mapping from names to values").items()}


def zipped(value: Any) -> dict[str, Sequence[str]]:
    found = grid(value)
    lengths = {name: len(values) for name, values in found.items()}
    for name, length in lengths.items():
        first = next(iter(lengths))
        if length != lengths[first]:
            what = f"{first} has {lengths[first]} values, {name} has {length}"
            raise Wanted(what, "Give both as many: zip goes along them in step.", (name,))
    return found


def _named(value: Any, wanted: str) -> Mapping[str, Any]:
    for name in (table := _mapping(value, wanted)):
        if fault := name_fault(name):
            raise Wanted(fault, path=(name,))
    return table


def _axis(name: str, value: Any) -> Sequence[str]:
    wanted = "a list of values, or one of {range: […]}, {linspace: […]}, {logspace: […]}"
    if isinstance(value, Steps):
        return value
    if isinstance(value, (list, tuple)) and value:
        return tuple(_cell(entry, name, position) for position, entry in enumerate(value))
    if not isinstance(value, Mapping) or len(value) != 1:
        raise wrong(value, wanted, name) if value else Wanted(f"{name} has no values", path=(name,))
    step, arguments = next(iter(value.items()))
    if step not in ("range", "linspace", "logspace"):
        near = difflib.get_close_matches(step, ("range", "linspace", "logspace"), 1)
        raise wrong(step, wanted, name, step, todo=f"Did you mean {near[0]}?" if near else "")
    if not isinstance(arguments, (list, tuple)):
        raise wrong(arguments, "a list such as [1, 10]", name, step)
    try:
        return stepped(step, [_cell(entry, name, step) for entry in arguments])
    except Wanted:
        raise
    except ValueError as error:
        raise Wanted(f"{step}: {error}", path=(name, step)) from None


def later(value: Any) -> None:
    raise Wanted("samplers are not yet available", "Use grid, zip or rows for now.")


def mapping_or(key: str, value: Any, wanted: str) -> Any:
    """A text as {key: text}; a mapping as it is."""
    if isinstance(value, str):
        return {key: value}
    if not isinstance(value, Mapping) and not hasattr(value, "model_dump"):
        raise wrong(value, wanted)
    return value


def one_of(value: Any, choices: Collection[str]) -> Any:
    if isinstance(value, Mapping) and not set(value) - set(choices) and len(value) != 1:
        raise wrong(value, f"one of {' and '.join(choices)}")
    return value


def names(check: Callable[[Any], str]) -> BeforeValidator:
    """Checks the keys of a mapping of named things."""

    def named(value: Any) -> Any:
        for name in _mapping(value, "a mapping from names to what they are"):
            try:
                if check(name) != name:
                    raise wrong(name, f"{check(name)!r}")
            except Wanted as fault:
                raise Wanted(fault.what, fault.todo, (name,)) from None
        return value

    return BeforeValidator(named)


def _mapping(value: Any, wanted: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(value, wanted)
    return value
