"""Look at hosts for `spe doctor`, all at once: one connection and one script for each host.

A time limit holds for all of them. script.py reads what a host answers, diagnosis.py judges it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Sequence

from ..errors import Fault, LaunchError
from ..launch import faults
from ..launch.offer import Options
from ..launch.pasteable import words_for
from ..launch.ssh.connect import BROKEN
from ..launch.ssh.remote_shell import FRAME, read_outcome
from ..launch.ssh.shell_start import END
from ..launch.threads import in_thread
from ..model import Host
from .script import Questions, current_step, read_answers
from .shells import Shell, open_shell
from .sighting import Sighting

log = logging.getLogger("spe.launch")

LIMIT = 8.5  # seconds for a host, from looking up its name to the last answer
MANY = 40  # hosts that LIMIT is enough for
FOR_EACH = 0.1  # seconds more for each host beyond MANY: this machine does all the handshakes
LEAVE_LIMIT = 1.0  # seconds for removing the files that the script wrote
_LONGEST = 64 * 1024  # characters kept of an answer: a login script may print without end
_CLOCK = "spe: clock "


async def examine(hosts: Sequence[Host], questions: Questions, options: Options) -> list[Sighting]:
    """Return what was seen on each host, in the order of `hosts`.

    Every nonce stays until all hosts have answered or had their time: else two hosts that share a
    home would not see each other.
    """
    looks = [Examination(host, questions, options) for host in hosts]
    limit = LIMIT + FOR_EACH * max(0, len(hosts) - MANY)
    await asyncio.gather(*(look.ask(limit) for look in looks))
    await asyncio.gather(*(look.leave() for look in looks))
    return [look.seen for look in looks]


class Examination:
    """The look at one host, from the connection until its files are removed."""

    def __init__(self, host: Host, questions: Questions, options: Options) -> None:
        self.host = host
        self.questions = questions
        self.options = options
        self.seen = Sighting(host, nonce=options.homes.nonce())
        self._lines: list[str] = []
        self._shell: Shell | None = None
        self._given_up = threading.Event()

    async def ask(self, limit: float) -> None:
        """Fill the sighting within `limit` seconds; an error is noted in it, not raised."""
        try:
            await asyncio.wait_for(in_thread(self._ask, f"spe-look-{self.host.name}"), limit)
        except TimeoutError:
            self._given_up.set()
            self.seen.error = self._timeout(limit)
        except LaunchError as error:
            self.seen.error = error

    def _timeout(self, limit: float) -> LaunchError:
        step = "connecting and logging in"
        if self._shell:
            step = current_step(self._lines)
        return LaunchError(
            Fault.TIMEOUT,
            f"not done within {limit:g} s while {step}",
            where=self.host.name,
            todo=f"See what hangs: ssh -v {words_for(self.host.name)} true",
        )

    def _ask(self) -> None:
        begun = time.monotonic()
        shell = open_shell(self.host, self.options)
        self._shell = shell
        try:
            self._ask_through(shell, begun)
        except BROKEN as error:
            raise self._lost(str(error)) from error
        finally:
            # Given up while it was connecting: leave() found no shell then, so it is closed here.
            if self._given_up.is_set():
                shell.close()

    def _ask_through(self, shell: Shell, begun: float) -> None:
        shell.begin()
        self.seen.seconds = time.monotonic() - begun
        # None: this machine has no address that the host could reach, only forwarding can work
        self.seen.address = self.questions.offer.address_for(shell.own_address)
        script = self.questions.script(self.host, self.seen.address, self.seen.nonce)
        shell.say(f"{FRAME}{script}{END}\n".encode())
        self._hear(shell)
        read_answers(self.seen, self._lines, self.questions.nonce)
        if self.seen.reached is False:
            self.seen.forwards = shell.forwards()

    def _hear(self, shell: Shell) -> None:
        """Keep the lines of the script up to its last one; the clock is compared as its line comes."""
        heard = 0
        for line in shell.lines():
            self._note_clock(line)
            heard += len(line)
            if heard < _LONGEST or line.startswith("spe: "):
                self._lines.append(line)
            if line == "spe: end":
                return
        said = read_outcome(0, "\n".join(["", *self._lines, ""]).encode())
        if said.code:
            raise faults.from_outcome(said, self.host)
        raise self._lost("closed")

    def _note_clock(self, line: str) -> None:
        said = line.removeprefix(_CLOCK)
        if said != line and said.isdecimal():
            # Compared as the line arrives: the network's delay is far below the minute that counts.
            self.seen.clock_off = float(said) - time.time()

    def _lost(self, why: str) -> LaunchError:
        what = f"while {current_step(self._lines)} ({why})"
        todo = f"Try: ssh {words_for(self.host.name)} true"
        return LaunchError(Fault.LOST, what, where=self.host.name, todo=todo)

    async def leave(self) -> None:
        """Have the script remove its files and end; a script that hangs is cut off."""
        if self._shell is None:
            return
        shell = self._shell
        with contextlib.suppress(TimeoutError):
            leaving = in_thread(shell.leave, f"spe-leave-{self.host.name}")
            await asyncio.wait_for(leaving, LEAVE_LIMIT)
        await in_thread(shell.close, f"spe-close-{self.host.name}")
