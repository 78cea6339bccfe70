"""Making folders so that they can be unmade: each new one gets a marker."""

import errno
import os

from .. import log

MARKER = ".spe-made"
TRIES = 20  # to make a folder whose parent other clients keep removing


def make(path: str, mode: int = 0o755) -> None:
    """Make a folder and its missing parents, each with the marker in it.

    One that is there stays unmarked.

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
    # A file in the folder, not a list of ours elsewhere: whoever removes the last file of any
    # client there can tell that the folder may go.
    os.close(os.open(os.path.join(path, MARKER), os.O_CREAT | os.O_WRONLY, 0o600))


def listed(path: str) -> bool:
    """Tell whether a name is in its folder.

    On NFS a name that was looked up too early stays missing for seconds, so the folder is listed.
    """
    try:
        return os.path.basename(path) in os.listdir(os.path.dirname(path))
    except OSError:
        return False


def unmake(path: str, surely_ours: bool = False) -> None:
    """Remove a folder that we made and that holds nothing any more; then the one above it, and so
    on.

    `surely_ours`: its name says so, even if its maker died before the marker was there.
    """
    if surely_ours and _is_removed(path):
        path = os.path.dirname(path)
    while _is_ours_and_empty(path):
        try:
            os.unlink(os.path.join(path, MARKER))
            os.rmdir(path)
        except FileNotFoundError:  # another client has removed it first
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
    """Mark a folder as ours again that could not be removed.

    Mostly something came in just now, and it is in use again.
    """
    if why.errno not in (errno.ENOTEMPTY, errno.EEXIST):
        log.say("could not remove %s: %s" % (path, why.strerror))
    try:
        os.close(os.open(os.path.join(path, MARKER), os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError:  # then the folder stays; that was said
        pass


def _is_removed(path: str) -> bool:
    """Remove a folder that holds nothing at all. Return whether it is gone now."""
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
