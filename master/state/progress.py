"""The output of `spe run` while it runs.

It has plain lines and, on a terminal, a live picture of the sweep below them.
"""

from __future__ import annotations

import select
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import LaunchError
from ..sweep.program import ProgramChange
from ..text import counted, sets
from . import lines

if TYPE_CHECKING:
    from .terminal import Screen

PLAIN_PAUSE = 10.0  # seconds between progress lines where there is no terminal
LIVE_PAUSE = 0.5  # seconds between two pictures on a terminal
MOST_PAUSE = 5.0  # seconds between them at most: a terminal that was slow once may be fast now
# A picture is followed by a pause of at least so many times the seconds that it took: 2 % of a core
SHARE = 50
LOOK = 0.2  # seconds between two looks whether a question is given up
ABOUT_PROGRAM = {
    "k": ProgramChange.KEEP,
    "keep": ProgramChange.KEEP,
    "f": ProgramChange.FRESH,
    "fresh": ProgramChange.FRESH,
    "n": ProgramChange.ASK,
    "no": ProgramChange.ASK,
    "": ProgramChange.ASK,  # Enter alone does no harm
}
ABOUT_MISSING = {"r": True, "run": True, "n": False, "no": False, "": False}


class Progress:
    """Shows one run on stderr. On stdout it prints only what is to be pasted."""

    def __init__(
        self, quiet: bool = False, by_terminal: bool | None = None, stdout_is_taken: bool = False
    ) -> None:
        """`quiet`: warnings and faults only.

        `by_terminal`: whether stderr is a terminal; None: look. `stdout_is_taken`: stdout is for the
        outputs of the sets (`--lines`, `--rows`) alone.
        """
        self._stdout_is_taken = stdout_is_taken
        self.quiet = quiet
        if by_terminal is None:
            by_terminal = sys.stderr.isatty()
        self.live = by_terminal and not quiet
        self._screen: Screen | None = None
        self._draw: Callable[[], Mapping[str, Any]] | None = None
        self.activity: Callable[[], str] = str  # what goes on before tasks run; "" for nothing
        self._next_picture = 0.0
        self._next_line = 0.0
        self._shown = ""

    def line(self, text: str) -> None:
        """Show one line, unless quiet."""
        if not self.quiet:
            self._print(text)

    # On stderr, as all that follows: stdout is for pasting, and for `--json`.
    def warn(self, text: str) -> None:
        """Show a warning, also when quiet."""
        self._print(f"warning: {text}")

    def _print(self, text: str) -> None:
        if self._screen:
            self._screen.line(text)
        else:
            print(text, file=sys.stderr)

    def fault(self, text: str) -> None:
        """Show a paragraph about hosts that cannot work, also when quiet."""
        self._print(text)

    def step(self, text: str) -> None:
        """Show the begin or the end of something long, where no live picture shows it."""
        if not self.live:
            self.line(text)

    def begin(self, page: str, draw: Callable[[], Mapping[str, Any]]) -> None:
        """Begin once the server is up; `draw` returns the document of the sweep."""
        self.line(f"page: {page}")
        self._next_line = time.monotonic() + PLAIN_PAUSE
        self._draw = draw
        if self.live:
            from .terminal import Screen  # late: a library that only a terminal needs

            self._screen = Screen(sys.stderr)

    def by_hand(self, text: str) -> None:
        """Print on stdout, unwrapped for pasting, how to start a client."""
        self.line("Start a client on any machine that reaches this one by these lines:")
        stream = sys.stderr if self._stdout_is_taken else sys.stdout
        stream.write(text)
        stream.flush()

    def plan(self, total: int, done: int, failed: int, cancelled: int = 0) -> None:
        """Show how many sets there are, once all are known.

        Those that ended before this run are counted apart.
        """
        new = total - done - failed - cancelled
        if not (done or failed or cancelled):
            self.line(sets(total))
            return
        stay = f"{done} done before, {failed} failed before"
        if cancelled:
            stay += f", {cancelled} cancelled"
        self.line(f"{sets(total)}: {stay}, {new} to do")

    def grow(self, total: int, done: int, failed: int) -> None:
        """Count sets that people have added, in the lines of from now on."""
        self._planned = (total, done, failed)

    def update(self) -> None:
        """Show how the sweep stands now, unless the last picture or line is too new."""
        if self._screen:
            self._show_picture()
        elif self._draw and time.monotonic() >= self._next_line:
            self._show_line(self._draw())

    def _show_line(self, document: Mapping[str, Any]) -> None:
        counts = lines.counts(document)
        self._next_line = time.monotonic() + PLAIN_PAUSE
        if counts != self._shown:  # a log of a week of a slow sweep has no use for equal lines
            self._shown = counts
            self.line(lines.progress(document, time.time()))

    def _show_picture(self) -> None:
        begun = time.monotonic()
        if self._screen and self._draw and begun >= self._next_picture:
            self._screen.show(self._draw(), self.activity())
            took = time.monotonic() - begun
            self._next_picture = begun + min(MOST_PAUSE, max(LIVE_PAUSE, SHARE * took))

    def host_up(self, host: str, note: str) -> None:
        """Show that a host's client has registered."""
        self.line(f"{host}: up ({note})" if note else f"{host}: up")

    def host_fault(self, host: str, error: LaunchError) -> None:
        """Show why a host did not come up, also when quiet."""
        self._print(str(error) if host in str(error) else f"{host}: {error}")

    def interrupted(self, times: int, running: int) -> None:
        """Show what Ctrl-C does: the first one drains the run, the second one stops it."""
        if times == 1:
            finish = counted(running, "running task finishes", "running tasks finish")
            them = "it" if running == 1 else "them"
            more = f" (once more stops {them})" if running else ""
            self._print(f"interrupted: {finish}, nothing more is begun{more}")
        else:
            self._print("stopping the running tasks; nothing that was accepted is lost")

    def ask_about_program(self, what: str, names: str, which: str) -> ProgramChange:
        """Ask on a terminal what to do about a changed program, and return the answer.

        `which`: the finished sets that it concerns, such as `1 of the 4 finished sets was`.

        Where there is no terminal, return ASK.
        """
        if not _can_ask():
            return ProgramChange.ASK
        self._print(f"{what.capitalize()} has changed since {which} computed ({names}).")
        while True:
            sys.stderr.write("Keep them as they are [k], run all afresh [f], or do nothing [n]? ")
            sys.stderr.flush()
            answer = sys.stdin.readline().strip().lower()
            if answer in ABOUT_PROGRAM:
                return ABOUT_PROGRAM[answer]

    def ask_about_missing(self, sentence: str, given_up: threading.Event) -> bool:
        """Ask on a terminal whether sets with an empty cell run again; elsewhere return False.

        The question is withdrawn once it is `given_up`: the run ends.
        """
        if not _can_ask():
            return False
        shown, self._screen = (
            self._screen,
            None,
        )  # a picture that is drawn meanwhile would hide the question
        if shown:
            shown.stop(True)
        self._print(f"{sentence}.")
        try:
            return _ask_about_missing(given_up)
        finally:
            if shown and self._draw and not given_up.is_set():
                from .terminal import Screen

                self._screen = Screen(sys.stderr)

    def end(self, terminal: bool = True) -> None:
        """Leave the terminal as it was before the run; `terminal` False: there is none any more."""
        if self._screen:
            self._screen.stop(terminal)
            self._screen = None


def _can_ask() -> bool:
    # Both: a question that nobody sees, or that a file answers, would hold up a run for ever.
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask_about_missing(given_up: threading.Event) -> bool:
    while not given_up.is_set():
        sys.stderr.write("Run them again [r], or leave them as they are [n]? ")
        sys.stderr.flush()
        answer = _answer(given_up)
        if answer in ABOUT_MISSING:
            return ABOUT_MISSING[answer]
    return False


def _answer(given_up: threading.Event) -> str | None:
    """Return a line of stdin, in small letters.

    The result is None when the question is given up before there is one.
    """
    # Not a plain readline: nothing could call the thread back that waits in it, and Ctrl-C would
    # wait for Enter.
    while not given_up.is_set():
        if select.select([sys.stdin], [], [], LOOK)[0]:
            return sys.stdin.readline().strip().lower()
    return None
