"""Results of several files: their names, which clients bring and nobody trusts, and their list.

A pattern is matched name by name, as a shell does it: `*`, `?` and `[…]` stand for letters of one
name, `**` for any number of folders, and none of them for a dot at the beginning. The client looks
for files by the same rules (client/task/trees.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ..model import Kind, Output, ResultSpec
from ..record import record

MOST_FILES = 10_000  # of one report, all results together
LONGEST = 1000  # bytes of a path
LONGEST_NAME = 240  # bytes of one name in it: file systems take 255, and `.part` is put behind
DEEPEST = 50  # names in a path
KEPT = ".kept"  # the folder beside results for what no result of today is made of
_MAGIC = re.compile(r"[*?\[]")
_MASKED = re.compile(r"\[([*?\[])\]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # and bytes that are not UTF-8


@record
class Member:
    """A file of a result: its path in the task's directory, where it lies now, and its size."""

    name: str
    path: Path
    size: int

    @property
    def is_there(self) -> bool:
        """True when nobody has removed it."""
        return self.path.exists()


def refusal(name: str) -> str:
    """Return why no file of a result may have this path, as words behind "its name"; "" if it may."""
    if _CONTROL.search(name):
        return "has characters that are not printable, or is not UTF-8"
    if len(name.encode()) > LONGEST:
        return f"is longer than {LONGEST} bytes"
    names = name.split("/")
    if len(names) > DEEPEST:
        return f"has more than {DEEPEST} folders"
    if any(one in ("", ".", "..") for one in names):
        return "is no path below the task's directory"
    if any(len(one.encode()) > LONGEST_NAME for one in names):
        return f"has a part that is longer than {LONGEST_NAME} bytes"
    if names[0] == KEPT:
        return f"begins with {KEPT}, which spe uses itself"
    return ""


def has_magic(name: str) -> bool:
    """Tell whether one name of a pattern stands for several."""
    return _MAGIC.search(name) is not None


def belongs(spec: ResultSpec, name: str) -> bool:
    """Tell whether a file of the task's directory belongs to a filled result of several files."""
    if spec.kind is Kind.FOLDER:
        return name.startswith(spec.source + "/")
    return _fits(_steps(spec.source), name.split("/"))


def _steps(pattern: str) -> list[str]:
    """Return the names of a pattern; of several `**` in a row one is enough."""
    steps: list[str] = []
    for step in pattern.split("/"):
        if step != "**" or steps[-1:] != ["**"]:
            steps.append(step)
    return steps


def _fits(steps: Sequence[str], names: Sequence[str]) -> bool:
    if not steps or not names:
        return not steps and not names
    if steps[0] != "**":
        return _is_like(names[0], steps[0]) and _fits(steps[1:], names[1:])
    if len(steps) == 1:
        return not any(name.startswith(".") for name in names)
    for count in range(len(names)):
        if _fits(steps[1:], names[count:]):
            return True
        if names[count].startswith("."):
            return False
    return False


def _is_like(name: str, step: str) -> bool:
    if not has_magic(step):
        return name == step
    return fnmatchcase(name, step) and not (name.startswith(".") and not step.startswith("."))


def folder_of(spec: ResultSpec) -> str:
    """Return the folder that holds all files of a filled result; "" for the task's directory."""
    if spec.kind is Kind.FOLDER:
        return spec.source
    found: list[str] = []
    for step in spec.source.split("/")[:-1]:
        # `[*]` is how a sign of a value stands in a pattern: it is a letter of a name.
        if has_magic(_MASKED.sub("", step)):
            break
        found.append(_MASKED.sub(r"\1", step))
    return "/".join(found)


def parents(name: str) -> Iterator[str]:
    """Yield the folders above a path, the innermost first."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def clash(names: Collection[str]) -> str | None:
    """Return a path that is both a file and a folder of others; None where there is none."""
    found = set(names)
    return next((one for name in found for one in parents(name) if one in found), None)


# -- the list of files, as it is stored


def listed(members: Iterable[Member], folder: str) -> bytes:
    """Return the list of a result's files: JSON, [path below the folder, bytes] for each."""
    skip = len(folder) + 1 if folder else 0
    return json.dumps([[one.name[skip:], one.size] for one in members]).encode()


def read_list(raw: bytes) -> list[tuple[str, int]]:
    """Return (path below the folder, bytes) of each file."""
    return [(name, size) for name, size in json.loads(raw)]


def files_in(file: str | None, raw: bytes | None) -> list[str]:
    """Return the paths of all files of something kept, below runs/<name>/."""
    if file is None:
        return []
    if raw is None:
        return [file]
    return [f"{file}/{name}" for name, _ in read_list(raw)]


def files_of(output: Output) -> list[tuple[str, int]]:
    """Return (path below runs/<name>/, bytes) of each file of a stored result."""
    if output.file is None:
        return []
    if output.raw is None:
        return [(output.file, output.size)]
    return [(f"{output.file}/{name}", size) for name, size in read_list(output.raw)]
