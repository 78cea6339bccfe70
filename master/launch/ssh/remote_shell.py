"""The only way to run a script on a host: a shell reads it from standard input, we read its output.

Marks stand before and behind the output of the script. What a login prints around them counts for
nothing, nor does the exit code that it makes of ours. shell_start.py waits for the first mark.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator

import paramiko

from ...errors import Fault, LaunchError
from ..offer import STAYS
from ..outcome import CommandOutcome
from ..pasteable import words_for
from .shell_start import END, StartedShell, start_shell

# The beginning of each script. The limit is printed by built-in commands: when there is no room for
# processes, a shell can start no other.
FRAME = r"""
spe_end() {
    c=$?
    [ $c = 0 ] || { echo; echo "spe: processes"; ulimit -u 2>/dev/null || ulimit -p 2>/dev/null; }
    echo; echo "spe: end $c"
}
trap spe_end 0
"""
_LAST = re.compile(rb"\n(?:spe: processes\n(\w*)\n?)?\nspe: end (\d+)\n")
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
    transport: paramiko.Transport, script: str, where: str, limit: float, stdin: str | bytes = ""
) -> CommandOutcome:
    """Return the outcome of a script on the host, which finds `stdin` behind itself.

    Raises LaunchError when the host is silent for `limit` seconds, or lost.
    """
    with _limited(transport, where, limit) as end:
        shell = start_shell(transport, where, limit)
        try:
            _tell(shell, script, stdin, limit)
            return _heard(shell, end)
        finally:
            shell.channel.close()


def run_and_hold(
    transport: paramiko.Transport, script: str, where: str, limit: float, stdin: str = ""
) -> tuple[CommandOutcome, HeldSession | None]:
    """Return the outcome of a script that goes on while its client works, and the held session.

    The session is None when the script has ended, because the client was not started.
    """
    with _limited(transport, where, limit) as end:
        shell = start_shell(transport, where, limit)
        held = False
        try:
            _tell(shell, script, stdin, limit)
            said = _heard(shell, end, until=STAYS)
            held = STAYS in said.last
            return said, HeldSession(shell.channel) if held else None
        finally:
            if not held:
                shell.channel.close()


def open_session(
    transport: paramiko.Transport, script: str, where: str, limit: float, stdin: bytes
) -> StartedShell:
    """Return a session in which a script begins whose input stays open behind `stdin`.

    Raises LaunchError when the host is silent for `limit` seconds, or lost.
    """
    with _limited(transport, where, limit):
        shell = start_shell(transport, where, limit)
        try:
            shell.channel.settimeout(limit)
            shell.channel.sendall(f"{FRAME}{script}{END}\n".encode() + stdin)
            return shell
        except BaseException:
            shell.channel.close()
            raise


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


def _tell(shell: StartedShell, script: str, stdin: str | bytes, limit: float) -> None:
    """Send the script, what it finds behind itself, and the end of input.

    The script goes as input, as a command line would show it to all users. An error is ignored when
    the other end has closed already: what it printed counts, not that it did not read ours.
    """
    if isinstance(stdin, str):
        stdin = stdin.encode()
    shell.channel.settimeout(limit)
    try:
        shell.channel.sendall(f"{FRAME}{script}{END}\n".encode() + stdin)
        shell.channel.shutdown_write()
    except OSError as error:
        if isinstance(error, TimeoutError) or not shell.channel.closed:
            raise


def _heard(shell: StartedShell, end: float, until: str = "") -> CommandOutcome:
    """Return the outcome once the last mark or the exit status is there. Raises TimeoutError after `end`.

    Why not read until the end of output: a daemon that the script started may keep it open. `until`:
    a text in the output that counts as exit status 0 at once.
    """
    channel = shell.channel
    text = b"\n" + shell.rest  # the end of the output counts, so the limit cuts its beginning
    done = False
    while not done:
        # Both conditions, polled: paramiko wakes us for the exit status alone, not for output.
        done = channel.status_event.wait(_LOOK)
        text = _read_ready(channel, text)
        if _LAST.search(text):
            return read_outcome(0, text)
        if until and until.encode() in text and not done:
            return read_outcome(0, text)
        if not done and time.monotonic() > end:
            raise TimeoutError
    text = _read_rest(channel, text)
    if _LAST.search(text):
        return read_outcome(0, text)
    return read_outcome(_exit_code(channel), text)


def _read_ready(channel: paramiko.Channel, text: bytes) -> bytes:
    """Return `text` and what has arrived, at most the last _OUTPUT_LIMIT bytes."""
    while channel.recv_ready():
        text = (text + channel.recv(4096))[-_OUTPUT_LIMIT:]
    return text


def _read_rest(channel: paramiko.Channel, text: bytes) -> bytes:
    channel.settimeout(_AFTERWARDS)
    with contextlib.suppress(TimeoutError):
        while not _LAST.search(text) and (data := channel.recv(4096)):
            text = (text + data)[-_OUTPUT_LIMIT:]
    return text


def _exit_code(channel: paramiko.Channel) -> int:
    code = channel.recv_exit_status() if channel.exit_status_ready() else -1
    if code == -1:  # also paramiko's value for a connection that broke
        raise EOFError("no exit status")
    return code


def read_outcome(code: int, text: bytes) -> CommandOutcome:
    """Return the outcome that the last mark tells; without the mark, the one with this exit code."""
    # The first one: nothing of ours prints behind it, a start-up file's `trap` may.
    last = _LAST.search(text)
    processes = ""
    if last:
        code = int(last[2])
        processes = (last[1] or b"").decode()
        text = text[: last.start()]
    lines = (line.strip() for line in text.decode(errors="replace").splitlines())
    return CommandOutcome(code, tuple(line for line in lines if line), processes)
