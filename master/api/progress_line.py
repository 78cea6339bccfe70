"""One line that says how far a run is: in a notebook, or on a terminal; elsewhere there is none."""

from __future__ import annotations

import importlib
import logging
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from ..errors import UsageError
from ..session.living import living
from ..state.lines import counts, pace
from .engine import Engine
from .watch import Watch

log = logging.getLogger("spe.progress_line")
LOOK = 0.1  # seconds between looks for a run that has only just begun
Show = Callable[[str], None]


class ProgressLine:
    """The line of one run, for as long as the context lasts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._over = threading.Event()
        self._show = _place()
        self._thread = threading.Thread(target=self._follow, name="spe.progress", daemon=True)

    def __enter__(self) -> ProgressLine:
        if self._show is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._show is not None and not self._engine.is_alive:
            self._thread.join()
            self._show("\n")

    def _follow(self) -> None:
        while self._engine.is_alive and living(self._engine.runs) is None:
            if self._over.wait(LOOK):
                return
        try:
            Watch(self._engine.runs, self._changed).run()
        except UsageError as error:  # it has ended meanwhile, and says so itself
            log.debug("no line of progress: %s", error.line)

    def _changed(self, state: dict[str, Any], change: dict[str, Any]) -> None:
        if self._show is not None and not self._over.is_set():
            self._show(sentence(state))


def sentence(state: dict[str, Any]) -> str:
    """Return how far a run is: `12 of 40 sets done, 1 failed, 8 running, 19 waiting, ends in 4 min`."""
    return ", ".join(filter(None, [counts(state), pace(state, time.time())]))


def _place() -> Show | None:
    """Return what shows the line; None where nobody looks."""
    shell = _notebook()
    if shell is not None:
        return shell
    if sys.stderr.isatty():
        return _on_terminal
    return None


def _on_terminal(text: str) -> None:
    sys.stderr.write(text if text == "\n" else f"\r{text}\x1b[K")
    sys.stderr.flush()


def _notebook() -> Show | None:
    """Return what shows the line below a cell of a notebook; None elsewhere."""
    # Whoever runs in a notebook has loaded it; nobody else pays for it.
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    handle = importlib.import_module("IPython.display").display(
        {"text/plain": ""}, raw=True, display_id=True
    )

    def show(text: str) -> None:
        if text != "\n":
            handle.update({"text/plain": text}, raw=True)

    return show
