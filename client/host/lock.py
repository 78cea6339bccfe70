"""A lock file for hosts that share a file system; it expires when its holder died.

No clock of another machine is trusted, nor the file's times: a lock is dead when its content has
not changed for a while by the waiter's own clock. A living holder therefore writes a new count into
it now and then.
"""

import errno
import os
import threading
import time
from typing import Optional

from .. import log
from ..machine import facts

STALE_AFTER = 30.0  # seconds without a change after which a lock is dead
REFRESH = 5.0  # seconds between two counts of a holder
LOOK = 0.2  # seconds between two looks of a waiter


class LockFile:
    """A lock file. `with LockFile(path):` waits until the file is ours, and removes it afterwards."""

    def __init__(
        self, path: str, stale_after: float = STALE_AFTER, refresh: float = REFRESH
    ) -> None:
        self.path, self.stale_after, self.refresh = path, stale_after, refresh
        self._file = -1
        self._done = threading.Event()
        self._keeper = threading.Thread(target=self._keep_fresh, daemon=True)
        pid = os.getpid()
        self._me = "%s\n%d\n%s\n" % (facts.process_space(), pid, facts.start_of(pid))

    def __enter__(self) -> "LockFile":
        seen: Optional[bytes] = None
        since = time.monotonic()
        while not self._take():
            now = self._content()
            if now != seen:
                seen, since = now, time.monotonic()
            is_stale = time.monotonic() - since >= self.stale_after
            if now is not None and (is_stale or _died_here(now)):
                self._break(now)
            else:
                time.sleep(LOOK)
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        # A thread that goes on might write into whatever file gets this number next.
        self._keeper.join()
        os.close(self._file)
        if self.is_held():
            os.unlink(self.path)

    def is_held(self) -> bool:
        """Tell whether it is still ours: another client may have taken us for dead, and have it now."""
        return (self._content() or b"").startswith(self._me.encode())

    def _take(self) -> bool:
        try:
            self._file = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        except FileExistsError:
            return False
        self._write(0)
        return True

    def _write(self, count: int) -> None:
        """Write a count into the open file and sync it, for other hosts to see it.

        Never by name: a lock that was taken from us stays taken.
        """
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, self._text(count))
        os.fsync(self._file)

    def _text(self, count: int) -> bytes:
        return (self._me + "%12d\n" % count).encode()

    def _keep_fresh(self) -> None:
        count = 0
        while not self._done.wait(self.refresh):
            count += 1
            try:
                self._write(count)
            except OSError:
                # The lock was broken, or its file system is away. Whatever happens now, the
                # checksums still guard what the lock guarded.
                return

    def _content(self) -> Optional[bytes]:
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except OSError as fault:
            if fault.errno not in (errno.ENOENT, errno.ESTALE):
                raise
            return None  # the holder, here or (ESTALE) on another host, has just removed it

    def _break(self, seen: bytes) -> None:
        """Put a dead lock aside; put it back if it turns out to be another one than we saw."""
        aside = "%s.%s.%d" % (self.path, facts.host_name(), os.getpid())
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return
        with open(aside, "rb") as file:
            mine = file.read() == seen
        if mine:
            log.say("a lock of a dead client has expired: %s" % self.path)
        else:
            _put_back(aside, self.path)
        os.unlink(aside)


def _put_back(aside: str, path: str) -> None:
    try:
        os.link(aside, path)
    except OSError:
        # A third client holds the lock by now. Both will fetch the same bytes and rename them into
        # place, so nothing is lost but time.
        return


def _died_here(content: bytes) -> bool:
    """Tell whether the holder was a process of this host that is no more: then nobody has to wait."""
    lines = content.decode("utf-8", "replace").split("\n")
    if len(lines) < 3 or lines[0] != facts.process_space() or not lines[1].isdigit():
        return False
    return facts.start_of(int(lines[1])) != lines[2]
