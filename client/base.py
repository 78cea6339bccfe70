"""The client's own folder on a host: whose it is, the address file in it, and what dead clients left beside it."""

import fcntl
import hashlib
import json
import os
import re
import stat
import sys
import time
from typing import Callable, List, Optional

from . import ends, facts, folders, log, tree
from .connection import Address, parse_address

OWED, ID = "owed", "id"


def label(session: str) -> str:
    """What a session may be called in public."""
    return hashlib.sha256(session.encode("utf-8", "surrogateescape")).hexdigest()[:12]


class AlreadyRuns(Exception):
    """A living client has this folder."""


class Base:
    """`<workdir>/spe-<label>-<host>/`, mode 0700, with a lock that names its client."""

    def __init__(self, workdir: str, session: str, host: str) -> None:
        self.workdir = workdir
        self.path = os.path.join(workdir, "spe-%s-%s" % (label(session), re.sub(r"[^\w.-]", "_", host)))
        self.lock = os.path.join(self.path, "client.lock")
        self.address = os.path.join(self.path, "address")
        self._held = -1

    def claim(self) -> None:
        """Make it ours. Raises AlreadyRuns; what a dead client left there is removed first."""
        try:
            folders.make(self.workdir)
            while not self._claimed():
                self._refuse_others()
                if is_held(self.path):
                    raise AlreadyRuns()
                clear(self.path)
        except OSError as fault:
            what = fault.strerror or str(fault)
            raise ends.Ending(ends.WORKDIR, "the workdir %s cannot be used: %s" % (self.workdir, what))

    def _claimed(self) -> bool:
        try:
            os.mkdir(self.path, 0o700)
        except FileExistsError:
            return False
        pid = os.getpid()
        self._held = os.open(self.lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        _flock(self._held)
        os.write(self._held, ("%s\n%d\n%s\n" % (facts.here(), pid, facts.start_of(pid))).encode())
        return True

    def _refuse_others(self) -> None:
        """Where all users may write, one of them may have made a folder of this name: nothing is written into it."""
        try:
            info = os.lstat(self.path)
        except FileNotFoundError:
            return
        if info.st_uid != os.getuid() or not stat.S_ISDIR(info.st_mode):
            text = "the folder %s belongs to somebody else: remove it, or choose another workdir"
            raise ends.Ending(ends.WORKDIR, text % self.path)

    def is_of(self, pid: int) -> bool:
        """Is this the folder of that process, dead or alive?"""
        return _holder(self.path)[1:2] == [str(pid)]

    def note_id(self, client: str) -> None:
        """What the master calls us."""
        with open(os.path.join(self.path, ID), "w") as file:
            file.write(client + "\n")

    def client_id(self) -> str:
        """What the master calls the client of this folder; "" when that is not known."""
        return facts.content(os.path.join(self.path, ID)).strip()

    def hand_over(self, address: Address) -> None:
        """Tell the living client where the master is now."""
        temporary = "%s.%d" % (self.address, os.getpid())
        with open(temporary, "w") as file:
            file.write("%s\n%s\n" % (address.url, address.fingerprint))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.address)

    def reread(self) -> Optional[Address]:
        """The address that was handed over, if any."""
        lines = facts.content(self.address).split("\n") + [""]
        try:
            return parse_address(lines[0], lines[1]) if lines[0] else None
        except ValueError as fault:
            log.say("the address file holds no address: %s" % fault)
            return None

    def owe(self, path: str) -> None:
        """This file, elsewhere on the host, is to go when this folder goes, by whoever removes it."""
        with open(os.path.join(self.path, OWED), "a") as file:
            file.write(json.dumps(path) + "\n")

    def remove(self) -> None:
        """All that is in it, what it owes, and the workdir if it was us who made it."""
        _pay(self.path)
        folders.remove_tree(self.path)
        if os.path.exists(self.path):
            log.say("could not remove %s" % self.path)
        folders.unmake(self.workdir)

    def remove_what_is_here(self) -> None:
        """When the home hangs: all but what is owed there, which the next client on this host will pay."""
        log.say("the home does not answer; what is ours in it goes when spe is here again")
        for name in sorted(os.listdir(self.path)):
            if name not in (OWED, os.path.basename(self.lock)):
                folders.remove_tree(os.path.join(self.path, name))

    def clear_leftovers(self) -> None:
        """What clients of any session that died on this host left in our workdir."""
        for name in sorted(os.listdir(self.workdir)):
            path = os.path.join(self.workdir, name)
            if name.startswith("spe-") and path != self.path and _is_left_over(path):
                clear(path)


def _pay(path: str) -> None:
    """Delete what a folder says is to go with it, and the folders made for that; but never the file that we run."""
    try:
        with open(os.path.join(path, OWED)) as file:
            owed = [str(json.loads(line)) for line in file]
    except (OSError, ValueError):  # it owes nothing, or was killed while it wrote that down
        return
    for one in owed:
        if os.path.abspath(one) == os.path.abspath(sys.argv[0]):
            continue  # an earlier client owed it; on a shared home other hosts are just starting from it
        try:
            os.unlink(one)
        except OSError:  # gone, by its client's own hand
            pass
        folders.unmake(os.path.dirname(one))


def _is_left_over(path: str) -> bool:
    try:
        info = os.lstat(path)
    except OSError:
        return False
    if info.st_uid != os.getuid() or not os.path.isdir(path) or os.path.islink(path):
        return False
    holder = _holder(path)
    return len(holder) >= 3 and holder[0].split()[:1] == facts.here().split()[:1] and not is_held(path)


def is_held(path: str, patience: float = 2.0) -> bool:
    """Does a living client have this folder? One whose lock is not yet written gets a moment to write it."""
    if not _until(lambda: len(_holder(path)) >= 3, patience):
        return False
    where, pid, start = (_holder(path) + ["", "0", ""])[:3]
    if where == facts.here() and start:
        return facts.start_of(int(pid)) == start
    return _is_flocked(os.path.join(path, "client.lock"))  # another container, or a host of before its restart


def _flock(file: int) -> bool:
    """Take the kernel's own lock, which goes when the process dies; False when another has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without such locks
        return True
    return True


def _is_flocked(path: str) -> bool:
    try:
        file = os.open(path, os.O_WRONLY)
    except OSError:
        return False
    try:
        return not _flock(file)
    finally:
        os.close(file)


def _holder(path: str) -> List[str]:
    return facts.content(os.path.join(path, "client.lock")).split("\n")[:-1]


def _until(condition: Callable[[], bool], patience: float) -> bool:
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def clear(path: str) -> None:
    """Remove a dead client's folder, and end what still runs in it."""
    aside = "%s.dead-%d" % (path, os.getpid())
    killed = tree.kill_inside(path)
    try:
        os.rename(path, aside)
    except OSError:  # somebody else is clearing it
        return
    if is_held(aside, patience=0):  # in between it got a new, living owner
        os.rename(aside, path)
        return
    _pay(aside)
    folders.remove_tree(aside)
    log.say("cleared what a dead client left in %s (%d processes)" % (path, killed))
