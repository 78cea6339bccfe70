"""How the master notices that it was suspended, by two clocks."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from spe.desk.events import Events
from spe.dispatch.losses import Naps
from spe.fleet.waking import STOPPED, Waking


@dataclass
class Night:
    """A master whose clocks are turned by hand: `awake` stands still while the machine sleeps."""

    awake: float = 100.0
    always: float = 5000.0
    naps: Naps = field(default_factory=Naps)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        tell = self.said.append
        self.waking = Waking(self.naps, Events(), tell, 60.0, lambda: self.awake, lambda: self.always)

    def work(self, seconds: float) -> None:
        self.awake += seconds
        self.always += seconds


def test_a_sleep_is_noticed_although_the_clock_of_the_desk_stood_still() -> None:
    night = Night()
    night.work(1.0)
    night.waking.look()
    night.always += 75.0
    night.waking.look()
    assert night.naps.heard_again == night.awake
    assert night.said == [
        "this machine slept for 75 s (or the master was stopped); clients have ended as `grace:` says (60 s), "
        "and are started again"
    ]


@pytest.mark.parametrize(("seconds", "noted", "lines"), [(STOPPED, False, 0), (STOPPED + 1, True, 0), (61.0, True, 1)])
def test_a_sleep_that_ends_no_client_is_noted_and_not_told(seconds: float, noted: bool, lines: int) -> None:
    night = Night()
    night.work(seconds)
    night.waking.look()
    assert (night.naps.heard_again > 0, len(night.said)) == (noted, lines)

