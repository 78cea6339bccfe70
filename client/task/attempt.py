"""An attempt at a task: its place, its program in a process group of its own, what came of it.

An attempt starts its program without a shell and ends it with all that the program started. Waiting
for the program is the hand's part; delivery.py brings what came of it to the master.
"""

import errno
import os
import signal
import time
from typing import Any, Dict, List, Optional, Tuple

from ..host import login_shell
from ..host.anchor import shown
from ..machine import facts, process_tree
from ..machine.out_of_memory import why_killed
from ..shared.originals import Original
from ..software.software import Container
from ..wire.task_record import Task, from_plain, to_plain
from .container import inside
from .place import FreePlaces, TaskPlace
from .spawn import NOT_FOUND, program_not_found, spawn, why_not_started

TERM_TIME = 5.0  # seconds between TERM and KILL
GIVE_UP = 3.0  # seconds for what a task left behind to die
SHORT = 0.03  # seconds; what comes of shorter tasks is gathered
WROTE = (
    "the program changed %s, which is a read-only link to one file for all tasks: "
    "have it write to a copy (of an input: add `copy: true`, then `spe retry`)"
)
LOST = "a program changed %s, which its tasks share"
RSS_UNIT = 1 if facts.platform_name().startswith("darwin") else 1024  # bytes
# Other systems count something else in these fields; a kernel without accounting says 0.
IO_IS_COUNTED = os.path.exists("/proc/self/io")
BLOCK = 512  # bytes: getrusage counts blocks of this size

# To a hand: a task, is it sure, held since, is it prepared, originals.
Given = Tuple[Tuple[Any, ...], bool, float, bool, Any]
Told = Tuple[int, Tuple[Any, ...]]  # from a hand: a ticket, and what came of it
Ended = Tuple[int, float, bool]  # from a hand: a ticket, seconds, whether it failed
_NOTHING: Dict[str, Original] = {}


class CannotRun(Exception):
    """The reason, in one sentence, why a task cannot be run on this host."""


class Attempt:
    """A ticket, from the answer that brought it until its result is delivered or dropped.

    There are two objects of each attempt: the client's, and that of the hand which runs it. What
    one has to know of the other goes over the channel: `given`, `told`, `ending_told`.
    """

    def __init__(self, task: Task, base: str) -> None:
        """Know the task; nothing is made on the disk yet. `base` is the folder of the client."""
        self.task = task
        self.place = TaskPlace("%s/%d" % (base, task.ticket))
        self.folder = self.place.work
        self.stdout, self.stderr = self.place.stdout, self.place.stderr
        self.slot = 0
        # Monotonic seconds, 0: none.
        self.began = self.deadline = self.kill_at = self.give_up = 0.0
        self.tell_at = 0.0  # time from which the client may hear the outcome
        self.heard_at = 0.0  # time at which the client heard the outcome
        self.stopped_at = 0.0  # since when it is paused by a person
        self.sure = True  # True: it may begin without a ping that names it
        self.held_at = 0.0  # clock time since when the ticket is held
        self.reason = ""  # reason of the failure
        self.exit_code: Optional[int] = None  # -N: killed by signal N
        self.usage: Dict[str, Any] = {}
        self.pid = 0  # the process of the program, whose group and session have the same number
        self.packed: Optional[List[Tuple[str, bytes]]] = None  # all that is to be said, when little
        self.timed_out = self.dropped = self.prepared = self.cleared = False
        self.is_left_behind = False  # something that it started may still run
        self.is_watched = False  # a person looks into its place
        self.has_left = self.keep_files = False  # slot is free, files are wanted; in the client
        self.originals = _NOTHING  # originals of inputs that are fetched apart, by their keys
        self.linked: Tuple[Tuple[str, Original], ...] = ()  # names of links, with their originals
        # The task may have changed an original here: it gets originals of its own.
        self.is_suspect = False
        # Reason why the outcome proves nothing: the ticket is given back as if it had never been given out.
        self.lost = ""

    # -- from the client to a hand and back

    def given(self) -> Given:
        """Return what a hand has to know to work on it, as plain data."""
        shared = self._shared() if self.originals or self.is_suspect else None
        return to_plain(self.task), self.sure, self.held_at, self.prepared, shared

    def _shared(self) -> Tuple[Any, ...]:
        linked = [(name, tuple(original)) for name, original in self.linked]
        return self.is_suspect, [tuple(one) for one in self.originals.values()], linked

    @classmethod
    def of(cls, given: Given, base: str) -> "Attempt":
        """Return the hand's object of what the client has given."""
        attempt = cls(from_plain(given[0]), base)
        attempt.sure, attempt.held_at, attempt.prepared, shared = given[1:]
        if shared:
            attempt.is_suspect = shared[0]
            attempt.originals = {one[0]: Original(*one) for one in shared[1]}
            attempt.linked = tuple((name, Original(*one)) for name, one in shared[2])
        return attempt

    def told(self) -> Told:
        """Return what the hand says of it, in the end or when it gives it back."""
        # A plain tuple: operator.attrgetter takes twice the time of these lookups.
        came = (self.reason, self.exit_code, self.usage, self.packed)
        return self.task.ticket, (*came, self.prepared, self.cleared, self.lost, self.dropped)

    def ending_told(self) -> Ended:
        """Return what the hand says when the slot is free and the report is held back."""
        return self.task.ticket, float(self.usage.get("wall", 0.0)), bool(self.reason)

    def hear(self, came: Tuple[Any, ...]) -> None:
        """Take over what the hand says of it. What the client has dropped itself stays dropped."""
        self.reason, self.exit_code, self.usage, self.packed = came[:4]
        self.prepared, self.cleared, self.lost, dropped = came[4:]
        self.dropped = self.dropped or dropped

    # -- its directory

    def unprepare(self) -> None:
        """Remove its directory: when it is prepared again, its originals may be other files."""
        self.place.remove()
        self.prepared = False
        self.linked = ()

    def give_back(self) -> None:
        """Hold nothing open, so that another hand can begin it. A directory with links is removed.

        The other hand could not know which original a link leads to.
        """
        if self.linked:
            self.unprepare()
        else:
            self.place.close()

    def changed(self, with_trees: bool = True) -> List[Tuple[str, Original]]:
        """Return (file name, original) of the originals that it links to and that were changed."""
        look = [pair for pair in self.linked if with_trees or not pair[1].is_tree]
        return [pair for pair in look if not pair[1].is_right()]

    def judge(self) -> List[Original]:
        """Compare its originals, once nothing of it runs any more. Return those that were changed.

        What the program read may be wrong then: the attempt is lost. If the originals were its own,
        its program did it: the attempt has failed, and nothing is returned.
        """
        changed = self.changed()
        if not changed:
            return []
        name = changed[0][0]
        if self.is_suspect:
            also = "; " + self.reason if self.reason else ""
            self.reason = WROTE % name + also
            return []
        self.lost = self.lost or LOST % name
        return [original for _, original in changed]

    def path_of(self, name: str) -> str:
        """Return the path of a result's file."""
        if name == "stdout":
            return self.stdout
        if name == "stderr":
            return self.stderr
        return os.path.join(self.folder, name)

    def leave(self, places: FreePlaces, may_keep: bool = False) -> None:
        """Be done with it in the hand. Its place is free for another ticket if nobody needs it.

        The client reads what is not packed. `may_keep`: the master may ask for the files.
        """
        is_needed = may_keep or self.is_left_behind or self.is_watched or self.is_suspect
        if self.packed and not (is_needed or self.has_stdin):
            self.cleared = places.put(self.place)
        else:
            self.place.close()

    def clear(self) -> None:
        """Remove all of it from the host."""
        if not self.cleared:
            self.place.remove()
        self.cleared = True

    # -- its program

    def start(
        self, environment: Dict[bytes, bytes], slot: int, container: Optional[Container] = None
    ) -> None:
        """Start the program. Raises CannotRun when there is none that can be started."""
        self.slot = slot
        words, ticket = self.task.words, b"%d" % self.task.ticket
        own = {b"SPE_TICKET": ticket, b"SPE_SLOT": b"%d" % slot}
        own[b"SPE_TASK"] = self.task.number.encode() or ticket
        own.update(self.task.env)
        variables = {**environment, **own}
        if container:
            words, more = inside(container, words, os.path.abspath(self.folder), own)
            variables.update(more)
        self.began = time.monotonic()
        try:
            self.pid = self._spawn(words, variables)
        except (OSError, ValueError) as fault:
            raise CannotRun(why_not_started(words[0], self.folder, fault))
        if self.task.timeout > 0:
            self.deadline = self.began + self.task.timeout

    def _spawn(self, words: List[bytes], variables: Dict[bytes, bytes]) -> int:
        files = self.place.outputs()
        if not self.has_stdin:
            return spawn(words, self.folder, variables, files)
        files[0] = os.open(self.place.stdin, os.O_RDONLY)
        try:
            return spawn(words, self.folder, variables, files)
        finally:
            os.close(files[0])

    @property
    def has_stdin(self) -> bool:
        """Tell whether the sweep gives the program something to read."""
        return bool(self.task.inputs) and any(one.name == "stdin" for one in self.task.inputs)

    def stop(self) -> None:
        """Ask the whole tree to end with TERM. The hand kills it after TERM_TIME (timeouts.py)."""
        if not self.kill_at:
            self.kill_at = time.monotonic() + TERM_TIME
            process_tree.send_tree(self.pid, signal.SIGTERM)
            # A stopped program could not even hear it.
            process_tree.send_tree(self.pid, signal.SIGCONT)

    @property
    def due(self) -> float:
        """Return when it is to be stopped, or killed; 0 for never, or not while it is paused."""
        return self.kill_at or (0.0 if self.stopped_at else self.deadline)

    def signal(self, number: int) -> None:
        """Send STOP or CONT to the whole tree. Time in which it is stopped counts for no timeout."""
        now = time.monotonic()
        if number == signal.SIGSTOP:
            self.stopped_at = self.stopped_at or now
        elif self.stopped_at:
            if self.deadline:
                self.deadline += now - self.stopped_at
            self.stopped_at = 0.0
        process_tree.send_tree(self.pid, number)

    def kill(self) -> None:
        """End the whole tree now."""
        process_tree.send_tree(self.pid, signal.SIGKILL)

    def ended(self, status: int, usage: Any) -> None:
        """Note what came of the program, which has ended: its status and usage as of `os.wait4`."""
        now = time.monotonic()
        self.give_up = now + GIVE_UP
        # The peak is never less than our own size: the kernel counts the moment before the program
        # replaced us.
        memory = usage.ru_maxrss * RSS_UNIT
        self.usage = {
            "wall": now - self.began,
            "user": usage.ru_utime,
            "system": usage.ru_stime,
            "memory": memory,
        }
        if IO_IS_COUNTED:
            self.usage["read"] = usage.ru_inblock * BLOCK
            self.usage["written"] = usage.ru_oublock * BLOCK
        is_killed = os.WIFSIGNALED(status)
        self.exit_code = -os.WTERMSIG(status) if is_killed else os.WEXITSTATUS(status)
        if self.timed_out:
            digits = 2 if self.task.timeout >= 1 else 4  # a multiple of a median has many
            self.reason = "timeout after %g s" % round(self.task.timeout, digits)
        elif is_killed:
            number = -self.exit_code
            self.reason = "killed by signal %d (%s)" % (number, process_tree.signal_name(number))
        elif self.exit_code:
            self.reason = "exit code %d" % self.exit_code

    def is_short(self) -> bool:
        """Tell whether it took so little time that its report can wait for others."""
        return 0.0 < float(self.usage.get("wall", 0.0)) < SHORT

    def conclude(self, full: bool) -> None:
        """Add to the reason what the system says beside, once the slot is in use again.

        `full`: the disk has no room for files.
        """
        if self.exit_code is None or self.timed_out:
            return
        self.reason += why_killed(self.exit_code)
        if self.exit_code == NOT_FOUND:
            self.reason += login_shell.advice(program_not_found(self.stderr))
        if full:  # a file may be cut short, even if the program did not notice
            where = (os.strerror(errno.ENOSPC), shown(self.folder), facts.name_for_people())
            text = "%s in %s on host %s" % where
            self.reason = "%s (%s)" % (self.reason, text) if self.reason else text
