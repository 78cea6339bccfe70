"""The care for one host: its client is started, watched, and started again when it vanishes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from ..desk.desk import Desk
from ..dispatch.steering import Aside
from ..errors import Fault, LaunchError, SilentStart
from ..launch import Offer, Options, faults, launcher
from ..launch.outcome import Code
from ..model import Client, Host
from ..state.progress import Progress
from .life import Life
from .starts import SHORT, TRIAL, Starts, benched, left_early, never_came, unheard

log = logging.getLogger("spe.fleet")
REGISTER_PAUSE = 0.05  # seconds between looks whether the client has registered
# Seconds for the client of a start that ended well: a client that works has registered long before.
REGISTER_LIMIT = 20.0
START_PAUSE = 0.1  # seconds between two looks whether a client may be started


class Upkeep:
    """The care for one host of a run; lives as long as the run.

    The host is up when a client of it has registered: a start that ended well is less.
    """

    def __init__(
        self,
        host: Host,
        offer: Offer,
        options: Options,
        desk: Desk,
        progress: Progress,
        note_software_fault: Callable[[str, LaunchError], None],
        may_start: Callable[[], bool] | None = None,
    ) -> None:
        """`note_software_fault` tells the user of such a fault, together with those of others.

        While `may_start` returns False, no client is started; those that are up go on.
        """
        self.host = host
        self.fault: LaunchError | None = None
        self.has_been_up = False  # and was not given up since
        self.is_given_up = False  # the host is not started any more
        self._offer, self._options, self._desk, self._progress = offer, options, desk, progress
        self._note_software_fault, self._may_start = note_software_fault, may_start
        self._starts = Starts(by_ssh=not host.is_here)
        self._told: Fault | None = None  # the kind that was shown last
        self._task: asyncio.Task[None] | None = None
        self._life: Life | None = None  # the latest start

    def start(self) -> bool:
        """Begin to care for the host. Return False when that goes on already, or nobody wants it."""
        if not self._is_wanted or (self._task and not self._task.done()):
            return False
        self.is_given_up, self.fault, self._told = False, None, None
        self._starts = Starts(by_ssh=not self.host.is_here)
        self._task = asyncio.create_task(self._look_after())
        return True

    @property
    def _is_wanted(self) -> bool:
        dispatch = self._desk.dispatch
        is_drained = dispatch.steering.aside.get(self.host.name) is Aside.DRAINED
        return not dispatch.board.closed and not is_drained

    @property
    def is_out(self) -> bool:
        """True when a run that has no other host need not wait for this one."""
        return self.is_given_up or (self._starts.is_not_waited_for and not self.has_been_up)

    @property
    def was_tried(self) -> bool:
        """True once it is known whether the host comes up.

        While sets wait, one failed start does not tell that yet.
        """
        failed = self.fault is not None and (self.is_given_up or self._desk.dispatch.board.closed)
        return self.has_been_up or failed

    @property
    def is_awaited(self) -> bool:
        """True until the host has come up or failed for the first time."""
        begun = self._task is not None and not self._task.done()
        return begun and not self.has_been_up and self.fault is None and self._is_wanted

    def cancel(self) -> asyncio.Task[None] | None:
        """Stop caring for the host. Return the asyncio task that ends then."""
        if self._task and not self._task.cancelling():  # twice would disturb its own letting go
            self._task.cancel()
        return self._task

    # -- from start to end

    async def _look_after(self) -> None:
        while await self._is_free_to_start() and await self._once():
            await asyncio.sleep(self._starts.next_pause())

    async def _is_free_to_start(self) -> bool:
        """Wait while nothing may be started. Return whether the host is still wanted then."""
        while self._is_wanted and self._may_start and not self._may_start():
            await asyncio.sleep(START_PAUSE)
        return self._is_wanted

    async def _once(self) -> bool:
        """Start the client once and watch it to its end. Return whether to start the host again."""
        made = launcher(self.host, self._offer, self._options, self._starts.holds)
        life = Life(self._desk, self.host, made)
        self._life = life
        keeping: asyncio.Task[None] | None = None
        if self._starts.is_trial:
            self._desk.dispatch.steering.on_trial.add(self.host.name)
        try:
            await self._start_client(life)
            keeping = asyncio.create_task(life.launcher.watch())
            await self._until_up(life, keeping)
            await self._note_up(life)
            return self._note_gone(life, await self._until_gone(life, keeping))
        except SilentStart as error:
            return self._note_silent(life, error)
        except LaunchError as error:
            return self._note_failed(life, error)
        finally:
            self._desk.dispatch.steering.on_trial.discard(self.host.name)
            self._desk.moved.set()
            if keeping is not None:
                keeping.cancel()
                # Errors of `keeping` were handled before, or come too late.
                await asyncio.gather(keeping, return_exceptions=True)
            await life.launcher.close()

    @staticmethod
    async def _start_client(life: Life) -> None:
        try:
            await life.launcher.start()
        except LaunchError as error:
            # A client works on although the connection was lost on the way back.
            if not (error.broke_off and life.is_up):
                raise

    async def _until_up(self, life: Life, keeping: asyncio.Task[None]) -> None:
        """Return when the client has registered.

        Raises SilentStart when none does, and the LaunchError that tells more where there is one.
        """
        begun = self._desk.clock()
        limit = self._options.start_limit if self.host.is_here else REGISTER_LIMIT
        while not life.is_up:
            waited = self._desk.clock() - begun
            if keeping.done() and (life.launcher.ended or keeping.exception()):
                await self._dismiss(life.clients(), killed=True)
                keeping.result()
                raise never_came(self.host.name, waited)
            if waited > limit and life.launcher.handed_over:
                raise unheard(self.host.name)
            # A client that has registered may take longer for its set-up.
            if waited > limit and not life.clients():
                raise never_came(self.host.name, waited)
            await asyncio.sleep(REGISTER_PAUSE)

    async def _until_gone(self, life: Life, keeping: asyncio.Task[None]) -> LaunchError | None:
        """Return when the client is gone: with the reason, where one is known."""
        fault = None
        try:
            if self._starts.is_trial:
                await self._end_trial(life, keeping)
            await self._until_known(life, keeping)
        except LaunchError as error:
            fault = error
        if life.launcher.ended:  # the lease need not be waited for
            outcome = life.launcher.outcome
            is_told = outcome is not None and outcome.code > faults.SIGNALLED
            is_killed = fault is not None or not self.host.is_here
            is_tired = outcome is not None and outcome.code == Code.UNREACHABLE
            is_killed = is_killed and not (is_told or is_tired)
            await self._dismiss(life.clients(), killed=is_killed)
        return fault

    async def _until_known(self, life: Life, keeping: asyncio.Task[None]) -> None:
        """Return when the launcher knows the client's end, or the client has vanished.

        Both are awaited, because a connection that carries the master's port outlives its client. Raises
        LaunchError.
        """
        vanishing = asyncio.create_task(life.until_vanished())
        try:
            await asyncio.wait([keeping, vanishing], return_when=asyncio.FIRST_COMPLETED)
            # Once all sets are done, a client needs its connection for its goodbye. A start that knows nothing of
            # its client's end has nothing to keep, or has lost it.
            if self._desk.dispatch.board.closed or keeping.done():
                await keeping
            if not life.launcher.ended:
                await vanishing
        finally:
            vanishing.cancel()
            await asyncio.gather(vanishing, return_exceptions=True)

    async def _end_trial(self, life: Life, keeping: asyncio.Task[None]) -> None:
        """Return when the client has stayed for TRIAL seconds without a task, or has ended."""
        await asyncio.wait([keeping], timeout=TRIAL)
        self._starts.stayed = not keeping.done()
        if life.launcher.ended:
            return  # until its end is noted, a request that it left behind would be given tasks
        self._desk.dispatch.steering.on_trial.discard(self.host.name)
        self._desk.wake_idle()

    async def _dismiss(self, clients: Sequence[Client], killed: bool) -> None:
        self._desk.look_awake()
        naps = self._desk.dispatch.losses.naps
        for client in clients:
            # Of a client that could not reach this master, nothing tells that somebody killed it.
            is_killed = killed and not naps.has_ended(client, self._desk.clock())
            await self._desk.bye(client.id, is_killed)

    def _is_cut_short(self, life: Life) -> bool:
        """Tell whether the end of a client says nothing about its host, as this master heard nobody."""
        self._desk.look_awake()
        if not life.is_cut_short:
            return False
        log.info("%s: its client has ended while this master heard nobody; it is started again", self.host.name)
        self._starts.was_cut_short()
        return True

    # -- what came of it

    async def _note_up(self, life: Life) -> None:
        one = life.launcher
        works_on = one.handed_over and self.has_been_up
        self.has_been_up, self.fault, self._told = True, None, None
        self._starts.came_up()
        if one.handed_over:
            self._starts.lives_on()
        await self._dismiss(life.dead(), killed=True)
        if works_on:
            self._progress.line(f"{self.host.name}: its client works on")
        elif not self.host.is_here:
            self._progress.host_up(self.host.name, one.note)
        log.info("host %s is up%s", self.host.name, f": {one.note}" if one.note else "")
        self._desk.moved.set()

    def _note_gone(self, life: Life, fault: LaunchError | None) -> bool:
        """Note that a client which was up is gone. Return whether to start the host again."""
        name, seconds = self.host.name, life.seconds
        if not self._is_wanted:
            return False
        if self._is_cut_short(life):
            return True
        if fault and life.launcher.outcome:
            fault = faults.at_work(life.launcher.outcome, self.host, seconds)
        if fault:
            self._tell(fault)
        self._starts.lived(seconds, life.has_had_tasks, life.has_finished_tasks, life.lost_sets())
        if self._starts.is_hopeless:
            why = fault.detail if fault else ""
            return self._bench(left_early(name, seconds, self._starts.holds, why))
        what, then = "its client is gone", "it is started again"
        if life.is_doubtful:
            what, then = "nothing is heard of its client", "it is started again if it is gone"
        elif life.was_killed:
            what = "its client was killed"
        if seconds < SHORT:
            what += f" {seconds:.0f} s after it had registered"
        if not (life.is_doubtful or life.has_left):
            what += " (killed, or its host went down)"
        self._progress.line(f"{name}: {what}, {then}")
        self._announce_holding()
        return True

    def _note_silent(self, life: Life, error: SilentStart) -> bool:
        """Note a start that ended without a word why. Return whether to make another."""
        if self._is_wanted and self._is_cut_short(life):
            return True
        if life.clients():
            error = faults.once_registered(error, life.seconds)
        self._starts.was_silent(life.has_had_tasks)
        if self._starts.is_hopeless:
            return self._bench(error)
        self.fault = error
        self._desk.events.note("host_fault", error.line, self.host.name)
        # One start does not tell that no client stays there.
        what = error.detail if error.fault is Fault.NO_STAY else error.what
        self._progress.line(f"{self.host.name}: {what}; it is started again")
        self._announce_holding()
        return True

    def _note_failed(self, life: Life, error: LaunchError) -> bool:
        """Note a start that has failed. Return whether to try again."""
        if self._is_wanted and self._is_cut_short(life):
            return True
        again, new = self._starts.failed(error), self._tell(error)
        if again and new and self._is_wanted:
            line = f"{self.host.name}: it is tried again, with pauses of up to a minute"
            self._progress.line(line)
        return again or self._give_up()

    def _announce_holding(self) -> None:
        if self._starts.turns_to_holding():
            self._progress.line(
                f"{self.host.name}: the third start holds its SSH session open, which helps where "
                "processes are killed once their user has logged out"
            )

    def _bench(self, error: SilentStart) -> bool:
        self._told = None  # the next sentence is said in any case
        self._tell(benched(error, self._starts))
        return self._give_up()

    def _give_up(self) -> bool:
        self.is_given_up, self.has_been_up = True, False
        return False

    def _tell(self, error: LaunchError) -> bool:
        """Show a fault to people, if the latest one was of another kind. Return whether it was shown."""
        new = self._told is not error.fault
        self.fault, self._told = error, error.fault
        log.info("%s", error.line)
        if new:
            self._desk.events.note("host_fault", error.line, self.host.name)
            if error.fault is Fault.SOFTWARE:
                self._note_software_fault(self.host.name, error)
            else:
                self._progress.host_fault(self.host.name, error)
        return new

    # -- the end

    def end(self, too_long: LaunchError | None) -> bool:
        """Stop waiting for the host, as the run ends. Return whether it was still being started.

        `too_long`: the error of a host that hangs.
        """
        if self._task is None or self.has_been_up or self.is_given_up:
            return False
        # A short sweep may be over before `_until_up` looks again.
        is_up = self._life is not None and self._life.is_up
        if is_up and self.fault is None:
            return False
        if not self.host.is_here:
            self._task.cancel()
        if isinstance(self.fault, SilentStart):
            self._tell(self.fault)  # with what to do about it
        elif self.fault is None and too_long and not self.host.is_here:
            self._tell(too_long)
        return self.fault is None
