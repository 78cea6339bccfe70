"""The thread that commits, and tries again while the database is away.

Nothing is lost: what is committed is kept until the database has confirmed it. Nothing is doubled:
a commit whose confirmation was lost is done again and gives the same rows.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

from sqlalchemy import Engine
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)

from ...errors import StoreError
from ...record import record
from ...text import span
from .applying import Changes, LastIds, apply
from .leader import CERTAIN, LostLead

log = logging.getLogger("spe.farm.registry")

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between two tries
SLOW = 3.0  # seconds after which an answer is late enough to be told
#: Errors that another try does not mend: the statement is wrong, not the connection.
_FINAL = (DataError, IntegrityError, NotSupportedError, ProgrammingError)


@record
class Silence:
    """The database does not answer. since: seconds since 1970; waiting: commits not stored yet."""

    since: float
    reason: str
    waiting: int


@record
class _Work:
    changes: Changes
    future: Future[None]


class Writer:
    """The only one that writes, from a thread of its own, until `close`."""

    def __init__(self, engine: Engine, epoch: int, last: LastIds, renewed: float) -> None:
        """`renewed`: monotonic time at which the lead was taken, or earlier."""
        self._engine, self._epoch, self._last = engine, epoch, last
        self._renewed = renewed
        self._works: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # of the state below, which all threads read
        self._waiting = 0
        self._is_closed = False
        self._lost_lead = False
        self._began: tuple[float, float] | None = None  # monotonic and wall time of this try
        self._failed: tuple[float, str] | None = None  # wall time and reason of the first failure
        self._give_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registry", daemon=True)
        self._thread.start()

    def follow(self, epoch: int, last: LastIds) -> None:
        """Commit in this epoch, and after these numbers, from now on."""
        self._epoch, self._last = epoch, last

    def submit(self, changes: Changes) -> Future[None]:
        """Commit these changes after all earlier ones. The future ends when they are on disk."""
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # a caller that does not wait any more ends nothing
        with self._lock:
            if self._lost_lead:
                future.set_exception(LostLead())
            elif self._is_closed:
                future.set_exception(StoreError("the registry is closed"))
            else:
                self._waiting += 1
                self._works.put(_Work(changes, future))
        return future

    def is_leader(self, now: float) -> bool:
        """Tell whether the lead is certain at this monotonic time."""
        with self._lock:
            return not self._lost_lead and now - self._renewed < CERTAIN

    def silence(self) -> Silence | None:
        """Return since when the database does not answer; None while it does."""
        with self._lock:
            if self._failed is not None:
                since, reason = self._failed
                return Silence(since, reason, self._waiting)
            if self._began is not None and time.monotonic() - self._began[0] > SLOW:
                return Silence(self._began[1], "no answer", self._waiting)
        return None

    def close(self, seconds: float) -> bool:
        """Commit what waits, for so many seconds at most; return whether all of it is stored."""
        with self._lock:
            self._is_closed = True
            self._works.put(None)
        self._thread.join(seconds)
        self._give_up.set()
        with self._lock:
            return self._waiting == 0 and not self._lost_lead

    def _run(self) -> None:
        while True:
            works, is_last = self._take()
            if works:
                self._commit(works)
            if is_last:
                return

    def _take(self) -> tuple[list[_Work], bool]:
        """Return all commits that wait, to make one transaction of them (group commit)."""
        works: list[_Work] = []
        one = self._works.get()
        while True:
            if one is None:
                return works, True
            works.append(one)
            try:
                one = self._works.get_nowait()
            except queue.Empty:
                return works, False

    def _commit(self, works: Sequence[_Work]) -> None:
        try:
            self._store({key: values for work in works for key, values in work.changes.items()})
        except Exception as error:
            if len(works) > 1 and not isinstance(error, StoreError):
                # One of them is at fault: the others need not suffer.
                for work in works:
                    self._commit([work])
                return
            self._end(works, error)
        else:
            self._end(works, None)

    def _end(self, works: Sequence[_Work], error: Exception | None) -> None:
        with self._lock:
            self._waiting -= len(works)
        for work in works:
            if error is None:
                work.future.set_result(None)
            else:
                work.future.set_exception(error)

    def _store(self, changes: Changes) -> None:
        """Write these changes, however often it takes. Raises what another try does not mend."""
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            with self._lock:
                self._began = (began, time.time())
            try:
                # A commit of later rows must not look older than its renewal: so time is taken first.
                with self._engine.begin() as connection:
                    numbers = apply(connection, changes, self._epoch, self._last)
            except LostLead:
                with self._lock:
                    self._lost_lead = True
                raise
            except (DBAPIError, OSError) as error:
                if isinstance(error, _FINAL) and not error.connection_invalidated:
                    raise
                self._note_failure(error)
                self._engine.dispose()  # also connections that only seem to live
                if self._give_up.wait(pause):
                    raise StoreError(f"not stored: {_reason(error)}") from error
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._note_success(began, numbers)
                return
            finally:
                with self._lock:
                    self._began = None

    def _note_failure(self, error: Exception) -> None:
        reason = _reason(error)
        with self._lock:
            is_first = self._failed is None
            if is_first:
                since = self._began[1] if self._began else time.time()
                self._failed = (since, reason)
        if is_first:
            log.warning(
                "the registry's database does not answer (%s); "
                "grants wait, jobs go on, and it is tried again",
                reason,
            )

    def _note_success(self, began: float, numbers: dict[str, int]) -> None:
        with self._lock:
            self._last.keep(numbers)
            self._renewed = began
            failed, self._failed = self._failed, None
        if failed:
            away = span(max(0.0, time.time() - failed[0]))
            log.warning("the registry's database answers again after %s; nothing is lost", away)


def _reason(error: Exception) -> str:
    """Return an error in one line, without the statement and its values."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return " ".join(str(cause).split()) or type(cause).__name__
