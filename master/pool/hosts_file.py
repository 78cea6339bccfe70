"""The hosts file of a farm: host lines with what jobs may use there, and licences.

    lab[01-20] slots=48 most=40 gpus=2 memory=128GiB licences=abaqus only=ben active=no info="room 4"
    licence abaqus=3
    setting half_life=1d long=1h long_share=90% jobs_per_host=8

It is read as any hosts file; these words stand in the file of a farm alone. A user's own words
(`workdir=`, `setup=`) do not: each user's hosts file says them, as the tasks are his.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path

from ..config import units
from ..errors import ConfigError
from ..model import Host
from ..record import record
from ..sweep.hosts import parse_words, read_lines, words_of
from .file_settings import parse_setting
from .texts import is_host_name

WORDS = ("most", "gpus", "memory", "licences", "only", "active", "info")
MOST_INFO = 200  # characters
MOST_NUMBER = 100_000
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")


@record
class FarmHost:
    """A host of a farm. way: how the farm's own ssh goes there; its name for this is not `name`
    where the host is the farm's own.

    slots: None for as many as it has cores. most: slots that jobs may use, None for all. memory:
    bytes, 0 for unknown. licences: that may be used there; () for all. only: users; () for all.
    """

    name: str
    way: Host
    slots: int | None = None
    most: int | None = None
    gpus: int = 0
    memory: int = 0
    licences: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    active: bool = True
    info: str = ""


@record
class HostsFile:
    """What the hosts file of a farm says, in its order.

    licences: name -> how many there are. settings: those that the file names, each with its value.
    """

    hosts: tuple[FarmHost, ...]
    licences: Mapping[str, int]
    settings: Mapping[str, float] = field(default_factory=dict)


def read_hosts_file(path: Path, own_name: str) -> HostsFile:
    """Return what a file says. Raises ConfigError, which names file and line."""
    found = parse_hosts_file(read_lines(path, str(path)), own_name)
    if not found.hosts:
        raise ConfigError("names no host", where=str(path), todo="Write one a line: lab01 slots=8")
    return found


def parse_hosts_file(lines: Iterable[tuple[str, str]], own_name: str) -> HostsFile:
    """Return what (place, text) lines say. Raises ConfigError, which names the place.

    `own_name`: of the farm's host, which a line `localhost` means: to users it is another one.
    """
    hosts: dict[str, FarmHost] = {}
    licences: dict[str, int] = {}
    settings: dict[str, float] = {}
    for place, line in lines:
        words = words_of(line, place)
        if words and words[0] == "licence":
            _add_licences(licences, words[1:], place)
            continue
        if words and words[0] == "setting":
            _add_settings(settings, words[1:], place)
            continue
        for host in _hosts(words, place, own_name):
            first = hosts.setdefault(host.name.lower(), host)
            if first is not host:
                what = f"{host.name} stands in {first.way.origin} already"
                raise ConfigError(what, where=place, todo="Keep one of the lines.")
    for host in hosts.values():
        for name in host.licences:
            if name not in licences:
                what = f"licences={name}: there is no such licence"
                todo = f"Add a line: licence {name}=1"
                raise ConfigError(what, where=host.way.origin, todo=todo)
    return HostsFile(tuple(hosts.values()), licences, settings)


def _add_licences(licences: dict[str, int], words: Iterable[str], place: str) -> None:
    todo = "Write it like: licence abaqus=3"
    words = list(words)
    if not words:
        raise ConfigError("a licence without a name", where=place, todo=todo)
    for word in words:
        name, _, count = word.partition("=")
        if not _NAME.match(name) or not _is_whole(count):
            what = f"{word!r} is not a licence and how many there are of it"
            raise ConfigError(what, where=place, todo=todo)
        if name in licences:
            what = f"the licence {name} is given twice"
            raise ConfigError(what, where=place, todo="Keep one of them.")
        licences[name] = int(count)


def _add_settings(settings: dict[str, float], words: Iterable[str], place: str) -> None:
    for word in words:
        name, _, text = word.partition("=")
        if name in settings:
            what = f"the setting {name} is given twice"
            raise ConfigError(what, where=place, todo="Keep one of them.")
        settings[name] = parse_setting(name, text, place)


def _hosts(words: list[str], place: str, own_name: str) -> list[FarmHost]:
    """Return the hosts of one line."""
    ways, given = parse_words(words, place, WORDS)
    for way in ways[:1]:
        _refuse_users_words(way, place)
    for way in ways:
        if not is_host_name(way.name):
            # Users' delegates take no other name from a farm.
            todo = "A farm's host has a name of letters, digits, dots and hyphens: name it so in ~/.ssh/config."
            raise ConfigError(f"{way.name} is no name that a farm can grant", where=place, todo=todo)
    slots = ways[0].slots if ways else None
    most = _whole("most", given, place)
    if most is not None and slots is not None and most > slots:
        what = f"most={most} is more than slots={slots}"
        raise ConfigError(what, where=place, todo="Jobs use at most the slots of a host.")
    if len(given.get("info", "")) > MOST_INFO:
        what = f"info= has more than {MOST_INFO} characters"
        raise ConfigError(what, where=place, todo="Say less there.")
    like = FarmHost(
        "",
        Host(""),
        slots,
        most,
        _whole("gpus", given, place) or 0,
        _size("memory", given, place),
        _names("licences", given, place),
        _names("only", given, place),
        _yes_or_no("active", given, place),
        given.get("info", ""),
    )
    return [replace(like, name=own_name if way.is_here else way.name, way=way) for way in ways]


def _refuse_users_words(way: Host, place: str) -> None:
    users = {"workdir": way.workdir, "setup": way.setup, "trust_workdir": way.trust_workdir}
    for name, value in users.items():
        if value:
            what = f"{name}= has no meaning in the hosts file of a farm"
            todo = "Each user says it in a hosts file of his own."
            raise ConfigError(what, where=place, todo=todo)


def _is_whole(text: str) -> bool:
    # int() alone would take `1_000` and digits of other scripts.
    return text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= MOST_NUMBER


def _whole(name: str, given: Mapping[str, str], place: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not _is_whole(text):
        what = f"{name}={text}: wanted a whole number"
        raise ConfigError(what, where=place, todo=f"Write it like {name}=2.")
    return int(text)


def _size(name: str, given: Mapping[str, str], place: str) -> int:
    text = given.get(name)
    if text is None:
        return 0
    try:
        return units.size(text)
    except ValueError as error:
        what = f"{name}={text}: wanted a size"
        raise ConfigError(what, where=place, todo=f"Write it like {name}=128GiB.") from error


def _names(name: str, given: Mapping[str, str], place: str) -> tuple[str, ...]:
    text = given.get(name)
    if text is None:
        return ()
    found = tuple(text.split(","))
    if not all(_NAME.match(one) for one in found):
        what = f"{name}={text}: wanted names"
        raise ConfigError(what, where=place, todo=f"Write it like {name}=one,other.")
    return found


def _yes_or_no(name: str, given: Mapping[str, str], place: str) -> bool:
    text = given.get(name, "yes")
    if text not in ("yes", "no"):
        what = f"{name}={text}: wanted yes or no"
        raise ConfigError(what, where=place, todo=f"Write it like {name}=no.")
    return text == "yes"
