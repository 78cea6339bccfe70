"""The evidence that a task leaves in its directory: which files there are, in a few lines of text.

Names are foreign: they are only listed, made printable, and bounded in number and length. Nothing
here follows a link, opens a file or raises. Where the master takes every result, only failures are
looked at.
"""

import os
import stat
from collections import deque
from typing import Deque, Iterator, List, Tuple

MOST, MOST_BYTES = 100, 8000  # files that are named, bytes of all their lines
# Entries that are counted. A program may leave millions, and its hand waits for the listing.
MOST_SEEN = 10000


def listing(folder: str) -> bytes:
    """Return the files below a folder, one a line. Those at the top come first.

    A line is `SIZE NAME` for a file, `- NAME/` for a folder, `- NAME@` for a link; the last one is
    `+N` for N others, `>N` for more than N. b"" when there is no such folder.
    """
    if not os.path.isdir(folder):
        return b""
    lines: List[bytes] = []
    bytes_left, seen = MOST_BYTES, 0
    for seen, (path, name) in enumerate(_entries(folder), 1):
        if seen > MOST_SEEN:
            break
        if len(lines) < MOST and bytes_left > 0:
            line = _line(path, name)
            bytes_left -= len(line)
            if bytes_left > 0:
                lines.append(line)
    sign = ">" if seen > MOST_SEEN else "+"
    others = "%s%d\n" % (sign, min(seen, MOST_SEEN) - len(lines))
    return b"".join([*lines, others.encode()])


def _entries(folder: str) -> Iterator[Tuple[str, str]]:
    """Yield (path, name below the folder) of all that is there: by level, then folder, then name."""
    folders: Deque[Tuple[str, str]] = deque([(folder, "")])
    while folders:
        place, above = folders.popleft()
        for name, is_folder in _names(place):
            yield os.path.join(place, name), above + name
            if is_folder:
                folders.append((os.path.join(place, name), above + name + "/"))


def _names(folder: str) -> List[Tuple[str, bool]]:
    """Return (name, is a folder) of what lies in one folder, as far as one may look."""
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
    sign = b""
    if stat.S_ISDIR(info.st_mode):
        sign = b"/"
    elif stat.S_ISLNK(info.st_mode):
        sign = b"@"
    return b"- %s%s\n" % (_printable(name), sign)


def _printable(name: str) -> bytes:
    """Return a name without what is not printable: `a\\nb` for one with a line end in it."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    shown = [c if c.isprintable() else c.encode("unicode_escape").decode() for c in text]
    return "".join(shown).encode()
