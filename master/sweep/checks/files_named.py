"""Files of this folder that the reasons of failures name: the tasks did not have them.

The checks before a run know the words of the command alone. What a program opens, imports or loads
by itself is known when it has failed: then its last line names the file.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..plan import Sweep

_MOST = 5  # hints of one run
_LONGEST = 2000  # characters of a reason that are looked at
_LIBRARY = re.compile(r"([\w./+-]+\.so[\w.]*): cannot open shared object file")
_MODULE = re.compile(r"No module named '?([\w.]+)'?")
_FILE = re.compile(
    r"No such file or directory: '([^']+)'"
    r"|can(?:'t|not) open (?:file |script file )?[\"'`‘]?([\w./+~-]+)"
    r"|([\w./+~-]+): (?:No such file or directory|cannot open)"
    r"|[Cc]annot find (?:file )?[\"'`‘]?([\w./+~-]+\.\w+)"
)
PAGE = "docs/environment.md#shared-libraries"


def hints(reasons: Iterable[str], sweep: Sweep) -> list[str]:
    """Return a line for each file here that a reason names and that is no input, at most five."""
    found: dict[str, None] = {}
    for reason in reasons:
        found.update(dict.fromkeys(_hints(reason[:_LONGEST], sweep)))
    return [*found][:_MOST]


def _hints(reason: str, sweep: Sweep) -> Iterator[str]:
    if library := _LIBRARY.search(reason):
        yield from _of_library(posixpath.basename(library[1]), sweep)
    elif module := _MODULE.search(reason):
        name = module[1].partition(".")[0]
        yield from _of_file([f"{name}.py", name], sweep)
    else:
        for found in _FILE.finditer(reason):
            path = next(one for one in found.groups() if one)
            yield from _of_file([posixpath.basename(path) if path.startswith("/") else path], sweep)


def _of_library(name: str, sweep: Sweep) -> Iterator[str]:
    """Yield what to do about a library that the loader did not find."""
    inputs = {posixpath.basename(one): one for one in sweep.recipe.fixed_names()}
    if name in inputs:
        folder = posixpath.dirname(inputs[name]) or "."
        todo = f"name its folder, `env: {{LD_LIBRARY_PATH: {folder}}}`: {PAGE}"
        yield f"{inputs[name]} is in the task's directory, but the loader does not look there: {todo}"
        return
    for path in (name, *_one_below(sweep.folder, name)):
        if (sweep.folder / path).is_file():
            folder = posixpath.dirname(path) or "."
            yield (
                f"{path} is a file here: add it to `inputs:`, with `env: {{LD_LIBRARY_PATH: {folder}}}` "
                f"unless the program looks beside itself: {PAGE}"
            )
            return


def _one_below(folder: Path, name: str) -> list[str]:
    """Return the paths of files of this name in the folders of the sweep, `lib/` and the like."""
    try:
        with os.scandir(folder) as entries:
            folders = sorted(one.name for one in entries if one.is_dir() and one.name != "runs")
    except OSError:
        return []
    return [f"{one}/{name}" for one in folders if not one.startswith(".")]


def _of_file(paths: Iterable[str], sweep: Sweep) -> Iterator[str]:
    """Yield that the first of these paths which is here is to be an input."""
    there = set(sweep.recipe.fixed_names())
    # What the program writes itself may lie here from a try by hand.
    written = {one.source for one in sweep.results}
    for given in paths:
        path = posixpath.normpath(given)
        if path in there or path in written or path.startswith(("/", "..")) or path == ".":
            continue
        place = sweep.folder / path
        if place.is_file():
            yield f"{path} is a file here: add it to `inputs:`"
            return
        if place.is_dir() and path != "runs":
            yield f"{path} is a folder here: add it to `inputs:` as `{path}: {{folder: {path}}}`"
            return
