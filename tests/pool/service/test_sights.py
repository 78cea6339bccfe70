"""What watchers see, as cores that may be granted."""

from __future__ import annotations

import pytest
from spe.pool.rows import HostRow
from spe.pool.service.sights import Sights
from spe.pool.watch.seen import Seen

NOW = 1000.0


class Told:
    """Watchers that have told what the test says."""

    interval = 10.0

    def __init__(self) -> None:
        self.seen: dict[str, tuple[float, Seen]] = {}

    def unheard(self, name: str) -> str:
        return f"{name}: key refused" if name not in self.seen else ""

    def tell(self, host: str, load: float, now: float = NOW, boot: str = "") -> None:
        self.seen[host] = (now, Seen(boot or host, "linux-x86_64", 8, (load, load, load), accounts={"ada": 2.5}))


@pytest.fixture
def told() -> Told:
    return Told()


def cores(told: Told, now: float = NOW + 5, begun: int = 0, slots: int = 8) -> dict[str, int]:
    rows = {name: HostRow(name, slots, slots) for name in ("a", "b")}
    sights = Sights(told)
    for second in range(600):  # long enough for our own tasks to be all of our load
        sights.look(now - 600 + second, rows, {"a": begun}, {"a": begun})
    return {name: look.cores for name, look in sights.look(now, rows, {"a": begun}, {"a": begun}).items()}


def test_a_host_is_granted_as_many_cores_as_others_leave(told: Told) -> None:
    told.tell("a", 0.0)
    told.tell("b", 5.0)
    assert cores(told) == {"a": 8, "b": 3}


def test_the_load_of_our_own_tasks_takes_nothing(told: Told) -> None:
    told.tell("a", 6.0)
    assert cores(told, begun=6)["a"] == 8


def test_a_host_that_was_not_heard_is_granted_nothing_and_its_reason_is_told(told: Told) -> None:
    told.tell("a", 0.0, now=NOW - 60)
    assert cores(told) == {"a": 0, "b": 0}
    sights = Sights(told)
    assert sights.of("a").why == "it was not looked at yet"
    sights.look(NOW, {"b": HostRow("b", 8, 8)}, {}, {})
    assert sights.of("b").why == "b: key refused"


def test_of_two_names_of_one_machine_the_later_gets_nothing(told: Told) -> None:
    told.tell("a", 0.0, boot="same")
    told.tell("b", 0.0, boot="same")
    assert cores(told) == {"a": 8, "b": 0}


def test_what_accounts_use_is_told_by_host(told: Told) -> None:
    told.tell("a", 0.0)
    assert Sights(told).measured() == {("ada", "a"): 2.5}
