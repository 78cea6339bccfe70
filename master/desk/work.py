"""The facts of a sweep that the desk needs, and the work that it makes of them for each ticket.

A task that cannot be computed as its identity says is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from ..dispatch.dispatch import Dispatch
from ..dispatch.shortfall import Shortfall
from ..errors import SpeError
from ..model import Note, ResultSpec, Setup, Task, Ticket, Work, WorkerFile
from ..record import record
from ..session.run_folder import Folder, stands
from ..sweep.inputs.files import InputChanged

log = logging.getLogger("spe.desk")


@record
class Brief:
    """The facts of one sweep that the desk needs. They stay the same for a whole run."""

    setup: Setup
    results: tuple[ResultSpec, ...]
    work: Callable[[Mapping[str, str]], Work]  # parameter values -> what to run
    key: Callable[[Mapping[str, str]], bytes]  # parameter values -> identity of the set
    shell: Callable[[str, str], str | None]  # (host, platform) -> set-up snippet
    platform_file: Callable[[str], WorkerFile | None]  # platform -> executable of the worker
    keep_output: bool = False  # True: all of stdout and stderr, not the last 64 kB alone
    # Parameter values -> results of the set; None: they are the same for all sets.
    results_of: Callable[[Mapping[str, str]], tuple[ResultSpec, ...]] | None = None


@record
class Welcome:
    """The facts for one client that has just registered, beside those for all clients."""

    client: str  # ID of the client
    file: WorkerFile | None  # the worker for its platform
    shell: str | None  # set-up snippet of the host


@record
class TaskRecord:
    """A ticket that is handed out, with its task and what to run."""

    ticket: Ticket
    task: Task
    work: Work


class NotToday(SpeError):
    """The identity of a task is not the identity of what would be handed out for it.

    That is a fault of spe's own.
    """


class WorkMaker:
    """Makes the work of each ticket when it is handed out: a million sets need no memory for it."""

    def __init__(
        self, brief: Brief, dispatch: Dispatch, folder: Folder, shortfall: Shortfall
    ) -> None:
        """`folder` is runs/<name>/; `shortfall` is told of sets that will wait at the end."""
        self.brief, self.dispatch, self.folder, self.shortfall = brief, dispatch, folder, shortfall

    def work_of(self, task: Task) -> Work:
        """Return what a client runs for this task.

        Raises NotToday where that would not be what its identity says.
        """
        try:
            same = not task.key or self.brief.key(task.values) == task.key
        except KeyError:  # the parameters of an older set have other names
            same = False
        if not same:
            raise NotToday(f"task {task.number} is none of today's sets")
        return self.brief.work(task.values)

    def record(self, ticket: Ticket) -> TaskRecord | None:
        """Return what is handed out for this ticket.

        When it cannot be made, return None: the ticket has gone back by then.
        """
        task = self.dispatch.board.tasks[ticket.task]
        try:
            return TaskRecord(ticket, task, self.work_of(task))
        except SpeError as error:
            self._refuse(ticket, task, error)
            return None

    def _refuse(self, ticket: Ticket, task: Task, error: SpeError) -> None:
        if not stands(self.folder):
            # The whole sweep was moved, its input files with it: that is no failure of this task.
            self.dispatch.handout.give_back(ticket.id, ticket.client)
            self.dispatch.board.draining = True
        elif isinstance(error, InputChanged | NotToday):
            self._leave_out(ticket, task, error)
        else:
            log.error("task %d cannot be handed out: %s", task.number, error)
            self.dispatch.attempts.give_up(task, str(error).replace("\n", " "))

    def _leave_out(self, ticket: Ticket, task: Task, error: SpeError) -> None:
        """Let this task wait for the next run.

        A result of today would stand under the identity of another set.
        """
        log.info("task %d is not handed out: %s", task.number, error)
        if len(task.tickets) > 1:  # the task runs elsewhere, since before
            self.dispatch.handout.give_back(ticket.id, ticket.client)
            return
        first = error.line not in self.dispatch.board.left_out.values()
        self.dispatch.board.leave_out(task, error.line)
        why = error.what
        if error.where:
            why = f"{error.where}: {why}"
        self.shortfall.note(why, 1)
        if first:
            self.dispatch.board.notes.append(
                Note(f"{error.line} Until then they wait.", "left_out")
            )
