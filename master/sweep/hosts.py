"""Reads host lines, of a hosts file and of spe.yaml.

    [user@]host[:port] [slots=N] [workdir=…] [python=…] [setup="…"] [trust_workdir=yes]

`#` begins a comment, empty lines are skipped, `lab[01-20]` is twenty hosts. Host names may be those
of ~/.ssh/config: what they mean there is the business of launch/.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path

from ..errors import ConfigError
from ..model import Host
from ..record import record
from ..text import nearest
from .host_ranges import expanded

_OPTIONS = ("slots", "workdir", "python", "setup", "trust_workdir")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@+-]*\$?\Z")
_SHAPE = (
    'Write [user@]host[:port] [slots=N] [workdir=PATH] [python=PATH] [setup="…"] [trust_workdir=yes], '
    "one host or range a line."
)


@record
class HostList:
    """The hosts, each once, and warnings about their lines."""

    hosts: tuple[Host, ...]
    warnings: tuple[str, ...] = ()


def read_hosts(path: Path, shown: str = "") -> HostList:
    """Return the hosts of a file. Raises ConfigError naming file and line."""
    shown = shown or path.name
    found = parse_hosts(read_lines(path, shown))
    if not found.hosts:
        return HostList((), (f"{shown}: names no host, so all work is done on this machine",))
    return found


def read_lines(path: Path, shown: str) -> list[tuple[str, str]]:
    """Return the (place, text) lines of a hosts file. Raises ConfigError naming file and line."""
    try:
        # Editors may write a byte order mark, which would be a part of the first host's name.
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    except OSError as error:
        todo = "Name a file that is there, or give a list: hosts: [lab1, lab2]."
        raise ConfigError(f"can't be read: {error.strerror}", where=shown, todo=todo) from error
    places = [f"{shown}:{number}" for number in range(1, len(lines) + 1)]
    return list(zip(places, map(_decoded, lines, places), strict=True))


def parse_hosts(lines: Iterable[tuple[str, str]]) -> HostList:
    """Return the hosts of (place, text) lines, where a place is like `hosts.txt:3`."""
    hosts: dict[tuple[str, int | None], Host] = {}
    warnings = []
    for place, line in lines:
        for host in parse_line(line, place):
            # Upper and lower case are one name for DNS; another port may be another machine.
            first = hosts.setdefault((host.name.lower(), host.port), host)
            if first is not host:
                warnings.append(f"{place}: {_said_before(host, first)}")
    return HostList(tuple(hosts.values()), tuple(warnings))


def _said_before(host: Host, first: Host) -> str:
    """Return the sentence about a host that an earlier line, or the same one, has named already."""
    if host.origin == first.origin:
        return f"{host.name} stands there twice; it is used once"
    return f"{host.name} stands in {first.origin} already; it is used once, as said there"


def parse_line(line: str, place: str = "") -> list[Host]:
    """Return the hosts of one line: none, one, or those of a range."""
    return parse_words(words_of(line, place), place)[0]


def parse_words(
    words: Sequence[str], place: str, more: Collection[str] = ()
) -> tuple[list[Host], dict[str, str]]:
    """Return the hosts of the words of one line, and its options that only the caller knows.

    `more`: the names of these.
    """
    if not words:
        return [], {}
    host = _target(words[0], place)
    given = _options_of(host.name, words[1:], place, more)
    host = _with_options(host, given, place)
    names = expanded(host.name, place)
    for name in names:
        _check(replace(host, name=name), place)
    others = {name: value for name, value in given.items() if name in more}
    return [replace(host, name=name) for name in names], others


def _decoded(line: bytes, place: str) -> str:
    # Line by line, so that the message can name the line.
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(
            "this line is not UTF-8", where=place, todo="Save the file as UTF-8."
        ) from error


def words_of(line: str, place: str) -> list[str]:
    """Return the words of a line.

    Raises ConfigError for an open quote and for control characters.
    """
    try:
        words = shlex.split(_without_comment(line))
    except ValueError as error:
        raise ConfigError(
            f"{line.strip()!r}: {error}", where=place, todo="Close the quote."
        ) from error
    # Names and paths of a line stand in the log and on the terminal.
    if not "".join(words).isprintable():
        raise ConfigError(f"{line!r} has control characters", where=place, todo=_SHAPE)
    return words


def _without_comment(line: str) -> str:
    """Return the line up to a `#` that begins a word outside of quotes.

    Not shlex's own comments: for it, `a#b` holds a comment too.
    """
    quote = ""
    before = " "
    for position, char in enumerate(line):
        if char == "#" and before.isspace() and not quote:
            return line[:position]
        quote = _quote_after(char, quote)
        before = char
    return line


def _quote_after(char: str, quote: str) -> str:
    """Return the quote that is open behind this character, where `quote` is open before it."""
    if char == quote:
        return ""
    # Within one kind of quotes the other one is a character like any.
    if not quote and char in "'\"":
        return char
    return quote


def _target(word: str, place: str) -> Host:
    """Return the host of `[user@]host[:port]`, its range not yet expanded."""
    user, at, rest = word.rpartition("@")
    if at and not _USER.match(user):
        raise ConfigError(f"{user!r} in {word!r} is not a user name", where=place, todo=_SHAPE)
    name, port = _split_port(rest, word, place)
    return Host(name, user=user or None, port=port, origin=place)


def _split_port(text: str, word: str, place: str) -> tuple[str, int | None]:
    """Return name and port. An IPv6 address with a port stands in brackets."""
    if match := re.match(r"\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.%\w]*)\](?::(.*))?\Z", text):
        return match[1], _port(match[2], word, place)
    # An IPv6 address without brackets cannot have a port: which colon would it begin with?
    if text.count(":") > 1:
        return text, None
    name, colon, port = text.partition(":")
    if not colon:
        return name, None
    return name, _port(port, word, place)


def _port(text: str | None, word: str, place: str) -> int | None:
    """Return the port; None where none is given. Raises ConfigError."""
    if text is None:
        return None
    if not _is_number(text, 65535):
        raise ConfigError(
            f"{text!r} in {word!r} is not a port (1 to 65535)", where=place, todo=_SHAPE
        )
    return int(text)


def _is_number(text: str, most: int) -> bool:
    """Tell whether a text is a whole number from 1."""
    # int() alone would take `1_000`, ` 5 ` and digits of other scripts.
    return text.isascii() and text.isdigit() and 1 <= int(text) <= most


def _options_of(
    host: str, words: Sequence[str], place: str, more: Collection[str]
) -> dict[str, str]:
    """Return the options of a line, name -> value. Raises ConfigError."""
    given: dict[str, str] = {}
    for word in words:
        name, value = _option(word, host, place, (*_OPTIONS, *more))
        if name in given:
            raise ConfigError(f"{name}= is given twice", where=place, todo="Keep one of them.")
        given[name] = value
    return given


def _with_options(host: Host, given: Mapping[str, str], place: str) -> Host:
    return replace(
        host,
        slots=_slots(given.get("slots"), place),
        workdir=given.get("workdir"),
        python=given.get("python"),
        setup=given.get("setup"),
        trust_workdir=_yes_or_no("trust_workdir", given.get("trust_workdir", "no"), place),
    )


def _option(word: str, host: str, place: str, known: Sequence[str]) -> tuple[str, str]:
    """Return name and value of one option. Raises ConfigError."""
    name, equals, value = word.partition("=")
    if not equals:
        what = f"{word!r} after the host {host!r} is not an option"
        raise ConfigError(what, where=place, todo=_SHAPE)
    if name not in known:
        raise _unknown_option(name, place, known)
    if not value:
        raise ConfigError(f"{name}= has no value", where=place, todo=_SHAPE)
    return name, value


def _unknown_option(name: str, place: str, known: Sequence[str]) -> ConfigError:
    """Return the error for an option that nobody knows, with the one that it may have meant."""
    near = nearest(name, known)
    hint = f"There are {', '.join(known)}."
    if near:
        hint = f"Did you mean {near}=?"
    return ConfigError(f"unknown option {name!r}", where=place, todo=hint)


def _slots(text: str | None, place: str) -> int | None:
    # Without the option the client takes as many as its host has cores.
    if text is None:
        return None
    if not _is_number(text, 100_000):
        raise ConfigError(
            f"slots={text}: wanted a whole number from 1",
            where=place,
            todo="Write it like slots=4.",
        )
    return int(text)


def _yes_or_no(name: str, text: str, place: str) -> bool:
    if text not in ("yes", "no"):
        raise ConfigError(
            f"{name}={text}: wanted yes or no", where=place, todo=f"Write it like {name}=yes."
        )
    return text == "yes"


def _check(host: Host, place: str) -> None:
    """Raise ConfigError for what can be no host's name, and for localhost with a user or a port."""
    # No name begins with a hyphen: `-oProxyCommand=…` must never reach ssh as an option.
    if not (_NAME.match(host.name) or _is_ipv6(host.name)):
        raise ConfigError(f"{host.name!r} is not a host name", where=place, todo=_SHAPE)
    if host.is_here and (host.user or host.port):
        raise _without_ssh(place)


def _without_ssh(place: str) -> ConfigError:
    """Return the error for localhost with a user or a port."""
    what = "localhost is this machine, without SSH: a user or a port has no meaning"
    todo = "Write localhost alone, or 127.0.0.1 to go over SSH."
    return ConfigError(what, where=place, todo=todo)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
