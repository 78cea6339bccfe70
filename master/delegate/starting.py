"""One delegate a user and host: started by the first command that needs it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ..errors import UsageError
from ..logs import log_to_standard_error
from ..pool.joining.cards import Card, chosen_card, find_card
from . import orders
from .delegate import Delegate
from .orders import folder


def lock_path(farm: str) -> Path:
    """Return the lock of the delegate here. On a local disk: locks of a shared home are not sure."""
    return Path(tempfile.gettempdir()) / f"spe-delegate-{os.getuid()}-{farm}.lock"


def take_lock(farm: str) -> int | None:
    """Return the descriptor of the lock, held as long as it is open; None where another has it.

    Raises UsageError for a lock that another user has put there.
    """
    path = lock_path(farm)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
        if os.fstat(descriptor).st_uid != os.getuid():
            os.close(descriptor)
            raise PermissionError("it belongs to another user")
    except OSError as error:
        # Anybody may make a file of this name first, and hold it: no delegate would ever start.
        todo = "Ask the administrator of this machine to remove it."
        what = f"the delegate cannot be locked: {error.strerror or error}"
        raise UsageError(what, where=str(path), todo=todo) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def ensure_delegate(card: Card) -> bool:
    """Start the delegate if it is not there. Return whether it had to be started."""
    held = take_lock(card.farm)
    if held is None:
        return False
    os.close(held)
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(log_path(card), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "wb") as log:
        # -P: a file spe.py in the current folder must not be taken for this package.
        subprocess.Popen(
            [sys.executable, "-P", "-m", "spe", "farm", "delegate", card.farm],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    return True


def log_path(card: Card) -> Path:
    """Return the log of the delegate here: one for each host, as a home may be that of several."""
    return folder() / f"{card.farm}@{card.host}.log"


def card_with_delegate(srv: str | None) -> Card:
    """Return the farm that is meant, after its delegate was started if jobs of this place need it.

    Raises UsageError.
    """
    card = chosen_card(srv)
    if orders.load(card.farm, card.host):
        ensure_delegate(card)
    return card


def be_delegate(farm: str) -> None:
    """Be the delegate for a farm until all its jobs have ended; nothing where another one is.

    Raises UsageError where this farm was not joined here.
    """
    card = find_card(farm)
    if card is None:
        raise UsageError("this farm was not joined here", where=farm)
    log_to_standard_error(log_path(card))
    while (held := take_lock(farm)) is not None:
        try:
            Delegate(card, card.host).run()
        finally:
            os.close(held)
        # A job may have been submitted while the lock still said that somebody is there.
        if not orders.load(farm, card.host):
            return
