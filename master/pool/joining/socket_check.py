"""Runs on the farm's host: check whose the socket is, and ask it for a token.

Its text is also sent to another host through `python3 -`, so it imports the standard library alone,
and runs with Python 3.6. It prints one line: MARK and a JSON object.
"""

import json
import os
import pwd
import socket
import stat
import struct
import sys
from typing import Any

MARK = "spe-farm-answer "  # a login may print other lines before
LONGEST = 64 * 1024  # bytes of an answer and of farm.json
TIME = 20.0  # seconds of silence
LOOK = {"do": "look"}  # the request that asks for the address alone, not at the socket
ALL_UIDS = 2**32 - 1


class Doubt(Exception):
    """The farm cannot be trusted or reached: what is wrong, and what to do."""


def maps_all_uids(path: str = "/proc/self/uid_map") -> bool:
    """Tell whether this process sees each uid as what it is."""
    try:
        with open(path) as file:
            lines = [[int(word) for word in line.split()] for line in file]
    except FileNotFoundError:
        return True
    return all(a == b for a, b, _ in lines) and sum(line[2] for line in lines) >= ALL_UIDS


def _owned(found: os.stat_result, uid: int, account: str, path: str) -> None:
    if found.st_uid != uid:
        raise Doubt(
            f"{path} belongs to uid {found.st_uid}, not to {account}: it may be a false farm",
            "Ask its administrator for the account: spe farm join HOST --account NAME",
        )


def _open_folder(folder: str, uid: int, account: str) -> int:
    """Return a descriptor of the folder, once it is known to be the account's."""
    if os.path.islink(folder):
        raise Doubt(
            f"{folder} is a symbolic link, which anybody can make",
            "Ask the farm's administrator.",
        )
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        todo = "Name the account or the folder: --account NAME, --public DIR. Or it never started."
        raise Doubt(f"there is no farm of {account} here: {folder} is missing", todo) from None
    except OSError as error:
        raise Doubt(
            f"{folder} cannot be opened: {error.strerror}",
            "Ask the farm's administrator.",
        ) from None
    found = os.fstat(descriptor)
    _owned(found, uid, account, folder)
    if found.st_mode & 0o022:
        raise Doubt(f"others may write into {folder}", "Ask the farm's administrator.")
    return descriptor


_ADDRESS = ("farm.json", stat.S_ISREG)
_SOCKET = ("socket", stat.S_ISSOCK)


def _check_files(descriptor: int, folder: str, uid: int, account: str, *files: Any) -> None:
    for name, is_right in files:
        path = os.path.join(folder, name)
        try:
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except OSError:
            raise Doubt(
                f"the farm is not there: {path} is missing",
                "Have it started, or try again later.",
            ) from None
        if stat.S_ISLNK(found.st_mode):
            raise Doubt(f"{path} is a symbolic link", "Ask the farm's administrator.")
        _owned(found, uid, account, path)
        if not is_right(found.st_mode):
            raise Doubt(f"{path} is not what it should be", "Ask the farm's administrator.")


def _connected(descriptor: int, folder: str, uid: int, account: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(TIME)
    try:
        # By the descriptor that was checked: the folder's name may lead elsewhere by now.
        connection.connect(f"/proc/self/fd/{descriptor}/socket")
    except OSError as error:
        what = f"the farm does not answer at {folder}/socket: {error.strerror or error}"
        raise Doubt(what, "It may be down: ask its administrator, or try again later.") from None
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    other = struct.unpack("3i", raw)[1] & 0xFFFFFFFF
    if other != uid:
        what = f"uid {other} answers at {folder}/socket, not {account}"
        raise Doubt(what, "Tell the farm's administrator: it may be somebody else's.")
    return connection


def _uid_of(account: str) -> int:
    """Return the uid of the farm's account, as this process sees it."""
    if not maps_all_uids():
        todo = "Join from outside of the container."
        raise Doubt(
            "this is a container, from inside of which nobody can check whose the farm is", todo
        )
    try:
        return pwd.getpwnam(account).pw_uid
    except (KeyError, ValueError):
        raise Doubt(
            f"there is no account {account!a} on the farm's host",
            "Name it: --account NAME",
        ) from None


def look(account: str, folder: str) -> Any:
    """Return the farm's address, which may be a new one since a token was given. Raises Doubt."""
    uid = _uid_of(account)
    descriptor = _open_folder(folder, uid, account)
    try:
        _check_files(descriptor, folder, uid, account, _ADDRESS)
        # The farm's account may put a pipe there since the check, and nobody would ever write to it.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        file = os.open("farm.json", flags, dir_fd=descriptor)
        with open(file, "rb") as stream:
            found = json.loads(stream.read(LONGEST).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        raise Doubt(f"{folder}/farm.json cannot be read", "Ask the farm's administrator.") from None
    finally:
        os.close(descriptor)
    if not isinstance(found, dict):
        raise Doubt(f"{folder}/farm.json is no address", "Ask the farm's administrator.")
    return found


def ask(account: str, folder: str, request: Any) -> Any:
    """Return the farm's answer to a request. Raises Doubt."""
    uid = _uid_of(account)
    descriptor = _open_folder(folder, uid, account)
    try:
        _check_files(descriptor, folder, uid, account, _ADDRESS, _SOCKET)
        connection = _connected(descriptor, folder, uid, account)
    finally:
        os.close(descriptor)
    with connection:
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n") and len(answer) < LONGEST:
                more = connection.recv(4096)
                if not more:
                    break
                answer += more
            found = json.loads(answer.decode("utf-8"))
        except (OSError, ValueError, RecursionError):
            raise Doubt("the farm's answer was cut off or is none", "Try again later.") from None
    if not isinstance(found, dict):
        raise Doubt("the farm's answer is none", "Try again later.")
    return found


def main(asked: str) -> None:
    """Print the answer to what is asked: {"account", "folder", "request"} as JSON."""
    given = json.loads(asked)
    try:
        if given["request"] == LOOK:
            answer = look(given["account"], given["folder"])
        else:
            answer = ask(given["account"], given["folder"], given["request"])
    except Doubt as doubt:
        answer = {"error": doubt.args[0], "todo": doubt.args[1]}
    sys.stdout.write(MARK + json.dumps(answer) + "\n")
