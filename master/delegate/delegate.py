"""The loop of a delegate: grants come in, masters are started and told, reports go out."""

from __future__ import annotations

import logging
import time
from typing import Any

from ..errors import UsageError
from ..pool.joining.answering import NoAnswer, ask_gate
from ..pool.joining.cards import Card
from . import orders
from .answers import read_grants
from .masters import Master

log = logging.getLogger("spe.delegate")
PAUSE = 1.0  # seconds between two turns: so often masters are asked, too
LINGER = 10.0  # seconds for which a delegate without a job stays: a next one may be submitted


class Delegate:
    """The delegate of one user on one host, for one farm."""

    def __init__(self, card: Card, place: str) -> None:
        self._card, self._place = card, place
        self._masters: dict[int, Master] = {}
        self._idle_since = time.monotonic()
        self._is_silent = False
        self._epoch = 0  # the newest one of the farm

    def run(self) -> None:
        """Work until no job is left."""
        while True:
            self._take_orders()
            if self._masters:
                self._idle_since = time.monotonic()
            elif time.monotonic() - self._idle_since > LINGER:
                return
            time.sleep(self._one_turn())

    def _one_turn(self) -> float:
        """Do one turn. Return the seconds until the next one."""
        try:
            self._turn()
            self._note_silence("")
        except NoAnswer as error:
            # Jobs go on with what they were granted.
            self._note_silence(error.line)
        except UsageError as error:
            self._note_silence(error.line)
            return 10 * PAUSE
        except Exception:
            # Nothing that a farm answers may end this process: its jobs need it.
            log.exception("a turn came to nothing, and is tried again")
            return 10 * PAUSE
        return PAUSE

    def _note_silence(self, why: str) -> None:
        if bool(why) is not self._is_silent:
            self._is_silent = bool(why)
            log.warning("%s", why or "the farm answers again")

    def _take_orders(self) -> None:
        for order in orders.load(self._card.farm, self._place):
            if order.job not in self._masters:
                self._masters[order.job] = Master(order, self._card.accepts)

    def _turn(self) -> None:
        """Ask for grants, tell the masters, and report."""
        # Each turn asks anew: a grant is few bytes, and a farm that was restored knows less.
        grants = read_grants(self._ask("GET", "/grants"), self._masters, self._epoch)
        self._epoch = max([self._epoch, *(one.epoch for one in grants.values())])
        reports: dict[str, Any] = {}
        for number, grant in grants.items():
            report = self._masters[number].step(grant)
            if report is not None:
                reports[str(number)] = report
        if reports:
            self._ask("POST", "/report", {"jobs": reports})
        for number in [number for number, master in self._masters.items() if master.ended]:
            log.info("job %d: %s", number, self._masters[number].ended)
            orders.end(self._masters.pop(number).order)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        card = self._card
        return ask_gate(card.urls, card.fingerprint, card.token, method, path, body)
