"""The client's own folder on a host: claiming it, the address file in it, removing it.

All goes by the open folder.
"""

import hashlib
import json
import os
import re
from typing import Callable, Iterator, Optional

from .. import exits, log
from ..machine import facts
from ..wire.connection import MasterAddress, parse_address
from . import anchor, clearing, folders, writers
from .clearing import OWED
from .holding import LOCK, NotOurs, content, hold, holder, is_held, opened, write

ID, ADDRESS = "id", "address"  # files in the folder
# Names to try: what a dead client left may be neither removable nor movable.
MOST_NAMES = 9


def label(session: str) -> str:
    """Return the public name of a session, which does not tell its ID."""
    return hashlib.sha256(session.encode("utf-8", "surrogateescape")).hexdigest()[:12]


class AlreadyRuns(Exception):
    """Raised when a living client has this folder, which is open now."""


class OwnFolder:
    """The folder `<workdir>/spe-<label>-<host>/`, mode 0700, with a lock that names its client.

    `above` and `folder` are the workdir and the folder, open. `others`: who else may write where it
    lies. Lives as long as its client, and in the guard a little longer.
    """

    def __init__(self, workdir: str, session: str, host: str, trusted: bool = False) -> None:
        """Name the folder; nothing is made. `trusted`: others may write into the workdir."""
        self.workdir, self.trusted = workdir, trusted
        self.name = "spe-%s-%s" % (label(session), re.sub(r"[^\w.-]", "_", host))
        self.above = self.folder = self._held = -1
        self.others = writers.NOBODY
        self.left = ""  # one line about what stayed in the removed folder
        self._tell_made: Callable[[str, int, int], None] = lambda name, above, folder: None

    def when_made(self, tell: Callable[[str, int, int], None]) -> None:
        """Have `tell` called with name, open workdir and open folder as soon as the folder is made."""
        self._tell_made = tell

    def take_over(self, name: str, above: int, folder: int) -> None:
        """Use what another process, the client, has opened."""
        self.name, self.above, self.folder = name, above, folder

    @property
    def path(self) -> str:
        """Return the path of the folder, as long as nobody renames it."""
        return os.path.join(self.workdir, self.name)

    def claim(self) -> None:
        """Make the folder ours. What a dead client left in it is removed first.

        Raises AlreadyRuns, or Ending when the workdir cannot be used.
        """
        try:
            folders.make(self.workdir)
            self._look_for_others()
            self.above = os.open(self.workdir, anchor.FOLDER)
            if not any(self._is_claimed(name) for name in self._names()):
                text = "the workdir %s cannot be used: remove %s*" % (self.workdir, self.path)
                raise exits.Ending(exits.WORKDIR, text)
        except NotOurs:
            text = "the folder %s belongs to somebody else: remove it, or choose another workdir"
            raise exits.Ending(exits.WORKDIR, text % self.path)
        except OSError as fault:
            folders.unmake(self.workdir)
            text = "the workdir %s cannot be used: %s"
            raise exits.Ending(exits.WORKDIR, text % (self.workdir, facts.reason(fault)))

    def _look_for_others(self) -> None:
        if self.trusted:
            return
        self.others = writers.others(self.workdir)
        if self.others.everybody:
            folders.unmake(self.workdir)
            raise exits.Ending(exits.OTHERS, writers.refusal(self.workdir, self.others.everybody))

    def _names(self) -> Iterator[str]:
        """Yield the usual name, then others."""
        yield self.name
        for number in range(2, MOST_NAMES):
            yield "%s.%d" % (self.name, number)

    def _is_claimed(self, name: str) -> bool:
        """Claim the folder of this name.

        False when what lies there can be neither used nor removed.
        """
        while True:
            try:
                os.mkdir(name, 0o700, dir_fd=self.above)
            except FileExistsError:
                found = opened(self.above, name)
                if found is not None and not self._is_freed(name, found):
                    return False
            else:
                return self._take(name)

    def _is_freed(self, name: str, found: int) -> bool:
        if is_held(found):
            self.folder = found
            raise AlreadyRuns()
        freed = clearing.clear(self.above, self.workdir, name, found)
        os.close(found)
        return freed

    def _take(self, name: str) -> bool:
        folder = opened(self.above, name)
        if folder is None:
            raise FileNotFoundError(2, "another process removes our folder as soon as it is made")
        self.name, self.folder = name, folder
        self._tell_made(name, self.above, folder)  # before anything that may fail is done in it
        try:
            self._held = hold(folder)
        except OSError:
            self.remove()
            raise
        return True

    def is_of(self, pid: int) -> bool:
        """Tell whether this is the folder of that process, dead or alive.

        One that was not locked yet is.
        """
        try:
            is_there = self.folder >= 0 and os.fstat(self.folder).st_nlink > 0
        except OSError:  # the answer of NFS for an open folder that is removed
            return False
        return is_there and holder(self.folder)[1:2] in ([], [str(pid)])

    def note_id(self, client: str) -> None:
        """Write down what the master calls us."""
        write(self.folder, ID, client + "\n")

    def client_id(self) -> str:
        """Return what the master calls the client of this folder; "" when that is not known."""
        return content(self.folder, ID).strip()

    def hand_over(self, address: MasterAddress) -> None:
        """Tell the living client of this folder where the master is now."""
        temporary = "%s.%d" % (ADDRESS, os.getpid())
        write(self.folder, temporary, "%s\n%s\n" % (address.url, address.fingerprint))
        # By rename: the living client must never read half an address.
        os.rename(temporary, ADDRESS, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def reread(self) -> Optional[MasterAddress]:
        """Return the address that was handed over, if any."""
        lines = content(self.folder, ADDRESS).split("\n") + [""]
        try:
            return parse_address(lines[0], lines[1]) if lines[0] else None
        except ValueError as fault:
            log.say("the address file holds no address: %s" % fault)
            return None

    def owe(self, path: str) -> None:
        """Note that this file, elsewhere on the host, goes with this folder, whoever removes that."""
        write(self.folder, OWED, json.dumps(path) + "\n", os.O_APPEND)

    def pay(self) -> None:
        """Delete the files that the folder owes. They may lie in a home that hangs."""
        clearing.pay(self.folder)

    def leave_shared(self) -> None:
        """Leave what this client shares with others in the cache; the last one removes it."""
        clearing.leave_shared(self.folder)

    def remove(self) -> None:
        """Remove the folder with all in it, and the workdir if we made it.

        Say in one line what stays.
        """
        try:
            self.left = clearing.remove(self.above, self.workdir, self.name, self.folder)
        except OSError as fault:
            self.left = "could not remove %s: %s" % (self.path, fault.strerror)
        also = self._remove_workdir()
        self.left = "; ".join(text for text in (self.left, also) if text)
        if self.left:
            log.say(self.left)

    def _remove_workdir(self) -> str:
        """Remove the workdir if we made it. Return what is to be said if that cannot be, or ""."""
        try:
            if anchor.is_same(os.stat(self.workdir), os.fstat(self.above)):
                folders.unmake(self.workdir)
                return ""
        except OSError:  # there is no workdir of that name any more
            pass
        if not folders.is_marked(self.above):
            return ""
        now = anchor.path_of(self.above, "an unknown place")
        text = "somebody renamed the workdir %s, which we made, to %s; it stays"
        return text % (self.workdir, now)

    def remove_what_is_here(self) -> None:
        """Remove all but the list of what is owed in a home that hangs.

        The next client on this host pays it.
        """
        log.say("the home does not answer; our files in it are removed when spe runs here again")
        clearing.empty_but(self.folder, self.path, (OWED, LOCK))

    def clear_leftovers(self) -> None:
        """Remove what clients of any session that died on this host left in our workdir."""
        clearing.clear_leftovers(self.above, self.workdir, self.name)
