"""Results of several files: which files of the task's directory belong to them.

A pattern is matched name by name, as a shell does it: `*`, `?` and `[...]` stand for letters of one
name, `**` for any number of folders, and none of them for a dot at the beginning. The master looks
at the names by the same rules (master/results/trees.py).

Links are followed, as those of single results are: what a link leads to is sent under its name.
"""

import fnmatch
import os
import re
from typing import Iterator, List, Set, Tuple

from ..wire.task_record import Result

FILES, FOLDER = "files", "folder"  # kinds of results
MOST_FILES = 10000  # of one result: the master takes no more
MOST_SEEN = 100000  # entries that are looked at; a link may lead to a whole disk
LONGEST, LONGEST_NAME, DEEPEST = 1000, 240, 50  # bytes of a path and of each name, names in a path
_MAGIC = re.compile(r"[*?\[]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # and bytes that are not UTF-8


class CannotTake(Exception):
    """The reason, in one sentence, why files that match cannot be a result."""


def has_trees(results: List[Result]) -> bool:
    """Tell whether one of these results has several files."""
    return any(one.kind for one in results)


def is_part(one: Result, name: str) -> bool:
    """Tell whether a file of this name is the result, or belongs to it."""
    if one.kind == FOLDER:
        return name.startswith(one.file + "/")
    if one.kind == FILES:
        return _fits(_steps(one.file), name.split("/"))
    return name == one.file


def find(base: str, one: Result) -> List[str]:
    """Return the paths below `base` of the files of a result, sorted. Raises CannotTake."""
    walk = _Walk(base)
    is_folder = one.kind == FOLDER
    names = walk.below(one.file, True) if is_folder else walk.matching("", _steps(one.file))
    found = set(names)
    for name in found:
        _check(name)
    return sorted(found)


def is_odd(name: str) -> bool:
    """Tell whether the master does not take a file of this path."""
    parts = name.encode("utf-8", "surrogateescape").split(b"/")
    longest = max(len(part) for part in parts)
    too_long = sum(map(len, parts)) + len(parts) > LONGEST or longest > LONGEST_NAME
    is_ours = parts[0] == b".kept"
    return bool(_CONTROL.search(name)) or too_long or len(parts) > DEEPEST or is_ours


def _check(name: str) -> None:
    """Raise CannotTake for a path that the master does not take."""
    if is_odd(name):
        shown = name[:200].encode("utf-8", "backslashreplace").decode()
        raise CannotTake("a file cannot be kept under its name, which is odd or too long: %r" % shown)


class _Walk:
    """One look through the directory of a task. It ends when there is too much to see."""

    def __init__(self, base: str) -> None:
        self.base, self._seen, self._found = base, 0, 0

    def matching(self, above: str, steps: List[str]) -> Iterator[str]:
        """Yield the files below the folder `above` that match; `above` is "" or ends in a slash."""
        step, rest = steps[0], steps[1:]
        if step == "**":
            for name in self.below(above.rstrip("/"), False) if not rest else ():
                yield name
            for folder in self._folders(above) if rest else ():
                for name in self.matching(folder, rest):
                    yield name
        elif rest:
            for name in self._like(above, step):
                if os.path.isdir(self._path(above + name)):
                    for found in self.matching(above + name + "/", rest):
                        yield found
        else:
            for name in self._like(above, step):
                if not os.path.isdir(self._path(above + name)):
                    yield self._counted(above + name)

    def below(self, folder: str, hidden: bool) -> Iterator[str]:
        """Yield all files below a folder; `hidden`: also those behind a leading dot."""
        for above in self._folders(folder + "/" if folder else "", hidden):
            for name, is_folder in self._entries(above):
                if not is_folder and (hidden or not name.startswith(".")):
                    yield self._counted(above + name)

    def _folders(self, above: str, hidden: bool = False) -> Iterator[str]:
        """Yield a folder and all folders below it. A link that leads back up is not followed."""
        waiting: List[Tuple[str, Set[Tuple[int, int]]]] = [(above, set())]
        while waiting:
            folder, ancestors = waiting.pop()
            try:
                info = os.stat(self._path(folder))
            except OSError:
                continue
            if (info.st_dev, info.st_ino) in ancestors:
                continue
            yield folder
            inside = ancestors | {(info.st_dev, info.st_ino)}
            for name, is_folder in self._entries(folder):
                if is_folder and (hidden or not name.startswith(".")):
                    waiting.append((folder + name + "/", inside))

    def _like(self, above: str, step: str) -> List[str]:
        """Return the names in a folder that a step of a pattern stands for."""
        if not _MAGIC.search(step):
            return [step] if os.path.lexists(self._path(above + step)) else []
        return [name for name, _ in self._entries(above) if _is_like(name, step)]

    def _entries(self, above: str) -> List[Tuple[str, bool]]:
        """Return (name, is a folder) of what lies in a folder; nothing where there is none."""
        try:
            with os.scandir(self._path(above)) as entries:
                found = [(entry.name, entry.is_dir()) for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as fault:
            raise CannotTake("%s cannot be read: %s" % (above.rstrip("/") or ".", fault.strerror))
        self._seen += len(found)
        if self._seen > MOST_SEEN:
            raise CannotTake("there are more than %d files to look through" % MOST_SEEN)
        return found

    def _counted(self, name: str) -> str:
        self._found += 1
        if self._found > MOST_FILES:
            raise CannotTake("it has more than %d files" % MOST_FILES)
        return name

    def _path(self, name: str) -> str:
        return os.path.join(self.base, name)


def _steps(pattern: str) -> List[str]:
    """Return the names of a pattern; of several `**` in a row one is enough."""
    steps: List[str] = []
    for step in pattern.split("/"):
        if step != "**" or steps[-1:] != ["**"]:
            steps.append(step)
    return steps


def _fits(steps: List[str], names: List[str]) -> bool:
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
    if not _MAGIC.search(step):
        return name == step
    return fnmatch.fnmatchcase(name, step) and not (name.startswith(".") and step[0] != ".")
