"""The originals of worker and inputs that many tasks share: every task has its file from one.

Below 1 MB a task's file is a private copy. From there on it is a reflink (blocks are shared until
somebody writes), or, where the file system has none, a hard link to the original, which is
read-only. A mode keeps out neither its owner's chmod nor root, so an original that files are linked
to is compared with its stamp before each start and after each end of an attempt. Rejected:
comparing digests, which takes a second for each GB.
"""

import os
import sys
import time
from fcntl import ioctl
from typing import NamedTuple, Optional

from ..wire.task_record import ARCHIVE, EXECUTABLE
from .stamps import Stamp, stamp, tree_stamp

# Bytes from which on a task gets no copy: less is copied in less time than a program needs to
# start.
LARGE = 1 << 20
COPY, CLONE, LINK = range(3)  # ways in which a task gets its file
WORKER = ""  # the key of the worker; that of an input is its SHA-256
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
BLOCK = 1 << 20
# On PowerPC requests have other numbers, and none has this one.
_FICLONE = 0x40049409
# Times are as coarse as the kernel's tick: a write within 4 ms of the one before leaves them as they are, and on some
# file systems one within 2 s. So an original gets an older time, which no write can leave.
_AGE = 10.0  # seconds


class Original(NamedTuple):
    """A file as it was when it came. Fetched again, it is another Original.

    It goes to hands as a plain tuple.
    """

    key: str
    path: str
    how: int
    stamp: Stamp
    # Content of a small worker, read before any program runs that could change the file.
    content: Optional[bytes]

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return int(self.stamp[0])

    @property
    def is_tree(self) -> bool:
        """Tell whether it is the folder of an unpacked archive."""
        return self.key.endswith(ARCHIVE)

    def is_right(self) -> bool:
        """Tell whether nobody changed the file, or put another one in its place."""
        look = tree_stamp if self.is_tree else stamp
        return look(self.path) == self.stamp


class Changed(Exception):
    """Raised when an original is not as it was when it came."""

    def __init__(self, original: Original) -> None:
        super().__init__(original.path)
        self.original = original


def seal(key: str, path: str) -> Original:
    """Make an original of a file that has just come and was checked. Raises OSError."""
    protect(path, _may_run(key))
    size = os.stat(path).st_size
    how = COPY if size < LARGE else best_way(path)
    content = None
    if key == WORKER and size < LARGE:
        with open(path, "rb") as file:
            content = file.read()
    return Original(key, path, how, stamp(path) or (0,), content)


def copy(original: Original, path: str, mode: int = 0) -> None:
    """Make a task's file as a copy or a reflink, which the task may write, unless `mode` says no.

    Raises Changed, OSError.
    """
    if original.content is not None:
        write(path, original.content, 0o755)
    else:
        _copy(original, path)
    if mode:
        os.chmod(path, mode)


def link(original: Original, path: str) -> None:
    """Make a task's file as a hard link. Whether the original is right is asked later.

    Raises Changed, OSError.
    """
    try:
        os.link(original.path, path)
    except FileNotFoundError:
        if original.is_right():  # then the directory of the task is gone
            raise
        raise Changed(original)


def link_alone(original: Original, path: str, beside: str) -> Original:
    """Make a task's file as a link to an original of its own at `beside`, and return that one.

    This is for tasks that may have written into an original: whoever changes this one is known. The
    second name is needed because a program may well remove its file, or put another one in its
    place. Raises Changed, OSError.
    """
    _copy(original, beside)
    protect(beside, _may_run(original.key))
    os.link(beside, path)
    return Original(original.key, beside, LINK, stamp(beside) or (0,), None)


def write(path: str, content: bytes, mode: int = 0) -> None:
    """Make a new file with this content, and with these permissions if any are given."""
    file = os.open(path, NEW, 0o666)
    try:
        if mode:
            # Not by os.open's mode: a umask may take away what the owner needs.
            os.fchmod(file, mode)
        while content:
            content = content[os.write(file, content) :]
    finally:
        os.close(file)


def _may_run(key: str) -> bool:
    return key == WORKER or key.endswith(EXECUTABLE)


def protect(path: str, is_executable: bool) -> None:
    """Make an original read-only, and older than its time stamps can tell apart from a write now."""
    os.chmod(path, 0o555 if is_executable else 0o444)
    old = time.time() - _AGE
    os.utime(path, (old, old))


def best_way(path: str) -> int:
    """Return how tasks get a large file, tried on a file beside it."""
    trial = path + ".trial"
    try:
        if _is_cloned(path, trial):
            return CLONE
        os.unlink(trial)
        os.link(path, trial)
        return LINK
    except OSError:  # no hard links here
        return COPY
    finally:
        if os.path.lexists(trial):
            os.unlink(trial)


def _is_cloned(path: str, trial: str) -> bool:
    with open(path, "rb") as source, open(trial, "wb") as target:
        try:
            _clone(source.fileno(), target.fileno())
        except OSError:
            return False
    return True


def _clone(source: int, target: int) -> None:
    """Let one file have the other's blocks. Raises OSError where there are no reflinks."""
    if not sys.platform.startswith("linux"):
        raise OSError("reflinks are not used here")
    ioctl(target, _FICLONE, source)


def _copy(original: Original, path: str) -> None:
    """Make a copy, and check that the original did not change meanwhile. Raises Changed, OSError."""
    try:
        source = os.open(original.path, os.O_RDONLY)
    except FileNotFoundError:
        raise Changed(original)
    try:
        target = os.open(path, NEW, 0o666)
        try:
            _fill(original, source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)
    if not original.is_right():
        raise Changed(original)


def _fill(original: Original, source: int, target: int) -> None:
    if original.key == WORKER:
        os.fchmod(target, 0o755)
    if original.how == CLONE:
        return _clone(source, target)
    for block in iter(lambda: os.read(source, BLOCK), b""):
        while block:
            block = block[os.write(target, block) :]
    return None
