"""The master's port brought to a host through its SSH connection (ssh -R).

For hosts that cannot reach the master. Only bytes pass here: HTTPS runs from the client to the
master, end to end. ssh.py keeps the connection and makes it again.
"""

from __future__ import annotations

import logging
import socket
import threading

import paramiko

log = logging.getLogger("spe.launch")

LOOPBACK = "127.0.0.1"
_BLOCK = 64 * 1024  # bytes a read: twice the largest packet of SSH


class Denied(Exception):
    """The host's sshd refused to open the port."""


def listen(transport: paramiko.Transport, master: tuple[str, int], port: int = 0) -> int:
    """Return the port on which the host's sshd listens, on its loopback, for connections to the master.

    `port` 0 takes any. Raises Denied.
    """

    def carry(channel: paramiko.Channel, *_: object) -> None:
        # A thread of its own: this is called in the transport's thread, which must not wait.
        threading.Thread(
            target=_serve, args=(channel, master), name="spe-forward", daemon=True
        ).start()

    try:
        return transport.request_port_forward(LOOPBACK, port, carry)
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise Denied(str(error)) from error


def _serve(channel: paramiko.Channel, master: tuple[str, int]) -> None:
    """Carry one connection of the client, in both directions until both have ended."""
    try:
        sock = socket.create_connection(master, timeout=10)
    except OSError as error:
        log.debug("the master does not answer at %s port %d: %s", *master, error)
        channel.close()
        return
    sock.settimeout(None)  # a long poll is quiet for minutes
    back = threading.Thread(
        target=_pump, args=(sock, channel), name="spe-forward-back", daemon=True
    )
    back.start()
    _pump(channel, sock)
    # Joined before closing: one direction may end early while the other still carries a reply.
    back.join()
    channel.close()
    sock.close()


def _pump(source: socket.socket | paramiko.Channel, sink: socket.socket | paramiko.Channel) -> None:
    """Pass bytes on until the end, then the end itself. An error on either side ends both."""
    try:
        while data := source.recv(_BLOCK):
            sink.sendall(data)
        _end(sink, socket.SHUT_WR)
    except (OSError, EOFError, paramiko.SSHException) as error:
        log.debug("a forwarded connection broke off: %s", error)
        _end(sink, socket.SHUT_RDWR)
        _end(source, socket.SHUT_RDWR)


def _end(side: socket.socket | paramiko.Channel, how: int) -> None:
    try:
        side.shutdown(how)
    except (OSError, EOFError, paramiko.SSHException) as error:
        log.debug("already closed: %s", error)
