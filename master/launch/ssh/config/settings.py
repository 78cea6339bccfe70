"""A question to the ssh configuration, and the answer of either way: ssh itself, or our own reading."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ....record import record

Values = Mapping[str, tuple[str, ...]]

SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")


@record
class Question:
    """The words for one destination as a person gives them to ssh: name, user and port."""

    name: str
    user: str | None = None
    port: int | None = None
    before: tuple[str, ...] = ()  # of a jump host: the hops that lead to it, the nearest first


class Settings:
    """Values by keyword in lower case, in the spelling of ssh_config; `~` and tokens may be in them."""

    def __init__(self, values: Values, defaults: Values | None = None) -> None:
        """`defaults`: what the ssh program itself has in it, so that the user's own words are known."""
        self._values = values
        self._defaults = defaults or {}

    def every(self, key: str) -> tuple[str, ...]:
        """Return all values of a keyword that may be given several times."""
        return self._values.get(key, ())

    def value(self, key: str) -> str | None:
        """Return the first value, whether a file or the ssh program says it."""
        return next(iter(self.every(key)), None)

    def named(self, key: str) -> bool:
        """Return whether a file says something else than the ssh program by itself."""
        return key in self._values and self._values[key] != self._defaults.get(key)

    def said(self, key: str) -> str | None:
        """Return the first value when a file says it; None for the ssh program's own, and `none`."""
        value = self.value(key) if self.named(key) else None
        return None if value is None or value.lower() == "none" else value

    def yes(self, key: str) -> bool:
        return (self.value(key) or "no").lower() in ("yes", "true")

    def number(self, key: str) -> int | None:
        """Return a positive number; None for anything else, such as `ConnectTimeout none`."""
        text = self.value(key) or ""
        if text.isascii() and text.isdigit():
            return int(text) or None
        return None


class Hangs(Exception):
    """The answer did not come in time: a command of `Match exec`, or the look-up of a name, hangs."""


class NoAddress(Exception):
    """A name is to be made canonical and has no address."""


def config_files(path: Path | None, home: Path) -> list[Path]:
    """Return the user's file and then the system's, or only the given one, as `ssh -F` does."""
    if path:
        return [path]
    return [home / ".ssh" / "config", SYSTEM_CONFIG]
