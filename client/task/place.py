"""The place of a ticket on the host: a directory for its program, and files for output and input.

A place of which nothing is left but what we made ourselves is moved to the next ticket. On a disk,
making and removing two directories and two files costs more than all else that is done for a short
task.
"""

import fcntl
import os
import time
from typing import Dict, List, Optional

from ..host.removal import remove_tree

OUTPUT = os.O_RDWR | os.O_CREAT | os.O_APPEND  # it is read here, too
OUR_FOLDER, OUR_FILE = 0o40700, 0o100600  # modes that nobody has changed
FEW = 16  # files that are removed one by one; a place with more is not worth keeping
LONG = 60.0  # seconds after which somebody may have cleaned up
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
        for file in self.open_outputs.values():
            os.close(file)
        self.open_outputs = {}

    def remove(self) -> None:
        """Remove it from the host. What cannot be removed is told at the end of the client."""
        self.close()
        remove_tree(self.path)

    def take_over(self, other: "TaskPlace") -> None:
        """Make this the place that was another ticket's, with its open files.

        Raises OSError when that is gone.
        """
        os.rename(other.path, self.path)
        self.open_outputs, other.open_outputs = other.open_outputs, {}

    def is_whole(self) -> bool:
        """Tell whether the open files still have their names: someone may clean up old files."""
        return all(os.fstat(file).st_nlink == 1 for file in self.open_outputs.values())

    def wipe(self) -> bool:
        """Remove the few files in it. Return whether it is then as if it had just been made."""
        try:
            return self._wipe_work() and self._are_ours()
        except OSError:  # directories, what the program made unreadable, or it was never made
            return False

    def _wipe_work(self) -> bool:
        names = os.listdir(self.work)
        if len(names) > FEW or os.lstat(self.work).st_mode != OUR_FOLDER:
            return False
        for name in names:
            os.unlink(os.path.join(self.work, name))
        return True

    def _are_ours(self) -> bool:
        """Tell whether both outputs are as we opened them; they are empty then."""
        for file in self.open_outputs.values():
            if not _emptied(file, self._looked.get(file) or os.fstat(file)):
                return False
        return len(self.open_outputs) == 2


def _emptied(file: int, info: os.stat_result) -> bool:
    """Empty an output. Return False when a program has changed more of it than its content."""
    if info.st_mode != OUR_FILE or info.st_nlink != 1:
        return False
    if not fcntl.fcntl(file, fcntl.F_GETFL) & os.O_APPEND:
        return False
    if info.st_size:
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
    return True


class FreePlaces:
    """The places of one hand that are free for another ticket. Lives as long as the hand."""

    def __init__(self, kept: bool) -> None:
        self.kept = kept  # whether any are kept; not where a stray might still write into one
        self._free: List[TaskPlace] = []

    def make(self, place: TaskPlace) -> None:
        """Make a place, of a free one if there is one. Raises OSError."""
        while self._free:
            if _moved(self._free.pop(), place):
                return
        place.make()

    def put(self, place: TaskPlace) -> bool:
        """Keep a place for another ticket.

        Return False for one that its ticket still has to remove.
        """
        if self.kept and place.wipe():
            place.free_since = time.monotonic()
            self._free.append(place)
            return True
        place.close()
        return False


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
