"""The place of one ticket on the host: a directory for its program, and beside it what the program prints and reads.

A place of which nothing is left but what we made ourselves is moved to the next ticket: on a disk, making and removing
two directories and two files costs more than all else that is done for a short task.
"""

import fcntl
import os
import time
from typing import Dict, List, Optional

from ..host.removal import remove_tree

OUTPUT = os.O_RDWR | os.O_CREAT | os.O_APPEND  # it is read here, too
OURS, FILE = 0o40700, 0o100600  # the modes of a directory and of an output that nobody has changed
FEW = 16  # files that are removed one by one
LONG = 60.0  # seconds after which somebody may have cleaned up
MOST_KEPT = 64  # slots of a hand beyond which it keeps no files open for later


class TaskPlace:
    """`path`/ with `work`, where the program runs, and `stdout`, `stderr` and `stdin`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.work, self.stdin = path + "/work", path + "/stdin"
        self.stdout, self.stderr = path + "/stdout", path + "/stderr"
        self.free_since = 0.0
        self.open_outputs: Dict[int, int] = {}  # open files by their numbers in the program
        self._looked: Dict[int, os.stat_result] = {}  # at the last look, by the open file

    def make(self) -> None:
        """Empty; raises OSError, also when it is there already."""
        os.mkdir(self.path, 0o700)
        os.mkdir(self.work, 0o700)

    def outputs(self) -> Dict[int, int]:
        """Open files for what the program prints."""
        if not self.open_outputs:
            self.open_outputs[1] = os.open(self.stdout, OUTPUT, 0o600)
            self.open_outputs[2] = os.open(self.stderr, OUTPUT, 0o600)
        return self.open_outputs.copy()

    def opened(self, path: str) -> Optional[int]:
        """The file of an output, while it is open here: to open it once more and close that has ext4 write to disk."""
        return self.open_outputs.get(1 if path == self.stdout else 2 if path == self.stderr else 0)

    def stat(self, path: str) -> os.stat_result:
        """Of a file; of an output once nothing writes to it any more. Raises OSError."""
        opened = self.opened(path)
        if opened is None:
            return os.stat(path)
        info = self._looked[opened] = os.fstat(opened)
        return info

    def close(self) -> None:
        """Nothing of it is held open here."""
        for file in self.open_outputs.values():
            os.close(file)
        self.open_outputs = {}

    def remove(self) -> None:
        """Nothing of it stays on the host. What can't be removed is told at the end of the client."""
        self.close()
        remove_tree(self.path)

    def take_over(self, other: "TaskPlace") -> None:
        """What was another one's, with its open files, is this one from now on; raises OSError when it is gone."""
        os.rename(other.path, self.path)
        self.open_outputs, other.open_outputs = other.open_outputs, {}

    def is_whole(self) -> bool:
        """Whether the open files still have their names: someone may clean up old files."""
        return all(os.fstat(file).st_nlink == 1 for file in self.open_outputs.values())

    def wipe(self) -> bool:
        """Remove the few files in it; whether it is then as if it had just been made."""
        try:
            return self._wipe_work() and self._are_ours()
        except OSError:  # directories, what the program made unreadable, or it was never made
            return False

    def _wipe_work(self) -> bool:
        names = os.listdir(self.work)
        if len(names) > FEW or os.lstat(self.work).st_mode != OURS:
            return False
        for name in names:
            os.unlink(os.path.join(self.work, name))
        return True

    def _are_ours(self) -> bool:
        """Whether both outputs have been opened, are as we opened them, and empty now."""
        for file in self.open_outputs.values():
            if not _emptied(file, self._looked.get(file) or os.fstat(file)):
                return False
        return len(self.open_outputs) == 2


def _emptied(file: int, info: os.stat_result) -> bool:
    if info.st_mode != FILE or info.st_nlink != 1 or not fcntl.fcntl(file, fcntl.F_GETFL) & os.O_APPEND:
        return False
    if info.st_size:
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
    return True


class FreePlaces:
    """Those of a hand that are free again."""

    def __init__(self, kept: bool) -> None:
        self.kept = kept  # whether any are kept for later
        self._free: List[TaskPlace] = []

    def make(self, place: TaskPlace) -> None:
        """Raises OSError."""
        while self._free:
            if _moved(self._free.pop(), place):
                return
        place.make()

    def put(self, place: TaskPlace) -> bool:
        """Whether it is done with: it is free for another ticket."""
        if self.kept and place.wipe():
            place.free_since = time.monotonic()
            self._free.append(place)
            return True
        place.close()
        return False


def _moved(old: TaskPlace, new: TaskPlace) -> bool:
    try:
        if time.monotonic() - old.free_since < LONG or old.is_whole():
            new.take_over(old)
            return True
        old.remove()
    except OSError:  # somebody removed it
        old.close()
    return False
