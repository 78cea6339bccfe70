"""From a ticket to what its client runs; a task that cannot be computed as its identity says is left out."""

from __future__ import annotations

import logging

from ..dispatch.dispatch import Dispatch
from ..dispatch.shortfall import Shortfall
from ..errors import SpeError
from ..model import Note, Task, Ticket, Work
from ..session.run_folder import Folder, stands
from ..sweep.recipe import InputChanged
from .brief import Brief, Record

log = logging.getLogger("spe.desk")


class NotToday(SpeError):
    """The identity of a task is not the identity of what would be handed out for it: a fault of spe's own."""


class WorkMaker:
    """Makes the work of each ticket anew when it is handed out, so that a million sets need no memory for it."""

    def __init__(self, brief: Brief, dispatch: Dispatch, folder: Folder, shortfall: Shortfall) -> None:
        """`folder` is runs/<name>/; `shortfall` is told of sets that will wait at the end."""
        self.brief, self.dispatch, self.folder, self.shortfall = brief, dispatch, folder, shortfall

    def work_of(self, task: Task) -> Work:
        """Return what a client runs for this task.

        Raises NotToday where that would not be what its identity says.
        """
        try:
            same = not task.key or self.brief.key(task.values) == task.key
        except KeyError:  # its parameters have other names
            same = False
        if not same:
            raise NotToday(f"task {task.number} is none of today's sets")
        return self.brief.work(task.values)

    def record(self, ticket: Ticket) -> Record | None:
        """Return what is handed out for this ticket; None, and the ticket has gone back, when it cannot be made."""
        task = self.dispatch.tasks[ticket.task]
        try:
            return Record(ticket, task, self.work_of(task))
        except SpeError as error:
            self._refuse(ticket, task, error)
            return None

    def _refuse(self, ticket: Ticket, task: Task, error: SpeError) -> None:
        if not stands(self.folder):
            # The whole sweep was moved, its input files with it: that is no failure of this task.
            self.dispatch.give_back(ticket.id, ticket.client)
            self.dispatch.draining = True
        elif isinstance(error, InputChanged | NotToday):
            self._leave_out(ticket, task, error)
        else:
            log.error("task %d cannot be handed out: %s", task.number, error)
            self.dispatch.give_up(task, str(error).replace("\n", " "))

    def _leave_out(self, ticket: Ticket, task: Task, error: SpeError) -> None:
        """Let this task wait for the next run: a result of today would stand under the identity of another set."""
        log.info("task %d is not handed out: %s", task.number, error)
        if len(task.tickets) > 1:  # it runs elsewhere, since before
            self.dispatch.give_back(ticket.id, ticket.client)
            return
        first = error.line not in self.dispatch.left_out.values()
        self.dispatch.leave_out(task, error.line)
        self.shortfall.note(f"{error.where}: {error.what}" if error.where else error.what, 1)
        if first:
            self.dispatch.notes.append(Note(f"{error.line} Until then they wait.", "left_out"))
