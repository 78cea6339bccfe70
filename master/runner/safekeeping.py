"""A look each second at the folder of a run, so that what is written stays in reach of its user.

The look is at runs/<name>/, and at sweep.db and files/ in it.

A folder that was moved is written to where it is now. One that was removed is written back from
what is still open. In both cases nothing more is handed out: whoever moves or removes the folder of
a running sweep does not know that it runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from ..desk.desk import Desk
from ..errors import BusyError, SpeError
from ..logs import RateLimitedLog
from ..session.anchors import Anchor
from ..session.lock import Lock
from ..session.run_folder import DATABASE, FILES, RunFolder
from ..session.session import Session
from ..store.database_place import OpenDatabase
from ..text import named, sets
from .rescue import new_folder, put_back_lost, take_along_logs

log = logging.getLogger("spe.safekeeping")
LOOK = 1.0  # seconds between two looks
ENDS = "Nothing more is handed out; running tasks may finish, and their results are kept"


class Safekeeping:
    """Looks after the folder of one run, from the moment when its store is open."""

    def __init__(
        self,
        folder: RunFolder,
        desk: Desk,
        session: Session,
        lock: Lock,
        mend: Callable[[], object],
        warn: Callable[[str], None],
    ) -> None:
        """`mend` makes again what else belongs into session/: the copies of programs.

        `warn` shows the user a sentence.
        """
        self.folder, self.desk, self.session, self.lock = folder, desk, session, lock
        self._mend, self.warn = mend, warn
        self.store = desk.store
        self.database = OpenDatabase(self.store.writer.path)
        self._place, self._files_place = folder.path, _place_of(folder.held_files)
        self._drained = False
        self.outcome = ""  # for the end: where everything is now
        self.is_ours = True  # False: another spe works on this sweep by now
        # The folder files/ was removed in this run: files on their way then may be lost, too.
        self._files_lost = False
        self._with_folder = False  # sweep.db was removed together with its folder
        self._to_look_through = False  # all sets are to be looked through for lost files
        self._told: set[str] = set()  # sentences that were shown
        self._limited_log = RateLimitedLog(log)
        self._looking = asyncio.Lock()

    async def watch(self) -> None:
        """Look once a second, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            await self.look()

    async def look(self) -> bool:
        """Put right what is not where it was; return False while that is not possible."""
        async with self._looking:
            try:
                if await self.is_well():
                    return True
                await self._look_at_folder()
                await self._look_at_database()
                await self._look_at_files()
                self._look_at_lock()
                self._mend_session()
                if self._to_look_through:
                    await self._put_back()
                return True
            except Exception as error:
                # A full disk, a server that does not answer, a folder that is just being moved: the
                # next look may do.
                log.debug("looking at %s went wrong", self.folder, exc_info=True)
                self._limited_log.say(
                    f"{self.folder} was changed while the sweep runs, and this cannot be repaired yet: {error}"
                )
                return False

    async def is_well(self) -> bool:
        """Tell whether all is where it was at the last look."""
        # In a thread: a file server that hangs must not hold up everything.
        return await asyncio.to_thread(self._all_right)

    def _all_right(self) -> bool:
        """Tell whether nothing has happened since the last look. Costs a few stat calls."""
        home = self.folder.where()
        held = self.folder.held_files
        return (
            home is not None
            and home == self._place
            and self.store.writer.path == home / DATABASE
            and self.database.is_whole_at(home / DATABASE)
            and (held is None or held.is_at(home / FILES))
            and self.lock.stands
            and self.session.is_whole
            and not self._to_look_through
        )

    async def settle(self) -> None:
        """Wait until all is in its place, and no set counts as done whose files are gone.

        The tables are made then.

        Raises NotStored when the disk takes nothing more and the run was told twice to end.
        """
        while not await self.look():
            await asyncio.sleep(LOOK)
            if self.store.disk.is_over:
                self.store.disk.lose_tables(
                    "results.csv was not written, because the folder of the sweep could not be repaired"
                )
                raise self.store.disk.not_stored(self.folder)
        if self._files_lost:
            await self._put_back()

    def let_go(self) -> None:
        """Close what is held. Called once the run has ended."""
        self.database.let_go()

    # -- runs/<name>/

    async def _look_at_folder(self) -> None:
        before, now = self._place, self.folder.where()
        if now is None:
            await self._make_folder_again(self.folder.last)
        elif now != before:
            self._place = now
            await self._tell(
                "moved",
                f"{before} was moved while the sweep runs and is {now} now. {ENDS} there.",
                f"stopped because its folder was moved: everything is in {now}; move it to runs/{before.name} "
                "beside spe.yaml, then `spe run` goes on",
            )

    async def _make_folder_again(self, place: Path) -> None:
        """Make a new folder in place of the one that was removed, with what is still open."""
        await self._drain()  # first: with each set that is handed out now, more would be lost
        made, lock = new_folder(place)
        self.folder.settle_at(made)
        self._place = made
        self._files_lost = self._to_look_through = self._with_folder = True
        self.lock.adopt(lock)
        take_along_logs(place, made)
        self._mend_session()
        found = (
            "is written back there"
            if made == place
            else f"is in {made}, because something else stands there now"
        )
        await self._tell(
            "removed",
            f"{place} was removed while the sweep runs: what was stored {found}; result files are lost. {ENDS}.",
            f"stopped because its folder was removed; what was stored is in {made}: `spe run` does the rest",
        )

    # -- sweep.db

    async def _look_at_database(self) -> None:
        home = self.folder.path / DATABASE
        now = self.database.where()
        if now is None:
            await self._write_database(self.folder.database or home)
        elif self.database.is_whole_at(home):
            await self._go_to(home, None)
        elif now == self.store.writer.path and self.database.is_whole_at(now):
            return  # the database was moved away alone, and that was told
        elif self.database.anchor.is_at(home):
            await self._go_to(home, None)
            sentence = (
                f"{home}-wal was removed while the sweep runs; what it held is in {home}. {ENDS}."
            )
            await self._tell(
                "removed", sentence, f"stopped because {home}-wal was removed: `spe run` goes on"
            )
        else:
            await self._go_to(now, now)
            await self._tell(
                "moved",
                f"{home} was moved while the sweep runs and is {now} now. {ENDS} in it.",
                f"stopped because {home} was moved: it is {now} now; move it back, and `spe run` goes on",
            )

    async def _go_to(self, path: Path, elsewhere: Path | None) -> None:
        if path != self.store.writer.path or not self.database.is_whole_at(path):
            await self._drain()
            await self.store.writer.go_to(path, self.database.follow)
            self.database.opened(path)
        self.folder.database = elsewhere

    async def _write_database(self, path: Path) -> None:
        await self._drain()
        path.parent.mkdir(parents=True, exist_ok=True)
        before = len(self.database.aside)
        await self.store.writer.go_to(path, self.database.write)
        self.database.opened(path)
        with_folder, self._with_folder = self._with_folder, False
        if with_folder:
            return  # the loss of the folder was told already
        found = self.database.aside[before:]
        aside = ""
        if found:
            aside = f" What stands there now was moved to {found[0]}."
        await self._tell(
            "removed",
            f"{path} was removed while the sweep runs; all of it is written back there.{aside} {ENDS}.",
            f"stopped because {path} was removed; it was written back: `spe run` goes on",
        )

    # -- files/

    async def _look_at_files(self) -> None:
        held = self.folder.held_files
        if held is None:
            return
        home = self.folder.path / FILES
        before = self._files_place or home
        now = held.where()
        if held.is_at(home):
            held.last = self._files_place = home  # files/ moved with its folder, or came back
        elif now is None:
            await self._drain()
            self.folder.renew_files()
            self._files_lost = self._to_look_through = True
            await self._tell(
                "removed",
                f"{home} was removed while the sweep runs. {ENDS}.",
                f"stopped because {home} was removed: `spe run` repeats what was lost",
            )
        elif now != before:
            self._files_place = now
            await self._tell(
                "moved",
                f"{home} was moved while the sweep runs and is {now} now. {ENDS} there.",
                f"stopped because {home} was moved: it is {now} now; move it back, and `spe run` goes on",
            )

    async def _put_back(self) -> None:
        """Put back the sets whose files are gone."""
        lost = await put_back_lost(self.store, self.folder)
        self._to_look_through = False
        if lost:
            wait = "it waits" if len(lost) == 1 else "they wait"
            self._say(
                "removed",
                f"the result files of {sets(len(lost))} are lost, {wait} again: {named(lost)}",
            )

    # -- lock, session/ and master.json

    def _look_at_lock(self) -> None:
        if self.lock.stands or not self.is_ours:
            return
        try:
            self.lock.renew()
        except BusyError as error:
            if self.lock.is_sure:
                return  # a second spe that is being turned away has it for a moment
            self.is_ours = False
            self.desk.dispatch.board.draining = True
            self._say("removed", f"{error.what}, too, as {self.folder}/lock was removed. {ENDS}.")

    def _mend_session(self) -> None:
        if self.is_ours and not self.session.is_whole:
            missing = self.session.mend()
            try:
                self._mend()
            except (OSError, SpeError) as error:
                # Only hosts that come now would miss it, and nothing more is handed out: no reason
                # to end the run.
                log.warning("not all of session/ can be made again: %s", error)
            log.warning("written again because it was removed: %s", ", ".join(missing))

    # -- what is said

    async def _tell(self, kind: str, sentence: str, outcome: str) -> None:
        self.outcome = outcome
        await self._drain()
        self._say(kind, sentence)

    def _say(self, kind: str, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self.desk.events.note(kind, sentence)
            self.warn(sentence)

    async def _drain(self) -> None:
        if not self._drained:
            self._drained = True
            self.desk.shortfall.note("the folder of the sweep was moved or removed while it ran")
            await self.desk.drain()


def _place_of(held: Anchor | None) -> Path | None:
    return held.last if held else None
