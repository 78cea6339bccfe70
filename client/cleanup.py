"""Leaving a host as it was found: the client's folder, the worker it fetched, the client program; then goodbye."""

import os
import sys
from typing import Callable, Dict, Optional

from . import log
from .host import folders
from .host.anchor import words
from .host.cache import Worker
from .host.own_folder import Base
from .machine.bounded import HOME_TIME, within
from .wire.goodbye import say_bye
from .wire.master import Master

_archive = getattr(getattr(sys.modules["__main__"], "__loader__", None), "archive", "")
ARCHIVE = os.path.abspath(_archive) if _archive else ""  # before any change of directory


def clean_up(master: Master, base: Base, config: Dict[str, str], worker: Optional[Worker], killed: bool) -> None:
    """Leave the host as it was, whatever step fails. The master hears of it last, and nothing when the home hangs.

    `killed`: we end because a process of ours was killed, or by a fault of ours; maybe by a program of a ticket that we
    still have.
    """
    if not within(HOME_TIME, lambda: _leave_home(config, worker, base)):
        base.remove_what_is_here()
        return
    _try(base.remove)
    if config:
        say_bye(master, base.left, killed)


def _leave_home(config: Dict[str, str], worker: Optional[Worker], base: Base) -> None:
    if worker is not None and is_yes(config, "DeleteWorker"):
        _try(worker.forget)
    if is_yes(config, "DeleteClient") and own_file():
        _try(lambda: _delete(sys.argv[0]))
    base.pay()


def is_yes(config: Dict[str, str], key: str) -> bool:
    """An answer of /config."""
    return config.get(key, "").lower() == "yes"


def _try(step: Callable[[], None]) -> None:
    try:
        step()
    except OSError as fault:
        log.say("cleaning up: %s" % words(fault))


def own_file() -> str:
    """The one file that we are; "" for a checkout that somebody runs with `python -m`."""
    if ARCHIVE and os.path.isfile(sys.argv[0]) and os.path.samefile(ARCHIVE, sys.argv[0]):
        return sys.argv[0]
    return ""


def _delete(path: str) -> None:
    os.unlink(path)
    folders.unmake(os.path.dirname(path))
