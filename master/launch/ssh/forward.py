"""The master's port brought to a host through its SSH connection (ssh -R), for hosts that cannot reach it.

Bytes only: what passes is HTTPS from the client to the master, end to end. Keeping and remaking the connection
is ssh.py's.
"""

from __future__ import annotations

import logging
import socket
import threading

import paramiko

log = logging.getLogger("spe.launch")

LOOPBACK = "127.0.0.1"
_BLOCK = 64 * 1024


class Denied(Exception):
    """The host's sshd does not open the port."""


def listen(transport: paramiko.Transport, master: tuple[str, int], port: int = 0) -> int:
    """Has the host's sshd listen on its own loopback (`port` 0: any) and carries what comes to the master."""

    def carry(channel: paramiko.Channel, *_: object) -> None:
        # called in the transport's own thread, which must not wait
        threading.Thread(target=_serve, args=(channel, master), name="spe-forward", daemon=True).start()

    try:
        return transport.request_port_forward(LOOPBACK, port, carry)
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise Denied(str(error)) from error


def _serve(channel: paramiko.Channel, master: tuple[str, int]) -> None:
    """One connection of the client, both directions until both have ended."""
    try:
        sock = socket.create_connection(master, timeout=10)
    except OSError as error:
        log.debug("the master does not answer at %s port %d: %s", *master, error)
        channel.close()
        return
    sock.settimeout(None)  # a long poll may be quiet for as long as it likes
    back = threading.Thread(target=_pump, args=(sock, channel), name="spe-forward-back", daemon=True)
    back.start()
    _pump(channel, sock)
    back.join()
    channel.close()
    sock.close()


def _pump(source: socket.socket | paramiko.Channel, sink: socket.socket | paramiko.Channel) -> None:
    """Bytes until the end; then the end is passed on. An error on either side ends both."""
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
