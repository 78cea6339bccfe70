"""Orders of a user to the delegate: its own copy of each job that was submitted, one file a job."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..errors import UsageError
from ..record import record
from ..session.run_folder import private_write


@record
class Order:
    """A job that was submitted here. words: of `spe run`. cwd: where it is run. runs: runs/<name>/.

    place, boot: the host on which it was submitted, and its boot ID then. given: the standard input
    of its run. has_begun: its run has answered once: what is begun anew now goes on with it.
    """

    farm: str
    job: int
    words: list[str]
    cwd: str
    runs: str
    place: str
    boot: str = ""
    given: str = ""
    has_begun: bool = False


def folder() -> Path:
    """Return where the orders lie."""
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(base) / "spe" / "delegate"


def save(order: Order) -> None:
    """Store an order, for its user alone. Raises UsageError."""
    where = folder()
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps({name: getattr(order, name) for name in Order.__dataclass_fields__})
        private_write(_path(order.farm, order.job), text)
    except OSError as error:
        todo = "The delegate cannot start what it has no copy of; make room, or free the folder."
        raise UsageError(f"cannot be written: {error}", where=str(where), todo=todo) from error


def load(farm: str, place: str) -> list[Order]:
    """Return the orders for a farm that were given on this host. Damaged files are left out."""
    found = []
    for path in sorted(folder().glob(f"{farm}-*.json")):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            order = Order(**{name: said[name] for name in Order.__dataclass_fields__ if name in said})
        except (OSError, ValueError, KeyError, TypeError):
            continue
        # A home that several hosts share has the orders of all of them.
        if order.place == place:
            found.append(order)
    return found


def remove(order: Order) -> None:
    """Forget an order whose job is over."""
    _path(order.farm, order.job).unlink(missing_ok=True)


def _path(farm: str, job: int) -> Path:
    return folder() / f"{farm}-{job}.json"
