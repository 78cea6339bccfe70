"""Passing open folders to another process: the client's to its guard.

The guard removes them when the client is killed. It is the client's parent and has none of what the
client opens; by name it might find another folder.
"""

import array
import socket
from typing import Optional, Tuple

_NUMBERS = array.array("i", [0, 0])
_SPACE = socket.CMSG_SPACE(_NUMBERS.itemsize * len(_NUMBERS))


def send(sock: socket.socket, name: str, folders: Tuple[int, int]) -> None:
    """Send two open folders, and the name of the second one in the first."""
    numbers = array.array("i", folders)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)]
    sock.sendmsg([name.encode("utf-8", "surrogateescape")], rights)


def received(sock: socket.socket) -> Optional[Tuple[str, int, int]]:
    """Return (name, folder above, folder) as they were sent; None when nothing was."""
    sock.setblocking(False)
    try:
        name, more, _, _ = sock.recvmsg(4096, _SPACE)
    except OSError:
        return None
    numbers = array.array("i")
    for _, _, data in more:
        numbers.frombytes(data[: _NUMBERS.itemsize * len(_NUMBERS)])
    if len(numbers) != 2:
        return None
    return name.decode("utf-8", "surrogateescape"), numbers[0], numbers[1]
