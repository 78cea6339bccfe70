"""The meaning of the configuration where no ssh can be asked: our own reading of ssh_config(5).

paramiko has a reader, too. It is not used: it applies a block under a criterion that it does not know
to all hosts, does not know `Include`, stops at `Match final all`, and drops HostName when names are
made canonical. Here a block that is not understood is left out, with a warning.
"""

from __future__ import annotations

import functools
import glob
import os
import re
import shlex
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from ....errors import ConfigError
from ....record import record
from .criteria import Criteria, NotUnderstood, Seen, host_matches
from .settings import NoAddress, Question, Settings, config_files
from .tokens import Facts, account, expand

_DEEPEST_INCLUDE = 16  # as OpenSSH
_LINE = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+|\Z)(.*?)\s*\Z", re.DOTALL)
_QUOTED = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_WORD = re.compile(rf"(?:{_QUOTED}|\S)+")
_PART = re.compile(rf"{_QUOTED}|\S")
_ESCAPED = re.compile(r"\\([\\\"'])")
_WHOLE = ("proxycommand", "localcommand", "remotecommand", "knownhostscommand")  # not split
_SEVERAL = ("identityfile", "certificatefile")  # each line adds one
_RIVALS = {"proxyjump": "proxycommand", "proxycommand": "proxyjump"}  # the first of both wins

Warn = Callable[[str], None]


@record
class Line:
    """A line of a file: its keyword in lower case, and the rest."""

    file: Path
    number: int
    key: str
    rest: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.number}"

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(split_words(self.rest))


def split_words(text: str) -> Iterator[str]:
    """Yield the words of a value up to a comment; quotes of both kinds may stand anywhere in a word."""
    for match in _WORD.finditer(text):
        if match[0].startswith("#"):
            return
        yield _PART.sub(_unquoted, match[0])


def _unquoted(part: re.Match[str]) -> str:
    if part[0][0] in "\"'" and len(part[0]) > 1:
        return _ESCAPED.sub(r"\1", part[0][1:-1])
    return part[0]


def read_settings(path: Path | None, question: Question, limit: float, warn: Warn) -> Settings:
    """Return the settings for this destination.

    `limit`: seconds for a command of Match exec. Raises ConfigError, NoAddress and Hangs.
    """
    reading = _Reading(path, question, limit, warn)
    reading.read(question.name, final=False)
    values = reading.seen.values
    name = _hostname(values, question.name)
    ways = (_one(values, "proxycommand", "none"), _one(values, "proxyjump", "none"))
    direct = all(way.lower() == "none" for way in ways)
    canonical = _one(values, "canonicalizehostname").lower()
    if canonical == "always" or (canonical in ("yes", "true") and direct):
        name = _canonical_name(name, values)
    values["hostname"] = [name]
    if reading.seen.wants_final or canonical in ("yes", "true", "always"):
        reading.read(name, final=True)
    return Settings({key: tuple(found) for key, found in values.items()})


def exec_places(path: Path | None) -> list[str]:
    """Return the places (FILE:LINE) of all Match lines that run a command."""
    user_file = config_files(path, account()[1])[0]
    return [
        line.place
        for file in config_files(path, account()[1])
        for line in _all_lines(file, "~/.ssh" if file == user_file else "/etc/ssh", 0)
        if line.key == "match" and re.search(r"(^|\s)!?exec[\s=]", line.rest, re.IGNORECASE)
    ]


class _Reading:
    """The reading of all files for one destination, once or (Match final) twice."""

    def __init__(
        self, path: Path | None, question: Question, limit: float, warn: Warn
    ) -> None:
        self._path = path
        self._limit = limit
        self._warn = warn
        self.seen = Seen(question.name, account()[0])
        # As words of a command line: before all files.
        if question.user:
            self.seen.values["user"] = [question.user]
        if question.port:
            self.seen.values["port"] = [str(question.port)]

    def read(self, host: str, *, final: bool) -> None:
        self.seen.host = host
        self.seen.final = final
        user_file, *system = config_files(self._path, account()[1])
        self._read_file(user_file, "~/.ssh", 0)
        for file in system:
            self._read_file(file, "/etc/ssh", 0)

    def _read_file(self, file: Path, folder: str, depth: int) -> None:
        """Take over what the file says. `folder`: where the names of its Includes are looked for.

        Only called where the block around an Include applies; so no block of the included file can
        apply where that does not.
        """
        applies = True
        for line in read_lines(file):
            if line.key == "host":
                applies = host_matches(line.words, self.seen.host)
            elif line.key == "match":
                applies = self._matches(line)
            elif not applies:
                continue
            elif line.key != "include":
                _take(self.seen.values, line)
            elif depth < _DEEPEST_INCLUDE:  # a file may include itself
                for name in _included(line, folder):
                    self._read_file(name, folder, depth + 1)

    def _matches(self, line: Line) -> bool:
        try:
            return Criteria(line.rest, line.place, self._limit).match(self.seen)
        except NotUnderstood as error:
            self._warn(f"{line.place}: {error}, so this block is left out")
            return False


def _take(values: dict[str, list[str]], line: Line) -> None:
    """Add the line's value where none was found before."""
    found = [line.rest] if line.key in _WHOLE else list(line.words)
    if not found:
        return
    if line.key in _SEVERAL:
        known = values.setdefault(line.key, [])
        known += [one for one in found[:1] if one not in known]
    elif _RIVALS.get(line.key) not in values:
        values.setdefault(line.key, found)


def _one(values: dict[str, list[str]], key: str, default: str = "") -> str:
    return next(iter(values.get(key, ())), default)


def _hostname(values: dict[str, list[str]], name: str) -> str:
    return expand(_one(values, "hostname", "%h"), Facts(name, name, 0, "")).lower()


def _canonical_name(name: str, values: dict[str, list[str]]) -> str:
    """Return the name with the first of CanonicalDomains that gives it an address."""
    dots = _one(values, "canonicalizemaxdots", "1")
    if not dots.isdigit() or name.count(".") > int(dots) or ":" in name:
        return name
    for domain in values.get("canonicaldomains", ()):
        if domain.lower() != "none" and _has_address(f"{name}.{domain}"):
            return f"{name}.{domain}".lower()
    if _one(values, "canonicalizefallbacklocal", "yes").lower() == "no":
        raise NoAddress(f"Could not resolve hostname {name} in CanonicalDomains")
    return name


def _has_address(name: str) -> bool:
    try:
        socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        return False
    return True


# -- files


def read_lines(file: Path) -> list[Line]:
    """Return the lines that say something; none when the file is not there."""
    return _read_lines(file, stamp(file))


def stamp(file: Path) -> object:
    """Return a value that changes when the file does; None when it is not there."""
    try:
        seen = file.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


# Cached by its stamp: many hosts share one reading, and some configurations have a hundred files.
@functools.lru_cache(maxsize=256)
def _read_lines(file: Path, _stamp: object) -> list[Line]:
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise ConfigError(what, where=str(file), todo=f"ls -l {shlex.quote(str(file))}") from error
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        match = _LINE.match(line)
        if match is not None:
            found.append(Line(file, number, match[1].lower(), match[2]))
    return found


def _all_lines(file: Path, folder: str, depth: int) -> Iterator[Line]:
    """Yield the lines of a file and of all that it may include."""
    for line in read_lines(file):
        yield line
        if line.key == "include" and depth < _DEEPEST_INCLUDE:
            for name in _included(line, folder):
                yield from _all_lines(name, folder, depth + 1)


def _included(line: Line, folder: str) -> Iterator[Path]:
    """Yield the files that an Include names; relative names are looked for in `folder`."""
    home = str(account()[1])
    for name in line.words:
        if name == "~" or name.startswith("~/"):
            name = home + name[1:]
        pattern = os.path.join(folder.replace("~", home, 1), os.path.expanduser(name))
        yield from filter(Path.is_file, map(Path, sorted(glob.glob(pattern))))
