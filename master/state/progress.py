"""What `spe run` shows while it runs: plain lines, and on a terminal below them how the sweep stands, live."""

from __future__ import annotations

import select
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..dispatch.dispatch import Dispatch
from ..errors import LaunchError
from ..model import TaskState
from ..sweep.program_change import ProgramChange

if TYPE_CHECKING:
    from .terminal import Screen

PLAIN_PAUSE = 10.0  # seconds between progress lines where there is no terminal
LIVE_PAUSE, SHARE = 0.5, 50  # seconds between two pictures on a terminal, and at least so many times what one took


class Progress:
    """Shows one run. `quiet`: warnings and faults only; nothing is printed to stdout but what is to be pasted."""

    def __init__(self, quiet: bool = False, by_terminal: bool | None = None) -> None:
        self.quiet = quiet
        self.live = (sys.stderr.isatty() if by_terminal is None else by_terminal) and not quiet
        self._screen: Screen | None = None
        self._draw: Callable[[], Mapping[str, Any]] | None = None
        self._next_picture = 0.0
        self._planned: tuple[int, int, int] | None = None  # total, done and failed before this run
        self._next_line = 0.0
        self._shown = ""

    def line(self, text: str) -> None:
        """One line for the user."""
        if not self.quiet:
            self._print(text)

    def warn(self, text: str) -> None:
        """One line that stays even when quiet."""
        self._print(f"warning: {text}")

    def _print(self, text: str) -> None:
        if self._screen:
            self._screen.line(text)
        else:
            print(text, file=sys.stderr)

    def begin(self, page: str, draw: Callable[[], Mapping[str, Any]]) -> None:
        """The server is up; `draw` tells how the sweep stands."""
        self.line(f"page: {page}")
        self._next_line = time.monotonic() + PLAIN_PAUSE
        if self.live:
            from .terminal import Screen  # late: a library that only a terminal needs

            self._screen, self._draw = Screen(sys.stderr), draw

    def by_hand(self, text: str) -> None:
        """How to start a client, for pasting: on stdout, unwrapped."""
        self.line("Start a client on any machine that reaches this one by these lines:")
        sys.stdout.write(text)
        sys.stdout.flush()

    def plan(self, total: int, done: int, failed: int, cancelled: int = 0) -> None:
        """All sets are known."""
        self._planned = (total, done, failed)
        new = total - done - failed - cancelled
        sets = "1 set" if total == 1 else f"{total} sets"
        if done or failed or cancelled:
            stay = f"{done} done before, {failed} failed before" + (f", {cancelled} cancelled" if cancelled else "")
            self.line(f"{sets}: {stay}, {new} to do")
        else:
            self.line(sets)

    def update(self, dispatch: Dispatch) -> None:
        """The dispatch has moved."""
        if self._screen:
            self._show()
        elif time.monotonic() >= self._next_line and (text := self._numbers(dispatch)) != self._shown:
            self._next_line = time.monotonic() + PLAIN_PAUSE
            self._shown = text
            self.line(text)

    def _show(self) -> None:
        begun = time.monotonic()
        if self._screen and self._draw and begun >= self._next_picture:
            self._screen.show(self._draw())
            took = time.monotonic() - begun
            self._next_picture = begun + max(LIVE_PAUSE, SHARE * took)

    def _numbers(self, dispatch: Dispatch) -> str:
        total, done, failed = self._planned or (0, 0, 0)
        done += dispatch.board.in_state[TaskState.DONE]
        failed += dispatch.board.in_state[TaskState.FAILED]
        hosts = len({*dispatch.clients.hosts, *dispatch.clients.strangers})
        text = f"{done} done, {dispatch.board.with_slot} running"
        text += f", {failed} failed" if failed else ""
        text += f", {cancelled} cancelled" if (cancelled := dispatch.board.in_state[TaskState.CANCELLED]) else ""
        text += f" on {hosts} {'host' if hosts == 1 else 'hosts'}"
        return f"{text}, of {total}" if total else text

    def host_up(self, host: str, note: str) -> None:
        """A host's client has registered."""
        self.line(f"{host}: up{f' ({note})' if note else ''}")

    def host_fault(self, host: str, error: LaunchError) -> None:
        """A host did not come up."""
        self._print(str(error) if host in str(error) else f"{host}: {error}")

    def interrupted(self, times: int, running: int) -> None:
        """Ctrl-C."""
        if times == 1:
            self._print(f"interrupted: {running} running tasks finish, nothing more is begun (once more stops them)")
        else:
            self._print("stopping the running tasks; nothing that was accepted is lost")

    def ask_about_program(self, what: str, names: str) -> ProgramChange:
        """On a terminal, ask what to do about a changed program; elsewhere ASK comes back."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return ProgramChange.ASK
        self._print(f"{what.capitalize()} has changed since the finished sets were computed ({names}).")
        while True:
            sys.stderr.write("Keep them as they are [k], run all afresh [f], or do nothing [n]? ")
            sys.stderr.flush()
            answer = sys.stdin.readline().strip().lower()
            if answer in ("k", "keep"):
                return ProgramChange.KEEP
            if answer in ("f", "fresh"):
                return ProgramChange.FRESH
            if answer in ("n", "", "no"):
                return ProgramChange.ASK

    def ask_about_missing(self, sentence: str, given_up: threading.Event) -> bool:
        """On a terminal, ask whether sets with an empty cell run again; elsewhere False. Ends once it is `given_up`."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        shown, self._screen = self._screen, None  # what is drawn meanwhile would hide the question
        if shown:
            shown.stop(True)
        self._print(f"{sentence}.")
        try:
            while not given_up.is_set():
                sys.stderr.write("Run them again [r], or leave them as they are [n]? ")
                sys.stderr.flush()
                while not given_up.is_set():
                    if select.select([sys.stdin], [], [], 0.2)[0]:
                        answer = sys.stdin.readline().strip().lower()
                        if answer in ("r", "run", "n", "", "no"):
                            return answer in ("r", "run")
                        break
            return False
        finally:
            if shown and self._draw and not given_up.is_set():
                from .terminal import Screen

                self._screen = Screen(sys.stderr)

    def end(self, terminal: bool = True) -> None:
        """The run is over, or there is no `terminal` any more, which is otherwise as before."""
        if self._screen:
            self._screen.stop(terminal)
            self._screen = None
