"""Standard input, output and error of every command: whatever they are, printing never harms a run.

The other end may be a pipe that nobody reads any more, a full disk, a closed descriptor. Commands
that work (`keep_going`) go on without it and tell at their end; commands that only show something
end.
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

import click

from ..disk_errors import FULL, reason
from ..errors import SpeError

_NAMES = ("stdin", "stdout", "stderr")


class Unread(SystemExit):
    """The end of a command that only shows something, and whose output nobody reads any more: it
    ended well.
    """


class OutputError(SpeError):
    """Standard output takes nothing, because its disk is full."""

    exit_code = 1


class _State:
    """The state of this process' output. There is one of it: `_state`."""

    keep_going = False
    safe = ""  # path of the results of a run
    lost = ""  # reason why some output is missing on stdout
    unread = False  # the reader of stdout has gone
    plain = False  # lines only, also on a terminal


_state = _State()


def take_over() -> None:
    """Put streams of our own in place of Python's. Called before anything is printed."""
    for number, name in enumerate(_NAMES):
        _open_closed(number)
        stream = getattr(sys, name)
        if number == 0:
            # Python makes it None where it was closed, and then each question would be a traceback.
            sys.stdin = stream or open(0, closefd=False)  # noqa: SIM115  # as long as the process
        elif stream is None or stream.fileno() == number:
            setattr(sys, name, _stream(number, stream))


def keep_going() -> None:
    """Let this command go on when its output is not wanted: it works, and does not only show
    something.
    """
    _state.keep_going = True


def results_in(path: Path) -> None:
    """Remember where the results are that this command may not be able to print."""
    _state.safe = str(path)


def _be_plain(context: click.Context, param: click.Parameter, wanted: bool) -> None:
    """Have this process print lines only, without colours, as into a file."""
    if wanted:
        _state.plain = True
        os.environ["NO_COLOR"] = "1"


#: The option --plain. No command gets its value: `is_live` knows it.
plain_option = click.option(
    "--plain",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_be_plain,
    help="Lines only: no live picture, no colours, no pager.",
)


def is_live(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal on which a picture may be drawn again and again."""
    # A dumb terminal, such as that of an editor, shows control sequences as they are.
    drawable = os.environ.get("TERM", "") not in ("dumb", "unknown")
    return drawable and not _state.plain and stream.isatty()


def end_when_unread() -> None:
    """Let this command end with its reader, also while there is nothing new to be shown."""
    # A file and a terminal have no reader that could go.
    kind = os.fstat(1).st_mode
    if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
        signal.signal(signal.SIGPIPE, _on_signal)
        threading.Thread(target=_wait_for_reader_to_go, daemon=True).start()


class Raw:
    """Standard output or error below Python's buffers: bytes go there unchanged, from any thread.

    A thread that stands still in a pipe which nobody empties holds no lock of these buffers.
    """

    def __init__(self, stream: TextIO) -> None:
        stream.flush()  # what was printed before comes before
        self._stream: Any = stream.buffer
        self._shows = stream is sys.stdout

    def write(self, data: bytes) -> None:
        """Write all of it, or drop it where nobody reads it any more."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._stream.raw.write(rest) :]

    @property
    def is_unread(self) -> bool:
        """True once the reader of standard output has gone."""
        return self._shows and _state.unread


def end(code: int) -> int:
    """Print what is left, and say what could not be printed.

    Return the exit code of the process.
    """
    keep_going()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if not _state.lost:
        return code
    where = f"; the results are safe in {_state.safe}" if _state.safe else ""
    print(
        f"spe: the output of this command is not complete: {_state.lost}{where}",
        file=sys.stderr,
        flush=True,
    )
    return code or OutputError.exit_code


# Below Python's buffers and not above: print, click, rich and a traceback all end here.
class _Output(io.FileIO):
    """The descriptor 1 or 2. What it does not take is dropped, or ends the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self._shows = number == 1  # a loss of stderr could be told nowhere

    def write(self, data: Any) -> int:
        """Write all or some of the data; raise or drop it where that will never be possible."""
        try:
            while (count := super().write(data)) is None:
                # Another process has made the descriptor of the terminal a non-blocking one.
                select.select([], [self], [])
            return count
        except OSError as error:
            return self._fail(error, memoryview(data).nbytes)

    def _fail(self, error: OSError, size: int) -> int:
        """Drop the data and return its size, or end the command."""
        goes_on = _state.keep_going or not self._shows
        full = error.errno in FULL
        # A disk that is full may have space again later; a reader that has gone does not come back.
        if not full and self._shows:
            _state.unread = True
        if not full or not goes_on:
            _point_to_nothing(self.fileno())  # so that what is left in buffers fails no more
        if full and self._shows:
            _state.lost = f"{reason(error)} (standard output)"
        if goes_on:
            return size
        raise self._end_of_command()

    def _end_of_command(self) -> SystemExit | OutputError:
        """Return what ends a command that only shows something, and let its last words pass."""
        lost = _state.lost
        # The error itself is printed: it must not fail, and must not be told a second time.
        _state.keep_going = True
        _state.lost = ""
        if lost:
            return OutputError(f"the output could not be written: {lost}")
        return Unread(0)


def _stream(number: int, before: TextIO | None) -> TextIO:
    """Return a stream as Python makes it, but for errors, and for names of files that are not
    UTF-8.
    """
    codecs.register_error("spe-output", _as_bytes_or_escaped)
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(number)),
        encoding=getattr(before, "encoding", "utf-8"),
        errors="spe-output",
        line_buffering=number == 2 or getattr(before, "line_buffering", False),
        write_through=getattr(before, "write_through", False),
    )


def _as_bytes_or_escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return the bytes of a file's name as they are; escape what was never bytes."""
    # The first one takes bytes that Python read as such; all else, as a terminal of ASCII has it,
    # is escaped: no character that cannot be shown may end a run.
    for name in ("surrogateescape", "backslashreplace"):
        try:
            return codecs.lookup_error(name)(error)
        except UnicodeError:
            continue
    raise error


def _open_closed(number: int) -> None:
    """Open a closed descriptor on /dev/null.

    Otherwise it would be the next file that is opened, and what is printed would go into that.
    """
    try:
        os.fstat(number)
    except OSError:
        _point_to_nothing(number)


def _point_to_nothing(number: int) -> None:
    """Make a descriptor one of /dev/null."""
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing != number:
        os.dup2(nothing, number)
        os.close(nothing)


def _wait_for_reader_to_go() -> None:
    """Wait until the reader has gone, and wake the main thread."""
    watch = select.poll()
    watch.register(1, 0)  # no event is asked for, so only an error answers: the reader has gone
    watch.poll()
    _state.unread = True
    # The main thread may wait for the master, which has nothing to say for hours.
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGPIPE)


def _on_signal(*_: object) -> None:
    """End the command whose reader has gone.

    SIGPIPE comes for sockets, too, where the error tells of it; and for a command that has ended it
    is too late.
    """
    if _state.unread and not _state.keep_going:
        raise Unread(0)
