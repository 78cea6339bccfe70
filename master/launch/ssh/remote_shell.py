"""The only way to run a script on a host: a shell reads it from standard input, we read its output.

Why not `/bin/sh -s` with the script on standard input: dash reads its script in blocks and swallows
the session ID behind it. So a first line that every login shell (also csh and fish) passes on unread
collects the script with `read`, which takes a byte at a time, and then runs it. The script first
prints BEGIN: without that line the login has run nothing of ours, whatever its exit code.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import paramiko

from ...errors import Fault, LaunchError
from ..offer import STAYS
from ..outcome import CommandOutcome
from ..pasteable import words_for

END = "#end of the script"
BOOTSTRAP = (
    '/bin/sh -c \'n=$(printf "\\n_"); n=${n%_}; s=; '
    f'while IFS= read -r l && [ "$l" != "{END}" ]; do s=$s$l$n; done; eval "$s"\''
)
BEGIN = "spe: begin"
_LOOK = 0.5  # seconds between reads of its output while it runs; its end wakes us at once
_OUTPUT_LIMIT = 64 * 1024  # bytes kept of its output: a login script may print without end
_AFTERWARDS = 0.2  # seconds for output that arrives after the exit status


class HeldSession:
    """An SSH session whose script goes on until the client that it started has ended.

    Lives as long as its connection; nobody closes it before.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    @property
    def is_over(self) -> bool:
        """True when the script has ended; also when the connection is lost."""
        return bool(self._channel.closed or self._channel.exit_status_ready())


def run(
    transport: paramiko.Transport, script: str, where: str, limit: float, stdin: str = ""
) -> CommandOutcome:
    """Return the outcome of a script on the host, which finds `stdin` behind itself.

    Raises LaunchError when the host is silent for `limit` seconds, or lost.
    """
    with _limited(transport, where, limit) as end:
        channel = transport.open_session(timeout=limit)
        try:
            _begin(channel, script, stdin, limit)
            return _heard(channel, end)
        finally:
            channel.close()


def run_and_hold(
    transport: paramiko.Transport, script: str, where: str, limit: float, stdin: str = ""
) -> tuple[CommandOutcome, HeldSession | None]:
    """Return the outcome of a script that goes on while its client works, and the held session.

    The session is None when the script has ended, because the client was not started.
    """
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
    """Yield the monotonic time of the limit; turn errors of the library inside into LaunchErrors."""
    end = time.monotonic() + limit
    # paramiko waits for some answers without a limit: closing the transport ends that.
    late = threading.Timer(limit + 1, transport.close)
    late.daemon = True
    late.start()
    try:
        yield end
    except (paramiko.SSHException, OSError, EOFError) as error:
        if isinstance(error, TimeoutError) or time.monotonic() > end:
            raise _timeout(where, limit) from error
        what = f"while the client was started ({error or 'closed'})"
        raise LaunchError(Fault.LOST, what, where=where, todo=f"Try: ssh {words_for(where)} true") from error
    finally:
        late.cancel()


def _timeout(where: str, limit: float) -> LaunchError:
    return LaunchError(
        Fault.TIMEOUT,
        f"the start was not done within {limit:g} s",
        where=where,
        todo=f"Is its home or the machine hung? Look there: ssh {words_for(where)}",
        broke_off=True,
    )


def _begin(channel: paramiko.Channel, script: str, stdin: str, limit: float) -> None:
    channel.set_combine_stderr(True)  # in one stream the last line is the last one of both
    channel.exec_command(BOOTSTRAP)
    # The script goes behind the bootstrap as input: a command line would show it to all users.
    channel.settimeout(limit)
    _tell(channel, f"echo '{BEGIN}'\n{script}{END}\n{stdin}".encode())


def _tell(channel: paramiko.Channel, words: bytes) -> None:
    """Send `words` and the end of input.

    An error is ignored when the other end has closed already: an account that may not log in prints
    why and ends, and its output counts, not that it did not read ours.
    """
    try:
        channel.sendall(words)
        channel.shutdown_write()
    except OSError as error:
        if isinstance(error, TimeoutError) or not channel.closed:
            raise


def _heard(channel: paramiko.Channel, end: float, until: str = "") -> CommandOutcome:
    """Return the outcome once the exit status is there. Raises TimeoutError after `end`.

    Why not read until the end of output: a daemon that the script started may keep it open. `until`:
    a text in the output that counts as exit status 0 at once.
    """
    text = b""  # the end of the output counts, so the limit cuts its beginning
    done = False
    while not done:
        # Both conditions, polled: paramiko wakes us for the exit status alone, not for output.
        done = channel.status_event.wait(_LOOK)
        text = _read_ready(channel, text)
        if until and until.encode() in text and not done:
            return _said(0, text)
        if not done and time.monotonic() > end:
            raise TimeoutError
    return _said(_exit_code(channel), _read_rest(channel, text))


def _read_ready(channel: paramiko.Channel, text: bytes) -> bytes:
    """Return `text` and what has arrived, at most the last _OUTPUT_LIMIT bytes."""
    while channel.recv_ready():
        text = (text + channel.recv(4096))[-_OUTPUT_LIMIT:]
    return text


def _read_rest(channel: paramiko.Channel, text: bytes) -> bytes:
    channel.settimeout(_AFTERWARDS)
    with contextlib.suppress(TimeoutError):
        while data := channel.recv(4096):
            text = (text + data)[-_OUTPUT_LIMIT:]
    return text


def _exit_code(channel: paramiko.Channel) -> int:
    code = channel.recv_exit_status() if channel.exit_status_ready() else -1
    if code == -1:  # also paramiko's value for a connection that broke
        raise EOFError("no exit status")
    return code


def _said(code: int, text: bytes) -> CommandOutcome:
    lines = [line.strip() for line in text.decode(errors="replace").splitlines()]
    words = tuple(line for line in lines if line and line != BEGIN)
    return CommandOutcome(code, words, begun=BEGIN in lines)
