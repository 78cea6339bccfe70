"""Removing the folders of clients: those of dead ones of any session, and our own.

What a folder owes goes with it. All goes by open folders: where others may write, the name of a
folder may be another folder's at any moment.
"""

import json
import os
import re
import sys
from typing import List, Optional, Sequence

from .. import log
from ..machine import facts, process_tree
from . import anchor, folders, shared_folder
from .holding import LOCK, NotOurs, content, holder, is_held, mark, opened, write
from .removal import Unremoved, empty

OWED = "owed"  # a file in the folder that names files elsewhere, which are to go with it
ASIDE = re.compile(r"(\.dead-\w+)+$")  # the end of a name under which a folder is removed
LONGEST = 200  # characters of a name that gets one more part
TRIES = 20  # to remove a folder that somebody renames all the time


def clear_leftovers(above: int, place: str, own: str) -> None:
    """Remove what clients that died on this host left in the workdir.

    A fault of that is only logged.
    """
    for name in sorted(os.listdir(above)):
        if name.startswith("spe-") and name != own:
            try:
                _clear_if_left_over(above, place, name)
            except Exception as fault:  # no fault of a foreign folder keeps us from working
                log.say(
                    "could not clear what a dead client left in %s: %s"
                    % (os.path.join(place, name), fault)
                )


def _clear_if_left_over(above: int, place: str, name: str) -> None:
    try:
        folder = opened(above, name)
    except NotOurs:
        return
    if folder is None:
        return
    try:
        held_by = holder(folder)
        # Another host that shares this workdir clears up after its own clients.
        our_host = facts.process_space().split()[:1]
        is_here = len(held_by) >= 3 and held_by[0].split()[:1] == our_host
        if is_here and not is_held(folder):
            clear(above, place, name, folder)
    finally:
        os.close(folder)


def clear(above: int, place: str, name: str, folder: int) -> bool:
    """Remove a dead client's folder, and end what still runs in it.

    False when it cannot be moved away.
    """
    inside = anchor.path_of(folder, os.path.join(place, name))
    killed = process_tree.kill_inside(inside, mark(folder))
    aside = "%s.dead-%s" % (ASIDE.sub("", name)[:LONGEST], os.urandom(4).hex())
    try:
        os.rename(name, aside, src_dir_fd=above, dst_dir_fd=above)
        moved = os.stat(aside, dir_fd=above, follow_symlinks=False)
        if not anchor.is_same(moved, os.fstat(folder)):
            # A living client has got this name in between.
            os.rename(aside, name, src_dir_fd=above, dst_dir_fd=above)
            return True
    except FileNotFoundError:  # another client is clearing it
        return True
    except OSError as fault:
        log.say(
            "could not clear what a dead client left in %s: %s"
            % (os.path.join(place, name), fault.strerror)
        )
        return False
    pay(folder)
    leave_shared(folder)
    text = remove(above, place, aside, folder)
    log.say(
        "cleared what a dead client left in %s (%d processes)" % (os.path.join(place, name), killed)
    )
    if text:
        log.say(text)
    return True


def remove(above: int, place: str, name: str, folder: int) -> str:
    """Remove a folder with all in it. Return in one line what stays, "" for nothing."""
    left = Unremoved(os.path.join(place, _name_now(above, name, folder) or name))
    try:
        # The lock file goes last: it says whose folder this was, or no client would clear the rest.
        empty(folder, left, kept=(LOCK,))
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
    """Write into the lock that nobody holds this folder any more: the next client tries again."""
    try:
        write(folder, LOCK, "%s\n0\n-\n" % facts.process_space())
    except OSError:  # the lock still names this process, which is about to end
        pass


def empty_but(folder: int, path: str, kept: Sequence[str]) -> None:
    """Remove what is in a folder but the files `kept`; what else stays is one line in the log."""
    left = Unremoved(path)
    try:
        empty(folder, left, kept)
    except OSError as fault:
        left.note(fault)
    if left.count:
        log.say("could not remove %s" % left)


def _remove_name(above: int, place: str, name: str, folder: int) -> str:
    """Remove an empty folder, whatever its name is by now.

    Return what is to be said of that, or "".
    """
    now, why = name, ""
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
    text = "somebody renamed our folder %s to %s; it is removed" % (os.path.join(place, name), now)
    if _is_there(above, name):
        text += "; what has its name now is not ours, and stays"
    return text


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


def leave_shared(folder: int) -> None:
    """Leave the folders in the cache that a client of this folder shared with others."""
    for one in _owed(folder):
        if shared_folder.is_mark(one):
            shared_folder.leave(one)


def _owed(folder: int) -> List[str]:
    try:
        return [str(json.loads(line)) for line in content(folder, OWED).splitlines()]
    except ValueError:  # its client was killed while it wrote that down
        return []


def pay(folder: int) -> None:
    """Delete the files that a folder owes, with the folders made for them; never the running file.

    The running file may be owed by an earlier client, and other hosts may be just starting from it.
    """
    for one in _owed(folder):
        if os.path.abspath(one) == sys.argv[0] or shared_folder.is_mark(one):
            continue
        try:
            os.unlink(one)
        except OSError:  # the client has removed it already
            pass
        folders.unmake(os.path.dirname(one))
