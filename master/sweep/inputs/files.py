"""The input files of a sweep as its run uses them.

An input file is digested once and must then stay as it is: a change is noticed. A program may
change: the run works with a copy that no compiler and no editor overwrites.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from ...errors import ConfigError
from ...model import Input
from ..program_files import copied
from .digests import Digests

_KEPT_BYTES = 64 << 20  # bytes of input files in memory


class InputChanged(ConfigError):
    """An input file has changed since the sets were told apart. Its sets wait for another run."""

    def __init__(self, path: str) -> None:
        todo = "`spe run` again, once it is as you want it: it runs the sets with the file as it is then."
        super().__init__("this input file was changed while the sweep runs", where=path, todo=todo)


def _no_file(path: str, label: str, whole: Path) -> ConfigError:
    """Return the error of an input whose path names no file."""
    what, todo = "is not there", "Make it, or mend its path."
    if os.path.isdir(whole):
        what, todo = "is a folder", f"Write {{folder: {path}}} for all that is in it."
    elif os.path.exists(whole):
        what = "is not a regular file"
    elif os.path.islink(whole):
        what, todo = "is a link that leads nowhere", "Mend or remove the link."
    return ConfigError(f"the input file {path} of {label} {what}", todo=todo)


class InputFiles:
    """The input files of a sweep by their paths as written.

    Each is digested once and must then stay as it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.digests = Digests(folder / "runs")
        self.good: set[str] = set()  # paths that were checked: a million sets may name one file
        self._digests: dict[str, bytes] = {}
        self._stamps: dict[str, tuple[int, int]] = {}
        self._modes: dict[str, int] = {}
        self._contents: dict[str, bytes] = {}
        self._kept_bytes = 0  # in _contents
        # Copies of programs: an edit changes nothing of a running sweep.
        self._copies: dict[str, Path] = {}

    def keep_copy(self, path: str, folder: Path) -> None:
        """Copy this file into `folder`, and read its bytes from the copy from now on."""
        self._copies[path] = copied(self.folder / path, self.digest(path).hex(), folder)

    def check(self, path: str, label: str) -> None:
        """Raise ConfigError unless there is such a file. Called once for each path."""
        whole = self.folder / path
        if not os.path.isfile(whole):  # not Path.is_file, which raises for a path that is too long
            raise _no_file(path, label, whole)
        if not os.access(whole, os.R_OK):
            raise ConfigError(
                f"the input file {path} of {label} can't be read", todo=f"chmod +r {path}"
            )
        self.good.add(path)

    def digest(self, path: str) -> bytes:
        """Return the SHA-256 of a file, computed at the first call."""
        if path not in self._digests:
            # The stamp is taken before the content: a change in between is noticed later.
            info = _info(self.folder / path)
            self._stamps[path], self._modes[path] = _stamp(info), _mode(info)
            with _opened(self.folder / path) as file:
                self._digests[path] = self.digests.of_file(self.folder / path, file)
        return self._digests[path]

    def source(self, path: str) -> Path:
        """Return the path that its bytes are read from: that of its copy, where there is one."""
        return self._copies.get(path) or self.folder / path

    def is_changed(self, path: str) -> bool:
        """Tell whether a file is not as it was when its digest was made."""
        if path in self._copies:  # spe's own: nobody edits it
            return False
        return self._stamps.get(path) != _stamp(_info(self.folder / path))

    def size(self, path: str) -> int:
        """Return the bytes of a file that was digested."""
        self.digest(path)
        return self._stamps[path][1]

    def mode(self, path: str) -> int:
        """Return the permissions that a task's file gets, of a file that was digested."""
        self.digest(path)
        return self._modes[path]

    def input(self, name: str, path: str, copy: bool = False) -> Input:
        """Return the file as an input; with `copy` each task gets its own.

        Raises InputChanged when it is not what was first seen in this run.

        A large file is not read: its digest is known from the keys of the sets, and its stamp tells
        that it is the same since then. To read and digest 300 MB for each task took a second of the
        event loop.
        """
        source = self.source(path)
        # Asked for each task: an edit during the run must not go into results unnoticed.
        stamp = _stamp(_info(source))
        # A copy is spe's own: nobody edits it.
        if path not in self._copies and self._stamps.setdefault(path, stamp) != stamp:
            raise InputChanged(path)
        sha256, mode = self.digest(path).hex(), self._modes[path]
        # Several must fit into memory at once, or each task would read its file again.
        if stamp[1] > _KEPT_BYTES // 4:
            return Input(name, b"", sha256, source, stamp[1], mode, copy, origin=source)
        content = self._content(path, source)
        return Input(name, content, sha256, mode=mode, copy=copy, origin=source)

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
        self._kept_bytes += len(content)
        while self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= len(self._contents.pop(next(iter(self._contents))))


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise _vanished(path, error) from error


def _info(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise _vanished(path, error) from error


def _stamp(info: os.stat_result) -> tuple[int, int]:
    """Return time of modification and size: equal stamps mean an unchanged file."""
    return info.st_mtime_ns, info.st_size


def _mode(info: os.stat_result) -> int:
    """Return the permissions for a task's file, which its owner can always read."""
    return stat.S_IMODE(info.st_mode) & 0o777 | stat.S_IRUSR


def _vanished(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"this input file can't be read: {error.strerror}", where=str(path), todo="Put it back."
    )
