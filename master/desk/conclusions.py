"""The end of each attempt.

The dispatch decides about a judged report, and its client gets an answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from ..dispatch.dispatch import Dispatch
from ..model import Ticket
from ..results.evidence import WHOLE, exit_code_of, failure_of, files_of, printed
from ..results.extract import Part
from .judging import Judges, Verdict
from .reports import Judged

log = logging.getLogger("spe.arrivals")
NOTED = "noted"  # the answer to a failure


class Conclusions:
    """Ends the attempts of one run."""

    def __init__(self, dispatch: Dispatch, judges: Judges, clock: Callable[[], float]) -> None:
        self.dispatch, self.judges, self._clock = dispatch, judges, clock

    def conclude(self, one: Judged, client: str, finished: dict[int, Judged]) -> str:
        """Have the dispatch decide about a report, and return the answer.

        If its task is done now, add the report to `finished`.

        No await in here: the changes of all reports of a request belong together.
        """
        ticket = self.dispatch.board.tickets.get(one.report.ticket)
        if ticket is None:  # ended by another report of this very request
            return NOTED if one.verdict is None else "expired"
        stdout, stderr = printed(one.report.parts, "stdout"), printed(one.report.parts, "stderr")
        if one.verdict is None:
            self._fail(ticket, one, client, stdout, stderr)
            return NOTED
        if one.verdict.reason is not None and not one.verdict.fault:
            return self._reject(ticket, one, one.verdict.reason, stdout, stderr)
        if not self._accept(ticket, one, one.verdict, stdout, stderr):
            return "expired"
        finished[ticket.task] = one
        return "accepted"

    def _reject(
        self, ticket: Ticket, one: Judged, reason: str, stdout: bytes, stderr: bytes
    ) -> str:
        digest = one.verdict.digest if one.verdict else ""
        # People look there for what was missed
        printed_there = stdout or self.judges.stdout_of(one.report.parts)
        self.dispatch.attempts.reject(
            ticket.id, reason, one.usage, printed_there, stderr, self._files(one), digest
        )
        log.info(
            "task %d, ticket %d on %s: rejected: %s", ticket.task, ticket.id, ticket.host, reason
        )
        return f"rejected: {reason}"

    def _accept(
        self, ticket: Ticket, one: Judged, verdict: Verdict, stdout: bytes, stderr: bytes
    ) -> bool:
        """Accept a result, or keep one that a broken hook could not judge.

        Return False when its task was done meanwhile.
        """
        kept = self._kept_stdout(one.report.parts, stdout)
        if verdict.reason is None:
            return self.dispatch.attempts.accept(
                ticket.id, one.outputs, one.usage, stderr, stdout=kept
            )
        files = self._files(one)
        return self.dispatch.attempts.suspend(
            ticket.id, verdict.reason, one.outputs, one.usage, stderr, files, stdout=kept
        )

    def _kept_stdout(self, parts: Mapping[str, Part], stdout: bytes) -> bytes | None:
        """Return the standard output to store beside the results.

        It is empty where a result holds it, and None where none was sent.
        """
        if self.judges.has_stdout:
            return b""
        return stdout if "stdout" in parts or WHOLE + "stdout" in parts else None

    def _files(self, one: Judged) -> str | None:
        """Return the list of files beside a result that is not good enough, in its stored form."""
        files = files_of(one.report.parts) if self.judges.wants_files else None
        return str(files) if files else None

    def _fail(self, ticket: Ticket, one: Judged, client: str, stdout: bytes, stderr: bytes) -> None:
        parts = one.report.parts
        failure = failure_of(one.report.reason or "", exit_code_of(parts), stderr, files_of(parts))
        if self.dispatch.attempts.fail(
            self._clock(), ticket.id, failure, one.usage, stdout, client
        ):
            log.info(
                "task %d, ticket %d on %s failed: %s",
                ticket.task,
                ticket.id,
                ticket.host,
                failure.reason,
            )
