"""Bringing what came of a ticket to the master: its results, or why it failed. Says nothing twice, loses nothing."""

import json
import os
import stat
from typing import Dict, List, Optional

from . import log
from .multipart import Body, BodyGone, FilePart, Part
from .slot import Attempt
from .wire import PATIENT, BrokenOff, Line, Query

TAIL = 64 * 1024
MOST_REASON = 1000


class NoResult(Exception):
    """A result can't be had, in one sentence."""


def deliver(line: Line, attempt: Attempt, max_result: int = 0) -> None:
    """Returns when the master has it (or knows that there is nothing to have)."""
    if not attempt.reason:
        attempt.reason = _complete(line, attempt, max_result) or ""
    if attempt.reason:
        _failed(line, attempt)


def _complete(line: Line, attempt: Attempt, max_result: int) -> Optional[str]:
    """None when the master took it, else why it is a failure."""
    ticket = attempt.task.ticket
    try:
        body = Body(_results(attempt, max_result) + _printed(attempt) + _remarks(attempt))
        reply = line.ask("/complete", [("ticket", ticket)], body, timeout=PATIENT)
    except NoResult as fault:
        return str(fault)
    except BodyGone as fault:
        return "a result changed while it was brought to the master: %s" % fault
    except BrokenOff as fault:
        return "the result could not be brought to the master: %s" % fault
    if reply.status == 200:
        if not reply.text.startswith("accepted"):
            log.say("ticket %d: %s" % (ticket, reply.text))
        return None
    if reply.status == 413:
        return "a result is too large for the master: %s" % (reply.text or "413")
    return "the master could not take the result: %d %s" % (reply.status, reply.text)


def _failed(line: Line, attempt: Attempt) -> None:
    parts: List[Part] = [("stdout", _tail(attempt.stdout))]
    query: Query = [("ticket", attempt.task.ticket), ("reason", attempt.reason[:MOST_REASON])]
    reply = line.ask("/failed", query, Body(parts + _remarks(attempt)))
    if reply.status != 200:
        log.say("ticket %d: the master answers %d to /failed: %s" % (attempt.task.ticket, reply.status, reply.text))


def _results(attempt: Attempt, max_result: int) -> List[Part]:
    sizes: Dict[str, int] = {}
    for one in attempt.task.results:
        if one.file not in sizes:
            sizes[one.file] = _size(attempt.path_of(one.file), one.file)
        if max_result and sizes[one.file] > max_result:
            text = "result %s is %d bytes, more than max_result (%d bytes)"
            raise NoResult(text % (one.name, sizes[one.file], max_result))
    return [(one.name, FilePart(attempt.path_of(one.file), sizes[one.file])) for one in attempt.task.results]


def _printed(attempt: Attempt) -> List[Part]:
    """What the program printed, for `spe log`, where no result has it anyway."""
    if any(one.file == "stdout" or one.name == "stdout" for one in attempt.task.results):
        return []
    return [("stdout", _tail(attempt.stdout))]


def _size(path: str, name: str) -> int:
    try:
        info = os.stat(path)
    except FileNotFoundError:
        raise NoResult("result file %s was not written" % name)
    except OSError as fault:
        raise NoResult("result file %s cannot be read: %s" % (name, fault.strerror))
    if not stat.S_ISREG(info.st_mode):
        raise NoResult("result file %s is not a regular file" % name)
    return info.st_size


def _remarks(attempt: Attempt) -> List[Part]:
    """What is welcome beside the results."""
    parts: List[Part] = [("stderr", _tail(attempt.stderr))]
    if attempt.exit_code is not None:
        parts.append(("exit-code", str(attempt.exit_code).encode()))
    if attempt.usage:
        parts.append(("usage", json.dumps(attempt.usage).encode()))
    return parts


def _tail(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size > TAIL:
                file.seek(size - TAIL)
            return file.read(TAIL) if size else b""
    except FileNotFoundError:  # it was never started
        return b""
