"""The place of a ticket on the host: a directory for its program, and files for output and input.

A place of which nothing is left but what we made ourselves is moved to the next ticket. On a disk,
making and removing two directories and two files costs more than all else that is done for a short
task.
"""

import fcntl
import os
import select
import time
from typing import Any, Dict, List, Optional, Tuple

from ..host.anchor import SAME_FOLDER
from ..host.removal import mount_of, remove_tree
from ..machine.attributes import marks

OUTPUT = os.O_RDWR | os.O_CREAT | os.O_APPEND  # the client reads it, too
Marks = Tuple[Any, ...]
OLD = 1000000000  # a time of last write that no file gets by a write: seconds since 1970
FEW = 16  # files that are removed one by one; a place with more is not worth keeping
LONG = 60.0  # seconds after which somebody may have cleaned up
MOUNTS = "/proc/self/mountinfo"  # `poll` tells once of each open file when it has changed
MOST_KEPT = 64  # slots of a hand beyond which it keeps no files open for later


class TaskPlace:
    """The place of one ticket, until it is removed or taken over by another ticket.

    It is the folder `path` with `work`, where the program runs, `stdout`, `stderr` and `stdin`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.work, self.stdin = path + "/work", path + "/stdin"
        self.stdout, self.stderr = path + "/stdout", path + "/stderr"
        self.free_since = 0.0
        self.is_kept = False  # True: the directory may go to another ticket
        self.open_folder = -1  # `path`, open
        self.as_made: Marks = ()  # as it was when its program started
        self.mounts = 0  # what FreePlaces counted when it was made
        self.open_outputs: Dict[int, int] = {}  # open files by their numbers in the program
        self._looked: Dict[int, os.stat_result] = {}  # at the last look, by the open file

    def make(self) -> None:
        """Make it, empty. Raises OSError, also when it is there already."""
        os.mkdir(self.path, 0o700)
        os.mkdir(self.work, 0o700)

    def outputs(self) -> Dict[int, int]:
        """Return the open files for what the program prints, by their numbers in the program."""
        if not self.open_outputs:
            self.open_outputs[1] = os.open(self.stdout, OUTPUT, 0o600)
            self.open_outputs[2] = os.open(self.stderr, OUTPUT, 0o600)
            if self.is_kept:
                self._remember()
        return self.open_outputs.copy()

    def opened(self, path: str) -> Optional[int]:
        """Return the open file of an output, None for any other path.

        To open an output once more, and close that, has ext4 write to the disk.
        """
        if path == self.stdout:
            return self.open_outputs.get(1)
        if path == self.stderr:
            return self.open_outputs.get(2)
        return None

    def stat(self, path: str) -> os.stat_result:
        """Return what `os.stat` says of a file; of an output only once nothing writes to it.

        Raises OSError.
        """
        opened = self.opened(path)
        if opened is None:
            return os.stat(path)
        info = self._looked[opened] = os.fstat(opened)
        return info

    def close(self) -> None:
        """Close all open files of it."""
        for file in [*self.open_outputs.values(), self.open_folder]:
            if file >= 0:
                os.close(file)
        self.open_outputs, self.open_folder, self.as_made = {}, -1, ()

    def remove(self) -> None:
        """Remove it from the host. What cannot be removed is told at the end of the client."""
        self.close()
        remove_tree(self.path)

    def take_over(self, other: "TaskPlace") -> None:
        """Make this the place that was another ticket's, with its open files.

        Raises OSError when that is gone.
        """
        os.rename(other.path, self.path)
        self.open_outputs, self.open_folder, self.as_made = other.open_outputs, other.open_folder, other.as_made
        other.open_outputs, other.open_folder = {}, -1

    def is_whole(self) -> bool:
        """Tell whether the open files still have their names: someone may clean up old files."""
        return all(os.fstat(file).st_nlink == 1 for file in self.open_outputs.values())

    def wipe(self, mounts: int = 0) -> bool:
        """Remove the few files in it. Return whether it is then as if it had just been made."""
        try:
            return bool(self.as_made) and self._is_wiped(mounts != self.mounts)
        except OSError:  # directories, or what the program made unreadable
            return False

    def _remember(self) -> None:
        """Note how it is. A file that a program puts beside `work` changes the time of the folder."""
        try:
            self.open_folder = os.open(self.path, SAME_FOLDER)
            os.utime(self.open_folder, (OLD, OLD))
            work = os.open(self.work, SAME_FOLDER)
            try:
                self.as_made = self._marks(work)
            finally:
                os.close(work)
        except OSError:  # then it goes to no other ticket
            pass

    def _is_wiped(self, may_be_mounted: bool) -> bool:
        work = os.open(self.work, SAME_FOLDER)  # another folder, when something is mounted there
        try:
            # Or the same one, mounted over itself: it may be read-only or noexec now.
            if may_be_mounted and mount_of(work) != mount_of(self.open_folder):
                return False
            names = os.listdir(work)
            if len(names) > FEW or self._marks(work) != self.as_made:
                return False
            for name in names:
                os.unlink(name, dir_fd=work)
        finally:
            os.close(work)
        for file in self.open_outputs.values():
            info = self._info(file)
            if info.st_size or info.st_blocks:  # an empty file may have room that was asked for
                os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)
            _unlock(file)
        return True

    def _marks(self, work: int) -> Marks:
        """Return all that a program may change and the next one would see, but for files in `work`."""
        top, out, err = os.fstat(self.open_folder), self.open_outputs[1], self.open_outputs[2]
        return (
            top.st_mtime_ns,
            marks(self.open_folder, top),
            marks(work, os.fstat(work)),
            marks(out, self._info(out)),
            marks(err, self._info(err)),
            fcntl.fcntl(out, fcntl.F_GETFL),
            fcntl.fcntl(err, fcntl.F_GETFL),
        )

    def _info(self, file: int) -> os.stat_result:
        return self._looked.get(file) or os.fstat(file)


def _unlock(file: int) -> None:
    """Release the lock that a program may have on an output: it outlives the program, as we have the file open."""
    try:
        fcntl.flock(file, fcntl.LOCK_UN)
    except OSError:  # a file system without such locks
        pass


class FreePlaces:
    """The places of one hand that are free for another ticket. Lives as long as the hand."""

    def __init__(self, kept: bool) -> None:
        self.kept = kept  # True: places are kept; not where a stray might still write into one
        self._free: List[TaskPlace] = []
        self._mounts = 0  # how often something was mounted or unmounted on this host
        self._look = select.poll() if kept and os.path.exists(MOUNTS) else None
        if self._look:
            self._look.register(os.open(MOUNTS, os.O_RDONLY), select.POLLPRI)

    def make(self, place: TaskPlace) -> None:
        """Make a place, of a free one if there is one. Raises OSError."""
        place.is_kept = self.kept
        place.mounts = self._count_mounts()
        while self._free:
            if _moved(self._free.pop(), place):
                return
        place.make()

    def put(self, place: TaskPlace) -> bool:
        """Keep a place for another ticket.

        Return False for one that its ticket still has to remove.
        """
        if self.kept and place.wipe(self._count_mounts()):
            place.free_since = time.monotonic()
            self._free.append(place)
            return True
        place.close()
        return False

    def _count_mounts(self) -> int:
        """Return how often changes of mounts were seen. To ask for the mount of each place costs ten times more."""
        if self._look and self._look.poll(0):
            self._mounts += 1
        return self._mounts


def _moved(old: TaskPlace, new: TaskPlace) -> bool:
    """Move a free place to another ticket. Return False when somebody has removed it."""
    try:
        if time.monotonic() - old.free_since < LONG or old.is_whole():
            new.take_over(old)
            return True
        old.remove()
    except OSError:
        old.close()
    return False
