"""Folders in the cache that several clients use: each has a mark there, and the last one removes it.

The marks of the folder `X` lie in `X.users/`. A client owes its mark before it makes it, so whoever
clears up after a dead client leaves the folder in its place.
"""

import os

from .. import log
from . import folders
from .lock import LockFile
from .removal import remove_tree

USERS, LOCK, FAILED = ".users", ".lock", ".failed"
KEPT = "kept"  # the mark of a folder that stays
TRIES = 20  # to make a mark while others remove the folder of marks


def mark_of(place: str, user: str) -> str:
    """Return the mark of a user of this folder."""
    return os.path.join(place + USERS, user)


def join(mark: str) -> None:
    """Make a mark: from now on nobody else removes the folder."""
    folders.make(os.path.dirname(os.path.dirname(mark)))
    for _ in range(TRIES):
        try:
            os.makedirs(os.path.dirname(mark), mode=0o700, exist_ok=True)
            with open(mark, "w"):
                return
        except FileNotFoundError:  # the last user has just removed the folder of marks
            continue
    raise FileNotFoundError(2, "others remove it as soon as it is made", mark)


def is_mark(path: str) -> bool:
    """Tell whether a path that a client owes is such a mark."""
    return os.path.dirname(path).endswith(USERS)


def leave(mark: str) -> None:
    """Remove a mark; with the last one, the folder. May be called again when it was cut short."""
    users = os.path.dirname(mark)
    place = users[: -len(USERS)]
    try:
        os.unlink(mark)
    except OSError:  # left before, or the home is away
        pass
    if _is_used(users) or not os.path.isdir(os.path.dirname(place)):
        return
    with LockFile(place + LOCK):
        if not _is_used(users):
            _remove(place, users)
    folders.unmake(os.path.dirname(place))


def _is_used(users: str) -> bool:
    try:
        return bool(os.listdir(users))
    except OSError:
        return False


def _remove(place: str, users: str) -> None:
    try:
        os.rmdir(users)  # not empty: somebody has come in this moment
    except FileNotFoundError:
        pass
    except OSError:
        return
    for path in (place, place + FAILED):
        text = remove_tree(path)
        if text:
            log.say("could not remove %s" % text)
