"""An open registry: load, commit, pages, and whether this farm may deal."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from ...errors import StoreError
from .. import rows
from . import reading
from .address import address_of, engine_of, make_private_file, shown
from .applying import LastIds, changes_of
from .leader import confirm_lead, give_up_lead, take_lead
from .lock import Lock
from .schema import migrate, new_farm, prepare
from .tables import META
from .writer import Silence, Writer

log = logging.getLogger("spe.farm.registry")

AFTER_BACKUP = 10_000  # numbers of jobs that are left out where a backup was restored
CLOSING = 10.0  # seconds that a farm which ends waits for its last commits


class Registry:
    """The registry of one farm, which leads it from the opening until `close`.

    Reading methods block: call them in a thread. `commit` and `renew` return at once.
    """

    def __init__(self, url: str = "") -> None:
        """Open it. Raises SpeError: who leads already, or why the database cannot be used."""
        address = address_of(url)
        self.where = shown(address)  # without a password
        self._is_stored: bool | None = None  # of all commits, once it is closed
        self._file: Path | None = None
        self._lock: Lock | None = None
        if address.get_backend_name() == "sqlite":
            self._file = Path(str(address.database))
            make_private_file(self._file)
            self._lock = Lock(self._file)
        self._engine = engine_of(address)
        try:
            self._take()
        except BaseException:
            self._let_go()
            raise

    def _take(self) -> None:
        with self._told():
            prepare(self._engine, self.where)
            began = time.monotonic()
            with self._engine.begin() as connection:
                host, process = socket.gethostname(), os.getpid()
                is_alone = self._lock is not None
                self.epoch = take_lead(connection, host, process, is_alone)
            if copy := migrate(self._engine, self._file):
                log.warning("the registry was brought up to date; the older one is in %s", copy)
            with self._engine.connect() as connection:
                last = _last_ids(connection)
        self._writer = Writer(self._engine, self.epoch, last, began)

    def load(self) -> reading.Loaded:
        """Return all that a starting farm needs."""
        with self._reading() as connection:
            return reading.load(connection)

    def commit(self, save: Iterable[rows.Row], remove: Iterable[rows.Row] = ()) -> Future[None]:
        """Store rows and remove others in one transaction, after all earlier commits.

        The future ends when it is on disk, however long the database is away; with LostLead when
        another farm leads. In a coroutine: `await asyncio.wrap_future(…)`. Raises UnfitRow at once.
        """
        return self._writer.submit(changes_of(save, remove))

    def renew(self) -> Future[None]:
        """Renew the lead, each 5 s. Each commit does so too."""
        return self._writer.submit({})

    def is_leader(self, now: float) -> bool:
        """Tell whether this farm may deal at this monotonic time: it has renewed in the last 15 s."""
        return self._writer.is_leader(now)

    def silence(self) -> Silence | None:
        """Return since when the database does not answer, and why; None while it does."""
        return self._writer.silence()

    def jobs(
        self, which: reading.JobFilter, before: int = 0, count: int = reading.PAGE
    ) -> Sequence[rows.JobRow]:
        """Return the newest jobs that are asked for; `before`: only lower numbers."""
        with self._reading() as connection:
            return reading.jobs_page(connection, which, before, count)

    def history(
        self,
        job: int = 0,
        host: str = "",
        since: float = 0.0,
        before: int = 0,
        count: int = reading.PAGE,
    ) -> Sequence[rows.HistoryRow]:
        """Return the newest of what happened; `before`: only lower numbers."""
        with self._reading() as connection:
            return reading.history_page(connection, job, host, since, before, count)

    def ledger(
        self,
        job: int = 0,
        ended_before: float = 0.0,
        before: int = 0,
        count: int = reading.PAGE,
    ) -> Sequence[rows.LedgerRow]:
        """Return the newest intervals; `ended_before`: only those that were closed before then."""
        with self._reading() as connection:
            return reading.ledger_page(connection, job, ended_before, before, count)

    def take_new_id(self) -> str:
        """Give the farm a new ID and return it: for a registry that comes from a backup.

        Delegates know grants and numbers of the old ID that this registry does not know. The epoch
        is then the time in seconds, above each count of starts: masters have seen later epochs than
        that of the backup, and refuse grants of an earlier one. Users may have jobs of later numbers
        than the backup knows, and their orders go by the number: so numbers are left out. Called
        before the first commit.
        """
        farm, epoch = new_farm(), max(self.epoch + 1, int(time.time()))
        with self._told(), self._engine.begin() as connection:
            last_job = META.c.last_job + AFTER_BACKUP
            confirm_lead(connection, self.epoch, farm=farm, epoch=epoch, last_job=last_job)
            last = _last_ids(connection)
        self.epoch = epoch
        self._writer.follow(epoch, last)
        return farm

    def close(self, seconds: float = CLOSING) -> bool:
        """Commit what waits and give up the lead; return whether all of it is stored."""
        if self._is_stored is not None:
            return self._is_stored
        self._is_stored = self._writer.close(seconds)
        if self._is_stored:
            # If this fails the next farm waits for 30 s, no more.
            with suppress(DBAPIError), self._engine.begin() as connection:
                give_up_lead(connection, self.epoch)
        self._let_go()
        return self._is_stored

    def _let_go(self) -> None:
        self._engine.dispose()
        if self._lock:
            self._lock.release()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._told(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell a fault of the database in words for people."""
        try:
            yield
        except DBAPIError as error:
            raise StoreError(
                f"the registry's database cannot be used: {' '.join(str(error.orig).split())}",
                where=self.where,
                todo="see that it runs and that the farm's account may use it, then try again",
            ) from error


def _last_ids(connection: Connection) -> LastIds:
    meta = connection.execute(select(META)).one()
    return LastIds(meta.last_job, meta.last_ledger, meta.last_history)
