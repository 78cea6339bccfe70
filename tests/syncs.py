"""What was brought to the disk: every fsync of this process is noted, with what the file or the folder was then.

Only a power cut would show a missing fsync. So tests ask here: were all bytes of this file synced before it got its
name, and was its folder synced after that?
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

import pytest


class Sync(NamedTuple):
    """One fsync or fdatasync, as it was when it began."""

    inode: int
    size: int
    path: str  # the name of the file at that moment
    entries: dict[str, int]  # of a folder: name -> inode


class Syncs:
    """Notes the syncs of this process, which happen all the same."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[Sync] = []
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._noting(getattr(os, name)))

    def _noting(self, sync: object) -> object:
        assert callable(sync)

        def noting(file: int) -> None:
            found, path = os.fstat(file), os.readlink(f"/proc/self/fd/{file}")
            entries = {}
            if stat.S_ISDIR(found.st_mode):
                entries = {one.name: one.inode() for one in os.scandir(path)}
            sync(file)
            self.seen.append(Sync(found.st_ino, found.st_size, path, entries))

        return noting

    def whole(self, path: Path) -> list[Sync]:
        """The syncs of this file, whatever its name was, at which it had all its bytes."""
        found = path.stat()
        return [one for one in self.seen if one.inode == found.st_ino and one.size == found.st_size]

    def assert_content_came_before_the_name(self, path: Path) -> None:
        """A power cut at any moment leaves the old file or the whole new one under this name."""
        assert [one for one in self.whole(path) if one.path != str(path)], f"{path.name} was named before it was synced"

    def assert_the_name_is_on_disk(self, path: Path) -> None:
        """The folder was synced after the file had got its name there."""
        inode = path.stat().st_ino
        assert [one for one in self.seen if one.entries.get(path.name) == inode and Path(one.path) == path.parent], (
            f"the folder of {path.name} was not synced after it was named"
        )
