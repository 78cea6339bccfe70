"""The lock on a sweep: one spe at a time works on it, and the second one is told who does.

Three things tell that somebody works here. The file `lock` is locked by flock, also on NFS.
Somebody may remove that file, so the folder itself is locked, too, where the file system can do
that. Where it cannot, master.json names the process.
"""

from __future__ import annotations

import fcntl
import os
import socket
from typing import IO

from ..errors import BusyError
from .living import elsewhere, living
from .run_folder import Folder, anchor_of, real
from .stamps import identity, identity_of


class Lock:
    """The lock of one run, from `acquire` to `release`."""

    def __init__(self, folder: Folder) -> None:
        self.folder, self.path = folder, anchor_of(folder) / "lock"
        self._file: IO[str] | None = None  # open and locked
        self._door: int | None = None  # the folder, locked

    def acquire(self) -> None:
        """Lock the sweep. Raises BusyError, which names the process that works on it."""
        there = self.path.exists()
        if not there:
            # The file is not even made here: the run that has lost its own must be able to make it
            # again.
            self._look_for_another()
            self._look_elsewhere()
        while (file := self._locked()) is None:
            continue
        try:
            # Somebody may have put another file in place of the one that is locked
            self._look_for_another()
        except BusyError:
            file.close()
            raise
        self._lock_folder(file)
        try:
            self._sign(file)
        except OSError:
            # A full disk. Nobody is to find a lock of a run that has not begun.
            self._file = file
            self.release()
            raise

    def _look_for_another(self) -> None:
        """Raise BusyError when a run lives here whose lock file was removed.

        On NFS there is no other lock.
        """
        run = living(self.path.parent)
        if run and run.pid != os.getpid():
            raise self._unlocked(
                f"this sweep is being run by process {run.pid} on {socket.gethostname()}"
            )

    def _look_elsewhere(self) -> None:
        """Raise BusyError when a run may live here on another host.

        Its processes are not seen from here.

        A run that was killed does not come here: it has left its lock file.
        """
        found = elsewhere(self.path.parent)
        if found:
            error = self._unlocked(
                f"a run of this sweep, process {found[0]} on {found[1]}, may go on"
            )
            facts = real(self.folder) / "master.json"
            error.todo = f"If it has ended, remove {facts}; if not, wait for it or stop it."
            raise error

    def _unlocked(self, who: str) -> BusyError:
        error = self._busy("")
        error.what = f"{who}, though this file was removed"
        error.where = str(real(self.folder) / self.path.name)
        return error

    def _lock_folder(self, file: IO[str]) -> None:
        """Lock the folder, too, where the file system can do that: no `rm` takes that lock away.

        NFS cannot. Its locks are for files that are open for writing.
        """
        door = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._door = door
        except OSError as error:
            os.close(door)
            if isinstance(error, BlockingIOError):
                # Our own, just made: the file of the other spe was removed
                self.path.unlink(missing_ok=True)
                file.close()
                raise self._busy("another spe") from None

    def _sign(self, file: IO[str]) -> None:
        file.truncate(0)
        words = f"process {os.getpid()} on {socket.gethostname()}"
        # Unbuffered: a full disk would be told once more as the file is closed
        os.write(file.fileno(), words.encode())
        self._file = file

    def _locked(self) -> IO[str] | None:
        """Return the file, locked; None when its last holder has removed it in between."""
        # "a+": the words of its holder are still there when the lock cannot be had.
        file = self.path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another spe"
            file.close()
            raise self._busy(holder) from None
        # 0: it has no name any more, and the next spe makes another file
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()
        return None

    def _busy(self, holder: str) -> BusyError:
        return BusyError(
            f"this sweep is being run by {holder}",
            where=str(real(self.folder)),
            todo="Wait for it, look at it with `spe status`, or end it with `spe stop`.",
        )

    @property
    def stands(self) -> bool:
        """True while the file that is locked here still has its name."""
        return self._file is not None and identity(self.path) == identity_of(self._file.fileno())

    @property
    def is_sure(self) -> bool:
        """True if nobody else can work here even after the file was removed."""
        return self._door is not None

    def renew(self) -> None:
        """Make the file again, which was removed or replaced.

        Raises BusyError while another spe has one there.
        """
        while (file := self._locked()) is None:
            continue
        if self._file:
            self._file.close()
        self._sign(file)

    def release(self) -> None:
        """Let the next spe in."""
        # The folder before the file: a spe that finds the file free must find the folder free, too.
        if self._door is not None:
            os.close(self._door)
            self._door = None
        if self._file:
            if self.stands:
                self.path.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def adopt(self, other: Lock) -> None:
        """Hold what `other` has acquired.

        The folder was removed, and the run goes on in another one.
        """
        if self._door is not None:
            os.close(self._door)
        if self._file:
            self._file.close()
        self._file, self._door = other._file, other._door
