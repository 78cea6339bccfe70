"""All processes of the account get TERM, as at a shutdown, a walltime or a logout, and KILL a while later.

The programs are of four kinds: each, when it is told to end, writes half a result, and exits with 0, 1 or 143, or
outlives its child and goes on. None of that may count.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from lab import USER, Lab, LabHost
from waiting import wait_until

from .figures import Figures
from .kit import Drill, signal_to

LAB_HOSTS = 4
LONG = bool(os.environ.get("SPE_LONG"))
ROUNDS, LONGEST = (20, 60) if LONG else (3, 6)
pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(3600 if LONG else 900)]
KILL_AFTER = 5.0  # seconds, as init and batch engines have it
WORKER = """#!/bin/sh
echo "begin $1 $SPE_TICKET" >> "$LOG"
lie() {{ seq "$1" 3 > data; echo "a lie"; echo "told $2" >> "$LOG"; exit $3; }}
case $(($1 % 4)) in
  0) trap : TERM ;;
  1) trap "lie $1 $SPE_TICKET 0" TERM ;;
  2) trap "lie $1 $SPE_TICKET 1" TERM ;;
  3) trap "lie $1 $SPE_TICKET 143" TERM ;;
esac
sleep $((1 + ($1 * 7) % {longest})) & wait $! || lie $1 $SPE_TICKET 0
seq "$1" $(($1 + 500)) > data
sha256sum < data | cut -c 1-64
echo "end $1 $SPE_TICKET" >> "$LOG"
"""


class Ending(Drill):
    """A sweep of programs that lie when they are told to end."""

    def rewrite(self) -> None:
        super().rewrite()
        self.worker(WORKER.format(longest=LONGEST))

    last_client = 0  # the newest one when everything was told to end

    def newest_client(self) -> int:
        return int(self.query("SELECT max(CAST(id AS INTEGER)) FROM clients", "drill")[0][0])

    def hosts_done_since(self, client: int) -> int:
        """How many hosts have finished a set with a newer client than this."""
        newer = f"state = 'accepted' AND CAST(client AS INTEGER) > {client}"
        found = self.query(f"SELECT count(DISTINCT host) FROM tickets WHERE {newer}", "drill")
        return int(found[0][0]) if found else 0

    def tickets_of(self, word: str) -> set[int]:
        lines = [line.split() for line in self.logged()]
        return {int(words[-1]) for words in lines if words[0] == word}

    def states_of(self, tickets: Iterable[int]) -> dict[int, str]:
        rows = self.query("SELECT id, state FROM tickets", "drill")
        return {int(one): str(state) for one, state in rows if int(one) in tickets}


def everything(hosts: list[LabHost]) -> list[int]:
    return [process.pid for host in hosts for process in host.processes(user_only=True)]


def tell_all(host: LabHost, signal_name: str) -> None:
    """To all processes of the account in one moment, as the system does it at a shutdown."""
    account = ["--reuid", USER, "--regid", USER, "--clear-groups"]
    host.root("setpriv", *account, "sh", "-c", f"kill -{signal_name} -1", check=False)


def send(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            signal_to([pid], number)
        except ProcessLookupError:  # gone meanwhile
            continue


def test_nothing_that_is_told_to_end_is_accepted_failed_or_charged(figures: Figures, lab: Lab, tmp_path: Path) -> None:
    yaml = "ping: 0.3\ngrace: 20\nonce: true\nattempts: 1\n"
    sets = 400 if LONG else 120
    drill = Ending(tmp_path / "ending", figures, lab.hosts[:LAB_HOSTS], lab=lab, sets=sets, slots=4, yaml=yaml)
    try:
        play(drill, ROUNDS)
    finally:
        drill.close()


def end_everything(drill: Ending, known: set[int], at_once: bool) -> set[int]:
    """TERM, and KILL a while later; the tickets that TERM met."""
    # A host whose clients come and go without having finished anything is benched, and rightly so. Between its starts
    # are pauses of up to a minute, and a set takes up to another one.
    wait_until(
        lambda: drill.hosts_done_since(drill.last_client) == LAB_HOSTS, "each host has finished a set", 240, drill.story
    )
    wait_until(lambda: len(drill.at_work()) >= 8, "programs run")
    drill.last_client = drill.newest_client()
    before = drill.tickets_of("begin") - drill.tickets_of("end") - known
    assert "accepted" not in drill.states_of(before).values()
    for host in drill.hosts:
        tell_all(host, "TERM")
        if at_once:
            tell_all(host, "KILL")
    if not at_once:
        end = time.monotonic() + KILL_AFTER
        wait_until(lambda: not everything(drill.hosts) or time.monotonic() > end, "they end, or are killed")
    send(everything(drill.hosts), signal.SIGKILL)
    met = before - drill.tickets_of("end")
    wait_until(
        lambda: "issued" not in drill.states_of(met).values(),
        "what they had is known to be lost",
        story=lambda: f"{drill.states_of(met)}\n{drill.story()}",
    )
    assert set(drill.states_of(met).values()) <= {"lost"}, drill.states_of(met)
    return met


def play(drill: Ending, rounds: int) -> None:
    drill.start_run()
    met: set[int] = set()
    for number in range(rounds):
        met |= end_everything(drill, met, at_once=number == rounds // 2)
    drill.end(seconds=1500 if LONG else 400)  # what the rounds left of the sets
    assert met and drill.tickets_of("told"), "programs were met that lied"
    assert set(drill.states_of(met).values()) <= {"lost"}
    assert not drill.query("SELECT 1 FROM tickets WHERE state IN ('failed', 'rejected')", "drill"), drill.story()
    assert {row["attempts"] for row in drill.rows("drill")} == {"1"}
    drill.five_checks(f"TERM to everything on 4 hosts, KILL after 5 s ({len(met)} programs met)", rounds, compare=False)
