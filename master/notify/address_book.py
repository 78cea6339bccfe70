"""The user's own file with the addresses that messages go to, each under a name.

    me: mailto:ada@example.org
    team: slack://TOKEN_A/TOKEN_B/TOKEN_C

It lies in the user's configuration folder, outside of any project, and nobody else may read it.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path

from ..config.notify.recipients import Recipient
from ..errors import ConfigError, UsageError
from ..record import record
from ..table.extras import library
from ..text import nearest
from .addresses import Address, Kind, address

FILE = "notify.yaml"


@record
class Target:
    """One who is told: an address, the events, and the seconds after which a run has stalled."""

    address: Address
    on: tuple[str, ...]
    after: float


def file_of_user() -> Path:
    """Return the path of the user's own file, which may not be there."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    # The specification of these folders says that a relative path is to be ignored.
    folder = Path(base) if base.startswith("/") else Path.home() / ".config"
    return folder / "spe" / FILE


def targets(recipients: Sequence[Recipient]) -> tuple[Target, ...]:
    """Return who is told, with addresses. Raises UsageError for what cannot be sent to."""
    found = []
    book: dict[str, str] | None = None
    for one in recipients:
        if ":" in one.to:
            found.append(Target(usable(address(one.to, one.to, "notify", private=False)), one.on, one.after))
            continue
        book = read_book() if book is None else book
        found.append(Target(named(one.to, book), one.on, one.after))
    return tuple(found)


def named(name: str, book: dict[str, str]) -> Address:
    """Return the address of a name. Raises UsageError for an unknown one."""
    path = file_of_user()
    if name not in book:
        if not path.exists():
            raise _no_file(name, path)
        near = nearest(name, book)
        todo = f"There are {', '.join(book)}." if book else f"Write `{name}: mailto:ADDRESS` there."
        todo = f"Did you mean {near}? {todo}" if near else todo
        raise UsageError(f"there is no address named {name}", where=str(path), todo=todo)
    return usable(address(book[name], name, f"{path}: {name}"))


def _no_file(name: str, path: Path) -> UsageError:
    """Return the error for a name while there is no file of names."""
    folder, file = shlex.quote(str(path.parent)), shlex.quote(str(path))
    line = f"(umask 077; mkdir -p {folder}; echo '{name}: mailto:NAME@HOST' >> {file})"
    what = f"there is no address named {name}: this file does not exist"
    return UsageError(what, where=str(path), todo=f"This line makes it, with mode 0600: {line}")


def read_book() -> dict[str, str]:
    """Return the texts of all addresses by their names. Raises UsageError; never shows an address."""
    path = file_of_user()
    try:
        _check_mode(path, path.stat())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"can't be read: {error.strerror}", where=str(path)) from error
    from ..config.yaml_file import read  # late: it loads PyYAML

    try:
        data = read(path).data
    except ConfigError as error:
        # Not its words: they may show a part of an address.
        where = f"{path.parent}/{error.where.partition(' ')[0]}" if ":" in error.where else str(path)
        todo = "Write NAME: ADDRESS, one a line; an address with # or quotes in it goes in quotes."
        raise UsageError("this is not readable as YAML", where=where, todo=todo) from None
    for name, text in data.items():
        if not isinstance(text, str) or not text.strip():
            todo = f"Write {name}: ADDRESS, one a line."
            raise UsageError("this is no address", where=f"{path}: {name}", todo=todo)
    return {name: str(text).strip() for name, text in data.items()}


def _check_mode(path: Path, facts: os.stat_result) -> None:
    if facts.st_uid not in (os.geteuid(), 0):
        raise UsageError("it is another user's file", where=str(path), todo="Write one of your own.")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        mode = f"{stat.S_IMODE(facts.st_mode):04o}"
        what = f"other users may read or write it (mode {mode}), and it is for passwords"
        raise UsageError(what, where=str(path), todo=f"chmod 600 {path}")


def usable(one: Address) -> Address:
    """Return the address. Raises UsageError where Apprise is needed and missing, or does not know it."""
    if one.kind is Kind.APPRISE:
        apprise = library("apprise", f"the address {one.name} (of another kind than mailto:, https:, cmd:)")
        from .by_apprise import check

        check(apprise, one)
    return one
