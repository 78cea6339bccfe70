"""Start a shell on a host, and wait until it says that it reads our script.

sshd hands a command to the account's login shell, and that shell's start-up file comes first. There
`exec fish`, a question or a menu may take the place of our command, and would read our script as
commands of its own, with the session ID behind it. So nothing is sent before the mark is heard, which
only our command prints.

A login that is silent may be slow, or wait for input. A second session tells them apart: its input is
closed from the start, so nothing in it can wait for any.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import paramiko

from ...errors import Fault, LaunchError
from .. import login_faults
from ..pasteable import words_for

log = logging.getLogger("spe.launch")

END = "#end of the script"
BEGIN = "spe: begin"
# Why not `/bin/sh -s` with the script on standard input: dash reads its script in blocks and swallows
# the session ID behind it. So a first line that every login shell (also csh and fish) passes on
# unread collects the script with `read`, which takes a byte at a time, and then runs it. It forks
# nothing, so that a host without room for processes can still say so; and it does not hold the mark
# itself, as a login shell may print what it is told (`set -x`). All that is ours comes by one stream:
# SSH does not keep the order of two.
BOOTSTRAP = (
    "/bin/sh -c 'exec 2>&1; b=begin; echo; echo \"spe: $b\"; n=${IFS#??}; s=; "
    f'while IFS= read -r l && [ "$l" != "{END}" ]; do s=$s$l$n; done; eval "$s"\''
)
ASK_AFTER = 4.0  # seconds of a login without our mark after which the second session begins
_GRACE = 1.5  # seconds that the first session then still has: both may have waited for one slow disk
_REACTION = 2.0  # seconds in which a login that waits for input reacts to the end of it
_ALONE = 20.0  # seconds for a login beside which the host allows no second session
_TELL_AFTER = 15.0  # seconds after which a person is told what is waited for
_LONGEST = 60.0  # seconds for a login, even if the whole start may take longer
_STEP = 0.05  # seconds between looks at the two sessions
_AFTERWARDS = 2.0  # seconds for the exit status after the end of the output
_ENDLESS = 1 << 16  # bytes more of a menu that goes round and round without input
_HEAD = 4096  # bytes kept of what the login prints first
_MARK = f"\n{BEGIN}\n".encode()


class StartedShell:
    """An SSH session whose login shell was given BOOTSTRAP; lives until its channel is closed.

    `rest`: what has arrived behind the mark.
    """

    def __init__(self, transport: paramiko.Transport, where: str, limit: float) -> None:
        """Begin the session. Raises LaunchError when the host can start no shell in it."""
        self.channel = transport.open_session(timeout=limit)
        self.rest = b""
        self.has_begun = False
        self.is_over = False  # its output has ended before the mark
        self.count = 0  # bytes before the mark
        self._head = b""
        self._tail = b"\n"
        try:
            self.channel.set_combine_stderr(True)
            self.channel.settimeout(limit)
            self.channel.exec_command(BOOTSTRAP)
        except paramiko.SSHException as error:
            self.channel.close()
            transport.join(_STEP)  # of a lost connection it closes the channels before it says so
            if not transport.is_active():
                raise
            # The connection stands: sshd has tried to start a process for the session, and could not.
            words = f"its SSH server could start no process for the login ({error})"
            raise login_faults.no_processes(where, words) from error
        except BaseException:
            self.channel.close()
            raise

    @property
    def is_decided(self) -> bool:
        """True when the login has run our command, or has ended without."""
        return self.has_begun or self.is_over

    def listen(self, until: float) -> None:
        """Take in what arrives up to this monotonic time, or until the login is decided."""
        while not self.is_decided:
            self.channel.settimeout(max(0.001, until - time.monotonic()))
            try:
                self._take(self.channel.recv(4096))
            except TimeoutError:
                return
            if time.monotonic() > until:  # one that prints without end
                return

    def _take(self, data: bytes) -> None:
        if not data:
            self.is_over = True
            return
        self.count += len(data)
        self._head = (self._head + data)[:_HEAD]
        before, mark, after = (self._tail + data).partition(_MARK)
        if mark:
            self.has_begun = True
            self.channel.set_combine_stderr(False)  # from now on that is the login's alone
            self.rest = after
        self._tail = before[-len(_MARK) :]

    def reacts_to_end_of_input(self, end: float) -> bool:
        """Close its input, and return whether the login goes on or ends: it has waited for input."""
        before = self.count
        self.channel.shutdown_write()
        end = min(end, time.monotonic() + _REACTION)
        while not self.is_decided and self.count < before + _ENDLESS and time.monotonic() < end:
            self.listen(min(end, time.monotonic() + _STEP))
        return self.is_decided or self.count >= before + _ENDLESS

    def send(self, data: bytes) -> None:
        """Send a script, without any time limit."""
        self.channel.settimeout(None)
        self.channel.sendall(data)

    def lines(self) -> Iterator[str]:
        """Yield the lines behind the mark, until the shell ends."""
        return (line.decode(errors="replace").strip() for line in self.channel.makefile("rb"))

    def end_input(self) -> None:
        """Close the input of the script, and return when the shell has ended."""
        self.channel.shutdown_write()
        while self.channel.recv(4096):
            pass

    def first_words(self) -> tuple[str, ...]:
        """Return what the login has printed first."""
        lines = (line.strip() for line in self._head.decode(errors="replace").splitlines())
        return tuple(line for line in lines if line)

    def exit_code(self) -> int:
        """Return the exit code of a login that is over; -1 when there is none."""
        # One that has only closed its output may still read.
        if not self.channel.status_event.wait(_AFTERWARDS):
            self.channel.shutdown_write()
            self.channel.status_event.wait(_AFTERWARDS)
        return self.channel.exit_status


def start_shell(
    transport: paramiko.Transport, where: str, limit: float, ask_after: float = ASK_AFTER
) -> StartedShell:
    """Return a session in which our command reads the script.

    Raises LaunchError when the login has not run our command, and errors of the connection.
    """
    begun = time.monotonic()
    end = begun + min(limit, _LONGEST)
    shell = StartedShell(transport, where, limit)
    try:
        shell.listen(min(begun + ask_after, end))
        if not shell.is_decided and _is_overtaken(transport, shell, where, end):
            words = shell.first_words()
            if shell.reacts_to_end_of_input(end):
                raise login_faults.login_ran_nothing(where, words, None)
            # Busy, and not waiting: the next one overtakes it, too.
            shell.channel.close()
            shell = _another(transport, where, end)
            shell.listen(end)
        _judge(transport, shell, where, time.monotonic() - begun)
    except BaseException:
        shell.channel.close()
        raise
    return shell


def _another(transport: paramiko.Transport, where: str, end: float) -> StartedShell:
    try:
        return StartedShell(transport, where, end - time.monotonic())
    except paramiko.ChannelException as error:  # the first one counts as long as it is busy
        raise TimeoutError from error


def _judge(transport: paramiko.Transport, shell: StartedShell, where: str, seconds: float) -> None:
    """Raise the LaunchError of a login that has not run our command in its time."""
    if not shell.is_decided:
        raise _silent(where, seconds)
    if not shell.has_begun:
        code = shell.exit_code()
        if code == -1 and not transport.is_active():
            raise EOFError("no exit status")
        raise login_faults.login_ran_nothing(where, shell.first_words(), code)


def _is_overtaken(
    transport: paramiko.Transport, shell: StartedShell, where: str, end: float
) -> bool:
    """Return whether a session with closed input gets further than this one; False when in doubt.

    Returns as soon as this one is decided, or at the end of its time.
    """
    try:
        second = StartedShell(transport, where, end - time.monotonic())
    except (paramiko.ChannelException, LaunchError, TimeoutError):  # MaxSessions in its sshd_config
        # Not at once: this session alone is left, and without input it can run nothing of ours.
        shell.listen(min(end - _REACTION, time.monotonic() + _ALONE))
        return not shell.is_decided
    told_at = time.monotonic() + _TELL_AFTER
    further_since = 0.0
    try:
        second.channel.shutdown_write()
        while not shell.is_decided and time.monotonic() < end:
            shell.listen(time.monotonic() + _STEP)
            second.listen(time.monotonic() + _STEP)
            now = time.monotonic()
            if second.is_decided or second.count > shell.count + _ENDLESS:
                further_since = further_since or now
            if further_since and now > further_since + _GRACE:
                return not shell.is_decided
            if now > told_at:
                told_at = end
                log.warning("%s: its login is slow: nothing of spe has run there yet", where)
    finally:
        second.channel.close()
    return False


def _silent(where: str, seconds: float) -> LaunchError:
    return LaunchError(
        Fault.TIMEOUT,
        f"the login shell of this account has not run spe's command within {seconds:.0f} s "
        "(does its home hang?)",
        where=where,
        todo=f"Is its home or the machine hung? Look there: ssh {words_for(where)}",
        broke_off=True,
    )
