"""The files of a failed attempt, brought to the master when it asks for them (`keep_failed`).

Links are not followed: a program that has failed may have left a link to anything.
"""

import os
import stat
from typing import Iterator, List, Tuple

from .. import log
from ..wire.master import PATIENT, MasterConnection, UploadBrokenOff
from ..wire.multipart import Body, BodyGone, FilePart, Part
from ..wire.reply import Reply
from .attempt import Attempt
from .settings import Settings
from .trees import MOST_FILES, MOST_SEEN, is_odd

NAME = "file"  # of each part


def note_wanted(reply: Reply, attempts: List[Attempt]) -> None:
    """Note which attempts the master wants the files of: its answer to their reports says so."""
    told = reply.headers.get("Keep") or ""
    tickets = {ticket.strip() for ticket in told.split(",") if ticket.strip()}
    for attempt in attempts:
        if str(attempt.task.ticket) in tickets:
            attempt.keep_files = True


def is_called_back(attempt: Attempt) -> bool:
    """Tell whether the master wants nothing of an attempt any more.

    Once it has the report and wants the files, the ticket is over: a ping that calls it back says
    nothing about the files.
    """
    return attempt.dropped and not attempt.keep_files


def bring_files(connection: MasterConnection, attempt: Attempt, settings: Settings) -> None:
    """Bring the files of an attempt whose failure is reported. They are no reason to fail again."""
    parts = _parts(attempt, settings)
    if not parts:
        return
    try:
        reply = connection.ask("/kept", [("ticket", attempt.task.ticket)], Body(parts), timeout=PATIENT)
    except (BodyGone, UploadBrokenOff) as fault:
        log.say("ticket %d: its files are not kept: %s" % (attempt.task.ticket, fault))
        return
    if reply.status != 200:
        text = "ticket %d: its files are not kept: the master answers %d %s"
        log.say(text % (attempt.task.ticket, reply.status, reply.text))


def _parts(attempt: Attempt, settings: Settings) -> List[Part]:
    """Return the files that fit into `keep_failed`: what the program made first, then its inputs.

    A file that does not fit is left out, and smaller ones behind it may still fit. The worker, and
    large inputs that tasks share, are never among them: they lie at the master anyway.
    """
    left = settings.keep_failed
    shared = {name for name, _ in attempt.linked}
    if settings.worker:
        shared.add(os.path.basename(settings.worker.path))
    inputs = {one.name for one in attempt.task.inputs}
    found = [(name in inputs, name.count("/"), name, size) for name, size in _files(attempt.folder)]
    parts: List[Part] = []
    for _, _, name, size in sorted(found):
        if name in shared or size > left or is_odd(name):
            continue
        parts.append((NAME, FilePart(os.path.join(attempt.folder, name), size, name)))
        left -= size
        if len(parts) == MOST_FILES:
            break
    return parts


def _files(base: str) -> Iterator[Tuple[str, int]]:
    """Yield (path below the folder, bytes) of all files, as far as one may look."""
    seen = 0
    for folder, folders, names in os.walk(base):
        folders.sort()
        for name in sorted(names):
            seen += 1
            if seen > MOST_SEEN:
                return
            path = os.path.join(folder, name)
            try:
                info = os.lstat(path)
            except OSError:  # gone meanwhile
                continue
            if stat.S_ISREG(info.st_mode):
                yield os.path.relpath(path, base), info.st_size
