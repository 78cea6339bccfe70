"""Attributes of a file beside its content: extended attributes, access lists among them, and flags."""

import errno
import os
from fcntl import ioctl
from typing import Any, Tuple, Union

_GETFLAGS = 0x80086601  # on PowerPC requests have other numbers, and none has this one
_NONE = bytes(8)
_found = bytearray(_NONE)
_names: Any = getattr(os, "listxattr", lambda file: ())
Attributes = Tuple[Tuple[str, bytes], ...]


def attributes(file: Union[int, str]) -> Attributes:
    """Return names and values, of which security labels are some. Raises OSError."""
    try:
        names = _names(file)
    except OSError as fault:
        if fault.errno != errno.ENOTSUP:
            raise
        return ()
    if not names:
        return ()
    return tuple((name, os.getxattr(file, name)) for name in sorted(names))


def marks(file: int, info: os.stat_result) -> Tuple[Any, ...]:
    """Return mode, inode, device, links, user, group, flags (as `lsattr` shows them) and attributes of an open file.

    Not for threads. This is asked four times a task: nothing is called in vain.
    """
    try:
        ioctl(file, _GETFLAGS, _found)
    except OSError:  # there is no such thing
        _found[:] = _NONE
    return info[:6], bytes(_found), _names(file) and attributes(file)
