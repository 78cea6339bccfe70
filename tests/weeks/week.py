"""One week: acts and runs in a random order from a seed, played on a real project, and after each run the oracle."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from cli.kit import Done, Started

from .acts import EDITS, POOL, first_plan
from .model import FRESH, KEEP, MISSING, PLAIN, RETRY, Broken, Oracle, Run
from .plan import Plan, Program, changes, told
from .project import Project

BACK, WORLD, RENAME, COPY = "back", "world", "rename_folder", "copy_folder"
MEANWHILE = ("command", "env", "text", "results", "attempts", "insert", "remove", "reorder_rows")  # no file of a task
HOWS = (
    "ctrl_c", "ctrl_c_twice", "stop", "stop_now", "kill_master", "kill_client", "cancel", "cancel_retry",
    "edit_meanwhile",
)  # fmt: skip
OFTEN = {"results": 4, "program": 3, "insert": 2, "command": 2, BACK: 3, RENAME: 2}  # others: once
MODES = {"keep": KEEP, "fresh": FRESH, "missing": MISSING, "retry": RETRY, "retry_number": RETRY}
ACTS = (*EDITS, BACK, WORLD, RENAME, COPY)
ALL = (*ACTS, *HOWS, *MODES)  # what can be switched off
PLAINLY, LAST = "plainly", "last"  # how a run is done: nobody interrupts it; the one that ends the week
RUNS, EDITS_EACH = 5, (2, 3)
CLIENT_KILLS = 2  # a set that loses three hosts is taken for their killer


@dataclass(frozen=True)
class Act:
    """One thing that is done; `seed` decides all about it, so that a week without some of its acts can be played."""

    name: str  # of ACTS, or "run"
    seed: int
    how: str = ""  # of a run

    def __str__(self) -> str:
        return f"{self.name}{':' + self.how if self.how else ''}:{self.seed}"

    @classmethod
    def read(cls, text: str) -> Act:
        name, *how, seed = text.split(":")
        return cls(name, int(seed), how[0] if how else "")


def week(seed: int, without: frozenset[str] = frozenset()) -> list[Act]:
    """The acts of a week: at least ten, with at least three runs."""
    dice = Random(seed)
    acts = [name for name in ACTS if name not in without for _ in range(OFTEN.get(name, 1))]
    hows = [PLAINLY, PLAINLY, PLAINLY, *(how for how in HOWS if how not in without)]
    made: list[Act] = []
    kills = 0
    for number in range(RUNS):
        if number:
            made += [Act(dice.choice(acts), dice.randrange(10**6)) for _ in range(dice.randint(*EDITS_EACH))]
        how = dice.choice(hows)
        kills += how == "kill_client"
        if kills > CLIENT_KILLS:
            how = PLAINLY
        made.append(Act("run", dice.randrange(10**6), how))
    return [*made, Act("run", 0, LAST)]


class Week:
    """A project and its oracle, and what has been done."""

    def __init__(self, root: Path, seed: int, without: frozenset[str] = frozenset()) -> None:
        self.project, self.oracle, self.without = Project(root), Oracle(), without
        self.plan = first_plan(Random(seed))
        self.earlier = [self.plan]
        self.broken: frozenset[str] = frozenset()
        self.late = False  # a killed master's programs wait at the gate for the next run
        self.acts = self.runs = self.disturbed = 0
        self.story: list[str] = [f"begin: {told(self.plan)}"]

    def play(self, acts: Sequence[Act]) -> None:
        """All of it; raises Broken with the story until then."""
        try:
            self.project.open_gate()
            self.project.write(self.plan)
            for act in acts:
                begun = time.monotonic()
                self._do(act)
                if os.environ.get("SPE_WEEKS_TIMES"):
                    print(f"{time.monotonic() - begun:6.2f} s  {act}", flush=True)
        except AssertionError as fault:
            story = "\n".join(f"  {line}" for line in self.story)
            raise Broken(f"{fault}\n\nwhat was done:\n{story}\nfolder: {self.project.bench.folder}") from fault

    def _do(self, act: Act) -> None:
        dice = Random(act.seed)
        self.acts += 1
        if act.name == "run":
            (self._last if act.how == LAST else self._run)(dice, act.how)
            return
        before = self.plan
        if act.name in EDITS:
            self.plan = EDITS[act.name](self.plan, dice)
        elif act.name == BACK:
            self.plan = dice.choice(self.earlier)
        elif act.name == WORLD:
            numbers = sorted({one.number for one in self.plan.sets()})
            self.broken = frozenset(dice.sample(numbers, dice.choice([0, 1])))
            self.project.break_for(self.broken)
        elif act.name == RENAME:
            self.project.rename_folder()
        else:
            self.project.copy_folder()
        if self.plan != before:
            self.earlier.append(self.plan)
            self.project.write(self.plan)
        self.story.append(f"{act}  {self._changed(before, act)}")

    def _changed(self, before: Plan, act: Act) -> str:
        if act.name == WORLD:
            return f"programs fail for {sorted(self.broken)}"
        return changes(before, self.plan)

    def figures(self, seed: int) -> str:
        """What the week was, for the summary."""
        counted = {"seed": seed, "acts": self.acts, "runs": self.runs, "disturbed": self.disturbed}
        counted |= {"sets": len(self.oracle.numbers), "programs started": self.project.started}
        return json.dumps(counted)

    # -- runs

    def _run(self, dice: Random, how: str) -> None:
        modes = list(self._modes(dice))
        for mode, number in modes:
            if self._one(dice, how, mode, number):
                return

    def _modes(self, dice: Random) -> Iterator[tuple[str, int | None]]:
        """How it is run; where a question is expected, mostly with its answer, and in the end with it."""
        failed = self.oracle.failed_numbers(self.plan)
        choice = [name for name in MODES if name not in self.without]
        mode = dice.choice([PLAIN, PLAIN, PLAIN, *choice])
        if mode == "missing" and not self.oracle.has_gaps(self.plan):
            mode = PLAIN
        if mode.startswith("retry") and not failed:
            mode = PLAIN
        if mode == "retry_number":
            yield RETRY, dice.choice(failed)
        else:
            yield MODES.get(mode, PLAIN), None
        answers = [MODES[name] for name in ("keep", "fresh") if name in choice]
        yield dice.choice(answers or [FRESH]), None  # after an exit with 2

    def _one(self, dice: Random, how: str, mode: str, number: int | None) -> bool:
        """Whether it ran; False: it only asked."""
        self.runs += 1
        work = self.oracle.work(self.plan, mode)
        tokens = dice.randint(0, max(0, work - 1))
        ended = self.project.ended()
        self.story.append(f"run {mode or 'plain'} {'' if number is None else number}: {how}, {tokens} may end")
        if self.late or not work:
            how = PLAINLY  # late: its surprise is what the old client brings
        if how != PLAINLY:
            self.project.close_gate(tokens)
        elif not self.late:
            self.project.open_gate()
        strict = how == PLAINLY and not self.late
        running = self.project.start(*self._words(mode, number))
        if self.late:
            self.project.until_begun(running)
        if how == PLAINLY or not self.project.until_held(running, tokens, ended):
            self.project.open_gate()
            done = running.end(180)
            return self._check(Run(self.plan, mode, number, True, strict, self.broken), done)
        return self._disturbed(dice, how, running, mode, number)

    @staticmethod
    def _words(mode: str, number: int | None) -> tuple[str, ...]:
        words = [mode, "--json"] if mode == RETRY else ["run", "--json", *filter(None, [mode])]
        return (*words, *([] if number is None else [str(number)]))

    def _disturbed(self, dice: Random, how: str, running: Started, mode: str, number: int | None) -> bool:
        """Programs wait at the gate now."""
        project, cancelled = self.project, frozenset[int]()
        self.disturbed += 1
        if how == "kill_master":
            project.kill_master(running)
            self.late = dice.random() < 0.5
            if not self.late:
                project.open_gate()
            return self._check(Run(self.plan, mode, number, False, False, self.broken), Done(-9, "", ""))
        if how == "kill_client":
            os.kill(project.client(), signal.SIGKILL)
        elif how.startswith("cancel"):
            goes_on = len(set(project.out())) > 1  # another one holds the run up meanwhile
            cancelled = self._cancelled(dice)
            if how == "cancel_retry" and cancelled and goes_on:
                project.spe("retry", *map(str, cancelled))
                cancelled = frozenset()
        elif how == "edit_meanwhile":
            return self._edited_meanwhile(dice, running, mode, number)
        elif how.startswith("ctrl_c"):
            project.interrupt(running)
            if how == "ctrl_c_twice":
                project.interrupt(running)
        else:
            project.spe("stop", *(["--now"] if how == "stop_now" else []))
        if how not in ("stop_now", "ctrl_c_twice"):
            project.open_gate()
        done = running.end(180)
        project.open_gate()
        complete = how in ("kill_client", "cancel", "cancel_retry")
        return self._check(Run(self.plan, mode, number, complete, False, self.broken, cancelled), done)

    def _cancelled(self, dice: Random) -> frozenset[int]:
        """One of those that run, or lie ready; it is cancelled."""
        chosen = dice.choice(self.project.out() or [1])
        said = self.project.spe("cancel", str(chosen))
        self.story.append(f"  cancel {chosen}: {said.err.strip()}")
        return frozenset({chosen} if said.code == 0 and "neither" not in said.err else ())

    def _edited_meanwhile(self, dice: Random, running: Started, mode: str, number: int | None) -> bool:
        """What is edited while it runs counts for the next run."""
        before, name = self.plan, dice.choice([name for name in MEANWHILE if name not in self.without] or ["attempts"])
        edited = EDITS[name](before, dice)
        self.story.append(f"  meanwhile {name}: {changes(before, edited)}")
        self.project.write(edited)
        self.project.open_gate()
        ran = self._check(Run(before, mode, number, True, False, self.broken), running.end(180))
        self.plan = edited
        if edited != before:
            self.earlier.append(edited)
        return ran

    def _check(self, run: Run, done: Done) -> bool:
        code = None if done.code == -9 else done.code
        self.story.append(f"  exit code {done.code}")
        seen = self.project.seen(code, done, run.plan)
        if code == 2:
            self.oracle.check_asked(run, seen)
            return False
        self.late = self.late and code is None
        self.oracle.check(run, seen)
        return True

    # -- the end of the week

    def _last(self, dice: Random, how: str) -> None:
        """The world is mended, the program repaired, limits are gone: all sets are done in the end."""
        self.broken = frozenset()
        self.project.break_for(self.broken)
        program = self.plan.program
        if program.fails:
            program = Program(program.main + 1, program.helper)
        free = {name: one for name, one in self.plan.results.items() if one.least is None and one.most is None}
        self._set(replace(self.plan, program=program, results=free or {"told": POOL["told"]}))
        self._one(dice, PLAINLY, KEEP, None)
        if self.oracle.failed_numbers(self.plan):
            self._one(dice, PLAINLY, RETRY, None)
        if self.oracle.has_gaps(self.plan):
            self._one(dice, PLAINLY, MISSING, None)
        if self.oracle.failed_numbers(self.plan) or self.oracle.has_gaps(self.plan):
            raise Broken("in the end not all sets are done")
        if self.project.spe("results").out != (self.project.runs / "results.csv").read_text():
            raise Broken("`spe results` and results.csv differ")

    def _set(self, plan: Plan) -> None:
        self.story.append(f"at the end  {changes(self.plan, plan)}")
        self.plan = plan
        self.project.write(plan)
