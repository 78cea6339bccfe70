"""Removing trees of folders, however deep they are and however long their paths are.

Programs leave thousands of folders one in another. So nothing here recurses, no path is longer than
a name, and only one folder is open at a time: the way back up is `..`, and that it leads to where
we came from is checked. `shutil.rmtree` was rejected: it recurses, and keeps a file open for each
level.
"""

import errno
import os
import stat
from typing import List, Sequence, Tuple

from .anchor import SAME_FOLDER, is_same, shown

MOST_SHOWN = 300  # characters of a path
MOST_TIMES = 1000  # restarts: another process may remove the same tree
MOUNT_IDS, MOUNTED = "/proc/self/fdinfo/%d", "something is mounted there"
_BARE = getattr(os, "O_PATH", 0)
# A step on the way down: the folder above, the name in it of the folder that we are in, its other
# folders, and how many files could not be removed before.
Level = Tuple[os.stat_result, str, List[str], int]


class Unremoved:
    """The files of one tree that could not be removed: how many, and the first of them in words."""

    def __init__(self, top: str) -> None:
        self.top, self.count, self.first = top, 0, ""
        self.mount = ""  # the mount that the tree lies in: what lies in another is not ours

    def note(self, fault: OSError, way: Sequence[Level] = (), name: str = "") -> None:
        """Count one file that stays; the first is kept in words."""
        self.count += 1
        if not self.first:
            path = os.path.join(self.top, *[one[1] for one in way], name).rstrip("/")
            if len(path) > MOST_SHOWN:
                path = "%s…%s" % (path[: MOST_SHOWN // 2], path[-MOST_SHOWN // 2 :])
            self.first = "%s: %s" % (path, fault.strerror or fault)

    def __str__(self) -> str:
        """Return one line, "" when nothing stays."""
        return self.first + (" (and %d more)" % (self.count - 1) if self.count > 1 else "")


def remove_tree(path: str) -> str:
    """Remove a folder, or a file, with all in it. Return in one line what stays, "" for nothing."""
    head, name = os.path.split(path)
    left = Unremoved(shown(path))
    try:
        above = os.open(head or ".", os.O_RDONLY)
        try:
            left.mount = mount_of(above)
            _remove(above, name, left)
        finally:
            os.close(above)
    except FileNotFoundError:
        pass
    except OSError as fault:
        left.note(fault)
    return str(left)


def _remove(above: int, name: str, left: Unremoved) -> None:
    if not stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
        return os.unlink(name, dir_fd=above)
    folder = _entered(above, name, left.mount)
    try:
        empty(folder, left)
    finally:
        os.close(folder)
    return None if left.count else os.rmdir(name, dir_fd=above)


def mount_of(folder: int) -> str:
    """Return the ID of the mount of an open folder, or its device where the system tells no ID.

    The device is not enough: a folder that is mounted by `mount --bind` has the device of the
    folder around it.
    """
    try:
        file = os.open(MOUNT_IDS % folder, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):  # a system without /proc
        return str(os.fstat(folder).st_dev)
    try:
        text = os.read(file, 4096)
    finally:
        os.close(file)
    number = text.partition(b"mnt_id:")[2].split()[:1]  # since Linux 3.15
    return number[0].decode() if number else str(os.fstat(folder).st_dev)


def empty(folder: int, left: Unremoved, kept: Sequence[str] = ()) -> None:
    """Remove all that is in an open folder, but what is `kept` at its top.

    `left` is told what stays.

    Raises OSError when there is no way back up from a folder.
    """
    left.mount = left.mount or mount_of(folder)
    for _ in range(MOST_TIMES):
        try:
            return _empty(folder, left, kept)
        except FileNotFoundError:
            # Another process removes the tree, too, and took the folder that we were in: begin at
            # the top again.
            continue
    return _empty(folder, left, kept)


def _empty(folder: int, left: Unremoved, kept: Sequence[str]) -> None:
    at = os.dup(folder)
    way: List[Level] = []
    try:
        below = _without_files(at, way, left, kept)
        while below or way:
            if not below:
                at, below = _above(at, way, left)
                continue
            name = below.pop()
            try:
                inner = _entered(at, name, left.mount)
            except FileNotFoundError:
                continue
            except OSError as fault:
                left.note(fault, way, name)
                continue
            way.append((os.fstat(at), name, below, left.count))
            os.close(at)
            at = inner
            below = _without_files(at, way, left)
    finally:
        os.close(at)


def _above(at: int, way: List[Level], left: Unremoved) -> Tuple[int, List[str]]:
    """Go up and remove the folder that we come from.

    Return the one above, and the folders left in it.
    """
    above = os.open("..", SAME_FOLDER, dir_fd=at)
    os.close(at)
    expected, name, below, count = way[-1]
    if not is_same(os.fstat(above), expected):  # a program that still runs there moves folders
        left.note(OSError("it was moved while it was being removed"), way)
        way.clear()
        return above, []
    try:
        os.rmdir(name, dir_fd=above)
    except FileNotFoundError:
        pass
    except OSError as fault:
        if left.count == count:  # else a file in it stays, which was told already
            left.note(fault, way)
    way.pop()
    return above, below


def _entered(above: int, name: str, mount: str) -> int:
    """Open a folder, and make it one that we may change. Raises OSError for a mount."""
    try:
        folder = _opened(above, name, mount)
    except PermissionError:
        if _BARE:  # or the mode of what is mounted there would be changed
            os.close(_opened(above, name, mount, _BARE))
        os.chmod(name, stat.S_IRWXU, dir_fd=above)
        folder = _opened(above, name, mount)
    if os.fstat(folder).st_mode & stat.S_IRWXU != stat.S_IRWXU:
        try:
            os.fchmod(folder, stat.S_IRWXU)
        except OSError:  # a folder of another user, or immutable: removing says so
            pass
    return folder


def _opened(above: int, name: str, mount: str, flags: int = 0) -> int:
    folder = os.open(name, SAME_FOLDER | flags, dir_fd=above)
    if mount_of(folder) == mount:
        return folder
    os.close(folder)
    raise OSError(errno.EBUSY, MOUNTED)


def _is_file_removed(folder: int, name: str) -> bool:
    """Remove a file. Return False for a folder. Raises OSError for what stays."""
    info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISDIR(info.st_mode):
        return False
    os.unlink(name, dir_fd=folder)
    return True


def _without_files(
    folder: int, way: List[Level], left: Unremoved, kept: Sequence[str] = ()
) -> List[str]:
    """Remove the files of one folder. Return the names of the folders in it."""
    found: List[str] = []
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:  # the folder itself is removed
        return found
    except OSError as fault:
        left.note(fault, way)
        return found
    for name in names:
        if name in kept:
            continue
        try:
            if not _is_file_removed(folder, name):
                found.append(name)
        except FileNotFoundError:
            continue
        except OSError as fault:
            left.note(fault, way, name)
    return found
