"""One sweep from start to end: store, session, server, launch, hand out, collect, tidy up.

`Run.run` is the table of contents. What a client may do is desk.py's, what is shown meanwhile progress.py's.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from ..desk.acts import META, Acts
from ..desk.arrivals import place_left_over
from ..desk.desk import Brief, Desk
from ..desk.judging import Judges
from ..disk_errors import is_full
from ..dispatch import shortfall
from ..dispatch.changes import Decision
from ..dispatch.dispatch import Dispatch
from ..dispatch.rules import Rules
from ..dispatch.shortfall import Reason
from ..earlier.decisions import decide_about_program, record_use
from ..earlier.extract_again import extract_again, outdated, use_results
from ..earlier.missing import decide_about_missing
from ..errors import NOTHING_RUNS, NothingRuns, NotStored, SpeError, StoreError
from ..fleet.fleet import Fleet
from ..fleet.hosts_file import HostsFile
from ..full_disk import FullDisk
from ..hooks.hooks import Hooks
from ..launch import Early, Offer, Options, bundle
from ..launch import by_hand as byhand
from ..model import HERE, Client, ClientState, Host, Setup, TaskState, Worker
from ..page import Page
from ..record import record
from ..results.judge import wants_files
from ..results.kept_files import INCOMING, clear_incoming
from ..session.detached import says_into_log
from ..session.run_folder import RunFolder
from ..session.session import Lock, Session
from ..state.blockers import Standing
from ..state.document import Picture
from ..state.progress import Progress
from ..store.statistics import Statistics
from ..store.store import Store
from ..sweep.program_change import ProgramChange, keep_programs, snapshot
from ..sweep.sweep import Sweep, run_folder
from ..wire.routes import Door
from ..wire.server import Server
from .address import Address, listen_address
from .feeding import Feeding
from .gathering import Gathering
from .interrupts import Interrupts
from .safekeeping import Safekeeping
from .tables import bring_up_to_date

log = logging.getLogger("spe.run")
TOLD_LEAST, TOLD_MOST = 1.0, 5.0  # seconds that the master goes on answering after the end
BYE_MOST = 10.0  # seconds that `spe run` waits for the clients to be gone
TICK = 1.0
STOPPED = 5.0  # seconds between two ticks


@record
class RunOptions:
    """What the command line decides about a run."""

    hosts: tuple[Host, ...] | None = None  # None: as the sweep says; empty: none are started
    hosts_file: Path | None = None  # where those stand
    by_hand: bool = False  # `--hosts none`
    change: ProgramChange = ProgramChange.ASK
    retry: bool = False  # put failed sets back first
    retry_numbers: tuple[int, ...] = ()
    ssh_config: Path | None = None
    accept_new_host_keys: bool = False
    missing: bool = False  # run the sets again whose row has an empty cell, see missing.py
    try_all_hosts: bool = False  # go on until every host has come up or has not
    early: Early = field(default_factory=Early)  # a client that may have begun already


@record
class Outcome:
    """How a run ended."""

    folder: Path
    statistics: Statistics
    interrupted: bool
    began: int  # sets that this run had to do
    gather_faults: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()  # hosts whose clients did not say goodbye
    waiting_because: tuple[Reason, ...] = ()
    benched: Mapping[str, str] = field(default_factory=dict)  # host -> why it was not started any more
    stranded: str = ""  # no host was left, and this says why
    stopped: str = ""  # its folder was moved or removed while it ran: where everything is now
    database: Path | None = None  # where sweep.db is, when it was moved away alone

    @property
    def exit_code(self) -> int:
        """0 all sets done; 1 some failed, are not collected or have an empty cell; 3 no host was left; 130 Ctrl-C."""
        if self.interrupted:
            return 130
        if self.stranded and self.statistics.waiting:
            return 3
        return self.statistics.exit_code


class Run:
    """One `spe run`."""

    def __init__(self, sweep: Sweep, options: RunOptions, progress: Progress, folder: Path | None = None) -> None:
        """`folder` is runs/<name>/, or another one that exists."""
        self.sweep, self.options, self.progress = sweep, options, progress
        self.folder = RunFolder(folder or run_folder(sweep))
        self.disk = FullDisk()
        self._fleet: Fleet | None = None

    async def run(self) -> Outcome:
        """Do the sweep. Raises SpeError for what keeps it from being done at all."""
        hooks = Hooks(self.sweep.folder, self.sweep.results, self.sweep.validate, self.sweep.collect, log=log.info)
        await hooks.check_import()
        self.folder.hold()
        self._lock = Lock(self.folder)
        store: Store | None = None
        try:
            self._lock.acquire()
            store = Store(self.folder / "sweep.db", self.disk)
            outcome = await self._with_store(store, hooks)
            if self.disk.has_lost:
                self.progress.warn(self.disk.lost())
            return outcome
        except asyncio.CancelledError:  # Ctrl-C before the run listens for it: the store may wait for room
            self.disk.end()
            raise
        except NotStored as error:
            raise self.disk.not_stored(self.folder) from error  # by now all is known that is not stored
        finally:
            await hooks.close()
            if store:
                store.close()
            self._lock.release()
            self.folder.let_go()

    async def _with_store(self, store: Store, hooks: Hooks) -> Outcome:
        retry = self.options.retry_numbers if self.options.retry else None
        if retry is not None:
            await self._extract(store, hooks)  # what today's `results` refuse has failed, too
        decision = await decide_about_program(
            store, self.sweep, self.options.change, self.progress, self.folder.path, retry
        )  # fmt: skip
        await record_use(store, self.sweep)
        await use_results(store, self.sweep.results)
        session = Session(self.folder, self._told(decision))
        await store.begin_run(self.sweep.config.cores, session.resumed)
        await place_left_over(store, self.folder)
        incoming = self.folder.anchor / INCOMING
        shutil.rmtree(incoming, ignore_errors=True)
        worker = self._keep_programs(session)
        address = listen_address(self.sweep, self._hosts(), self.options.by_hand)
        tls, fingerprint = session.tls() if address.tls else (None, "")
        dispatch = await self._dispatch(store, decision)
        judges = Judges(self.sweep.results, self.sweep.validate, hooks, await outdated(store, self.sweep.results))
        desk = Desk(self._brief(worker), dispatch, store, judges, self.folder, self.progress.warn)
        client = bundle.client_pyz()
        server = Server(Door(desk, session.secrets.session, worker, client, incoming).application())
        page = Page(desk, self.folder, session.secrets, self.sweep.name)
        await self._restore_acts(page.acts, store, session.resumed)
        keeping = Safekeeping(
            self.folder, desk, session, self._lock, lambda: self._keep_programs(session),
            self.progress.warn,
        )  # fmt: skip
        ended = False
        interrupts = Interrupts(desk, self.progress, self.folder)
        hearing = contextlib.ExitStack()
        hearing.enter_context(interrupts.heard())  # to the very end: a full disk may hold up all that is written
        try:
            await address.listen(server, tls, session.secrets.port)
            session.served_on(server.port)
            await page.start(self.sweep.config.listen_page, session)
            session.announce(address.url(server.port), page.url, fingerprint)
            offer = Offer(
                server.port, address.bind, address.tls, fingerprint, session.secrets.session, client,
                keep_client=not self.sweep.config.delete_client,
            )  # fmt: skip
            outcome = await self._serve(desk, hooks, offer, address, page, decision, keeping, interrupts)
            ended = True
            return outcome
        except NotStored:
            ended = True
            raise
        except SpeError as error:
            ended = isinstance(error, NothingRuns)
            broke_off = f"the run broke off: {error.what}"
            desk.shortfall.note(error.what.removeprefix(NOTHING_RUNS) if ended else broke_off)
            await self._explain(desk, (await store.count()).get(TaskState.WAITING, 0))
            raise
        finally:
            with hearing:
                desk.let_go()
                await page.stop()
                await server.stop()
                await self._close_session(desk, session, keeping, ended)

    async def _close_session(self, desk: Desk, session: Session, keeping: Safekeeping, ended: bool) -> None:
        """Store the last words, and remove what a run leaves only when it is killed."""
        store = desk.store
        try:
            await desk.keep_events()
            await keeping.look()
            if ended and keeping.is_ours:
                await store.close_session()
        finally:
            keeping.let_go()
            if ended and keeping.is_ours:  # what the store could not be told any more, the next run sees from this
                session.end()
                clear_incoming(self.folder, keep_staged=self.disk.is_ending)

    # -- before

    @staticmethod
    async def _restore_acts(acts: Acts, store: Store, resumed: bool) -> None:
        """What was said by hand holds as long as its session."""
        kept = await store.meta(META)
        if resumed:
            acts.restore(kept)
        elif kept:
            await store.set_meta(META, "")

    def _hosts(self) -> tuple[Host, ...]:
        if self.options.by_hand:
            return ()
        chosen = self.options.hosts if self.options.hosts is not None else self.sweep.hosts
        return chosen or (HERE,)

    def _keep_programs(self, session: Session) -> Worker | None:
        """Copies of today's programs, which nobody edits or compiles anew while the sweep runs."""
        keep_programs(self.sweep.recipe, session.folder)
        return snapshot(self.sweep.worker, session.folder)

    def _told(self, decision: Decision) -> str:
        """Digest of the program that clients were told to run: who was told of another one is of another session."""
        return hashlib.sha256(decision.parts.encode()).hexdigest()

    async def _dispatch(self, store: Store, decision: Decision) -> Dispatch:
        config = self.sweep.config
        rules = Rules(
            config.attempts, config.retry.attempts, config.ping, 0 if config.once else 1, self._stop_after,
            config.max_load or 0.0, config.cores, config.timeout,
        )  # fmt: skip
        dispatch = Dispatch(rules, *await store.next_ids())
        dispatch.board.program = decision.program
        now = time.monotonic()
        for row in await store.known_clients():
            facts = (row.id, row.host, row.platform, row.slots, row.slots)
            # It may be at work since before the crash: it is waited for at the end like one that asked us for work.
            dispatch.board.enter_client(Client(*facts, now, now, bool(row.pings), state=ClientState.AT_WORK))
        for ticket, task in await store.live():
            ticket.word, ticket.leased = now, bool((c := dispatch.clients.get(ticket.client)) and c.pings)
            if ticket.program == dispatch.board.program:
                dispatch.board.restore(task, ticket)
        return dispatch

    def _stop_after(self, failed: int, total: int) -> bool:
        """Whether so many failed sets end the sweep; a share counts once all sets are known."""
        limit = self.sweep.config.stop_after
        if limit is None:
            return False
        if limit.count is not None:
            return failed >= limit.count
        return limit.share is not None and total > 0 and failed >= limit.share * total

    def _brief(self, worker: Worker | None) -> Brief:
        config = self.sweep.config
        setup = Setup(
            config.delete_worker, config.delete_client, config.ping, config.grace, config.cores, config.nice,
            config.max_result, worker.name if worker else None, self.sweep.recipe.runs_worker,
            config.ask, config.control, wants_files(self.sweep.results, config.validation),
        )  # fmt: skip
        return Brief(
            setup, self.sweep.results, self.sweep.work, self.sweep.key, self._shell,
            lambda platform: worker.for_platform(platform) if worker else None, config.keep_output,
        )  # fmt: skip

    def _shell(self, host: str, platform: str) -> str | None:
        """The set-up of a client: its host's own, else the sweep's."""
        known = self._fleet.hosts if self._fleet else self._hosts()
        own = next((h.setup for h in known if h.name == host), None)
        return own or self.sweep.setup_for(platform)

    # -- while it runs

    async def _serve(
        self, desk: Desk, hooks: Hooks, offer: Offer, address: Address, page: Page, decision: Decision,
        keeping: Safekeeping, interrupts: Interrupts,
    ) -> Outcome:  # fmt: skip
        gathering = Gathering(hooks, desk.store, self.folder, self.sweep.collect)
        fleet = Fleet(self._hosts(), offer, self._launch_options(), desk, self.progress)
        page.follow(fleet)
        logged = says_into_log(self.folder.path)
        shown = "its address stands as `page` in master.json, beside this file" if logged else page.url
        self.progress.begin(shown, self._picture(desk, fleet))
        if self.options.by_hand and logged:
            self.progress.line("for clients started by hand: `url`, `session` and `fingerprint` in master.json")
        elif self.options.by_hand:
            self.progress.by_hand(byhand.lines(address.url(offer.port), offer, self._pin() if offer.tls else ""))
        self._fleet = page.acts.yard = fleet
        page.acts.say = self.progress.line
        feeding = Feeding(self.sweep, desk, self.progress, decision, lambda: self._renew(desk.store, hooks))
        page.acts.stop = interrupts.interrupt
        tables: asyncio.Task[Statistics] | None = None
        reading = asyncio.create_task(feeding.read())
        ticking = asyncio.create_task(self._tick(desk))
        watching = asyncio.create_task(self._watch_hosts(page.acts))
        looking = asyncio.create_task(keeping.watch())
        beside = [ticking, watching, looking]
        for task in beside:
            task.add_done_callback(lambda _: desk.moved.set())
        try:
            await gathering.begin()
            stranded = await self._until_over(desk, fleet, gathering, feeding, [reading, *beside])
            fleet.give_up()
            reading.cancel()  # it may be at work still: Ctrl-C
            await asyncio.wait([reading])
            stored = desk.arrivals.stored
            tables = asyncio.create_task(self._tables(desk.store, keeping, hooks))  # while clients end
            await self._say_goodbye(desk, fleet)
            await gathering.finish()
        except NotStored:
            await self._leave(desk, fleet, tables)
            raise
        finally:
            for task in (reading, *beside):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(reading, *beside, return_exceptions=True)
            await fleet.close()
            self.progress.end()
        statistics = await tables
        if desk.arrivals.stored != stored or not await keeping.is_well():  # a client brought something as it left
            statistics = await self._tables(desk.store, keeping, hooks)
        statistics = replace(statistics, uncollected=gathering.left())  # the tables were made before the last calls
        because = await self._explain(desk, statistics.running + statistics.waiting)
        return Outcome(
            self.folder.path, statistics, interrupts.count > 0 and self._unfinished(statistics), feeding.fed,
            tuple(gathering.faults), tuple(fleet.unheard), because,
            {host: error.what for host, error in fleet.benched.items()}, stranded, keeping.outcome,
            self.folder.database,
        )  # fmt: skip

    @staticmethod
    async def _explain(desk: Desk, waiting: int) -> tuple[Reason, ...]:
        """Why so many sets wait at the end; kept for `spe status`."""
        because = desk.shortfall.explain(waiting)
        if because:
            await desk.store.set_meta(shortfall.META, shortfall.written(because))
        return because

    async def _tables(self, store: Store, keeping: Safekeeping, hooks: Hooks) -> Statistics:
        """The tables, where the folder is now; again if it was removed while they were made.

        No table has rows by another `results`, also where Ctrl-C came before all were extracted again.
        """
        for more in (2, 1, 0):
            await keeping.settle()
            try:
                await extract_again(store, self.sweep.results, hooks, self.folder)
                return await bring_up_to_date(store, self.folder, self.sweep)
            except (SpeError, OSError) as error:
                if self.disk.is_ending and isinstance(error, StoreError) and is_full(error):
                    self.disk.lose_tables(error.what)
                    raise self.disk.not_stored(self.folder) from error
                if not more or await keeping.is_well():
                    raise
        raise AssertionError("the last try returns or raises")

    async def _extract(self, store: Store, hooks: Hooks) -> None:
        extracted = await extract_again(store, self.sweep.results, hooks, self.folder)
        if text := str(extracted):
            self.progress.line(text)

    async def _renew(self, store: Store, hooks: Hooks) -> int:
        """Finished sets have the results of today; the number of those that run again because theirs is not stored."""
        await self._extract(store, hooks)
        return await decide_about_missing(store, self.progress, self.options.missing)

    def _picture(self, desk: Desk, fleet: Fleet) -> Callable[[], dict[str, Any]]:
        """How the sweep stands, for the terminal."""
        picture = Picture(self.sweep.name, desk.dispatch, time.time() - desk.clock(), time.time())
        picture.fleet = fleet
        return lambda: picture.draw(desk.clock())

    def _pin(self) -> str:
        from ..session.certificate import key_pin  # late: most runs start their clients themselves

        return key_pin(self.folder / "session" / "certificate.pem")

    @staticmethod
    def _unfinished(statistics: Statistics) -> bool:
        return statistics.running + statistics.waiting > 0

    def _launch_options(self) -> Options:
        return Options(
            self.folder / "session", self.options.ssh_config, self.options.accept_new_host_keys,
            self.sweep.config.grace, early=self.options.early,
        )  # fmt: skip

    async def _until_over(
        self, desk: Desk, fleet: Fleet, gathering: Gathering, feeding: Feeding, beside: Sequence[asyncio.Task[None]]
    ) -> str:
        """Return when the sweep is over; otherwise a sentence why nobody is left to go on.

        What goes on beside is looked after: an error in one of these tasks ends the run. Raises NothingRuns where
        nobody was there from the beginning.
        """
        standing = Standing(self.folder)
        while True:
            desk.moved.clear()
            for task in beside:
                if task.done():
                    task.result()  # also an error in the parameters
            await feeding.feed()
            if desk.dispatch.board.waiting and not desk.dispatch.board.draining:
                fleet.start()
            gathering.add(desk.arrivals.take_accepted())
            self.progress.update(desk.dispatch)
            if (
                desk.dispatch.board.over
                and desk.arrivals.is_idle
                and (fleet.all_tried() or not self.options.try_all_hosts)
            ):
                desk.wake_idle()
                return ""
            if error := fleet.stranded():
                if error.what.startswith(NOTHING_RUNS):
                    raise error
                desk.shortfall.note(error.what)
                await desk.stop()
                return error.what
            standing.note(desk.dispatch, fleet.faults)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(desk.moved.wait(), TICK)

    async def _watch_hosts(self, acts: Acts) -> None:
        """A hosts file that changes is taken up."""
        named = self.options.hosts is not None
        path = self.options.hosts_file if named else self.sweep.hosts_file
        if path and not self.options.by_hand:
            hosts = self.options.hosts if named else self.sweep.hosts
            await HostsFile(path, hosts or (), acts, self.progress.warn).watch()

    async def _tick(self, desk: Desk) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            gap, last = time.monotonic() - last, time.monotonic()
            if gap > STOPPED:
                log.warning("this master was stopped for %.0f s; nobody loses a task for that", gap)
                desk.dispatch.losses.forgive(gap)
            await desk.tick()

    # -- after

    async def _leave(self, desk: Desk, fleet: Fleet, tables: asyncio.Task[Statistics] | None) -> None:
        """The disk takes nothing more, and the run was told twice to end: clients hear the end all the same."""
        desk.dispatch.board.stop()
        desk.wake_idle()
        if tables:
            tables.cancel()
            await asyncio.wait([tables])
        fleet.give_up()
        await self._say_goodbye(desk, fleet)

    async def _say_goodbye(self, desk: Desk, fleet: Fleet) -> None:
        """Go on answering until all have heard the end, then wait for those that we started to be gone."""
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < BYE_MOST:
            clients = list(desk.dispatch.clients)
            told = passed >= TOLD_MOST or (
                passed >= TOLD_LEAST and all(client.state.knows_the_end for client in clients)
            )
            if fleet.all_gone() and (told or fleet.alone()):
                break
            with contextlib.suppress(TimeoutError):
                desk.moved.clear()
                await asyncio.wait_for(desk.moved.wait(), 0.1)
        fleet.note_unheard()


__all__ = ["NothingRuns", "Outcome", "Run", "RunOptions", "run_folder"]
