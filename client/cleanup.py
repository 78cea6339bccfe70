"""Leaving a host as it was found: removing folder, worker and client program; then goodbye."""

import os
import sys
from typing import Callable, Dict, Optional

from . import log
from .host import folders
from .host.anchor import words
from .host.own_folder import OwnFolder
from .machine.bounded import HOME_TIME, SHARED_TIME, within
from .shared.cache import Worker
from .wire.goodbye import Unsaid, say_bye
from .wire.master import Master

_archive = getattr(getattr(sys.modules["__main__"], "__loader__", None), "archive", "")
# The one file that runs, "" for none. Made absolute before any change of directory.
ARCHIVE = os.path.abspath(_archive) if _archive else ""


def clean_up(
    master: Master,
    own_folder: OwnFolder,
    config: Dict[str, str],
    worker: Optional[Worker],
    killed: bool,
    unsaid: Unsaid,
) -> None:
    """Leave the host as it was, even where a step fails.

    Then say goodbye, but not when the home hangs.

    `killed`: the client ends because a process of it was killed, maybe by a program of a ticket
    that it still has. `unsaid`: by which the guard says goodbye if we cannot.
    """
    # The home, with what the client owes, may be on a server that is away; its own folder mostly is not.
    if not within(HOME_TIME, lambda: _leave_home(config, worker, own_folder)):
        own_folder.remove_what_is_here()
        return
    # Apart from the rest: to remove an environment of thousands of files takes its time on NFS.
    if not within(SHARED_TIME, lambda: _try(own_folder.leave_shared)):
        log.say("what this sweep made in the home is removed when spe runs here again")
        own_folder.remove_what_is_here()
        return
    if config:
        unsaid.note(master, killed)
    _try(own_folder.remove)
    if config:
        say_bye(master, own_folder.left, killed)
        unsaid.clear()


def _leave_home(config: Dict[str, str], worker: Optional[Worker], own_folder: OwnFolder) -> None:
    if worker is not None and is_yes(config, "DeleteWorker"):
        _try(worker.forget)
    if is_yes(config, "DeleteClient") and own_file():
        _try(lambda: _delete(sys.argv[0]))
    own_folder.pay()


def is_yes(config: Dict[str, str], key: str) -> bool:
    """Tell whether an answer of /config is "yes"."""
    return config.get(key, "").lower() == "yes"


def _try(step: Callable[[], None]) -> None:
    try:
        step()
    except OSError as fault:
        log.say("cleaning up: %s" % words(fault))


def own_file() -> str:
    """Return the one file that runs; "" for a checkout that somebody runs with `python -m`."""
    if ARCHIVE and os.path.isfile(sys.argv[0]) and os.path.samefile(ARCHIVE, sys.argv[0]):
        return sys.argv[0]
    return ""


def _delete(path: str) -> None:
    os.unlink(path)
    folders.unmake(os.path.dirname(path))
