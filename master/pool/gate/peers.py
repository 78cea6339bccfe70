"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import pwd
import socket
import struct
from pathlib import Path

from ...errors import UsageError
from ...record import record
from ..members import Refused
from ..texts import is_user_name

ALL_UIDS = 2**32 - 1  # uids of a namespace that maps all of them; the last one means "none"
_CREDENTIALS = struct.Struct("3i")  # process, uid, gid


@record
class Account:
    """An account of this host."""

    name: str
    uid: int
    shell: str


def peer_uid(connection: socket.socket) -> int:
    """Return the uid that connected. Raises OSError.

    The kernel keeps it from the moment of connecting: nobody can change it afterwards.
    """
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1]) & 0xFFFFFFFF


def overflow_uid() -> int:
    """Return the uid that the kernel shows for uids that it cannot show here."""
    try:
        return int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 65534


def account_of(uid: int) -> Account:
    """Return the account of a peer. Raises Refused for a uid that names no person.

    The name service may take seconds, so this belongs in a thread.
    """
    if uid == 0:
        raise Refused("root cannot join a farm", todo="Join as yourself.")
    if uid == overflow_uid():
        todo = "Join from outside of the container, or as another user."
        raise Refused(f"the farm's host cannot tell who you are: it sees uid {uid}", todo=todo)
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        todo = "Join from outside of the container, if you are in one."
        raise Refused(f"uid {uid} has no name on the farm's host", todo=todo) from None
    if not is_user_name(entry.pw_name):
        raise Refused(f"the account of uid {uid} has a name that the farm cannot take")
    return Account(entry.pw_name, uid, entry.pw_shell)


def maps_all_uids(text: str) -> bool:
    """Tell whether this content of /proc/self/uid_map shows each uid as what it is."""
    lines = [[int(word) for word in line.split()] for line in text.splitlines()]
    return all(a == b for a, b, _ in lines) and sum(count for *_, count in lines) >= ALL_UIDS


def check_namespace(uid_map: Path = Path("/proc/self/uid_map")) -> None:
    """Raise UsageError where this process sees several users as one, as in a rootless container."""
    try:
        text = uid_map.read_text(encoding="ascii")
    except FileNotFoundError:
        return  # a kernel without user namespaces
    if not maps_all_uids(text):
        raise UsageError(
            "a farm cannot run in this container: it would take several users for one",
            where=str(uid_map),
            todo="Start it outside of the container, or in one that maps all uids.",
        )
