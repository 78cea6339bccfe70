"""Stamps of files and of trees of files: what a task may change of them and others would see."""

import hashlib
import os
import stat as mode_of
from typing import Any, Iterator, Optional, Tuple

from ..machine.attributes import attributes

Stamp = Tuple[Any, ...]


def stamp(path: str) -> Optional[Stamp]:
    """Return all that a task may change of its file; None when it is gone.

    Size, time of the last write in ns, inode, mode, user, group, attributes. Not the time of the last
    change (ctime): each link changes that.
    """
    try:
        return _of(os.stat(path), path)
    except OSError:
        return None


def tree_stamp(path: str) -> Optional[Stamp]:
    """Return (bytes, digest) of the stamps of all files below a folder; None when one is gone."""
    size, digest = 0, hashlib.sha256()
    try:
        for name, entry in files_in(path):
            info = entry.stat(follow_symlinks=False)
            size += info.st_size
            digest.update(repr((name, _of(info, entry.path))).encode("utf-8", "surrogateescape"))
    except OSError:
        return None
    return size, digest.hexdigest()


def _of(info: os.stat_result, path: str) -> Stamp:
    who = (info.st_mode, info.st_uid, info.st_gid, attributes(path))
    return (info.st_size, info.st_mtime_ns, info.st_ino, *who)


def files_in(folder: str, prefix: str = "") -> "Iterator[Tuple[str, os.DirEntry[str]]]":
    """Yield (name below the folder, entry) of each file, sorted. Raises OSError."""
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        name = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            for inner in files_in(entry.path, name + "/"):
                yield inner
        else:
            yield name, entry


def folders_in(folder: str) -> Iterator[str]:
    """Yield the names of the folders below a folder, each after the one that it lies in."""
    for above, names, _ in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(above, name), folder)


def is_executable(path: str) -> bool:
    """Tell whether its owner may execute a file."""
    return bool(os.stat(path).st_mode & mode_of.S_IXUSR)
