"""What a task leaves as evidence in its directory: which files there were, in a few lines of text.

Names are foreign: they are only listed, made printable, and bounded in number and length. Nothing here follows a
link, opens a file or raises. Where the master takes every result, only failures are looked at.
"""

import os
import stat
from collections import deque
from typing import Deque, Iterator, List, Tuple

MOST, MOST_BYTES = 100, 8000  # files that are named, bytes of all their lines
MOST_SEEN = 10000  # entries that are counted


def listing(folder: str) -> bytes:
    """A line `SIZE NAME` each, `- NAME/` for a folder, `- NAME@` for a link; then `+N`, or `>N` for more than N others.

    What lies at the top comes first. Empty when there is no such folder; `+0` in one that is.
    """
    if not os.path.isdir(folder):
        return b""
    lines: List[bytes] = []
    room, seen = MOST_BYTES, 0
    for seen, (path, name) in enumerate(_entries(folder), 1):
        if seen > MOST_SEEN:
            break
        if len(lines) < MOST and room > 0:
            line = _line(path, name)
            room -= len(line)
            lines += [line] if room > 0 else []
    others = (">%d" if seen > MOST_SEEN else "+%d") % (min(seen, MOST_SEEN) - len(lines))
    return b"".join([*lines, others.encode() + b"\n"])


def _entries(folder: str) -> Iterator[Tuple[str, str]]:
    """Paths and names below the folder of all that is there, level by level, each folder's by name."""
    folders: Deque[Tuple[str, str]] = deque([(folder, "")])
    while folders:
        place, above = folders.popleft()
        for name, is_folder in _names(place):
            yield os.path.join(place, name), above + name
            if is_folder:
                folders.append((os.path.join(place, name), above + name + "/"))


def _names(folder: str) -> List[Tuple[str, bool]]:
    """What lies in one folder, as far as one may look, and whether it is a folder itself."""
    found: List[Tuple[str, bool]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                found.append((entry.name, entry.is_dir(follow_symlinks=False)))
                if len(found) > MOST_SEEN:
                    break
    except OSError:  # unreadable, or gone meanwhile
        pass
    return sorted(found)


def _line(path: str, name: str) -> bytes:
    try:
        info = os.lstat(path)
    except OSError:
        return b"- %s\n" % _printable(name)
    if stat.S_ISREG(info.st_mode):
        return b"%d %s\n" % (info.st_size, _printable(name))
    sign = b"/" if stat.S_ISDIR(info.st_mode) else b"@" if stat.S_ISLNK(info.st_mode) else b""
    return b"- %s%s\n" % (_printable(name), sign)


def _printable(name: str) -> bytes:
    """Such as `a\\nb` for a name with a line end in it."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text).encode()
