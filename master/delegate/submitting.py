"""A job handed to a farm: posted at its gate, kept as an order, and its delegate started."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..pool.joining.answering import Paused, Silent, ask_gate
from ..pool.joining.cards import Card
from ..pool.joining.knocking import boot_id
from ..pool.texts import is_host_name
from ..record import record
from . import orders
from .address import moved
from .answers import GREATEST
from .starting import ensure_delegate

TELL = 30.0  # seconds after which somebody who waits for a farm is told so
RETRY = 2.0  # seconds between two tries
Json = Mapping[str, Any]


@record
class Farm:
    """A farm as it is just before a job is handed in.

    hosts: name -> cores that jobs may use there now. others: user -> cores that the user's jobs
    have.
    """

    card: Card
    hosts: Mapping[str, int]
    others: Mapping[str, int]


def look_at_farm(card: Card) -> Farm:
    """Return what a farm says now. Raises UsageError."""
    hosts = _ask(card, "GET", "/hosts").get("hosts", [])
    jobs = _ask(card, "GET", "/jobs").get("jobs", [])
    try:
        names = {one["name"]: int(one["most"] if one["active"] else 0) for one in hosts}
        others: Counter[str] = Counter()
        for one in jobs:
            others[one["owner"]] += int(one["slots"]) * int(one["cores"])
    except (KeyError, TypeError, ValueError, OverflowError):
        todo = "Tell its administrator."
        raise UsageError("the farm's lists cannot be read", where=card.srv, todo=todo) from None
    del others[card.user]
    found = {name: cores for name, cores in names.items() if is_host_name(name)}
    return Farm(card, found, {name: cores for name, cores in others.items() if cores > 0})


def is_silent(card: Card) -> bool:
    """Tell whether a farm does not answer, or only that it cannot now.

    Raises UsageError for a wrong answer.
    """
    try:
        look_at_farm(card)
    except (Silent, Paused):
        return True
    return False


def wait_for_farm(card: Card, tell: Callable[[UsageError, float], None]) -> Farm:
    """Return what a farm says, as soon as it answers. Raises UsageError for other answers.

    tell: called with what keeps it and the seconds of waiting so far: when that has lasted for
    TELL, and each time it has lasted twice as long again.
    """
    began = time.monotonic()
    due = TELL
    while True:
        pause = RETRY
        try:
            return look_at_farm(card)
        except Silent as error:
            why: UsageError = error
        except Paused as error:
            why = error
            pause = max(pause, error.pause)  # it knows best when it can answer
        waited = time.monotonic() - began
        # Before a pause that is longer, or a farm that wants 5 min of it would keep it silent.
        if waited + pause > due:
            tell(why, waited)
            due = 2 * max(due, waited)
            # It may be somewhere else by now.
            with suppress(UsageError):
                card = moved(card, 0)
        time.sleep(pause)


def check_hosts(farm: Farm, wanted: Collection[str], excluded: Collection[str]) -> None:
    """Raise UsageError for a job that no host may run. wanted: names; none for all hosts."""
    names = list(farm.hosts)
    unknown = [one for one in excluded if one not in names]
    if unknown:
        todo = f"Its hosts are: {' '.join(names)}"
        raise UsageError(f"--exclude {unknown[0]}: the farm has no such host", todo=todo)
    of_farm = [one for one in names if not wanted or one in wanted]
    if not of_farm:
        todo = "Leave `hosts` out for all of them, or use `spe run`, which needs no farm."
        raise UsageError("none of the hosts of this sweep is a host of the farm", todo=todo)
    left = [one for one in of_farm if one not in excluded]
    if not left:
        raise UsageError("--exclude leaves no host", todo="Exclude fewer.")
    if not any(farm.card.accepts(one) for one in left):
        todo = f"Accept some: spe farm join {farm.card.srv} --update"
        raise UsageError("you have accepted none of the hosts that this job may use", todo=todo)


def check_folder(card: Card, runs: Path) -> None:
    """Raise UsageError where a job of this sweep is not over yet."""
    for order in orders.load(card.farm, card.host):
        if Path(order.runs) == runs:
            todo = f"`spe jobs` shows it; `spe jobs cancel {order.job}` takes it back."
            raise UsageError(f"job {order.job} is this sweep already", where=str(runs), todo=todo)


def submit(
    card: Card, about: Json, words: Sequence[str], cwd: Path, runs: Path, given: str = ""
) -> Json:
    """Hand in a job, and return what the farm says of it. Raises UsageError.

    about: as POST /jobs takes it. words: of `spe run`, for the folder `cwd`. given: its standard
    input.
    """
    boot = boot_id()
    job: Json = _ask(card, "POST", "/jobs", {**about, "boot": boot})
    number = job.get("id")
    if type(number) is not int or not 0 < number < GREATEST:  # it becomes the name of a file
        raise UsageError("the farm has given the job no number", where=card.srv)
    if any(one.job == number for one in orders.load(card.farm, card.host)):
        # The order of the other job would be lost, and its delegate would run this one for it.
        todo = "Tell its administrator."
        raise UsageError(f"the farm has given job {number} twice", where=card.srv, todo=todo)
    order = orders.Order(
        card.farm, number, list(words), str(cwd), str(runs), card.host, boot, given
    )
    try:
        orders.save(order)
    except UsageError:
        # Nobody could ever run what has no order.
        _ask(card, "POST", f"/jobs/{order.job}/cancel", {})
        raise
    ensure_delegate(card)
    return job


def _ask(card: Card, method: str, path: str, body: Any = None) -> Any:
    return ask_gate(card.urls, card.fingerprint, card.token, method, path, body)
