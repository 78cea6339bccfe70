"""The launcher of a host over SSH: start the client, keep its connection.

The client is copied only when starting it fails. When it cannot reach the master, it gets the
master's port through this connection. The other files of this room do the parts; here is their
order, and what each way to fail means.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time

from ...errors import Fault, LaunchError
from ...model import Host
from .. import faults
from ..offer import ALREADY_RUNS, Offer, Options, is_loopback
from ..outcome import Code, CommandOutcome
from ..threads import in_thread
from . import forward, remote, remote_shell
from .connect import connect
from .connection import Connection
from .copying import Copying
from .remote_shell import HeldSession
from .traces import TIDY_LIMIT, Traces

log = logging.getLogger("spe.launch")

# On a shared home another client that ends may remove the file between copy and start. Where many
# end at once, as after a failed `prepare`, that happens again and again.
_PATIENCE = 60.0  # seconds in which a file that vanishes is copied again
_ALIVE_EVERY = 15.0  # seconds between checks that the forwarding connection lives
_FIRST_PAUSE = 0.5  # seconds before a lost connection is tried again; doubled each time
_LONGEST_PAUSE = 15.0


class SshLauncher:
    """The launcher of one host over SSH; owns the connection until `close`."""

    def __init__(self, host: Host, offer: Offer, options: Options, holds: bool = False) -> None:
        """`holds`: the SSH session that starts the client stays open while the client works."""
        self.host = host
        self.note = ""
        self.handed_over = False
        self.ended = False
        self.outcome: CommandOutcome | None = None
        self._offer = offer
        self._options = options
        self._holds = holds
        self._connection: Connection | None = None
        self._session: HeldSession | None = None
        self._port = 0  # on the host, when the master's port is forwarded
        self._carried_since = -math.inf  # for silence_counts_since
        self._traces = Traces(host, options)
        self._copying = Copying(host, offer, options, self._traces, self._run, holds)
        self._closed = threading.Event()
        self._idle = threading.Event()  # set when no start is on its way
        self._idle.set()

    async def start(self) -> None:
        """Start the client and return. The connection stays only when it carries a port or is held."""
        self._idle.clear()
        await in_thread(self._start, f"spe-start-{self.host.name}")

    async def watch(self) -> None:
        """Keep the forwarded port alive, or wait with a held session for the client's end.

        Without either there is nothing to keep: the client lives on its own.
        """
        if self._port or self._session:
            await in_thread(self._keep, f"spe-keep-{self.host.name}")

    @property
    def silence_counts_since(self) -> float:
        """Monotonic time since which the port is forwarded; inf while it is not, or a session is held."""
        return math.inf if self._session else self._carried_since

    async def close(self) -> None:
        """Close the connection and its forwarded port. A start on its way gets time to tidy up."""
        self._closed.set()
        if self._connection is not None:
            await in_thread(self._close, f"spe-close-{self.host.name}")

    def _close(self) -> None:
        self._idle.wait(TIDY_LIMIT)
        if self._connection is not None:
            self._connection.close()

    # -- starting --------------------------------------------------------------------------------

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
            self._remove_traces(connection, error)
            self._port, self._carried_since = 0, -math.inf
            self._session = None
            raise self._told_apart(connection, error) from error
        finally:
            if self._closed.is_set() or not (self._port or self._session):
                connection.close()

    def _remove_traces(self, connection: Connection, error: LaunchError) -> None:
        if error.fault is Fault.NO_COMMANDS:  # nothing has run, and nothing would
            return
        client = ""
        # A client that was there before us belongs to somebody else's sweep and stays.
        if self._traces.copied and not self._offer.keep_client:
            client = self._offer.client_name
        self._traces.remove(connection.transport, client)

    def _bring_up(self, connection: Connection) -> None:
        """Start the client; the port is forwarded only when the client cannot reach the master."""
        address = self._offer.address_for(connection.own_address)
        if address is not None:
            said = self._start_client(connection, self._offer.url(address))
            if said.code == Code.STARTED:
                return
            if said.code != Code.UNREACHABLE:
                raise faults.from_outcome(said, self.host)
            log.info("%s: %s; forwarding the port", self.host.name, said.last)
        self._start_with_port(connection)

    def _start_with_port(self, connection: Connection) -> None:
        """Forward the master's port through this connection, and start the client with that."""
        try:
            port = forward.listen(connection.transport, self._master)
        except forward.Denied as error:
            raise LaunchError(
                Fault.UNREACHABLE,
                "not from that host, and its SSH server forbids forwarding",
                where=self.host.name,
                todo=f"Open port {self._offer.port} of this machine to it, or set "
                "AllowTcpForwarding yes in its sshd_config.",
            ) from error
        said = self._start_client(connection, self._offer.url(forward.LOOPBACK, port))
        if said.code != Code.STARTED:
            raise faults.from_outcome(said, self.host)
        self._port, self._carried_since = port, time.monotonic()
        self._add_note(f"{self.host.name} reaches the master through its SSH connection")
        log.info("%s (port %d there)", self.note, port)

    def _add_note(self, words: str) -> None:
        if words not in self.note:  # a connection that is made again would repeat it
            self.note = "; ".join(filter(None, (self.note, words)))

    @property
    def _master(self) -> tuple[str, int]:
        """Address and port that forwarded bytes go to: the master listens on one address or on all."""
        address = self._offer.address
        if address is None or is_loopback(address):
            address = forward.LOOPBACK
        return address, self._offer.port

    def _start_client(self, connection: Connection, url: str) -> CommandOutcome:
        """Return the outcome of the start, in the home or, when that takes no files, elsewhere."""
        try:
            return self._start_in_place(connection, url)
        except LaunchError as error:
            # What could be written into a full home was so small: its folder and an empty file.
            full = error.fault in (Fault.DISK_FULL, Fault.INODES_FULL, Fault.HOME)
            if not full or self.host.workdir or self._copying.number > 1:
                raise
            self._remove_traces(connection, error)
            self._copying.number = 2
            said = self._start_in_place(connection, url)
            self._add_note(f"its home takes no files: {error.detail}; those of spe are in $TMPDIR or /tmp")
            return said

    def _start_in_place(self, connection: Connection, url: str) -> CommandOutcome:
        """Return the outcome of the start. The client is copied only when it is not there."""
        script = remote.start_script(
            self.host,
            self._offer,
            url,
            run=self._options.homes.run,
            nonce=self._traces.nonce,
            number=self._copying.number,
            holds=self._holds,
        )
        began = time.monotonic()
        while True:
            said = self._run(connection, script, self._offer.session + "\n")
            folder, why = said.elsewhere
            if folder:
                self._add_note(f"its home takes no files ({why}); those of spe are in {folder}")
            # No place is named when the file was there and was removed as the client began.
            if said.code == Code.NO_CLIENT and said.place:
                said = self._copying.copy_and_start(connection, said, url)
            if said.code != Code.NO_CLIENT or time.monotonic() - began > _PATIENCE:
                self.handed_over = said.code == Code.STARTED and ALREADY_RUNS in said.last
                return said

    def _run(self, connection: Connection, script: str, stdin: str = "") -> CommandOutcome:
        """Return the outcome of a script on the host. Raises LaunchError, also after `close`."""
        if self._closed.is_set():
            raise LaunchError(Fault.LOST, "given up, as the run has ended", where=self.host.name)
        words = (connection.transport, script, self.host.name, self._options.start_limit, stdin)
        if self._holds:
            said, self._session = remote_shell.run_and_hold(*words)
        else:
            said = remote_shell.run(*words)
        log.debug("%s: exit %d, %s", self.host.name, said.code, " | ".join(said.lines))
        if said.code == Code.NO_CLIENT and said.client_spoke:
            # The client ran and removed its own file as it ended: copying it again would change nothing.
            return CommandOutcome(Code.OTHER, said.lines)
        if self._session:
            self._add_note("its SSH session is held open")
        return said

    def _told_apart(self, connection: Connection, error: LaunchError) -> LaunchError:
        """Return the error, as INODES_FULL when that is behind "no space left".

        The system has one message for both, so the host is asked for its inodes.
        """
        if error.fault is not Fault.DISK_FULL or not connection.transport.is_active():
            return error
        script = remote.inodes_script(self.host.workdir)
        with contextlib.suppress(LaunchError):  # then "disk full" is the best that we know
            said = remote_shell.run(connection.transport, script, self.host.name, TIDY_LIMIT)
            if any(_has_no_inodes(line) for line in said.lines):
                return faults.with_fault(error, Fault.INODES_FULL)
        return error

    # -- keeping the connection ------------------------------------------------------------------

    def _keep(self) -> None:
        """Return when the client has ended; raise LaunchError when the connection stays lost.

        Only a held session tells the client's end.
        """
        while not self._closed.is_set():
            self.ended = self._wait_until_lost()
            if self.ended or self._closed.is_set():
                return
            log.warning("%s: its SSH connection is lost", self.host.name)
            if self._port:
                self._carried_since = math.inf
            self._session = None
            if not self._port:  # the client reaches the master without us
                return
            self._connect_again()

    def _wait_until_lost(self) -> bool:
        """Return True when only the client has ended: its session is over, the connection stands."""
        assert self._connection is not None
        transport = self._connection.transport
        asked = time.monotonic()
        while transport.is_active() and not self._closed.wait(0.25):
            if self._session is not None and self._session.is_over:
                return bool(transport.is_active())
            if time.monotonic() - asked > _ALIVE_EVERY:
                # A dead network reports nothing by itself: without an answer in time the transport
                # is closed, and so the connection counts as lost.
                late = threading.Timer(_ALIVE_EVERY, transport.close)
                late.daemon = True
                late.start()
                transport.global_request("keepalive@openssh.com", wait=True)
                late.cancel()
                asked = time.monotonic()
        return False

    def _connect_again(self) -> None:
        """Try with growing pauses, until the client has given up anyway (`grace`)."""
        end = time.monotonic() + self._options.grace
        pause = _FIRST_PAUSE
        while True:
            try:
                self._connect_once()
                return
            except LaunchError as error:
                if time.monotonic() + pause > end:
                    raise self._stays_lost(error) from error
                log.info("%s: not back yet: %s", self.host.name, error.what)
            if self._closed.wait(pause):
                return
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _stays_lost(self, error: LaunchError) -> LaunchError:
        return LaunchError(
            Fault.LOST,
            f"and not back within {self._options.grace:g} s (the last try: {error.what})",
            where=self.host.name,
            todo="Its client ends by itself.",
        )

    def _connect_once(self) -> None:
        assert self._connection is not None
        self._connection.close()
        connection = connect(self.host, self._options)
        try:
            self._forward_again(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        if self._closed.is_set():  # close() has closed the old connection, and not seen this one
            connection.close()

    def _forward_again(self, connection: Connection) -> None:
        """Forward the same port again.

        When the host does not give that port back, another one is forwarded, and a new start tells
        it to the living client.
        """
        try:
            forward.listen(connection.transport, self._master, self._port)
            self._carried_since = time.monotonic()
            log.info("%s: port %d is forwarded again", self.host.name, self._port)
        except forward.Denied:
            self._start_with_port(connection)


def _has_no_inodes(line: str) -> bool:
    """Return whether this line of `df -Pi` says that all inodes are used."""
    inodes = faults.parse_df(f"{line} ")
    return inodes is not None and inodes[1] == 0
