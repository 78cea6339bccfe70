"""Files that the last attempt of a failed set left in its directory (`keep_failed`).

They lie in runs/<name>/failed/<number>/ under the paths that they had there. The folder is the
truth: the database does not speak of them, and a set that is done has none.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ..session.run_folder import Folder, anchor_of
from .trees import Member, clash

FAILED = "failed"


class LeftFiles:
    """The files of failed sets in one run: which clients may bring some, and which sets have some."""

    def __init__(self, folder: Folder, most: int) -> None:
        """`folder` is runs/<name>/. `most`: bytes of one set; 0: none are kept."""
        self.folder, self.most = folder, most
        self.wanted: dict[int, int] = {}  # ticket -> task
        # What is there is known by heart: each commit asks for it.
        self._there: set[int] = set()
        with contextlib.suppress(OSError):
            self._there = {int(name) for name in os.listdir(self._home) if name.isdigit()}

    @property
    def _home(self) -> Path:
        return anchor_of(self.folder) / FAILED

    @property
    def is_idle(self) -> bool:
        """True while no files are kept and none are there."""
        return not (self.most or self._there)

    def ask_for(self, failed: Mapping[int, int]) -> None:
        """Want the files of these attempts, ticket -> task: their sets have failed by them."""
        if self.most:
            self.wanted.update(failed)

    def of_earlier(self, failed: Iterable[int]) -> list[int]:
        """Return which of these sets, which have failed just now, have files of an earlier attempt."""
        return sorted(self._there.intersection(failed))

    def keep(self, ticket: int, members: Sequence[Member]) -> str:
        """Put the files of a failed attempt in their place, instead of those of an earlier one.

        Returns why that cannot be, "" when it is done. Raises OSError. `members`: files that were
        received; their names have been looked at.
        """
        number = self.wanted.pop(ticket, None)
        if number is None:
            return "nobody waits for these files"
        if both := clash([one.name for one in members]):
            return f"{both} is a file and a folder"
        self._home.mkdir(exist_ok=True)
        made = self._home / f".{number}-{ticket}"
        try:
            for one in members:
                path = made / one.name
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(one.path, path)
            place = self._home / str(number)
            shutil.rmtree(place, ignore_errors=True)
            made.rename(place)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        self._there = self._there | {number}
        return ""

    def stale(self, done: Iterable[int]) -> list[int]:
        """Return which of these sets have files although they are done."""
        if not (self._there or self.wanted):
            return []
        done = set(done)
        self.wanted = {t: number for t, number in self.wanted.items() if number not in done}
        return sorted(self._there & done)

    def forget(self, numbers: Iterable[int]) -> None:
        """Remove the files of sets that are done."""
        for number in numbers:
            shutil.rmtree(self._home / str(number), ignore_errors=True)
            self._there = self._there - {number}
        with contextlib.suppress(OSError):  # others are in it
            self._home.rmdir()


def files_left(folder: Path, number: int) -> Iterator[tuple[str, str, int]]:
    """Yield (path below runs/<name>/, path in the task's directory, bytes), by name."""
    home = folder / FAILED / str(number)
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_symlink():
            name = str(path.relative_to(home))
            yield f"{FAILED}/{number}/{name}", name, path.stat().st_size
