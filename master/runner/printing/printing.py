"""`spe run --lines` and `--rows`: each set is printed once it has ended and that is on disk.

A thread reads the store and prints: whoever reads the output may be slow, and no client waits for
that. What is printed is stored, so nothing is held in memory for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile

from ...errors import SpeError
from ...session.run_folder import Folder
from ...state.progress import Progress
from ...store.printed.outputs import EndedSet, ended_among, todays_sets
from ...store.reader import Reader
from ...store.store import Store
from ...text import named
from ..options import PrintOptions, RunOptions
from .forms import Lines, Rows

log = logging.getLogger("spe.printing")
PAGE = 500  # sets that are looked up at once
LOOK = 0.2  # seconds between two looks whether the user waits no longer for a slow reader
MOST_NAMED = 50  # sets that one warning names


def prints_lines(options: RunOptions) -> bool:
    """Tell whether a run prints what programs print, so that all of it is to be stored."""
    return options.printing is not None and options.printing.form == "lines"


class Printing:
    """Prints the sets of one run, from when all of them are known until `finish`."""

    def __init__(
        self, options: PrintOptions, folder: Folder, store: Store, progress: Progress
    ) -> None:
        """`folder` is runs/<name>/."""
        self._options, self._folder, self._store = options, folder, store
        self._progress = progress
        self._lines = Lines(options, folder) if options.form == "lines" else None
        self._form: Lines | Rows = self._lines or Rows(options)
        self._has_told = False  # that nobody reads any more
        self._news: deque[int] = deque()  # sets that have ended and were not looked at yet
        self._wake = threading.Event()
        self._is_ending = False
        self._fault = ""
        # Not waited for at the end of the process: it may stand still in a pipe that nobody empties.
        self._thread = threading.Thread(target=self._work, name="printing", daemon=True)
        # Of the thread.
        self._order = array("q")  # today's sets
        self._at = 0  # in order: the sets before this place are printed
        self._tickets = array("q")  # by number of a set: the attempt that was printed, 0: none yet
        self._again: list[int] = []  # in order: sets that ran once more after they were printed
        store.ended = []

    # -- for the event loop

    def look(self) -> None:
        """Print what has ended. Called each turn of the run's loop, once all sets are known."""
        if not self._thread.ident:
            self._thread.start()
        ended, self._store.ended = self._store.ended, []
        self._news.extend(ended or ())
        self._wake.set()
        if self._options.out.is_unread and not self._has_told:
            self._has_told = True
            where = self._folder / "results.csv"
            self._progress.warn(
                f"nobody reads standard output any more; the run goes on, its results are in {where}"
            )

    async def finish(self, gives_up: Callable[[], bool]) -> list[str]:
        """Print the rest, and return what is missing on stdout, a sentence each.

        `gives_up` tells whether the user waits no longer for whoever reads.
        """
        if not self._thread.ident:
            return ["the run ended before all sets were known, so nothing was printed"]
        self._is_ending = True
        self.look()
        while self._thread.is_alive() and not gives_up():
            await asyncio.to_thread(self._thread.join, LOOK)
        if self._thread.is_alive():
            return ["not all was printed: the run was interrupted while nobody read it"]
        self.look()  # the reader may have gone in the end
        return self._missing()

    def _missing(self) -> list[str]:
        """Return what could not be printed whole, a sentence each."""
        found = [self._fault] if self._fault else []
        if self._lines and self._lines.cut:
            found.append(
                f"of {_sets(self._lines.cut)} only the end of what was printed is stored (64 kB): it is "
                "not whole here; `spe run --lines --fresh` runs all again"
            )
        if self._lines and self._lines.gone:
            found.append(
                f"what {_sets(self._lines.gone)} printed is not where it was stored, in "
                f"{self._folder / 'files'}; `spe run --lines --fresh` runs all again"
            )
        if self._again:
            found.append(
                f"{_sets(self._again)} ran again after being printed: the new output is not here"
            )
        return found

    # -- the thread

    def _work(self) -> None:
        try:
            self._print_all()
        except Exception as error:
            # The run itself is well: it goes on, and tells at its end what its output lacks.
            log.exception("printing went wrong")
            why = error.what if isinstance(error, SpeError) else f"{type(error).__name__}: {error}"
            self._fault = f"not all was printed: {why}"

    def _print_all(self) -> None:
        """Print what ended before, then what ends, then what was passed over."""
        with contextlib.ExitStack() as opened:
            reader = opened.enter_context(Reader(self._folder))
            written = self._store.writer.connection
            self._begin(reader)
            late: list[int] = []
            is_last = False
            while not is_last:
                self._wake.wait()
                self._wake.clear()
                is_last = self._is_ending  # before the look: what ended until then is seen
                if written is not self._store.writer.connection:  # the database was moved
                    opened.close()
                    reader = opened.enter_context(Reader(self._folder))
                    written = self._store.writer.connection
                late = self._print_news(reader, late)
            self._read_order(reader)
            self._print_rest(reader)

    def _begin(self, reader: Reader) -> None:
        """Read which sets there are today, and print those that have ended."""
        self._read_order(reader)
        if isinstance(self._form, Rows):
            self._form.begin(reader)
        if not self._options.in_order:
            self._print_rest(reader)

    def _read_order(self, reader: Reader) -> None:
        self._order = array("q", todays_sets(reader.connection, reader.plan))
        self._make_room(self._order)

    def _make_room(self, numbers: Sequence[int]) -> None:
        """Make room for the attempts of these sets: some may have been added meanwhile."""
        more = max(numbers, default=0) + 1 - len(self._tickets)
        self._tickets.extend([0] * more)

    def _print_news(self, reader: Reader, late: Sequence[int]) -> list[int]:
        """Print what has ended, and return the sets whose files are not in their places yet.

        `late`: those of the last look.
        """
        numbers = [*late]
        while self._news:
            numbers.append(self._news.popleft())
        self._make_room(numbers)
        if self._options.in_order:
            self._print_in_order(reader)
            self._note_repeated(reader, numbers)
            return []
        waiting: list[int] = []
        for page in _pages(numbers):
            ended = ended_among(reader.connection, reader.plan, page)
            found = [ended[number] for number in page if number in ended]
            waiting += [one.number for one in found if not one.is_placed]
            self._print(reader, [one for one in found if one.is_placed])
        return waiting

    def _print_in_order(self, reader: Reader) -> None:
        """Print the sets up to the first one that has not ended."""
        size = 1  # at first: each look finds the same set while that one runs
        while page := self._order[self._at : self._at + size]:
            ended = ended_among(reader.connection, reader.plan, page)
            ready = takewhile(lambda one: one is not None and one.is_placed, map(ended.get, page))
            found = [one for one in ready if one is not None]
            self._print(reader, found)
            self._at += len(found)
            if len(found) < len(page):
                return
            size = PAGE

    def _note_repeated(self, reader: Reader, numbers: Sequence[int]) -> None:
        """Remember the sets that were printed before their last attempt (`spe retry` meanwhile)."""
        for page in _pages(numbers):
            for one in ended_among(reader.connection, reader.plan, page).values():
                if self._tickets[one.number] not in (0, one.ticket or -1):
                    self._again.append(one.number)

    def _print_rest(self, reader: Reader) -> None:
        """Print all that has ended and is not printed yet, in the order of the sets.

        At the end of a run that prints in order, sets that have not run are passed over.
        """
        for page in _pages(self._order):
            ended = ended_among(reader.connection, reader.plan, page)
            left = [ended[one] for one in page if one in ended and not self._tickets[one]]
            self._print(reader, [one for one in left if one.is_placed or self._is_ending])

    def _print(self, reader: Reader, ended: Sequence[EndedSet]) -> None:
        """Print these sets, but for attempts that are printed already."""
        new = [one for one in ended if self._tickets[one.number] != (one.ticket or -1)]
        for one in new:
            self._tickets[one.number] = one.ticket or -1
        if not self._options.out.is_unread:
            self._form.print(reader, new)


def _pages(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (numbers[at : at + PAGE] for at in range(0, len(numbers), PAGE))


def _sets(numbers: Sequence[int]) -> str:
    found = sorted(set(numbers))
    return f"{'set' if len(found) == 1 else 'sets'} {named(found, MOST_NAMED)}"
