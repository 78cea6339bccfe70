"""The time in which a run hands out its sets: from the first set that is read to the tables.

`Serving.run` is its table of contents, and `_until_over` its loop. The desk decides what a client
may do, and the fleet which hosts are started.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ..errors import NOTHING_RUNS, NothingRuns, NotStored
from ..fleet.fleet import Fleet
from ..fleet.hosts_file import HostsFile
from ..fleet.making import Making
from ..fleet.waking import Waking
from ..launch import Offer
from ..launch import by_hand as byhand
from ..page import Page
from ..session.detached import says_into_log
from ..session.forwarding import forwarding
from ..state.blockers import BlockersFile
from ..state.document import Picture
from ..store.statistics import Statistics
from .adding.additions import Additions
from .feeding import Feeding
from .gathering import Gathering
from .goodbye import say_goodbye
from .outcome import Outcome, explain, keep_aside
from .printing.printing import Printing
from .wiring import Parts

log = logging.getLogger("spe.run")
TICK = 1.0  # seconds between two looks at silent clients, and at most between two turns of the loop
STOPPED = 5.0  # seconds between two ticks after which the master must have been stopped meanwhile


class Serving:
    """The serving part of one run."""

    def __init__(self, parts: Parts, offer: Offer, fleet: Fleet, page: Page) -> None:
        context = parts.context
        self.parts, self.offer, self.fleet, self.page = parts, offer, fleet, page
        self.desk, self.keeping, self.results = parts.desk, parts.keeping, parts.results
        self.sweep, self.options = context.sweep, context.options
        self.progress, self.folder = context.progress, context.folder
        self.gathering = Gathering(
            self.results.hooks, self.desk.store, self.folder, self.sweep.collect
        )
        self.notices = parts.notices
        if self.notices:
            self.notices.awaits_hosts = lambda: bool(fleet.awaited())
            self.notices.faults = lambda: fleet.faults
        self.making = Making(parts.software, self.desk, fleet, self.progress)
        renew = partial(self.results.renew, self.options.missing)
        wanted = self.options.printing
        self.printing = (
            Printing(wanted, self.folder, self.desk.store, self.progress) if wanted else None
        )
        limits_failures = self.sweep.config.stop_after is not None
        self.feeding = Feeding(
            self.sweep,
            self.desk,
            self.progress,
            parts.decision,
            renew,
            limits_failures,
            context.resumes,
            self.options.add,
        )

    async def run(self) -> Outcome:
        """Hand out all sets, take in their results, and make the tables; return how it ended."""
        self._show_beginning()
        note = self.page.acts.note
        self.page.adding.begin(Additions(self.sweep, self.options, self.feeding, note))
        reading, beside = self._begin_tasks()
        tables: asyncio.Task[Statistics] | None = None
        try:
            await self.gathering.begin()
            stranded = await self._until_over([reading, *beside])
            self.fleet.give_up()
            reading.cancel()  # after Ctrl-C it may still be at work
            await asyncio.wait([reading])
            stored = self.desk.arrivals.stored
            # Beside the goodbyes: both take seconds, and clients bring hardly anything any more.
            await self.desk.note_last_words()
            tables = asyncio.create_task(self.results.tables(self.keeping))
            await say_goodbye(self.desk, self.fleet)
            await self.gathering.finish()
        except BaseException as error:
            if isinstance(error, NotStored):
                await self._leave(tables)
            await self._print_rest()
            raise
        finally:
            await self._end_tasks([reading, *beside])
        statistics = await self._last_tables(tables, stored)
        outcome = await self._outcome(statistics, stranded, await self._print_rest())
        if self.notices:
            left = statistics.running + statistics.waiting
            await self.notices.end(self.feeding.fed, left, outcome.waiting_because)
        return outcome

    # -- what the user sees first

    def _show_beginning(self) -> None:
        logged = says_into_log(self.folder.path)
        shown = self.page.url
        if logged:  # a log is no place for the page's token
            shown = "its address stands as `page` in master.json, beside this file"
        desk = self.desk
        picture = Picture(
            self.sweep.name, desk.dispatch, time.time() - desk.clock(), time.time(), self.fleet
        )
        self.progress.begin(shown, lambda: picture.draw(desk.clock()))
        if not logged and (line := forwarding(self.page.url)):
            self.progress.line(line)
        if self.options.by_hand:
            self._show_by_hand(logged)

    def _show_by_hand(self, logged: bool) -> None:
        """Show how to start a client by hand; a log gets no session ID."""
        if logged:
            self.progress.line(
                "for clients started by hand: `url`, `session` and `fingerprint` in master.json"
            )
            return
        url = self.parts.address.url(self.offer.port)
        pin = self._pin() if self.offer.tls else ""
        self.progress.by_hand(byhand.lines(url, self.offer, pin))

    def _pin(self) -> str:
        from ..session.certificate import key_pin  # late: most runs start their clients themselves

        return key_pin(self.folder / "session" / "certificate.pem")

    # -- what goes on beside

    def _begin_tasks(self) -> tuple[asyncio.Task[None], list[asyncio.Task[None]]]:
        """Start reading the sets, and the tasks that go on beside the loop.

        When one of the latter ends, the loop wakes up.
        """
        reading = asyncio.create_task(self.feeding.read())
        ticking = asyncio.create_task(self._tick())
        watching = asyncio.create_task(self._watch_hosts())
        looking = asyncio.create_task(self.keeping.watch())
        waking = asyncio.create_task(self._notice_sleep())
        beside = [ticking, watching, looking, waking]
        if self.parts.granted:
            beside.append(asyncio.create_task(self.parts.granted.watch()))
        if self.options.until is not None:
            ending = self.parts.interrupts.drain_at(self.options.until)
            beside.append(asyncio.create_task(ending))
        for task in beside:
            task.add_done_callback(lambda _: self.desk.moved.set())
        return reading, beside

    async def _watch_hosts(self) -> None:
        """Take up changes of the hosts file, if the hosts come from one."""
        hosts, path = self.sweep.hosts, self.sweep.hosts_file
        if self.options.hosts is not None:
            hosts, path = self.options.hosts, self.options.hosts_file
        if path and not self.options.by_hand:
            await HostsFile(path, hosts or (), self.page.acts, self.progress.warn).watch()

    async def _notice_sleep(self) -> None:
        # Apart from `_tick`, which also waits for the disk.
        waking = Waking(
            self.desk.dispatch.losses.naps,
            self.desk.events,
            self.progress.line,
            self.sweep.config.grace,
            self.desk.clock,
        )
        self.desk.look_awake = waking.look
        while True:
            await asyncio.sleep(TICK)
            waking.look()

    async def _tick(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            gap, last = time.monotonic() - last, time.monotonic()
            if gap > STOPPED:
                # A laptop that slept, or Ctrl-Z. Clients could not be heard: their silence is not
                # theirs.
                log.warning(
                    "this master was suspended for %.0f s; no client loses a task for that", gap
                )
                self.desk.dispatch.losses.forgive(gap)
            await self.desk.tick()

    async def _end_tasks(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
        await self.fleet.close()
        self.progress.end()

    # -- the loop

    async def _until_over(self, beside: Sequence[asyncio.Task[None]]) -> str:
        """Return "" when the sweep is over, or a sentence when no host is left to go on.

        An error in one of the tasks `beside` ends the run. Raises NothingRuns where no host was
        there from the beginning.
        """
        blockers = BlockersFile(self.folder)
        while True:
            self.desk.moved.clear()  # before the look: what happens meanwhile causes another turn
            _raise_faults(beside)
            await self._go_on()
            if self._is_over():
                self.desk.wake_idle()
                return ""
            if error := self.fleet.stranded():
                return await self._strand(error)
            blockers.note(self.desk.dispatch, self.fleet.faults)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.desk.moved.wait(), TICK)

    async def _go_on(self) -> None:
        await self.feeding.feed()
        if self.desk.dispatch.board.waiting and not self.desk.dispatch.board.draining:
            self.fleet.start()  # not before: where all sets are done already, no host is bothered
        alike = self.desk.dispatch.handout.alike
        if alike.is_watching:
            alike.hosts_to_come = self.fleet.untried
        self.gathering.add(self.desk.arrivals.take_accepted())
        if self.printing and self.feeding.is_counted:
            self.printing.look()
        self.fleet.tell_faults()
        self.making.update()
        if self.notices:
            self.notices.look(self.feeding.fed)
        if self._each_kind_is_tried():
            await self.desk.drain()
        self.progress.update()

    def _each_kind_is_tried(self) -> bool:
        """Tell whether nothing is left to do for `spe check`, although sets wait."""
        rule, board = self.desk.dispatch.handout.one_each, self.desk.dispatch.board
        if rule is None or board.draining or board.running or not self.fleet.all_answered():
            return False
        used = self.fleet.used()  # without any, the end is that of a run that is stranded
        aside = self.desk.dispatch.steering.aside
        return bool(used) and not any(rule.wants(host) for host in used if host not in aside)

    def _is_over(self) -> bool:
        if not (self.desk.dispatch.board.over and self.desk.arrivals.is_idle):
            return False
        # Whoever presses Ctrl-C waits for no host that may still come up.
        awaits_all = self.options.try_all_hosts and not self.parts.interrupts.count
        return self.fleet.all_tried() or not awaits_all

    async def _strand(self, error: NothingRuns) -> str:
        if error.what.startswith(NOTHING_RUNS):
            raise error
        self.desk.shortfall.note(error.what)
        await self.desk.stop()
        return error.what

    # -- the end

    async def _leave(self, tables: asyncio.Task[Statistics] | None) -> None:
        """Tell clients the end, though the disk takes nothing more: the run was told twice to end."""
        self.desk.dispatch.board.stop()
        self.desk.wake_idle()
        if tables:
            tables.cancel()
            await asyncio.wait([tables])
        self.fleet.give_up()
        await say_goodbye(self.desk, self.fleet)

    async def _last_tables(self, tables: asyncio.Task[Statistics], stored: int) -> Statistics:
        statistics = await tables
        # A client may have brought something as it left, or somebody may have moved a file
        # meanwhile.
        if self.desk.arrivals.stored != stored or not await self.keeping.is_well():
            statistics = await self.results.tables(self.keeping)
        # The tables were made before the last calls
        return replace(statistics, uncollected=self.gathering.left())

    async def _print_rest(self) -> tuple[str, ...]:
        """Print what has ended and is not printed yet; return what is missing, a sentence each."""
        if self.printing is None:
            return ()
        before = self.parts.interrupts.count
        if self.feeding.is_counted:
            self.printing.look()
        # Ctrl-C here is for a reader that does not read: all else is done.
        return tuple(await self.printing.finish(lambda: self.parts.interrupts.count > before))

    async def _outcome(
        self, statistics: Statistics, stranded: str, unprinted: tuple[str, ...]
    ) -> Outcome:
        unfinished = statistics.running + statistics.waiting
        return Outcome(
            folder=self.folder.path,
            statistics=statistics,
            interrupted=self.parts.interrupts.count > 0 and unfinished > 0,
            began=self.feeding.fed,
            gather_faults=tuple(self.gathering.faults),
            unheard=tuple(self.fleet.unheard),
            aside=await keep_aside(self.desk, self.fleet.faults),
            left_at=self.fleet.folders_of_unheard(self.offer.session),
            waiting_because=await explain(self.desk, unfinished),
            benched={host: error.what for host, error in self.fleet.benched.items()},
            faults=self.fleet.faults,
            stranded=stranded,
            stopped=self.keeping.outcome,
            database=self.folder.database,
            unprinted=unprinted,
        )


def _raise_faults(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Raise the error with which one of these tasks has ended, such as an error in the parameters."""
    for task in tasks:
        if task.done():
            task.result()
