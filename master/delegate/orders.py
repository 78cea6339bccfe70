"""Orders of a user to the delegate: its own copy of each job that was submitted, one file a job."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..errors import UsageError
from ..record import record
from ..session.run_folder import orders_folder, private_write


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
    return orders_folder()


def save(order: Order) -> None:
    """Store an order, for its user alone. Raises UsageError."""
    where = folder()
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_write(_path(order.farm, order.job), _text(order))
    except OSError as error:
        todo = "The delegate cannot start what it has no copy of; make room, or free the folder."
        raise UsageError(f"cannot be written: {error}", where=str(where), todo=todo) from error


def load(farm: str, place: str) -> list[Order]:
    """Return the orders for a farm that were given on this host, without those whose job is over.

    Damaged files are left out.
    """
    # A home that several hosts share has the orders of all of them.
    return [one for one in _read(folder()) if (one.farm, one.place) == (farm, place)]


def with_number(job: int) -> list[Order]:
    """Return the orders of a job's number: one for each farm that has such a job of this user.

    An order whose job is over counts only where its farm has no later one of this number.
    """
    found = {one.farm: one for where in (_over(), folder()) for one in _read(where, job)}
    return list(found.values())


def of_folder(runs: Path) -> list[Order]:
    """Return the orders whose jobs are to run in this folder, which is runs/<name>/."""
    return [one for one in _read(folder()) if _is_in(one, runs)]


def end(order: Order) -> None:
    """Keep an order for those who look at its results, since its job is over."""
    # A folder of its own: the delegate reads all orders that may run once a second.
    _over().mkdir(mode=0o700, parents=True, exist_ok=True)
    path = _path(order.farm, order.job)
    # Without the file the order was never stored, or another delegate has ended it.
    with suppress(FileNotFoundError):
        os.replace(path, _over() / path.name)
        if order.given:
            # It may be large, and nothing reads it any more.
            private_write(_over() / path.name, _text(replace(order, given="")))


def may_run(order: Order) -> bool:
    """Tell whether the job of an order is not over, as far as its delegate knows."""
    return _path(order.farm, order.job).exists()


def forget(runs: Path) -> None:
    """Remove the orders of a run's folder whose jobs are over: the folder was removed, too."""
    for one in _read(_over()):
        if _is_in(one, runs):
            (_over() / _path(one.farm, one.job).name).unlink(missing_ok=True)


def _text(order: Order) -> str:
    return json.dumps({name: getattr(order, name) for name in Order.__dataclass_fields__})


def _is_in(order: Order, runs: Path) -> bool:
    there = Path(order.runs)
    # The name first: few paths are looked up. One of both may lead through a link.
    return there.name == runs.name and there.resolve() == runs.resolve()


def _read(where: Path, job: int | None = None) -> list[Order]:
    """Return the orders of a folder, or those with this job's number."""
    found = []
    for path in sorted(where.glob("*.json" if job is None else f"*-{job}.json")):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            order = Order(**{one: said[one] for one in Order.__dataclass_fields__ if one in said})
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found.append(order)
    return found


def _over() -> Path:
    """Return where the orders lie whose jobs are over."""
    return folder() / "over"


def _path(farm: str, job: int) -> Path:
    return folder() / f"{farm}-{job}.json"
