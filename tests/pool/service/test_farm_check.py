"""What `spe farm check` finds in what the farm sees of itself and of its hosts."""

from __future__ import annotations

from typing import Any

import pytest
from spe.cli.farm_check import _of_farm, _of_hosts
from spe.cli.farm_status import registry_state

WELL = {"heard": 2.0, "unheard": "", "boot": "b1", "sees_others": True, "others": 0.2, "cores": 8, "reason": ""}


def host(name: str, **what: Any) -> dict[str, Any]:
    return {"name": name, **WELL, "boot": name, **what}


def test_a_host_that_is_well_is_not_named() -> None:
    assert list(_of_hosts([host("lab01"), host("lab02")])) == []


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ({"unheard": "key refused"}, "key refused"),
        ({"boot": "lab00"}, "it is the same machine as lab00"),
        ({"sees_others": False}, "hidepid"),
        ({"others": 3.2}, "others have a load of 3.2 there, on 8 cores"),
    ],
)
def test_what_is_wrong_with_a_host_is_said_with_its_name(what: dict[str, Any], wanted: str) -> None:
    found = list(_of_hosts([host("lab00"), host("lab01", **what)]))
    assert [(where, wanted in fault) for where, fault, _ in found] == [("lab01", True)]


def test_a_host_that_was_never_heard_says_why() -> None:
    found = list(_of_hosts([{"name": "lab01", "reason": "name not found"}]))
    assert found == [("lab01", "name not found", "ssh lab01")]


@pytest.mark.parametrize(
    ("silence", "deals", "wanted"),
    [("", True, "well"), ("server closed (for 3 s)", True, "it cannot be written: server closed (for 3 s)"),
     ("", False, "the farm has lost its lead and deals nothing")],
)  # fmt: skip
def test_the_registry_is_well_or_says_why_not(silence: str, deals: bool, wanted: str) -> None:
    found = {"silence": silence, "deals": deals, "files": ["hosts.txt:3: no"]}
    assert registry_state(found) == wanted
    faults = [("registry", wanted)] if wanted != "well" else []
    assert [(where, fault) for where, fault, _ in _of_farm(found)] == [*faults, ("files", "hosts.txt:3: no")]
