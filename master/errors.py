"""The tree of errors that users see.

Each one says what happened, where, and what to do now; the command line prints it in one to three
lines and ends with its exit code. What is not one of these is a fault of spe's own and shown as such.
"""

from __future__ import annotations

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
        first = f"{self.where}: {self.what}" if self.where else self.what
        return f"{first}\n  {self.todo}" if self.todo else first

    @property
    def line(self) -> str:
        """All of it in one line."""
        first = f"{self.where}: {self.what}" if self.where else self.what
        return " ".join((f"{first}. {self.todo}" if self.todo else first).split())


class ConfigError(SpeError):
    """spe.yaml, a parameter file, a hosts file or hooks.py is not what it should be. Nothing was run."""


class UsageError(SpeError):
    """The command line asks for something that cannot be."""


class StoreError(SpeError):
    """The runs folder or its database cannot be used."""


class NotStored(StoreError):
    """The run was told twice to end while its disk took nothing more: `what` says what is not stored."""

    exit_code = 130


class BusyError(SpeError):
    """Another spe works on this sweep now."""


NOTHING_RUNS = "nothing could run: "


class NothingRuns(SpeError):
    """No host is there. Where none ever came up, so that nothing was done, its `what` begins with NOTHING_RUNS."""

    exit_code = 3


class HookError(SpeError):
    """A function of hooks.py raised, hung or died; the traceback is in `what`."""


class Fault(StrEnum):
    """What can be wrong with a host, each by its own name; `spe run` and `spe doctor` use the same ones."""

    NAME = "name not found"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    LOGIN = "login failed"
    UNKNOWN_KEY = "host key unknown"
    CHANGED_KEY = "host key changed"
    HOST_KEY = "host key"  # what else can be wrong with it
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
    UNREACHABLE = "master not reachable"
    START = "start failed"
    NO_COMMANDS = "login runs nothing"
    NO_STAY = "client does not stay"
    ENDED = "client ended"  # one that had worked, also by a fault of its own
    KILLED = "client killed"
    LOST = "connection lost"
    # with these a host works all the same: only `spe doctor` names them
    CLOCK = "clock off"
    LOADED = "loaded by others"
    SLOW = "slow answer"


class LaunchError(SpeError):
    """A host did not come up. `fault` names the kind; the other hosts go on.

    broke_off: it had answered, and then the connection broke or fell silent, so that another try may do better.
    """

    def __init__(
        self, fault: Fault, what: str, *, where: str = "", todo: str = "", broke_off: bool = False
    ) -> None:  # fmt: skip
        super().__init__(f"{fault}: {what}", where=where, todo=todo)
        self.fault, self.broke_off = fault, broke_off or fault is Fault.LOST

    @property
    def detail(self) -> str:
        """`what` without the name of the fault."""
        return self.what.removeprefix(f"{self.fault}: ")


class SilentStart(LaunchError):
    """A start that came to nothing without a word why. Its `detail` is what is known of it."""


class HostBenched(LaunchError):
    """A host that is not started any more in this run, as its starts came to nothing."""


class Lost(Exception):
    """What was received is not on the disk and not in memory: it must be sent again."""
