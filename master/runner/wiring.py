"""The parts of one run, made in order from its sweep: each gets what it needs when it is made."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..config.config import Config
from ..config.values import StopAfter
from ..desk.acts import META, Acts, Controls, restore
from ..desk.desk import Brief, Desk
from ..desk.judging import Judges
from ..dispatch.changes import Decision
from ..dispatch.dispatch import Dispatch
from ..dispatch.rules import COPY, Rules
from ..dispatch.steering import Steering
from ..earlier.extract_again import outdated
from ..fleet.fleet import Fleet
from ..fleet.fleet_hosts import FleetHosts
from ..fleet.granted_hosts import GrantedHosts, begin_grants
from ..full_disk import FullDisk
from ..launch import START_LIMIT, Offer, Options, bundle
from ..model import HERE, Client, ClientState, Host, Setup, Worker, WorkerFile
from ..page import Page
from ..results.judge import wants_files
from ..results.kept_files import INCOMING
from ..session.lock import Lock
from ..session.run_folder import RunFolder
from ..session.session import Session
from ..software.software import SOFTWARE, Software
from ..state.progress import Progress
from ..store.store import Store
from ..sweep.program_files import snapshot
from ..sweep.sweep import Sweep
from ..wire.routes import Door
from ..wire.server import Server
from .address import Address, listen_address
from .interrupts import Interrupts
from .options import RunOptions
from .preparing import files_to_prepare
from .printing.printing import prints_lines
from .safekeeping import Safekeeping
from .tables import TodaysResults

if TYPE_CHECKING:
    from ..notify.notices import Notices


@dataclass
class RunContext:
    """The context of a run: the sweep, what the command line says of it, and where it is done."""

    sweep: Sweep
    options: RunOptions
    progress: Progress
    folder: RunFolder
    disk: FullDisk
    resumes: bool = False  # a run was killed here, or could not end well, and this one goes on with it
    job_run: int = 0  # counts the runs of a farm's job


@dataclass
class Parts:
    """The parts of one run that serve clients and people. They live from its session to its end."""

    context: RunContext
    decision: Decision
    session: Session
    results: TodaysResults
    hosts: list[Host]  # grows when people add some
    address: Address
    tls: ssl.SSLContext | None
    fingerprint: str
    desk: Desk
    software: Software
    server: Server
    keeping: Safekeeping
    interrupts: Interrupts
    notices: Notices | None  # None where nobody is to be told
    granted: GrantedHosts | None = None  # the hosts of a farm's job

    async def listen(self) -> Offer:
        """Listen for clients; return what a host needs to know to start one."""
        await self.address.listen(self.server, self.tls, self.session.secrets.port)
        self.session.served_on(self.server.port)
        return Offer(
            self.server.port,
            self.address.bind,
            self.address.tls,
            self.fingerprint,
            self.session.secrets.session,
            bundle.client_pyz,
            keep_client=not self.context.sweep.config.delete_client,
        )

    def make_fleet(self, offer: Offer) -> Fleet:
        """Make the hosts. None is started yet."""
        context = self.context
        fleet = Fleet(
            self.hosts,
            offer,
            launch_options(context),
            self.desk,
            context.progress,
            self.software.was_told,
            self.software.failed,
        )
        self.software.expect(fleet.awaited)
        return fleet

    def make_page(self, fleet: Fleet) -> Page:
        """Make the page, with the verbs that steer this run. It does not listen yet."""
        run_hosts = FleetHosts(self.hosts, fleet)
        say = self.context.progress.line
        acts = Acts(self.desk, Controls(run_hosts, self.interrupts.interrupt, say))
        name = self.context.sweep.name
        if self.context.options.granted:
            own = self.context.options.hosts or self.context.sweep.hosts
            self.granted = acts.granted = GrantedHosts(acts, fleet, own, self.context.job_run)
            fleet.may_start = self.granted.may_start
        return Page(acts, self.context.folder, self.session.secrets, name, fleet)

    async def open_page(self, page: Page) -> None:
        """Serve the page, and tell programs on this machine where everything is."""
        await page.start(self.context.sweep.config.listen_page, self.session)
        self.session.announce(self.address.url(self.server.port), page.url, self.fingerprint)


async def make_parts(
    context: RunContext,
    store: Store,
    results: TodaysResults,
    lock: Lock,
    decision: Decision,
    session: Session,
) -> Parts:
    """Make all parts of a run whose session has begun. Nothing listens yet."""
    sweep = context.sweep
    worker = copy_programs(sweep, session)
    hosts = chosen_hosts(sweep, context.options)
    address = listen_address(
        sweep, hosts, context.options.by_hand or context.options.granted
    )
    tls, fingerprint = session.tls() if address.tls else (None, "")
    dispatch = await load_dispatch(store, sweep.config, decision)
    if context.options.retry:
        # Who puts failed sets back knows how they have failed: that they do it again is no news.
        dispatch.handout.alike.forgive()
    dispatch.handout.one_each = context.options.one_each
    if context.options.granted:
        context.job_run = await begin_grants(dispatch.handout.grants, store, sweep.config.grace)
    judges = Judges(
        sweep.results,
        sweep.validate,
        results.hooks,
        await outdated(store, sweep.results),
        hidden=COPY,
        results_of=sweep.results_of,
    )
    desk = Desk(
        make_brief(sweep, worker, hosts, prints_lines(context.options)),
        dispatch,
        store,
        judges,
        context.folder,
        context.progress.warn,
        remark=context.progress.line,
    )
    software = Software(
        sweep.software,
        context.folder.anchor / SOFTWARE,
        partial(files_to_prepare, sweep.recipe, worker, session.folder),
        hosts,
        context.progress.fault,
        context.progress.step,
    )
    door = Door(
        desk,
        session.secrets.session,
        worker,
        bundle.client_pyz,
        context.folder.anchor / INCOMING,
        software,
    )
    await _restore_steering(dispatch.steering, store, session.resumed)
    interrupts = Interrupts(desk, context.progress, context.folder)
    return Parts(
        context=context,
        decision=decision,
        session=session,
        results=results,
        hosts=hosts,
        address=address,
        tls=tls,
        fingerprint=fingerprint,
        desk=desk,
        software=software,
        server=Server(door.application()),
        keeping=Safekeeping(
            context.folder,
            desk,
            session,
            lock,
            lambda: copy_programs(sweep, session),
            context.progress.warn,
        ),
        interrupts=interrupts,
        notices=await _make_notices(context, desk, session, interrupts),
    )


async def _make_notices(
    context: RunContext, desk: Desk, session: Session, interrupts: Interrupts
) -> Notices | None:
    """Return what tells people of this run, or None where nobody is to be told."""
    if not context.options.notify:
        return None
    from ..notify.notices import Notices  # late: most runs tell nobody

    notices = Notices(
        context.options.notify, context.sweep.name, desk, context.folder, context.progress
    )
    notices.interrupts = lambda: interrupts.count
    # Who types `spe retry` after a kill has read what was told, and begins something new.
    await notices.begin(session.resumed and not context.options.retry)
    return notices


async def _restore_steering(steering: Steering, store: Store, resumed: bool) -> None:
    """Restore what people have said, if their session goes on; forget it with a new session."""
    kept = await store.meta(META)
    if resumed:
        restore(steering, kept)
    elif kept:
        await store.set_meta(META, "")


def chosen_hosts(sweep: Sweep, options: RunOptions) -> list[Host]:
    """Return the hosts that the run starts.

    With `--hosts none` there are none. Else they are those of the command line, those of the sweep,
    or this machine.
    """
    if options.by_hand or options.granted:
        return []
    chosen = options.hosts if options.hosts is not None else sweep.hosts
    return list(chosen or (HERE,))


def launch_options(context: RunContext) -> Options:
    """Return how clients are started on hosts."""
    options = context.options
    return Options(
        context.folder / "session",
        options.ssh_config,
        options.accept_new_host_keys,
        recorded_keys_only=options.granted,
        grace=context.sweep.config.grace,
        start_limit=START_LIMIT + context.sweep.software.longest,
        early=options.early,
        warn=context.progress.warn,
    )


def copy_programs(sweep: Sweep, session: Session) -> Worker | None:
    """Copy today's programs, so that nobody edits or compiles them while the sweep runs.

    Return the worker, if there is one.
    """
    sweep.recipe.keep_programs(session.folder)
    sweep.recipe.files.digests.save()  # now, as a master may be killed before its end
    return snapshot(sweep.worker, session.folder)


def program_digest(decision: Decision) -> str:
    """Return a digest of the program that clients are told to run.

    With another program it is another session.
    """
    return hashlib.sha256(decision.parts.encode()).hexdigest()


async def load_dispatch(store: Store, config: Config, decision: Decision) -> Dispatch:
    """Return a dispatch that knows the clients and tickets of a master that was killed."""
    dispatch = Dispatch(_rules(config), *await store.next_ids())
    dispatch.board.program = decision.program
    if await store.has_accepted():
        dispatch.handout.alike.forgive()  # this run goes on with one that was killed, and has had a success
    now = time.monotonic()
    if config.delay:
        # Also between the last start of one run and the first start of the next one.
        dispatch.handout.limits.started(now - await store.since_last_start())
    for row in await store.known_clients():
        facts = (row.id, row.host, row.platform, row.slots, row.slots)
        # The client may be at work since before the crash: it is waited for at the end like one that asked
        # us for work.
        dispatch.board.enter_client(
            Client(*facts, now, now, bool(row.pings), state=ClientState.AT_WORK)
        )
    for ticket, task in await store.live():
        client = dispatch.clients.get(ticket.client)
        # The lease begins now: how long the master was away is not known. Nor is, on this clock, when
        # the ticket was handed out; an attempt that seemed to run since the machine was started would
        # get a copy at once.
        ticket.word = ticket.issued = now
        ticket.leased = client is not None and client.pings
        if ticket.program == dispatch.board.program:
            dispatch.board.restore(task, ticket)
    return dispatch


def _rules(config: Config) -> Rules:
    return Rules(
        attempts=config.attempts,
        retry=config.retry.attempts,
        ping=config.ping,
        copies=0 if config.once else 1,
        stop_after=partial(_ends_sweep, config.stop_after),
        stop_now=config.stop_after is not None and config.stop_after.now,
        max_load=config.max_load or 0.0,
        cores=config.cores,
        timeout=config.timeout,
        at_once=config.at_once or 0,
        licences=config.licences,
        delay=config.delay,
        retry_after=config.retry.after,
        stop_alike=config.stop_alike,
        longest_first=config.order == "longest",
    )


def _ends_sweep(limit: StopAfter | None, failed: int, total: int) -> bool:
    """Tell whether so many failed sets end the sweep.

    A share counts once all sets are known (`total` is not 0).
    """
    if limit is None:
        return False
    if limit.count is not None:
        return failed >= limit.count
    return limit.share is not None and total > 0 and failed >= limit.share * total


def make_brief(
    sweep: Sweep, worker: Worker | None, hosts: Sequence[Host], keep_output: bool = False
) -> Brief:
    """Return what the desk must know of the sweep; `hosts` may grow, as people add some.

    `keep_output`: all that programs print is kept, also where the sweep does not say so.
    """
    config = sweep.config

    def shell(host: str, platform: str) -> str | None:
        """Return the set-up of a client: its host's own, else the sweep's."""
        own = next((one.setup for one in hosts if one.name == host), None)
        return own or sweep.setup_for(platform)

    def worker_file(platform: str) -> WorkerFile | None:
        return worker.for_platform(platform) if worker else None

    setup = Setup(
        delete_worker=config.delete_worker,
        delete_client=config.delete_client,
        ping=config.ping,
        grace=config.grace,
        cores=config.cores,
        nice=config.nice,
        max_result=config.max_result,
        worker=worker.name if worker else None,
        runs_worker=sweep.recipe.runs_worker,
        software=bool(sweep.software),
        ask=config.ask,
        control=config.control,
        files=wants_files(sweep.results, config.validation),
        keep_failed=config.keep_failed,
    )
    return Brief(
        setup=setup,
        results=sweep.results,
        work=sweep.work,
        key=sweep.key,
        shell=shell,
        platform_file=worker_file,
        keep_output=config.keep_output or keep_output,
        results_of=sweep.results_of if sweep.sources.patterns else None,
    )
