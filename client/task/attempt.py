"""One ticket being worked on: its own directory, its program in a process group of its own, what came of it.

Starts the program without a shell and ends it with all that it started; waiting for it is the loop's,
bringing its results to the master is delivery.py's.
"""

import errno
import os
import signal
import time
from operator import attrgetter
from typing import Any, Dict, List, Optional, Tuple

from ..host.anchor import shown
from ..host.originals import Original
from ..machine import facts, process_tree
from ..machine.out_of_memory import why_killed
from ..wire.task_record import Task, from_plain, to_plain
from .place import Place, Places
from .spawn import spawn

TERM_TIME = 5.0  # seconds between TERM and KILL
GIVE_UP = 3.0  # seconds for what a task left behind to die
WROTE = "the program changed %s, which is a read-only link to one file for all tasks: have it write to a copy"
LOST = "a program changed %s, which its tasks share"

RSS_UNIT = 1 if facts.platform_name().startswith("darwin") else 1024  # bytes
# Bytes that went to and from storage: other systems count something else there, and a kernel without it says 0.
BLOCK, IO_TOLD = 512, os.path.exists("/proc/self/io")


Given = Tuple[Tuple[Any, ...], bool, float, bool, Any]  # a task, is it sure, held since, is it prepared, originals
Told = Tuple[int, Tuple[Any, ...]]  # a ticket, and what came of it
Ended = Tuple[int, float, bool]  # a ticket, seconds, whether it failed
_told = attrgetter("reason", "exit_code", "usage", "packed", "prepared", "cleared", "lost", "dropped")
_NOTHING: Dict[str, Original] = {}


class CannotRun(Exception):
    """Why this task can't be run on this host, in one sentence."""


class Attempt:
    """One ticket, from the moment it was taken until its result is delivered or dropped."""

    def __init__(self, task: Task, base: str) -> None:
        self.task = task
        self.place = Place("%s/%d" % (base, task.ticket))
        self.folder, self.stdout, self.stderr = self.place.work, self.place.stdout, self.place.stderr
        self.slot = 0
        self.began = self.deadline = self.kill_at = self.give_up = 0.0  # monotonic seconds, 0: none
        self.tell_at = 0.0  # when the client may hear what came of it
        self.heard_at = 0.0  # when the client heard it
        self.stopped_at = 0.0  # since when it is paused by hand
        self.timed_out = self.dropped = False
        self.sure, self.held_at = True, 0.0  # whether it may begin without a ping that names it, held since then
        self.reason = ""  # why it failed
        self.exit_code: Optional[int] = None  # -N: killed by signal N
        self.usage: Dict[str, Any] = {}
        self.pid = 0  # the process of the program, whose group and session have the same number
        self.packed: Optional[List[Tuple[str, bytes]]] = None  # all that is to be said of it, when that is little
        self.prepared = self.cleared = False
        self.is_left_behind = False  # something that it started may still run
        self.is_watched = False  # somebody looks into its place
        self.has_left = False  # its slot is free; in the client
        self.originals = _NOTHING  # of its inputs that are fetched apart, by their keys
        self.linked: Tuple[Tuple[str, Original], ...] = ()  # names of its files that are links, with their originals
        self.is_suspect = False  # its task may have changed an original here: it gets originals of its own
        self.lost = ""  # why what came of it proves nothing: it is given back as if it had never been given out

    # -- from the client to a hand and back

    def given(self) -> Given:
        """What a hand has to know to work on it."""
        shared = self._shared() if self.originals or self.is_suspect else None
        return to_plain(self.task), self.sure, self.held_at, self.prepared, shared

    def _shared(self) -> Tuple[Any, ...]:
        linked = [(name, tuple(original)) for name, original in self.linked]
        return self.is_suspect, [tuple(one) for one in self.originals.values()], linked

    @classmethod
    def of(cls, given: Given, base: str) -> "Attempt":
        """The hand's own."""
        attempt = cls(from_plain(given[0]), base)
        attempt.sure, attempt.held_at, attempt.prepared, shared = given[1:]
        if shared:
            attempt.is_suspect = shared[0]
            attempt.originals = {one[0]: Original(*one) for one in shared[1]}
            attempt.linked = tuple((name, Original(*one)) for name, one in shared[2])
        return attempt

    def told(self) -> Told:
        """What the hand says of it, in the end or when it gives it back."""
        return self.task.ticket, _told(self)

    def ending_told(self) -> Ended:
        """What the hand says when its slot is free and its report is held back."""
        return self.task.ticket, float(self.usage.get("wall", 0.0)), bool(self.reason)

    def hear(self, came: Tuple[Any, ...]) -> None:
        """The client hears it; what it has dropped itself stays so."""
        self.reason, self.exit_code, self.usage, self.packed, self.prepared, self.cleared, self.lost, dropped = came
        self.dropped = self.dropped or dropped

    # -- its directory

    def unprepare(self) -> None:
        """Remove its directory: when it is prepared again, its originals may be other files."""
        self.place.remove()
        self.prepared, self.linked = False, ()

    def changed(self) -> List[Tuple[str, Original]]:
        """Return the originals that it is linked to and that somebody has changed, with the names of its files."""
        return [pair for pair in self.linked if not pair[1].is_right()]

    def judge(self) -> List[Original]:
        """Compare its originals once nothing of it runs any more. Return those that somebody has changed.

        What the program read may be wrong then: the attempt is lost. If the originals were its own, its program did it:
        the attempt has failed, and nothing is returned.
        """
        changed = self.changed()
        if changed and self.is_suspect:
            self.reason = WROTE % changed[0][0] + ("; " + self.reason if self.reason else "")
            return []
        self.lost = self.lost or LOST % changed[0][0] if changed else self.lost
        return [original for _, original in changed]

    def path_of(self, name: str) -> str:
        """Where a result's file is."""
        return {"stdout": self.stdout, "stderr": self.stderr}.get(name) or os.path.join(self.folder, name)

    def leave(self, places: Places) -> None:
        """The hand is done with it: what is to be said is packed, or the client reads the rest."""
        if self.packed and not (self.is_left_behind or self.is_watched or self.is_suspect or self.has_stdin):
            self.cleared = places.put(self.place)
        else:
            self.place.close()

    def clear(self) -> None:
        """Nothing of it stays on the host."""
        if not self.cleared:
            self.place.remove()
        self.cleared = True

    # -- its program

    def start(self, environment: Dict[bytes, bytes], slot: int) -> None:
        """Start the program. Raises CannotRun when there is none that can be started."""
        self.slot = slot
        variables = environment.copy()
        variables[b"SPE_TICKET"], variables[b"SPE_SLOT"] = b"%d" % self.task.ticket, b"%d" % slot
        variables[b"SPE_TASK"] = self.task.number.encode() or variables[b"SPE_TICKET"]
        variables.update(self.task.env)
        self.began = time.monotonic()
        try:
            self.pid = self._spawn(variables)
        except (OSError, ValueError) as fault:
            raise CannotRun(self._why_not(fault))
        if self.task.timeout > 0:
            self.deadline = self.began + self.task.timeout

    def _spawn(self, variables: Dict[bytes, bytes]) -> int:
        files = self.place.outputs()
        if not self.has_stdin:
            return spawn(self.task.words, self.folder, variables, files)
        files[0] = os.open(self.place.stdin, os.O_RDONLY)
        try:
            return spawn(self.task.words, self.folder, variables, files)
        finally:
            os.close(files[0])

    @property
    def has_stdin(self) -> bool:
        """Whether the sweep feeds it."""
        return bool(self.task.inputs) and any(one.name == "stdin" for one in self.task.inputs)

    def _why_not(self, fault: Exception) -> str:
        name, host = os.fsdecode(self.task.words[0]), facts.host_name()
        if isinstance(fault, FileNotFoundError):
            if os.path.exists(os.path.join(self.folder, name)) and "/" in name:
                return "program '%s': the interpreter that its first line names is not found on host %s" % (name, host)
            return "program '%s' not found on host %s" % (name, host)
        if isinstance(fault, PermissionError):
            return "program '%s' is not executable on host %s (its mode, or a noexec file system)" % (name, host)
        return "program '%s' cannot be started on host %s: %s" % (name, host, getattr(fault, "strerror", None) or fault)

    def stop(self) -> None:
        """Ask the whole tree to end; the loop kills it when it has not after a while."""
        if not self.kill_at:
            self.kill_at = time.monotonic() + TERM_TIME
            process_tree.send_tree(self.pid, signal.SIGTERM)
            process_tree.send_tree(self.pid, signal.SIGCONT)  # a stopped program could not even hear it

    @property
    def due(self) -> float:
        """When it is to be stopped, or killed; 0: never, or not while it is paused."""
        return self.kill_at or (0.0 if self.stopped_at else self.deadline)

    def signal(self, number: int) -> None:
        """STOP or CONT for the whole tree; the time that it is stopped does not count for its timeout."""
        now = time.monotonic()
        if number == signal.SIGSTOP:
            self.stopped_at = self.stopped_at or now
        elif self.stopped_at:
            self.deadline += now - self.stopped_at if self.deadline else 0.0
            self.stopped_at = 0.0
        process_tree.send_tree(self.pid, number)

    def kill(self) -> None:
        """End the whole tree now."""
        process_tree.send_tree(self.pid, signal.SIGKILL)

    def ended(self, status: int, usage: Any) -> None:
        """The program is no more: what came of it."""
        now = time.monotonic()
        wall, self.give_up = now - self.began, now + GIVE_UP
        signaled = os.WIFSIGNALED(status)
        self.exit_code = -os.WTERMSIG(status) if signaled else os.WEXITSTATUS(status)
        # The peak is never less than our own size: the kernel counts the moment before the program replaced us.
        memory = usage.ru_maxrss * RSS_UNIT
        self.usage = {"wall": wall, "user": usage.ru_utime, "system": usage.ru_stime, "memory": memory}
        if IO_TOLD:
            self.usage["read"], self.usage["written"] = usage.ru_inblock * BLOCK, usage.ru_oublock * BLOCK
        if self.timed_out:
            self.reason = "timeout after %g s" % self.task.timeout
        elif signaled:
            self.reason = "killed by signal %d (%s)" % (-self.exit_code, signal_name(-self.exit_code))
        elif self.exit_code:
            self.reason = "exit code %d" % self.exit_code

    def is_short(self) -> bool:
        """Whether what came of it can wait for others."""
        return 0.0 < float(self.usage.get("wall", 0.0)) < SHORT

    def conclude(self, full: bool) -> None:
        """What the system says beside, once the slot is in use again; `full`: it has no room for files."""
        if self.exit_code is None or self.timed_out:
            return
        self.reason += why_killed(self.exit_code)
        if full:  # then a file may be cut short, though the program did not care
            text = "%s in %s on host %s" % (os.strerror(errno.ENOSPC), shown(self.folder), facts.host_name())
            self.reason = "%s (%s)" % (self.reason, text) if self.reason else text


def is_full(path: str) -> bool:
    """Whether nothing more can be written there, as far as the system tells."""
    try:
        disk = os.statvfs(path)
    except OSError:
        return False
    return disk.f_blocks > 0 and (disk.f_bavail if os.geteuid() else disk.f_bfree) == 0


def signal_name(number: int) -> str:
    """SIGKILL for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "SIG%d" % number


SHORT = 0.03  # seconds; what comes of shorter tasks is gathered
