"""Random weeks in memory: pretend clients that are late, doubled, lost or killed, masters that die, and the oracle.

About 10,000 steps a run of the suite. What a failure prints tells its week; with SPE_WEEKS_SHRINK=1 it is shrunk first.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from .acts import EDITS, POOL, first_plan
from .model import FRESH, KEEP, MISSING, PLAIN, RETRY, Oracle, Run
from .office import Asked, Held, Master, Office, SpeError
from .plan import Plan, changes, told

STEPS_EACH, WEEKS, PARTS = 100, 100, 4  # about 10,000 steps
MOST_CLIENTS = 4
SHM = Path("/dev/shm")
# Shrinking a failure may take minutes: what it prints tells the story of the week without it.
PHASES = [Phase.explicit, Phase.generate, *([Phase.shrink] if os.environ.get("SPE_WEEKS_SHRINK") else [])]
T = TypeVar("T")
BACK, WORLD = "back", "world"
seeds = st.integers(0, 10**6)
WITHOUT = frozenset(filter(None, os.environ.get("SPE_WEEKS_WITHOUT", "").split(",")))
MODES = [PLAIN, PLAIN, *(mode for mode in (KEEP, FRESH, RETRY, MISSING) if mode.strip("-") not in WITHOUT)]
OFTEN = ("program", "program", "module", "results", BACK)  # oftener than others
edits = st.sampled_from([name for name in (*sorted(EDITS), BACK, WORLD, *OFTEN) if name not in WITHOUT])


def without_regex(plan: Plan) -> Plan:
    """A regex is looked for in a process of its own, which would be started anew for each master."""
    results = {name: one for name, one in plan.results.items() if not one.regex}
    return replace(plan, results=results or {"all": POOL["all"]})


class Weeks(RuleBasedStateMachine):
    """A user, clients, and masters that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="weeks", dir=SHM if SHM.is_dir() else None))
        self.loop = asyncio.new_event_loop()
        self.office, self.oracle = Office(self.root), Oracle()
        self.master: Master | None = None
        self.run_now: Run | None = None
        self.clients: list[str] = []
        self.held: list[Held] = []
        self.accepted: dict[int, str] = {}  # in this run: set -> what its program was told
        self.broken: frozenset[str] = frozenset()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(seed=seeds)
    def begin_week(self, seed: int) -> None:
        self.plan = without_regex(first_plan(Random(seed)))
        note(f"# {told(self.plan)}")
        self.earlier = [self.plan]
        self.shown = self.plan  # whose results the table has
        self.office.write(self.plan)

    # -- between runs

    def _edit(self, name: str, seed: int) -> None:
        dice = Random(seed)
        if name == BACK:
            self._change(dice.choice(self.earlier))
        elif name == WORLD:
            numbers = sorted({one.number for one in self.plan.sets()})
            self.broken = frozenset(dice.sample(numbers, seed % 2))
        else:
            self._change(without_regex(EDITS[name](self.plan, dice)))

    def _change(self, plan: Plan) -> None:
        if plan != self.plan:
            note(f"# {changes(self.plan, plan)}")
            self.plan = plan
            self.earlier.append(plan)
            self.office.write(plan)

    @precondition(lambda self: self.master is None)
    @rule(
        edits=st.lists(st.tuples(edits, seeds), max_size=3), mode=st.sampled_from(MODES), visitors=st.booleans()
    )  # fmt: skip
    def start(self, edits: list[tuple[str, int]], mode: str, visitors: bool) -> None:
        """After some edits. A question is answered with --keep. Visitors: old clients, before anybody else."""
        for name, seed in edits:
            self._edit(name, seed)
        self._start(mode, None)
        if self.master is None:
            self._start(KEEP, None)
        while visitors and self.master and self._old():
            self.a_client_of_before_slips_in(0)

    @precondition(lambda self: self.master is None and self.oracle.failed_numbers(self.plan))
    @rule(seed=seeds)
    def retry_one(self, seed: int) -> None:
        self._start(RETRY, Random(seed).choice(self.oracle.failed_numbers(self.plan)))

    def _start(self, mode: str, number: int | None) -> None:
        run = Run(self.plan, mode, number, False, False, self.broken)
        master = Master(self.office, self.plan, self.broken)
        try:
            self.do(master.begin(mode, number))
        except Asked as asked:
            seen = self.office.seen(2, self.shown, tables=False) if self.oracle.begun else None
            assert seen is not None, f"asked before anything has run: {asked}"
            seen.words = f"{asked} --keep --fresh"
            note(f"# asked: {mode or 'plain'}")
            self.oracle.check_asked(run, seen)
            return
        note(f"# begun: {mode or 'plain'} {number or ''}, the world is broken for {sorted(self.broken)}")
        self.master, self.run_now, self.shown = master, run, self.plan
        self.accepted = {}
        if not master.session.resumed:  # nobody of before is let in
            self.clients = []
        self._come()

    # -- clients

    def _come(self) -> None:
        assert self.master
        self.clients.append(self.do(self.master.register(f"host{len(self.clients)}")))

    @precondition(lambda self: self.master is not None and len(self.master.dispatch.clients) < MOST_CLIENTS)
    @rule()
    def a_client_comes(self) -> None:
        self._come()

    @precondition(lambda self: self.master is not None)
    @rule(client=seeds, count=st.integers(1, 3))
    def a_client_takes(self, client: int, count: int) -> None:
        assert self.master
        self.held += self.do(self.master.take(self.clients[client % len(self.clients)], count))

    @precondition(lambda self: self.master is not None)
    @rule(times=st.integers(1, 4))
    def clients_work(self, times: int) -> None:
        """Set after set, with nothing in between."""
        assert self.master
        for _ in range(times):
            for one in self.do(self.master.take(self.clients[-1], 1)):
                self._report(one)

    @precondition(lambda self: self.master is not None and self.held)
    @rule(which=seeds, again=st.booleans())
    def a_client_reports(self, which: int, again: bool) -> None:
        held = self.held[which % len(self.held)]
        if not again:
            self.held.remove(held)
        self._report(held)

    @precondition(lambda self: self.master is not None and self.held)
    @rule(which=seeds)
    def a_client_reports_twice_at_once(self, which: int) -> None:
        held = self.held.pop(which % len(self.held))
        assert self.master
        master = self.master

        async def both() -> list[str]:
            return list(await asyncio.gather(master.report(held), master.report(held)))

        for answer in self.do(both()):
            self._heard(held, answer)

    @precondition(lambda self: self.master is not None and self._old())
    @rule(which=seeds)
    def a_client_of_before_slips_in(self, which: int) -> None:
        """The door would not let it in; what it brings counts for its own set and program, or for none."""
        assert self.master
        held = self._old()[which % len(self._old())]
        self.held.remove(held)
        answer = self.do(self.master.slip_in(held))
        note(f"# {held} slips in: {answer}")
        self._heard(held, answer)

    def _old(self) -> list[Held]:
        assert self.master
        return [one for one in self.held if one.session != self.master.session.secrets.session]

    def _report(self, held: Held) -> None:
        assert self.master
        self._heard(held, self.do(self.master.report(held)))

    def _heard(self, held: Held, answer: str) -> None:
        if answer == "accepted":
            before = self.accepted.setdefault(held.number, held.told)
            assert before == held.told, f"set {held.number} was accepted twice: {before} and {held.told}"

    @precondition(lambda self: self.master is not None and self.held)
    @rule(which=seeds)
    def a_client_gives_back(self, which: int) -> None:
        assert self.master
        held = self.held.pop(which % len(self.held))
        self.do(self.master.desk.give_back(held.client, [held.ticket]))

    @precondition(lambda self: self.master is not None and self.held)
    @rule(which=seeds)
    def a_client_pings(self, which: int) -> None:
        assert self.master
        held = self.held[which % len(self.held)]
        if held.session == self.master.session.secrets.session:
            expired = self.do(self.master.desk.ping(held.client, [held.ticket], 0))
            self.held = [one for one in self.held if one.ticket not in expired or one.client != held.client]

    @precondition(lambda self: self.master is not None and self.master.killed < 2)
    @rule(which=seeds)
    def a_client_is_killed(self, which: int) -> None:
        """Its programs are gone, too; it says so, or another one in its name."""
        assert self.master
        self.master.killed += 1
        client = self.clients[which % len(self.clients)]
        self.do(self.master.desk.bye(client, killed=True))
        self.clients.remove(client)
        self.held = [one for one in self.held if one.client != client]
        self._come()

    @precondition(lambda self: self.master is not None and self.master.killed < 2)
    @rule(which=seeds)
    def clients_are_silent(self, which: int) -> None:
        """For longer than a lease; what they bring afterwards is late."""
        assert self.master
        self.master.killed += 1
        self.master.shift += 200
        self.do(self.master.desk.tick())
        self._come()

    @precondition(lambda self: self.master is not None)
    @rule()
    def a_moment_passes(self) -> None:
        assert self.master
        self.master.shift += 2
        self.do(self.master.desk.tick())

    # -- people

    @precondition(lambda self: self.master is not None)
    @rule(which=seeds)
    def somebody_cancels(self, which: int) -> None:
        assert self.master
        number = which % max(1, len(self.oracle.numbers)) + 1
        if number in self.accepted or self.master.dispatch.board.draining:
            return
        try:
            said = self.do(self.master.acts.cancel([number]))
        except SpeError:
            return
        if "neither" not in said:
            self.master.cancelled.add(number)

    @precondition(lambda self: self.master is not None)
    @rule(now=st.booleans())
    def somebody_stops(self, now: bool) -> None:
        assert self.master
        self.do(self.master.desk.stop() if now else self.master.desk.drain())

    # -- the end of a run

    @precondition(lambda self: self.master is not None)
    @rule(report=st.booleans(), which=seeds, turns=st.integers(0, 6))
    def the_master_is_killed(self, report: bool, which: int, turns: int) -> None:
        """Perhaps while a result is on its way, which is or is not on disk then."""
        assert self.master
        master = self.master
        held = self.held[which % len(self.held)] if report and self.held else None

        async def killed() -> None:
            pending = asyncio.ensure_future(master.report(held)) if held else None
            for _ in range(turns):
                await asyncio.sleep(0)
            if pending:
                pending.cancel()
                await asyncio.gather(pending, return_exceptions=True)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await master.die()

        self.do(killed())
        self._check(None, complete=False)

    @precondition(lambda self: self.master is not None)
    @rule(late=st.integers(0, 3))
    def the_run_comes_to_its_end(self, late: int) -> None:
        """Clients work until nothing is left; after `spe stop` until those that run have ended. Some say nothing more,
        and bring what they have when nobody expects it."""
        assert self.master
        silent = self.held[:late]
        dispatch = self.master.dispatch
        ours = self.master.session.secrets.session
        for _ in range(200):
            if dispatch.board.over:
                break
            mine = [one for one in self.held if one.session == ours and one not in silent]
            self.held = [one for one in self.held if one not in mine]
            for one in mine:
                self._report(one)
            self._come()
            self.held += self.do(self.master.take(self.clients[-1], 4))
            if not any(one.session == ours and one not in silent for one in self.held):
                self.master.shift += 200  # those that hold something never say a word again
                self.do(self.master.desk.tick())
        assert dispatch.board.over, "the run does not come to its end"
        complete = not dispatch.board.draining
        self.do(self.master.end())
        self._check(self._code(), complete)

    def _code(self) -> int:
        seen = self.office.seen(0, self.plan, tables=False)
        self.office.starts = list(seen.starts)
        complete = seen.counts["done"] == seen.counts["total"] and not seen.counts["missing"]
        return 0 if complete else 1

    def _check(self, code: int | None, complete: bool) -> None:
        assert self.master and self.run_now
        run = replace(
            self.run_now, complete=complete, cancelled=frozenset(self.master.cancelled), lossy=True,
            slipped=frozenset(self.master.slipped),
        )  # fmt: skip
        seen = self.office.seen(code, self.plan, tables=code is not None)
        if not complete and code is not None:
            seen.code = 130 if seen.counts["waiting"] + seen.counts["running"] else code
        self.master = None
        note(f"# ended: {seen.code}, {seen.counts}, rows {[one['number'] for one in seen.rows]}")
        self.oracle.check(run, seen)

    def teardown(self) -> None:
        if self.master:
            self.do(self.master.die())
        self.loop.close()
        shutil.rmtree(self.root, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_all_rows_are_true_after_each_run_in_memory(part: int) -> None:
    """Each part begins anew, from seeds of its own."""
    run_state_machine_as_test(
        Weeks,
        settings=settings(
            max_examples=WEEKS // PARTS, stateful_step_count=STEPS_EACH, deadline=None, print_blob=True, database=None,
            phases=PHASES, suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
