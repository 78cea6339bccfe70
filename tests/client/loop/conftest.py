"""The parts of a loop, for one test."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from spe.client.hand.wakeup import ENDS

from .kit import Parts


@pytest.fixture
def make_parts(tmp_path: Path) -> Iterator[Callable[..., Parts]]:
    made: list[Parts] = []

    def make(*slots: int, **what: Any) -> Parts:
        made.append(Parts(tmp_path, slots or (2,), **what))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def parts(make_parts: Callable[..., Parts]) -> Parts:
    """The parts of a loop with one hand of two slots."""
    return make_parts(2)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Bring back the handlers of signals that pytest has."""
    numbers = [signal.SIGCHLD, *ENDS]
    before = [signal.getsignal(number) for number in numbers]
    wakeup = signal.set_wakeup_fd(-1)
    yield
    signal.set_wakeup_fd(wakeup)
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
