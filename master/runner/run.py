"""The run of a sweep, from start to end.

Its parts in time: store, session, server, launch, hand out, collect, tidy up.

`Run.run` is its table of contents. The parts of a run are made in wiring.py, the time in which
clients work is serving.py's.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

from ..desk.result_files import place_left_over
from ..dispatch.changes import Decision
from ..earlier.decisions import come_back, decide_about_program, record_use
from ..earlier.designs import check_design
from ..earlier.extract_again import use_results
from ..errors import NOTHING_RUNS, NothingRuns, NotStored, SpeError
from ..full_disk import FullDisk
from ..hooks.hooks import Hooks
from ..model import TaskState
from ..page import Page
from ..results.kept_files import INCOMING, clear_incoming
from ..session import run_list
from ..session.lock import Lock
from ..session.run_folder import DATABASE, RunFolder
from ..session.session import Session
from ..state.progress import Progress
from ..store.store import Store
from ..sweep.sweep import Sweep, run_folder
from .options import RunOptions
from .outcome import Outcome, code_of, explain, record_end
from .serving import Serving
from .tables import TodaysResults
from .wiring import Parts, RunContext, make_parts, program_digest

log = logging.getLogger("spe.run")


class Run:
    """A `spe run`, from its start to its end."""

    def __init__(
        self, sweep: Sweep, options: RunOptions, progress: Progress, folder: Path | None = None
    ) -> None:
        """`folder` is runs/<name>/, or another one that exists."""
        self.sweep, self.options, self.progress = sweep, options, progress
        self.folder = RunFolder(folder or run_folder(sweep))
        self.disk = FullDisk()

    async def run(self) -> Outcome:
        """Do the sweep. Raises SpeError for what keeps it from being done at all."""
        hooks = Hooks(
            self.sweep.folder,
            self.sweep.results,
            self.sweep.validate,
            self.sweep.collect,
            log=log.info,
            then=self.options.after_hook,
        )
        await hooks.check_import()
        self.folder.hold()
        lock = Lock(self.folder)
        store: Store | None = None
        try:
            lock.acquire()
            if self.options.one_each is None:  # `spe check` leaves nothing
                run_list.note_use(self.folder.path)
            store = Store(self.folder / DATABASE, self.disk)
            outcome = await self._with_store(store, hooks, lock)
            if self.disk.has_lost:
                self.progress.warn(self.disk.lost())
            return outcome
        except asyncio.CancelledError:
            # Ctrl-C before the run listens for it: the store may be waiting for room.
            self.disk.end()
            raise
        except NotStored as error:
            # Raised anew: by now all is known that is not stored.
            raise self.disk.not_stored(self.folder) from error
        finally:
            await hooks.close()
            if store:
                store.close()
            lock.release()
            self.folder.let_go()

    async def _with_store(self, store: Store, hooks: Hooks, lock: Lock) -> Outcome:
        results = TodaysResults(store, self.sweep, self.folder, hooks, self.progress)
        decision = await self._decide(store, results)
        # A run that ends well removes its session.
        resumes = (self.folder.anchor / "session").is_dir()
        session = await self._begin_session(store, decision)
        context = RunContext(
            self.sweep, self.options, self.progress, self.folder, self.disk, resumes=resumes
        )
        try:
            parts = await make_parts(context, store, results, lock, decision, session)
        except BaseException as error:
            await record_end(store, code_of(error))
            raise
        # To the very end: a full disk may hold up all that is written.
        with parts.interrupts.heard():
            return await self._with_parts(parts)

    # -- before

    async def _decide(self, store: Store, results: TodaysResults) -> Decision:
        """Decide which sets run again, as the program, the results and the command line say."""
        retry = self.options.retry_numbers if self.options.retry else None
        change, folder = self.options.change, self.folder.path
        if retry is not None:
            # Sets that today's `results` refuse have failed, too.
            await results.extract(await asyncio.to_thread(come_back, retry, self.sweep, folder))
        await check_design(store, self.sweep, change)
        decision = await decide_about_program(
            store, self.sweep, change, self.progress, folder, retry
        )
        await record_use(store, self.sweep)
        await use_results(store, self.sweep.results)
        return decision

    async def _begin_session(self, store: Store, decision: Decision) -> Session:
        """Begin a session, in a folder without what a master that was killed has left half done."""
        session = Session(self.folder, program_digest(decision))
        config = self.sweep.config
        await store.begin_run(config.cores, session.resumed, config.retry.after)
        await place_left_over(store, self.folder)
        shutil.rmtree(self.folder.anchor / INCOMING, ignore_errors=True)
        return session

    # -- while it runs

    async def _with_parts(self, parts: Parts) -> Outcome:
        desk, ended = parts.desk, False
        code = SpeError.exit_code  # of a fault of spe's own
        page: Page | None = None
        try:
            offer = await parts.listen()
            fleet = parts.make_fleet(offer)
            page = parts.make_page(fleet)
            await parts.open_page(page)
            outcome = await Serving(parts, offer, fleet, page).run()
            ended = True
            code = outcome.exit_code
            return outcome
        except NotStored as error:
            ended = True
            code = error.exit_code
            raise
        except asyncio.CancelledError as error:
            code = code_of(error)
            raise
        except SpeError as error:
            code = error.exit_code
            ended = isinstance(error, NothingRuns)
            broke_off = f"the run broke off: {error.what}"
            desk.shortfall.note(error.what.removeprefix(NOTHING_RUNS) if ended else broke_off)
            waiting = (await desk.store.count()).get(TaskState.WAITING, 0)
            because = await explain(desk, waiting)
            if parts.notices:
                await parts.notices.end(0, waiting, because, error.what)
            raise
        except Exception:
            if parts.notices:
                await parts.notices.end(0, 0, why="the run broke off by a fault of spe's own")
            raise
        finally:
            desk.let_go()
            if page:
                await page.stop()
            await parts.server.stop()
            await self._close_session(parts, ended, code)

    # -- after

    async def _close_session(self, parts: Parts, ended: bool, code: int) -> None:
        """Store the last words and the exit code; remove what a run leaves only when it is killed."""
        keeping = parts.keeping
        try:
            await parts.desk.keep_events()
            await keeping.look()
            if keeping.is_ours:
                # Before master.json goes: from then on `spe attach` looks for it.
                await record_end(parts.desk.store, code)
            if ended and keeping.is_ours:
                await parts.desk.store.close_session()
        finally:
            keeping.let_go()
            # A session that is left tells the next run what the store could not be told any more.
            if ended and keeping.is_ours:
                parts.session.end()
                clear_incoming(self.folder, keep_staged=self.disk.is_ending)


__all__ = ["NothingRuns", "Outcome", "Run", "RunOptions", "run_folder"]
