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

from ..errors import Fault, LaunchError
from . import meaning, remote
from .offer import Offer

log = logging.getLogger("spe.launch")


def copy(transport: paramiko.Transport, folder: str, offer: Offer, where: str, limit: float) -> str:
    """Puts the client into the folder, and says under what temporary name. Nothing of a failed copy stays."""
    incoming = f".{offer.client_name}.{secrets.token_hex(6)}"
    try:
        _put(transport, f"{folder}/{incoming}", offer.client, limit)
    except _Failed as error:
        raise failed(transport, folder, incoming, str(error), where, limit) from error
    return incoming


def failed(
    transport: paramiko.Transport, folder: str, incoming: str, words: str, where: str, limit: float
) -> LaunchError:
    """What came of a copy that is of no use; its rest is removed."""
    _tidy(transport, incoming, where, limit)
    fault = meaning.of_words(words) or Fault.COPY
    what = f"the client cannot be copied to {folder}: {words}"
    return LaunchError(fault, what, where=where, todo=meaning.todo(fault, where))


class _Failed(Exception):
    """What the host said about a copy."""


def _put(transport: paramiko.Transport, path: str, content: bytes, limit: float) -> None:
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
            raise _Failed(f"not finished after {limit:g} s") from error
        raise _Failed(f"the connection was lost ({error or 'closed'})") from error
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
            raise _Failed(said or "cat failed")
    finally:
        channel.close()


def _tidy(transport: paramiko.Transport, incoming: str, where: str, limit: float) -> None:
    """The rest of a failed copy; the fault itself is told by the caller, so one here is only logged."""
    try:
        remote.run(transport, remote.clean_script(incoming), where, limit)
    except LaunchError as error:
        log.warning("%s: the rest of a failed copy may stay: %s", where, error)
