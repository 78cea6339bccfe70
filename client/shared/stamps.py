"""Stamps of files and of trees of files: what a task may change of them and others would see."""

import hashlib
import marshal
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
    """Return (bytes, digest) of the stamps of all that is below a folder; None when some is gone."""
    found = []
    size = 0
    try:
        for name, entry, is_folder in walk(path):
            if is_folder:
                found.append((name,))
            else:
                info = entry.stat(follow_symlinks=False)
                size += info.st_size
                found.append((name, *_of(info, entry.path)))
    except OSError:
        return None
    return size, hashlib.sha256(marshal.dumps(found, 2)).hexdigest()


def _of(info: os.stat_result, path: str) -> Stamp:
    who = (info.st_mode, info.st_uid, info.st_gid, attributes(path))
    return (info.st_size, info.st_mtime_ns, info.st_ino, *who)


def walk(folder: str, prefix: str = "") -> "Iterator[Tuple[str, os.DirEntry[str], bool]]":
    """Yield (name below the folder, entry, whether it is a folder), sorted; folders before what they hold.

    Raises OSError.
    """
    for entry in sorted(os.scandir(folder), key=_name):
        name = prefix + entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        yield name, entry, is_folder
        if is_folder:
            for inner in walk(entry.path, name + "/"):
                yield inner


def _name(entry: "os.DirEntry[str]") -> str:
    return entry.name


def is_executable(path: str) -> bool:
    """Tell whether its owner may execute a file."""
    return bool(os.stat(path).st_mode & mode_of.S_IXUSR)
