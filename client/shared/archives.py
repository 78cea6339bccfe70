"""Inputs of many files: an archive is unpacked once, and each task has its files from there.

As in originals.py, with one stamp for all of the files.
"""

import os
import tarfile
from typing import Any, Callable

from ..host.removal import remove_tree
from .originals import BLOCK, COPY, LARGE, LINK, NEW, Changed, Original, best_way, protect
from .stamps import is_executable, stamp, tree_stamp, walk


def unpack(archive: str, folder: str) -> None:
    """Unpack an archive into a new folder, in the place of what was there. Raises OSError."""
    remove_tree(folder)
    os.mkdir(folder, 0o700)
    try:
        with tarfile.open(archive, "r:") as tar:
            for entry in tar:
                _unpack(tar, entry, folder)
    except tarfile.TarError as fault:
        raise OSError("the archive cannot be unpacked: %s" % fault)


def _unpack(tar: tarfile.TarFile, entry: tarfile.TarInfo, folder: str) -> None:
    # Not `extractall`: what an old Python makes of names that lead outside is not to be trusted.
    name = os.fsdecode(entry.name.encode("utf-8", "surrogateescape"))
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "" in parts or not (entry.isreg() or entry.isdir()):
        raise OSError("the archive has %r in it" % name)
    path = os.path.join(folder, name)
    if entry.isdir():
        return os.makedirs(path, exist_ok=True)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    file = os.open(path, NEW, 0o600)
    try:
        source: Any = tar.extractfile(entry)
        _fill(source.read, file)
        os.fchmod(file, entry.mode & 0o777 | 0o400)
    finally:
        os.close(file)
    return None


def _fill(read: Any, file: int) -> None:
    for block in iter(lambda: read(BLOCK), b""):
        while block:
            block = block[os.write(file, block) :]


def seal_tree(key: str, folder: str) -> Original:
    """Make an original of an unpacked archive. Raises OSError."""
    files = [entry.path for _, entry, is_folder in walk(folder) if not is_folder]
    size = sum(map(os.path.getsize, files))
    how = COPY if size < LARGE else best_way(files[0])
    if how == LINK:
        for path in files:
            protect(path, is_executable(path))
    return Original(key, folder, how, tree_stamp(folder) or (0,), None)


def copy_tree(original: Original, folder: str, is_own: bool = False) -> None:
    """Make the files of a tree below a task's folder as copies. Raises Changed, OSError.

    `is_own`: the task may write them, whatever their permissions are.
    """
    _make(original, folder, lambda source, target, name: _copy(source, target, is_own))
    if not original.is_right():
        raise Changed(original)


def link_tree(original: Original, folder: str, is_own: Callable[[str], bool]) -> None:
    """Make the files of a tree below a task's folder as links, but for those that are its own.

    Whether the original is right is asked later. Raises Changed, OSError.
    """

    def make(source: str, target: str, name: str) -> None:
        if is_own(name):
            _copy(source, target, is_own=True)
        else:
            os.link(source, target)

    _make(original, folder, make)


def link_tree_alone(
    original: Original, folder: str, is_own: Callable[[str], bool], beside: str
) -> Original:
    """Do the same with an original of the task's own at `beside`, and return that one.

    This is for tasks that may have written into an original: whoever changes this one is known.
    """
    copy_tree(original, beside)
    alone = seal_tree(original.key, beside)
    link_tree(alone, folder, is_own)
    return alone


def _make(original: Original, folder: str, make: Callable[[str, str, str], None]) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
        for name, entry, is_folder in walk(original.path):
            if is_folder:
                os.makedirs("%s/%s" % (folder, name), exist_ok=True)
            else:
                make(entry.path, "%s/%s" % (folder, name), name)
    except FileNotFoundError:
        if original.is_right():  # then the directory of the task is gone
            raise
        raise Changed(original)


def _copy(source: str, target: str, is_own: bool) -> None:
    file = os.open(target, NEW, 0o600)
    try:
        with open(source, "rb", 0) as content:
            mode = os.fstat(content.fileno()).st_mode & 0o777
            _fill(content.read, file)
        os.fchmod(file, mode | 0o200 if is_own else mode)
    finally:
        os.close(file)


def remove(original: Original) -> None:
    """Remove an original from the host."""
    if original.is_tree:
        remove_tree(original.path)
    elif stamp(original.path):
        os.unlink(original.path)
