"""The launcher for a client on this machine: a child process in a session of its own, no SSH.

It does not judge the client's end: a client that leaves by itself has done its work.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import subprocess
from pathlib import Path

from ..disk_errors import reason
from ..errors import Fault, LaunchError
from ..model import Host
from . import faults
from .child import Child, start_child
from .offer import ALREADY_RUNS, Offer, Options
from .outcome import CommandOutcome

log = logging.getLogger("spe.launch")

_PATIENCE = 10.0  # seconds for a client to end its programs and clean up, before it is killed


class LocalLauncher:
    """The launcher of `localhost`: owns the child process from its start to its end."""

    def __init__(self, host: Host, offer: Offer, options: Options) -> None:
        self.host = host
        self.note = ""
        self.handed_over = False
        self.ended = False
        self.outcome: CommandOutcome | None = None
        self._offer = offer
        self._options = options
        self._process: Child | None = None
        self._file: Path | None = None
        self._words = ""
        self._closing = False

    async def start(self) -> None:
        """Start the client. It stays our child, so watch() raises when the client could not begin."""
        try:
            self._process = self._start_or_take()
        except OSError as error:
            self._remove()
            where = error.filename or self._file or self._options.folder
            what = f"{reason(error)}: {where}"
            raise LaunchError(Fault.START, what, where=self.host.name) from error
        self._hand_over(self._process)

    def _start_or_take(self) -> Child:
        """Return the client that began early, or a new one."""
        fingerprint = self._offer.fingerprint
        if self.host.python is not None:
            self._file = self._write()
        early = self._options.early.take(self.host, fingerprint)
        return early or start_child(self.host, fingerprint, self._file, self._offer.job)

    def _write(self) -> Path:
        """Write the client's one file: another Python than ours has no installed client."""
        # Without parents=True: a run folder that was moved is not made again.
        self._options.folder.mkdir(exist_ok=True)
        file = self._options.folder / f"{os.getpid()}-{self._offer.client_name}"
        file.touch(mode=0o600)  # before the content, so that nobody else can ever read it
        file.write_bytes(self._offer.client)
        return file

    def _hand_over(self, process: Child) -> None:
        """Tell the client the master's URL and the session ID, on its standard input alone."""
        assert process.stdin is not None
        url = self._offer.url(self._offer.address or "127.0.0.1")
        with contextlib.suppress(ConnectionError):  # the client ended at once: watch() tells why
            process.stdin.write(f"{url}\n{self._offer.session}\n".encode())
            process.stdin.close()

    @property
    def silence_counts_since(self) -> float:
        """-inf for a client that is not our child. The end of a child is known without its silence."""
        return -math.inf if self.handed_over else math.inf

    async def watch(self) -> None:
        """Return when the client has ended well; raise LaunchError with its last line when not."""
        assert self._process is not None
        await self._listen(self._process)
        code = await asyncio.to_thread(self._process.wait)
        self.handed_over = code == 0 and ALREADY_RUNS in self._words
        self.ended = not self.handed_over
        self.outcome = CommandOutcome(code, (self._words,) if self._words else ())
        if code > 0:
            raise faults.from_outcome(self.outcome, self.host)
        # Killed by a signal: close() does that too, and then it is no fault.
        if code < 0 and not self._closing:
            raise LaunchError(
                Fault.KILLED,
                f"the client was killed by signal {-code}",
                where=self.host.name,
                broke_off=True,  # another try may succeed
            )

    async def _listen(self, process: Child) -> None:
        """Log what the client prints, and keep its last line, until it closes its stderr."""
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: protocol, process.stderr
        )
        try:
            while line := await reader.readline():
                words = line.decode(errors="replace").strip()
                self._words = words or self._words  # a traceback ends with an empty line
                log.info("client: %s", words)
        finally:
            transport.close()

    async def close(self) -> None:
        """End the client: SIGTERM, _PATIENCE seconds to clean up, SIGKILL. Then remove its file."""
        self._closing = True
        if self._process is not None:
            await _end(self._process)
        self._remove()

    def _remove(self) -> None:
        if self._file is not None:
            # missing_ok: a client that got far enough has removed its own file.
            self._file.unlink(missing_ok=True)


async def _end(process: Child) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, _PATIENCE)
        except subprocess.TimeoutExpired:
            log.warning(
                "the client on this machine (pid %d) did not end in %g s: killed",
                process.pid,
                _PATIENCE,
            )
            process.kill()
            await asyncio.to_thread(process.wait)
    if process.stderr is not None:
        process.stderr.close()
