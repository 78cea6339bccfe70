"""The files of a sweep as its run uses them: input files, the worker, and copies of programs.

An input file is digested once and must then stay as it is: a change is noticed. A program may
change: the run works with a copy that no compiler and no editor overwrites.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from ..errors import ConfigError
from ..model import Input, Worker, WorkerFile

_KEPT_BYTES = 64 << 20  # bytes of input files in memory
_CHUNK = 1 << 20  # bytes read at once


class InputChanged(ConfigError):
    """An input file has changed since the sets were told apart. Its sets wait for another run."""

    def __init__(self, path: str) -> None:
        todo = "`spe run` again, once it is as you want it: it runs the sets with the file as it is then."
        super().__init__("this input file was changed while the sweep runs", where=path, todo=todo)


def _no_file(path: str, name: str, whole: Path) -> ConfigError:
    """Return the error of an input whose path names no file."""
    what, todo = "is not there", "Make it, or mend its path."
    if os.path.isdir(whole):
        what, todo = "is a folder", "Name each of its files under `inputs:`."
    elif os.path.exists(whole):
        what = "is not a regular file"
    return ConfigError(f"the input file {path} of inputs.{name} {what}", todo=todo)


class InputFiles:
    """The input files of a sweep by their paths as written.

    Each is digested once and must then stay as it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.good: set[str] = set()  # paths that were checked: a million sets may name one file
        self._digests: dict[str, bytes] = {}
        self._stamps: dict[str, tuple[int, int]] = {}
        self._contents: dict[str, bytes] = {}
        # Copies of programs: an edit changes nothing of a running sweep.
        self._copies: dict[str, Path] = {}

    def keep_copy(self, path: str, folder: Path) -> None:
        """Copy this file into `folder`, and read its bytes from the copy from now on."""
        self._copies[path] = _copied(self.folder / path, self.digest(path).hex(), folder)

    def check(self, path: str, name: str) -> None:
        """Raise ConfigError unless there is such a file. Called once for each path."""
        whole = self.folder / path
        if not os.path.isfile(whole):  # not Path.is_file, which raises for a path that is too long
            raise _no_file(path, name, whole)
        if not os.access(whole, os.R_OK):
            raise ConfigError(
                f"the input file {path} of inputs.{name} can't be read", todo=f"chmod +r {path}"
            )
        self.good.add(path)

    def digest(self, path: str) -> bytes:
        """Return the SHA-256 of a file, computed at the first call."""
        if path not in self._digests:
            # The stamp is taken before the content: a change in between is noticed later.
            digest = hashlib.sha256()
            self._stamps[path] = _stamp(self.folder / path)
            with _opened(self.folder / path) as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
            self._digests[path] = digest.digest()
        return self._digests[path]

    def input(self, name: str, path: str) -> Input:
        """Return the file as an input.

        Raises InputChanged when it is not what was first seen in this run.

        A large file is not read: its digest is known from the keys of the sets, and its stamp tells
        that it is the same since then. To read and digest 300 MB for each task took a second of the
        event loop.
        """
        copy = self._copies.get(path)
        source = copy or self.folder / path
        # Asked for each task: an edit during the run must not go into results unnoticed.
        stamp = _stamp(source)
        # A copy is spe's own: nobody edits it.
        if copy is None and self._stamps.setdefault(path, stamp) != stamp:
            raise InputChanged(path)
        sha256 = self.digest(path).hex()
        # Several must fit into memory at once, or each task would read its file again.
        if stamp[1] > _KEPT_BYTES // 4:
            return Input(name, sha256=sha256, file=source, length=stamp[1], origin=source)
        return Input(name, self._content(path, source), sha256, origin=source)

    def _content(self, path: str, source: Path) -> bytes:
        """Return the content, which must have the digest that was computed first."""
        if path not in self._contents:
            with _opened(source) as file:
                content = file.read()
            # A change between two looks at the stamp.
            if hashlib.sha256(content).digest() != self.digest(path):
                raise InputChanged(path)
            self._keep(path, content)
            return content
        return self._contents[path]

    def _keep(self, path: str, content: bytes) -> None:
        """Keep the last few contents, because sets near each other often share a file."""
        self._contents[path] = content
        while sum(map(len, self._contents.values())) > _KEPT_BYTES:
            del self._contents[next(iter(self._contents))]


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise _vanished(path, error) from error


def _stamp(path: Path) -> tuple[int, int]:
    """Return time of modification and size: equal stamps mean an unchanged file."""
    try:
        found = path.stat()
    except OSError as error:
        raise _vanished(path, error) from error
    return found.st_mtime_ns, found.st_size


def _vanished(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"this input file can't be read: {error.strerror}", where=str(path), todo="Put it back."
    )


# -- the worker


def find_worker(
    name: str, paths: Mapping[str, str], folder: Path, where: Mapping[str, str]
) -> Worker:
    """Return the worker with these paths by platform. `where` tells for each where it is written.

    Raises ConfigError for a file that is missing, cannot be read, or is not executable.
    """
    found = {}
    for platform, path in paths.items():
        found[platform] = _digested(path, folder, where[platform])
    return Worker(name, found)


def _digested(written: str, folder: Path, where: str) -> WorkerFile:
    """Return one file of the worker with its digests."""
    path = folder / written
    _check(path, written, where)
    # Both in one reading: /config names both.
    md5 = hashlib.md5(usedforsecurity=False)
    sha256 = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            md5.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
    return WorkerFile(path, md5.hexdigest(), sha256.hexdigest(), size)


def _check(path: Path, written: str, where: str) -> None:
    # Asked one after another, so that each has the step that mends it.
    if not os.path.exists(path):  # not Path.exists, which raises for a path that is too long
        todo = "Give the path of the executable, relative to the sweep's folder."
        raise ConfigError(f"the worker {written} is not there", where=where, todo=todo)
    if not os.path.isfile(path):
        raise ConfigError(
            f"the worker {written} is not a file",
            where=where,
            todo="Give the path of the executable.",
        )
    if not os.access(path, os.R_OK):
        raise ConfigError(
            f"the worker {written} can't be read",
            where=where,
            todo=f"chmod +r {shlex.quote(written)}",
        )
    if not os.access(path, os.X_OK):
        raise ConfigError(
            f"the worker {written} is not executable",
            where=where,
            todo=f"chmod +x {shlex.quote(written)}",
        )


def snapshot(worker: Worker | None, folder: Path) -> Worker | None:
    """Return the worker with copies of its files in `folder`: recompiling changes nothing of this
    run.
    """
    if worker is None:
        return None
    copies = {}
    for platform, file in worker.files.items():
        copies[platform] = replace(file, path=_copied(file.path, file.sha256, folder))
    return Worker(worker.name, copies)


def _copied(path: Path, sha256: str, folder: Path) -> Path:
    """Return a copy of a program that has this digest.

    Raises ConfigError where the file has another one.
    """
    # By digest: platforms with the same file share a copy, and a resumed run finds its own again.
    copy = folder / f"program-{sha256}"
    if not copy.exists():
        # Under another name until it is whole: a run that goes on takes what has its digest's name.
        temporary = copy.with_suffix(".part")
        shutil.copyfile(path, temporary)
        with temporary.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != sha256:
            raise ConfigError(
                "this program was changed while it was being read",
                where=str(path),
                todo="Wait until it is compiled or saved, then `spe run` again.",
            )
        temporary.replace(copy)
    return copy
