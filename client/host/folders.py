"""Making folders so that they can be unmade: a marker lies in each folder that was not there before us."""

import errno
import os

from .. import log

MARKER = ".spe-made"
TRIES = 20


def make(path: str, mode: int = 0o755) -> None:
    """Make a folder and its missing parents, each with the marker in it. One that is there stays unmarked.

    Others may not write there, whatever the umask is: what lies there is started as ours.
    """
    for _ in range(TRIES):
        try:
            return _make(path, mode)
        except FileNotFoundError:  # another client just removed an empty parent
            continue
    return _make(path, mode)


def _make(path: str, mode: int) -> None:
    if os.path.isdir(path):
        return
    make(os.path.dirname(path), mode)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return
    os.close(os.open(os.path.join(path, MARKER), os.O_CREAT | os.O_WRONLY, 0o600))


def listed(path: str) -> bool:
    """Whether the name is in its folder. On NFS a name that was looked up too early stays missing for seconds."""
    try:
        return os.path.basename(path) in os.listdir(os.path.dirname(path))
    except OSError:
        return False


def unmake(path: str, surely_ours: bool = False) -> None:
    """Remove a folder that we made and that holds nothing any more, then the one above it, and so on.

    `surely_ours`: by its name, also when who made it died before it put the marker there.
    """
    if surely_ours and _is_removed(path):
        path = os.path.dirname(path)
    while _is_ours_and_empty(path):
        try:
            os.unlink(os.path.join(path, MARKER))
            os.rmdir(path)
        except FileNotFoundError:  # another client was quicker
            pass
        except OSError as fault:
            _mark_again(path, fault)
            return
        path = os.path.dirname(path)


def is_marked(folder: int) -> bool:
    """Tell whether an open folder is one that we made."""
    try:
        os.stat(MARKER, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _mark_again(path: str, why: OSError) -> None:
    """Mark a folder as ours that could not be removed: mostly as something came in just now, and it is in use again."""
    if why.errno not in (errno.ENOTEMPTY, errno.EEXIST):
        log.say("could not remove %s: %s" % (path, why.strerror))
    try:
        os.close(os.open(os.path.join(path, MARKER), os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError:  # then it stays; that was said
        pass


def _is_removed(path: str) -> bool:
    """Whether it held nothing at all, and is gone now."""
    try:
        os.rmdir(path)
    except OSError:
        return False
    return True


def _is_ours_and_empty(path: str) -> bool:
    try:
        return os.listdir(path) == [MARKER]
    except OSError:
        return False
