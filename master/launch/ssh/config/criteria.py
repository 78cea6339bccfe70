"""The criteria of Host and Match lines, for the reading of ssh_config without an ssh program."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .settings import Hangs
from .tokens import Facts, expand

_CRITERION = re.compile(r'\s*(!?)(\w+)(?:\s*=\s*|\s+|\Z)')
_ARGUMENT = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(\S+))')


class NotUnderstood(Exception):
    """A Match line has a criterion that is not known here; the message names it."""


@dataclass
class Seen:
    """Values that the reading of the files has found so far for one destination."""

    original: str  # the host as the user wrote it
    local_user: str
    host: str = ""  # the same in the first reading, the final name in the second
    final: bool = False  # this is the second reading
    wants_final: bool = False  # a line asks for a second reading
    values: dict[str, list[str]] = field(default_factory=dict)

    def value(self, key: str, default: str) -> str:
        return next(iter(self.values.get(key, ())), default)

    @property
    def facts(self) -> Facts:
        hostname = expand(self.value("hostname", "%h"), Facts(self.original, self.host, 0, ""))
        port = self.value("port", "22")
        return Facts(
            original=self.original,
            hostname=hostname,
            port=int(port) if port.isdigit() else 22,
            user=self.value("user", self.local_user),
            alias=next(iter(self.values.get("hostkeyalias", ())), None),
        )


class Criteria:
    """The criteria of one Match line. `place`: of that line, for messages."""

    def __init__(self, text: str, place: str, limit: float) -> None:
        self._text = text
        self._place = place
        self._limit = limit

    def match(self, seen: Seen) -> bool:
        """Return whether the block applies. Raises NotUnderstood, and Hangs by a command."""
        rest = self._text
        result = True
        met: list[str] = []
        while rest.strip() and not rest.lstrip().startswith("#"):
            found = _CRITERION.match(rest)
            if found is None:
                raise NotUnderstood(f"Match has {rest.split()[0]!r}, which is no criterion")
            negated, name = bool(found[1]), found[2].lower()
            rest = rest[found.end() :]
            argument = ""
            if name not in ("all", "canonical", "final"):
                argument, rest = self._argument(name, rest)
            met.append(name)
            # All are looked at: an unknown one must be noticed wherever it stands.
            result = self._holds(name, argument, seen, result) != negated and result
        if not met:
            raise NotUnderstood("Match has no criterion")
        if "all" in met and (met[-1] != "all" or set(met) - {"all", "canonical", "final"}):
            raise NotUnderstood("Match all stands beside another criterion")
        return result

    def _argument(self, name: str, rest: str) -> tuple[str, str]:
        """Return (argument, rest of the line)."""
        found = _ARGUMENT.match(rest)
        if found is None or (found[2] or "").startswith("#"):
            raise NotUnderstood(f"Match {name} has no value")
        return found[2] or re.sub(r"\\(.)", r"\1", found[1]), rest[found.end() :]

    def _holds(self, name: str, argument: str, seen: Seen, needed: bool) -> bool:
        """Return whether one criterion holds. `needed`: all before it do, so a command is run."""
        if name == "all":
            return True
        if name == "final":
            seen.wants_final = True
        if name in ("final", "canonical"):
            return seen.final
        if name == "exec":
            return needed and self._run(expand(argument, seen.facts))
        if name not in _PATTERNS:
            raise NotUnderstood(f"Match {name} is not known here")
        return list_matches(argument, _PATTERNS[name](seen))

    def _run(self, command: str) -> bool:
        """Return whether the command succeeds. Raises Hangs."""
        shell = os.environ.get("SHELL") or "/bin/sh"
        try:
            process = subprocess.Popen(
                [shell, "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise NotUnderstood(f"Match exec cannot run {shell}: {error.strerror}") from error
        try:
            return process.wait(self._limit) == 0
        except subprocess.TimeoutExpired as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise Hangs(self._place) from error


# Criterion -> the text that its patterns are compared with.
_PATTERNS: dict[str, Callable[[Seen], str]] = {
    "host": lambda seen: seen.facts.hostname.lower(),
    "originalhost": lambda seen: seen.original,
    "user": lambda seen: seen.facts.user,
    "localuser": lambda seen: seen.local_user,
    "tagged": lambda seen: seen.value("tag", ""),
}


def host_matches(patterns: Sequence[str], name: str) -> bool:
    """Return whether the patterns of a Host line are for this name; a negated one that matches decides."""
    found = False
    for pattern in patterns:
        if _pattern(pattern.removeprefix("!")).fullmatch(name):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def list_matches(patterns: str, text: str) -> bool:
    """Return the same for patterns with commas, as Match has them."""
    return host_matches(patterns.split(","), text)


# Not fnmatch: `[` is a plain letter in ssh_config.
@functools.lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(letter) or re.escape(letter) for letter in text), re.DOTALL)
