"""Checks names and paths in spe.yaml: what may be a folder, a file of a task, a variable, a
platform.

A path that a client writes to is checked here and again by the client. The checks are as in
values.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..text import clean_name
from .values import WrongValue, mapping, text, words, wrong

_PLATFORM = re.compile(r"any\Z|[a-z0-9_]+(-[a-z0-9_]+)?\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def folder_name(value: Any) -> str:
    """Return a name that a folder can have."""
    name = text(value, "a name")
    if not name or name != clean_name(name):
        raise wrong(
            value,
            "a name that a folder can have: letters, digits, spaces, . _ + - =",
            todo=_suggest(name),
        )
    return name


def _suggest(name: str) -> str:
    """Return the hint with the nearest name that would do."""
    return f"{clean_name(name)} would do."


def safe(name: str) -> str:
    """Return why a path would leave the task's directory or could not be written there.

    Empty if it is good.
    """
    if not name:
        return "a file name"
    if name.startswith("/"):
        return "a relative path"
    if fault := _safe_parts(name.split("/")):
        return fault
    if not name.isprintable() or len(name.encode()) > 200:
        return "a path of at most 200 bytes without control characters"
    return ""


def _safe_parts(parts: list[str]) -> str:
    """Return what is wanted in place of such a path; empty if it is good."""
    # `..` anywhere, also where the path would end inside: a link on the way could lead elsewhere.
    if ".." in parts:
        return "a path without .., which stays in the task's directory"
    # One file has one name, so that two inputs of one path are seen.
    if "" in parts or "." in parts[1:] or parts == ["."]:
        return "the path of a file in its shortest form"
    return ""


def file_path(value: Any) -> str:
    """Return a path below the task's directory."""
    name = text(value, "a file name").removeprefix("./")
    if fault := safe(name):
        raise wrong(value, fault)
    return name


def file_name(value: Any) -> str:
    """Return a file name without folders."""
    name = text(value, "a file name")
    # A name that begins with a hyphen would be an option to the programs that handle it.
    if "/" in name or name.startswith("-") or safe(name):
        raise wrong(value, "a file name, without / and not beginning with -")
    return name


def path(value: Any) -> str:
    """Return a path of this machine."""
    name = text(value, "a path")
    if not name or "\0" in name:
        raise wrong(value, "a path")
    return name


def hosts(value: Any) -> str | tuple[str, ...]:
    """Return the path of a hosts file, or a list of host lines."""
    if isinstance(value, (list, tuple)):
        return words(value)
    if not isinstance(value, str) or not value:
        raise wrong(value, "a hosts file or a list of hosts")
    return value


def env(value: Any) -> dict[str, str]:
    """Return variables and their values."""
    found = {name: text(entry) for name, entry in mapping(value, "a mapping of variables").items()}
    for name in found:
        _check_variable(name)
    return found


def _check_variable(name: str) -> None:
    """Raise WrongValue for what can be no variable's name, and for those of spe."""
    if not _VARIABLE.match(name):
        what = f"{name!r} is not the name of a variable"
        raise WrongValue(what, "Letters, digits and _ make one.", (name,))
    # A later spe may add variables, and must not break a sweep with them.
    if name.startswith("SPE_"):
        what = "names that begin with SPE_ are given by spe"
        raise WrongValue(what, "Take another name.", (name,))


def by_platform(value: Any) -> dict[str, str]:
    """Return texts by platform. One text alone is for all of them."""
    if isinstance(value, str):
        return {"any": value}
    return {
        platform(key): text(entry)
        for key, entry in mapping(value, "a text, or one by platform").items()
    }


def platform(key: str) -> str:
    """Return the name of a platform."""
    # `uname` writes capitals, as in Linux-x86_64.
    if not _PLATFORM.match(key):
        near = ""
        if _PLATFORM.match(key.lower()):
            near = f"Did you mean {key.lower()}?"
        raise WrongValue(
            f"{key!r} is not a platform such as linux-x86_64, linux or any", near, (key,)
        )
    return key


def for_platform(table: Mapping[str, str], platform: str) -> str | None:
    """Return the entry of a platform, looked up as `linux-x86_64`, then `linux`, then `any`."""
    return table.get(platform, table.get(platform.split("-")[0], table.get("any")))


def worker(value: Any) -> Any:
    """Return a path, or paths by platform with an optional name, as {name, files}."""
    if isinstance(value, str):
        return {"files": {"any": path(value)}}
    # `name` stands beside the platforms, as no platform is called so.
    table = dict(mapping(value, "a path, or a path by platform"))
    name = table.pop("name", None)
    if not table:
        raise wrong(value, "a path, or a path by platform such as linux-x86_64: PATH")
    for key, entry in table.items():
        _check_path(key, entry)
    files = {"files": {platform(key): entry for key, entry in table.items()}}
    if name is None:
        return files
    return {"name": name, **files}


def _check_path(key: str, entry: Any) -> None:
    """Raise WrongValue for what is no path under the key of a platform."""
    if not isinstance(entry, str) or not entry:
        raise wrong(entry, "a path", key)
