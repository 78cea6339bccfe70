"""The round in which hosts describe their Pythons: who waits for whom, and what is told of missing wheels."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest
from spe.software.build import Build
from spe.software.host_python import HostPython
from spe.software.missing import NoWheels, paragraphs
from spe.software.roll_call import RollCall
from spe.software.venv import Wheels
from waiting import in_loop

NEW = HostPython("3.11.2", "linux-x86_64", "glibc", "2.36", "/usr/bin/python3", ())
OLD = replace(NEW, version="3.6.9", libc_version="2.17")
ARM = replace(NEW, platform="linux-aarch64")


def fault(python: HostPython, packages: dict[str, list[str]] | None = None, detail: str = "") -> NoWheels:
    why = "pip failed" if detail else f"no wheel of {', '.join(packages or {})}"
    return NoWheels("venv: r.txt", why, python.shown, packages, "Name another version.", detail)


class FewWheels:
    """Wheels for one Python only, as fast as the test lets it."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked: list[str] = []
        self._had: set[str] = set()

    def key(self, python: HostPython) -> str:
        return python.shown

    def has(self, python: HostPython) -> bool:
        return python.shown in self._had

    async def build(self, python: HostPython) -> Build:
        self.asked.append(python.shown)
        await self.gate.wait()
        if python != NEW:
            raise fault(python, {"tool==2": ["1.0", "0.9"]})
        self._had.add(python.shown)
        return Build("venv", "venv: r.txt", ())


class Bench:
    """A roll call of three hosts that are expected."""

    def __init__(self, expected: Sequence[str] = ("a", "b", "c")) -> None:
        self.wheels, self.told = FewWheels(), list[str]()
        self.call = RollCall(cast(Wheels, self.wheels), self.told.append)
        self.expected = set(expected)
        self.call.expected = lambda: self.expected
        self.call.hosts = lambda: {"a", "b", "c"}
        self.call.patience = 60.0

    def ask(self, host: str, python: HostPython) -> asyncio.Task[Build]:
        return asyncio.create_task(self.call.build(host, python))


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0.01)


@in_loop
async def test_the_first_host_waits_for_the_others_and_all_missing_wheels_are_told_before_its_answer() -> None:
    bench = Bench()
    a = bench.ask("a", NEW)
    b = bench.ask("b", OLD)
    await turns()
    assert not a.done() and not bench.wheels.asked
    c = bench.ask("c", OLD)
    await a
    assert len(bench.told) == 1
    assert bench.told[0].startswith("b, c: software: venv: r.txt: no wheel of tool==2 for linux-x86_64 (glibc 2.17)")
    for late in (b, c):
        with pytest.raises(NoWheels):
            await late


@in_loop
async def test_a_host_that_failed_to_start_is_not_waited_for() -> None:
    bench = Bench()
    a = bench.ask("a", NEW)
    await turns()
    bench.expected = {"a"}
    await a


@in_loop
async def test_a_host_that_hangs_is_waited_for_only_so_long() -> None:
    bench = Bench()
    bench.call.patience = 0.05
    await bench.ask("a", NEW)
    assert bench.expected == {"a", "b", "c"}


@in_loop
async def test_a_host_that_comes_later_is_told_when_it_comes_and_does_not_wait_for_one_that_hangs() -> None:
    bench = Bench()
    bench.call.patience = bench.call.late = 0.05
    await bench.ask("a", NEW)
    bench.call.late = 0.05
    with pytest.raises(NoWheels):
        await bench.ask("b", OLD)
    assert [text.partition(":")[0] for text in bench.told] == ["b"]
    bench.call.late = 60.0
    await bench.ask("d", NEW)  # its wheels are there


@in_loop
async def test_a_client_that_hangs_up_and_asks_again_is_still_in_its_round() -> None:
    bench = Bench(["a", "b"])
    bench.wheels.gate.clear()
    first = bench.ask("b", OLD)
    a = bench.ask("a", NEW)
    await turns()
    first.cancel()
    again = bench.ask("b", OLD)
    await turns()
    assert not again.done() and not bench.told
    bench.wheels.gate.set()
    with pytest.raises(NoWheels):
        await again
    await a
    assert len(bench.told) == 1


@in_loop
async def test_the_fault_of_a_client_is_known_as_told_once() -> None:
    bench = Bench(["b"])
    with pytest.raises(NoWheels) as caught:
        await bench.ask("b", OLD)
    assert not bench.call.was_told("a", caught.value.line)
    assert bench.call.was_told("b", caught.value.line)
    assert not bench.call.was_told("b", caught.value.line), "the next start of the host is told anew"


def test_a_package_that_one_kind_of_python_lacks_is_named_with_its_hosts_and_its_versions() -> None:
    lacking = fault(OLD, {"tool==2": ["0.9", "0.8", "0.7", "0.6", "0.5"]})
    [text] = paragraphs({"h3": lacking, "h1": lacking}, {"h4": NEW.shown, "h1": OLD.shown}, all_out=False)
    assert text.splitlines() == [
        "h1, h3: software: venv: r.txt: no wheel of tool==2 for linux-x86_64 (glibc 2.17), Python 3.6",
        "  tool==2: there is a wheel of 0.9, 0.8, 0.7, 0.6 and older ones",
        "  All have wheels for linux-x86_64 (glibc 2.36), Python 3.11 (h4).",
        "  These hosts get no task; the others go on.",
        "  Name another version.",
    ]


def test_packages_that_several_kinds_of_python_lack_are_one_paragraph_with_the_hosts_of_each() -> None:
    old = fault(OLD, {"tool==2": ["0.9"], "part": []})
    missing = {"h3": old, "h1": old, "h2": fault(ARM, {"tool==2": []})}
    [text] = paragraphs(missing, {"h1": OLD.shown}, all_out=True)
    assert text.splitlines() == [
        "h1, h2, h3: software: venv: r.txt: no wheel of tool==2, part for linux-x86_64 (glibc 2.17), Python 3.6 "
        "(h1, h3); for linux-aarch64 (glibc 2.36), Python 3.11 (h2)",
        "  tool==2: there is a wheel of 0.9 (h1, h3); no version has a wheel (h2)",
        "  part: no version has a wheel (h1, h3)",
        "  No host of this run is left.",
        "  Name another version.",
    ]


def test_another_fault_of_pip_is_one_paragraph_for_all_kinds_of_python() -> None:
    missing = {"h1": fault(OLD, detail="no route"), "h2": fault(ARM, detail="no route")}
    [text] = paragraphs(missing, {}, all_out=True)
    assert text.count("pip failed") == 1
    assert "Python 3.6 (h1); for linux-aarch64" in text
    assert text.splitlines()[0].endswith(" (h2): no route"), "the reason is not glued to the Python"


@in_loop
async def test_clients_that_are_started_by_hand_are_not_all_hosts_of_the_run() -> None:
    bench = Bench([])
    bench.call.hosts = set
    with pytest.raises(NoWheels):
        await bench.ask("b", OLD)
    assert "the others go on" in bench.told[0]
