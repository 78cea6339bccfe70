"""Accounts that may write where a client works, besides its own.

They count in the workdir and in each folder above it. The rule is that of sshd's StrictModes: an
account that may write into one of these folders can put another folder in the place of ours. `spe
doctor` sends this file to hosts as it is, so it needs the standard library alone.
"""

import grp
import os
import pwd
import stat
from typing import Iterator, NamedTuple

UNKNOWN = 65534  # number that containers and NFS give to unknown accounts
MOST_LINKS = 40


class Others(NamedTuple):
    """The first folder that was found in which others may write, and who they are.

    `everybody`: where all users may write, "" for nowhere. `who`, `where`: else who may, and where.
    """

    everybody: str = ""
    who: str = ""
    where: str = ""


NOBODY = Others()


def others(path: str) -> Others:
    """Look at a folder, and at all above it.

    Links are followed: they count, and the folders that hold them.
    """
    found = NOBODY
    for folder in passed(path):
        info = os.lstat(folder)
        is_open = info.st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH
        if is_open and not stat.S_ISLNK(info.st_mode):  # the mode of a link means nothing
            return Others(everybody=folder)
        who = found.who or who_else(folder, info)
        if who and not found.who:
            found = Others("", who, folder)
    return found


def who_else(folder: str, info: os.stat_result) -> str:
    """Return who may rename what lies in a folder, or replace a link, beside us and root, or ""."""
    if info.st_uid not in (0, os.getuid(), UNKNOWN):
        return "the user %s" % user_name(info.st_uid)
    is_open = info.st_mode & (stat.S_IWGRP | stat.S_ISVTX) == stat.S_IWGRP
    if stat.S_ISLNK(info.st_mode) or not is_open:
        return ""
    if has_list(folder):
        return "the group %s and those of its access list" % group_name(info.st_gid)
    if info.st_gid == 0 or is_private(info.st_gid):
        return ""
    return "the group %s" % group_name(info.st_gid)


def passed(path: str) -> Iterator[str]:
    """Yield each folder and each link on the way to a path, up to the first that is missing.

    The last one counts, too.
    """
    here, rest, links = "/", path.split("/")[::-1], 0
    yield here
    while rest:
        name = rest.pop()
        if name == "..":
            here = os.path.dirname(here)
        elif name not in ("", "."):
            there = os.path.join(here, name)
            if os.path.islink(there) and links < MOST_LINKS:
                links += 1
                yield there
                target = os.readlink(there)
                here = "/" if target.startswith("/") else here
                rest.extend(target.split("/")[::-1])
            elif os.path.isdir(there):
                here = there
                yield here
            else:
                return


def is_private(group: int) -> bool:
    """Tell whether a group is a user's own: it has our name, and nobody else is named in it."""
    try:
        ours, found = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_name == ours and set(found.gr_mem) <= {ours}


def has_list(folder: str) -> bool:
    """Tell whether a POSIX access list adds others; the bits of the group are its mask then."""
    if not hasattr(os, "getxattr"):
        return False
    try:
        return bool(os.getxattr(folder, "system.posix_acl_access"))
    except OSError:  # no list, or a file system that has none
        return False


def group_name(group: int) -> str:
    """Return the name of a group, else its number."""
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)


def user_name(user: int) -> str:
    """Return the name of a user, else its number."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def refusal(workdir: str, where: str) -> str:
    """Return the sentence that refuses a workdir where all users may write."""
    place = where if where == workdir else "%s, above the workdir %s" % (where, workdir)
    text = "all users may write into %s (mode %03o), so each of them could put another folder in the place of ours"
    return text % (place, stat.S_IMODE(os.stat(where).st_mode))
