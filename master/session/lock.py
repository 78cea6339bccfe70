"""The lock on a sweep: one spe at a time works on it, and the second one is told who does."""

from __future__ import annotations

import fcntl
import os
import socket
from typing import IO

from ..errors import BusyError
from .anchors import identity, identity_of
from .living import elsewhere, living
from .run_folder import Folder, anchor_of, real


class Lock:
    """One spe at a time works on a sweep; the second is told who does."""

    def __init__(self, folder: Folder) -> None:
        self.folder, self.path = folder, anchor_of(folder) / "lock"
        self._file: IO[str] | None = None
        self._door: int | None = None  # the folder, locked

    def acquire(self) -> None:
        """Raises BusyError naming the process that holds it."""
        there = self.path.exists()
        if not there:  # it is not even made: the run that has lost it must be able to make it again
            self._look_for_another()
            self._look_elsewhere()
        while (file := self._locked()) is None:
            continue
        try:
            self._look_for_another()  # somebody may have put another file there
        except BusyError:
            file.close()
            raise
        self._lock_folder(file)
        try:
            self._sign(file)
        except OSError:  # a full disk: nobody is to find a lock of a run that has not begun
            self._file = file
            self.release()
            raise

    def _look_for_another(self) -> None:
        """Raise BusyError when a run lives here whose lock file was removed: NFS has no other lock."""
        run = living(self.path.parent)
        if run and run.pid != os.getpid():
            raise self._unlocked(f"this sweep is being run by process {run.pid} on {socket.gethostname()}")

    def _look_elsewhere(self) -> None:
        """The same of another host, whose processes nobody sees. A run that was killed has left its lock file."""
        if found := elsewhere(self.path.parent):
            error = self._unlocked(f"a run of this sweep, process {found[0]} on {found[1]}, may go on")
            error.todo = f"If it has ended, remove {real(self.folder) / 'master.json'}; if not, wait for it or stop it."
            raise error

    def _unlocked(self, who: str) -> BusyError:
        error = self._busy("")
        error.what, error.where = f"{who}, though this file was removed", str(real(self.folder) / self.path.name)
        return error

    def _lock_folder(self, file: IO[str]) -> None:
        """The folder, too, where the file system can do that (NFS cannot): no `rm` takes that lock away."""
        door = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._door = door
        except OSError as error:
            os.close(door)
            if isinstance(error, BlockingIOError):
                self.path.unlink(missing_ok=True)  # ours, just made: that of the other was removed
                file.close()
                raise self._busy("another spe") from None

    def _sign(self, file: IO[str]) -> None:
        file.truncate(0)
        words = f"process {os.getpid()} on {socket.gethostname()}"
        os.write(file.fileno(), words.encode())  # unbuffered: a full disk would be told once more as the file is closed
        self._file = file

    def _locked(self) -> IO[str] | None:
        """The file, locked; None when its last holder removed it in between."""
        file = self.path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another spe"
            file.close()
            raise self._busy(holder) from None
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()
        return None

    def _busy(self, holder: str) -> BusyError:
        return BusyError(
            f"this sweep is being run by {holder}",
            where=str(real(self.folder)),
            todo="Wait for it, look at it with `spe status`, or stop it with Ctrl-C where it runs.",
        )

    @property
    def stands(self) -> bool:
        """Whether the file that we have locked is still there."""
        return self._file is not None and identity(self.path) == identity_of(self._file.fileno())

    @property
    def is_sure(self) -> bool:
        """Whether nobody else can work here even after the file was removed."""
        return self._door is not None

    def renew(self) -> None:
        """The file was removed or replaced: make it again. Raises BusyError while another spe has one there."""
        while (file := self._locked()) is None:
            continue
        if self._file:
            self._file.close()
        self._sign(file)

    def release(self) -> None:
        """Let the next one in."""
        if self._door is not None:  # before the file: who finds that one free must find the folder free, too
            os.close(self._door)
            self._door = None
        if self._file:
            if self.stands:
                self.path.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def adopt(self, other: Lock) -> None:
        """The folder was removed: hold what `other` has acquired in its stead."""
        if self._door is not None:
            os.close(self._door)
        if self._file:
            self._file.close()
        self._file, self._door = other._file, other._door
