"""A client on this machine: a child process in a session of its own, no SSH.

Its end is the run's to see: a client that leaves by itself has done its work.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
from pathlib import Path

from ..disk_errors import reason
from ..errors import Fault, LaunchError
from ..model import Host
from . import faults
from .child import Child, begin
from .offer import ALREADY_RUNS, Offer, Options
from .outcome import Outcome

log = logging.getLogger("spe.launch")

_PATIENCE = 10.0  # seconds that a client gets to end its programs and clean up


class LocalLauncher:
    """The way to `localhost`."""

    def __init__(self, host: Host, offer: Offer, options: Options) -> None:
        self.host, self.note, self.handed_over, self.ended = host, "", False, False
        self.outcome: Outcome | None = None
        self._offer, self._options = offer, options
        self._process: Child | None = None
        self._file: Path | None = None
        self._words = ""
        self._closing = False

    async def start(self) -> None:
        """Starts the client. It stays our child, so watch() tells if it could not begin."""
        try:
            self._process = self._begun()
        except OSError as error:
            self._remove()
            where = self._file or self._options.folder
            raise LaunchError(
                Fault.START, f"{reason(error)}: {error.filename or where}", where=self.host.name
            ) from error
        self._hand_over(self._process)

    def _begun(self) -> Child:
        fingerprint = self._offer.fingerprint
        if self.host.python is not None:
            self._file = self._write()
        return self._options.early.take(self.host, fingerprint) or begin(self.host, fingerprint, self._file)

    def _write(self) -> Path:
        """For another Python than ours: the one file."""
        self._options.folder.mkdir(exist_ok=True)  # not its parents: a run folder that was moved is not made again
        file = self._options.folder / f"{os.getpid()}-{self._offer.client_name}"
        file.touch(mode=0o600)
        file.write_bytes(self._offer.client)
        return file

    def _hand_over(self, process: Child) -> None:
        """Where we are, and the session ID: on standard input alone."""
        assert process.stdin is not None
        url = self._offer.url(self._offer.address or "127.0.0.1")
        with contextlib.suppress(ConnectionError):  # it ended at once: watch() says why
            process.stdin.write(f"{url}\n{self._offer.session}\n".encode())
            process.stdin.close()

    async def watch(self) -> None:
        """Returns when the client has ended well; raises with its last words if not."""
        assert self._process is not None
        await self._listen(self._process)
        code = await asyncio.to_thread(self._process.wait)
        self.handed_over = code == 0 and ALREADY_RUNS in self._words
        self.ended = not self.handed_over
        self.outcome = Outcome(code, (self._words,) if self._words else ())
        if code > 0:
            raise faults.of(self.outcome, self.host)
        if code < 0 and not self._closing:
            raise LaunchError(Fault.LOST, f"the client was killed by signal {-code}", where=self.host.name)

    async def _listen(self, process: Child) -> None:
        """Until it says no more."""
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, process.stderr)
        try:
            while line := await reader.readline():
                words = line.decode(errors="replace").strip()
                self._words = words or self._words  # a traceback ends with an empty line
                log.info("client: %s", words)
        finally:
            transport.close()

    async def close(self) -> None:
        """TERM, time to clean up, KILL; then its file goes."""
        self._closing = True
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, _PATIENCE)
            except subprocess.TimeoutExpired:
                log.warning("the client on this machine (pid %d) did not end in %g s: killed", process.pid, _PATIENCE)
                process.kill()
                await asyncio.to_thread(process.wait)
        if process is not None and process.stderr is not None:
            process.stderr.close()
        self._remove()

    def _remove(self) -> None:
        if self._file is not None:
            self._file.unlink(missing_ok=True)  # the client does so too, if it got that far
