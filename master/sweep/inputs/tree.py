"""The files of a folder, or those that a glob matches, by their names in a task's directory."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...config.names import safe
from ...errors import ConfigError
from ...record import record

RUNS = "runs"  # where the results of sweeps lie: they change while a sweep runs
LEFT_OUT = "__pycache__"  # made anew by each Python that runs here, so never an input


@record
class Found:
    """A file of a folder or a glob: its name below it, and its path from the sweep's folder."""

    name: str
    path: str


@record
class Listing:
    """All files of a folder or a glob, sorted by name, and the folders in it that are empty.

    `empty_paths`: where these lie, from the sweep's folder.
    """

    files: tuple[Found, ...]
    empty: tuple[str, ...] = ()
    empty_paths: tuple[str, ...] = ()


def is_glob(path: str) -> bool:
    """Tell whether a path is a pattern of names, such as `data/*.csv`."""
    return glob.has_magic(path)


def files_of_folder(top: Path, path: str, label: str) -> Listing:
    """Return all files of a folder, recursively; links are followed.

    Raises ConfigError for what is no file, and for a link that leads nowhere or back.
    """
    whole = top / path
    if not os.path.isdir(whole):
        what = "is not a folder" if os.path.exists(whole) else "is not there"
        raise ConfigError(f"the folder {path} of {label} {what}", todo="Make it, or mend its path.")
    _check_not_around(top, whole, path, label)
    walk = _Walk(label)
    walk.visit(whole, path.rstrip("/") or path, "", ())
    if not walk.files:
        raise ConfigError(f"the folder {path} of {label} has no file", todo="Mend its path.")
    return walk.listing(walk.files)


def files_of_glob(top: Path, path: str, label: str) -> Listing:
    """Return the files that a glob matches, and all that is in the folders that it matches.

    Names are paths from the sweep's folder; those of files outside begin where the glob's fixed part
    ends. Raises ConfigError when there are none.
    """
    walk = _Walk(label)
    base = _fixed_part(path)
    for match in matches(top, path, label):
        name = _name_of_match(match.rstrip("/"), base)
        whole = top / match
        if os.path.isdir(whole):
            # `**` matches the files in it as well.
            if "**" not in path:
                _check_not_around(top, whole, match, label)
                walk.visit(whole, match.rstrip("/"), f"{name}/", ())
        else:
            walk.add(whole, match, name)
    if not walk.files:
        todo = "Mend it: paths are relative to the folder of spe.yaml."
        raise ConfigError(f"{path} of {label} matches no file", todo=todo)
    unique = {one.name: one for one in walk.files}
    return walk.listing(unique[name] for name in sorted(unique))


def matches(top: Path, path: str, label: str) -> list[str]:
    """Return all that a glob matches, sorted, but for what no sweep has as its input.

    That is what Python compiles, and runs/, where a glob of its own does not begin. Raises
    ConfigError for a folder that cannot be read: its files would be left out without a word.
    """
    for folder in _looked_into(top, path):
        if not os.access(top / folder, os.R_OK | os.X_OK):
            what = f"the folder {folder} of {label} can't be read: Permission denied"
            raise ConfigError(what, todo=f"chmod +rx {folder}")
    own = os.path.normpath(path).split("/")[0] == RUNS
    found = sorted(glob.glob(path, root_dir=top, recursive=True))
    return [one for one in found if _is_input(one, path, own)]


def _is_input(match: str, path: str, own: bool) -> bool:
    names = os.path.normpath(match).split("/")
    if LEFT_OUT in names and LEFT_OUT not in path:
        return False
    return own or names[0] != RUNS


def _looked_into(top: Path, path: str) -> Iterator[str]:
    """Yield the folders in which a glob looks for more than one name."""
    steps = path.split("/")
    for at, step in enumerate(steps[1:], 1):
        if not is_glob(step):
            continue
        above = "/".join(steps[:at])
        if is_glob(above):
            found = glob.iglob(above, root_dir=top, recursive=True)
            yield from (one for one in found if os.path.isdir(top / one))
        if step == "**" and os.path.isdir(top / above):
            for folder, names, _ in os.walk(top / above):
                yield from (os.path.relpath(os.path.join(folder, name), top) for name in names)


def _fixed_part(path: str) -> str:
    """Return the folders of a glob before its first sign, "" for one inside the sweep's folder."""
    normal = os.path.normpath(path)
    if not normal.startswith(("/", "../")):
        return ""
    parts = normal.split("/")
    fixed = next(at for at, part in enumerate(parts) if is_glob(part))
    return "/".join(parts[:fixed])


def _name_of_match(match: str, base: str) -> str:
    normal = os.path.normpath(match)
    return os.path.relpath(normal, base) if base else normal


def _check_not_around(top: Path, whole: Path, path: str, label: str) -> None:
    """Raise ConfigError for the sweep's own folder, and for one above it."""
    is_around = Path(os.path.realpath(top)).is_relative_to(os.path.realpath(whole))
    if is_around or os.path.realpath(whole) == os.path.realpath(top / RUNS):
        what = f"the folder {path} of {label} has this sweep with its runs/ in it"
        raise ConfigError(what, todo="Name what tasks need of it: files, or folders in it.")


class _Walk:
    """The files found so far, and the empty folders."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.files: list[Found] = []
        self.empty: list[str] = []
        self.empty_paths: list[str] = []

    def listing(self, files: Iterable[Found]) -> Listing:
        """Return these files with the empty folders that were found."""
        return Listing(tuple(files), tuple(self.empty), tuple(self.empty_paths))

    def visit(self, folder: Path, path: str, name: str, above: tuple[tuple[int, int], ...]) -> None:
        """Add what is in a folder: `path` leads to it from the sweep's, `name` begins the names."""
        info = folder.stat()
        me = info.st_dev, info.st_ino
        if me in above:
            what = f"the link {path} of {self.label} leads back to a folder above it"
            raise ConfigError(what, todo="Remove the link, or name the files that tasks need.")
        entries = [one for one in self._entries(folder, path) if one != LEFT_OUT]
        if not entries and name:
            self.empty.append(name.rstrip("/"))
            self.empty_paths.append(path)
        for entry in entries:
            inner = folder / entry
            if os.path.isdir(inner):
                self.visit(inner, f"{path}/{entry}", f"{name}{entry}/", (*above, me))
            else:
                self.add(inner, f"{path}/{entry}", name + entry)

    def _entries(self, folder: Path, path: str) -> list[str]:
        try:
            return sorted(os.listdir(folder))
        except OSError as error:
            what = f"the folder {path} of {self.label} can't be read: {error.strerror}"
            raise ConfigError(what, todo=f"chmod +rx {path}") from error

    def add(self, whole: Path, path: str, name: str) -> None:
        """Add one file. Raises ConfigError for what can be none of a task's."""
        for fault in self._faults(whole, path, name):
            raise fault
        self.files.append(Found(name, path))

    def _faults(self, whole: Path, path: str, name: str) -> Iterator[ConfigError]:
        """Yield what is wrong with a file."""
        what = (
            f"the file {path!a} of {self.label}"
            if not path.isprintable()
            else f"{path} of {self.label}"
        )
        if fault := safe(name):
            todo = f"Its name is to be {fault}; rename it, or leave it out."
            yield ConfigError(f"{what} can't be an input", todo=todo)
        elif not os.path.exists(whole):
            yield ConfigError(
                f"{what} is a link that leads nowhere", todo="Mend or remove the link."
            )
        elif not stat.S_ISREG(whole.stat().st_mode):
            yield ConfigError(f"{what} is not a regular file", todo="Leave it out.")
        elif not os.access(whole, os.R_OK):
            yield ConfigError(f"{what} can't be read", todo=f"chmod +r {path}")
