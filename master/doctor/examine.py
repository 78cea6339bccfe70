"""Looks at hosts for `spe doctor`, all at once: one connection and one script a host, and a limit of time for all.

What a host says is understood by questions.py; what it means is judged by doctor.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from ..errors import Fault, LaunchError
from ..launch import faults
from ..launch.offer import Options
from ..launch.outcome import Outcome
from ..launch.ssh import forward
from ..launch.ssh.connect import BROKEN, Connection, connect
from ..launch.ssh.remote_shell import BEGIN, BOOTSTRAP, END
from ..launch.threads import in_thread
from ..model import Host
from .diagnosis import Sighting
from .script import Questions, doing, understood

log = logging.getLogger("spe.launch")

LIMIT = 8.5  # seconds for a host, from the name to the last answer
FOR_EACH = 0.1  # and for each beyond 40: this machine has to shake hands with all of them
LEAVE_LIMIT = 1.0  # seconds for taking away what was written
_LONGEST = 64 * 1024  # characters of a host's answer; a login script that floods us is cut


async def examine(hosts: Sequence[Host], questions: Questions, options: Options) -> list[Sighting]:
    """Looks at all hosts; every nonce stays until all have answered, or had their time."""
    looks = [Look(host, questions, options) for host in hosts]
    limit = LIMIT + FOR_EACH * max(0, len(hosts) - 40)
    await asyncio.gather(*(look.answered(limit) for look in looks))
    await asyncio.gather(*(look.leave() for look in looks))
    return [look.seen for look in looks]


class Look:
    """One host."""

    def __init__(self, host: Host, questions: Questions, options: Options) -> None:
        self.host, self.questions, self.options = host, questions, options
        self.seen = Sighting(host, nonce=options.homes.nonce())
        self._lines: list[str] = []
        self._shell: Shell | None = None
        self._given_up = threading.Event()

    async def answered(self, limit: float) -> None:
        """Ask, and hear; what keeps it from answering is in the sighting."""
        try:
            await asyncio.wait_for(in_thread(self._ask, f"spe-look-{self.host.name}"), limit)
        except TimeoutError:
            self._given_up.set()
            self.seen.error = self._late(limit)
        except LaunchError as error:
            self.seen.error = error

    def _late(self, limit: float) -> LaunchError:
        at = doing(self._lines) if self._shell else "connecting and logging in"
        todo = f"Look what hangs: ssh -v {self.host.name} true"
        return LaunchError(Fault.TIMEOUT, f"not done within {limit:g} s with {at}", where=self.host.name, todo=todo)

    def _ask(self) -> None:
        begun = time.monotonic()
        shell = self._open()
        self._shell = shell
        try:
            self.seen.address = self._address(shell)
            script = self.questions.script(self.host, self.seen.address, self.seen.nonce)
            with contextlib.suppress(OSError):  # an account without a shell may be gone already: its words tell
                shell.say(f"{script}{END}\n".encode())
            self._hear(shell, begun)
            understood(self.seen, self._lines, self.questions.nonce)
            if self.seen.reached is False:
                self.seen.forwards = shell.forwards()
        except BROKEN as error:
            raise self._lost(str(error)) from error
        finally:
            if self._given_up.is_set():
                shell.close()

    def _open(self) -> Shell:
        return LocalShell() if self.host.is_here else SshShell(connect(self.host, self.options))

    def _address(self, shell: Shell) -> str | None:
        """The master as this host would be given it; None: only forwarding can work."""
        return self.questions.offer.address_for(shell.own_address)

    def _hear(self, shell: Shell, begun: float) -> None:
        """Its lines up to the last one; the first and the clock are timed."""
        heard = 0
        for line in shell.lines():
            if line == BEGIN:
                self.seen.seconds = time.monotonic() - begun
            if line.startswith("spe: clock ") and (said := line.removeprefix("spe: clock ")).isdecimal():
                self.seen.clock_off = float(said) - time.time()
            heard += len(line)
            if heard < _LONGEST or line.startswith("spe: "):
                self._lines.append(line)
            if line == "spe: end":
                return
        raise self._no_shell(shell)

    def _no_shell(self, shell: Shell) -> LaunchError:
        """It closed before the end: an account without a shell, or a connection that broke off."""
        if BEGIN not in self._lines:
            return faults.of(Outcome(shell.code(), tuple(filter(None, self._lines)), begun=False), self.host)
        return self._lost("closed")

    def _lost(self, why: str) -> LaunchError:
        what = f"while {doing(self._lines)} ({why})"
        return LaunchError(Fault.LOST, what, where=self.host.name, todo=f"Try: ssh {self.host.name} true")

    async def leave(self) -> None:
        """Its script takes away what it wrote, and ends; one that hangs is cut off."""
        if self._shell is not None:
            shell = self._shell
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(in_thread(shell.leave, f"spe-leave-{self.host.name}"), LEAVE_LIMIT)
            await in_thread(shell.close, f"spe-close-{self.host.name}")


# -- the two ways to a shell -------------------------------------------------------------------------------


class Shell(Protocol):
    """A shell on a host that reads a script."""

    own_address: str | None

    def say(self, data: bytes) -> None:
        """Gives it the script."""

    def lines(self) -> Iterable[str]:
        """What it says, until it ends."""

    def code(self) -> int:
        """The exit code of one that has ended."""

    def forwards(self) -> bool:
        """Whether the way to it carries a port back."""

    def leave(self) -> None:
        """Returns when it has ended, after it was told that no more is wanted."""

    def close(self) -> None:
        """Lets go of it at once."""


class SshShell:
    """On another machine."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.own_address: str | None = connection.own_address
        try:
            self._channel = connection.transport.open_session()
            self._channel.set_combine_stderr(True)
            self._channel.exec_command(BOOTSTRAP)
        except BaseException:
            connection.close()
            raise

    def say(self, data: bytes) -> None:
        self._channel.sendall(data)

    def lines(self) -> Iterable[str]:
        return (line.decode(errors="replace").strip() for line in self._channel.makefile("rb"))

    def code(self) -> int:
        return self._channel.recv_exit_status()

    def forwards(self) -> bool:
        transport = self._connection.transport
        try:
            forward.listen(transport, (forward.LOOPBACK, 9))  # nobody is told of this port, nothing is carried
        except forward.Denied:
            return False
        return True

    def leave(self) -> None:
        with contextlib.suppress(*BROKEN):
            self._channel.shutdown_write()
            while self._channel.recv(4096):
                pass

    def close(self) -> None:
        self._connection.close()


class LocalShell:
    """On this one."""

    def __init__(self) -> None:
        self.own_address: str | None = forward.LOOPBACK
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", BOOTSTRAP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def say(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def lines(self) -> Iterable[str]:
        assert self._process.stdout is not None
        return (line.decode(errors="replace").strip() for line in self._process.stdout)

    def code(self) -> int:
        return self._process.wait()

    def forwards(self) -> bool:
        return False

    def leave(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()

    def close(self) -> None:
        self._process.kill()
