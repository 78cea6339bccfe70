"""A host over SSH: start the client; copy it only when that fails; lend it this connection when it cannot reach us.

The parts have files of their own: target (ssh_config), known_hosts, keys, connect, remote (the script on the
host), transfer (scp), forward. Here is their order, and what each way to fail means.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time

from ...errors import Fault, LaunchError
from ...model import Host
from .. import faults
from ..offer import ALREADY_RUNS, Offer, Options, is_loopback
from ..outcome import Code, Outcome, Place
from ..threads import in_thread
from . import forward, remote, remote_shell, transfer
from .connect import Connection, connect
from .remote_shell import HeldSession
from .traces import TIDY_LIMIT, Traces

log = logging.getLogger("spe.launch")

_ROUNDS = 3  # of copy and start: on a shared home somebody who leaves may take the file away in between
_ALIVE_EVERY = 15.0  # seconds between questions whether the forwarding connection lives


class SshLauncher:
    """One host's way up over SSH."""

    def __init__(self, host: Host, offer: Offer, options: Options, holds: bool = False) -> None:
        """`holds`: the SSH session that starts the client stays open as long as it works."""
        self.host, self.note, self.handed_over, self.ended = host, "", False, False
        self.outcome: Outcome | None = None
        self._offer, self._options, self._holds = offer, options, holds
        self._connection: Connection | None = None
        self._session: HeldSession | None = None
        self._port = 0  # on the host, when the master's port is forwarded
        self._traces = Traces(host.name, options)
        self._closed, self._idle = threading.Event(), threading.Event()
        self._idle.set()

    async def start(self) -> None:
        """Returns when the client works; then the connection is closed unless it carries the port or is held."""
        self._idle.clear()
        await in_thread(self._start, f"spe-start-{self.host.name}")

    async def watch(self) -> None:
        """Keeps the forwarding alive, or waits with a held session for the end of the client.

        Without either there is nothing to keep, and the client lives on its own.
        """
        if self._port or self._session:
            await in_thread(self._keep, f"spe-keep-{self.host.name}")

    async def close(self) -> None:
        """Closes the connection, and with it the forwarded port. A start on its way gets time to tidy up."""
        self._closed.set()
        if self._connection is not None:
            await in_thread(self._end, f"spe-close-{self.host.name}")

    def _end(self) -> None:
        self._idle.wait(TIDY_LIMIT)
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
            self._traces.pay_debts(connection.transport)
            self._bring_up(connection)
        except LaunchError as error:
            is_ours = self._traces.copied and not self._offer.keep_client
            self._traces.remove(connection.transport, self._offer.client_name if is_ours else "")
            self._port, self._session = 0, None
            raise self._nearer(connection, error) from error
        finally:
            if not (self._port or self._session) or self._closed.is_set():
                connection.close()

    def _bring_up(self, connection: Connection) -> None:
        address = self._offer.address_for(connection.own_address)
        if address is not None:
            said = self._start_client(connection, self._offer.url(address))
            if said.code == Code.STARTED:
                return
            if said.code != Code.UNREACHABLE:
                raise faults.of(said, self.host)
            log.info("%s: %s; forwarding the port", self.host.name, said.last)
        self._lend(connection)

    def _lend(self, connection: Connection) -> None:
        """The master's port through this connection, and the client started with that."""
        try:
            port = forward.listen(connection.transport, self._master)
        except forward.Denied as error:
            raise LaunchError(
                Fault.UNREACHABLE,
                "not from there, and its SSH server forbids forwarding",
                where=self.host.name,
                todo=f"Open port {self._offer.port} of this machine to it, or set "
                "AllowTcpForwarding yes in its sshd_config.",
            ) from error
        said = self._start_client(connection, self._offer.url(forward.LOOPBACK, port))
        if said.code != Code.STARTED:
            raise faults.of(said, self.host)
        self._port = port
        self._remark(f"{self.host.name} reaches the master through its SSH connection")
        log.info("%s (port %d there)", self.note, port)

    def _remark(self, words: str) -> None:
        if words not in self.note:
            self.note = f"{self.note}; {words}" if self.note else words

    @property
    def _master(self) -> tuple[str, int]:
        """Where the carried bytes go: the master listens on one address, or on all of them."""
        address = self._offer.address
        return (address if address and not is_loopback(address) else forward.LOOPBACK), self._offer.port

    def _start_client(self, connection: Connection, url: str) -> Outcome:
        """Start first; copy only when the client is not there."""
        words = (self.host, self._offer, url, self._options.homes.run, self._traces.nonce, self._holds)
        script = remote.start_script(*words)
        for _ in range(_ROUNDS):
            said = self._run(connection, script, self._offer.session + "\n")
            if said.code == Code.NO_CLIENT and said.place:  # no place: it was there, and was taken away as it began
                said = self._copy_and_start(connection, said, url)
            if said.code != Code.NO_CLIENT:
                self.handed_over = said.code == Code.STARTED and ALREADY_RUNS in said.last
                return said
        return said

    def _copy_and_start(self, connection: Connection, said: Outcome, url: str) -> Outcome:
        """Of the hosts that share a home one at a time; the others look again first: it may be there by then.

        A host that is alone in its home starts the client in the same go. Others do it when they have given the turn
        away, and this returns that there was none.
        """
        place: Place | None = self._place(said)
        assert place is not None
        alone = place.seen == (self._traces.nonce,)
        with self._options.homes.turn(self._traces.nonce, place.seen) as first:
            if not first:
                place = self._place(self._run(connection, self._look_script()))
            if place is not None:
                self._copy(connection, place)
                if alone and first:
                    words = (place, self._traces.copied, self._traces.nonce, self.host, self._offer, url, self._holds)
                    return self._placed(connection, place, remote.place_and_start_script(*words))
                script = remote.place_script(place, self._traces.copied, self._traces.nonce, self._offer)
                self._placed(connection, place, script)
        return said

    def _look_script(self) -> str:
        return remote.look_script(self.host, self._offer, self._options.homes.run, self._traces.nonce)

    def _place(self, said: Outcome) -> Place | None:
        """Where the client is to be copied to, None: it is there."""
        if said.code == Code.STARTED:
            return None
        if said.code != Code.NO_CLIENT or said.place is None:
            raise faults.of(said, self.host)
        return said.place

    def _copy(self, connection: Connection, place: Place) -> None:
        log.info("%s: copying the client to %s", self.host.name, place.folder)
        self._traces.copied = transfer.temporary(self._offer)
        path, limit = f"{place.folder}/{self._traces.copied}", self._options.copy_limit
        try:
            transfer.copy(connection.transport, path, self._offer.client, limit)
        except transfer.BrokenOff as error:
            what, todo = f"while the client was copied ({error})", f"Try: ssh {self.host.name} true"
            raise LaunchError(Fault.LOST, what, where=self.host.name, todo=todo) from error
        except transfer.Failed as error:
            raise self._not_copied(connection, place, str(error)) from error

    def _placed(self, connection: Connection, place: Place, script: str) -> Outcome:
        """The copy under its own name, and whatever else the script does."""
        said = self._run(connection, script, self._offer.session + "\n")
        if said.code == Code.NOT_PLACED:
            raise self._not_copied(connection, place, said.last)
        return said

    def _not_copied(self, connection: Connection, place: Place, words: str) -> LaunchError:
        """What the host said means; the rest of the copy is removed."""
        self._traces.remove_copy(connection.transport, self._options.copy_limit)
        fault, where = faults.of_words(words) or Fault.COPY, self.host.name
        what = f"the client cannot be copied to {place.folder}: {words}"
        return LaunchError(fault, what, where=where, todo=faults.todo(fault, where))

    def _run(self, connection: Connection, script: str, stdin: str = "") -> Outcome:
        if self._closed.is_set():  # the run is over: nothing is to be started any more
            raise LaunchError(Fault.LOST, "given up, as the run has ended", where=self.host.name)
        words = (connection.transport, script, self.host.name, self._options.start_limit, stdin)
        if self._holds:
            said, self._session = remote_shell.run_and_hold(*words)
        else:
            said = remote_shell.run(*words)
        log.debug("%s: exit %d, %s", self.host.name, said.code, " | ".join(said.lines))
        if not said.begun:
            raise faults.of(said, self.host)
        if said.code == Code.NO_CLIENT and said.client_spoke:  # it took its file along as it ended
            return Outcome(Code.OTHER, said.lines)
        if self._session:
            self._remark("its SSH session is held open")
        return said

    def _nearer(self, connection: Connection, error: LaunchError) -> LaunchError:
        """What says "no space" may mean that there can be no more files: only the host knows."""
        if error.fault is not Fault.DISK_FULL or not connection.transport.is_active():
            return error
        with contextlib.suppress(LaunchError):
            script = remote.inodes_script(self.host.workdir)
            said = remote_shell.run(connection.transport, script, self.host.name, TIDY_LIMIT)
            if any((room := faults.room(f"{line} ")) and not room[1] for line in said.lines):
                return faults.renamed(error, Fault.INODES_FULL)
        return error

    # -- keeping the connection ----------------------------------------------------------------------------

    def _keep(self) -> None:
        """Until the client has ended, as far as a held session tells, or the connection is not worth making again."""
        while not self._closed.is_set():
            self.ended = self._until_lost()
            if self.ended or self._closed.is_set():
                return
            log.warning("%s: its SSH connection is lost", self.host.name)
            self._session = None
            if not self._port:
                return
            self._make_again()

    def _until_lost(self) -> bool:
        """Whether what was lost is the client alone: its session has ended while the connection stands."""
        assert self._connection is not None
        transport, asked = self._connection.transport, time.monotonic()
        while transport.is_active() and not self._closed.wait(0.25):
            if self._session is not None and self._session.is_over:
                return bool(transport.is_active())
            if time.monotonic() - asked > _ALIVE_EVERY:
                # a dead network says nothing by itself: no answer in time, and the connection is taken as lost
                late = threading.Timer(_ALIVE_EVERY, transport.close)
                late.daemon = True
                late.start()
                transport.global_request("keepalive@openssh.com", wait=True)
                late.cancel()
                asked = time.monotonic()
        return False

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
