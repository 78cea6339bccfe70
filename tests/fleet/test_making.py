"""What a run shows while hosts make the software of a sweep."""

from __future__ import annotations

from types import SimpleNamespace as Thing
from typing import Any

from spe.fleet.making import Making
from spe.software.software import Made

NEW, OLD = "linux-x86_64 (glibc 2.36), Python 3.11", "linux-x86_64 (glibc 2.17), Python 3.6"


def making(made: dict[str, Made], faults: tuple[str, ...] = (), ready: tuple[str, ...] = ()) -> Making:
    """Four hosts, of which some are told to make something."""
    clients = {host: Thing(id=host, host=host, state=Thing(has_asked=host in ready, is_gone=False)) for host in made}
    software: Any = Thing(
        making={host: (one,) for host, one in made.items()}, stage="", hosts={"a", "b", "c", "d"}, without=set(),
        failed={}, unfinished=set(),
    )
    desk: Any = Thing(dispatch=Thing(clients=clients))
    fleet: Any = Thing(faults=dict.fromkeys(faults), awaited=set)
    progress: Any = Thing(step=lambda line: None, activity=None)
    found = Making(software, desk, fleet, progress)
    found.update()
    return found


def test_environments_for_several_pythons_are_told_apart() -> None:
    shown = making({"a": Made("venv: r.txt", 54_000_000, NEW), "b": Made("venv: r.txt", 53_000_000, OLD)}).text()
    assert shown.startswith(f"setting up venv: r.txt for {NEW} (54 MB), venv: r.txt for {OLD} (53 MB): ready")


def test_an_environment_for_one_python_is_told_without_it() -> None:
    one = Made("venv: r.txt", 54_000_000, NEW)
    assert making({"a": one, "b": one}).text() == "setting up venv: r.txt (54 MB): ready on 0 of 4 hosts"


def test_a_host_with_a_fault_is_not_one_that_may_be_ready() -> None:
    one = Made("venv: r.txt", 54_000_000, NEW)
    assert making({"a": one, "b": one}, faults=("c", "d")).text().endswith("ready on 0 of 2 hosts")
    assert making({"a": one, "b": one}, faults=("b", "c"), ready=("b",)).text().endswith("ready on 1 of 3 hosts")
