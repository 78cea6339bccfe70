"""Software faults that several hosts have: told once, with all of them, and not later than they must."""

from __future__ import annotations

import pytest
from spe.errors import Fault, LaunchError
from spe.fleet import same_faults
from spe.fleet.same_faults import SameFaults
from waiting import in_loop, wait_in_loop


def fault(words: str) -> LaunchError:
    return LaunchError(Fault.SOFTWARE, words, todo="Mend that.")


class Bench:
    def __init__(self) -> None:
        self.shown: list[str] = []
        self.settled = False
        self.faults = SameFaults(self.shown.append, lambda: self.settled)


@in_loop
async def test_hosts_with_the_same_fault_are_one_paragraph_once_no_host_is_awaited() -> None:
    bench = Bench()
    for host in ("h03", "h01"):
        bench.faults.note({host: fault("there is no apptainer")})
    bench.faults.note({"h02": fault("make failed")})
    bench.faults.look()
    assert bench.shown == []
    bench.settled = True
    bench.faults.look()
    assert bench.shown == [
        "h01, h03: software: there is no apptainer\n  Mend that.",
        "h02: software: make failed\n  Mend that.",
    ]


@in_loop
async def test_homes_with_other_paths_have_the_same_fault_and_the_words_are_those_of_one() -> None:
    bench = Bench()
    bench.faults.note({"h01": fault("make failed: /home/a/x: no space")})
    bench.faults.note({"h02": fault("make failed: /home/b/x: no space")})
    bench.faults.tell()
    [text] = bench.shown
    assert text.startswith("h01, h02: software: make failed: /home/a/x: no space (these are the words of h01; names")


@in_loop
async def test_a_fault_that_names_its_host_is_one_fault_and_another_program_that_lacks_is_another() -> None:
    bench = Bench()
    for host in ("h01", "h02"):
        bench.faults.note({host: fault(f"make failed: no cc on {host}")})
    bench.faults.note({"h03": fault("make failed: /usr/bin/gcc: not found")})
    bench.faults.note({"h04": fault("make failed: /usr/bin/ld: not found")})
    bench.faults.tell()
    assert [text.partition(":")[0] for text in bench.shown] == ["h01, h02", "h03", "h04"]


@in_loop
async def test_other_exit_codes_are_other_faults() -> None:
    bench = Bench()
    bench.faults.note({"h01": fault("make failed (exit code 2)")})
    bench.faults.note({"h02": fault("make failed (exit code 3)")})
    bench.faults.tell()
    assert len(bench.shown) == 2


@in_loop
async def test_a_fault_is_told_after_a_while_though_hosts_are_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_faults, "PATIENCE", 0.05)
    bench = Bench()
    bench.faults.note({"h01": fault("make failed")})
    await wait_in_loop(lambda: bool(bench.shown), "it is told")
    bench.faults.note({"h02": fault("make failed")})
    bench.faults.tell()
    assert bench.shown[1] == "h02: software: the same as on h01, see above"
