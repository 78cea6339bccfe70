"""Removing the folders of clients, those of dead ones of any session and our own; what a folder owes goes with it.

All goes by open folders. Where others may write, the name of a folder may be another folder's at any moment.
"""

import json
import os
import re
import sys
from typing import Optional, Sequence

from .. import log
from ..machine import facts, process_tree
from . import anchor, folders
from .holding import LOCK, NotOurs, content, holder, is_held, mark, opened, write
from .removal import Left, empty

OWED = "owed"
ASIDE = re.compile(r"(\.dead-\w+)+$")
LONGEST = 200  # characters of a name that gets one more part
TRIES = 20  # to remove a folder that somebody renames all the time


def clear_leftovers(above: int, place: str, own: str) -> None:
    """Remove what clients that died on this host left in the workdir; a fault of that is one line in the log."""
    for name in sorted(os.listdir(above)):
        if name.startswith("spe-") and name != own:
            try:
                _clear_if_left_over(above, place, name)
            except Exception as fault:  # whatever it is, it is no reason not to work here
                log.say("could not clear what a dead client left in %s: %s" % (os.path.join(place, name), fault))


def _clear_if_left_over(above: int, place: str, name: str) -> None:
    try:
        folder = opened(above, name)
    except NotOurs:
        return
    if folder is None:
        return
    try:
        held_by = holder(folder)
        is_here = len(held_by) >= 3 and held_by[0].split()[:1] == facts.here().split()[:1]
        if is_here and not is_held(folder):
            clear(above, place, name, folder)
    finally:
        os.close(folder)


def clear(above: int, place: str, name: str, folder: int) -> bool:
    """Remove a dead client's folder, and end what still runs in it. False when it can't be moved out of the way."""
    killed = process_tree.kill_inside(anchor.path_of(folder, os.path.join(place, name)), mark(folder))
    aside = "%s.dead-%s" % (ASIDE.sub("", name)[:LONGEST], os.urandom(4).hex())
    try:
        os.rename(name, aside, src_dir_fd=above, dst_dir_fd=above)
        if not anchor.is_same(os.stat(aside, dir_fd=above, follow_symlinks=False), os.fstat(folder)):
            os.rename(aside, name, src_dir_fd=above, dst_dir_fd=above)  # a living one has got this name in between
            return True
    except FileNotFoundError:  # somebody else is clearing it
        return True
    except OSError as fault:
        log.say("could not clear what a dead client left in %s: %s" % (os.path.join(place, name), fault.strerror))
        return False
    pay(folder)
    text = remove(above, place, aside, folder)
    log.say("cleared what a dead client left in %s (%d processes)" % (os.path.join(place, name), killed))
    if text:
        log.say(text)
    return True


def remove(above: int, place: str, name: str, folder: int) -> str:
    """Remove a folder with all in it. Return what stays in one line, "" for nothing."""
    left = Left(os.path.join(place, _name_now(above, name, folder) or name))
    try:
        empty(folder, left, kept=(LOCK,))  # to the last it says whose it was, or nobody would clear the rest
        if not left.count:
            os.unlink(LOCK, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError as fault:
        left.note(fault)
    if left.count:
        _let_go(folder)
        return "could not remove %s" % left
    return _remove_name(above, place, name, folder)


def _let_go(folder: int) -> None:
    """Write into the lock that nobody holds this folder any more: the next client that comes tries again."""
    try:
        write(folder, LOCK, "%s\n0\n-\n" % facts.here())
    except OSError:  # the lock still names one that is about to end
        pass


def empty_but(folder: int, path: str, kept: Sequence[str]) -> None:
    """Remove what is in a folder but some of it; what else stays is one line in the log."""
    left = Left(path)
    try:
        empty(folder, left, kept)
    except OSError as fault:
        left.note(fault)
    if left.count:
        log.say("could not remove %s" % left)


def _remove_name(above: int, place: str, name: str, folder: int) -> str:
    """Remove an empty folder, whatever its name is by now."""
    path, now, why = os.path.join(place, name), name, ""
    for _ in range(TRIES):
        if not os.fstat(folder).st_nlink:  # gone
            break
        found = _name_now(above, name, folder)
        now = found or now
        try:
            os.rmdir(now, dir_fd=above)
        except OSError as fault:
            why = str(fault.strerror) if found else "it is not there any more"
    else:
        return "could not remove %s, which is empty: %s" % (os.path.join(place, now), why)
    if now == name or ASIDE.search(now):
        return ""
    stays = "; what has its name now is not ours, and stays" if _is_there(above, name) else ""
    return "somebody renamed our folder %s to %s; it is removed%s" % (path, now, stays)


def _name_now(above: int, name: str, folder: int) -> Optional[str]:
    """Return the name that a folder has now. None when it is not in there any more."""
    info = os.fstat(folder)
    for one in [name, *os.listdir(above)]:
        try:
            if anchor.is_same(os.stat(one, dir_fd=above, follow_symlinks=False), info):
                return one
        except OSError:  # gone in between
            continue
    return None


def _is_there(above: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=above, follow_symlinks=False)
    except OSError:
        return False
    return True


def pay(folder: int) -> None:
    """Delete what a folder says is to go with it, and the folders made for that; but never the file that we run."""
    try:
        owed = [str(json.loads(line)) for line in content(folder, OWED).splitlines()]
    except ValueError:  # its client was killed while it wrote that down
        return
    for one in owed:
        if os.path.abspath(one) == sys.argv[0]:
            continue  # an earlier client owed it; on a shared home other hosts are just starting from it
        try:
            os.unlink(one)
        except OSError:  # gone, by its client's own hand
            pass
        folders.unmake(os.path.dirname(one))
