"""The one way to run a script on a host: a shell reads it from standard input, and what it says is heard to its end.

Why not `/bin/sh -s` with the script on standard input: dash reads its script in blocks and swallows the session
ID behind it. So a first line that every login shell (also csh and fish) passes on unread collects the script
with `read`, which takes a byte at a time, and runs it then. The first thing that the script does is to say BEGIN:
where that does not come, the login has run nothing of ours, whatever its exit code.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import paramiko

from ...errors import Fault, LaunchError
from ..offer import STAYS
from ..outcome import Outcome

END = "#end of the script"
BOOTSTRAP = (
    '/bin/sh -c \'n=$(printf "\\n_"); n=${n%_}; s=; '
    f'while IFS= read -r l && [ "$l" != "{END}" ]; do s=$s$l$n; done; eval "$s"\''
)
BEGIN = "spe: begin"
_LOOK = 0.5  # seconds between looks at what it says while it runs; its end wakes us
_OUTPUT_LIMIT = 64 * 1024  # of what a host may say; a login script that floods us is cut


class HeldSession:
    """An SSH session whose script goes on until the client that it started has ended."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    @property
    def is_over(self) -> bool:
        """Whether the script has ended; also true when the connection is lost."""
        return bool(self._channel.closed or self._channel.exit_status_ready())


def run(transport: paramiko.Transport, script: str, where: str, limit: float, stdin: str = "") -> Outcome:
    """Run a script on the host with `stdin` behind it. Raises LaunchError if the host falls silent or is lost."""
    with _limited(transport, where, limit) as end:
        channel = transport.open_session(timeout=limit)
        try:
            _begin(channel, script, stdin, limit)
            return _heard(channel, end)
        finally:
            channel.close()


def run_and_hold(
    transport: paramiko.Transport, script: str, where: str, limit: float, stdin: str = ""
) -> tuple[Outcome, HeldSession | None]:
    """Run a script that goes on while its client works; None: it has ended, as the client was not started."""
    with _limited(transport, where, limit) as end:
        channel = transport.open_session(timeout=limit)
        held = False
        try:
            _begin(channel, script, stdin, limit)
            said = _heard(channel, end, until=STAYS)
            held = STAYS in said.last
            return said, HeldSession(channel) if held else None
        finally:
            if not held:
                channel.close()


@contextlib.contextmanager
def _limited(transport: paramiko.Transport, where: str, limit: float) -> Iterator[float]:
    """Yield when it must have ended. What the library raises inside becomes a LaunchError."""
    end = time.monotonic() + limit
    late = threading.Timer(limit + 1, transport.close)  # paramiko waits for some answers without a limit
    late.daemon = True
    late.start()
    try:
        yield end
    except (paramiko.SSHException, OSError, EOFError) as error:
        if isinstance(error, TimeoutError) or time.monotonic() > end:
            raise LaunchError(
                Fault.TIMEOUT,
                f"nothing came of the start within {limit:g} s",
                where=where,
                todo=f"Is its home or the machine hung? Look there: ssh {where}",
                broke_off=True,
            ) from error
        raise LaunchError(
            Fault.LOST,
            f"while the client was started ({error or 'closed'})",
            where=where,
            todo=f"Try: ssh {where} true",
        ) from error
    finally:
        late.cancel()


def _begin(channel: paramiko.Channel, script: str, stdin: str, limit: float) -> None:
    channel.set_combine_stderr(True)
    channel.exec_command(BOOTSTRAP)
    channel.settimeout(limit)
    _tell(channel, f"echo '{BEGIN}'\n{script}{END}\n{stdin}".encode())


def _tell(channel: paramiko.Channel, words: bytes) -> None:
    """Who has ended before, as an account that may not log in does, has said why: that counts, and not that it did not
    listen."""
    try:
        channel.sendall(words)
        channel.shutdown_write()
    except OSError as error:
        if isinstance(error, TimeoutError) or not channel.closed:
            raise


def _heard(channel: paramiko.Channel, end: float, until: str = "") -> Outcome:
    """Listen until the exit status is there, and a moment more: a daemon may keep the output open.

    `until`: or until this is said, which counts as exit status 0.
    """
    text, done = b"", False
    while not done:
        done = channel.status_event.wait(_LOOK)
        while channel.recv_ready():
            text = (text + channel.recv(4096))[-_OUTPUT_LIMIT:]
        if until and until.encode() in text and not done:
            return _said(0, text)
        if not done and time.monotonic() > end:
            raise TimeoutError
    channel.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        while data := channel.recv(4096):
            text = (text + data)[-_OUTPUT_LIMIT:]
    code = channel.recv_exit_status() if channel.exit_status_ready() else -1
    if code == -1:
        raise EOFError("no exit status")
    return _said(code, text)


def _said(code: int, text: bytes) -> Outcome:
    lines = [line.strip() for line in text.decode(errors="replace").splitlines()]
    return Outcome(code, tuple(line for line in lines if line and line != BEGIN), BEGIN in lines)
