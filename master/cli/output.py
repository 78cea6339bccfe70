"""Standard input, output and error of every command: whatever they are, nothing that is printed ends or harms a run.

A pipe that nobody reads any more, a full disk, a closed descriptor: `keep_going` commands, which work, go on without
it and tell at their end; the others, which only show something, end.
"""

from __future__ import annotations

import codecs
import io
import os
import select
import signal
import stat
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from ..disk_errors import FULL, reason
from ..errors import SpeError

_NAMES = ("stdin", "stdout", "stderr")


class Unread(SystemExit):
    """Nobody reads our output any more, so a command that only shows something has ended well."""


class OutputError(SpeError):
    """Standard output takes nothing: a full disk."""

    exit_code = 1


class _Words:
    """What is known of this process' output. There is one of it: `_words`."""

    keep_going = False
    safe = ""  # where the results of a run are
    lost = ""  # why something that was printed to stdout is not there
    unread = False


_words = _Words()


def take_over() -> None:
    """Put our own streams in place of Python's. Nothing was printed yet."""
    for number, name in enumerate(_NAMES):
        _open_closed(number)
        stream = getattr(sys, name)
        if number == 0:
            sys.stdin = stream or open(0, closefd=False)  # noqa: SIM115  # as long as the process
        elif stream is None or stream.fileno() == number:
            setattr(sys, name, _stream(number, stream))


def keep_going() -> None:
    """This command works: it does not end because its output is not wanted."""
    _words.keep_going = True


def results_in(path: Path) -> None:
    """Where the results are that this command may not be able to print."""
    _words.safe = str(path)


def end_when_unread() -> None:
    """This command shows what happens until it is over: end also while there is nothing new to be shown."""
    kind = os.fstat(1).st_mode
    if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
        signal.signal(signal.SIGPIPE, _on_signal)
        threading.Thread(target=_wait_for_reader_to_go, daemon=True).start()


def end(code: int) -> int:
    """Print what is left, and say what could not be printed; the exit code of the process."""
    keep_going()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if not _words.lost:
        return code
    where = f"; the results are safe in {_words.safe}" if _words.safe else ""
    print(f"spe: what this command prints is not all there: {_words.lost}{where}", file=sys.stderr, flush=True)
    return code or OutputError.exit_code


class _Output(io.FileIO):
    """Descriptor 1 or 2. What it does not take is dropped, or ends the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self._shows = number == 1  # stderr is no place whose loss could be told anywhere

    def write(self, data: Any) -> int:
        """All or some of it is written, or none of it ever will be."""
        try:
            while (count := super().write(data)) is None:
                select.select([], [self], [])  # somebody else made the terminal's descriptor a non-blocking one
            return count
        except OSError as error:
            return self._fail(error, memoryview(data).nbytes)

    def _fail(self, error: OSError, size: int) -> int:
        goes_on = _words.keep_going or not self._shows
        if error.errno not in FULL or not goes_on:
            _point_to_nothing(self.fileno())  # what is still in buffers goes there, too
        if error.errno in FULL and self._shows:
            _words.lost = f"{reason(error)} (standard output)"
        if goes_on:
            return size
        _words.keep_going, lost, _words.lost = True, _words.lost, ""
        if lost:
            raise OutputError(f"it could not be printed: {lost}")
        raise Unread(0)


def _stream(number: int, before: TextIO | None) -> TextIO:
    """As Python makes it, but for what happens on errors and for names of files, which go out as the bytes they are."""
    codecs.register_error("spe-output", _as_bytes_or_escaped)
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(number)),
        encoding=before.encoding if before else "utf-8",
        errors="spe-output",
        line_buffering=number == 2 or getattr(before, "line_buffering", False),
        write_through=getattr(before, "write_through", False),
    )


def _as_bytes_or_escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    for name in ("surrogateescape", "backslashreplace"):
        try:
            return codecs.lookup_error(name)(error)
        except UnicodeError:
            continue
    raise error


def _open_closed(number: int) -> None:
    """A closed descriptor would be the next file that is opened, and what is printed would go into that."""
    try:
        os.fstat(number)
    except OSError:
        _point_to_nothing(number)


def _point_to_nothing(number: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing != number:
        os.dup2(nothing, number)
        os.close(nothing)


def _wait_for_reader_to_go() -> None:
    watch = select.poll()
    watch.register(1, 0)  # no event is asked for: it answers on an error only
    watch.poll()
    _words.unread = True
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGPIPE)  # it may wait for a word of the master


def _on_signal(*_: object) -> None:
    """SIGPIPE comes for sockets, too, where the error says it; and for a command that has ended it is too late."""
    if _words.unread and not _words.keep_going:
        raise Unread(0)
