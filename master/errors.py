"""The tree of errors that users see.

Each one says what happened, where, and what to do now; the command line prints it in one to three
lines and ends with its exit code. Any other exception is a fault of spe's own and shown as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class SpeError(Exception):
    """A fault that a person can do something about.

    what: one sentence. where: file, line, key, host or task. todo: the next step, in one sentence.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what, where, todo)
        self.what, self.where, self.todo = what, where, todo

    def __str__(self) -> str:
        return "\n  ".join(filter(None, (self._headline, self.todo)))

    @property
    def line(self) -> str:
        """The whole error in one line, for logs and tables."""
        text = ". ".join(filter(None, (self._headline, self.todo)))
        # `what` may be a traceback or a program's last words, with newlines in them
        return " ".join(text.split())

    @property
    def _headline(self) -> str:
        return ": ".join(filter(None, (self.where, self.what)))


class ConfigError(SpeError):
    """A spe.yaml, parameter file, hosts file or hooks.py is not what it should be. Nothing was run."""


class UsageError(SpeError):
    """The command line asks for something that is impossible."""


class StoreError(SpeError):
    """The runs folder or its database cannot be used."""


class NotStored(StoreError):
    """The user ended the run twice while its disk was full: `what` says what is not stored."""

    exit_code = 130  # as of a shell: ended by SIGINT (2)


class BusyError(SpeError):
    """Another spe is working on this sweep."""


# A prefix of the message and not a class of its own: its callers differ in their words alone.
NOTHING_RUNS = "nothing could run: "


class NothingRuns(SpeError):
    """No host is left. `what` begins with NOTHING_RUNS when no host ever came up.

    faults: the reasons why hosts are not up, by their names.
    """

    exit_code = 3

    def __init__(
        self, what: str, *, todo: str = "", faults: Mapping[str, LaunchError] | None = None
    ) -> None:
        super().__init__(what, todo=todo)
        self.faults = dict(faults or {})


class HookError(SpeError):
    """A function of hooks.py raised, hung or died; the traceback is in `what`."""


class Fault(StrEnum):
    """Names of all that can be wrong with a host; `spe run` and `spe doctor` use the same ones.

    Programs read them in the output of `--json`, so a value never changes.
    """

    NAME = "name not found"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    LOGIN = "login failed"
    UNKNOWN_KEY = "host key unknown"
    CHANGED_KEY = "host key changed"
    HOST_KEY = "host key"  # anything else about it
    NO_PYTHON = "no python3"
    OLD_PYTHON = "python too old"
    DISK_FULL = "disk full"
    INODES_FULL = "inodes full"
    HOME = "home not writable"
    WORKDIR = "workdir not writable"
    OTHERS = "workdir writable by others"
    NO_EXEC = "workdir runs no programs"
    COPY = "copy failed"
    NO_WORKER = "no worker"
    SOFTWARE = "software"  # its environment, image or prepared folder
    NO_PROGRAM = "program not found"  # only `spe doctor`: a run names it as a task's failure
    UNREACHABLE = "master not reachable"
    START = "start failed"
    NO_COMMANDS = "login runs nothing"
    NO_STAY = "client does not stay"
    ENDED = "client ended"  # a client that had worked has ended, perhaps by a fault of its own
    KILLED = "client killed"
    LOST = "connection lost"
    PROCESSES = "no more processes"
    # A host works in spite of these: only `spe doctor` names them.
    CLOCK = "clock off"
    LOADED = "loaded by others"
    SHARED = "shared with others"  # with their clients of spe
    SLOW = "slow answer"


class LaunchError(SpeError):
    """A host did not come up. `fault` names the kind; the other hosts go on.

    broke_off: the host had answered before its connection broke or fell silent, so another try may
    succeed.
    """

    def __init__(
        self,
        fault: Fault,
        what: str,
        *,
        where: str = "",
        todo: str = "",
        broke_off: bool = False,
    ) -> None:
        super().__init__(f"{fault}: {what}", where=where, todo=todo)
        self.fault = fault
        self.broke_off = broke_off or fault is Fault.LOST

    @property
    def detail(self) -> str:
        """The text of `what`, without the name of the fault."""
        return self.what.removeprefix(f"{self.fault}: ")


class SilentStart(LaunchError):
    """A start that failed while the host gave no reason; `detail` has what is known of it."""


class HostBenched(LaunchError):
    """A host that is not started any more in this run, because its starts failed."""


class Lost(Exception):
    """Received data is neither on the disk nor in memory: its sender must send it again."""
