"""Which hosts are of one kind: those with the same platform, Python and home."""

from __future__ import annotations

from spe.doctor.diagnosis import judge
from spe.doctor.kinds import HostKind, kinds_of
from spe.doctor.sighting import Needs, Sighting
from spe.model import Host

PYTHON = "/usr/bin/python3 3.11.2"
ONE = frozenset({".a", ".b", ".c", ".d"})  # nonces of one home


def seen(
    name: str, home: frozenset[str] = frozenset(), python: str = PYTHON, platform: str = "linux-x86_64"
) -> Sighting:
    nonces = home or frozenset({f".{name}"})
    return Sighting(Host(name), platform=platform, python=python, nonce=f".{name}", seen=nonces)


def kinds(*sightings: Sighting, each: bool = False) -> list[HostKind]:
    return kinds_of(judge(sightings, Needs()), each)


def test_hosts_are_of_one_kind_when_platform_python_and_home_are_the_same() -> None:
    other = seen("c", ONE, "/opt/python3 3.9.1")
    strange = seen("d", ONE, platform="linux-aarch64")
    found = kinds(seen("a", ONE), seen("x"), seen("b", ONE), other, strange, seen("y"))
    assert [kind.hosts for kind in found] == [("a", "b"), ("x",), ("c",), ("d",), ("y",)]
    assert found[0].home == ("a", "b", "c", "d") and found[1].home == ()


def test_with_all_hosts_each_is_a_kind_and_its_home_is_told_all_the_same() -> None:
    found = kinds(seen("a", ONE), seen("b", ONE), each=True)
    assert [kind.hosts for kind in found] == [("a",), ("b",)]
    assert found[1].title == f"b (linux-x86_64, {PYTHON}, home shared with a)"


def test_hosts_that_did_not_answer_are_kinds_of_their_own() -> None:
    silent = [Sighting(Host(name), nonce=f".{name}") for name in ("p", "q")]
    assert [kind.title for kind in kinds(*silent)] == ["p", "q"]


def test_the_title_of_a_kind_names_its_hosts_and_what_they_have_in_common() -> None:
    shared, own = kinds(seen("a", ONE), seen("b", ONE), seen("x"))
    assert shared.title == f"a and b (linux-x86_64, {PYTHON}, one home)"
    assert own.title == f"x (linux-x86_64, {PYTHON})"
