"""Bringing what came of tickets to the master: results, or why they failed. Says nothing twice, loses nothing."""

from typing import List, Optional

from .. import log
from ..wire.master import PATIENT, Line, Query, UploadBrokenOff
from ..wire.multipart import Body, BodyGone, Part
from .attempt import Attempt
from .report import MOST_REASON, NoResult, printed, remarks, results, tail
from .settings import Settings

SAID = ("stdout", "stderr", "exit-code", "usage", "files")  # what a failure carries


def deliver_together(line: Line, attempts: List[Attempt]) -> bool:
    """Bring what is packed in one request; False when the master does not take it so."""
    parts: List[Part] = []
    for attempt in attempts:
        parts += [("%d/%s" % (attempt.task.ticket, name), content) for name, content in attempt.packed or []]
    if not parts:
        return True
    try:
        reply = line.ask("/results", [], Body(parts), timeout=PATIENT)
    except UploadBrokenOff as fault:
        log.say("results go one by one: %s" % fault)
        return False
    if reply.status != 200:
        log.say("results go one by one: the master answers %d %s" % (reply.status, reply.text))
        return False
    for answer in reply.body.decode("utf-8", "replace").splitlines():
        if not answer.endswith((" accepted", " noted")):
            log.say("ticket " + answer)
    return True


def deliver(line: Line, attempt: Attempt, settings: Settings) -> None:
    """Returns when the master has it (or knows that there is nothing to have)."""
    if not attempt.reason:
        attempt.reason = _complete(line, attempt, settings) or ""
    if attempt.reason:
        _failed(line, attempt, settings)


def _complete(line: Line, attempt: Attempt, settings: Settings) -> Optional[str]:
    """None when the master took it, else why it is a failure."""
    ticket = attempt.task.ticket
    try:
        reply = line.ask("/complete", [("ticket", ticket)], _body(attempt, settings), timeout=PATIENT)
    except NoResult as fault:
        return str(fault)
    except BodyGone as fault:
        return "a result changed while it was brought to the master: %s" % fault
    except UploadBrokenOff as fault:
        return "the result could not be brought to the master: %s" % fault
    if reply.status == 200:
        if not reply.text.startswith("accepted"):
            log.say("ticket %d: %s" % (ticket, reply.text))
        return None
    if reply.status == 413:
        return "a result is too large for the master: %s" % (reply.text or "413")
    return "the master could not take the result: %d %s" % (reply.status, reply.text)


def _body(attempt: Attempt, settings: Settings) -> Body:
    if attempt.packed:
        return Body(list(attempt.packed))
    return Body([*results(attempt, settings.max_result), *printed(attempt), *remarks(attempt, settings)])


def _failed(line: Line, attempt: Attempt, settings: Settings) -> None:
    query: Query = [("ticket", attempt.task.ticket), ("reason", attempt.reason[:MOST_REASON])]
    said: List[Part] = [part for part in attempt.packed or [] if part[0] in SAID]
    said = said or [("stdout", tail(attempt, attempt.stdout)), *remarks(attempt, settings)]
    reply = line.ask("/failed", query, Body(said))
    if reply.status != 200:
        log.say("ticket %d: the master answers %d to /failed: %s" % (attempt.task.ticket, reply.status, reply.text))
