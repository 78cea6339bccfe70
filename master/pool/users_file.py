"""The users file of the administrator, and which accounts `anyone` means.

A line is `NAME [ROLE [SHARE [GROUP ...]]] [also=NAME,NAME]`; `#` begins a comment.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from ..errors import ConfigError
from .rows import Role, UserRow
from .texts import LONGEST_NAME, is_user_name

LONGEST_FILE = 1_000_000  # bytes
GREATEST_SHARE = 1e6
FIRST_UID = 1000  # lower ones belong to services
NO_LOGIN = ("nologin", "false", "true", "sync", "halt", "shutdown")


def is_person(uid: int, shell: str) -> bool:
    """Tell whether `--users anyone` means this account: uid >= 1000 and a login shell."""
    # An empty shell means /bin/sh in passwd(5).
    return uid >= FIRST_UID and shell.rpartition("/")[2] not in NO_LOGIN


def read_users(path: Path) -> list[UserRow]:
    """Return the users of a file. Raises ConfigError, which names file and line."""
    try:
        with path.open("rb") as file:
            raw = file.read(LONGEST_FILE + 1)
    except OSError as error:
        todo = "Name a file that this account may read: --users FILE."
        raise ConfigError(str(error.strerror), where=str(path), todo=todo) from error
    if len(raw) > LONGEST_FILE:
        raise ConfigError("the users file is larger than 1 MB", where=str(path))
    return parse_users(raw, str(path))


def parse_users(raw: bytes, where: str) -> list[UserRow]:
    """Return the users of this text. Raises ConfigError, which names `where` and the line."""
    found: list[UserRow] = []
    claimed: dict[str, int] = {}  # name or other name -> its line
    # Only \n: splitlines() would also divide at form feeds and other characters.
    for number, line in enumerate(raw.split(b"\n"), 1):
        try:
            row = _user(line.decode("utf-8").partition("#")[0].split())
            if row is not None:
                _claim(row, number, claimed)
                found.append(row)
        except ValueError as error:
            what = "the line is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            todo = "A line is: name role share groups also=NAME,NAME"
            raise ConfigError(what, where=f"{where}:{number}", todo=todo) from error
    return found


def _user(words: list[str]) -> UserRow | None:
    """Return the user of a line's words; None for a line without any. Raises ValueError."""
    plain = [word for word in words if not word.startswith("also=")]
    if not words:
        return None
    if not plain:
        raise ValueError("the line names no user")
    groups = plain[3:]
    return UserRow(
        name=_name(plain[0]),
        role=_role(plain[1]) if len(plain) > 1 else Role.MEMBER,
        share=_share(plain[2]) if len(plain) > 2 else 1.0,
        groups=" ".join(map(_name, groups)),
        also=" ".join(map(_name, _also(words))),
    )


def _also(words: Iterable[str]) -> list[str]:
    given = [word.removeprefix("also=") for word in words if word.startswith("also=")]
    return [name for text in given for name in text.split(",")]


def _name(word: str) -> str:
    if not is_user_name(word):
        signs = "letters, digits and _ . @ -"
        raise ValueError(f"{word[:LONGEST_NAME]!r} is no name of at most {LONGEST_NAME} {signs}")
    return word


def _role(word: str) -> Role:
    try:
        return Role(word)
    except ValueError:
        raise ValueError(f"the role is member or admin, not {word[:LONGEST_NAME]!r}") from None


def _share(word: str) -> float:
    try:
        share = float(word)
    except ValueError:
        share = math.nan
    # NaN fails both comparisons.
    if not 0 < share <= GREATEST_SHARE:
        raise ValueError(f"the share is a number above 0, not {word[:LONGEST_NAME]!r}")
    return share


def _claim(row: UserRow, number: int, claimed: dict[str, int]) -> None:
    """Note the names of a user. Raises ValueError when another line has one of them."""
    # Load of a name is charged to its user, so no name may belong to two.
    for name in (row.name, *row.also.split()):
        if name in claimed:
            raise ValueError(f"{name} is named in line {claimed[name]} already")
        claimed[name] = number
