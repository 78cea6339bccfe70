"""Copying the client to a host with scp, whole, under a temporary name.

A script gives the copy its own name afterwards. A host without an `scp` program gets the copy through
`cat`. Errors here are about the disk or the home, or "copy failed", never "login failed".
"""

from __future__ import annotations

import io
import logging
import secrets
import shlex
import threading
import time

import paramiko
from scp import SCPClient, SCPException

from ...errors import Fault, LaunchError
from ..offer import Offer
from . import remote_shell

log = logging.getLogger("spe.launch")


class Failed(Exception):
    """A copy failed; the message is what the host said about it."""


class BrokenOff(Failed):
    """The connection was lost in the middle of a copy."""


def temporary(offer: Offer) -> str:
    """Return a temporary name for a copy: no start script looks for such a name."""
    return f".{offer.client_name}.{secrets.token_hex(6)}"


def copy(
    transport: paramiko.Transport, path: str, content: bytes, where: str, limit: float
) -> None:
    """Write `content` to `path` on the host `where`. After a Failed, a part of it may lie there."""
    # paramiko and scp wait for some answers without a limit: closing the transport ends that.
    late = threading.Timer(limit, transport.close)
    late.daemon = True
    late.start()
    end = time.monotonic() + limit
    try:
        _put(transport, path, content, where, limit)
    except (paramiko.SSHException, OSError, EOFError) as error:
        if time.monotonic() >= end - 0.5:  # the timer closed the transport, and it is not precise
            raise Failed(f"not finished after {limit:g} s") from error
        raise BrokenOff(f"the connection was lost ({error or 'closed'})") from error
    finally:
        late.cancel()


def _put(
    transport: paramiko.Transport, path: str, content: bytes, where: str, limit: float
) -> None:
    client = SCPClient(transport, socket_timeout=limit)
    try:
        client.putfo(io.BytesIO(content), path, mode="0600", size=len(content))
    except SCPException as error:
        # There is no scp program, or a login script prints into its protocol. A full disk fails here
        # too, and again below, with the system's own words.
        log.info("%s: scp failed (%s), copying through cat", path, error)
        _put_with_cat(transport, path, content, where, limit)


def _put_with_cat(
    transport: paramiko.Transport, path: str, content: bytes, where: str, limit: float
) -> None:
    """Write `content` to `path` through `cat`. Raises Failed with what `cat` printed."""
    script = f"LC_ALL=C; export LC_ALL; umask 077; cat >{shlex.quote(path)}\n"
    try:
        said = remote_shell.run(transport, script, where, limit, content)
    except LaunchError as error:
        if error.fault is Fault.LOST:
            raise EOFError(error.detail) from error
        raise
    if said.code != 0:
        raise Failed(said.last if said.lines else "cat failed")
