"""The folder in which users find the farm: its socket and its address.

Users trust it because it belongs to the farm's account, so everything here is looked at through one
open descriptor: nobody can put another folder in its place in between.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import BusyError, UsageError

SOCKET, ADDRESS, LOCK = "socket", "farm.json", "lock"
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def default_folder(account: str) -> Path:
    """Return where the farm of an account is looked for."""
    # Not /tmp, which is emptied, nor a home, into which others cannot look.
    return Path("/var/tmp") / f"spe-farm-{account}"


class PublicFolder:
    """The folder of one running farm. No second farm has it as long as this one is open."""

    def __init__(self, path: Path) -> None:
        """Make the folder, or take the one of this account. Raises UsageError, BusyError."""
        self.path = path
        self._descriptor = _open(path)
        try:
            self._lock = self._locked()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _locked(self) -> int:
        # Mode 0600: anybody who may open a file may lock it, and could keep the farm from starting.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(LOCK, flags, 0o600, dir_fd=self._descriptor)
        try:
            _lock(lock)
        except OSError:
            os.close(lock)
            todo = "Stop it first, or give this one a folder of its own: --public DIR."
            what = "a farm of this account runs already"
            raise BusyError(what, where=str(self.path), todo=todo) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return lock

    def short_path(self, name: str) -> str:
        """Return a path that a socket address has room for, however long the folder's is."""
        return f"/proc/self/fd/{self._descriptor}/{name}"

    def remove(self, name: str) -> None:
        """Remove a file that may be missing."""
        try:
            os.unlink(name, dir_fd=self._descriptor)
        except FileNotFoundError:
            return

    def open_to_all(self, name: str, mode: int) -> None:
        """Set the mode of a file, whatever the umask is."""
        os.chmod(name, mode, dir_fd=self._descriptor)

    def write_address(self, address: Mapping[str, Any]) -> None:
        """Write farm.json, so that no reader ever sees half of it."""
        new = ADDRESS + ".new"
        self.remove(new)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(new, flags, 0o644, dir_fd=self._descriptor), "w", encoding="utf-8") as to:
            to.write(json.dumps(address, indent=1) + "\n")
            to.flush()
            os.fchmod(to.fileno(), 0o644)
            os.fsync(to.fileno())
        os.replace(new, ADDRESS, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def close(self) -> None:
        """Let another farm have the folder. The address stays: users read that it is down."""
        os.close(self._lock)
        os.close(self._descriptor)


def _lock(file: int) -> None:
    """Lock a file for this process alone. Raises OSError."""
    # Several times: `spe farm status` locks it for a moment to see whether a farm runs.
    for _ in range(20):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.05)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _open(path: Path) -> int:
    """Return a descriptor of the folder. Raises UsageError when it is not this account's alone."""
    todo = "Name another folder, --public DIR, and tell it your users; or have that one removed."
    try:
        path.mkdir(mode=0o755)
    except FileExistsError:
        pass
    except OSError as error:
        what = f"the folder cannot be made: {error.strerror}"
        raise UsageError(what, where=str(path), todo="Name another one: --public DIR.") from error
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        what = f"the folder cannot be used: {error.strerror}"
        if path.is_symlink():
            what = "it is a symbolic link, which somebody else may have made"
        raise UsageError(what, where=str(path), todo=todo) from error
    if os.fstat(descriptor).st_uid != os.geteuid():
        owner = os.fstat(descriptor).st_uid
        os.close(descriptor)
        raise UsageError(f"the folder belongs to uid {owner}", where=str(path), todo=todo)
    parent = os.stat(path.parent)
    if parent.st_mode & OTHERS_WRITE and not parent.st_mode & stat.S_ISVTX:
        os.close(descriptor)
        what = "others may write into the folder above it, and could put another one in its place"
        raise UsageError(what, where=str(path), todo="Name another folder: --public DIR.")
    os.fchmod(descriptor, 0o755)
    return descriptor
