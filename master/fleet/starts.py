"""The starts of one host in a run, and what follows from the end of each.

The host is started again, started again with its SSH session held open, or benched. A start *comes
to nothing* when it ends without a word why, or when its client is gone a short time after it had
registered. Where processes are killed once their user has logged out, an SSH session that stays
open cures that. A task may be to blame, too: so the start that decides is a trial, in which the
client gets no task until it has stayed for a moment. Pure: upkeep.py acts on it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..errors import Fault, HostBenched, LaunchError, SilentStart
from ..launch.faults import todo
from ..text import named

HOLD_AFTER = 2  # brief starts in a row after which the session is held
BENCH_AFTER = 3  # brief starts in a row after which the host is benched
MOST_UNFINISHED = 10  # starts in a row whose clients had tasks and finished none
TRIAL = 10.0  # seconds that a client has to stay before it gets a task
# Seconds: some sites look every few minutes for processes of users who are not logged in.
SHORT = 300.0
AGAIN_FIRST, AGAIN_MOST = 2.0, 60.0  # seconds until a host is started again
MOST_HUNG = 3  # starts of a host that hangs: each of them may leave something there that hangs on
# Starts in a row, a minute in all, until a host that never came up is not waited for any more.
MOST_LOST = 6


@dataclass(slots=True)
class Starts:
    """The starts of one host: from the first to the end of the run, or until `spe hosts use`."""

    by_ssh: bool = True  # False: a child process on this machine has no session to hold
    brief: int = 0  # starts in a row whose client was gone in a short time, or never came
    unfinished: int = 0  # the last ones of them in which no task was finished
    suspects: frozenset[int] = frozenset()  # the sets that ran at the end of each start
    stayed: bool = False  # a client has passed its trial: what ends the next ones may well be tasks
    blameless: bool = False  # in the last one there was no task that may have killed the client
    tries: int = 0  # starts that failed since a client of this host was up
    holds: bool = False  # the session of the start is held open, for the rest of the run
    reached: bool = (
        False  # the host has answered and was lost: worth trying as long as there is work
    )
    _pause: float = AGAIN_FIRST

    def came_up(self) -> None:
        """Note that a client has registered."""
        self.tries, self.reached = 0, True

    def failed(self, error: LaunchError) -> bool:
        """Note a start that failed with a fault. Return whether it is worth another try."""
        self.tries += 1
        self.reached = self.reached or error.fault is Fault.LOST
        return self.reached or (error.broke_off and self.tries < MOST_HUNG)

    def was_silent(self, had_tasks: bool = False) -> None:
        """Note a start that came to nothing.

        `had_tasks`: a client of it was there all the same, and had tasks.
        """
        self.tries += 1
        self._note_brief(had_tasks, finished=False)

    def lived(
        self, seconds: float, had_tasks: bool, finished: bool, ran: Collection[int] = ()
    ) -> None:
        """Note that a client is gone, `seconds` after it had registered.

        `had_tasks`, `finished`: whether it had, or finished, any. `ran`: the sets that ran there at
        its end.
        """
        if seconds < SHORT:
            self._note_brief(had_tasks, finished, ran)
        else:
            self.lives_on()
            self._pause = AGAIN_FIRST

    def lives_on(self) -> None:
        """Note that the client that was thought to be gone still runs."""
        self.brief = self.unfinished = 0

    def was_cut_short(self) -> None:
        """Note an end that says nothing about the host: this master heard nobody."""
        self._pause = AGAIN_FIRST

    def _note_brief(self, had_tasks: bool, finished: bool, ran: Collection[int] = ()) -> None:
        self.brief += 1
        if self.unfinished and not finished:
            self.suspects = self.suspects.intersection(ran)
        else:
            self.suspects = frozenset(ran)
        self.unfinished = 0 if finished else self.unfinished + 1
        self.blameless = not had_tasks

    def turns_to_holding(self) -> bool:
        """Return True once: when the session is held from the next start on."""
        if self.holds or self.brief < HOLD_AFTER or not self.by_ssh:
            return False
        self.holds = True
        return True

    @property
    def is_trial(self) -> bool:
        """True when the client of the next start gets no task until it has stayed TRIAL seconds."""
        return self.holds and self.brief >= HOLD_AFTER and not self.stayed

    @property
    def is_hopeless(self) -> bool:
        """True when no further start is made."""
        if self.blameless and self.brief >= BENCH_AFTER:
            return True
        return self.unfinished >= MOST_UNFINISHED

    @property
    def is_not_waited_for(self) -> bool:
        """True when a run that has no other host ends: this one has been lost too often."""
        return self.tries >= MOST_LOST

    def next_pause(self) -> float:
        """Return the seconds to wait before the next start; longer each time."""
        pause = self._pause
        self._pause = min(2 * pause, AGAIN_MOST)
        return pause


def left_early(host: str, seconds: float, held: bool, why: str = "") -> SilentStart:
    """Return the error of a client that was gone `seconds` after it had registered.

    `why`: how it ended, known of a child process.
    """
    if why:
        return SilentStart(Fault.NO_STAY, why, where=host)
    kept = "after the SSH session of its start had ended"
    if held:
        kept = "although its SSH session was held open"
    gone = f"its client was gone {seconds:.0f} s after it had registered, {kept}"
    return SilentStart(Fault.NO_STAY, gone, where=host, todo=todo(Fault.NO_STAY, host))


def never_came(host: str, seconds: float) -> SilentStart:
    """Return the error of a start that ended well and of which no client has come."""
    what = f"it was started, and no client of it has registered within {seconds:.0f} s"
    return SilentStart(Fault.NO_STAY, what, where=host, todo=todo(Fault.NO_STAY, host))


def unheard(host: str) -> LaunchError:
    """Return the error of a client that lives there from before and does not reach this master."""
    what = "its client of before still runs there, and is not heard"
    todo_ = "It ends by itself after `grace:`. Can it reach this machine?"
    return LaunchError(Fault.LOST, what, where=host, todo=todo_)


def benched(error: SilentStart, starts: Starts) -> HostBenched:
    """Return the last error of a host whose starts came to nothing."""
    count = starts.unfinished if starts.unfinished >= MOST_UNFINISHED else starts.brief
    what = f"{count} starts in a row came to nothing, so it is benched for this run: "
    what += error.detail
    if starts.suspects and starts.unfinished > 1:
        sets = sorted(starts.suspects)
        what += f"; {'set' if len(sets) == 1 else 'sets'} {named(sets)} ran there each time"
    again = f"`spe hosts use {error.where}` starts it again."
    return HostBenched(error.fault, what, where=error.where, todo=f"{error.todo} {again}".strip())
