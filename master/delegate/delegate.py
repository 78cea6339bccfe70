"""The loop of a delegate: grants come in, masters are started and told, reports go out."""

from __future__ import annotations

import logging
import random
import time
from typing import Any

from ..errors import UsageError
from ..pool.joining.answering import NoAnswer, Paused, ask_gate
from ..pool.joining.cards import Card, load_card
from . import orders, trouble
from .address import moved
from .answers import Granted, read_grants, read_seen
from .masters import Master

log = logging.getLogger("spe.delegate")
PAUSE = 1.0  # seconds between two turns: so often masters are asked, too
QUICK = 0.2  # seconds between two turns while slots change hands
LIVELY = 5.0  # seconds after a new grant in which they do
COME_BACK = 15.0  # seconds within which a delegate tries again after a lost connection
LOOK_AGAIN = 60.0  # seconds without an answer after which the address is looked at again
LINGER = 10.0  # seconds for which a delegate without a job stays: a next one may be submitted


class Delegate:
    """The delegate of one user on one host, for one farm."""

    def __init__(self, card: Card, place: str) -> None:
        self._card, self._place = card, place
        self._masters: dict[int, Master] = {}
        self._idle_since = time.monotonic()
        self._trouble = ""
        self._lost = ""  # why a farm that does not answer was not found again
        self._epoch = 0  # the newest one of the farm
        self._heard = self._looked = time.monotonic()  # when the farm answered, and was looked for
        self._has_left = False
        self._grants: dict[int, Granted] = {}
        self._has_waited = False  # the farm, before it answered the latest time
        self._seen = 0  # number of the latest answer with grants
        self._changed = -LIVELY  # when the grants were others the last time

    def run(self) -> None:
        """Work until no job is left, or the user has left the farm."""
        while not self._has_left:
            self._take_orders()
            if self._masters:
                self._idle_since = time.monotonic()
            elif time.monotonic() - self._idle_since > LINGER:
                return
            time.sleep(self._one_turn())

    def _one_turn(self) -> float:
        """Do one turn. Return the seconds until the next one."""
        try:
            self._take_card()
            if self._has_left:
                return 0.0
            self._turn()
            self._heard = time.monotonic()
            self._lost = ""
            self._note_trouble("")
        except NoAnswer as error:
            # Jobs go on with what they were granted.
            self._look_again()
            self._note_trouble(self._lost or error.line)
            # All delegates have lost the farm at once, and must not come back at once.
            return random.uniform(PAUSE, COME_BACK)
        except Paused as error:
            self._note_trouble(error.line)
            return max(PAUSE, error.pause)
        except UsageError as error:
            self._note_trouble(error.line)
            return 10 * PAUSE
        except Exception:
            # Nothing that a farm answers may end this process: its jobs need it.
            log.exception("a turn came to nothing, and is tried again")
            return 10 * PAUSE
        # A new master starts nothing until it knows that the farm has heard of it.
        if any(master.is_new for master in self._masters.values()):
            return 0.0
        return QUICK if self._is_lively() or self._has_waited else PAUSE

    def _is_lively(self) -> bool:
        """Tell whether slots change hands now: others wait for what is given back, and we for ours."""
        return time.monotonic() - self._changed < LIVELY

    def _note_trouble(self, why: str) -> None:
        """Log why the farm does not answer, and keep it for `spe jobs`."""
        if why == self._trouble:
            return
        if bool(why) is not bool(self._trouble):
            log.warning("%s", why or "the farm answers again")
        self._trouble = why
        trouble.note(self._card, why)

    def _take_card(self) -> None:
        """Take the card as it is now: its user may have accepted hosts, or joined anew."""
        card = load_card(self._card.farm, self._card.host)
        if card is None:
            log.warning("its user has left the farm")
            self._has_left = True
            return
        self._card = card

    def _look_again(self) -> None:
        """Look where the farm is now, once it has not answered for a while."""
        now = time.monotonic()
        if min(now - self._heard, now - self._looked) < LOOK_AGAIN:
            return
        self._looked = now
        try:
            self._card = moved(self._card, self._epoch)
            self._lost = ""
        except UsageError as error:
            log.warning("the farm was looked for: %s", error.line)
            moved_to = "If it is on another machine by now: spe farm join SRV, with that one."
            self._lost = f"the farm does not answer, and was looked for: {error.line} {moved_to}"

    def _take_orders(self) -> None:
        for order in orders.load(self._card.farm, self._place):
            if order.job not in self._masters:
                self._masters[order.job] = Master(order, lambda host: self._card.accepts(host))

    def _turn(self) -> None:
        """Ask for grants, tell the masters, and report."""
        # Each turn asks anew: a grant is few bytes, and a farm that was restored knows less. It answers
        # at once when something has changed since.
        began = time.monotonic()
        wait = 0 if self._is_lively() else round(PAUSE)
        answer = self._ask("GET", f"/grants?seen={self._seen}&wait={wait}")
        self._has_waited = time.monotonic() - began > PAUSE / 2
        grants = read_grants(answer, self._masters, self._epoch)
        self._seen = read_seen(answer)
        if grants != self._grants:
            self._grants, self._changed = grants, time.monotonic()
        self._epoch = max([self._epoch, *(one.epoch for one in grants.values())])
        reports: dict[str, Any] = {}
        for number, grant in grants.items():
            report = self._masters[number].step(grant)
            if report is not None:
                reports[str(number)] = report
        if reports:
            said = self._ask("POST", "/report", {"jobs": reports})
            unknown = said.get("unknown")
            for job in reports.keys() - set(map(str, unknown if isinstance(unknown, list) else ())):
                self._masters[int(job)].note_taken()
        for number in [number for number, master in self._masters.items() if master.ended]:
            log.info("job %d: %s", number, self._masters[number].ended)
            orders.end(self._masters.pop(number).order)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        card = self._card
        return ask_gate(card.urls, card.fingerprint, card.token, method, path, body)
