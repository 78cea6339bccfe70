"""A client on this machine: a child process in a session of its own, no SSH.

Its end is the run's to see: a client that leaves by itself has done its work.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from pathlib import Path

from .. import bundle
from ..errors import Fault, LaunchError
from ..model import Host
from . import meaning
from .offer import ALREADY_RUNS, Offer, Options
from .said import Said

log = logging.getLogger("spe.launch")

_PATIENCE = 10.0  # seconds that a client gets to end its programs and clean up


class LocalLauncher:
    """The way to `localhost`."""

    def __init__(self, host: Host, offer: Offer, options: Options) -> None:
        self.host, self.note, self.handed_over = host, "", False
        self._offer, self._options = offer, options
        self._process: asyncio.subprocess.Process | None = None
        self._file: Path | None = None
        self._words = ""
        self._closing = False

    async def start(self) -> None:
        """Starts the client. It stays our child, so watch() tells if it could not begin."""
        try:
            self._file = self._write()
            python = os.path.expanduser(self.host.python or sys.executable)
            self._process = await asyncio.create_subprocess_exec(
                *(python, "-I", "-S"),  # the standard library is all it needs, and nothing else shall get in its way
                str(self._file),
                *self._offer.arguments(self._offer.url(self._offer.address or "127.0.0.1"), self.host),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the master, which drains
            )
        except OSError as error:
            self._remove()
            where = self._file or self._options.folder
            raise LaunchError(
                Fault.START, f"{error.strerror}: {error.filename or where}", where=self.host.name
            ) from error
        await self._hand_over()

    def _write(self) -> Path:
        """What the host's Python is to run: with ours, the client that is installed beside us."""
        self._options.folder.mkdir(parents=True, exist_ok=True)
        name, content = self._offer.client_name, self._offer.client
        if self.host.python is None:
            name, content = "client-installed.py", bundle.installed_client().encode()
        file = self._options.folder / f"{os.getpid()}-{name}"
        file.touch(mode=0o600)
        file.write_bytes(content)
        return file

    async def _hand_over(self) -> None:
        """The session ID, on standard input alone."""
        assert self._process is not None and self._process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it ended at once: watch() says why
            self._process.stdin.write(f"{self._offer.session}\n".encode())
            await self._process.stdin.drain()
        self._process.stdin.close()

    async def watch(self) -> None:
        """Returns when the client has ended well; raises with its last words if not."""
        assert self._process is not None and self._process.stderr is not None
        while line := await self._process.stderr.readline():
            words = line.decode(errors="replace").strip()
            self._words = words or self._words  # a traceback ends with an empty line
            log.info("client: %s", words)
        code = await self._process.wait()
        self.handed_over = code == 0 and ALREADY_RUNS in self._words
        if code > 0:
            raise meaning.of(Said(code, (self._words,) if self._words else ()), self.host)
        if code < 0 and not self._closing:
            raise LaunchError(Fault.LOST, f"the client was killed by signal {-code}", where=self.host.name)

    async def close(self) -> None:
        """TERM, time to clean up, KILL; then its file goes."""
        self._closing = True
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _PATIENCE)
            except TimeoutError:
                log.warning("the client on this machine (pid %d) did not end in %g s: killed", process.pid, _PATIENCE)
                process.kill()
                await process.wait()
        self._remove()

    def _remove(self) -> None:
        if self._file is not None:
            self._file.unlink(missing_ok=True)  # the client does so too, if it got that far
