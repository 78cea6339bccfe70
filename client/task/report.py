"""The report of an attempt: its results, what it printed, its exit code and what it used.

Nothing is sent here: delivery.py does that.
"""

import errno
import fcntl
import os
import stat
from typing import Any, Dict, List, Tuple

from ..wire.multipart import FilePart
from ..wire.task_record import Result
from .attempt import Attempt
from .leftovers import listing
from .settings import Settings
from .trees import FOLDER, CannotTake, find, has_trees

TAIL = 64 * 1024  # bytes of what a program printed that go with a report
MOST_REASON = 1000  # characters
SMALL = 64 * 1024  # bytes of all results of an attempt that goes with a batch
DIRECT = getattr(os, "O_DIRECT", 0)  # only whole blocks are read and written
_USED = b'{"wall": %d.%06d, "user": %d.%06d, "system": %d.%06d, "memory": %d'
_MOVED = b', "read": %d, "written": %d}'


class NoResult(Exception):
    """The reason, in one sentence, why there is no result."""


def pack(attempt: Attempt, settings: Settings) -> None:
    """Read all of a report when it is small: then the files are needed no more."""
    parts: List[Tuple[str, bytes]] = []
    if not attempt.reason:
        try:
            found = results(attempt, settings.max_result)
            # Large results stay files: the client streams them, each in a request of its own. So do
            # results of several files, whose parts have a name in common.
            if sum([part.size for _, part in found]) > SMALL or has_trees(attempt.task.results):
                return
            parts = [(name, _content(attempt, part)) for name, part in found] + printed(attempt)
        except NoResult as fault:
            attempt.reason = str(fault)
    if attempt.reason:
        reason = attempt.reason[:MOST_REASON].encode("utf-8", "replace")
        parts = [("reason", reason), ("stdout", tail(attempt, attempt.stdout))]
    parts += [(name, content) for name, content in remarks(attempt, settings) if content]
    attempt.packed = parts


def results(attempt: Attempt, max_result: int) -> List[Tuple[str, FilePart]]:
    """Return (name, file) of each file of each result.

    Raises NoResult for a result that is missing or too large.
    """
    sizes: Dict[str, int] = {}
    found: List[Tuple[str, FilePart]] = []
    for one in attempt.task.results:
        if one.kind:
            parts = _tree(attempt, one)
            _check_size(one, sum(part.size for part in parts), max_result)
            found += [(one.name, part) for part in parts]
            continue
        if one.file not in sizes:
            sizes[one.file] = _size(attempt, one.file)
        _check_size(one, sizes[one.file], max_result)
        found.append((one.name, FilePart(attempt.path_of(one.file), sizes[one.file])))
    return found


def _check_size(one: Result, size: int, max_result: int) -> None:
    if max_result and size > max_result:
        text = "result %s is %d bytes, more than max_result (%d bytes)"
        raise NoResult(text % (one.name, size, max_result))


def _tree(attempt: Attempt, one: Result) -> List[FilePart]:
    """Return the files of a result that has several, in the order of their names."""
    try:
        names = find(attempt.folder, one)
    except CannotTake as fault:
        raise NoResult("result %s: %s" % (one.name, fault))
    if not names and one.kind == FOLDER:
        raise NoResult("result folder %s was not written, or has no file" % one.file)
    if not names:
        raise NoResult("result files %s were not written: none matches" % one.file)
    return [FilePart(attempt.path_of(name), _size(attempt, name), name) for name in names]


def printed(attempt: Attempt) -> List[Tuple[str, bytes]]:
    """Return what the program printed, for `spe log`; nothing where a result has it anyway."""
    if any(one.file == "stdout" or one.name == "stdout" for one in attempt.task.results):
        return []
    return [("stdout", tail(attempt, attempt.stdout))]


def remarks(attempt: Attempt, settings: Settings) -> List[Tuple[str, bytes]]:
    """Return the parts that the master wants beside the results."""
    parts = [("stderr", tail(attempt, attempt.stderr))]
    if attempt.exit_code is not None:
        parts.append(("exit-code", str(attempt.exit_code).encode()))
    if attempt.usage:
        parts.append(("usage", _usage(attempt.usage)))
    if attempt.reason or settings.lists_files:
        parts.append(("files", listing(attempt.folder)))
    return parts


def _usage(used: Dict[str, Any]) -> bytes:
    """Return what a program used as JSON, in whole microseconds: floats take three times as long."""
    wall, user, system = [
        divmod(int(used[name] * 1e6 + 0.5), 1000000) for name in ("wall", "user", "system")
    ]
    text = _USED % (*wall, *user, *system, used["memory"])
    if "read" not in used:
        return text + b"}"
    return text + _MOVED % (used["read"], used["written"])


def _size(attempt: Attempt, name: str) -> int:
    try:
        info = attempt.place.stat(attempt.path_of(name))
    except FileNotFoundError:
        if os.path.islink(attempt.path_of(name)):
            raise NoResult("result file %s is a link to a file that is not there" % name)
        raise NoResult("result file %s was not written" % name)
    except OSError as fault:
        raise NoResult("result file %s cannot be read: %s" % (name, fault.strerror))
    if not stat.S_ISREG(info.st_mode):
        raise NoResult("result file %s is not a regular file" % name)
    return info.st_size


def _content(attempt: Attempt, part: FilePart) -> bytes:
    if not part.size:
        return b""
    try:
        return _read(attempt, part.path, 0, part.size)
    except OSError as fault:
        text = "a result cannot be read: %s: %s"
        raise NoResult(text % (os.path.basename(part.path), fault.strerror))


def tail(attempt: Attempt, path: str) -> bytes:
    """Return the end of what a program wrote into an output, or why it cannot be read.

    The result is b"" for a program that was never started.
    """
    try:
        size = attempt.place.stat(path).st_size
        return _read(attempt, path, max(0, size - TAIL), TAIL) if size else b""
    except FileNotFoundError:
        return b""
    except OSError as fault:
        return b"(cannot be read: %s)\n" % (fault.strerror or "").encode()


def _read(attempt: Attempt, path: str, start: int, count: int) -> bytes:
    """Return up to `count` bytes of a file.

    System calls alone: `open()` takes several of them a file.
    """
    opened = attempt.place.opened(path)
    if opened is not None:
        return _pread(opened, start, count)
    file = os.open(path, os.O_RDONLY)
    try:
        return _pread(file, start, count)
    finally:
        os.close(file)


def _pread(file: int, start: int, count: int) -> bytes:
    # pread, as a place keeps its outputs open for writing at their end.
    content = _part(file, start, count)
    while 0 < len(content) < count:  # a signal may cut a read short
        more = _part(file, start + len(content), count - len(content))
        if not more:
            break
        content += more
    return content


def _part(file: int, start: int, count: int) -> bytes:
    try:
        return os.pread(file, count, start)
    except OSError as fault:
        flags = fcntl.fcntl(file, fcntl.F_GETFL)
        if fault.errno != errno.EINVAL or not flags & DIRECT:
            raise
    fcntl.fcntl(file, fcntl.F_SETFL, flags & ~DIRECT)  # the program set it: dd oflag=direct does
    return os.pread(file, count, start)
