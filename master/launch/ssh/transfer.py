"""Copying the client to a host with scp, whole, under a temporary name; a script then gives it its own.

A host without an `scp` program gets it through `cat`. What fails here is the disk, the home or
"copy failed", never "login failed".
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

from ..offer import Offer

log = logging.getLogger("spe.launch")


class Failed(Exception):
    """What the host said about a copy."""


class BrokenOff(Failed):
    """The connection was lost in the middle of it."""


def temporary(offer: Offer) -> str:
    """A name that nobody starts a client by."""
    return f".{offer.client_name}.{secrets.token_hex(6)}"


def copy(transport: paramiko.Transport, path: str, content: bytes, limit: float) -> None:
    """Puts it there, or raises Failed; then a rest of it may lie there."""
    late = threading.Timer(limit, transport.close)  # the libraries wait for some answers without a limit
    late.daemon = True
    late.start()
    end = time.monotonic() + limit
    try:
        try:
            SCPClient(transport, socket_timeout=limit).putfo(io.BytesIO(content), path, mode="0600", size=len(content))
        except SCPException as error:
            # No scp program there, or a login script that prints into its protocol; a full disk fails in both ways.
            log.info("%s: scp failed (%s), copying through cat", path, error)
            _put_with_cat(transport, path, content, limit)
    except (paramiko.SSHException, OSError, EOFError) as error:
        if time.monotonic() >= end - 0.5:
            raise Failed(f"not finished after {limit:g} s") from error
        raise BrokenOff(f"the connection was lost ({error or 'closed'})") from error
    finally:
        late.cancel()


def _put_with_cat(transport: paramiko.Transport, path: str, content: bytes, limit: float) -> None:
    """The path is of our making but for the home's own name; single quotes are the same in every login shell."""
    channel = transport.open_session(timeout=limit)
    try:
        channel.settimeout(limit)
        channel.set_combine_stderr(True)
        channel.exec_command(f"/bin/sh -c {shlex.quote(f'umask 077; cat >{shlex.quote(path)}')}")
        channel.sendall(content)
        channel.shutdown_write()
        said = channel.makefile("rb").read(4096).decode(errors="replace").strip()
        if channel.recv_exit_status() != 0:
            raise Failed(said or "cat failed")
    finally:
        channel.close()
