"""What the desk knows of the sweep, and what it gives to clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..model import ResultSpec, Setup, Task, Ticket, Work, WorkerFile
from ..record import record


@record
class Brief:
    """The facts of one sweep that the desk needs. They stay the same for a whole run."""

    setup: Setup
    results: tuple[ResultSpec, ...]
    work: Callable[[Mapping[str, str]], Work]  # parameter values -> what to run
    key: Callable[[Mapping[str, str]], bytes]  # parameter values -> identity of the set
    shell: Callable[[str, str], str | None]  # (host, platform) -> set-up snippet
    platform_file: Callable[[str], WorkerFile | None]  # platform -> executable of the worker
    keep_output: bool = False  # of each attempt all of stdout and stderr


@record
class Welcome:
    """The facts for one client that has just registered, beside those that are the same for all clients."""

    client: str  # its ID
    file: WorkerFile | None  # the worker for its platform
    shell: str | None  # its set-up snippet


@record
class Record:
    """One ticket that is handed out, with its task and what to run."""

    ticket: Ticket
    task: Task
    work: Work
