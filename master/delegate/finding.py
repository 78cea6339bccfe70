"""Where the run of a job is, by the job's number: by the user's own orders, else by the farm."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..pool.joining.answering import NoAnswer, ask_gate
from ..pool.joining.cards import Card, find_card, load_cards
from ..pool.joining.knocking import own_name
from ..pool.texts import is_host_name, is_user_name
from ..record import record
from . import orders
from .orders import Order

_JOB = re.compile(r"(?:(?P<srv>[^:\s]+):)?(?P<number>[0-9]{1,15})")


@record
class JobPlace:
    """The place of a job of this user. order: None where only the farm knows the job."""

    job: int
    place: str
    order: Order | None = None

    @property
    def is_here(self) -> bool:
        """Tell whether the run's folder is, or will be, visible on this machine."""
        if self.order is None:
            return False
        return self.place == own_name() or Path(self.order.runs).is_dir()

    def folder(self) -> Path:
        """Return runs/<name>/ on this machine. Raises UsageError where it is not there."""
        assert self.order is not None, "asked only where it is here"
        runs = Path(self.order.runs)
        if runs.is_dir():
            return runs
        where = f"job {self.job}"
        if orders.may_run(self.order):
            todo = f"`spe jobs why {self.job}` shows what it waits for."
            raise UsageError(
                "it has not begun, so there is nothing of it yet", where=where, todo=todo
            )
        todo = f"Its results were removed. They were in {runs}."
        raise UsageError("its folder is not there any more", where=where, todo=todo)


def find_job(text: str) -> JobPlace:
    """Return where a job is that is named like `17`, or `srv:17` for one of several farms.

    Raises UsageError for no such job, several ones, and one of another user.
    """
    found = _JOB.fullmatch(text)
    if found is None or not int(found["number"]):
        raise UsageError(f"--job {text}: that is no number of a job, such as 17")
    job, srv = int(found["number"]), found["srv"]
    cards = _cards(srv)
    known = [
        (one.farm, JobPlace(job, one.place, one))
        for one in orders.with_number(job)
        if not srv or one.farm in {srv, *(card.farm for card in cards)}
    ]
    if not known:
        known = _ask_farms(cards, job)
    if len(known) > 1:
        names = {card.farm: card.srv for card in cards}
        srvs = sorted(names.get(farm, farm) for farm, _ in known)
        what = f"you have a job {job} on several farms: {', '.join(srvs)}"
        raise UsageError(what, todo=f"Say which one is meant: --job {srvs[0]}:{job}")
    return known[0][1]


def _cards(srv: str | None) -> list[Card]:
    """Return the farms that may be meant."""
    if not srv:
        return load_cards()
    card = find_card(srv)
    return [card] if card else []


def _ask_farms(cards: list[Card], job: int) -> list[tuple[str, JobPlace]]:
    """Return the jobs of this number by what farms say, one or more. Raises UsageError."""
    found: list[tuple[str, JobPlace]] = []
    owner = silent = ""
    for card in cards:
        try:
            said = _asked(card, job)
        except NoAnswer as error:
            silent = error.what
            continue
        if said is None:
            continue
        if said.get("owner") == card.user:
            found.append((card.farm, _place_of(card, job, said.get("place"))))
        else:
            owner = said["owner"] if is_user_name(said.get("owner")) else "another user"
    if found:
        return found
    where = f"job {job}"
    if owner:
        todo = "`spe jobs` shows how far it is; its folder is for its owner alone."
        raise UsageError(f"it belongs to {owner}", where=where, todo=todo)
    if silent:
        todo = "Look on the machine on which it was submitted."
        raise UsageError(f"no order of it is here, and {silent}", where=where, todo=todo)
    raise UsageError("you have no such job", where=where, todo="`spe jobs` lists yours.")


def _asked(card: Card, job: int) -> dict[str, Any] | None:
    """Return what a farm says of this job; None where it has none."""
    jobs = ask_gate(card.urls, card.fingerprint, card.token, "GET", "/jobs").get("jobs")
    for one in jobs if isinstance(jobs, list) else ():
        # `type`: JSON's true is a number of Python, and equal to 1.
        if isinstance(one, dict) and type(one.get("id")) is int and one["id"] == job:
            return one
    return None


def _place_of(card: Card, job: int, place: object) -> JobPlace:
    """Return the place of a job that only its farm knows. Raises UsageError."""
    where = f"job {job}"
    if place == own_name():
        todo = "If its results are still there, name the sweep in its folder: -n NAME."
        what = "it was submitted here, but there is no order of it any more"
        raise UsageError(what, where=where, todo=todo)
    if not isinstance(place, str) or not is_host_name(place):
        raise UsageError("its farm does not say where its folder is", where=where)
    # A farm whose account was taken over must not send its users' ssh where it likes.
    if not card.accepts(place):
        todo = (
            f"Log in there and type the command. To have spe log in: "
            f"spe farm join {card.srv} --accept {place}"
        )
        raise UsageError(
            f"its folder is on {place}, a host that you have not accepted", where=where, todo=todo
        )
    return JobPlace(job, place)
