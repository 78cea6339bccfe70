"""A host over SSH: start the client; copy it only when that fails; lend it this connection when it cannot reach us.

The parts have files of their own: target (ssh_config), known_hosts, keys, connect, remote (the script on the
host), transfer (scp), forward. Here is their order, and what each way to fail means.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import threading
import time

from ..errors import Fault, LaunchError
from ..model import Host
from . import forward, remote, transfer
from .connect import Connection, connect
from .offer import ALREADY_RUNS, Offer, Options
from .remote import Code, Said
from .threads import in_thread

log = logging.getLogger("spe.launch")

_ROUNDS = 3  # of copy and start: on a shared home somebody who leaves may take the file away in between
_TIDY_LIMIT = 10.0  # seconds for leaving a host as it was found
_ALIVE_EVERY = 15.0  # seconds between questions whether the forwarding connection lives


class SshLauncher:
    """One host's way up over SSH."""

    def __init__(self, host: Host, offer: Offer, options: Options) -> None:
        self.host, self.note, self.handed_over = host, "", False
        self._offer, self._options = offer, options
        self._connection: Connection | None = None
        self._port = 0  # on the host, when the master's port is forwarded
        self._copied = False
        self._closed, self._idle = threading.Event(), threading.Event()
        self._idle.set()

    async def start(self) -> None:
        """Returns when the client has registered; then the connection is closed unless it carries the port."""
        self._idle.clear()
        await in_thread(self._start, f"spe-start-{self.host.name}")

    async def watch(self) -> None:
        """Keeps the forwarding alive; without it there is nothing to keep, and the client lives on its own."""
        if self._port:
            await in_thread(self._keep, f"spe-keep-{self.host.name}")

    async def close(self) -> None:
        """Closes the connection, and with it the forwarded port. A start on its way gets time to tidy up."""
        self._closed.set()
        if self._connection is not None:
            await in_thread(self._end, f"spe-close-{self.host.name}")

    def _end(self) -> None:
        self._idle.wait(_TIDY_LIMIT)
        if self._connection is not None:
            self._connection.close()

    # -- starting ----------------------------------------------------------------------------------------

    def _start(self) -> None:
        try:
            self._connection = connect(self.host, self._options)
            self._start_through(self._connection)
        finally:
            self._idle.set()

    def _start_through(self, connection: Connection) -> None:
        try:
            self._bring_up(connection)
        except LaunchError:
            self._leave_as_found(connection)
            self._port = 0
            raise
        finally:
            if not self._port or self._closed.is_set():
                connection.close()

    def _bring_up(self, connection: Connection) -> None:
        address = self._address(connection)
        if address is not None:
            said = self._start_client(connection, self._offer.url(address))
            if said.code == Code.STARTED:
                return
            if said.code != Code.UNREACHABLE:
                raise self._fault(said)
            log.info("%s: %s; forwarding the port", self.host.name, said.last)
        self._lend(connection)

    def _address(self, connection: Connection) -> str | None:
        """The master as this host may see it; None when only forwarding can work."""
        address = self._offer.address or connection.own_address
        if address is None or (_is_loopback(address) and not _is_loopback(connection.own_address)):
            return None
        return address

    def _lend(self, connection: Connection) -> None:
        """The master's port through this connection, and the client started with that."""
        try:
            port = forward.listen(connection.transport, self._master)
        except forward.Denied as error:
            raise LaunchError(
                Fault.START,
                "it cannot reach the master, and its SSH server forbids forwarding",
                where=self.host.name,
                todo=f"Open port {self._offer.port} of this machine to it, or set "
                "AllowTcpForwarding yes in its sshd_config.",
            ) from error
        said = self._start_client(connection, self._offer.url(forward.LOOPBACK, port))
        if said.code != Code.STARTED:
            raise self._fault(said)
        self._port, self.note = port, f"{self.host.name} reaches the master through its SSH connection"
        log.info("%s (port %d there)", self.note, port)

    @property
    def _master(self) -> tuple[str, int]:
        """Where the carried bytes go: the master listens on one address, or on all of them."""
        address = self._offer.address
        return (address if address and not _is_loopback(address) else forward.LOOPBACK), self._offer.port

    def _start_client(self, connection: Connection, url: str) -> Said:
        """Start first; copy only when the client is not there."""
        script = remote.start_script(self.host, self._offer, url)
        for _ in range(_ROUNDS):
            said = self._run(connection, script, self._offer.session + "\n")
            if said.code != Code.NO_CLIENT:
                self.handed_over = said.code == Code.STARTED and ALREADY_RUNS in said.last
                return said
            self._copy(connection)
        return said

    def _copy(self, connection: Connection) -> None:
        """One host at a time, looking again first: another one of this home may have brought it meanwhile."""
        with self._options.copy_turn:
            said = self._run(connection, remote.look_script(self.host, self._offer))
            if said.code == Code.STARTED:
                return
            if said.code != Code.NO_CLIENT or said.folder is None:
                raise self._fault(said)
            log.info("%s: copying the client to %s", self.host.name, said.folder)
            self._copied = True
            transfer.copy(connection.transport, said.folder, self._offer, self.host.name, self._options.copy_limit)

    def _run(self, connection: Connection, script: str, stdin: str = "") -> Said:
        if self._closed.is_set():  # the run is over: nothing is to be started any more
            raise LaunchError(Fault.LOST, "given up, as the run has ended", where=self.host.name)
        said = remote.run(connection.transport, script, self.host.name, self._options.start_limit, stdin)
        log.debug("%s: exit %d, %s", self.host.name, said.code, " | ".join(said.lines))
        return said

    def _leave_as_found(self, connection: Connection) -> None:
        """What was copied to a host that does not work is removed; the fault itself goes its own way."""
        unwanted = [self._offer.client_name] if self._copied and not self._offer.keep_client else []
        if connection.transport.is_active():
            with contextlib.suppress(LaunchError):  # told already: this host has failed
                remote.run(connection.transport, remote.clean_script(*unwanted), self.host.name, _TIDY_LIMIT)

    def _fault(self, said: Said) -> LaunchError:
        fault, what, todo = _meaning(said, self.host)
        return LaunchError(fault, what, where=self.host.name, todo=todo)

    # -- keeping the forwarded port ------------------------------------------------------------------------

    def _keep(self) -> None:
        while not self._closed.is_set():
            self._until_lost()
            if not self._closed.is_set():
                log.warning("%s: the connection that carries the master's port is lost", self.host.name)
                self._make_again()

    def _until_lost(self) -> None:
        assert self._connection is not None
        transport, asked = self._connection.transport, time.monotonic()
        while transport.is_active() and not self._closed.wait(0.25):
            if time.monotonic() - asked > _ALIVE_EVERY:
                # a dead network says nothing by itself: no answer in time, and the connection is taken as lost
                late = threading.Timer(_ALIVE_EVERY, transport.close)
                late.daemon = True
                late.start()
                transport.global_request("keepalive@openssh.com", wait=True)
                late.cancel()
                asked = time.monotonic()

    def _make_again(self) -> None:
        """Again and again, more and more slowly, until the client would have given up anyway."""
        end, pause = time.monotonic() + self._options.grace, 0.5
        while True:
            try:
                return self._once_more()
            except LaunchError as error:
                if time.monotonic() + pause > end:
                    raise LaunchError(
                        Fault.LOST,
                        f"and not back within {self._options.grace:g} s (the last try: {error.what})",
                        where=self.host.name,
                        todo="Its client ends by itself.",
                    ) from error
                log.info("%s: not back yet: %s", self.host.name, error.what)
            if self._closed.wait(pause):
                return None
            pause = min(pause * 2, 15.0)

    def _once_more(self) -> None:
        assert self._connection is not None
        self._connection.close()
        connection = connect(self.host, self._options)
        try:
            self._lend_again(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        if self._closed.is_set():
            connection.close()

    def _lend_again(self, connection: Connection) -> None:
        """The same port if the host gives it back; else another, which a new start tells the living client."""
        try:
            forward.listen(connection.transport, self._master, self._port)
            log.info("%s: port %d is carried again", self.host.name, self._port)
        except forward.Denied:
            self._lend(connection)


def _is_loopback(address: str | None) -> bool:
    try:
        return address is not None and ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _meaning(said: Said, host: Host) -> tuple[Fault, str, str]:
    """(fault, what, todo) of an exit code."""
    name = host.name
    match said.code:
        case Code.NO_PYTHON:
            asked = f"{host.python} is not there" if host.python else "none in its PATH"
            what = said.last if said.lines else asked
            return Fault.NO_PYTHON, what, f"Install Python 3.6 or newer there, or name it: {name} python=PATH"
        case Code.TOO_OLD:
            return (
                Fault.NO_PYTHON,
                f"too old: {said.last}",
                f"Python 3.6 or newer is needed; name it: {name} python=PATH",
            )
        case Code.BAD_PYTHON:
            return (
                Fault.NO_PYTHON,
                said.last,
                f"Install the rest of it (Debian: python3), or name another: {name} python=PATH",
            )
        case Code.NO_FOLDER:
            return Fault.COPY, said.last, f"Look there: ssh {name} 'ls -ld ~ ~/.cache; df -h ~'"
        case Code.NO_CLIENT:
            return (
                Fault.COPY,
                "the client vanished again and again after it was copied",
                f"Look there: ssh {name} ls -l ~/.cache/spe",
            )
        case Code.UNREACHABLE:
            return Fault.START, f"it cannot reach the master, not even through its SSH connection: {said.last}", ""
        case Code.SESSION:
            return (
                Fault.START,
                "the master refused the session",
                "Another spe may answer on this port; start the sweep again.",
            )
        case Code.CERTIFICATE:
            return (
                Fault.START,
                f"somebody else answers in the master's place: {said.last}",
                "Do not go on before you know who.",
            )
        case Code.WORKDIR:
            return Fault.START, said.last, f"Name a folder that can be written: {name} workdir=PATH"
        case Code.SETUP:
            return Fault.START, said.last, f"Try the setup there: ssh {name}"
        case _:
            return Fault.START, f"exit {said.code}: {said.last}", f"Try: ssh {name} true"
