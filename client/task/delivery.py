"""Delivery of what came of attempts: results, or why they failed. Nothing is said twice or lost."""

from typing import List, Optional

from .. import log
from ..wire.master import PATIENT, MasterConnection, Query, UploadBrokenOff
from ..wire.multipart import Body, BodyGone, Part
from .attempt import Attempt
from .kept import bring_files, note_wanted
from .report import MOST_REASON, NoResult, printed, remarks, results, tail
from .settings import Settings

SAID = ("stdout", "stderr", "exit-code", "usage", "files")  # parts that the report of a failure carries


def deliver_together(connection: MasterConnection, attempts: List[Attempt]) -> bool:
    """Deliver packed reports in one request. Return False when the master does not take them so."""
    parts = _parts_of(attempts)
    if not parts:
        return True
    try:
        reply = connection.ask("/results", [], Body(parts), timeout=PATIENT)
    except UploadBrokenOff as fault:
        log.say("results are sent one by one: %s" % fault)
        return False
    if reply.status != 200:
        text = "results are sent one by one: the master answers %d %s"
        log.say(text % (reply.status, reply.text))
        return False
    # The answer has one line a ticket. Whatever it says, the master has the report: nothing is sent again.
    for answer in reply.body.decode("utf-8", "replace").splitlines():
        if not answer.endswith((" accepted", " noted")):
            log.say("ticket " + answer)
    note_wanted(reply, attempts)
    return True


def _parts_of(attempts: List[Attempt]) -> List[Part]:
    parts: List[Part] = []
    for attempt in attempts:
        ticket = attempt.task.ticket
        parts += [("%d/%s" % (ticket, name), content) for name, content in attempt.packed or []]
    return parts


def deliver(connection: MasterConnection, attempt: Attempt, settings: Settings) -> None:
    """Deliver one report. Return when the master has it, or knows that there is none to have."""
    if not attempt.reason:
        attempt.reason = _complete(connection, attempt, settings) or ""
    if attempt.reason:
        _failed(connection, attempt, settings)
    if attempt.keep_files:
        bring_files(connection, attempt, settings)


def _complete(connection: MasterConnection, attempt: Attempt, settings: Settings) -> Optional[str]:
    """Deliver a success. Return None when the master took it, else why it is a failure."""
    ticket = attempt.task.ticket
    try:
        body = _body(attempt, settings)
        reply = connection.ask("/complete", [("ticket", ticket)], body, timeout=PATIENT)
    except NoResult as fault:
        return str(fault)
    except BodyGone as fault:
        return "a result changed while it was sent to the master: %s" % fault
    except UploadBrokenOff as fault:
        return "the result could not be sent to the master: %s" % fault
    if reply.status == 200:
        note_wanted(reply, [attempt])
        if not reply.text.startswith("accepted"):
            log.say("ticket %d: %s" % (ticket, reply.text))
        return None
    if reply.status == 413:  # the master says what its limit is
        return "a result is too large for the master: %s" % (reply.text or "413")
    return "the master could not take the result: %d %s" % (reply.status, reply.text)


def _body(attempt: Attempt, settings: Settings) -> Body:
    if attempt.packed:
        return Body(list(attempt.packed))
    found = results(attempt, settings.max_result)
    return Body([*found, *printed(attempt), *remarks(attempt, settings)])


def _failed(connection: MasterConnection, attempt: Attempt, settings: Settings) -> None:
    """Deliver a failure. What was packed for a success stays useful, but for the results."""
    ticket = attempt.task.ticket
    query: Query = [("ticket", ticket), ("reason", attempt.reason[:MOST_REASON])]
    said: List[Part] = [part for part in attempt.packed or [] if part[0] in SAID]
    if not said:
        said = [("stdout", tail(attempt, attempt.stdout)), *remarks(attempt, settings)]
    reply = connection.ask("/failed", query, Body(said))
    note_wanted(reply, [attempt])
    if reply.status != 200:
        text = "ticket %d: the master answers %d to /failed: %s"
        log.say(text % (ticket, reply.status, reply.text))
